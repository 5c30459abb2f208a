import { existsSync, readdirSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { GitLabServer } from '../support/gitlab-server.ts';
import { needs } from '../support/needs.ts';
import { engine } from './support/engines.ts';
import { InnerEngine } from './support/inner-engine.ts';
import { eventually, type Outcome, output, run } from './support/program.ts';
import { Repository } from './support/repository.ts';

// docs/faults.md names these tests.

const modern = engine('modern');
const able = needs(modern !== undefined, 'a Docker Engine (E2E_ENGINES)');

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

/** On an engine of its own, in a container, which is restarted and killed as none that others use may be. */
describe.skipIf(!able)('where something breaks', () => {
  const outputs: string[] = [];
  let gitlab: GitLabServer;
  let url: string;
  let port: string;
  let repository: Repository;
  let accessToken: string;
  let inner: InnerEngine;

  const make = async (words: string): Promise<Outcome> => {
    const outcome = await repository.make(words, inner.env);
    outputs.push(outcome.output);
    return outcome;
  };
  const succeed = async (words: string): Promise<string> => {
    const { code, output: text } = await make(words);
    expect(code, text).toBe(0);
    return text;
  };
  const fail = async (words: string): Promise<string> => {
    const { code, output: text } = await make(words);
    expect(code, text).not.toBe(0);
    return text;
  };
  const docker = (...words: string[]) => inner.docker(...words);
  const runnerId = async () => (await docker('compose', 'ps', '--quiet', 'runner')).trim();
  const configFiles = () =>
    readdirSync(join(repository.folder, 'config')).filter(file => /^config|register/.test(file));
  const jobEnds = async () => {
    const id = gitlab.queueJob({ seconds: 1 });
    const hasEnded = () => expect(gitlab.jobs.get(id)?.state).toBe('success');
    await eventually(hasEnded, 40).catch(async () => {
      // What the runner was doing instead.
      expect(gitlab.jobs.get(id)?.state, await docker('compose', 'logs', '--tail', '40', 'runner')).toBe(
        'success',
      );
    });
  };
  /** Fills in .env with an access token of GitLab's. */
  const authorise = () => {
    accessToken = gitlab.addAccessToken(['create_runner', 'manage_runner']);
    const project = gitlab.addProject('team/app');
    repository.writeEnv({ GITLAB_ACCESS_TOKEN: accessToken, GITLAB_PROJECT_ID: String(project) });
  };

  beforeAll(async () => {
    gitlab = await GitLabServer.start({ host: '0.0.0.0' });
    port = new URL(gitlab.url).port;
    url = gitlab.url.replace('127.0.0.1', modern!.hostAddress);
    repository = await Repository.scaffold(modern!, ['--gitlab-url', url, '--clean-up', 'none'], 'faults-');
    const { folder } = repository;
    // The same path inside: the folder that is mounted for the runner is this one.
    const container = ['--volume', `${folder}:${folder}`];
    inner = await InnerEngine.start(repository, ['gitlab/gitlab-runner:alpine'], { container });
    authorise();
  });

  afterAll(async () => {
    if (!repository) return;
    await inner?.remove();
    await repository.dispose();
    await gitlab.stop();
  });

  describe('before a runner is registered', () => {
    it.each([
      [500, /HTTP 500/],
      [502, /HTTP 502/],
      [503, /HTTP 503/],
    ])('GitLab answers %i: nothing is registered, and the next try is', async (status, said) => {
      gitlab.failNext({ method: 'GET', path: /\/version$/ }, status);
      expect(await fail('register')).toMatch(said);
      expect([configFiles(), gitlab.runners.size]).toEqual([[], 0]);
    });

    it('GitLab accepts the connection and never answers: that is said within half a minute', async () => {
      const silent = createServer(() => undefined).listen(0, '0.0.0.0');
      await new Promise(resolve => silent.once('listening', resolve));
      const address = silent.address() as { port: number };
      const started = Date.now();
      const mute = { GITLAB_URL: `http://${modern!.hostAddress}:${address.port}` };
      const { code, output: text } = await repository.make('register', { ...inner.env, ...mute });
      silent.close();
      expect(code).not.toBe(0);
      expect(text).toMatch(/does not answer \(ETIMEDOUT\)/);
      expect(Date.now() - started).toBeLessThan(30_000);
      expect(configFiles()).toEqual([]);
    });

    it('make register is killed at any moment: config.toml is whole or not there, and the next run ends well', async () => {
      let whole = 0;
      for (const moment of [/^Made|./, 'created', 'staged', 'late'] as const) {
        const running = repository.startMake('register', inner.env);
        const file = (path: string) => existsSync(join(repository.folder, 'config', path));
        // As soon as the token of the new runner has arrived. Before, while GitLab's answer is on its way, nobody has it.
        if (moment === 'created')
          await eventually(() => expect(repository.read('.env')).toMatch(/^RUNNER_TOKEN=glrt-/m), 60, 5);
        else if (moment === 'staged')
          await eventually(() => expect(file('.register.toml')).toBe(true), 60, 5);
        else if (moment === 'late') await running.shows(/Registered|already/);
        else await new Promise(resolve => setTimeout(resolve, 400));
        process.kill(-running.child.pid!, 'SIGKILL');
        outputs.push((await running.ended).output);
        await eventually(async () => expect(await docker('ps', '--quiet')).toBe(''), 60);
        if (file('config.toml')) {
          whole += 1;
          expect(repository.config().runners).toMatchObject([{ executor: 'docker' }]);
        }
      }
      const text = await succeed('register');
      expect(text).toMatch(/Registered|registered with .* already/);
      expect(configFiles()).toEqual(['config.toml']);
      // No runner was left behind in GitLab that nobody has the token of.
      expect(gitlab.runners.size).toBe(1);
      expect(whole).toBeGreaterThan(0);
      await succeed('up');
      await jobEnds();
    });
  });

  describe('once it is registered', () => {
    beforeEach(() => succeed('up'));

    it('the runner is killed: it is started again by itself, and takes the next job', async () => {
      const id = await runnerId();
      // Its first process is a small init, which no signal from inside reaches.
      const killed =
        'for p in /proc/[0-9]*; do case $(tr "\\0" " " <$p/cmdline 2>/dev/null) in *gitlab-runner*run*) [ ${p#/proc/} = 1 ] || [ ${p#/proc/} = $$ ] || kill -9 ${p#/proc/};; esac; done';
      await run(['docker', 'exec', id, 'sh', '-c', killed], repository.at(inner.env));
      await eventually(
        async () =>
          expect(await docker('inspect', '--format', '{{.RestartCount}} {{.State.Status}}', id)).toMatch(
            /^[1-9]\d* running/,
          ),
        30,
      );
      await jobEnds();
    });

    it('the engine is restarted: the runner comes back with it, and takes the next job', async () => {
      const before = repository.read('config/config.toml');
      await repository.docker('restart', '--time', '20', inner.name);
      await inner.find();
      await eventually(
        async () =>
          expect(await docker('inspect', '--format', '{{.State.Status}}', await runnerId())).toBe(
            'running\n',
          ),
        60,
      );
      await jobEnds();
      expect(repository.read('config/config.toml')).toBe(before);
    });

    it('GitLab is away for a while: config.toml stays, doctor says so, and jobs go on once it is back', async () => {
      // A minute, in a test, is long.
      repository.edit('config/template.toml', '"1m0s"', '"5s"');
      await succeed('apply');
      const before = repository.read('config/config.toml');
      expect(before).toContain('unhealthy_interval = "5s"');
      const { runners } = gitlab;
      await gitlab.stop();
      expect(await fail('doctor')).toMatch(/FAILED +GitLab +Nothing listens at/);
      // What does not take GitLab is shown all the same.
      expect(await fail('status')).toMatch(
        /container +running[\s\S]*disk +[\s\S]*runner +"My Docker Runner"[\s\S]*token +Nothing listens at/,
      );
      expect(await fail('rotate')).toMatch(/Nothing listens at/);
      gitlab = await GitLabServer.start({ host: '0.0.0.0', port: Number(port) });
      for (const [id, runner] of runners) gitlab.runners.set(id, runner);
      authorise();
      await jobEnds();
      expect(repository.read('config/config.toml')).toBe(before);
    });

    it('GitLab refuses (403), fails (500) or is slow while a token is renewed: the old one stays, or the new one counts', async () => {
      const reset = { method: 'POST', path: /reset_authentication_token$/ };
      for (const status of [403, 500]) {
        const before = repository.read('config/config.toml');
        gitlab.failNext(reset, status);
        await fail('rotate');
        expect(repository.read('config/config.toml')).toBe(before);
      }
      gitlab.delayNext(reset, 3000);
      await succeed('rotate');
      expect([...gitlab.runners.values()].map(({ token }) => token)).toEqual([
        repository.config().runners[0].token,
      ]);
      await jobEnds();
    });

    it('the disk of config/ is full: config.toml stays as it was, byte by byte, and no token gets lost', async () => {
      const { folder } = repository;
      const before = repository.read('config/config.toml');
      await succeed('down');
      // A file system of its own for the runner's container, with what is there, and then filled.
      await inner.shell(
        `cp -a ${folder}/config /tmp/config && mount -t tmpfs -o size=64k tmpfs ${folder}/config && cp -a /tmp/config/. ${folder}/config/ && dd if=/dev/zero of=${folder}/config/filler 2>/dev/null; true`,
      );
      try {
        repository.edit('scripts/settings.ts', 'concurrent = 2', 'concurrent = 4');
        const tokens = [...gitlab.runners.values()].map(({ token }) => token);
        for (const target of ['apply', 'rotate', 'register ARGS=--force']) {
          expect(await fail(target), target).toMatch(/disk is full|cannot be written|[Nn]o space left/);
          expect(await inner.shell(`cat ${folder}/config/config.toml`), target).toBe(before);
        }
        // GitLab was not asked for a new token that could not be kept, and what it created was taken back.
        expect([...gitlab.runners.values()].map(({ token }) => token)).toEqual(tokens);
      } finally {
        // The tests that follow have a disk again.
        await inner.shell(`umount ${folder}/config`);
      }
      expect(repository.read('config/config.toml')).toBe(before);
      await succeed('apply');
      await succeed('up');
      await jobEnds();
    });

    it.each(['apply', 'rotate'])(
      'make %s is killed at any moment: config.toml is the old one or the new one, and the next run mends it',
      async target => {
        let lost = 0;
        for (const milliseconds of [300, 700, 1100, 1500, 1900]) {
          if (target === 'apply') {
            const now = /concurrent = (\d+)/.exec(repository.read('scripts/settings.ts'))![1]!;
            repository.edit('scripts/settings.ts', `concurrent = ${now}`, `concurrent = ${Number(now) + 1}`);
          }
          const running = repository.startMake(target, inner.env);
          await new Promise(resolve => setTimeout(resolve, milliseconds));
          if (running.child.exitCode === null) process.kill(-running.child.pid!, 'SIGKILL');
          outputs.push((await running.ended.catch(() => ({ output: '' }))).output);
          expect(repository.config().runners).toHaveLength(1);
          // A token that GitLab made and config.toml does not have yet is in .env by then, but for the very moment in
          // which GitLab's answer is on its way: at most one of these hits that.
          const known = [...gitlab.runners.values()][0]!;
          const { token } = repository.config().runners[0];
          if (known.token !== token && !repository.read('.env').includes(known.token)) {
            known.token = token;
            lost += 1;
          }
          expect(lost).toBeLessThanOrEqual(1);
          if (target === 'rotate') await succeed('rotate');
        }
        await succeed('apply');
        await succeed('up');
        await succeed('verify');
        await jobEnds();
        expect(configFiles()).toEqual(['config.toml']);
      },
    );
  });

  it('no token was shown in all of this, by our commands or in the log of the runner', async () => {
    const log = await output(['sh', '-c', 'docker compose logs runner 2>&1'], repository.at(inner.env));
    const tokens = [accessToken, ...[...gitlab.runners.values()].map(({ token }) => token)];
    expect(outputs.length).toBeGreaterThan(20);
    for (const text of [log, ...outputs]) {
      for (const token of tokens) expect(text).not.toContain(token);
      expect(text).not.toMatch(/gl(rt|pat)-[\w-]{8,}/);
    }
  });
});
