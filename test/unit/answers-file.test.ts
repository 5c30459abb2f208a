import { describe, expect, it } from 'vitest';
import { completeAnswers } from '../../generators/ask/answers.ts';
import { readAnswers, writeAnswers } from '../../generators/ask/answers-file.ts';
import { presetNamed, presets } from '../../generators/ask/presets.ts';
import { answerNames, questions, typedAnswers } from '../../generators/ask/questions.ts';
import { allTogether, answersWith } from '../support/answers.ts';

const read = (text: string) => readAnswers(text, 'answers.yml');

describe('a file of answers', () => {
  it.each([
    ['the defaults', answersWith()],
    ['all others', answersWith(allTogether)],
  ])('reads back what was printed: %s', (_, answers) => {
    expect(read(writeAnswers(answers))).toEqual(typedAnswers(answers));
  });

  it('takes texts, numbers, yes and no, and lists', () => {
    expect(read('tags: [a, b]\nconcurrent: 4\nmirror: true\nmonitoring: no\nregistry: gitlab\n')).toEqual({
      ...{ tags: 'a,b', concurrent: '4', mirror: 'yes', monitoring: 'no', registry: 'gitlab' },
    });
    expect(read('tags: []')).toEqual({ tags: ',' });
    expect(read('')).toEqual({});
  });

  it.each([
    ['bulder: dind', 'answers.yml: there is no option bulder; did you mean builder?'],
    ['zzzzzzzz: 1', 'answers.yml: there is no option zzzzzzzz.'],
    ['builder: dnd', 'answers.yml: builder: There is no "dnd" here'],
    ['tags: { a: b }', 'answers.yml: tags: it is no text'],
    ['builder:', 'answers.yml: builder: it is no text'],
    ['- a', 'answers.yml has no names of options'],
    ['a: [', 'answers.yml is no YAML'],
  ])('is refused where it says %j', (text, sentence) => {
    expect(() => read(text)).toThrow(sentence);
  });
});

describe('the preset', () => {
  it.each(Object.keys(presets))(
    '%s has answers that go together, each another than the default or said on purpose',
    name => {
      const answers = presetNamed(name);
      expect(typedAnswers(completeAnswers(answers))).toMatchObject(answers);
      const others = answerNames.filter(one => answers[one] && answers[one] !== questions[one].default);
      expect(others.length).toBeGreaterThan(0);
    },
  );

  it('that nobody knows is refused, and the ones that there are are named', () => {
    expect(() => presetNamed('articel')).toThrow(Object.keys(presets).join(', '));
  });
});
