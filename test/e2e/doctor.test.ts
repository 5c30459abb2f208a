import { cpSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { createServer } from 'node:https';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { selfSigned } from '../support/certificates.ts';
import { GitLabServer, type RunnerRecord } from '../support/gitlab-server.ts';
import { needs } from '../support/needs.ts';
import { engine } from './support/engines.ts';
import { derive } from './support/global-setup.ts';
import { eventually, run } from './support/program.ts';
import { Repository } from './support/repository.ts';

const modern = engine('modern');
const strict = engine('strict');
const old = engine('old');

interface Finding {
  check: string;
  verdict: 'ok' | 'warning' | 'failed';
  detail: string;
  remedy: string;
}

/** Runs `make doctor`, and gives what it found. */
async function examine(repository: Repository, env: NodeJS.ProcessEnv = {}) {
  const { code, stdout, output } = await repository.make('doctor ARGS=--json', env);
  const report = JSON.parse(stdout.slice(stdout.indexOf('{'))) as { ok: boolean; findings: Finding[] };
  expect(code === 0).toBe(report.ok);
  const found = (check: string) => report.findings.filter(finding => finding.check === check);
  // Whether packets fit depends on the network of the machine that runs the tests.
  const bad = report.findings.filter(({ verdict, check }) => verdict !== 'ok' && check !== 'MTU');
  return { ok: report.ok, found, bad: bad.map(({ check }) => check), output };
}

describe.skipIf(!needs(modern !== undefined, 'a Docker Engine (E2E_ENGINES)'))('make doctor', () => {
  let gitlab: GitLabServer;
  let repository: Repository;
  let known: RunnerRecord;
  let url: string;
  /** What a user's mistakes are undone to after each test. */
  const pristine = new Map<string, string>();

  beforeAll(async () => {
    gitlab = await GitLabServer.start({ host: '0.0.0.0' });
    url = gitlab.url.replace('127.0.0.1', modern!.hostAddress);
    repository = await Repository.scaffold(modern!, ['--gitlab-url', url]);
  });

  afterAll(async () => {
    await gitlab?.stop();
    await repository?.dispose();
  });

  it('finds nothing to mend in a new repository but that no runner is registered yet', async () => {
    const { ok, bad, found } = await examine(repository);
    expect(found('config.toml')).toMatchObject([{ verdict: 'warning', remedy: 'Run: make register' }]);
    expect([ok, bad]).toEqual([true, ['config.toml']]);
    expect(found('docker client')[0]?.detail).toBe(
      'docker:stable speaks API 1.40 with the engine of the host',
    );
    expect(found('GitLab (job)')[0]?.verdict).toBe('ok');
  });

  describe('with a registered runner', () => {
    beforeAll(async () => {
      known = gitlab.addRunner({ tagList: ['docker'] });
      repository.writeEnv({ RUNNER_TOKEN: known.token });
      expect((await repository.make('register')).code).toBe(0);
      for (const path of ['.env', '.gitlab-ci.yml', 'scripts/settings.ts', 'config/config.toml']) {
        pristine.set(path, repository.read(path));
      }
    });

    afterEach(() => {
      for (const [path, text] of pristine) repository.write(path, text);
    });

    const accessToken = () => gitlab.addAccessToken(['read_api']);

    it('says in a line a check that all is well, and shows no token', async () => {
      await repository.make('up');
      const { code, output } = await repository.make('doctor');
      expect(output.split('\n').filter(line => /^(warning(?! {2}MTU)|FAILED)/.test(line))).toEqual([]);
      expect(code).toBe(0);
      expect(output.match(/^ok {5}/gm)?.length).toBeGreaterThanOrEqual(10);
      expect(output).not.toContain(known.token);
      await repository.make('down');
    });

    it('says that the runner is not running', async () => {
      const { ok, bad, found } = await examine(repository);
      expect([ok, bad, found('container')[0]?.remedy]).toEqual([true, ['container'], 'Run: make up']);
    });

    it('says that the running container reads another config.toml', async () => {
      await repository.make('up');
      const config = join(repository.folder, 'config');
      renameSync(config, `${config}.before`);
      cpSync(`${config}.before`, config, { recursive: true });
      const [runners] = /\[\[runners\]\][\s\S]*/.exec(pristine.get('config/config.toml')!)!;
      repository.write(
        'config/config.toml',
        pristine.get('config/config.toml')! + runners.replace(known.token, gitlab.addRunner().token),
      );
      const { found } = await examine(repository);
      expect(found('container')).toMatchObject([
        { verdict: 'failed', remedy: 'Start it from here: make up' },
      ]);
      await repository.make('down');
      rmSync(config, { recursive: true });
      renameSync(`${config}.before`, config);
    });

    it('refuses a pipeline with a dind service, or with the address of one', async () => {
      repository.edit(
        '.gitlab-ci.yml',
        'stages: [build, tag]',
        'stages: [build, tag]\nservices: [docker:28-dind]',
      );
      repository.edit(
        '.gitlab-ci.yml',
        'variables:\n  BUILD',
        'variables:\n  DOCKER_HOST: tcp://docker:2375\n  BUILD',
      );
      const { ok, found } = await examine(repository);
      expect(ok).toBe(false);
      expect(found('.gitlab-ci.yml')).toMatchObject([
        { verdict: 'failed', detail: expect.stringContaining('the two exclude each other') },
        { verdict: 'failed', detail: expect.stringContaining('it sets DOCKER_HOST') },
      ]);
    });

    it("warns of a job's folder that docker run mounts from the host", async () => {
      repository.edit(
        '.gitlab-ci.yml',
        '- docker push "$IMAGE:$CI_COMMIT_SHA"',
        '- docker run --rm -v "$PWD:/app" alpine ls /app',
      );
      const { found } = await examine(repository);
      expect(found('.gitlab-ci.yml')).toMatchObject([
        { verdict: 'warning', detail: expect.stringContaining('looks for that path on the host') },
      ]);
    });

    it('names a config.toml without the socket in jobs, open to others, with an unknown key, or with a runner twice', async () => {
      const [runners] = /\[\[runners\]\][\s\S]*/.exec(pristine.get('config/config.toml')!)!;
      repository.write('config/config.toml', pristine.get('config/config.toml')! + runners);
      repository.edit('config/config.toml', '"/var/run/docker.sock:/var/run/docker.sock", ', '');
      repository.edit('config/config.toml', 'privileged = false', 'priviliged = false');
      await run(['chmod', '644', 'config/config.toml'], repository.at());
      const { ok, found, output } = await examine(repository);
      await run(['chmod', '600', 'config/config.toml'], repository.at());
      expect(ok).toBe(false);
      expect(found('config.toml').map(({ detail }) => detail)).toEqual([
        'it holds a token, and its mode is 0644.',
        expect.stringContaining('unknown key: runners.docker.priviliged'),
        'one runner is in it twice.',
        ...Array(2).fill(
          'volumes of "My Docker Runner" is ["/cache"]; settings.ts and template.toml want ["/var/run/docker.sock:/var/run/docker.sock", "/cache"].',
        ),
      ]);
      expect(found('config.toml').at(-1)).toMatchObject({
        verdict: 'failed',
        remedy: expect.stringContaining('make apply'),
      });
      expect(output).not.toContain(known.token);
    });

    it('does without lint where the image of the runner has none', async () => {
      repository.edit('docker-compose.yml', 'gitlab-runner:alpine', 'gitlab-runner:alpine-v19.2.0');
      const { found } = await examine(repository);
      expect((await repository.make('validate')).code).toBe(0);
      repository.edit('docker-compose.yml', 'gitlab-runner:alpine-v19.2.0', 'gitlab-runner:alpine');
      expect(found('config.toml')).toMatchObject([{ verdict: 'ok' }]);
    });

    it('says that GitLab does not accept the token any more', async () => {
      gitlab.runners.delete(known.id);
      const { ok, found } = await examine(repository);
      gitlab.runners.set(known.id, known);
      expect([ok, found('token')]).toMatchObject([
        false,
        [{ verdict: 'failed', remedy: expect.stringContaining('make rotate') }],
      ]);
    });

    it('warns of a token that is about to expire', async () => {
      known.tokenExpiresAt = new Date(Date.now() + 3.5 * 86_400_000).toISOString();
      const { found } = await examine(repository);
      known.tokenExpiresAt = null;
      expect(found('token')).toMatchObject([
        { verdict: 'warning', detail: expect.stringContaining('expires in 3 days') },
      ]);
    });

    it('names tags that the runner does not have, as settings.ts or GitLab says', async () => {
      repository.edit('.gitlab-ci.yml', 'tags: [docker]', 'tags: [docker, "a, b", arm]');
      const guessed = await examine(repository);
      expect(guessed.found('tags')).toMatchObject([
        {
          verdict: 'failed',
          detail: expect.stringContaining(
            'asks for a, b, arm, which the runner does not have (says scripts/settings.ts)',
          ),
        },
      ]);
      repository.edit('.gitlab-ci.yml', 'tags: [docker, "a, b", arm]', 'tags: [docker]');
      known.tagList = ['other'];
      const told = await examine(repository, { GITLAB_ACCESS_TOKEN: accessToken() });
      known.tagList = ['docker'];
      expect(told.found('tags')).toMatchObject([
        { verdict: 'failed', detail: expect.stringContaining('(says GitLab)') },
      ]);
    });

    it('names a runner that is paused, that takes protected branches only, or that takes no job without tags', async () => {
      Object.assign(known, { paused: true, accessLevel: 'ref_protected' });
      repository.edit('.gitlab-ci.yml', '  tags: [docker]\n', '');
      const { found } = await examine(repository, { GITLAB_ACCESS_TOKEN: accessToken() });
      Object.assign(known, { paused: false, accessLevel: 'not_protected' });
      expect(found('tags').map(({ detail }) => detail)).toEqual([
        'the runner is paused in GitLab: it takes no jobs.',
        expect.stringContaining(
          'protected branches and tags only; others stay stuck: scripts/settings.ts says not',
        ),
        expect.stringContaining('asks for no tags, and the runner takes only jobs with tags'),
      ]);
    });

    it('names a .env that is in git', async () => {
      await run(['git', 'add', '--force', '.env'], repository.at());
      const { found } = await examine(repository);
      await run(['git', 'rm', '--cached', '--quiet', '.env'], repository.at());
      expect(found('.env')).toMatchObject([
        { verdict: 'failed', remedy: expect.stringContaining('git rm --cached .env') },
      ]);
    });

    it('says what is wrong with the address of GitLab: localhost, unknown, closed', async () => {
      for (const [address, check, sentence] of [
        [gitlab.url, '.env', /inside a container that is the container itself/],
        [gitlab.url, 'GitLab (job)', /job containers cannot reach .*refused/],
        ['http://gitlab.invalid', 'GitLab', /name gitlab\.invalid is not known/],
        ['http://gitlab.invalid', 'GitLab (job)', /do not know the name/],
      ] as const) {
        repository.writeEnv({ GITLAB_URL: address });
        const { found } = await examine(repository);
        expect(found(check)).toMatchObject([{ verdict: 'failed', detail: expect.stringMatching(sentence) }]);
      }
    });

    it('says why the registry of the pipeline cannot be used', async () => {
      const secure = await GitLabServer.start({ host: '0.0.0.0', tls: selfSigned(modern!.hostAddress) });
      const address = (server: GitLabServer) => `${modern!.hostAddress}:${new URL(server.url).port}`;
      for (const [registry, verdict, sentence] of [
        [address(secure), 'failed', /does not trust the certificate/],
        [address(gitlab), 'failed', /speaks plain HTTP/],
        [`${modern!.hostAddress}:9`, 'failed', /cannot reach/],
        [modern!.registry, 'ok', /answers the engine/],
      ] as const) {
        repository.edit('.gitlab-ci.yml', 'variables:\n', `variables:\n  REGISTRY: ${registry}\n`);
        const { found } = await examine(repository);
        repository.write('.gitlab-ci.yml', pristine.get('.gitlab-ci.yml')!);
        expect(found('registry')).toMatchObject([{ verdict, detail: expect.stringMatching(sentence) }]);
      }
      await secure.stop();
    });

    it('says that jobs do not have the socket', async () => {
      repository.edit(
        'scripts/settings.ts',
        "['/var/run/docker.sock:/var/run/docker.sock']",
        '[] as string[]',
      );
      const { found } = await examine(repository);
      expect(found('docker client')).toMatchObject([
        { verdict: 'failed', detail: expect.stringContaining('no engine answers inside a job container') },
      ]);
    });

    it('says that the image of jobs has no docker command, that the disk is nearly full, and that packets are too large', async () => {
      const stub = (file: string, line: string) =>
        `RUN printf '#!/bin/sh\\n%s\\n' '${line}' > ${file} && chmod 755 ${file}\n`;
      const dockerfile =
        'FROM docker:cli\nRUN rm /usr/local/bin/docker /usr/bin/docker\n' +
        stub('/usr/local/bin/df', 'echo; echo "overlay 9 8 1048576 99% /"') +
        stub('/usr/local/bin/cat', 'echo 9000');
      await derive(modern!, 'job-without-docker', dockerfile);
      repository.edit('scripts/settings.ts', "'docker:stable'", "'job-without-docker'");
      const { found } = await examine(repository);
      expect(found('docker client')).toMatchObject([
        { verdict: 'failed', detail: expect.stringContaining('there is no docker command') },
      ]);
      expect(found('disk')).toMatchObject([
        {
          verdict: 'failed',
          detail: 'only 1.0 GiB free for images and build cache.',
          remedy: 'Free some: make prune',
        },
      ]);
      expect(found('MTU')).toMatchObject([
        { verdict: 'warning', remedy: expect.stringMatching(/"mtu": \d+/) },
      ]);
    });

    it('says that SELinux, or a rootless engine, keeps the socket from jobs', async () => {
      const refusal = 'permission denied while trying to connect to the Docker daemon socket';
      const stub = `printf '#!/bin/sh\\necho "${refusal}" >&2; exit 1\\n' > /usr/local/bin/docker`;
      await derive(modern!, 'job-without-permission', `FROM docker:cli\nRUN ${stub}\n`);
      repository.edit('scripts/settings.ts', "'docker:stable'", "'job-without-permission'");
      const { found } = await examine(repository);
      expect(found('docker client')).toMatchObject([
        {
          verdict: 'failed',
          remedy: expect.stringContaining('add "label:disable" to the list security_opt'),
        },
      ]);
    });

    it('says that a registry limits pulls, and that an image does not exist', async () => {
      const { key, cert } = selfSigned(modern!.hostAddress);
      const limiting = createServer({ key, cert }, (request, response) => {
        const code = request.url === '/v2/' ? 200 : 429;
        const errors = [{ code: 'TOOMANYREQUESTS', message: 'You have reached your pull rate limit.' }];
        response.writeHead(code, { 'content-type': 'application/json' }).end(JSON.stringify({ errors }));
      });
      await new Promise<void>(resolve => limiting.listen(0, '0.0.0.0', resolve));
      const host = `${modern!.hostAddress}:${(limiting.address() as { port: number }).port}`;
      const trust = join(modern!.trust, host);
      mkdirSync(trust, { recursive: true });
      await run(['sh', '-c', `printf '%s' "$0" > ${trust}/ca.crt`, cert], repository.at());
      try {
        repository.edit('scripts/settings.ts', "'docker:stable'", `'${host}/docker:stable'`);
        expect((await examine(repository)).found('job container')).toMatchObject([
          {
            verdict: 'failed',
            detail: expect.stringContaining('limits pulls (toomanyrequests): run "docker login"'),
          },
        ]);
        repository.edit(
          'scripts/settings.ts',
          `'${host}/docker:stable'`,
          `'${modern!.registry}/no/such:image'`,
        );
        expect((await examine(repository)).found('job container')).toMatchObject([
          {
            verdict: 'failed',
            detail: expect.stringMatching(/does not exist|needs "docker login"|no basic auth/),
          },
        ]);
      } finally {
        rmSync(trust, { recursive: true });
        limiting.close();
      }
    });

    it('says that no engine answers, and that compose is missing', async () => {
      const stopped = await examine(repository, { DOCKER_HOST: 'unix:///nowhere/docker.sock' });
      expect([stopped.ok, stopped.found('engine')]).toMatchObject([
        false,
        [{ verdict: 'failed', remedy: expect.stringContaining('systemctl start docker') }],
      ]);
      const bare = {
        DOCKER_CONFIG: '/nowhere',
        PATH: repository.env
          .PATH!.split(':')
          .filter(folder => !folder.endsWith('/modern/bin'))
          .join(':'),
      };
      const client = join(repository.folder, '.bin');
      mkdirSync(client);
      await run(['sh', '-c', `ln -s "$(command -v docker)" ${client}/docker`], repository.at());
      const { found } = await examine(repository, { ...bare, PATH: `${client}:${bare.PATH}` });
      rmSync(client, { recursive: true });
      expect(found('compose')).toMatchObject([
        { verdict: 'failed', remedy: expect.stringContaining('docker-compose-plugin') },
      ]);
    });

    it('says that a container which ended does not run, and after how many restarts', async () => {
      repository.write('config/config.toml', 'concurrent = "many"\n[[runners]]\n');
      await repository.make('up');
      await eventually(async () => {
        const { found } = await examine(repository);
        expect(found('container')).toMatchObject([
          {
            verdict: 'failed',
            detail: expect.stringMatching(/does not stay up: .* after [1-9]\d* restarts/),
          },
        ]);
      });
      const project = /^COMPOSE_PROJECT_NAME=(.*)$/m.exec(repository.read('.env'))![1];
      await repository.docker('rm', '--force', `${project}-runner-1`);
    });
  });
});

describe.skipIf(!needs(strict !== undefined, 'a Docker Engine (E2E_ENGINES)'))(
  'make doctor on an engine that refuses API 1.40',
  () => {
    let gitlab: GitLabServer;
    let repository: Repository;

    beforeEach(async () => {
      gitlab = await GitLabServer.start({ host: '0.0.0.0' });
      const url = gitlab.url.replace('127.0.0.1', strict!.hostAddress);
      repository = await Repository.scaffold(strict!, ['--gitlab-url', url]);
    });

    afterEach(async () => {
      await gitlab.stop();
      await repository.dispose();
    });

    it('says that docker:stable will be refused, with the three ways out, before anything fails', async () => {
      const { ok, found } = await examine(repository);
      expect(ok).toBe(false);
      expect(found('docker client')).toMatchObject([
        {
          verdict: 'failed',
          detail: expect.stringMatching(
            /docker:stable speaks API 1\.40; this engine \(\S+\) takes 1\.44 and newer/,
          ),
        },
      ]);
      const { remedy } = found('docker client')[0]!;
      expect(remedy).toMatch(/docker:cli[\s\S]*29\.3[\s\S]*"min-api-version": "1\.40"/);
      repository.edit('scripts/settings.ts', "'docker:stable'", "'docker:cli'");
      expect((await examine(repository)).found('docker client')).toMatchObject([{ verdict: 'ok' }]);
    });
  },
);

describe.skipIf(!needs(old !== undefined, 'an old Docker Engine (E2E_ENGINES)'))(
  'make doctor where Compose is of version 1',
  () => {
    it('says that BuildKit cannot start there, and which Compose it needs', async () => {
      const gitlab = await GitLabServer.start({ host: '0.0.0.0' });
      const url = gitlab.url.replace('127.0.0.1', old!.hostAddress);
      // A small image: this engine copies all of it for each container.
      const options = ['--gitlab-url', url, '--builder', 'buildkit', '--docker-image', 'busybox:latest'];
      const repository = await Repository.scaffold(old!, options);
      try {
        const { ok, found } = await examine(repository);
        expect(ok).toBe(false);
        expect(found('compose')).toMatchObject([
          { verdict: 'failed', remedy: expect.stringContaining('docker-compose-plugin') },
        ]);
        // What it foretells, with an image that is there.
        repository.edit('docker-compose.yml', 'moby/buildkit:v0.34.2-rootless', 'busybox:latest');
        const words = ['docker-compose', 'up', '--detach', '--no-deps', 'buildkit'];
        const { code, output } = await run(words, repository.at());
        expect(code).not.toBe(0);
        expect(output).toContain('invalid --security-opt 2: "systempaths=unconfined"');
      } finally {
        await repository.dispose();
        await gitlab.stop();
      }
    });
  },
);
