import { accessSync, constants, existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Refusal, reasonOfParser } from '../ask/refusal.ts';
import { readText, requireInside, requireSpace, requireWritable } from './files-on-disk.ts';
import { formOf } from './form.ts';
import { blobId } from './git.ts';
import type { Lines } from './merge.ts';

/** What is known of a file that an earlier run wrote. */
export interface Written {
  /** Git's blob id of the text that the templates gave; undefined where only the path is known. */
  readonly id: string | undefined;
  /** Of a file that was merged then: the id of the last text of the templates that was written as it is, so that Git may have it. */
  readonly base?: string;
  /** Where the owner has moved it. */
  readonly movedTo?: string;
}

/** What earlier runs wrote, by the paths that the generator has for it. */
export type AllWritten = ReadonlyMap<string, Written>;

/** What a run means for one file of the folder. */
export interface Change {
  /** The path that the generator has for it, and that where it is. */
  readonly path: string;
  readonly place: string;
  readonly kind: Kind;
  /** The text that it had, and that it is to have; undefined where there is none. */
  readonly before: string | undefined;
  readonly text: string | undefined;
  /** Lines of `text` at which marks of a conflict begin; with --force those are not there. */
  readonly conflicts: readonly number[];
  /** Lines of `before` that the owner wrote, and that --force takes away. */
  readonly lost: readonly Lines[];
  /** What the next run has to know of it; undefined where it is nothing. */
  readonly written: Written | undefined;
}

/** In the order in which they are shown. */
export const kinds = [
  'create',
  'change',
  /** Has changes of the owner, and new ones. */
  'merge',
  /** Not wanted any more, and as it was written. */
  'remove',
  'same',
  /** Has changes of the owner, and nothing new. */
  'keep',
  /** Not wanted any more, and changed or moved by the owner: it stays. */
  'unused',
  /** The owner took it away: it stays so. */
  'deleted',
  /** Changed by the owner, from a text that is not known any more: it stays, and the new text is shown. */
  'unknown',
  /** The owner and the generator changed the same lines. */
  'conflict',
  /** There, and not of this generator. */
  'foreign',
] as const;
export type Kind = (typeof kinds)[number];

/** The one file that scripts of version 0.1.0 wrote: it held the runner's token. */
export const configPath = 'config/config.toml';

/** What changes are compared with. */
export interface Earlier {
  readonly written: AllWritten;
  /** The paths that the answers before wanted; undefined where that is not known. */
  readonly wanted: ReadonlySet<string> | undefined;
  /** The text of that blob id, where it is to be had. */
  readonly textOf: (id: string) => string | undefined;
  /** Whether to take the new lines where both changed the same, now or in an earlier run. */
  readonly force: boolean;
}

/**
 * Compares what is on disk with what is to be there. Reads only.
 *
 * @param wanted the text of each file, by its path in the folder
 * @throws Refusal if a file cannot be read, or leads out of the folder, or holds a token, or marks of a conflict
 */
export async function changesIn(
  folder: string,
  wanted: ReadonlyMap<string, string>,
  earlier: Earlier,
): Promise<Change[]> {
  const { written } = earlier;
  const paths = [...new Set([...wanted.keys(), ...written.keys()])].sort();
  const movedTo = paths.flatMap(path => written.get(path)?.movedTo ?? []);
  for (const path of [...paths, ...movedTo, '.yo-rc.json']) requireInside(folder, path);
  requireNoToken(folder, written.has(configPath));
  const places = new Map(paths.map(path => [path, placeOf(folder, path, written.get(path))]));
  const read = (path: string) => readText(join(folder, places.get(path)!));
  const texts = new Map(paths.map(path => [path, read(path)]));
  const isGone = [...written.keys()].every(path => texts.get(path) === undefined);
  const missing = [...written].filter(
    ([path]) => !isGone && texts.get(path) === undefined && wanted.has(path),
  );
  for (const [path, place] of movedFiles(folder, missing, new Set([...paths, ...places.values()]))) {
    places.set(path, place);
    texts.set(path, read(path));
  }
  const files = paths.map(path => {
    const [place, before] = [places.get(path)!, texts.get(path)];
    // What was not wanted was not taken from the answers: a run itself names the command that removes it.
    const isOver = before === undefined && earlier.wanted?.has(path) === false;
    const known = isGone || isOver ? undefined : written.get(path);
    return { path, place, before, known: known && at(place, path, known) };
  });
  await requireNoMarks(files, wanted, earlier.force);
  const changes = files.map(async file => {
    const text = wanted.get(file.path);
    return text === undefined ? unwantedChange(file) : [await changeOf(file, text, earlier)];
  });
  return (await Promise.all(changes)).flat();
}

