import { dirname, resolve } from 'node:path';
import { completeAnswers, impliedBy, reconsider, refuseIdle } from './ask/answers.ts';
import { namingOption } from './ask/command-line.ts';
import { refuseOwnClone } from './ask/own-clone.ts';
import { presetNamed } from './ask/presets.ts';
import { type Answered, type Basis, nameOfRest, repositoryPrompts } from './ask/prompts.ts';
import { type AnswerName, answerNames, questions, type TypedAnswers, typedFrom } from './ask/questions.ts';
import { Refusal } from './ask/refusal.ts';
import { defaultsInWords } from './ask/usage.ts';
import type { RunnerRepository } from './plan/plan.ts';
import type { Decision, Door, Scaffold } from './scaffold.ts';
import { isRepository } from './write/saved-answers.ts';

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
  const { folder } = scaffold.writer;
  if (!scaffold.commandLine.printsAnswers) refuseOwnClone(folder);
  if (scaffold.writer.isNew) requireName(folder);
  if (scaffold.commandLine.argument === undefined) requireNoneAbove(scaffold.writer);
  const { asks, answersFile, preset, ...commandLine } = scaffold.commandLine;
  const moved = await movedIn(scaffold);
  const saved = moved?.answers ?? scaffold.writer.saved.answers;
  const runners = moved?.further ?? scaffold.writer.saved.runners;
  const given = { ...(answersFile === undefined ? {} : await answersIn(answersFile)), ...commandLine.given };
  const basis = {
    saved,
    isMovedIn: moved !== undefined,
    given,
    preset: preset === undefined ? {} : namingOption('preset', () => presetNamed(preset)),
    engine: undefined,
  };
  const answered: Answered = asks
    ? await scaffold.ask(repositoryPrompts({ ...basis, engine: await scaffold.announceEngine() }))
    : {};
  const answers = completeAnswers(answersOfRun(basis, answered));
  // A file of all answers has idle ones too.
  refuseIdle(commandLine.given, answers);
  return moved ? [answers, runners, moved.addTo] : [answers, runners];
}

/** @throws Refusal if that is no path for a repository, whose folders are mounted and whose path is shown and typed */
function requireName(folder: string): void {
  const refusal = (why: string) => new Refusal(`${why}: name another directory. Nothing was written.`);
  const shown = folder.replace(/\p{Cc}/gu, ' ');
  if (shown !== folder)
    throw refusal(`${shown} has a character that cannot be seen, as the end of a line is`);
  if (folder === '/') throw refusal('/ is the top of this machine');
  if (!folder.includes(':')) return;
  throw refusal(
    `${folder}: Docker takes a colon in a path for its end, so no folder of the repository could be mounted`,
  );
}

/** @throws Refusal in a folder of a repository: whoever is there means that one, and not another inside of it */
function requireNoneAbove({ folder, isNew }: Scaffold<AnswerName>['writer']): void {
  for (let above = dirname(folder); isNew && above !== dirname(above); above = dirname(above)) {
    if (!isRepository(above)) continue;
    throw new Refusal(
      `The repository is in ${above}: go there to change it, or name the folder of a new one. Nothing was written.`,
    );
  }
}

/** @throws Refusal if an older runner is to come where a repository is already, or cannot be read */
async function movedIn({ commandLine: { from }, writer: { isNew, folder }, cwd }: Scaffold<AnswerName>) {
  if (from === undefined) return undefined;
  if (from.trim() === '') throw new Refusal('--from: it needs the path of a file or a folder.');
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

/** The answers of a run: what was answered counts most, then options, the preset, and the run before. */
function answersOfRun({ saved, preset = {}, given }: Basis, answered: Answered): TypedAnswers {
  const asked = { ...impliedBy(answered, given), ...typedFrom(answerNames, answered) };
  const before = answered[nameOfRest] === 'usual' ? {} : saved;
  const builder = asked.builder ?? given.builder ?? preset.builder;
  const executor = asked.executor ?? given.executor ?? preset.executor;
  return { ...reconsider(before, builder, executor), ...preset, ...given, ...asked };
}

/** @throws Refusal if the file cannot be read, or holds no answers */
async function answersIn(file: string): Promise<TypedAnswers> {
  // The parser of YAML is loaded only where it is needed.
  return (await import('./ask/answers-file.ts')).answersIn(file);
}
