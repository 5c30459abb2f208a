import { join } from 'node:path';
import { readText, requireSpace, requireWritable } from '../common/files-on-disk.ts';
import { Refusal } from '../common/refusal.ts';

/** How differing files are treated, as Yeoman's options say it. */
export interface WriteOptions {
  readonly force: boolean;
  readonly bail: boolean;
  readonly dryRun: boolean;
  /** Whether there is a terminal, in which Yeoman can show each difference and ask. */
  readonly terminal: boolean;
}

/** Paths of the files whose text on disk is missing or another than the one wanted. */
export function differing(folder: string, wanted: ReadonlyMap<string, string>): string[] {
  return [...wanted].filter(([path, text]) => readText(join(folder, path)) !== text).map(([path]) => path);
}

/**
 * Checks, before the first file is written, that all can be.
 *
 * @param wanted the text of each file, by its path in the folder
 * @throws Refusal if a file would have to be overwritten without anybody having agreed, or cannot be written
 */
export function requireWayToWrite(
  folder: string,
  wanted: ReadonlyMap<string, string>,
  { force, bail, dryRun, terminal }: WriteOptions,
): void {
  const paths = differing(folder, wanted);
  const existing = paths.filter(path => readText(join(folder, path)) !== undefined);
  // With --bail Yeoman itself ends at the first difference.
  if (existing.length > 0 && !terminal && !force && !bail && !dryRun) {
    throw new Refusal(
      `Nothing was written: ${existing.join(', ')} would change. Run again in a terminal to see each difference and choose, or with --force to overwrite.`,
    );
  }
  if (dryRun) return;
  for (const path of paths) requireWritable(join(folder, path));
  const oneBlockMore = 4096;
  requireSpace(
    folder,
    paths.reduce((sum, path) => sum + Buffer.byteLength(wanted.get(path) ?? '') + oneBlockMore, 0),
  );
}