/** One file as it is, and what is known of it. */
interface FileNow {
  readonly path: string;
  readonly place: string;
  readonly before: string | undefined;
  readonly known: Written | undefined;
}

/** Where the file is as far as that is known: one that was moved may have been moved back. */
function placeOf(folder: string, path: string, written: Written | undefined): string {
  const movedTo = written?.movedTo;
  return movedTo !== undefined && existsSync(join(folder, movedTo)) ? movedTo : path;
}

const at = (place: string, path: string, { movedTo: _, ...written }: Written): Written =>
  place === path ? written : { ...written, movedTo: place };

function unwantedChange({ known, ...file }: FileNow): Change[] {
  if (file.before === undefined || known === undefined) return [];
  const isOurs = file.path === file.place && blobId(formOf(file.before).plain) === known.id;
  return [
    isOurs
      ? { ...file, kind: 'remove', text: undefined, conflicts: [], lost: [], written: undefined }
      : { ...file, kind: 'unused', text: file.before, conflicts: [], lost: [], written: known },
  ];
}

async function changeOf(
  { known, ...file }: FileNow,
  text: string,
  { textOf, force }: Earlier,
): Promise<Change> {
  const { before, path, place } = file;
  const id = blobId(text);
  const asItIs = { ...file, text, conflicts: [], lost: [], written: at(place, path, { id }) };
  const left = { ...file, text: before, conflicts: [], lost: [], written: known };
  if (before === undefined) return known ? { ...left, kind: 'deleted' } : { ...asItIs, kind: 'create' };
  const { plain, give } = formOf(before);
  if (plain === text) return { ...asItIs, text: before, kind: 'same' };
  if (known === undefined) return { ...asItIs, kind: 'foreign' };
  const inForm = { ...asItIs, text: give(text) };
  const { linesNotIn, merge, togetherFor, unmark } = await import('./merge.ts');
  const unmarked = force ? unmark(plain) : undefined;
  const owners = unmarked?.text ?? plain;
  const isMarked = owners !== plain;
  if (known.id === id && !isMarked) return { ...left, kind: 'keep' };
  if (known.id === blobId(plain)) return { ...inForm, kind: 'change' };
  const base = firstOf([known.id, known.base], textOf);
  if (base === undefined) {
    const lost = linesNotIn(plain, text);
    return force ? { ...inForm, kind: 'conflict', lost } : { ...left, kind: 'unknown' };
  }
  const { marked, forced, conflicts, lost } = merge(base, owners, text, await togetherFor(path));
  const merged = force ? forced : marked;
  const kind = conflicts.length > 0 || isMarked ? 'conflict' : merged === plain ? 'keep' : 'merge';
  const older = known.base ?? known.id;
  const mixed = older === undefined || older === id || merged === text ? { id } : { id, base: older };
  return {
    ...{ ...file, kind, text: merged === plain ? before : give(merged), conflicts: force ? [] : conflicts },
    lost: unmarked ? [...unmarked.lost, ...lost.map(unmarked.origin)] : [],
    written: at(place, path, mixed),
  };
}

function firstOf(ids: readonly (string | undefined)[], textOf: Earlier['textOf']): string | undefined {
  for (const id of ids) {
    const text = id === undefined ? undefined : textOf(id);
    if (text !== undefined) return text;
  }
  return undefined;
}

/** Where files are that the owner moved: the one file of the folder that is, byte for byte, what was written. */
function movedFiles(
  folder: string,
  missing: readonly (readonly [string, Written])[],
  others: ReadonlySet<string>,
): [path: string, place: string][] {
  if (missing.length === 0) return [];
  const ids = new Map<string, string[]>();
  for (const place of filesBelow(folder, '')) {
    if (others.has(place)) continue;
    const id = idOf(join(folder, place));
    if (id === undefined) continue;
    ids.set(id, [...(ids.get(id) ?? []), place]);
  }
  return missing.flatMap(([path, { id = '' }]): [string, string][] => {
    const places = ids.get(id) ?? [];
    // Of two files with the same text nobody knows which is which.
    const isClear = places.length === 1 && missing.filter(([, other]) => other.id === id).length === 1;
    return isClear ? [[path, places[0]!]] : [];
  });
}

/** The id of what is in a file, apart from its form; undefined where it cannot be one of the generator's. */
function idOf(file: string): string | undefined {
  try {
    return blobId(formOf(readText(file) ?? '').plain);
  } catch {
    return undefined;
  }
}

/** Bytes of the largest file that could be one of the generator's. */
const largest = 1_000_000;

