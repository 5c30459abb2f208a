import { describe, expect, it, vi } from 'vitest';
import { builder as buildah } from '../../../templates/scripts/buildah.ts';
import { builder as buildkit } from '../../../templates/scripts/buildkit.ts';
import { builder as dind } from '../../../templates/scripts/dind.ts';
import type { Result, Run } from '../../../templates/scripts/host.ts';
import { type Builder, elsewhere, readPipeline } from '../../../templates/scripts/jobs.ts';
import { composeConfig } from './compose.ts';

async function jobsOf(text: string) {
  const run: Run = async (command, options) => composeConfig(command, options);
  return (await readPipeline(run, text, '.gitlab-ci.yml')).jobs;
}

/** The findings of a builder's rules on the first job of a pipeline. */
async function rules(builder: Builder, text: string): Promise<string[]> {
  const [job] = await jobsOf(text);
  return builder.rules(job!).map(([verdict, detail]) => `${verdict}: ${detail}`);
}

/** What a builder makes of what its probe printed, and the commands that it ran. */
async function judge(
  builder: Builder,
  printed: Record<string, string>,
  text = '',
  answers: Partial<Result>[] = [],
) {
  const run = vi.fn(async (_words: readonly string[]) => ({
    status: 0,
    stdout: '',
    stderr: '',
    ...answers.shift(),
  }));
  const jobs = text === '' ? [] : await jobsOf(text);
  const found = await builder.judge({ seen: key => printed[key] ?? '', image: 'docker:cli', jobs, run });
  return {
    found: found.map(([verdict, detail]) => `${verdict}: ${detail}`),
    commands: run.mock.calls.map(([words]) => words.join(' ')),
  };
}

const job = (rest: string) => `build:\n  script:\n    - docker build .\n${rest}`;

describe('jobs with an engine in a container', () => {
  const variables = '  variables:\n    DOCKER_HOST: tcp://docker:2376\n';

  it('are fine with the variables of the engine, in whatever place and quotes', async () => {
    expect(await rules(dind, job(variables))).toEqual([]);
    expect(await rules(dind, `variables:\n  DOCKER_HOST: "tcp://docker:2376"\n${job('')}`)).toEqual([]);
    expect(await rules(dind, job('  variables:\n    DOCKER_HOST: ssh://far\n'))).toEqual([]);
    expect(await rules(dind, 'test:\n  script: npm test\n')).toEqual([]);
  });

  it('fail without DOCKER_HOST, unless it may come from what was not read, or from the script', async () => {
    expect(await rules(dind, job(''))).toEqual([expect.stringMatching(/^failed: .*no DOCKER_HOST/)]);
    expect(await rules(dind, job('  variables: !reference [.x, variables]\n'))).toEqual([]);
    expect(await rules(dind, `include: x.yml\n${job('')}`)).toEqual([]);
    expect(
      await rules(
        dind,
        'build:\n  script:\n    - export DOCKER_HOST=tcp://docker:2376\n    - docker build .\n',
      ),
    ).toEqual([]);
  });

  it('are warned of an engine without TLS, and fail with one of before cgroup v2', async () => {
    expect(await rules(dind, job(variables.replace('2376', '2375')))).toEqual([
      expect.stringMatching(/^warning: .*without TLS/),
    ]);
    const old = await rules(dind, job(`${variables}  services:\n    - docker:19.03-dind\n`));
    expect(old).toEqual([expect.stringMatching(/^failed: its service docker:19.03-dind/)]);
    expect(await rules(dind, job(`${variables}  services:\n    - docker:29-dind\n`))).toEqual([]);
  });

  it('find the variables in the container that doctor starts', () => {
    expect(dind.options?.join(' ')).toContain(
      '--env DOCKER_HOST=tcp://docker:2376 --env DOCKER_TLS_CERTDIR=/certs',
    );
  });

  it('are asked for their client where one engine is there for all', async () => {
    expect((await judge(dind, { client: '1.47' })).found).toEqual([
      'ok: a job in docker:cli speaks API 1.47 with the engine',
    ]);
    expect((await judge(dind, { refusal: 'Cannot connect' })).found).toEqual([
      expect.stringMatching(/^failed: a job in docker:cli reaches no engine: Cannot connect/),
    ]);
  });

  const own = job(`${variables}  services:\n    - docker:29-dind\n`);
  it('are tried with the first service that is an engine, whichever job has it', async () => {
    const { found } = await judge(dind, {}, `test:\n  script: npm test\n${own}`, [{}, { stdout: 'v29\n' }]);
    expect(found).toEqual(['ok: docker:29-dind may run privileged; v29']);
  });

  it.each([
    [
      [{}, { stdout: 'Docker version 29.1\n' }],
      'ok: docker:29-dind may run privileged; Docker version 29.1',
      2,
    ],
    [[{ status: 1 }, {}], 'unknown: docker:29-dind is not on this host yet.', 2],
    [[{}, { status: 124 }], 'unknown: docker:29-dind did not answer in time.', 2],
    [
      [{}, { status: 1, stderr: 'mount: permission denied' }],
      'failed: docker:29-dind does not start: mount: permission denied',
      2,
    ],
  ])(
    'are tried with the service of the pipeline where each has its own: %j',
    async (answers, text, calls) => {
      const { found, commands } = await judge(dind, { refusal: 'Cannot connect' }, own, [...answers]);
      expect(found).toEqual([text]);
      expect(commands).toHaveLength(calls);
      if (!text.includes('not on this host'))
        expect(commands[1]).toContain('docker run --rm --privileged --entrypoint sh docker:29-dind');
    },
  );
});

