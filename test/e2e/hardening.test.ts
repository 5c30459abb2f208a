import { chownSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it, vi } from 'vitest';
import { selfSigned } from '../support/certificates.ts';
import { GitLabServer } from '../support/gitlab-server.ts';
import { needs } from '../support/needs.ts';
import { asRunner } from './support/as-runner.ts';
import { engine } from './support/engines.ts';
import { canRunPipelines, Project } from './support/pipeline.ts';
import { eventually, output } from './support/program.ts';
import { type Document, Repository } from './support/repository.ts';
import { bridgeAddress, hasImages, imagesLoaded, Registry } from './support/surroundings.ts';

const modern = engine('modern');
const able =
  needs(modern !== undefined, 'a Docker Engine (E2E_ENGINES)') &&
  needs(await canRunPipelines(), 'rsync, and gitlab-ci-local in test/tools') &&
  needs(await hasImages(modern), 'the images of .ci/images');

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

/** A job that shows what it may do; where it has the engine of the host, also what that knows of it. */
const look = `
look:
  stage: build
  before_script: []
  script:
    - grep -E '^(NoNewPrivs|CapBnd)' /proc/self/status
    - echo "adjusted=$(cat /proc/self/oom_score_adj)"
    - mknod /tmp/device c 1 3 && echo made || echo refused
    - docker inspect --format '{{json .HostConfig}}' "$(cat /etc/hostname)" || true
`;

/** The capabilities that the kernel's mask has (capability.h). */
const capabilities = (mask: string): string[] => {
  const names: Record<number, string> = {
    ...{ 0: 'CHOWN', 1: 'DAC_OVERRIDE', 3: 'FOWNER', 4: 'FSETID', 5: 'KILL', 6: 'SETGID', 7: 'SETUID' },
    ...{ 8: 'SETPCAP', 10: 'NET_BIND_SERVICE', 13: 'NET_RAW', 18: 'SYS_CHROOT', 27: 'MKNOD' },
    ...{ 29: 'AUDIT_WRITE', 31: 'SETFCAP' },
  };
  return Object.entries(names)
    .filter(([bit]) => (BigInt(`0x${mask}`) >> BigInt(bit)) & 1n)
    .map(([, name]) => name);
};

