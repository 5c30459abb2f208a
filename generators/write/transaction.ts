import {
  closeSync,
  existsSync,
  fchmodSync,
  fchownSync,
  fstatSync,
  fsync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { constants } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Refusal } from '../ask/refusal.ts';
import { requireInside, whyNotWritable } from './files-on-disk.ts';
import { blobId } from './git.ts';

/** One file that is to have another text, by its path in the folder. */
export interface Write {
  readonly path: string;
  /** The text that it has; undefined where there is none. */
  readonly before: string | undefined;
  /** The text that it is to have; undefined where it is to go. */
  readonly after: string | undefined;
  /** Whether a new file may be executed; one that exists keeps its mode. */
  readonly executable?: boolean;
  /** Whether only its owner may read it. */
  readonly secret?: boolean;
}

/** A file by its path from the folder's real one, with Git's blob ids of both texts; null where there is none. */
interface Move {
  readonly path: string;
  readonly before: string | null;
  readonly after: string | null;
}

/** What a run is about; beside it are the new files, `new-0`, `new-1` and so on, and copies of the old ones, `old-0` ... */
interface Journal {
  /** The process of the run. */
  readonly pid: number;
  readonly moves: readonly Move[];
}

/** The folder of a run that moves its files into place. There is one at a time. */
const sealed = '.gitlab-runner-docker.new';
/** Folders of runs that have changed nothing yet, or that have ended; the number of the process follows. */
const unsealed = '.gitlab-runner-docker.tmp-';
/** Milliseconds after which no run still writes, whatever has the number of its process by then. */
const longestRun = 60_000;

/** Ctrl-C, or another signal that ends a process, came while it wrote; that was ended first. */
export class Stopped extends Error {
  override readonly name = 'Stopped';
  /** The exit code that a shell gives a process which that signal ended. */
  readonly code: number;

  constructor(signal: NodeJS.Signals, message: string) {
    super(message);
    this.code = 128 + constants.signals[signal];
  }
}

/**
 * Writes as `writeAll` does, and lets nothing that can be held off end the process meanwhile: a matter of milliseconds.
 *
 * @returns the signal that came in that time; whoever sent it wants the process to end now
 * @throws Refusal if it cannot be done: then all is as before
 */
export async function writeUnstopped(
  folder: string,
  writes: readonly Write[],
): Promise<NodeJS.Signals | undefined> {
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  let came: NodeJS.Signals | undefined;
  const note = (signal: NodeJS.Signals) => {
    came ??= signal;
  };
  for (const signal of signals) process.on(signal, note);
  try {
    await writeAll(folder, writes);
    // Node.js tells of a signal when the event loop next looks for input, which is between two of these.
    await setImmediate();
    await setImmediate();
    return came;
  } finally {
    for (const signal of signals) process.off(signal, note);
  }
}

/**
 * Writes all of it, or nothing: also where the disk is full. A process that is killed while it writes leaves what
 * `settle` finishes, or takes back, at the next run.
 *
 * Everything is written into a folder beside, with a journal; renaming that folder seals it, and then only renames
 * within the same file system are left to do.
 *
 * A power cut is as a kill, where the file system keeps the order in which names change, as ext4, XFS and Btrfs do:
 * each new text is on the disk before the seal. What nobody has waited for may be lost then: the whole run.
 *
 * @throws Refusal if it cannot be done, or a file is not any more what it was: then all is as before
 */
export async function writeAll(folder: string, writes: readonly Write[]): Promise<void> {
  if (writes.length === 0) return;
  const made: string[] = [];
  const staging = join(folder, `${unsealed}${process.pid}`);
  try {
    made.push(...makeFolder(folder));
    rmSync(staging, { recursive: true, force: true });
    mkdirSync(staging);
    const root = realpathSync(folder);
    await stage(root, staging, writes);
    seal(root, staging);
    moveAll(root);
  } catch (error) {
    rmSync(staging, { recursive: true, force: true });
    for (const one of made) removeEmpty(one);
    throw asRefusal(folder, error as NodeJS.ErrnoException);
  }
}

/**
 * Finishes what a run that was killed had begun to write. Where files were changed since, it takes back what that run
 * had written, and leaves those as they are.
 *
 * @param mayWrite true, or the option because of which nothing may be written
 * @returns what was done, in a sentence; undefined where there was nothing to do
 * @throws Refusal if that run still writes, or if nothing may be written
 */
