import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { needs } from '../support/needs.ts';
import { Bench } from './support/bench.ts';
import { type EngineName, engine } from './support/engines.ts';
import { derive } from './support/global-setup.ts';
import { eventually, output, sequential, signalGroup } from './support/program.ts';

describe.concurrent.each<EngineName>(['modern', 'old', 'podman'])('make upgrade on the %s engine', name => {
  const found = engine(name);

  describe.skipIf(!needs(found !== undefined, 'a Docker Engine (E2E_ENGINES)'))(
    'of a runner that runs',
    sequential,
    () => {
      const image = `${found?.registry}/gitlab/gitlab-runner:upgraded`;
      let bench: Bench;
      const publish = async (from: string) => {
        await bench.repository.docker('tag', from, image);
        await bench.repository.docker('push', image);
        // What was pulled before is what the host has.
      };
      const version = async () =>
        bench.repository.docker('exec', await bench.repository.container(), 'gitlab-runner', '--version');

      beforeAll(async () => {
        bench = await Bench.open(found!, ['--runner-image', image, '--clean-up', 'none'], {
          name: 'upgrade-',
        });
        const login = ['docker', 'login', '--username', found!.user, '--password-stdin', found!.registry];
        await output(login, { ...bench.repository.at(), input: found!.password });
        await publish('gitlab/gitlab-runner:alpine-v19.2.0');
        bench.repository.writeEnv({ RUNNER_TOKEN: bench.gitlab.addRunner().token });
        await bench.succeed('up');
      });
      afterAll(() => bench?.close());

      it('goes back by itself where the new version does not start, and says so', async () => {
        await derive(found!, 'broken-runner', 'FROM gitlab/gitlab-runner:alpine\nENTRYPOINT ["false"]\n');
        await publish('broken-runner');
        expect(await bench.fail('upgrade')).toMatch(/19\.2\.0|before/);
        expect(await version()).toContain('19.2.0');
        await bench.startJob(1, 'success');
      });

      it('waits for the running job, and then runs the new version', async () => {
        await publish('gitlab/gitlab-runner:alpine');
        const job = await bench.startJob(5);
        expect(await bench.succeed('upgrade')).toContain('19.3.0');
        expect(job.state).toBe('success');
        expect(await version()).toContain('19.3.0');
        expect(bench.repository.environment().RUNNER_IMAGE ?? '').toBe('');
      });

      it('comes to its end where Ctrl-C comes while the new version starts', async () => {
        await publish('gitlab/gitlab-runner:alpine-v19.2.0');
        await bench.startJob(3);
        const upgrade = bench.repository.startMake('upgrade');
        const named = () => bench.repository.environment().RUNNER_IMAGE ?? '';
        await eventually(() => expect(named()).toContain('-runner:previous'), 60, 20);
        await eventually(() => expect(named()).toBe(''), 60, 20);
        signalGroup(upgrade, 'SIGINT');
        expect((await upgrade.ended).output).toContain('Upgraded; GitLab knows each runner.');
        expect(await version()).toContain('19.2.0');
      });

      it('ends a job that takes longer than WAIT, so that GitLab hears of it', async () => {
        await publish('gitlab/gitlab-runner:alpine');
        const job = await bench.startJob(600);
        await bench.succeed('upgrade WAIT=1');
        expect(job.state).toBe('failed');
      });
    },
  );
});
