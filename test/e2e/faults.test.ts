import { existsSync, mkdtempSync, rmdirSync, rmSync, statSync, watch } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { needs } from '../support/needs.ts';
import { Bench } from './support/bench.ts';
import { engine } from './support/engines.ts';
import { InnerEngine } from './support/inner-engine.ts';
import { eventually, output, run, signalGroup } from './support/program.ts';

// docs/faults.md names these tests.

const modern = engine('modern');

describe.skipIf(!needs(modern !== undefined, 'a Docker Engine (E2E_ENGINES)'))(
  'where something breaks',
  () => {
    let bench: Bench;
    /** Fills in .env with an access token of GitLab's, and no other. */
    const authorise = () => {
      bench.gitlab.runners.clear();
      bench.repository.writeEnv({
        GITLAB_ACCESS_TOKEN: bench.gitlab.addAccessToken(['create_runner', 'manage_runner']),
        RUNNER_TYPE: 'instance_type',
      });
    };

    beforeAll(async () => {
      bench = await Bench.open(modern!, ['--clean-up', 'none'], { name: 'faults-' });
    });
    afterAll(() => bench?.close());

    it.each(['.env.lock', '.env.new', '.env'])(
      'make register is killed as it writes %s: .env is whole, and without the lock, as it is told, the next run ends well',
      async file => {
        authorise();
        const before = bench.repository.read('.env');
        const watcher = watch(bench.repository.folder);
        const running = bench.repository.startMake('register');
        watcher.on('change', (_kind, name) => {
          if (name === file && running.child.exitCode === null) signalGroup(running, 'SIGKILL');
        });
        await running.ended.finally(() => watcher.close());
        const after = bench.repository.read('.env');
        expect(after.replace(/^RUNNER_TOKEN=.*$/m, 'RUNNER_TOKEN=')).toBe(before);
        expect(statSync(join(bench.repository.folder, '.env')).mode & 0o777).toBe(0o600);
        const lock = join(bench.repository.folder, '.env.lock');
        if (existsSync(lock)) {
          expect(await bench.fail('register')).toContain('rmdir .env.lock');
          rmdirSync(lock);
        }
        expect(await bench.succeed('register')).toContain('Next: make up');
        const { RUNNER_TOKEN } = bench.repository.environment();
        expect([...bench.gitlab.runners.values()].map(({ token }) => token)).toContain(RUNNER_TOKEN);
      },
    );

    it('the disk is full: .env stays as it was, and no runner is left behind in GitLab', async () => {
      authorise();
      const folder = mkdtempSync(join(tmpdir(), 'full-'));
      const shell = (script: string) => run(['sh', '-c', script, folder], bench.repository.at());
      await output(['mount', '-t', 'tmpfs', '-o', 'size=1m', 'full', folder], bench.repository.at());
      try {
        await shell('cp -a . "$0/" && head -c 2000000 /dev/zero >"$0/filler"');
        const before = await shell('cat "$0/.env"');
        const { code, output: text } = await run(['make', 'register'], {
          ...bench.repository.at(),
          cwd: folder,
        });
        expect(code, text).not.toBe(0);
        expect((await shell('cat "$0/.env"')).stdout).toBe(before.stdout);
        expect(bench.gitlab.runners.size).toBe(0);
      } finally {
        await output(['umount', folder], bench.repository.at());
        rmSync(folder, { recursive: true });
      }
    });

    it('two at once: one registers, the other says who is at work, and there is one runner', async () => {
      authorise();
      const held = bench.gitlab.holdNext({ method: 'POST', path: /\/user\/runners$/ });
      const first = bench.repository.startMake('register');
      await held.arrived;
      expect(await bench.fail('register')).toContain('Another script may work here');
      held.release();
      expect((await first.ended).code).toBe(0);
      expect(bench.gitlab.runners.size).toBe(1);
    });

    it('GitLab is away while the runner runs: status says so, and jobs go on once it is back', async () => {
      authorise();
      await bench.succeed('register');
      await bench.succeed('up');
      await bench.startJob(1, 'success');
      await bench.withoutGitLab(async () => {
        const { code, output: status } = await bench.repository.make('status');
        expect([code, status]).toEqual([
          expect.any(Number),
          expect.stringMatching(/^FAILED +GitLab +.*cannot be reached/m),
        ]);
        expect(code).not.toBe(0);
      });
      await bench.startJob(1, 'success');
    });

    it('make down is left by Ctrl-C while a job runs: doctor says so, and make up waits for the job and starts it', async () => {
      authorise();
      await bench.succeed('register');
      await bench.succeed('up');
      const job = await bench.startJob(20);
      const down = bench.repository.startMake('down');
      const isTold = async () => (await bench.repository.make('doctor ARGS=container')).output;
      await eventually(
        async () => expect(await isTold()).toMatch(/^warning +container +it ends with its/m),
        30,
      );
      signalGroup(down, 'SIGINT');
      await down.ended;
      expect(await bench.succeed('up')).toContain('It was told to end with its last job');
      expect(job.state).toBe('success');
      await bench.startJob(1, 'success');
    });

    it('a new token waits for make up: doctor says that the container has another one', async () => {
      authorise();
      await bench.succeed('register');
      await bench.succeed('up');
      const container = () => bench.repository.make('doctor ARGS=container');
      expect((await container()).output).not.toContain('was started in');
      await bench.succeed('register ARGS=--rotate', { YES: '1' });
      const other = `it was started in ${bench.repository.folder} with another docker-compose.yml or .env.`;
      expect((await container()).output).toMatch(new RegExp(`^warning +container +${other}`, 'm'));
      await bench.succeed('up');
      expect((await container()).output).not.toContain('was started in');
    });

    it('the runner is killed: it is started again by itself, and takes the next job', async () => {
      authorise();
      await bench.succeed('register');
      await bench.succeed('up');
      const id = await bench.repository.container();
      const script =
        'for p in /proc/[0-9]*; do tr "\\0" " " <$p/cmdline | grep -q "[g]itlab-runner.ts run" && kill -9 ${p#/proc/}; done';
      await run(['docker', 'exec', id, 'sh', '-c', script], bench.repository.at());
      const count = () => bench.repository.docker('inspect', '--format', '{{.RestartCount}}', id);
      await eventually(async () => expect((await count()).trim()).toBe('1'));
      await bench.startJob(1, 'success');
    });
  },
);