export function settle(folder: string, mayWrite: true | { readonly without: string }): string | undefined {
  // What is in the way of the folder is found later, and said there.
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) return undefined;
  const root = realpathSync(folder);
  const journal = readJournal(root);
  if (mayWrite !== true) {
    if (!journal) return undefined;
    throw new Refusal(
      `An earlier run in ${root} was stopped while it wrote: run again without ${mayWrite.without}, which first finishes that.`,
    );
  }
  removeLeftovers(root);
  if (!journal) return undefined;
  for (const { path } of journal.moves) requireInside(root, path);
  if (isAtWork(journal.pid, join(root, sealed))) throw new Refusal(atWork(root, journal.pid));
  // That run has ended meanwhile, by itself.
  if (!existsSync(join(root, sealed))) return undefined;
  const isChanged = journal.moves.some(
    ({ path, before, after }) => ![before, after].includes(idOf(join(root, path))),
  );
  if (isChanged) {
    undo(root, journal);
    return 'An earlier run was stopped while it wrote, and files were changed since: those stay, and what it wrote was taken back.';
  }
  moveAll(root);
  return 'An earlier run was stopped while it wrote: all of its files are written now.';
}

/** Puts all texts on the disk: each is flushed while the next one is written, so that nobody waits for each. */
async function stage(root: string, staging: string, writes: readonly Write[]): Promise<void> {
  const flushed: Promise<void>[] = [];
  const put = (name: string, text: string | undefined, mode = 0o666, like?: string) => {
    if (text === undefined) return;
    const handle = openSync(join(staging, name), 'w', mode);
    try {
      writeFileSync(handle, text);
      if (like !== undefined) makeLike(handle, like);
    } catch (error) {
      closeSync(handle);
      throw error;
    }
    flushed.push(promisify(fsync)(handle).finally(() => closeSync(handle)));
  };
  try {
    // Some of it may be secret, and a killed run leaves it where "git add" finds it.
    writeFileSync(join(staging, '.gitignore'), '*\n');
    const moves = writes.map(({ path, before, after, executable = false, secret = false }, at): Move => {
      const file = join(root, path);
      // A link stays, and what it leads to is replaced.
      const target = existsSync(file) ? realpathSync(file) : file;
      const like = before === undefined ? undefined : file;
      put(`old-${at}`, before, 0o600, like);
      put(`new-${at}`, after, secret || like ? 0o600 : executable ? 0o777 : 0o666, like);
      return { path: relative(root, target), before: idOrNull(before), after: idOrNull(after) };
    });
    const journal: Journal = { pid: process.pid, moves };
    put('journal.json', JSON.stringify(journal));
  } finally {
    // None of them is still at work where one fails.
    await Promise.allSettled(flushed);
  }
  await Promise.all(flushed);
}

/** Gives an open file the mode of another one, and its owner and group where this user may. */
function makeLike(handle: number, file: string): void {
  const { mode, uid, gid } = statSync(file);
  const own = fstatSync(handle);
  if (own.uid !== uid || own.gid !== gid) {
    try {
      fchownSync(handle, uid, gid);
    } catch {
      // Only root may give a file away, and a user only to a group of theirs.
    }
  }
  // After that, which takes special bits away.
  fchmodSync(handle, mode & 0o7777);
}

/** @throws Refusal if another run writes just now, or has written, or somebody edited a file meanwhile */
function seal(root: string, staging: string): void {
  try {
    renameSync(staging, join(root, sealed));
  } catch (error) {
    const isTaken = ['ENOTEMPTY', 'EEXIST'].includes((error as NodeJS.ErrnoException).code ?? '');
    throw isTaken ? new Refusal(atWork(root, readJournal(root)?.pid)) : error;
  }
  const changed = readJournal(root)!.moves.filter(({ path, before }) => idOf(join(root, path)) !== before);
  if (changed.length === 0) return;
  renameSync(join(root, sealed), staging);
  const [first, ...others] = changed.map(({ path }) => path);
  const more = others.length > 0 ? ` and ${others.length} more` : '';
  throw new Refusal(`Nothing was written, for somebody changed ${first}${more} meanwhile: run again.`);
}

