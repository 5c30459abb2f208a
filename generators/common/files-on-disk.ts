import {
  existsSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { Refusal } from './refusal.ts';

/** The text of a file, or undefined where there is none. */
export function readText(file: string): string | undefined {
  return existsSync(file) ? readFileSync(file, 'utf8') : undefined;
}

/**
 * @param bytes what is about to be written below the folder, which need not exist yet
 * @throws Refusal if the disk has less free: a file that is cut off halfway has lost what it held before
 */
export function requireSpace(folder: string, bytes: number): void {
  let existing = folder;
  while (!existsSync(existing)) existing = dirname(existing);
  const { bavail, bsize, files, ffree } = statfsSync(existing);
  if (bavail * bsize < bytes || (files > 0 && ffree < 64)) {
    throw new Refusal(
      `The disk that holds ${existing} is full: free ${Math.ceil(bytes / 1024)} KiB there and run again; nothing was written.`,
    );
  }
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