/** In a container, since no other test could go on meanwhile. */
describe.skipIf(!needs(modern !== undefined, 'a Docker Engine (E2E_ENGINES)'))(
  'where the engine is restarted',
  () => {
    let bench: Bench;
    let inner: InnerEngine;
    const make = (words: string) => bench.repository.make(words, inner.env);
    const restart = async () => {
      await bench.repository.docker('restart', '--time', '20', inner.name);
      await inner.find();
    };
    /** A job that comes while the engine's network is made anew may be lost on the way, as to any runner: a later one tells. */
    const takesJobs = () =>
      eventually(async () => {
        const job = bench.gitlab.jobs.get(bench.gitlab.queueJob({ seconds: 1 }))!;
        await eventually(() => expect(job.state).toBe('success'), 25);
      }, 80);

    beforeAll(async () => {
      bench = await Bench.open(modern!, ['--clean-up', 'none'], { name: 'restart-' });
      const { folder } = bench.repository;
      inner = await InnerEngine.start(bench.repository, ['gitlab/gitlab-runner:alpine'], {
        // It stands for the engine of this host, and so has its name.
        container: ['--volume', `${folder}:${folder}`, '--hostname', hostname()],
      });
      bench.repository.writeEnv({ RUNNER_TOKEN: bench.gitlab.addRunner({ tagList: ['docker'] }).token });
    });
    afterAll(async () => {
      await inner?.remove();
      await bench?.close();
    });

    it('make up is at work: it says so or has ended well, and the next one does', async () => {
      const before = bench.repository.read('.env');
      const running = bench.repository.startMake('up', inner.env);
      await running.shows(/^Starting /m);
      await restart();
      const { code, output: text } = await running.ended;
      expect(text).toMatch(code === 0 ? /^Started\./m : /^\S.*\n {2}\S/m);
      const again = await make('up');
      expect(again.code, again.output).toBe(0);
      expect(bench.repository.read('.env')).toBe(before);
      await takesJobs();
    }, 240_000);

    it('a job runs: the runner comes back by itself, and takes the next one', async () => {
      const job = bench.gitlab.jobs.get(bench.gitlab.queueJob({ seconds: 600 }))!;
      await eventually(() => expect(job.state).toBe('running'), 60);
      await restart();
      await takesJobs();
      const its = `label=com.gitlab.gitlab-runner.job.id=${job.id}`;
      expect(await inner.docker('ps', '--quiet', '--filter', its)).toBe('');
      const status = async () => (await make('status')).output;
      await eventually(async () => expect(await status()).toMatch(/running since .*; jobs: 0$/m), 60);
    }, 240_000);
  },
);
