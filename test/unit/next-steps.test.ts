import { describe, expect, it } from 'vitest';
import { changeSteps, engineWarning, nextSteps } from '../../generators/app/next-steps.ts';
import { type BuilderName, builders, type TypedAnswers } from '../../generators/app/questions.ts';
import { otherAnswers, scenarios } from '../support/answers.ts';
import { planWith } from '../support/rendered.ts';

describe('nextSteps', () => {
  it('leads to a running runner', () => {
    expect(nextSteps('')).toEqual(['make doctor', 'make register', 'make up']);
  });

  it('does not lead a registered runner to registering again', () => {
    expect(nextSteps('runner', true)).toEqual(['cd runner', 'make doctor']);
  });

  it.each([
    ['my-runner', 'cd my-runner'],
    ['../my runner', `cd '../my runner'`],
    ["it's", String.raw`cd 'it'\''s'`],
    ['-x', 'cd ./-x'],
  ])('begins where the repository is: %s', (directory, command) => {
    expect(nextSteps(directory)[0]).toBe(command);
  });
});

describe('changeSteps', () => {
  const steps = (before: TypedAnswers, after: TypedAnswers, exists = true) =>
    changeSteps(planWith(before), planWith(after), () => exists);
  const commands = (before: TypedAnswers, after: TypedAnswers) =>
    steps(before, { ...before, ...after }).map(step => step.split('   ')[0]?.trimEnd());
  const [up, apply] = ['make up', 'make apply'];
  const inGitLab = 'Name and tags of a registered runner: change them in GitLab, Settings > CI/CD > Runners.';
  const oneEngine = { builder: 'dind', dindCache: 'volume' };

  it('are none where nothing changed', () => {
    for (const typed of Object.values(scenarios)) expect(steps(typed, typed)).toEqual([]);
  });

  it.each<[string, TypedAnswers, TypedAnswers, string[]]>([
    ['the registry of the pipeline', {}, { registry: 'registry.example.com' }, []],
    ['the tags', {}, { tags: 'linux' }, [inGitLab]],
    ['whether untagged jobs run', {}, { runUntagged: 'yes' }, [inGitLab]],
    ['the description', {}, { description: 'Ours' }, [inGitLab]],
    ['the number of jobs', {}, { concurrent: '9' }, [apply]],
    ['the image of the jobs', {}, { dockerImage: 'docker:cli' }, [apply]],
    ['the image of the runner', {}, { runnerImage: 'gitlab/gitlab-runner:alpine-v19.3.0' }, [up]],
    ['GitLab', {}, { gitlabUrl: 'https://git.example.com' }, ['make register ARGS=--force']],
    ['the pull policy', {}, { pullPolicy: 'always' }, [apply]],
    ['the platforms', { dockerImage: 'docker:cli' }, { platforms: 'linux/arm64' }, []],
    ['a mirror that only the host needs to know', {}, { mirror: 'yes' }, [up]],
    ['a mirror that jobs need to know', { builder: 'buildah' }, { mirror: 'yes' }, [up, apply]],
    ['no cache', {}, { cache: 'none' }, [apply]],
    ['the watch over the runner', {}, { monitoring: 'yes' }, [up, apply]],
    [
      'no clean-up any more',
      {},
      { cleanUp: 'none' },
      [up, 'docker compose up -d --remove-orphans', 'git rm scripts/clean-up.sh'],
    ],
    [
      "no cache on an S3 server any more, whose entries in config.toml could be anybody's",
      { cache: 's3', cacheServer: 'https://s3.example.com' },
      { cache: 'local' },
      [apply, 'sudoedit config/config.toml', 'git rm scripts/cache.ts'],
    ],
    [
      'a cache on an S3 server elsewhere',
      {},
      { cache: 's3', cacheServer: 'https://s3.example.com' },
      [apply],
    ],
    ['one here, which starts with keys that are made up before', {}, { cache: 's3' }, [apply, up]],
    ['a private authority', {}, { privateCa: 'yes' }, [apply]],
    ['the HTTP proxy', {}, { httpProxy: 'http://proxy:3128' }, [up, apply]],
    ['extra hosts', {}, { extraHosts: 'a:10.0.0.5' }, [up, apply]],
    ["the engine of each job's own", { builder: 'dind' }, { dindImage: 'docker:28-dind' }, [apply]],
    ['the one engine of all jobs', oneEngine, { dindImage: 'docker:28-dind' }, [up]],
    ["the size of that engine's cache", oneEngine, { cacheSize: '9' }, ['docker compose restart docker']],
    [
      "the size of BuildKit's cache",
      { builder: 'buildkit' },
      { cacheSize: '9' },
      ['docker compose restart buildkit'],
    ],
    [
      'a registry without TLS, for that engine',
      oneEngine,
      { insecureRegistry: 'r.local:5000' },
      ['docker compose restart docker'],
    ],
    ['a registry without TLS, for the host', {}, { insecureRegistry: 'r.local:5000' }, []],
  ])(
    'say what brings a changed answer to a runner that is registered already: %s',
    (_, before, after, expected) => {
      expect(commands(before, after)).toEqual(expected);
    },
  );

  it('start what jobs build with before config.toml sends them there', () => {
    expect(commands({}, { builder: 'buildkit' })).toEqual([up, apply, 'git rm scripts/socket.ts']);
  });

  it('take away what jobs built with before, once no job is sent there any more', () => {
    const orphans = 'docker compose up -d --remove-orphans';
    expect(commands({ builder: 'buildkit' }, { builder: 'socket' })).toEqual([
      up,
      apply,
      orphans,
      expect.stringMatching(/^git rm buildkit\//),
    ]);
    expect(commands({ builder: 'buildah' }, { builder: 'socket' })).not.toContain(orphans);
    expect(commands(oneEngine, { cacheSize: '9' })).not.toContain(orphans);
  });

  it.each(Object.keys(builders) as BuilderName[])('name the files that %s leaves behind', builder => {
    const other = builder === 'socket' ? 'buildah' : 'socket';
    const left = steps({ builder }, { builder: other }).at(-1);
    expect(left).toContain('git rm ');
    expect(left).toContain(` scripts/${builder}.ts `);
    expect(steps({ builder }, { builder: other }, false).join('\n')).not.toContain('git rm');
  });

  it('hold every kind of change at once', () => {
    expect(steps({}, otherAnswers)).toMatchInlineSnapshot(`
      [
        "make up      # containers that changed start anew, once running jobs have ended",
        "make apply   # config.toml follows, without registering anew; running jobs go on",
        "Name and tags of a registered runner: change them in GitLab, Settings > CI/CD > Runners.",
        "Which branches a registered runner serves: tick "Protected" in GitLab, Settings > CI/CD > Runners.",
        "make register ARGS=--force   # after GITLAB_URL in .env is changed: another GitLab needs a runner of its own",
        "git rm scripts/socket.ts   # not used any more",
      ]
    `);
  });
});

describe('engineWarning', () => {
  const engine = (minApiVersion: string) => ({ version: '29.1.0', apiVersion: '1.52', minApiVersion });

  it('says what is refused and what to do', () => {
    const warning = engineWarning(engine('1.44'), { builder: 'socket', dockerImage: 'docker:stable' });
    for (const fact of [
      '29.1.0',
      '1.44',
      'docker:stable',
      '1.40',
      '--docker-image docker:cli',
      'make doctor',
    ]) {
      expect(warning).toContain(fact);
    }
  });

  it('says the same of the proxy in front of the engine', () => {
    const answers = { builder: 'socket-proxy', dockerImage: 'docker:stable' } as const;
    expect(engineWarning(engine('1.44'), answers)).toContain('docker:stable speaks 1.40 and will be refused');
  });

  it.each(['dind', 'buildkit', 'buildah'] as const)(
    'says nothing with %s, for jobs do not talk to this engine',
    builder => {
      expect(engineWarning(engine('1.44'), { builder, dockerImage: 'docker:stable' })).toBeUndefined();
    },
  );

  it('says nothing about an image that the engine takes', () => {
    expect(
      engineWarning(engine('1.40'), { builder: 'socket', dockerImage: 'docker:stable' }),
    ).toBeUndefined();
    expect(engineWarning(engine('1.44'), { builder: 'socket', dockerImage: 'docker:cli' })).toBeUndefined();
  });
});
