import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { selfSigned } from '../support/certificates.ts';
import { GitLabServer } from '../support/gitlab-server.ts';
import { needs } from '../support/needs.ts';
import { asRunner } from './support/as-runner.ts';
import { engine } from './support/engines.ts';
import { canRunPipelines, Project, page, steps } from './support/pipeline.ts';
import { eventually, type Outcome, output, run } from './support/program.ts';
import { Repository } from './support/repository.ts';
import { bridgeAddress, fillHub, hasImages, imagesLoaded, Registry } from './support/surroundings.ts';

const modern = engine('modern');
const able =
  needs(modern !== undefined, 'a Docker Engine (E2E_ENGINES)') &&
  needs(await canRunPipelines(), 'rsync, and gitlab-ci-local in test/tools') &&
  needs(await hasImages(modern), 'the images of .ci/images');

vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });

const port = { registry: 5443, hub: 5444 };

/** Each way to build images but the socket, which pipeline.test.ts has, and what of it the tests look at. */
const ways: Record<string, { options: string[]; builds: RegExp; cached: RegExp }> = {
  'dind, an engine for each job': {
    options: ['--builder', 'dind', '--mirror'],
    builds: /docker build/,
    cached: /importing cache manifest from .*\n[\s\S]*CACHED/,
  },
  'dind, one engine for all': {
    options: [
      '--builder',
      'dind',
      '--dind-cache',
      'volume',
      '--mirror',
      '--platforms',
      'linux/amd64,linux/arm64',
    ],
    builds: /docker build/,
    cached: /CACHED/,
  },
  buildkit: {
    options: ['--builder', 'buildkit', '--mirror', '--platforms', 'linux/amd64,linux/arm64'],
    builds: /docker buildx build/,
    cached: /CACHED/,
  },
  buildah: {
    options: ['--builder', 'buildah', '--mirror', '--platforms', 'linux/amd64,linux/arm64'],
    builds: /buildah build/,
    cached: /Using cache/,
  },
};

