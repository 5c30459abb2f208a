import {
  accessSync,
  constants,
  existsSync,
  lstatSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  statfsSync,
  statSync,
} from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { Refusal } from '../ask/refusal.ts';

/** Keeps a byte order mark, and all else: whatever it reads is written back byte for byte. */
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * The text of a file, or undefined where there is none.
 * @throws Refusal if what is there cannot be read as a file of text
 */
export function readText(file: string): string | undefined {
  try {
    if (isSpecial(file))
      throw new Refusal(`${file} is no file, but a pipe or a device: move it away and run again.`);
    return utf8.decode(readFileSync(file));
  } catch (error) {
    if (error instanceof Refusal) throw error;
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ERR_ENCODING_INVALID_ENCODED_DATA')
      throw new Refusal(`${file} is not in UTF-8: convert it, or move it away, and run again.`);
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    if (code === 'EISDIR')
      throw new Refusal(`${file} is a folder, and a file should be there: move it away and run again.`);
    throw new Refusal(`${file} cannot be read (${code}): change its permissions and run again.`);
  }
}

/** A pipe, or a device such as /dev/zero, which a link may lead to: reading it may never end. */
export function isSpecial(file: string): boolean {
  const stat = statSync(file);
  return !stat.isFile() && !stat.isDirectory();
}

/**
 * @param path a path in the folder
 * @throws Refusal if it leads out of the folder, or a symbolic link on the way does, or leads nowhere
 */
export function requireInside(folder: string, path: string): void {
  if (!existsSync(folder)) return;
  const root = realpathSync(folder);
  const parts = path.split('/');
  if (parts.includes('..')) throw new Refusal(`${path} is not in ${root}: nothing was written.`);
  for (const at of parts.keys()) {
    const step = join(root, ...parts.slice(0, at + 1));
    if (!isLink(step)) continue;
    const target = resolve(dirname(step), readlinkSync(step));
    const real = existsSync(target) ? realpathSync(target) : target;
    if (!existsSync(target) || relative(root, real).startsWith('..')) {
      throw new Refusal(
        `${relative(root, step)} is a symbolic link to ${target}, which is not in ${root}: nothing was written. Take the link away and run again.`,
      );
    }
  }
}

function isLink(path: string): boolean {
  try {
    return lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true;
  } catch {
    // A file is in the place of a folder, which is found later.
    return false;
  }
}

/**
 * @param folder an absolute path, which need not exist yet
 * @throws Refusal if it cannot be that of a folder which this user may read
 */
export function requireFolder(folder: string): void {
  const parts = resolve(folder).split('/').slice(1);
  for (const at of parts.keys()) {
    const step = `/${parts.slice(0, at + 1).join('/')}`;
    if (!requireStep(step, at === parts.length - 1)) return;
  }
}

/** @returns whether a folder is there; of one on the way it need not be known what is in it */
function requireStep(step: string, isLast: boolean): boolean {
  const why = (sentence: string) =>
    new Refusal(`${sentence}, or name another directory. Nothing was written.`);
  try {
    const there = statSync(step, { throwIfNoEntry: false });
    if (!there && isLink(step)) {
      const target = resolve(dirname(step), readlinkSync(step));
      throw why(`${step} is a symbolic link to ${target}, and nothing is there: take it away`);
    }
    if (!there) return false;
    if (!there.isDirectory()) throw why(`${step} is a file, and a folder should be there: move it away`);
    accessSync(step, isLast ? constants.R_OK | constants.X_OK : constants.X_OK);
    return true;
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    if (code === 'ELOOP') throw why(`${step} is a symbolic link that leads back to itself: take it away`);
    if (code === 'EACCES' || code === 'EPERM') throw why(`You may not read ${step}: change its permissions`);
    if (code !== 'ENAMETOOLONG') throw error;
    throw new Refusal(
      `${step} is longer than a name may be there: name another directory. Nothing was written.`,
    );
  }
}

/** @throws Refusal if a file of this path could not be written, whether it exists or not */
export function requireWritable(file: string): void {
  const existing = nearestExisting(file);
  if (existing !== file && !statSync(existing).isDirectory()) {
    throw new Refusal(`${existing} is a file, and a folder should be there: move it away and run again.`);
  }
  // A file is replaced, by its folder.
  for (const one of existing === file ? [existing, dirname(existing)] : [existing]) {
    try {
      accessSync(one, constants.W_OK);
    } catch (error) {
      throw new Refusal(`${whyNotWritable(one, (error as NodeJS.ErrnoException).code)}.`);
    }
  }
}

/** Why nothing can be written there, and what helps, in a sentence without its end. */
export function whyNotWritable(path: string, code: string | undefined): string {
  return code === 'EROFS'
    ? `${path} is on a file system that takes no changes: choose another directory`
    : `You may not write to ${path}: change its permissions, or choose another directory`;
}

/**
 * @param bytes what is about to be written below the folder, which need not exist yet
 * @throws Refusal if the disk has less free: a file that is cut off halfway has lost what it held before
 */
export function requireSpace(folder: string, bytes: number): void {
  const existing = nearestExisting(folder);
  const { bavail, blocks, bsize, files, ffree } = statfsSync(existing);
  // That of no disk, as /proc, counts nothing.
  if (blocks === 0) return;
  if (bavail * bsize < bytes || (files > 0 && ffree < 64)) {
    throw new Refusal(
      `The disk that holds ${existing} is full: free ${Math.ceil(bytes / 1024)} KiB there and run again; nothing was written.`,
    );
  }
}

function nearestExisting(path: string): string {
  return existsSync(path) ? path : nearestExisting(dirname(path));
}
