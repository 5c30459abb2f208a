import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { readText, replaceFile } from '../common/files-on-disk.ts';
import { Refusal } from '../common/refusal.ts';
import { files } from './files.ts';
import { planRepository } from './plan.ts';
import { type AnswerName, type Answers, answerNames, asTyped, completeAnswers } from './questions.ts';

const section = 'generator-gitlab-runner-docker';

/** Answers as they are typed, by name; the ones that were never given are missing. */
export type TypedAnswers = { [Name in AnswerName]?: string };

/**
 * The answers that an earlier run saved in `.yo-rc.json`.
 * @throws Refusal if the file cannot be read as JSON
 */
export function loadAnswers(folder: string): TypedAnswers {
  const saved = readStore(folder)[section];
  if (typeof saved !== 'object' || saved === null) return {};
  const entries = Object.entries(saved).filter(([name]) => (answerNames as readonly string[]).includes(name));
  return Object.fromEntries(entries.map(([name, value]) => [name, String(value)]));
}

/**
 * Saves the answers, beside what other generators keep in the same file.
 * A file that shows the answers already is left as it is.
 */
export function saveAnswers(folder: string, answers: Answers): void {
  const store = readStore(folder);
  const typed = Object.fromEntries(answerNames.map(name => [name, asTyped(answers[name])]));
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
  if (Object.keys(saved).length === 0) return kept.length < files.length;
  const before = planRepository(completeAnswers(saved), name);
  const after = planRepository(answers, name);
  return files
    .filter(file => kept.includes(file.path))
    .every(file => isDeepStrictEqual(file.data?.(before), file.data?.(after)));
}

function storePath(folder: string): string {
  return join(folder, '.yo-rc.json');
}

function readStore(folder: string): Record<string, unknown> {
  const text = readText(storePath(folder));
  if (text === undefined) return {};
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    throw new Refusal(`${storePath(folder)} is not valid JSON: mend it, or delete it to answer afresh.`);
  }
}
