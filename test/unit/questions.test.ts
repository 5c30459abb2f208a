import { describe, expect, it } from 'vitest';
import {
  type AnswerName,
  answerNames,
  asTyped,
  completeAnswers,
  questions,
} from '../../generators/app/questions.ts';
import { Refusal } from '../../generators/common/refusal.ts';
import { otherAnswers } from '../support/answers.ts';

describe.each(answerNames)('the question %s', name => {
  const question = questions[name];

  it('has a default that passes its own check', () => {
    expect(() => question.check(question.default)).not.toThrow();
  });

  it('has an option of the same name, so that Yeoman and saved answers agree on it', () => {
    expect(question.option.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase())).toBe(name);
  });

  it('has choices which are exactly what its check takes, where it has choices', () => {
    for (const choice of question.choices ?? []) expect(question.check(choice)).toBe(choice);
    if (question.choices) expect(() => question.check('something else')).toThrow(Refusal);
  });

  it('is saved as a user would type it, and read back as the same answer', () => {
    const answer = question.check(otherAnswers[name] ?? question.default);
    expect(question.check(asTyped(answer))).toEqual(answer);
  });
});

it('asks first what most users change', () => {
  expect(answerNames.slice(0, 3)).toEqual(['gitlabUrl', 'registry', 'tags']);
});

describe('asTyped', () => {
  it('writes each kind of answer as text', () => {
    expect([true, false, 3, 'text', ['a', 'b'], []].map(asTyped)).toEqual([
      'yes',
      'no',
      '3',
      'text',
      'a,b',
      '',
    ]);
  });
});

describe('completeAnswers', () => {
  it('takes the default of each answer that is missing', () => {
    const answers = completeAnswers({ concurrent: '5' });
    expect(answers.concurrent).toBe(5);
    for (const name of answerNames.filter(name => name !== 'concurrent')) {
      expect(answers[name]).toEqual(questions[name].check(questions[name].default));
    }
  });

  it('does not take a default for an answer that is there and empty', () => {
    expect(completeAnswers({ tags: '' }).tags).toEqual([]);
  });

  it.each([
    ['gitlabUrl', 'gitlab'],
    ['registry', 'me'],
    ['tags', '$x'],
    ['runUntagged', 'maybe'],
    ['description', ''],
    ['concurrent', '0'],
    ['dockerImage', 'Docker'],
    ['runnerImage', ':'],
    ['builder', 'magic'],
  ] satisfies [AnswerName, string][])(
    'refuses a saved %s of %j in one line that says where to mend it',
    (name, bad) => {
      const refusal = () => completeAnswers({ [name]: bad });
      expect(refusal).toThrow(Refusal);
      expect(refusal).toThrow(
        new RegExp(
          `^"${name}" in \\.yo-rc\\.json: .*\\. Mend it there, or give --${questions[name].option}\\.$`,
        ),
      );
    },
  );
});
