import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { GitLabServer, type RunnerRecord } from '../support/gitlab-server.ts';
import { needs } from '../support/needs.ts';
import { type Engine, type EngineName, engine } from './support/engines.ts';
import { InnerEngine } from './support/inner-engine.ts';
import { eventually, output, run } from './support/program.ts';
import { Repository } from './support/repository.ts';

/** Versions of the stand-in runner between which `make upgrade` changes. */
const versions = { before: 'alpine-v19.2.0', after: 'alpine' };

describe.each<EngineName>(['modern', 'old'])('the runner on the %s engine', name => {
  const found = engine(name);

  describe.skipIf(!needs(found !== undefined, 'a Docker Engine (E2E_ENGINES)'))('day by day', () => {
    // Read in a test that is skipped too, where there is no engine.
    const { registry, user, password, hostAddress } = found ?? ({} as Engine);
    const image = `${registry}/gitlab/gitlab-runner:alpine`;
    let gitlab: GitLabServer;
    let repository: Repository;
    let known: RunnerRecord;

    /** Makes a version of the runner the one that its image name stands for in the registry. */
    const publish = async (version: string) => {
      await repository.docker('tag', `gitlab/gitlab-runner:${version}`, image);
      await repository.docker('push', image);
    };

    const containerId = async () => {
      const id = await repository.docker(
        'ps',
        '-q',
        '--filter',
        `label=com.docker.compose.project.working_dir=${repository.folder}`,
        '--filter',
        'label=com.docker.compose.service=runner',
      );
      return id.trim();
    };

    /** Gives the runner a job of some seconds, and waits until it runs. */
    const startJob = async (seconds: number) => {
      const id = gitlab.queueJob({ seconds });
      await eventually(() => expect(gitlab.jobs.get(id)?.state).toBe('running'));
      return () => gitlab.jobs.get(id)?.state;
    };

    beforeAll(async () => {
      gitlab = await GitLabServer.start({ host: '0.0.0.0' });
      const url = gitlab.url.replace('127.0.0.1', hostAddress);
      repository = await Repository.scaffold(found!, ['--gitlab-url', url, '--runner-image', image]);
      await output(['docker', 'login', '--username', user, '--password-stdin', registry], {
        ...repository.at(),
        input: password,
      });
      await publish(versions.before);
      known = gitlab.addRunner({ tagList: ['docker'] });
      repository.writeEnv({ RUNNER_TOKEN: known.token });
    });

    afterAll(async () => {
      await repository?.dispose();
      await gitlab?.stop();
    });

    it('does not start before it is registered, and says so', async () => {
      const { code, output } = await repository.make('up');
      expect([code === 0, output]).toEqual([
        false,
        expect.stringContaining('No runner is registered yet. Run: make register'),
      ]);
    });

    it('is registered, started, and known to GitLab', async () => {
      const registered = await repository.make('register');
      expect([registered.code, registered.output]).toEqual([0, expect.stringContaining('Registered')]);
      const started = await repository.make('up');
      expect([started.code, started.output]).toEqual([
        0,
        expect.not.stringMatching(/warn|obsolete|deprecated/i),
      ]);
      const runs = await startJob(1);
      await eventually(() => expect(runs()).toBe('success'));
      const status = await repository.make('status');
      expect(status.code).toBe(0);
      expect(status.output).toMatch(/^version +19\.2\.0$/m);
      expect(status.output).toMatch(/^ {2}token +accepted, 0 days old, does not expire$/m);
      expect((await repository.make('verify')).code).toBe(0);
    });

    it('has a health check that fails where no runner is registered or GitLab does not know it', async () => {
      const id = await containerId();
      const inspected = await repository.docker(
        'inspect',
        '--format',
        '{{json .Config.Healthcheck.Test}}',
        id,
      );
      const [kind, command] = JSON.parse(inspected) as [string, string];
      expect(kind).toBe('CMD-SHELL');
      const health = async () =>
        (await run(['docker', 'exec', id, 'sh', '-c', command], repository.at())).code;
      expect(await health()).toBe(0);
      gitlab.runners.delete(known.id);
      expect(await health()).not.toBe(0);
      gitlab.runners.set(known.id, known);
      const config = repository.read('config/config.toml');
      repository.write('config/config.toml', 'concurrent = 1\n');
      expect(await health()).not.toBe(0);
      repository.write('config/config.toml', config);
    });

    it('keeps its log small, and holds no token in its environment', async () => {
      const inspected = await repository.docker('inspect', await containerId());
      const [{ HostConfig, Config, Mounts }] = JSON.parse(inspected);
      expect(HostConfig.LogConfig).toEqual({
        Type: 'json-file',
        Config: { 'max-size': '10m', 'max-file': '3' },
      });
      expect(HostConfig.RestartPolicy.Name).toBe('always');
      expect(HostConfig.Privileged).toBe(false);
      expect(Config.StopTimeout).toBe(3600);
      expect(Config.Env.join('\n')).not.toMatch(/TOKEN|glrt-/);
      const mounts = Mounts.map(({ Source, Destination }: Record<string, string>) => [Source, Destination]);
      expect(mounts).toContainEqual([join(repository.folder, 'config'), '/etc/gitlab-runner']);
      expect(mounts).toContainEqual(['/var/run/docker.sock', '/var/run/docker.sock']);
    });

    it('is upgraded after its running job has ended, and says from which version to which', async () => {
      await publish(versions.after);
      const runs = await startJob(5);
      const { code, output } = await repository.make('upgrade');
      expect([code, output]).toEqual([0, expect.stringMatching(/from: 19\.2\.0[\s\S]*to: +19\.3\.0/)]);
      expect(runs()).toBe('success');
      const version = await repository.docker('exec', await containerId(), 'gitlab-runner', '--version');
      expect(version).toContain('19.3.0');
    });

    it.each(['restart', 'down'])('lets its running job end at make %s', async target => {
      await repository.make('up');
      // Longer than the 10 seconds after which Docker kills what was not told to wait.
      const runs = await startJob(12);
      const { code } = await repository.make(target);
      expect([code, runs()]).toEqual([0, 'success']);
    });

    it('stays registered where unregistering is not confirmed, by the user or by GitLab', async () => {
      const config = repository.read('config/config.toml');
      const asked = await run(['make', 'unregister'], { ...repository.at(), input: 'n\n' });
      expect([asked.code === 0, asked.output]).toEqual([
        false,
        expect.stringContaining('Nothing was changed.'),
      ]);
      gitlab.failNext({ method: 'DELETE', path: /runners\/managers$/ }, 500);
      const refused = await repository.make('unregister YES=1');
      expect([refused.code === 0, refused.output]).toEqual([
        false,
        expect.stringContaining('GitLab did not confirm'),
      ]);
      expect(repository.read('config/config.toml')).toBe(config);
    });

    it('is unregistered: GitLab is told, and the user that the runner stays listed there', async () => {
      const { code, output } = await run(['make', 'unregister'], { ...repository.at(), input: 'y\n' });
      expect([code, output]).toEqual([
        0,
        expect.stringMatching(/Unregistered\. .*stays listed there until\nyou delete it/),
      ]);
      expect(repository.config().runners).toBeUndefined();
      expect(known.managers.size).toBe(0);
      expect(gitlab.runners.has(known.id)).toBe(true);
    });

    it('has files that its own compose takes without a complaint', async () => {
      const { code, output } = await repository.make('validate');
      expect([code, output]).toEqual([0, expect.not.stringMatching(/warn|obsolete|unsupported/i)]);
    });

    it('shows its log', async () => {
      await repository.make('register');
      await repository.make('up');
      const logs = repository.startMake('logs');
      await logs.shows(/Starting multi-runner/);
      process.kill(-logs.child.pid!, 'SIGINT');
      await logs.ended;
      rmSync(join(repository.folder, '.env'));
    });
  });
});