/** Moves what is sealed into place, as far as that is not done. */
function moveAll(root: string): void {
  const journal = readJournal(root)!;
  try {
    for (const [at, { path, after }] of journal.moves.entries()) {
      const [draft, target] = [join(root, sealed, `new-${at}`), join(root, path)];
      if (after === null) rmSync(target, { force: true });
      else if (existsSync(draft)) {
        mkdirSync(dirname(target), { recursive: true });
        renameSync(draft, target);
      }
    }
  } catch (error) {
    try {
      undo(root, journal);
    } catch {
      throw new Refusal(
        `Some files are written, and others are not, for that failed: ${(error as Error).message}. Once that is mended run again, which first finishes it.`,
      );
    }
    throw error;
  }
  removeEmptyParents(
    root,
    journal.moves.filter(({ after }) => after === null),
  );
  try {
    dispose(root);
  } catch {
    // All is written; the next run takes away what is left.
  }
}

/** Takes back what was moved into place and is still as it was put there. */
function undo(root: string, { moves }: Journal): void {
  for (const [at, { path, before, after }] of moves.entries()) {
    const target = join(root, path);
    if (idOf(target) !== after || before === after) continue;
    if (before === null) rmSync(target, { force: true });
    else renameSync(join(root, sealed, `old-${at}`), target);
  }
  removeEmptyParents(
    root,
    moves.filter(({ before }) => before === null),
  );
  dispose(root);
}

/** Takes the sealed folder away: in one step, for a part of it would say something else. */
function dispose(root: string): void {
  const done = join(root, `${unsealed}${process.pid}`);
  rmSync(done, { recursive: true, force: true });
  renameSync(join(root, sealed), done);
  rmSync(done, { recursive: true, force: true });
}

function readJournal(root: string): Journal | undefined {
  const file = join(root, sealed, 'journal.json');
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    // None; or that of another run, which ended just now.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new Refusal(
      `${file} cannot be read, and says what an earlier run did not end: see what else is in that folder, and take it away.`,
    );
  }
}

function removeLeftovers(root: string): void {
  for (const name of readdirSync(root).filter(name => name.startsWith(unsealed))) {
    const left = join(root, name);
    if (!isAtWork(Number(name.slice(unsealed.length)), left)) rmSync(left, { recursive: true, force: true });
  }
}

/** Whether the process that wrote this folder still does. */
function isAtWork(pid: number, folder: string): boolean {
  const { mtimeMs } = statSync(folder, { throwIfNoEntry: false }) ?? { mtimeMs: 0 };
  if (pid === process.pid || Date.now() - mtimeMs > longestRun) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

const atWork = (root: string, pid: number | undefined) =>
  `Another run${pid === undefined ? '' : `, process ${pid},`} writes in ${root} just now: nothing was written. Run again when it has ended.`;

function idOf(file: string): string | null {
  try {
    return blobId(readFileSync(file));
  } catch {
    return null;
  }
}

const idOrNull = (text: string | undefined) => (text === undefined ? null : blobId(text));

/** @returns the folders that it made, the innermost first */
function makeFolder(folder: string): string[] {
  const first = mkdirSync(folder, { recursive: true });
  const made = first === undefined ? [] : [folder];
  while (made.length > 0 && made.at(-1) !== first) made.push(dirname(made.at(-1)!));
  return made;
}

function removeEmptyParents(root: string, moves: readonly Move[]): void {
  for (const { path } of moves) {
    for (let parent = dirname(path); parent !== '.'; parent = dirname(parent))
      removeEmpty(join(root, parent));
  }
}

function removeEmpty(folder: string): void {
  try {
    rmdirSync(folder);
  } catch {
    // It is not empty, or gone already.
  }
}

function asRefusal(folder: string, error: NodeJS.ErrnoException): Error {
  if (error instanceof Refusal) return error;
  const { code = '', path = folder, message } = error;
  if (['ENOSPC', 'EDQUOT'].includes(code)) {
    return new Refusal(
      `The disk that holds ${folder} is full: free some space there and run again; nothing was written.`,
    );
  }
  if (['EACCES', 'EPERM', 'EROFS'].includes(code))
    return new Refusal(`${whyNotWritable(path, code)}. Nothing was written.`);
  return new Refusal(
    code === 'ENOENT'
      ? `Nothing was written, for ${path} cannot be made or is gone: choose another directory, or run again.`
      : `Nothing was written, for that failed: ${message}`,
  );
}
