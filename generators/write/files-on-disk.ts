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
    // Of a pipe or a device nobody knows when it ends.
    const kind = statSync(file);
    if (!kind.isFile() && !kind.isDirectory())
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
    return lstatSync(path).isSymbolicLink();
  } catch {
    // Nothing is there, or a file in the place of a folder, which is found later.
    return false;
  }
}

/** @throws Refusal if a file of this path could not be written, whether it exists or not */
export function requireWritable(file: string): void {
  const existing = nearestExisting(file);
  if (existing !== file && !statSync(existing).isDirectory()) {
    throw new Refusal(`${existing} is a file, and a folder should be there: move it away and run again.`);
  }
  try {
    accessSync(existing, constants.W_OK);
    // A file is replaced, by its folder.
    if (existing === file) accessSync(dirname(existing), constants.W_OK);
  } catch {
    throw new Refusal(
      `You may not write to ${existing}: change its permissions, or choose another directory.`,
    );
  }
}

/**
 * @param bytes what is about to be written below the folder, which need not exist yet
 * @throws Refusal if the disk has less free: a file that is cut off halfway has lost what it held before
 */
export function requireSpace(folder: string, bytes: number): void {
  const existing = nearestExisting(folder);
  const { bavail, bsize, files, ffree } = statfsSync(existing);
  if (bavail * bsize < bytes || (files > 0 && ffree < 64)) {
    throw new Refusal(
      `The disk that holds ${existing} is full: free ${Math.ceil(bytes / 1024)} KiB there and run again; nothing was written.`,
    );
  }
}

function nearestExisting(path: string): string {
  return existsSync(path) ? path : nearestExisting(dirname(path));
}
