import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { needs } from '../support/needs.ts';
import { Bench } from './support/bench.ts';
import { type EngineName, engine } from './support/engines.ts';
import { eventually, run, sequential } from './support/program.ts';

// Each engine for itself, and all at once: this is mostly waiting.
const names: EngineName[] = ['modern', 'old', 'rootless', 'podman'];

describe.concurrent.each(names)('the runner on the %s engine', name => {
  const found = engine(name);

  describe.skipIf(!needs(found !== undefined, 'a Docker Engine (E2E_ENGINES)'))(
    'day by day',
    sequential,
    () => {
      let bench: Bench;
      const accessToken = 'glpat-not-for-the-container';
      const logs = async () =>
        (await run(['docker', 'logs', await bench.repository.container()], bench.repository.at())).output;
      /** Compose as the Makefile finds it. */
      const compose = (words: string) =>
        run(
          [
            'sh',
            '-c',
            `docker compose version >/dev/null 2>&1 && exec docker compose ${words}; exec docker-compose ${words}`,
          ],
          bench.repository.at(),
        );

      beforeAll(async () => {
        bench = await Bench.open(found!);
        const { token } = bench.gitlab.addRunner({ tagList: ['docker'] });
        bench.repository.writeEnv({ RUNNER_TOKEN: token, GITLAB_ACCESS_TOKEN: accessToken });
      });
      afterAll(() => bench?.close());

      it('is not started without a token, where every command of Compose works all the same', async () => {
        const filled = bench.repository.read('.env');
        bench.repository.write('.env', '');
        for (const words of ['config', 'ps', 'logs runner', 'down']) {
          const { code, output } = await compose(words);
          expect([words, code, output]).toEqual([
            words,
            0,
            expect.not.stringMatching(/warn|obsolete|not set/i),
          ]);
        }
        bench.repository.writeEnv({});
        expect(await bench.fail('up')).toContain('make register');
        expect(await bench.repository.container()).toBe('');
        bench.repository.write('.env', filled);
      });

      it('is started, warns of nothing, and takes a job; its container has no access token', async () => {
        await bench.succeed('up');
        await bench.startJob(1, 'success');
        expect(await logs()).not.toMatch(/WARNING|ERROR/);
        const inspected = await bench.repository.docker('inspect', await bench.repository.container());
        expect(inspected).not.toContain(accessToken);
        const [{ Config, HostConfig }] = JSON.parse(inspected);
        expect(Config.StopTimeout).toBe(3600);
        expect(HostConfig.RestartPolicy.Name).toBe('always');
        expect(HostConfig.Privileged).toBe(false);
      });

      it('writes nothing to config.toml, whatever is run in its container', async () => {
        const before = bench.repository.read('config/config.toml');
        const inside = async (...words: string[]) =>
          (
            await run(
              ['docker', 'exec', await bench.repository.container(), 'gitlab-runner', ...words],
              bench.repository.at(),
            )
          ).output;
        const { token } = bench.gitlab.addRunner();
        const { GITLAB_URL = '' } = bench.repository.environment();
        const words = ['--non-interactive', '--url', GITLAB_URL, '--token', token, '--executor', 'docker'];
        expect(await inside('register', ...words, '--docker-image', 'alpine')).toMatch(
          /read-only file system/,
        );
        const known = [...bench.gitlab.runners];
        bench.gitlab.runners.clear();
        expect(await inside('verify', '--delete')).toMatch(/read-only file system/);
        for (const [id, runner] of known) bench.gitlab.runners.set(id, runner);
        expect(bench.repository.read('config/config.toml')).toBe(before);
      });

      // It reads the file anew, and so forgets what GitLab refused meanwhile.
      it('takes an edit of config.toml without a restart', async () => {
        const id = await bench.repository.container();
        bench.repository.edit('config/config.toml', 'concurrent = 2', 'concurrent = 7');
        await eventually(async () => expect(await logs()).toMatch(/max_builds.*=7/));
        expect(await bench.repository.container()).toBe(id);
        bench.repository.edit('config/config.toml', 'concurrent = 7', 'concurrent = 2');
      });

      it('is shown by status with its job, version and token, and lets the job end at make down', async () => {
        const job = await bench.startJob(30);
        const { output: status } = await bench.repository.make('status');
        expect(status).toMatch(/running since .*; jobs: 1$/m);
        expect(status).toMatch(/GitLab Runner 19\.3\.0; disk: .*%/m);
        expect(status).toMatch(/does not expire/m);
        await bench.succeed('down');
        expect(job.state).toBe('success');
        expect(await bench.repository.container()).toBe('');
      });
    },
  );
});
