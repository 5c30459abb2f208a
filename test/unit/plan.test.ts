import { describe, expect, it } from 'vitest';
import { planRepository } from '../../generators/app/plan.ts';
import { answersWith, scenarios } from '../support/answers.ts';

const plan = (typed = {}, directory = 'my-runner') => planRepository(answersWith(typed), directory);

describe('planRepository', () => {
  it('always decides the same for the same answers', () => {
    for (const typed of Object.values(scenarios)) expect(plan(typed)).toEqual(plan(typed));
  });

  it('lets a runner without tags take untagged jobs, for it could run nothing else', () => {
    expect(plan({ tags: '', runUntagged: 'no' }).runUntagged).toBe(true);
    expect(plan({ tags: 'docker', runUntagged: 'no' }).runUntagged).toBe(false);
    expect(plan({ tags: 'docker', runUntagged: 'yes' }).runUntagged).toBe(true);
  });

  it("gives job containers the host's engine", () => {
    expect(plan({ dockerImage: 'docker:28' }).executor).toEqual({
      image: 'docker:28',
      volumes: ['/var/run/docker.sock:/var/run/docker.sock'],
    });
  });
});

it.each([
  ['docker:stable', true],
  ['docker:cli', false],
])('knows whether the client of %s stays as old as it is: %s', (dockerImage, frozen) => {
  expect(plan({ dockerImage }).hasFrozenClient).toBe(frozen);
});

describe('the pipeline', () => {
  it('knows whether the registry is that of the project, which needs no variables of the user', () => {
    expect(plan({ registry: 'gitlab' }).pipeline.isOfProject).toBe(true);
    expect(plan({ registry: 'registry.example.com' }).pipeline.isOfProject).toBe(false);
  });

  it("pushes to the project's own registry with what GitLab sets in each job", () => {
    const { variables, registry, user, password, required } = plan({ registry: 'gitlab' }).pipeline;
    expect(variables.map(({ name, value }) => [name, value])).toEqual([['IMAGE', '$CI_REGISTRY_IMAGE']]);
    expect([registry, user, password]).toEqual([
      '$CI_REGISTRY',
      '$CI_REGISTRY_USER',
      '$CI_REGISTRY_PASSWORD',
    ]);
    expect(required.variable).toBe('CI_REGISTRY');
  });

  it.each([
    ['registry.example.com', 'registry.example.com', 'registry.example.com/$CI_PROJECT_PATH_SLUG'],
    ['localhost:5000/team/x', 'localhost:5000', 'localhost:5000/team/x/$CI_PROJECT_PATH_SLUG'],
    ['[::1]:5000', '[::1]:5000', '[::1]:5000/$CI_PROJECT_PATH_SLUG'],
  ])('logs in to the host of %s, and pushes below its path', (registry, host, image) => {
    const { pipeline } = plan({ registry });
    expect(Object.fromEntries(pipeline.variables.map(({ name, value }) => [name, value]))).toEqual({
      REGISTRY: host,
      IMAGE: image,
    });
    expect(pipeline.required.variable).toBe('REGISTRY_PASSWORD');
  });

  it.each(['gitlab', 'registry.example.com'])(
    'never holds a password, but the name of its variable: %s',
    registry => {
      const { user, password } = plan({ registry }).pipeline;
      expect([user, password].every(text => /^\$[A-Z_]+$/.test(text))).toBe(true);
    },
  );
});

describe('the name of the Compose project', () => {
  it.each([
    ['my-runner', 'my-runner'],
    ['My Runner (2)', 'my-runner-2'],
    ['__x__', 'x'],
    ['a_b', 'a_b'],
    ['2026', '2026'],
    ['größe', 'gr-e'],
    ['ランナー', 'gitlab-runner'],
    ['', 'gitlab-runner'],
    ['---', 'gitlab-runner'],
  ])('of a folder %j is %s', (directory, name) => {
    expect(plan({}, directory).composeProject).toBe(name);
  });
});