describe.skipIf(!able)('a repository from which most was taken', () => {
  const repositories: Repository[] = [];
  let certificate: { key: string; cert: string };
  let gitlab: GitLabServer;
  let registry: Registry;

  let repository: Repository;
  let withBuildKit: Repository;
  let jobs: Project;

  /** With a registered runner, a private authority, and config/ in the hands of an ordinary user. */
  const scaffold = async (env: Record<string, string>, ...options: string[]): Promise<Repository> => {
    const url = gitlab.url.replace('127.0.0.1', modern!.hostAddress);
    const places = ['--gitlab-url', url, '--registry', `${registry.address}/images`, '--private-ca'];
    const made = await Repository.scaffold(
      modern!,
      [...places, '--hardening', 'strict', ...options],
      'hardening-',
    );
    repositories.push(made);
    mkdirSync(join(made.folder, 'config/certs'));
    made.write('config/certs/ca.crt', certificate.cert);
    chownSync(join(made.folder, 'config'), 1000, 1000);
    made.write('.gitlab-ci.yml', made.read('.gitlab-ci.yml') + look);
    made.writeEnv(env);
    for (const command of ['register', 'up']) {
      const { code, output: text } = await made.make(command);
      expect(code, text).toBe(0);
    }
    return made;
  };

  const project = (repository: Repository): Promise<Project> =>
    Project.create(repository, path => ({
      image: `${registry.address}/images/${path.replace('/', '-')}`,
      variables: { REGISTRY_USER: modern!.user, REGISTRY_PASSWORD: modern!.password },
    }));

  /** Runs those jobs of the sample pipeline and the one that looks, with config.toml as it is now; gives what that saw. */
  const seen = async (of: Project, ...names: string[]) => {
    const options = { asRunner: asRunner(of.repository), jobs: [...names, 'look'] };
    const { code, output: text } = await of.pipeline({}, options);
    expect(code, text).toBe(0);
    const value = (key: string) => new RegExp(`> ${key}[:=]\\s*(\\S+)$`, 'm').exec(text)?.[1] ?? '';
    return {
      capabilities: capabilities(value('CapBnd')),
      noNewPrivileges: value('NoNewPrivs'),
      adjusted: value('adjusted'),
      device: /> (made|refused)$/m.exec(text)?.[1],
      host: JSON.parse(/> (\{"Binds.*\})$/m.exec(text)?.[1] ?? '{}') as Document,
      text,
    };
  };

  beforeAll(imagesLoaded, 900_000);

  beforeAll(async () => {
    const { hostAddress, engineAddress, user, password, env } = modern!;
    certificate = selfSigned(bridgeAddress, hostAddress, engineAddress);
    gitlab = await GitLabServer.start({ host: '0.0.0.0', tls: certificate });
    registry = await Registry.start(modern!, 5445, certificate);
    const login = ['docker', 'login', '--username', user, '--password-stdin', registry.address];
    await eventually(() => output(login, { cwd: '/', env, input: password }));
    [repository, withBuildKit] = await Promise.all([
      scaffold(
        {
          GITLAB_ACCESS_TOKEN: gitlab.addAccessToken(['create_runner', 'manage_runner']),
          GITLAB_PROJECT_ID: String(gitlab.addProject('team/app')),
        },
        '--docker-image',
        'docker:cli',
      ),
      scaffold({ RUNNER_TOKEN: gitlab.addRunner({ tagList: ['docker'] }).token }, '--builder', 'buildkit'),
    ]);
    jobs = await project(repository);
  });

  afterAll(async () => {
    await Promise.all(
      repositories.map(async made => {
        await made.make('down');
        await made.removeVolumes();
        await made.dispose();
      }),
    );
    await registry?.stop();
    await gitlab?.stop();
  });

  describe('and whose jobs have the socket', () => {
    it('makes a runner that serves protected branches only, and stays with its project', () => {
      const made = [...gitlab.runners.values()].filter(({ projectId }) => projectId !== undefined);
      expect(made).toMatchObject([{ accessLevel: 'ref_protected', locked: true }]);
    });

    it('runs the runner on a read-only file system, with one capability, and trusting its authority', async () => {
      const [id = ''] = (await repository.docker('compose', 'ps', '--quiet', 'runner')).trim().split('\n');
      const [{ HostConfig: host }] = JSON.parse(await repository.docker('inspect', id));
      expect(host).toMatchObject({ ReadonlyRootfs: true, SecurityOpt: ['no-new-privileges:true'] });
      const status = await repository.docker(
        'exec',
        id,
        'grep',
        '-E',
        '^(NoNewPrivs|CapBnd)',
        '/proc/1/status',
      );
      expect(status).toMatch(/CapBnd:\s*0000000000000002\nNoNewPrivs:\s*1\n/);
      await expect(repository.docker('exec', id, 'touch', '/usr/bin/x')).rejects.toThrow(
        /Read-only file system/,
      );
      await repository.docker(
        'exec',
        id,
        'sh',
        '-c',
        'touch /tmp/x && touch /etc/gitlab-runner/x && rm /etc/gitlab-runner/x',
      );
      expect((await repository.make('verify')).output).toContain('is valid');
      expect(await repository.docker('logs', id)).not.toMatch(/ERROR|x509/);
    });

    it('leaves doctor content but for images that the runner would refuse', async () => {
      const findings = async () => {
        const { stdout } = await repository.make('doctor ARGS=--json');
        const { findings } = JSON.parse(stdout.slice(stdout.indexOf('{'))) as { findings: Document[] };
        // These depend on the network of the machine, and on a certificate for a day that busybox's wget does not take.
        const others = ['MTU', 'private CA', 'GitLab (job)'];
        return findings.filter(({ verdict, check }) => verdict !== 'ok' && !others.includes(check));
      };
      const text = repository.read('.gitlab-ci.yml');
      const services = '[postgres:17, "somebody/redis:8"]';
      const list =
        '\n    - name: other/one:1\n      alias: one\n      command:\n        - two\n    - mysql:9\n    - $X';
      repository.write(
        '.gitlab-ci.yml',
        `${text}  image: docker:cli\n  services: ${services}\nother:\n  services:${list}\n  image:\n    name: "node:24"\n`,
      );
      const found = await findings();
      repository.write('.gitlab-ci.yml', text);
      expect(
        found.map(({ check, verdict, detail }) => [
          check,
          verdict,
          /asks for (\S+), .* (\w+) of/.exec(detail)?.slice(1),
        ]),
      ).toEqual([
        ['.gitlab-ci.yml', 'failed', ['node:24', 'allowed_images']],
        ['.gitlab-ci.yml', 'failed', ['somebody/redis:8', 'allowed_services']],
        ['.gitlab-ci.yml', 'failed', ['other/one:1', 'allowed_services']],
      ]);
    });

    it('gives jobs few capabilities, no new privileges and limits, by which they build; other levels take less', async () => {
      const few = ['CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'KILL', 'SETGID', 'SETUID'];
      const { text, ...strict } = await seen(jobs, 'build', 'tag latest');
      expect(text).toMatch(/latest: digest: sha256:/);
      expect(strict).toMatchObject({
        capabilities: few,
        noNewPrivileges: '1',
        adjusted: '500',
        device: 'refused',
        host: { Memory: 4 * 1024 ** 3, NanoCpus: 2e9, Privileged: false },
      });
      await jobs.forget();

      const again = [inject('command'), '--hardening', 'recommended', '--force'];
      await output(again, { cwd: repository.folder, env: repository.engine.env });
      const applied = await repository.make('apply');
      expect([applied.code, applied.output]).toEqual([0, expect.stringContaining('Changed.')]);
      repository.write('.gitlab-ci.yml', repository.read('.gitlab-ci.yml') + look);
      await jobs.commit();
      expect(await seen(jobs)).toMatchObject({
        capabilities: capabilities('a80425fb').filter(name => !['NET_RAW', 'MKNOD'].includes(name)),
        noNewPrivileges: '1',
        adjusted: '500',
        device: 'refused',
        host: { Memory: 0, NanoCpus: 0 },
      });
    });
  });

  it('builds with BuildKit all the same, and jobs are confined there too', async () => {
    // There is no Docker Hub here to build upon.
    withBuildKit.write('example/Dockerfile', 'FROM scratch\nCOPY index.html /\n');
    const { text, ...job } = await seen(await project(withBuildKit), 'build');
    expect(text).toMatch(/pushing manifest for \S+@sha256:\S+ .*done/);
    expect(job).toMatchObject({ noNewPrivileges: '1', device: 'refused', host: {} });
  });
});
