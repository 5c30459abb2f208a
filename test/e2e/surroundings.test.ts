import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { selfSigned } from '../support/certificates.ts';
import { GitLabServer } from '../support/gitlab-server.ts';
import { needs } from '../support/needs.ts';
import { asRunner } from './support/as-runner.ts';
import { engine } from './support/engines.ts';
import { canRunPipelines, Project } from './support/pipeline.ts';
import { eventually, output, run } from './support/program.ts';
import { Repository } from './support/repository.ts';
import { hasImages, imagesLoaded, Registry } from './support/surroundings.ts';

const modern = engine('modern');
const able =
  needs(modern !== undefined, 'a Docker Engine (E2E_ENGINES)') &&
  needs(await hasImages(modern), 'the images of .ci/images');

describe.skipIf(!able)(
  'where GitLab has a private authority and a name that DNS does not know, behind a proxy',
  () => {
    const proxyPort = 3129;
    const name = 'gitlab.e2e.test';
    let gitlab: GitLabServer;
    let repository: Repository;
    const docker = (...words: string[]) => output(['docker', ...words], { cwd: '/', env: modern!.env });
    const asked = () => run(['sh', '-c', 'docker logs e2e-proxy 2>&1'], { cwd: '/', env: modern!.env });

    /** @param options beside those of the authority and the name */
    const scaffold = async (...options: string[]): Promise<void> => {
      const url = `https://${name}:${new URL(gitlab.url).port}`;
      const hosts = `${name}:${modern!.hostAddress}`;
      const places = ['--gitlab-url', url, '--private-ca', '--extra-hosts', hosts];
      repository = await Repository.scaffold(modern!, [...places, ...options], 'surroundings-');
      mkdirSync(join(repository.folder, 'config/certs'));
      repository.writeEnv({ RUNNER_TOKEN: gitlab.addRunner({ tagList: ['docker'] }).token });
    };

    let certificate: ReturnType<typeof selfSigned>;

    beforeAll(imagesLoaded, 900_000);

    beforeAll(async () => {
      certificate = selfSigned(name);
      gitlab = await GitLabServer.start({ host: '0.0.0.0', tls: certificate });
      const names = ['--add-host', `${name}:${modern!.hostAddress}`];
      await docker(
        'run',
        '--detach',
        '--name',
        'e2e-proxy',
        ...names,
        '--publish',
        `${proxyPort}:3128`,
        'e2e/tinyproxy',
      );
    });

    afterAll(async () => {
      await docker('rm', '--force', 'e2e-proxy');
      await repository?.dispose();
      await gitlab?.stop();
    });

    it('says that the certificate is missing, and makes nothing in its place', async () => {
      await scaffold();
      const { code, output: text } = await repository.make('register');
      expect(code).not.toBe(0);
      expect(text).toContain('config/certs/ca.crt, is not there.');
      expect(text).toContain('cp YOUR-CA.pem config/certs/ca.crt');
      const doctor = await repository.make('doctor');
      expect(doctor.code).not.toBe(0);
      expect(doctor.output).toMatch(/FAILED +private CA/);
      expect((await run(['ls', 'config/certs'], repository.at())).stdout).toBe('');
    });

    it('registers once it is there, and doctor finds GitLab by that name from this host and from a job', async () => {
      repository.write('config/certs/ca.crt', certificate.cert);
      const registered = await repository.make('register');
      expect(registered.code, registered.output).toBe(0);
      const { code, output: text } = await repository.make('doctor');
      expect(code, text).toBe(0);
      expect(text).toContain(`https://${name}:`);
      expect(text).not.toContain('do not know the name');
      expect(repository.config().runners[0].docker.extra_hosts).toEqual([`${name}:${modern!.hostAddress}`]);
      expect(repository.config().runners[0].environment).toEqual(['SSL_CERT_DIR=/etc/gitlab-runner/certs']);
      await repository.dispose();
    });

    it('asks GitLab through the proxy, unless GitLab is an exception', async () => {
      const proxy = ['--http-proxy', `http://${modern!.engineAddress}:${proxyPort}`];
      await scaffold(...proxy);
      repository.write('config/certs/ca.crt', certificate.cert);
      const { code, output: text } = await repository.make('register');
      expect(code, text).toBe(0);
      expect((await asked()).output).toMatch(new RegExp(`CONNECT ${name}:\\d+`));
      expect(repository.config().runners[0].environment).toContain(`HTTPS_PROXY=${proxy[1]}`);
      const before = (await asked()).output;
      await repository.dispose();

      await scaffold(...proxy, '--proxy-exceptions', '.e2e.test');
      repository.write('config/certs/ca.crt', certificate.cert);
      expect((await repository.make('register')).code).toBe(0);
      expect((await asked()).output).toBe(before);
    });

    it('says that the proxy is the reason where it is not there', async () => {
      await repository.dispose();
      await scaffold('--http-proxy', `http://${modern!.engineAddress}:9`);
      repository.write('config/certs/ca.crt', certificate.cert);
      const { code, output: text } = await repository.make('register');
      expect(code).not.toBe(0);
      expect(text).toContain(`the proxy http://${modern!.engineAddress}:9 cannot be reached`);
    });
  },
);