describe('jobs with BuildKit', () => {
  const create = 'docker buildx create --driver remote tcp://buildkit:1234';

  it('are warned of commands that need an engine, and of builds that do not name BuildKit', async () => {
    expect(
      await rules(buildkit, `build:\n  script:\n    - ${create}\n    - docker buildx build --push .\n`),
    ).toEqual([]);
    expect(await rules(buildkit, 'build:\n  script:\n    - docker run alpine\n')).toEqual([
      expect.stringMatching(/^warning: it has "docker run"/),
    ]);
    expect(await rules(buildkit, job(''))).toEqual([
      expect.stringMatching(/^warning: it builds, but does not name BuildKit/),
    ]);
    expect(await rules(buildkit, 'build:\n  script:\n    - docker container run alpine\n')).toEqual([
      expect.stringMatching(/^warning: it has "docker run"/),
    ]);
    expect(await rules(buildkit, 'a:\n  script: DOCKER_HOST=ssh://far docker run x\n')).toEqual([]);
    expect(
      await rules(buildkit, 'a:\n  variables:\n    DOCKER_HOST: ssh://far\n  script: docker run x\n'),
    ).toEqual([]);
  });

  it.each([
    [{ buildx: 'github.com/docker/buildx v0.30', builder: 'Status: running' }, /^ok: BuildKit answers/],
    [{ buildx: "docker: 'buildx' is not a docker command." }, /^failed: there is no "docker buildx"/],
    [
      { buildx: 'github.com/docker/buildx v0.30', missing: '/certs/client/key.pem' },
      /^failed: .*certificate at \/certs/,
    ],
    [
      { buildx: 'github.com/docker/buildx v0.30', builder: 'Error: failed to find driver running' },
      /^failed: .*Error: failed/,
    ],
    [{ buildx: 'github.com/docker/buildx v0.30' }, /^failed: BuildKit does not answer a job\.$/],
  ])('are judged by what the probe printed: %j', async (printed, text) => {
    expect((await judge(buildkit, printed as Record<string, string>)).found).toEqual([
      expect.stringMatching(text),
    ]);
  });
});

describe('jobs with Buildah', () => {
  it('are warned of docker, unless they have an engine of their own', async () => {
    expect(await rules(buildah, 'build:\n  script:\n    - buildah build .\n    - buildah push x\n')).toEqual(
      [],
    );
    expect(await rules(buildah, job(''))).toEqual([expect.stringMatching(/^warning: it has "docker build"/)]);
    expect(await rules(buildah, job('  variables:\n    DOCKER_HOST: ssh://far\n'))).toEqual([]);
    const script = 'build:\n  script:\n    - export DOCKER_HOST=ssh://far\n    - docker build .\n';
    expect(await rules(buildah, script)).toEqual([]);
  });

  it.each([
    [{ buildah: 'buildah version 1.41' }, /^ok: buildah version 1.41/],
    [{ buildah: 'sh: buildah: not found' }, /^failed: there is no buildah/],
    [
      { buildah: 'buildah version 1', storage: 'CLONE_NEWUSER: operation not permitted' },
      /^failed: a job may not make a user/,
    ],
    [
      { buildah: 'buildah version 1', storage: 'CLONE_NEWUSER: no space left' },
      /^failed: this host lets nobody/,
    ],
    [
      { buildah: 'buildah version 1', storage: 'overlay is not supported' },
      /^failed: .*\(overlay is not supported\)/,
    ],
  ])('are judged by what the probe printed: %j', async (printed, text) => {
    expect((await judge(buildah, printed as Record<string, string>)).found).toEqual([
      expect.stringMatching(text),
    ]);
  });
});

it('takes no value of a pipeline for certain that was not read', async () => {
  const [read] = await jobsOf('a:\n  extends: .b\n  script: x\n');
  expect([read!.host, read!.services, read!.isRead]).toEqual([elsewhere, JSON.stringify(elsewhere), false]);
});
