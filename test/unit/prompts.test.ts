import { describe, expect, it } from 'vitest';
import {
  type Answered,
  nameOfChanges,
  nameOfRest,
  type Prompt,
  repositoryPrompts,
  restChoices,
} from '../../generators/ask/prompts.ts';
import {
  type AnswerName,
  type Answers,
  answerNames,
  type BuilderName,
  builders,
  defaultFor,
  groups,
  questions,
  type TypedAnswers,
} from '../../generators/ask/questions.ts';
import type { Engine } from '../../generators/plan/engine.ts';
import { allTogether, answersWith, beside, otherAnswers } from '../support/answers.ts';

/** A prompt as a user sees it. */
interface Shown {
  name: string;
  type: Prompt['type'];
  message: string;
  default: unknown;
  choices?: Prompt['choices'];
  validate?: (typed: string) => true | string;
}

/** Answers to the prompts that are no questions, after which each question comes up that matters. */
const all = { [nameOfRest]: 'change', [nameOfChanges]: Object.keys(groups) };

/** The prompts that come up, by their names, where those answers were given to the ones before. */
function ask(
  known: TypedAnswers = {},
  given: TypedAnswers = {},
  { engine, answered = all }: { engine?: Engine; answered?: Answered } = {},
): Record<string, Shown | undefined> {
  const at = (value: unknown) => (typeof value === 'function' ? value(answered) : value);
  const shown = repositoryPrompts({ saved: known, given, engine })
    .filter(({ when }) => when?.(answered) ?? true)
    .map(({ when, validate, ...prompt }) => ({
      ...prompt,
      message: at(prompt.message),
      default: at(prompt.default),
      ...(validate ? { validate: (typed: string) => validate(typed, answered) } : {}),
    }));
  return Object.fromEntries(shown.map(prompt => [prompt.name, prompt]));
}

const builderNames = Object.keys(builders) as BuilderName[];
const basics = answerNames.filter(name => questions[name].group === 'basics');
const others = answerNames.filter(name => questions[name].group !== 'basics');
const always = (names: readonly AnswerName[], answers: Partial<Answers> = {}) =>
  names.filter(name => questions[name].matters?.({ ...answersWith(), ...answers }) ?? true);
const engineFrom = (minApiVersion: string): Engine => ({
  version: '29.1.0',
  apiVersion: '1.52',
  minApiVersion,
});