/** The files of a folder that may be read, but for those of Git and of packages. */
function* filesBelow(folder: string, below: string): Generator<string> {
  let entries: ReturnType<typeof entriesOf>;
  try {
    entries = entriesOf(join(folder, below));
  } catch {
    // Closed to this user, as a folder that a container wrote may be.
    return;
  }
  for (const entry of entries) {
    const path = below === '' ? entry.name : `${below}/${entry.name}`;
    if (entry.isDirectory() && !['.git', 'node_modules'].includes(entry.name))
      yield* filesBelow(folder, path);
    else if (entry.isFile() && isReadable(join(folder, path))) yield path;
  }
}

const entriesOf = (folder: string) => readdirSync(folder, { withFileTypes: true });

function isReadable(file: string): boolean {
  try {
    accessSync(file, constants.R_OK);
    return statSync(file).size <= largest;
  } catch {
    return false;
  }
}

/** Whether a run writes the file, or takes it away. */
export const isWritten = ({ before, text }: Change): boolean => before !== text;

/**
 * Checks, before the first file is written, that all can be.
 * @throws Refusal that says what is in the way
 */
export async function requireWay(folder: string, changes: readonly Change[]): Promise<void> {
  const written = changes.filter(isWritten);
  for (const { place } of written) requireWritable(join(folder, place));
  const oneBlockMore = 4096;
  const sizes = written.flatMap(({ before = '', text = '' }) =>
    [before, text].map(one => Buffer.byteLength(one)),
  );
  requireSpace(
    folder,
    sizes.reduce((sum, size) => sum + size + oneBlockMore, 0),
  );
  const isMixed = ({ kind, conflicts }: Change) =>
    ['merge', 'conflict'].includes(kind) && conflicts.length === 0;
  const config = written.find(change => change.path === configPath && isMixed(change));
  if (!config) return;
  // What the templates alone give needs no look at it.
  const { parse } = await import('smol-toml');
  try {
    parse(formOf(config.text ?? '').plain);
  } catch (error) {
    throw new Refusal(
      `${configPath} would be no TOML with your changes and the new ones (${reasonOfParser(error)}): nothing was written. Mend it and run again.`,
    );
  }
}

/** @throws Refusal if an earlier run marked conflicts that nobody has resolved: in such a text nothing is merged */
async function requireNoMarks(
  files: readonly FileNow[],
  wanted: ReadonlyMap<string, string>,
  force: boolean,
): Promise<void> {
  const plain = files
    .filter(({ path, known }) => known !== undefined && wanted.has(path))
    .map(({ path, place, before = '' }) => ({ path, place, before: formOf(before).plain }));
  const changed = plain.filter(({ path, before }) => before !== wanted.get(path));
  if (changed.length === 0) return;
  const { lineOfMarks, withNewLines } = await import('./merge.ts');
  const marked = changed.flatMap(({ place, before }) => {
    const line = lineOfMarks(force ? withNewLines(before) : before);
    return line === undefined ? [] : [`${place} (line ${line})`];
  });
  if (marked.length === 0) return;
  const remedy = force
    ? 'they are not whole any more, so that --force cannot tell which lines are the new ones: take them away'
    : 'choose between "yours" and "new" there and take the marks away, or give --force, which takes the new lines';
  throw new Refusal(
    `Nothing was written, for the marks of an earlier conflict are still in ${marked.join(', ')}: ${remedy}. Then run again.`,
  );
}

/**
 * @param isOurs whether a run of this generator wrote it, and not `make register` of version 0.1.0
 * @throws Refusal if config.toml holds a token: it may be in no other place
 */
function requireNoToken(folder: string, isOurs: boolean): void {
  const file = join(folder, configPath);
  let text: string | undefined;
  try {
    text = readText(file);
  } catch (error) {
    if (isOurs) throw error;
    // Root's, and closed to others: as 0.1.0 left it.
    text = 'token = ""';
  }
  if (!/^\s*token\s*=\s*["'](?!\$)/m.test(text ?? '')) return;
  const isOne = (text?.match(/^\s*token\s*=/gm) ?? []).length < 2;
  const byHand = [
    'Write each into .env (mode 0600) under the name that scripts/settings.ts gives it as tokenVariable, and here',
    'token = "${THAT_NAME}" in its place. If Git has the file so: make register ARGS=--rotate. Then run again.',
  ];
  const byCommand = [
    'Move the token to .env and the file aside, then run again:',
    `  (umask 077 && sudo sed -n 's/^ *token = "\\([^$"]*\\)"/RUNNER_TOKEN=\\1/p' ${configPath} >>.env)`,
    `  sudo mv ${configPath} "$HOME/"`,
  ];
  throw new Refusal(
    [
      `${configPath} holds the token of a runner, and is never replaced: nothing was written.`,
      ...(isOurs || !isOne ? byHand : byCommand),
    ].join('\n'),
  );
}
