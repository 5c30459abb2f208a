import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import type { RunnerRecord } from '../support/gitlab-server.ts';
import { needs } from '../support/needs.ts';
import { Bench } from './support/bench.ts';
import { engine } from './support/engines.ts';
import { eventually, output } from './support/program.ts';

const modern = engine('modern');

/** The first has the socket of the host; the other, called deploy, builds with Buildah. */
describe.skipIf(!needs(modern !== undefined, 'a Docker Engine (E2E_ENGINES)'))(
  'two runners in one container',
  () => {
    let bench: Bench;
    const named = (description: string): RunnerRecord =>
      [...bench.gitlab.runners.values()].find(one => one.description === description)!;

    beforeAll(async () => {
      bench = await Bench.open(modern!, ['--concurrent', '1', '--clean-up', 'none']);
      const project = bench.gitlab.addProject('team/app');
      bench.gitlab.addProject('team/other');
      bench.repository.writeEnv({
        GITLAB_ACCESS_TOKEN: bench.gitlab.addAccessToken(['create_runner', 'manage_runner', 'read_api']),
        GITLAB_PROJECT_ID: String(project),
      });
      await bench.succeed('register');
      bench.repository.edit('config/config.toml', 'concurrent = 1', 'concurrent = 1 # mine');
      const added = ['--runner', 'deploy', '--builder', 'buildah', '--project', 'team/other'];
      await output([inject('command'), ...added], bench.repository.at());
    });
    afterAll(() => bench?.close());

    it('the second is added beside what the owner wrote, and registered by its name for its own project', async () => {
      expect(bench.repository.read('config/config.toml')).toContain('concurrent = 1 # mine');
      expect(bench.repository.config().runners).toMatchObject([
        { token: '${RUNNER_TOKEN}' },
        { name: 'deploy', token: '${RUNNER_TOKEN_DEPLOY}' },
      ]);
      const first = bench.repository.environment().RUNNER_TOKEN;
      await bench.succeed('register RUNNER=deploy');
      expect(bench.repository.environment()).toMatchObject({
        RUNNER_TOKEN: first,
        RUNNER_TOKEN_DEPLOY: named('deploy').token,
      });
      expect(named('deploy').tagList).toEqual(['deploy']);
      expect(named('deploy').projectId).not.toBe(named('My Docker Runner').projectId);
    });

    it('both run jobs of their own, and never more at a time than "concurrent" says', async () => {
      await bench.succeed('up');
      const [first, deploy] = [named('My Docker Runner').id, named('deploy').id];
      const ids = [first, deploy, first, deploy].map(runnerId =>
        bench.gitlab.queueJob({ runnerId, seconds: 1 }),
      );
      const states = () => ids.map(id => bench.gitlab.jobs.get(id)!.state);
      let most = 0;
      await eventually(
        () => {
          most = Math.max(most, states().filter(state => state === 'running').length);
          expect(states()).toEqual(['success', 'success', 'success', 'success']);
        },
        90,
        50,
      );
      expect(most).toBe(1);
    });

    it('unregister takes the one that is named, and without a name all', async () => {
      await bench.succeed('unregister RUNNER=deploy YES=1');
      expect([...bench.gitlab.runners.values()].map(({ description }) => description)).toEqual([
        'My Docker Runner',
      ]);
      await bench.succeed('unregister YES=1');
      expect(bench.gitlab.runners.size).toBe(0);
      expect(bench.repository.environment()).toMatchObject({ RUNNER_TOKEN: '', RUNNER_TOKEN_DEPLOY: '' });
    });
  },
);