describe('prompts', () => {
  it('are of a first run the basics, and what becomes of the rest: three questions and one', () => {
    const open = ask({}, {}, { answered: {} });
    expect(Object.keys(open)).toEqual([...always(basics), nameOfRest]);
    expect(open.gitlabUrl).toMatchObject({
      ...{ type: 'input', message: questions.gitlabUrl.message, default: questions.gitlabUrl.default },
    });
    expect(open[nameOfRest]).toMatchObject({ type: 'select', default: 'usual' });
    const [usual, change, ...more] = open[nameOfRest]?.choices?.({}) ?? [];
    expect([usual?.name, change?.name, more]).toEqual([restChoices.usual, restChoices.change, []]);
    expect(usual?.description).toContain('hardening recommended');
  });

  it('are of a second run whether it is like last time, and nothing else where it is', () => {
    const known = { tags: 'a' };
    expect(Object.keys(ask(known, {}, { answered: {} }))).toEqual([nameOfRest]);
    expect(Object.keys(ask(known, {}, { answered: { [nameOfRest]: 'last' } }))).toEqual([nameOfRest]);
    expect(
      ask(known)
        [nameOfRest]?.choices?.({})
        .map(({ name }) => name),
    ).toEqual([restChoices.last, restChoices.change, restChoices.usual]);
  });

  it('say of each choice what it does', () => {
    const said = (known: TypedAnswers, given: TypedAnswers = {}) =>
      ask(known, given)
        [nameOfRest]?.choices?.({})
        .map(({ description }) => description);
    expect(said({})).toEqual([
      expect.stringMatching(/^executor docker, tags docker, .*hardening recommended/),
      'asks what to change; all else stays',
    ]);
    expect(said({ tags: 'a' })).toEqual([
      ...['asks nothing more', 'asks what to change; all else stays'],
      expect.stringMatching(/^asks again: GitLab, how jobs build, .*; the rest: executor docker, /),
    ]);
    const given = Object.fromEntries(basics.map(name => [name, questions[name].default]));
    expect(said({ tags: 'a' }, given)?.[2]).toMatch(/^executor docker, /);
  });

  it('are, of an older runner that moves in, what it left open of the basics too', () => {
    const basis = { saved: { builder: 'dind', tags: 'a' }, isMovedIn: true, given: {}, engine: undefined };
    const open = repositoryPrompts(basis).filter(({ when }) => when?.({ [nameOfRest]: 'last' }) ?? true);
    expect(open.map(({ name }) => name)).toEqual([nameOfRest, 'gitlabUrl', 'concurrent']);
    expect(open[0]?.choices?.({})[0]?.name).toBe('keep those of the older runner');
  });

  it.each(Object.keys(groups))('ask for the group %s where it is to change, and for no other', group => {
    const answered = { [nameOfRest]: 'change', [nameOfChanges]: [group] };
    const names = always(answerNames).filter(name => questions[name].group === group);
    expect(Object.keys(ask({ tags: 'a' }, {}, { answered }))).toEqual([nameOfRest, nameOfChanges, ...names]);
  });

  it('take the usual answers for the rest, and not those of last time, where it is to be as it is', () => {
    const known = { tags: 'a', builder: 'dind', dockerImage: 'me/dind:1' };
    const answered = { [nameOfRest]: 'usual' };
    const open = ask(known, {}, { answered });
    expect(Object.keys(open)).toEqual([nameOfRest, ...always(basics).slice(0, 2), 'dindCache', 'concurrent']);
    expect(open.builder?.default).toBe('dind');
  });

  it('come for the image of jobs where the engine refuses what it would be', () => {
    const engine = engineFrom('1.44');
    expect(ask({}, {}, { engine, answered: { [nameOfRest]: 'usual' } })).toHaveProperty('dockerImage');
    expect(ask({}, {}, { engine, answered: { [nameOfRest]: 'usual', builder: 'dind' } })).not.toHaveProperty(
      'dockerImage',
    );
  });

  it('come for each question that matters where all is to change', () => {
    expect(Object.keys(ask())).toEqual([...always(basics), nameOfRest, nameOfChanges, ...always(others)]);
    const answered = { ...all, httpProxy: 'http://proxy:3128', cache: 's3' };
    const open = always(others, { httpProxy: 'http://proxy:3128', cache: 's3' });
    expect(Object.keys(ask({}, {}, { answered }))).toEqual([
      ...always(basics),
      nameOfRest,
      nameOfChanges,
      ...open,
    ]);
  });

  it.each<[Answered, AnswerName[]]>([
    [{ builder: 'socket' }, []],
    [{ builder: 'dind' }, ['dindCache']],
    [{ builder: 'buildkit' }, []],
    [{ builder: 'buildah' }, []],
  ])('come for what the chosen builder needs, and for nothing else: %j', (answered, names) => {
    const asked = Object.keys(ask({}, {}, { answered }));
    const usual = [...always(answerNames), nameOfRest, nameOfChanges] as string[];
    expect(asked.filter(name => !usual.includes(name))).toEqual(names);
  });

  it('go by the builder of an option, or of the run before, as by the one that was just chosen', () => {
    expect(ask({}, { builder: 'dind' })).toHaveProperty('dindCache');
    expect(ask({ builder: 'dind' })).toHaveProperty('dindCache');
    expect(ask({ builder: 'dind' }, {}, { answered: { ...all, builder: 'socket' } })).not.toHaveProperty(
      'dindCache',
    );
    expect(ask({}, { httpProxy: 'http://proxy:3128' })).toHaveProperty('proxyExceptions');
  });

  it('do not come for what an option gave, nor a group that is answered whole', () => {
    const given = Object.fromEntries(others.map(name => [name, allTogether[name]]));
    expect(Object.keys(ask({}, given))).toEqual(always(basics));
    const { mirror, ...most } = given;
    const open = ask({}, most);
    expect(Object.keys(open)).toEqual([...always(basics), nameOfRest, nameOfChanges, 'mirror']);
    expect(open[nameOfChanges]?.choices?.({}).map(({ value }) => value)).toEqual(['cache']);
  });

  it('offer saved answers as defaults, an empty one too', () => {
    const known = { tags: '', runUntagged: 'yes', concurrent: '9', builder: 'dind', mirror: 'yes' };
    const open = ask(known);
    expect(open.tags?.default).toBe('');
    expect(open.runUntagged?.default).toBe(true);
    expect(open.concurrent?.default).toBe('9');
    expect(open.builder?.default).toBe('dind');
    expect(open.mirror?.default).toBe(true);
  });

  it('do not ask whether untagged jobs run where no tags are wanted, and take none where an option says no', () => {
    const isAsked = (known: TypedAnswers, tags: string) =>
      'runUntagged' in ask(known, {}, { answered: { ...all, tags } });
    expect([isAsked({}, 'a'), isAsked({}, ','), isAsked({ runUntagged: 'no' }, ' ')]).toEqual([
      ...[true, false, false],
    ]);
    expect(ask({ runUntagged: 'no' }).tags?.validate?.(',')).toBe(true);
    expect(ask({}, { runUntagged: 'no' }).tags?.validate?.(',')).toMatch(/: add --run-untagged, or name/);
    expect(ask({}, { tags: ',' }).runUntagged?.default).toBe(true);
  });

  it('take a yes that was saved in another word for what it is', () => {
    expect(ask({ runUntagged: 'true' }).runUntagged?.default).toBe(true);
  });

  it('pass over saved answers that are none, also where another question goes by them', () => {
    const known = Object.fromEntries(answerNames.map(name => [name, '$']));
    const answered = all;
    const defaults = (saved: TypedAnswers) =>
      Object.entries(ask(saved, {}, { answered })).map(([name, prompt]) => [name, prompt?.default]);
    // A description may be anything.
    expect(defaults(known)).toEqual(defaults({ description: '$' }));
    const { validate } = ask(known, {}, { answered: { ...answered, builder: 'buildkit' } }).dockerImage!;
    expect(validate?.('docker:cli')).toBe(true);
  });

  it('list choices by their short names, and describe the one that is chosen', () => {
    const { type, choices } = ask().builder!;
    const listed = choices?.({});
    expect(type).toBe('select');
    // The client of docker:stable, the default image of the others, goes with the builder that is chosen.
    expect(listed).toEqual(
      Object.entries(builders).map(([value, description]) => ({ value, name: value, description })),
    );
  });

  it.each(answerNames.filter(name => !questions[name].yesNo && !questions[name].choices))(
    'check what is typed for %s as its option is checked',
    name => {
      // Where every question comes up.
      const answered = {
        ...all,
        builder: name === 'dockerNetwork' ? 'socket' : 'dind',
        dindCache: 'volume',
        cache: 's3',
        httpProxy: 'http://proxy:3128',
      };
      const isOfInstances = questions[name].mattersFor === '--executor docker-autoscaler';
      const onInstances = { builder: 'socket', executor: 'docker-autoscaler', cache: 'local' };
      const isOfCluster = questions[name].mattersFor === '--executor kubernetes';
      const inCluster = { builder: 'buildkit', executor: 'kubernetes', dindCache: 'registry', cache: 'none' };
      const elsewhere = isOfInstances ? onInstances : isOfCluster ? inCluster : {};
      const here = { ...answered, ...elsewhere };
      const { validate } = ask({}, {}, { answered: here })[name]!;
      expect(validate?.(defaultFor(name, here.builder))).toBe(true);
      const besides = { ...here, ...beside[name] };
      expect(ask({}, {}, { answered: besides })[name]!.validate?.(otherAnswers[name])).toBe(true);
      const bad = name === 'tags' ? '$x' : 'a\nb';
      expect(() => questions[name].check(bad)).toThrow(String(validate?.(bad)));
    },
  );
});

