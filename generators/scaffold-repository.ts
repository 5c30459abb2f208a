import { readFileSync } from 'node:fs';
import { completeAnswers, reconsider, refuseIdle } from './ask/answers.ts';
import { presetNamed } from './ask/presets.ts';
import { type Answered, type Basis, repositoryPrompts, rest } from './ask/prompts.ts';
import { type AnswerName, answerNames, questions, type TypedAnswers, typedFrom } from './ask/questions.ts';
import { Refusal } from './ask/refusal.ts';
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
  const { asks, answersFile, preset, ...commandLine } = scaffold.commandLine;
  const { answers: saved, runners } = scaffold.writer.saved;
  const given = { ...(answersFile === undefined ? {} : await answersIn(answersFile)), ...commandLine.given };
  const basis = { saved, given, preset: preset === undefined ? {} : presetOf(preset), engine: undefined };
  const answered: Answered = asks
    ? await scaffold.ask(repositoryPrompts({ ...basis, engine: await scaffold.announceEngine() }))
    : {};
  const answers = completeAnswers(together(basis, answered));
  // A file of all answers has idle ones too.
  refuseIdle(commandLine.given, answers);
  return [answers, runners];
}

/** The answers of a run: what was answered counts most, then options, the preset, and the run before. */
function together({ saved, preset = {}, given }: Basis, answered: Answered): TypedAnswers {
  const asked = typedFrom(answerNames, answered);
  const before = answered[rest] === 'usual' ? {} : saved;
  const builder = asked.builder ?? given.builder ?? preset.builder;
  return { ...reconsider(before, builder), ...preset, ...given, ...asked };
}

function presetOf(name: string): TypedAnswers {
  try {
    return presetNamed(name);
  } catch (error) {
    throw new Refusal(`--preset: ${(error as Error).message}`);
  }
}

/** @throws Refusal if the file cannot be read, or holds no answers */
async function answersIn(file: string): Promise<TypedAnswers> {
  const { readAnswers } = await import('./ask/answers-file.ts');
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new Refusal(`--answers: ${file} cannot be read (${(error as NodeJS.ErrnoException).code}).`);
  }
  return readAnswers(text, file);
}
