import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { readText, replaceFile } from '../common/files-on-disk.ts';
import { Refusal } from '../common/refusal.ts';
import { completeAnswers } from './answers.ts';
import { filesOf } from './files.ts';
import { planRepository, type RunnerRepository } from './plan.ts';
import { type Answers, answerNames, type TypedAnswers, typedAnswers } from './questions.ts';
import { completeRunners, runnerAnswerNames, type TypedRunner, type TypedRunners } from './runners.ts';

const section = 'generator-gitlab-runner-docker';

/** What an earlier run saved. */
export interface Saved {
  readonly answers: TypedAnswers;
  /** The runners beside the first. */
  readonly runners: TypedRunners;
}

/**
 * What an earlier run saved in `.yo-rc.json`.
 * @throws Refusal if what is there cannot be answers
 */
export function loadAnswers(folder: string): Saved {
  const saved = readStore(folder)[section] ?? {};
  if (!isRecord(saved)) throw unusable(folder, `"${section}" is not an object`);
  const runners = saved.runners ?? {};
  if (!isRecord(runners)) throw unusable(folder, '"runners" is not an object');
  const typed = Object.entries(runners).map(([name, answers]): [string, TypedRunner] => {
    if (!isRecord(answers)) throw unusable(folder, `runner "${name}" is not an object`);
    return [name, textsIn(folder, answers, runnerAnswerNames)];
  });
  return { answers: textsIn(folder, saved, answerNames), runners: Object.fromEntries(typed) };
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
    ...typedAnswers(answers),
    ...(Object.keys(runners).length > 0 ? { runners } : {}),
  };
  if (isDeepStrictEqual(store[section], typed)) return;
  replaceFile(storePath(folder), `${JSON.stringify({ ...store, [section]: typed }, null, 2)}\n`);
}

/**
 * Whether the files on disk follow the new answers, so that saving these does not run ahead of the files.
 * A file that the user kept as it was counts against it only where the changed answers show in that file.
 *
 * @param before what was saved: nothing at all, or answers that may be none any more (undefined)
 * @param kept paths of the files whose new text was not written
 */
export function filesFollow(
  after: RunnerRepository,
  before: RunnerRepository | 'nothing' | undefined,
  kept: readonly string[],
): boolean {
  if (kept.length === 0) return true;
  const files = filesOf(after);
  if (before === 'nothing') return kept.length < files.length;
  const known = new Map(before && filesOf(before).map(file => [file.path, file]));
  return files
    .filter(({ path, data }) => data && kept.includes(path))
    .every(({ path, data }) => before && isDeepStrictEqual(known.get(path)?.data?.(before), data?.(after)));
}

/** The repository that saved answers describe; undefined where they are no answers any more. */
export function planOf({ answers, runners }: Saved, name: string): RunnerRepository | undefined {
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