describe('a menu', () => {
  /** The choices, which depend on what was answered before. */
  const listed = (name: AnswerName, answered: Answered, given: TypedAnswers = {}) => {
    const { choices } = ask({}, given, { answered: { ...all, ...answered } })[name]!;
    return choices?.(answered) ?? [];
  };
  const offered = (...of: Parameters<typeof listed>) =>
    listed(...of).flatMap(({ value, disabled }) => (disabled ? [] : [value]));

  it('of caches does not offer to keep none where a job shares a volume with an engine of its own', () => {
    expect(offered('cache', { builder: 'socket' })).toEqual(['local', 's3', 'none']);
    expect(offered('cache', { builder: 'dind', dindCache: 'volume' })).toEqual(['local', 's3', 'none']);
    expect(offered('cache', { builder: 'dind', dindCache: 'registry' })).toEqual(['local', 's3']);
  });

  it.each<[AnswerName, Answered, string, RegExp]>([
    [
      'builder',
      { executor: 'docker-autoscaler' },
      'dind',
      /^With --executor docker-autoscaler each instance/,
    ],
    ['executor', { builder: 'socket' }, 'kubernetes', /^The nodes of a cluster mostly have no Docker Engine/],
    [
      'dindCache',
      { builder: 'dind', executor: 'kubernetes' },
      'volume',
      /^In a cluster each job has an engine/,
    ],
    ['cache', { builder: 'dind', dindCache: 'registry' }, 'none', /^With --cache none a job has no volume/],
  ])('for %s beside %j shows that %s cannot be chosen, and why', (name, answered, value, why) => {
    const shown = listed(name, answered);
    expect(shown.map(choice => choice.value)).toEqual(Object.keys(questions[name].choices!));
    expect(shown.find(choice => choice.value === value)).toMatchObject({
      ...{ disabled: '(not with the other answers)', description: expect.stringMatching(why) },
    });
  });

  it('begins with a choice that can be made', () => {
    const basis = { executor: 'docker-autoscaler' };
    const { default: byDefault } = ask({ builder: 'dind' }, basis, { answered: all }).builder!;
    expect(byDefault).toBe('socket');
  });

  it('of clouds offers each where the group of instances is asked next, and what goes with one that is given', () => {
    const answered = { builder: 'socket', executor: 'docker-autoscaler' };
    expect(offered('cloud', answered)).toEqual(['aws', 'googlecloud', 'azure']);
    expect(offered('cloud', answered, { instanceGroup: 'a/b/c' })).toEqual(['googlecloud', 'azure']);
    const { validate } = ask({}, {}, { answered: { ...all, ...answered, cloud: 'googlecloud' } })
      .instanceGroup!;
    expect(validate?.('gitlab-runners')).toMatch(
      /^With --cloud googlecloud the group of instances is written/,
    );
    expect(validate?.('a/b/c')).toBe(true);
  });

  it('of which nothing can be chosen is a refusal that says what the options exclude', () => {
    const given = { executor: 'docker-autoscaler', runnerImage: 'gitlab/gitlab-runner:v18.9.0' };
    expect(() => listed('builder', {}, given)).toThrow(
      /^--executor docker-autoscaler is for GitLab Runner 18.10/,
    );
  });
});