describe.skipIf(!able)('the builder', () => {
  let certificate: { key: string; cert: string };
  let gitlab: GitLabServer;
  let registry: Registry;
  let hub: Registry;
  let url: string;

  beforeAll(imagesLoaded, 900_000);

  beforeAll(async () => {
    const { hostAddress, engineAddress } = modern!;
    certificate = selfSigned(bridgeAddress, hostAddress, engineAddress);
    gitlab = await GitLabServer.start({ host: '0.0.0.0', tls: certificate });
    url = gitlab.url.replace('127.0.0.1', hostAddress);
    registry = await Registry.start(modern!, port.registry, certificate);
    hub = await Registry.start(modern!, port.hub);
    await fillHub(modern!, hub);
    await eventually(() =>
      output(['docker', 'login', '--username', modern!.user, '--password-stdin', registry.address], {
        cwd: '/',
        env: modern!.env,
        input: modern!.password,
      }),
    );
    // The kernel keeps an emulator only as long as somebody has the file system mounted.
    const hold =
      'mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc; trap exit TERM; while :; do sleep 1; done';
    const holder = ['run', '--detach', '--privileged', '--name', 'e2e-binfmt', '--entrypoint', 'sh'];
    await hub.docker(...holder, 'tonistiigi/binfmt', '-c', hold);
    await hub.docker('run', '--rm', '--privileged', 'tonistiigi/binfmt', '--install', 'arm64');
  });

  afterAll(async () => {
    await hub?.docker('run', '--rm', '--privileged', 'tonistiigi/binfmt', '--uninstall', 'arm64');
    await hub?.docker('rm', '--force', 'e2e-binfmt');
    await registry?.stop();
    await hub?.stop();
    await gitlab?.stop();
  });

  describe.each(Object.entries(ways))('%s', (_, { options, builds, cached }) => {
    let repository: Repository;
    let project: Project;
    let first: Outcome;
    let firstDigests: Record<string, string>;

    const network = (): string => repository.config().runners[0].docker.network_mode;

    /** Runs a command as a job of somebody who wants more: with the network and the variables of a job only. */
    const asJob = (command: string): Promise<Outcome> => {
      const options = ['--rm', '--network', network()];
      return run(
        ['docker', 'run', ...options, '--entrypoint', 'sh', 'docker:cli', '-c', command],
        repository.at(),
      );
    };

    const expectSuccess = ({ code, output }: Outcome): void => {
      expect(output).not.toContain('FAIL');
      expect(code, output).toBe(0);
    };

    beforeAll(async () => {
      const places = ['--gitlab-url', url, '--registry', `${registry.address}/images`, '--private-ca'];
      repository = await Repository.scaffold(modern!, [...places, ...options], 'builder-');
      mkdirSync(join(repository.folder, 'config/certs'));
      repository.write('config/certs/ca.crt', certificate.cert);
      if (options.includes('--mirror')) {
        // The hub plays Docker Hub; the bridge of this engine has another address than Docker's default.
        const compose = repository
          .read('docker-compose.yml')
          .replace('https://registry-1.docker.io', `http://${hub.address}`)
          .replace('172.17.0.1:', `${bridgeAddress}:`);
        repository.write('docker-compose.yml', compose);
      }
      repository.writeEnv({ RUNNER_TOKEN: gitlab.addRunner({ tagList: ['docker'] }).token });
      const registered = await repository.make('register');
      expect(registered.code, registered.output).toBe(0);
      const up = await repository.make('up');
      expect(up.code, up.output).toBe(0);
      project = await Project.create(repository, path => ({
        image: `${registry.address}/images/${path}`,
        variables: { REGISTRY_USER: modern!.user, REGISTRY_PASSWORD: modern!.password },
      }));
    });

    afterAll(async () => {
      await project?.forget();
      await repository?.make('down');
      await repository?.removeVolumes();
      await repository?.dispose();
    });

    it('leaves doctor content, whatever it needs running', async () => {
      const { code, output } = await eventually(async () => {
        const outcome = await repository.make('doctor');
        expect(outcome.code, outcome.output).toBe(0);
        return outcome;
      }, 60);
      expect(output).toMatch(/private CA .*CN=Test Authority/);
      expect(code).toBe(0);
    });

    it('gives jobs no socket and no privileges', () => {
      const { docker } = repository.config().runners[0];
      expect(docker.privileged ?? false).toBe(false);
      expect(JSON.stringify(docker.volumes)).not.toContain('/var/run/docker.sock');
      expect(JSON.stringify(docker.cap_add ?? [])).toBe('[]');
    });

    it('builds, pushes and names the image in a registry whose certificate is of a private authority', async () => {
      first = await project.pipeline({}, { asRunner: asRunner(repository) });
      expectSuccess(first);
      expect(first.output).toMatch(builds);
      firstDigests = await digests(project);
      const [commit, ...others] = Object.keys(firstDigests).filter(tag => !['latest', 'main'].includes(tag));
      expect(others).toEqual([]);
      expect(firstDigests[commit!]).toBe(firstDigests.latest);
    });

    it('makes an image that runs', async () => {
      await project.forget();
      expect(await page(repository, `${project.image}:latest`)).toContain('our own GitLab Runner');
    });

    it('finds the layers of the pipeline before, up to the first that changed', async () => {
      await project.branch('second');
      const second = await project.pipeline({}, { asRunner: asRunner(repository) });
      expectSuccess(second);
      expect(second.output).toMatch(cached);
      if (/docker/.test(String(builds)))
        expect(steps(second.output)).toMatchObject({ RUN: 'CACHED', COPY: 'DONE' });
    });

    if (options.includes('--platforms'))
      it('makes it for each platform', async () => {
        const index = await manifest(project, 'latest');
        const platforms = index.manifests.map(
          ({ platform }: { platform: { os: string; architecture: string } }) =>
            `${platform.os}/${platform.architecture}`,
        );
        expect(platforms.sort()).toEqual(['linux/amd64', 'linux/arm64']);
      });

    if (options.includes('--mirror'))
      it('pulls what it builds upon through the mirror', async () => {
        expect(await hub.logs()).toMatch(/\/v2\/library\/busybox\/manifests\//);
        const { stdout } = await run(['docker', 'compose', 'logs', 'mirror'], repository.at());
        expect(stdout).toMatch(/\/v2\/library\/busybox\/manifests\/latest/);
      });

    if (options.includes('buildkit'))
      it('refuses a job without the certificate, and has no port on the host', async () => {
        const without = await asJob(
          'docker buildx create --name x --driver remote tcp://buildkit:1234 && timeout 5 docker buildx inspect --bootstrap x',
        );
        expect(without.code).not.toBe(0);
        expect(without.output).not.toMatch(/Status: +running/);
        const ids = await repository.docker('ps', '--quiet', '--filter', `network=${network()}`);
        for (const id of ids.trim().split('\n')) expect(await repository.docker('port', id)).toBe('');
      });

    if (options.includes('volume'))
      it('has no port in the clear, and none on the host', async () => {
        const clear = await asJob('DOCKER_HOST=tcp://docker:2375 docker version');
        expect(clear.output).toMatch(/connect to the Docker daemon|connection refused/i);
        const untrusted = await asJob('DOCKER_HOST=tcp://docker:2376 docker version');
        expect(untrusted.output).toMatch(/HTTP request to an HTTPS server|unable to resolve|certificate/i);
      });

    it('has shown no password in all of this', () => {
      expect(project.outputs.filter(text => text.includes(modern!.password))).toEqual([]);
    });
  });

  /** What the registry answers, asked from this host. */
  async function ask(project: Project, path: string): Promise<Response> {
    const { user, password, engineAddress } = modern!;
    const name = project.image.slice(registry.address.length + 1);
    const words = [
      '--silent',
      '--show-error',
      '--fail',
      '--insecure',
      '--include',
      '--user',
      `${user}:${password}`,
    ];
    const accept = [
      'application/vnd.oci.image.index.v1+json',
      'application/vnd.docker.distribution.manifest.list.v2+json',
      'application/vnd.oci.image.manifest.v1+json',
      'application/vnd.docker.distribution.manifest.v2+json',
    ].join(', ');
    const { stdout, stderr, code } = await run(
      [
        'curl',
        ...words,
        '--http1.1',
        '--header',
        `Accept: ${accept}`,
        `https://${engineAddress}:${port.registry}/v2/${name}/${path}`,
      ],
      { cwd: '/', env: process.env },
    );
    if (code !== 0) throw new Error(stderr);
    const [head = '', body = ''] = stdout.split('\r\n\r\n');
    const headers = head
      .split('\r\n')
      .slice(1)
      .map(line => line.split(': ') as [string, string]);
    return new Response(body, { headers });
  }

  // biome-ignore lint/suspicious/noExplicitAny: an index of images, as the registry has it.
  const manifest = async (project: Project, tag: string): Promise<any> =>
    (await ask(project, `manifests/${tag}`)).json();

  async function digests(project: Project): Promise<Record<string, string>> {
    const { tags } = (await (await ask(project, 'tags/list')).json()) as { tags: string[] };
    const found: Record<string, string> = {};
    for (const tag of tags.filter(name => !/^[0-9a-f]{64}$/.test(name))) {
      found[tag] = (await ask(project, `manifests/${tag}`)).headers.get('docker-content-digest') ?? '';
    }
    return found;
  }
});
