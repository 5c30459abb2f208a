import { describe, expect, it } from 'vitest';
import {
  type AnswerName,
  answerNames,
  asTyped,
  type BuilderName,
  builders,
  type Deciding,
  defaultFor,
  groups,
  questions,
} from '../../generators/ask/questions.ts';
import { Refusal } from '../../generators/ask/refusal.ts';
import { otherAnswers } from '../support/answers.ts';

const builderNames = Object.keys(builders) as BuilderName[];

describe.each(answerNames)('the question %s', name => {
  const question = questions[name];

  it('has defaults that pass its own check, whatever the builder', () => {
    for (const builder of builderNames) {
      expect(() => question.check(defaultFor(name, builder))).not.toThrow();
    }
  });

  it('has an option of the same name, so that Yeoman and saved answers agree on it', () => {
    expect(question.option.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase())).toBe(name);
  });

  it('has choices which are exactly what its check takes, where it has choices, each with a sentence', () => {
    for (const [choice, sentence] of Object.entries(question.choices ?? {})) {
      expect(question.check(choice)).toBe(choice);
      expect(sentence).toMatch(/^[^.]{10,}$/);
    }
    if (question.choices) expect(() => question.check('something else')).toThrow(Refusal);
  });

  it('is saved as a user would type it, and read back as the same answer', () => {
    for (const typed of [otherAnswers[name], question.default]) {
      const answer = question.check(typed);
      expect(question.check(asTyped(name, answer))).toEqual(answer);
    }
  });

  it('says for whom it matters, where it does not matter to all', () => {
    expect(question.mattersFor !== undefined).toBe(question.matters !== undefined);
  });
});

it('asks each group as a whole, the basics first', () => {
  const inOrder = [...new Set(answerNames.map(name => questions[name].group))];
  expect(inOrder).toEqual(Object.keys(groups));
  expect(answerNames.map(name => questions[name].group)).toEqual(
    inOrder.flatMap(group => answerNames.flatMap(name => (questions[name].group === group ? [group] : []))),
  );
});

it('asks what decides whether another question matters before that other', () => {
  const before = (one: AnswerName, other: AnswerName) =>
    answerNames.indexOf(one) < answerNames.indexOf(other);
  for (const name of ['dindCache', 'dockerImage'] as const) expect(before('builder', name), name).toBe(true);
  expect(before('httpProxy', 'proxyExceptions')).toBe(true);
  expect(before('dindCache', 'cache')).toBe(true);
  expect(before('cache', 'cacheServer')).toBe(true);
});

describe('a question matters', () => {
  type Others = Deciding;
  const ofDefaults: Others = {
    builder: 'socket',
    dindCache: 'registry',
    executor: 'docker',
    cache: 'local',
    httpProxy: undefined,
  };
  const mattering = (others: Partial<Others>) =>
    answerNames.filter(name => questions[name].matters?.({ ...ofDefaults, ...others }));
  const ofThisHost = mattering({});

  it.each([
    [{ builder: 'socket' }, []],
    [{ builder: 'buildah' }, []],
    [{ builder: 'buildkit' }, []],
    [{ builder: 'dind' }, ['dindCache']],
    [{ builder: 'socket', dindCache: 'volume' }, []],
    [{ httpProxy: 'http://proxy:3128' }, ['proxyExceptions']],
    [{ cache: 's3' }, ['cacheServer', 'cacheBucket']],
    [{ cache: 'none' }, []],
  ] satisfies [Partial<Others>, AnswerName[]][])('only where it changes something: %j', (others, names) => {
    expect(mattering(others).filter(name => !ofThisHost.includes(name))).toEqual(names);
  });

  it('only where it is about the place where jobs run', () => {
    const names = ['platforms', 'cleanUp', 'mirror', 'insecureRegistry', 'dockerNetwork'];
    expect(ofThisHost).toEqual(names);
    const ofClusters = ['namespace', 'nodeSelector', 'platforms', 'insecureRegistry'];
    expect(mattering({ executor: 'kubernetes' })).toEqual(ofClusters);
    const ofInstances = ['cloud', 'instanceGroup', 'instanceJobs', 'instanceUses', 'idleJobs'];
    expect(mattering({ executor: 'docker-autoscaler' })).toEqual(ofInstances);
  });
});

describe('defaultFor', () => {
  it.each([
    ['socket', 'docker:stable'],
    ['dind', 'docker:29.10.0-cli'],
    ['buildkit', 'docker:29.10.0-cli'],
    ['buildah', 'quay.io/buildah/stable:latest'],
    ['none that there is', 'docker:stable'],
  ])('gives jobs an image with what the builder %s needs', (builder, image) => {
    expect(defaultFor('dockerImage', builder)).toBe(image);
  });

  it('is the same for all builders elsewhere', () => {
    for (const name of answerNames.filter(name => name !== 'dockerImage')) {
      for (const builder of builderNames) expect(defaultFor(name, builder)).toBe(questions[name].default);
    }
  });

  it.each([
    ['builder', '', 'buildkit'],
    ['dockerImage', 'buildkit', 'moby/buildkit:v0.34.2-rootless'],
    ['dockerImage', 'buildah', 'quay.io/buildah/stable:latest'],
    ['cache', 'buildkit', 'none'],
    ['tags', 'buildkit', 'docker'],
  ] satisfies [AnswerName, string, string][])(
    'is for a cluster, of %s with "%s", %s',
    (name, builder, text) => {
      expect(defaultFor(name, builder, undefined, 'kubernetes')).toBe(text);
    },
  );
});

describe('asTyped', () => {
  it('writes each kind of answer as text', () => {
    expect(
      [true, false, 3, 'text', ['a', 'b'], undefined].map(value => asTyped('extraHosts', value)),
    ).toEqual(['yes', 'no', '3', 'text', 'a,b', 'none']);
  });

  it('writes an empty list in the words of its question, so that a prompt can show it', () => {
    const empty = answerNames.filter(name => questions[name].none !== undefined);
    expect(empty).toEqual(['nodeSelector', 'tags', 'platforms', 'proxyExceptions', 'extraHosts']);
    for (const name of empty) {
      expect(asTyped(name, [])).not.toBe('');
      expect(questions[name].check(asTyped(name, []))).toEqual([]);
    }
  });
});