const modern = engine('modern');

describe.skipIf(!needs(modern !== undefined, 'a Docker Engine (E2E_ENGINES)'))(
  'make prune where there is no clean-up',
  () => {
    let repository: Repository;
    let inner: InnerEngine;

    // On an engine of its own, in a container: what it removes there, nobody misses.
    beforeAll(async () => {
      repository = await Repository.scaffold(modern!, ['--clean-up', 'none']);
      inner = await InnerEngine.start(repository, ['alpine']);
    });

    afterAll(async () => {
      await inner?.remove();
      await repository?.dispose();
    });

    beforeEach(() => new Promise(resolve => setTimeout(resolve, 1100)));

    const inside = (...words: string[]) => inner.docker(...words);
    const names = async (...words: string[]) => (await inside(...words)).trim().split('\n').sort();

    it('removes what is unused and old, says how much that freed, and leaves all else alone', async () => {
      const managed = ['--label', 'com.gitlab.gitlab-runner.managed=true'];
      await inside('run', '--name', 'ended-job', ...managed, 'alpine', 'true');
      await inside('run', '--detach', '--name', 'running-job', ...managed, 'alpine', 'sleep', '300');
      await inside('run', '--name', 'of-the-user', 'alpine', 'true');
      await inside('volume', 'create', 'cache-of-jobs');
      const build = ['docker', 'build', '--tag', 'unused', '-'];
      await output(build, {
        ...repository.at(inner.env),
        input: 'FROM alpine\nRUN head -c 3000000 /dev/urandom > /file\n',
      });
      await new Promise(resolve => setTimeout(resolve, 2100));

      const young = await repository.make('prune', inner.env);
      expect(young.code).toBe(0);
      expect(await names('ps', '-a', '--format', '{{.Names}}')).toContain('ended-job');
      expect(await names('images', '--format', '{{.Repository}}')).toContain('unused');

      const { code, output: said } = await repository.make('prune AGE=1s', inner.env);
      expect(code).toBe(0);
      // The image's layers are the build cache's too, and freed with that.
      expect(said).toMatch(/untagged: unused:latest[\s\S]*Build cache not used for 1s:[\s\S]*Total:\s+3MB/);
      expect(await names('ps', '-a', '--format', '{{.Names}}')).toEqual(['of-the-user', 'running-job']);
      expect(await names('images', '--format', '{{.Repository}}')).toEqual(['alpine']);
      expect(await names('volume', 'ls', '--format', '{{.Name}}')).toEqual(['cache-of-jobs']);
    });
  },
);
