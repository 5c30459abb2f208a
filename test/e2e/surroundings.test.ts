import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { selfSigned } from '../support/certificates.ts';
import { GitLabServer } from '../support/gitlab-server.ts';
import { needs } from '../support/needs.ts';
import { engine } from './support/engines.ts';
import { output, run } from './support/program.ts';
import { Repository } from './support/repository.ts';
import { hasImages, imagesLoaded } from './support/surroundings.ts';

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