describe.skipIf(!able || !needs(await canRunPipelines(), 'rsync, and gitlab-ci-local in test/tools'))(
  'where the registry speaks plain HTTP, and is reached through a proxy only',
  () => {
    const port = { registry: 5446, proxy: 3130 };
    const at = { cwd: '/', env: modern?.env ?? {} };
    let gitlab: GitLabServer;
    let registry: Registry;
    let repository: Repository;
    let project: Project;

    beforeAll(imagesLoaded, 900_000);

    beforeAll(async () => {
      gitlab = await GitLabServer.start({ host: '0.0.0.0' });
      registry = await Registry.start(modern!, port.registry, undefined, true);
      const proxy = ['--name', 'e2e-plain-proxy', '--publish', `${port.proxy}:3128`, 'e2e/tinyproxy'];
      await output(['docker', 'run', '--detach', ...proxy], at);
      repository = await Repository.scaffold(
        modern!,
        [
          ...['--gitlab-url', gitlab.url.replace('127.0.0.1', modern!.hostAddress), '--builder', 'buildkit'],
          ...['--registry', `${registry.address}/images`, '--insecure-registry', registry.address],
          ...['--http-proxy', `http://${modern!.engineAddress}:${port.proxy}`],
        ],
        'plain-',
      );
      // Whatever BuildKit pulls here comes from that registry too.
      const base = `${registry.address}/library/busybox:latest`;
      repository.edit('example/Dockerfile', 'FROM busybox:latest', `FROM ${base}`);
      // The engine trusts what is on its own loopback, without TLS.
      const local = `127.0.0.1:${port.registry}`;
      const login = ['docker', 'login', '--username', modern!.user, '--password-stdin', local];
      await eventually(() => output(login, { ...at, input: modern!.password }));
      await registry.docker('tag', 'busybox:latest', `${local}/library/busybox:latest`);
      await registry.docker('push', '--quiet', `${local}/library/busybox:latest`);
      await registry.docker('rmi', `${local}/library/busybox:latest`);
      repository.writeEnv({ RUNNER_TOKEN: gitlab.addRunner({ tagList: ['docker'] }).token });
      for (const target of ['register', 'up']) {
        const { code, output: text } = await repository.make(target);
        expect(code, text).toBe(0);
      }
      project = await Project.create(repository, path => ({
        image: `${registry.address}/images/${path.replace('/', '-')}`,
        variables: { REGISTRY_USER: modern!.user, REGISTRY_PASSWORD: modern!.password },
      }));
    }, 120_000);

    afterAll(async () => {
      await repository?.make('down');
      await repository?.removeVolumes();
      await repository?.dispose();
      await output(['docker', 'rm', '--force', 'e2e-plain-proxy'], at);
      await registry?.stop();
      await gitlab?.stop();
    });

    it('builds, pushes and tags the image by that way, and shows no password', async () => {
      await eventually(async () => expect((await repository.make('doctor')).code).toBe(0), 60);
      // tinyproxy closes a connection after each answer, which BuildKit may notice too late for a POST.
      const text = await eventually(async () => {
        const options = { asRunner: asRunner(repository), jobs: ['build', 'tag latest'] };
        const outcome = await project.pipeline({}, options);
        expect(outcome.code, outcome.output).toBe(0);
        return outcome.output;
      }, 60);
      expect(text).not.toContain('FAIL');
      expect(text).not.toContain(modern!.password);
      const name = project.image.slice(registry.address.length);
      const asked = await output(['sh', '-c', 'docker logs e2e-plain-proxy 2>&1'], at);
      const way = `http://${registry.address}/v2`;
      expect(asked).toContain(`GET ${way}/library/busybox/manifests/`);
      expect(asked).toContain(`PUT ${way}${name}/manifests/latest`);
      const list = await fetch(`http://${modern!.engineAddress}:${port.registry}/v2${name}/tags/list`, {
        headers: { authorization: `Basic ${btoa(`${modern!.user}:${modern!.password}`)}` },
      });
      const { tags } = (await list.json()) as { tags: string[] };
      expect(tags.sort()).toEqual([expect.stringMatching(/^[0-9a-f]{40}$/), 'latest']);
    }, 120_000);
  },
);
