import { resolve } from 'node:path';
import { completeAnswers, reconsider, refuseIdle } from './ask/answers.ts';
import { prompts } from './ask/prompts.ts';
import { type AnswerName, answerNames, questions, type TypedAnswers, typedFrom } from './ask/questions.ts';
import { Refusal } from './ask/refusal.ts';
import { defaultsInWords } from './ask/usage.ts';
import type { RunnerRepository } from './plan/plan.ts';
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
  const moved = await movedIn(scaffold);
  const saved = moved?.answers ?? scaffold.writer.saved.answers;
  const runners = moved?.further ?? scaffold.writer.saved.runners;
  const typed: TypedAnswers = { ...reconsider(saved, given.builder), ...given };
  if (asks) {
    const engine = await scaffold.announceEngine();
    Object.assign(typed, typedFrom(answerNames, await scaffold.ask(prompts(saved, given, engine))));
  }
  const answers = completeAnswers(typed);
  refuseIdle(given, answers);
  return moved ? [answers, runners, moved.addTo] : [answers, runners];
}

/** @throws Refusal if an older runner is to come where a repository is already, or cannot be read */
async function movedIn({ commandLine: { from }, writer: { isNew, folder }, cwd }: Scaffold<AnswerName>) {
  if (from === undefined) return undefined;
  if (!isNew) {
    throw new Refusal(
      `There is a repository in ${folder} already: name a new folder for what --from takes over. Nothing was written.`,
    );
  }
  // Its parsers are loaded only where they are needed.
  const { readOldRunner, additions } = await import('./from/old-runner.ts');
  const moved = readOldRunner(resolve(cwd, from));
  return { ...moved, addTo: (repository: RunnerRepository) => additions(repository, moved, from) };
}
