import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { completeAnswers } from '../ask/answers.ts';
import { type Answers, answerNames, type TypedAnswers, typedAnswers } from '../ask/questions.ts';
import { Refusal } from '../ask/refusal.ts';
import { completeRunners, runnerAnswerNames, type TypedRunner, type TypedRunners } from '../ask/runners.ts';
import { isMapping, type Mapping } from '../mapping.ts';
import { isComposeProject, planRepository, type RunnerRepository } from '../plan/plan.ts';
import type { AllWritten, Written } from './changes.ts';
import { readText } from './files-on-disk.ts';
import { formOf } from './form.ts';
import { packageJson } from './render.ts';

const section = 'generator-gitlab-runner-docker';

/** The version of this generator. */
export const generatorVersion: string = JSON.parse(readFileSync(packageJson, 'utf8')).version;

/** What an earlier run saved. */
export interface Saved {
  readonly answers: TypedAnswers;
  /** The runners beside the first. */
  readonly runners: TypedRunners;
  /** The version of the generator that saved it; undefined before 0.2.0. */
  readonly version: string | undefined;
  /** What the repository goes by, from the folder of its first run; undefined before 0.2.0. */
  readonly name: string | undefined;
  /** Names of answers to questions that there are no more. */
  readonly gone: readonly string[];
  /** What it wrote; undefined where the version that saved it did not yet keep that. */
  readonly written: AllWritten | undefined;
}

/**
 * What an earlier run saved in `.yo-rc.json`.
 * @throws Refusal if what is there cannot be answers
 */
export function loadAnswers(folder: string): Saved {
  const saved = readStore(folder)[section] ?? {};
  if (!isMapping(saved)) throw unusable(folder, `"${section}" is not an object`);
  const { runners = {}, version: savedBy, name, files, bases, moved, ...answers } = saved;
  if (!isMapping(runners)) throw unusable(folder, '"runners" is not an object');
  const typed = Object.entries(runners).map(([name, answers]): [string, TypedRunner] => {
    if (!isMapping(answers)) throw unusable(folder, `runner "${name}" is not an object`);
    return [name, textsIn(folder, answers, runnerAnswerNames)];
  });
  return {
    answers: textsIn(folder, answers, answerNames),
    runners: Object.fromEntries(typed),
    version: savedBy === undefined ? undefined : String(savedBy),
    name: nameIn(folder, name),
    gone: Object.keys(answers).filter(name => !(answerNames as readonly string[]).includes(name)),
    written: files === undefined ? undefined : writtenIn(folder, { files, bases, moved }),
  };
}

function nameIn(folder: string, name: unknown): string | undefined {
  if (name === undefined || (typeof name === 'string' && isComposeProject(name))) return name;
  throw unusable(folder, '"name" is no name of a Compose project');
}

/** Whether a run wrote a repository into that folder; false where nobody can tell. */
export function isRepository(folder: string): boolean {
  try {
    return readStore(folder)[section] !== undefined;
  } catch {
    return false;
  }
}

/** What is known of each file, from three lists by their paths: blob ids, those of older texts, and new places. */
function writtenIn(
  folder: string,
  lists: Readonly<Record<'files' | 'bases' | 'moved', unknown>>,
): AllWritten {
  const ids = pathsIn(folder, 'files', lists.files, isId);
  const bases = pathsIn(folder, 'bases', lists.bases, isId);
  const moved = pathsIn(folder, 'moved', lists.moved, isPath);
  return new Map(
    [...ids].map(([path, id]): [string, Written] => {
      const [base, movedTo] = [bases.get(path), moved.get(path)];
      return [path, { id, ...(base && { base }), ...(movedTo && { movedTo }) }];
    }),
  );
}

/** A file that is named here can be replaced, or removed: so no path may lead out of the folder, nor into Git's own. */
const isPath = (text: string) =>
  !text.startsWith('/') && text.split(/[/\\]/).every(part => !['', '.', '..', '.git'].includes(part));
const isId = (text: string) => /^[0-9a-f]{40}$/.test(text);

function pathsIn(
  folder: string,
  name: string,
  saved: unknown = {},
  isValid: (text: string) => boolean,
): Map<string, string> {
  const entries = isMapping(saved) ? Object.entries(saved) : undefined;
  if (!entries?.every(([path, text]) => isPath(path) && typeof text === 'string' && isValid(text)))
    throw unusable(folder, `"${name}" is not as a run of this generator leaves it`);
  return new Map(entries as [string, string][]);
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
 * The text of `.yo-rc.json` with the answers, beside what other generators keep in the same file, before and after.
 * One that shows them already is left as it is.
 */
export function savedText(
  folder: string,
  name: string,
  answers: Answers,
  runners: TypedRunners,
  written: AllWritten,
): { readonly before: string | undefined; readonly after: string } {
  const store = readStore(folder);
  const list = (name: keyof Written) =>
    [...written].flatMap(([path, known]) => (known[name] === undefined ? [] : [[path, known[name]]]));
  const lists = { runners: Object.entries(runners), bases: list('base'), moved: list('movedTo') };
  const typed = {
    version: generatorVersion,
    name,
    ...typedAnswers(answers),
    ...Object.fromEntries(
      Object.entries(lists).flatMap(([name, entries]) =>
        entries.length > 0 ? [[name, Object.fromEntries(entries)]] : [],
      ),
    ),
    files: Object.fromEntries(list('id')),
  };
  const before = readText(storePath(folder));
  const isThere = before !== undefined && isDeepStrictEqual(store[section], typed);
  const after = `${JSON.stringify({ ...store, [section]: typed }, null, 2)}\n`;
  return { before, after: isThere ? before : formOf(before ?? '').give(after) };
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

/** The file of the answers, which all generators of Yeoman have. */
export const storeName = '.yo-rc.json';

function storePath(folder: string): string {
  return join(folder, storeName);
}

function readStore(folder: string): Mapping {
  const text = formOf(readText(storePath(folder)) ?? '{}').plain;
  try {
    const store: unknown = JSON.parse(text);
    if (isMapping(store)) return store;
  } catch {
    throw unusable(folder, 'it is not valid JSON');
  }
  throw unusable(folder, 'it is not a JSON object');
}

function unusable(folder: string, why: string): Refusal {
  return new Refusal(
    `${storePath(folder)} cannot be used, for ${why}: mend it, or delete it to answer afresh.`,
  );
}