describe('the question for the image of the jobs', () => {
  it.each(builderNames)('offers one with the program that %s builds with', builder => {
    const image = defaultFor('dockerImage', builder);
    expect(ask({}, {}, { answered: { ...all, builder } }).dockerImage?.default).toBe(image);
    expect(ask({}, { builder }).dockerImage?.default).toBe(image);
    expect(ask({ builder }).dockerImage?.default).toBe(image);
  });

  it.each(builderNames.flatMap(from => builderNames.map(to => [from, to] as const)))(
    'offers that of the new builder where the builder was %s and is %s now, and the image was the default',
    (from, to) => {
      const known = { builder: from, dockerImage: defaultFor('dockerImage', from) };
      for (const open of [
        ask(known, {}, { answered: { ...all, builder: to } }),
        ask(known, { builder: to }),
      ]) {
        const { default: offered, validate } = open.dockerImage!;
        expect(offered).toBe(defaultFor('dockerImage', to));
        expect(validate?.(String(offered))).toBe(true);
      }
    },
  );

  it('offers the image that somebody chose, whatever the builder', () => {
    const known = { builder: 'socket', dockerImage: 'me/tools:1' };
    expect(ask(known, {}, { answered: { ...all, builder: 'buildkit' } }).dockerImage?.default).toBe(
      'me/tools:1',
    );
  });

  it.each([
    [{ builder: 'buildah' }, 'docker:cli', 'There is no Buildah in docker:cli'],
    [{ builder: 'dind' }, 'quay.io/buildah/stable', 'There is no Docker client in quay.io/buildah/stable'],
    [{ builder: 'buildkit' }, 'docker:stable', '--builder buildkit needs buildx'],
  ])(
    'refuses an image that does not go with the builder just chosen: %j, %s',
    (answered, image, sentence) => {
      expect(ask({}, {}, { answered: { ...all, ...answered } }).dockerImage?.validate?.(image)).toContain(
        sentence,
      );
      expect(ask({}, answered).dockerImage?.validate?.(image)).toContain(sentence);
    },
  );

  it('marks an image that the engine refuses, and offers another one', () => {
    const { dockerImage } = ask({}, {}, { engine: engineFrom('1.44') });
    expect(dockerImage?.default).toBe('docker:cli');
    expect(dockerImage?.message).toContain('docker:stable is refused by this engine');
    expect(dockerImage?.message).toContain('API 1.44');
    expect(dockerImage?.validate?.('docker:stable')).toBe(true);
  });

  it('does the same with a saved answer that the engine refuses by now', () => {
    const engine = engineFrom('1.44');
    expect(ask({ dockerImage: 'docker:19.03' }, {}, { engine }).dockerImage?.default).toBe('docker:cli');
  });

  it.each<[string, TypedAnswers, Engine | undefined, string]>([
    ['an engine that takes it', {}, engineFrom('1.40'), 'docker:stable'],
    ['no engine', {}, undefined, 'docker:stable'],
    ['another image saved', { dockerImage: 'docker:28' }, engineFrom('1.44'), 'docker:28'],
    [
      'a builder whose jobs do not talk to this engine',
      { builder: 'dind', dockerImage: 'docker:19.03' },
      engineFrom('1.44'),
      'docker:19.03',
    ],
  ])('says nothing with %s', (_, known, engine, byDefault) => {
    expect(ask(known, {}, engine ? { engine } : {}).dockerImage).toMatchObject({
      default: byDefault,
      message: questions.dockerImage.message,
    });
  });
});

describe('the question for the platforms', () => {
  const several = 'linux/amd64,linux/arm64';

  it('refuses several where the image that was just chosen has no buildx', () => {
    const answered = { ...all, builder: 'socket', dockerImage: 'docker:stable' };
    expect(ask({}, {}, { answered }).platforms?.validate?.(several)).toContain('--platforms needs buildx');
    expect(ask({}, {}, { answered }).platforms?.validate?.('host')).toBe(true);
    const current = { ...answered, dockerImage: 'docker:cli' };
    expect(ask({}, {}, { answered: current }).platforms?.validate?.(several)).toBe(true);
  });
});
