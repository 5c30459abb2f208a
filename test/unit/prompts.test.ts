import { describe, expect, it } from 'vitest';
import { prompts } from '../../generators/app/prompts.ts';
import { type AnswerName, answerNames, questions } from '../../generators/app/questions.ts';
import type { TypedAnswers } from '../../generators/app/saved-answers.ts';
import type { Engine } from '../../generators/common/engine.ts';

interface Prompt {
  name: AnswerName;
  type: string;
  message: string;
  default: unknown;
  validate?: (typed: string) => true | string;
}

const ask = (known: TypedAnswers = {}, given: TypedAnswers = {}, engine?: Engine) =>
  Object.fromEntries((prompts(known, given, engine) as Prompt[]).map(prompt => [prompt.name, prompt]));
const asked = answerNames.filter(name => questions[name].choices?.length !== 1);
const engineFrom = (minApiVersion: string): Engine => ({
  version: '29.1.0',
  apiVersion: '1.52',
  minApiVersion,
});

describe('prompts', () => {
  it('asks every question that has more than one answer, in order, with its default', () => {
    const open = ask();
    expect(Object.keys(open)).toEqual(asked);
    for (const name of asked.filter(name => !questions[name].yesNo)) {
      expect(open[name]).toMatchObject({
        type: 'input',
        message: questions[name].message,
        default: questions[name].default,
      });
    }
    expect(open.runUntagged).toMatchObject({ type: 'confirm', default: false });
  });

  it('does not ask for what an option gave', () => {
    expect(Object.keys(ask({}, { tags: 'a', runUntagged: 'no', description: '' }))).toEqual(
      asked.filter(name => !['tags', 'runUntagged', 'description'].includes(name)),
    );
  });

  it('offers saved answers as defaults, an empty one too', () => {
    const open = ask({ tags: '', runUntagged: 'yes', concurrent: '9' });
    expect(open.tags?.default).toBe('');
    expect(open.runUntagged?.default).toBe(true);
    expect(open.concurrent?.default).toBe('9');
  });

  it.each(asked.filter(name => !questions[name].yesNo))(
    'checks what is typed for %s as its option is checked',
    name => {
      const { validate } = ask()[name]!;
      expect(validate?.(questions[name].default)).toBe(true);
      const bad = name === 'tags' ? '$x' : '\n';
      expect(() => questions[name].check(bad)).toThrow(String(validate?.(bad)));
    },
  );
});

describe('the question for the image', () => {
  it('marks an image that the engine refuses, and offers another one', () => {
    const { dockerImage } = ask({}, {}, engineFrom('1.44'));
    expect(dockerImage?.default).toBe('docker:cli');
    expect(dockerImage?.message).toContain('docker:stable is refused by this engine');
    expect(dockerImage?.message).toContain('API 1.44');
    expect(dockerImage?.validate?.('docker:stable')).toBe(true);
  });

  it('does the same with a saved answer that the engine refuses by now', () => {
    expect(ask({ dockerImage: 'docker:19.03' }, {}, engineFrom('1.44')).dockerImage?.default).toBe(
      'docker:cli',
    );
  });

  it.each([
    ['an engine that takes it', {}, engineFrom('1.40'), 'docker:stable'],
    ['no engine', {}, undefined, 'docker:stable'],
    ['another image saved', { dockerImage: 'docker:28' }, engineFrom('1.44'), 'docker:28'],
  ])('says nothing with %s', (_, known, engine, byDefault) => {
    expect(ask(known, {}, engine).dockerImage).toMatchObject({
      default: byDefault,
      message: questions.dockerImage.message,
    });
  });
});
