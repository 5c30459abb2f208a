import { type Engine, refuses } from '../common/engine.ts';
import { answerNames, questions } from './questions.ts';
import type { TypedAnswers } from './saved-answers.ts';

/**
 * The questions that are still open, as Inquirer asks them.
 *
 * @param known answers that an earlier run saved; they are offered as defaults
 * @param given answers that options gave; they are not asked for
 * @param engine the local engine, if one answers: an image that it refuses is marked, and not the default
 */
export function prompts(known: TypedAnswers, given: TypedAnswers, engine: Engine | undefined): object[] {
  return answerNames
    .filter(name => given[name] === undefined && questions[name].choices?.length !== 1)
    .map(name => {
      const question = questions[name];
      const prompt = {
        name,
        message: question.message,
        default: known[name] ?? question.default,
        validate: (typed: string) => sentenceAgainst(question.check, typed),
      };
      if (question.choices) return { ...prompt, type: 'select', choices: question.choices };
      if (question.yesNo) {
        return { name, message: question.message, type: 'confirm', default: prompt.default === 'yes' };
      }
      if (name === 'dockerImage' && engine && refuses(engine, prompt.default)) {
        return {
          ...prompt,
          type: 'input',
          message: `${question.message} (${prompt.default} is refused by this engine: its client is older than API ${engine.minApiVersion})`,
          default: 'docker:cli',
        };
      }
      return { ...prompt, type: 'input' };
    });
}

function sentenceAgainst(check: (text: string) => unknown, typed: string): true | string {
  try {
    check(typed);
    return true;
  } catch (error) {
    return (error as Error).message;
  }
}
