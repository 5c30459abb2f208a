import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { needs } from '../support/needs.ts';
import { Bench } from './support/bench.ts';
import { engine } from './support/engines.ts';
import { canRunPipelines, ownRegistry, Project } from './support/pipeline.ts';
import { eventually } from './support/program.ts';

const podman = engine('podman');
const able =
  needs(podman !== undefined, 'Podman (E2E_ENGINES)') &&
  needs(await canRunPipelines(), 'rsync, and gitlab-ci-local in test/tools');

// The runner's days there are in lifecycle.test.ts, its upgrades in upgrade.test.ts.
describe.skipIf(!able)("on Podman's socket where Docker's is", () => {
  let bench: Bench;
  beforeAll(async () => {
    bench = await Bench.open(podman!, [], { name: 'podman-' });
    bench.repository.writeEnv({ RUNNER_TOKEN: bench.gitlab.addRunner({ tagList: ['docker'] }).token });
  });
  afterAll(() => bench?.close());

  it('registers, by Node.js of the host or in a container, whose image Podman builds', async () => {
    expect(await bench.succeed('register')).toContain('Next: make up');
    // The engine's own environment has the Node.js of this host, which is another one.
    expect(await bench.succeed('register', { PATH: podman!.env.PATH })).toContain('Next: make up');
  });

  it('has a doctor that names Podman, and finds all well', async () => {
    await bench.succeed('up');
    expect(await bench.succeed('doctor')).toMatch(/^ok +engine +Podman Engine 5\./m);
    // By itself: all of it may run out of time where the machine is busy.
    expect(await bench.succeed('doctor ARGS=job')).toMatch(
      /^ok +job +a job in docker:stable speaks API 1\.40/m,
    );
  });

  it('runs a pipeline that builds and pushes, with DOCKER_BUILDKIT "0" and no --cache-from', async () => {
    const project = await Project.create(bench.repository, ownRegistry(podman!));
    expect((await project.pipeline()).code).not.toBe(0);
    bench.repository.edit('.gitlab-ci.yml', 'DOCKER_BUILDKIT: "1"', 'DOCKER_BUILDKIT: "0"');
    for (const name of ['$CI_COMMIT_REF_SLUG', 'latest'])
      bench.repository.edit('.gitlab-ci.yml', ` --cache-from "$IMAGE:${name}"`, '');
    await project.commit();
    const { code, output } = await project.pipeline();
    expect(code, output).toBe(0);
    expect(await project.pushed()).toHaveProperty('latest');
  });

  it('lets the clean-up remove what jobs left, and nothing else', async () => {
    await bench.repository.docker(
      'run',
      '--name',
      'left-by-a-job',
      '--label',
      'com.gitlab.gitlab-runner.managed=true',
      'busybox',
      'true',
    );
    await bench.repository.docker('run', '--name', 'of-the-owner', 'busybox', 'true');
    const words = ['compose', 'run', '--rm', '--env', 'KEEP_DAYS=0', 'clean-up', 'now'];
    // What others on this engine remove at the same time ends a prune half-way: the next one does the rest.
    await eventually(async () => {
      const log = await bench.repository.docker(...words);
      // It has no build cache of BuildKit's.
      expect(log.match(/: left: .*/g)).toEqual([expect.stringContaining('buildx_buildkit_default')]);
    }, 120);
    const names = await bench.repository.docker('ps', '--all', '--format', '{{.Names}}');
    expect(names).toContain('of-the-owner');
    expect(names).not.toContain('left-by-a-job');
    await bench.repository.docker('rm', 'of-the-owner');
  });
});
