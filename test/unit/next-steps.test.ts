import { describe, expect, it } from 'vitest';
import type { Engine } from '../../generators/plan/engine.ts';
import {
  changeSteps,
  concurrentStep,
  engineWarning,
  nextSteps,
  stepsFrom010,
} from '../../generators/write/next-steps.ts';
import type { Scenario } from '../support/answers.ts';
import { planWith, renderAll } from '../support/rendered.ts';

const repositoryOf = (typed: Scenario = {}) => ({
  repository: planWith(typed),
  texts: new Map(Object.entries(renderAll(typed))),
});
const inCluster = { executor: 'kubernetes', builder: 'buildkit' };
const there = { directory: '', isInGit: true, isRegistered: false, isExamined: false, exists: () => false };
const steps = (typed: Scenario = {}, surroundings = {}) => {
  const { repository, texts } = repositoryOf(typed);
  return nextSteps(repository, texts, { ...there, ...surroundings });
};
const changes = (before: Scenario, after: Scenario, unused: readonly string[] = []) =>
  changeSteps(repositoryOf(before), repositoryOf(after), unused).map(step => step.replace(/ +#.*/, ''));

describe('nextSteps', () => {
  it('lead to a running runner, and do not lead a registered one to registering again', () => {
    const commands = steps().filter(step => step.startsWith('make'));
    expect(commands.map(step => step.replace(/ +#.*/, ''))).toEqual([
      'make doctor',
      'make register',
      'make up',
    ]);
    expect(steps({}, { isRegistered: true })).toEqual(['make doctor']);
    expect(steps({}, { isRegistered: true, isExamined: true })).toEqual([]);
  });

  it.each<[Scenario, string]>([
    [{}, 'https://gitlab.com/TEAM/PROJECT/-/runners/new with the tags docker'],
    [
      { gitlabUrl: 'https://git.example.com/sub', tags: 'a,b', runUntagged: 'yes', hardening: 'strict' },
      'https://git.example.com/sub/TEAM/PROJECT/-/runners/new with the tags a, b and "Run untagged jobs" and "Protected"',
    ],
    [{ tags: ',' }, '/new with "Run untagged jobs"'],
  ])("name GitLab's page for a new runner, and what to tick there: %j", (typed, text) => {
    expect(
      steps(typed)
        .join('\n')
        .replace(/\n +# /g, ' '),
    ).toContain(text);
  });

  it('begin with a repository of Git where there is none', () => {
    expect(steps({}, { isInGit: false })[0]).toBe('git init');
  });

  it.each([
    ['my-runner', 'cd my-runner'],
    ['../my runner', "cd '../my runner'"],
    ["it's", `cd 'it'\\''s'`],
    ['-x', 'cd ./-x'],
  ])('begin where the repository is: %s', (directory, command) => {
    expect(steps({}, { directory })[0]).toBe(command);
  });

  it('name the certificate to add, as long as it is not there', () => {
    expect(steps({ privateCa: 'yes' })[0]).toMatch(/ config\/certs\/ca\.crt /);
    expect(steps({ privateCa: 'yes' }, { exists: () => true })[0]).toBe('make doctor');
  });

  it('begin with the group of instances where jobs run on those, until the runner is registered', () => {
    const onInstances = { executor: 'docker-autoscaler' };
    expect(steps(onInstances)[0]).toMatch(/group of instances.*README\.md/);
    expect(steps(onInstances, { isRegistered: true })[0]).toBe('make doctor');
  });

  it('say where Grafana is and its password, and which jobs stay stuck', () => {
    expect(steps({ monitoring: 'yes' }).join('\n')).toMatch(
      /http:\/\/127\.0\.0\.1:3000: user admin, password in config\/\S*grafana\S*\.$/,
    );
    expect(steps({ hardening: 'strict' }).join('\n')).toMatch(/jobs of other branches stay stuck\.$/);
    expect(steps({ executor: 'kubernetes', builder: 'buildkit', monitoring: 'yes' }).join('\n')).not.toMatch(
      /Grafana/,
    );
  });
});

describe('changeSteps', () => {
  it.each<[string, Scenario, Scenario, string[]]>([
    ['nothing', {}, {}, []],
    ['the jobs at the same time, which the runner reads by itself', {}, { concurrent: '9' }, []],
    [
      'the same for an older GitLab Runner',
      { runnerImage: 'r:v18.9.0' },
      { runnerImage: 'r:v18.9.0', concurrent: '9' },
      ['make up'],
    ],
    ['tags', {}, { tags: 'x' }, ['make register']],
    ['which branches are served', {}, { hardening: 'strict' }, ['make register', 'make up']],
    ['the image of the runner', {}, { runnerImage: 'r:1' }, ['make up']],
    ['a service more', {}, { mirror: 'yes' }, ['make up']],
    [
      'a service less',
      { cleanUp: '7' },
      { cleanUp: 'none' },
      ['make up', 'docker compose up -d --remove-orphans'],
    ],
    [
      'GitLab',
      {},
      { gitlabUrl: 'https://git.example.org' },
      [
        "Write GITLAB_URL=https://git.example.org into .env, and take RUNNER_TOKEN out: it is the other GitLab's.",
      ],
    ],
    ['a further runner', {}, { runners: { deploy: {} } }, ['make register RUNNER=deploy', 'make up']],
    ['values of the chart', inCluster, { ...inCluster, concurrent: '9' }, ['make up']],
    ['monitoring in a cluster', inCluster, { ...inCluster, monitoring: 'yes' }, ['make up']],
    ['the way into a cluster', {}, inCluster, ['make up']],
    ['the way out of a cluster', inCluster, { tags: 'docker' }, ['make up']],
    [
      'a file that a service reads',
      { builder: 'buildkit' },
      { builder: 'buildkit', insecureRegistry: 'r.local:5000' },
      ['docker compose restart buildkit'],
    ],
  ])('say what %s asks of the owner', (_, before, after, expected) => {
    expect(changes(before, after)).toEqual(expected);
  });

  it('name files that are not used any more where they stay', () => {
    expect(changes({ cleanUp: '7' }, { cleanUp: 'none' }, ['scripts/clean up.sh']).at(-1)).toBe(
      "git rm 'scripts/clean up.sh'",
    );
  });
});

it('concurrentStep says what to set where runners starve, and that it is enough where not', () => {
  expect(concurrentStep(3, '2')).toMatch(/which is 2: set it to 3 at least/);
  expect(concurrentStep(2, '4')).toMatch(/which is 4: raise it where each should run more than 2/);
});

it('stepsFrom010 names what version 0.1.0 left', () => {
  expect(stepsFrom010(path => ['scripts/apply.ts', 'config/template.toml'].includes(path))).toEqual([
    'git rm scripts/apply.ts config/template.toml   # of version 0.1.0, not used any more',
  ]);
  expect(stepsFrom010(() => false)).toEqual([]);
});

describe('engineWarning', () => {
  const engine: Engine = { version: '29.1.0', apiVersion: '1.52', minApiVersion: '1.44' };

  it('says what to do about an image that the engine refuses', () => {
    expect(
      engineWarning(engine, { executor: 'docker', builder: 'socket', dockerImage: 'docker:stable' }),
    ).toBe(
      'The local Docker Engine (29.1.0) takes clients from API 1.44; docker:stable speaks 1.40 and will be refused. Choose --docker-image docker:cli, or see "make doctor".',
    );
  });

  it.each([
    ['one that it takes', 'docker', 'socket', 'docker:cli'],
    ['a builder that does not use this engine', 'docker', 'dind', 'docker:stable'],
    ['jobs that run elsewhere', 'docker-autoscaler', 'socket', 'docker:stable'],
  ] as const)('says nothing of %s', (_, executor, builder, dockerImage) => {
    expect(engineWarning(engine, { executor, builder, dockerImage })).toBeUndefined();
  });
});
