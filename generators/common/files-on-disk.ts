import {
  accessSync,
  constants,
  existsSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statfsSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { Refusal } from './refusal.ts';

/**
 * The text of a file, or undefined where there is none.
 * @throws Refusal if what is there cannot be read as a file
 */
export function readText(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    if (code === 'EISDIR')
      throw new Refusal(`${file} is a folder, and a file should be there: move it away and run again.`);
    throw new Refusal(`${file} cannot be read (${code}): change its permissions and run again.`);
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

/** Replaces a file in one step: a reader, or a crash, finds the old text or the new, never a part. */
export function replaceFile(file: string, text: string): void {
  const folder = mkdtempSync(join(dirname(file), '.new-'));
  try {
    const draft = join(folder, 'draft');
    writeFileSync(draft, text);
    renameSync(draft, file);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
