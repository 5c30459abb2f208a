import { describe, expect, it } from 'vitest';
import { completion } from '../../bin/completion.ts';
import { sources, switches } from '../../generators/ask/command-line.ts';
import { answerNames, questions } from '../../generators/ask/questions.ts';

describe.each(['bash', 'zsh', 'fish'])('completion for %s', shell => {
  const text = completion(shell);

  it.each(answerNames)('has the option for %s, and its choices', name => {
    const { option, choices = {} } = questions[name];
    expect(text).toMatch(new RegExp(`[ '](--|-l )${option}(?![\\w-])`));
    for (const choice of Object.keys(choices)) expect(text).toMatch(new RegExp(`\\b${choice}\\b`));
  });

  it('has the options that are no questions', () => {
    for (const option of [
      ...Object.keys(switches),
      ...Object.keys(sources),
      'print-answers',
      'project',
      'runner',
      'ci',
      'help',
      'version',
      'completion',
    ]) {
      expect(text).toMatch(new RegExp(`[ '](--|-l )${option}(?![\\w-])`));
    }
  });
});
