import { completeAnswers, reconsider, refuseIdle } from './ask/answers.ts';
import { prompts } from './ask/prompts.ts';
import { type AnswerName, answerNames, questions, type TypedAnswers, typedFrom } from './ask/questions.ts';
import { defaultsInWords } from './ask/usage.ts';
import type { Decision, Door, Scaffold } from './scaffold.ts';

/** Asks what the repository should be, and writes it. */
export const repositoryDoor: Door<AnswerName> = {
  description: 'Writes a repository that runs a self-hosted GitLab Runner in a container.',
  questions,
  defaultInWords: defaultsInWords,
  word: 'directory',
  wordHelp: 'Where to write it (default: here)',
  decide,
};

async function decide(scaffold: Scaffold<AnswerName>): Promise<Decision> {
  const { asks, given } = scaffold.commandLine;
  const { answers: saved, runners } = scaffold.writer.saved;
  const typed: TypedAnswers = { ...reconsider(saved, given.builder), ...given };
  if (asks) {
    const engine = await scaffold.announceEngine();
    Object.assign(typed, typedFrom(answerNames, await scaffold.ask(prompts(saved, given, engine))));
  }
  const answers = completeAnswers(typed);
  refuseIdle(given, answers);
  return [answers, runners];
}
