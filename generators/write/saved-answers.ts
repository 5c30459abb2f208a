import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { completeAnswers } from '../ask/answers.ts';
import { type Answers, answerNames, type TypedAnswers, typedAnswers } from '../ask/questions.ts';
import { Refusal } from '../ask/refusal.ts';
import { completeRunners, runnerAnswerNames, type TypedRunner, type TypedRunners } from '../ask/runners.ts';
import { planRepository, type RunnerRepository } from '../plan/plan.ts';
import { readText, replaceFile } from './files-on-disk.ts';
import { packageJson } from './render.ts';

const section = 'generator-gitlab-runner-docker';

/** The version of this generator. */
export const version: string = JSON.parse(readFileSync(packageJson, 'utf8')).version;

/** What an earlier run saved. */
export interface Saved {
  readonly answers: TypedAnswers;
  /** The runners beside the first. */
  readonly runners: TypedRunners;
  /** The version of the generator that saved it; undefined before 0.2.0. */
  readonly version: string | undefined;
  /** Names of answers to questions that there are no more. */
  readonly gone: readonly string[];
}

/**
 * What an earlier run saved in `.yo-rc.json`.
 * @throws Refusal if what is there cannot be answers
 */
export function loadAnswers(folder: string): Saved {
  const saved = readStore(folder)[section] ?? {};
  if (!isRecord(saved)) throw unusable(folder, `"${section}" is not an object`);
  const { runners = {}, version: savedBy, ...answers } = saved;
  if (!isRecord(runners)) throw unusable(folder, '"runners" is not an object');
  const typed = Object.entries(runners).map(([name, answers]): [string, TypedRunner] => {
    if (!isRecord(answers)) throw unusable(folder, `runner "${name}" is not an object`);
    return [name, textsIn(folder, answers, runnerAnswerNames)];
  });
  return {
    answers: textsIn(folder, answers, answerNames),
    runners: Object.fromEntries(typed),
    version: savedBy === undefined ? undefined : String(savedBy),
    gone: Object.keys(answers).filter(name => !(answerNames as readonly string[]).includes(name)),
  };
}

function textsIn<Name extends string>(
  folder: string,
  saved: Readonly<Record<string, unknown>>,
  names: readonly Name[],
): { [N in Name]?: string } {
  const texts: { [N in Name]?: string } = {};
  for (const name of names) {
    const value = saved[name];
    if (value === undefined) continue;
    if (!['string', 'number', 'boolean'].includes(typeof value))
      throw unusable(folder, `"${name}" is not text`);
    texts[name] = String(value);
  }
  return texts;
}

/**
 * Saves the answers, beside what other generators keep in the same file.
 * A file that shows the answers already is left as it is.
 */
export function saveAnswers(folder: string, answers: Answers, runners: TypedRunners = {}): void {
  const store = readStore(folder);
  const typed = {
    version,
    ...typedAnswers(answers),
    ...(Object.keys(runners).length > 0 ? { runners } : {}),
  };
  if (isDeepStrictEqual(store[section], typed)) return;
  replaceFile(storePath(folder), `${JSON.stringify({ ...store, [section]: typed }, null, 2)}\n`);
}

/** The repository that saved answers describe; undefined where there are none, or they are none any more. */
export function planOf({ answers, runners }: Saved, name: string): RunnerRepository | undefined {
  if (Object.keys(answers).length === 0) return undefined;
  try {
    const complete = completeAnswers(answers);
    return planRepository(complete, name, completeRunners(complete, runners));
  } catch {
    return undefined;
  }
}

function storePath(folder: string): string {
  return join(folder, '.yo-rc.json');
}

function readStore(folder: string): Record<string, unknown> {
  const text = readText(storePath(folder)) ?? '{}';
  try {
    const store: unknown = JSON.parse(text);
    if (isRecord(store)) return store;
  } catch {
    throw unusable(folder, 'it is not valid JSON');
  }
  throw unusable(folder, 'it is not a JSON object');
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function unusable(folder: string, why: string): Refusal {
  return new Refusal(
    `${storePath(folder)} cannot be used, for ${why}: mend it, or delete it to answer afresh.`,
  );
}
