import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { readText, replaceFile } from '../common/files-on-disk.ts';
import { Refusal } from '../common/refusal.ts';
import { completeAnswers, usable } from './answers.ts';
import { filesOf } from './files.ts';
import { planRepository, type RunnerRepository } from './plan.ts';
import { type Answers, answerNames, asTyped, type TypedAnswers } from './questions.ts';

const section = 'generator-gitlab-runner-docker';

/**
 * The answers that an earlier run saved in `.yo-rc.json`.
 * @throws Refusal if what is there cannot be answers
 */
export function loadAnswers(folder: string): TypedAnswers {
  const saved = readStore(folder)[section] ?? {};
  if (!isRecord(saved)) throw unusable(folder, `"${section}" is not an object`);
  const typed: TypedAnswers = {};
  for (const name of answerNames) {
    const value = saved[name];
    if (value === undefined) continue;
    if (!['string', 'number', 'boolean'].includes(typeof value))
      throw unusable(folder, `"${name}" is not text`);
    typed[name] = String(value);
  }
  return typed;
}

/**
 * Saves the answers, beside what other generators keep in the same file.
 * A file that shows the answers already is left as it is.
 */
export function saveAnswers(folder: string, answers: Answers): void {
  const store = readStore(folder);
  const typed = Object.fromEntries(answerNames.map(name => [name, asTyped(name, answers[name])]));
  if (isDeepStrictEqual(store[section], typed)) return;
  replaceFile(storePath(folder), `${JSON.stringify({ ...store, [section]: typed }, null, 2)}\n`);
}

/**
 * Whether the files on disk follow the new answers, so that saving these does not run ahead of the files.
 * A file that the user kept as it was counts against it only where the changed answers show in that file.
 *
 * @param kept paths of the files whose new text was not written
 */
export function filesFollow(
  answers: Answers,
  saved: TypedAnswers,
  kept: readonly string[],
  name: string,
): boolean {
  if (kept.length === 0) return true;
  const before = planOf(usable(saved), name);
  const after = planRepository(answers, name);
  const files = filesOf(after);
  if (Object.keys(saved).length === 0) return kept.length < files.length;
  return files
    .filter(({ path, data }) => data && kept.includes(path))
    .every(({ data }) => before && isDeepStrictEqual(data?.(before), data?.(after)));
}

/** The repository that saved answers describe; undefined where they are no answers any more. */
export function planOf(saved: TypedAnswers, name: string): RunnerRepository | undefined {
  try {
    return planRepository(completeAnswers(saved), name);
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
