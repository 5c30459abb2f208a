import { join } from 'node:path';
import { parse } from 'smol-toml';
import { Refusal } from '../ask/refusal.ts';
import { readText, requireInside, requireSpace, requireWritable } from './files-on-disk.ts';
import { type Conflict, merge } from './merge.ts';

/** What a run means for one file of the folder. */
export interface Change {
  readonly path: string;
  /**
   * `same` needs no writing, `kept` has changes of the owner and none of the generator, `deleted` was taken away by the
   * owner; of a `foreign` one the generator knows nothing.
   */
  readonly kind: 'create' | 'change' | 'merge' | 'same' | 'kept' | 'deleted' | 'foreign';
  /** The text that it had, and that it is to have. */
  readonly before: string | undefined;
  readonly text: string;
  readonly conflicts: readonly Conflict[];
}

/** The texts of an earlier run, by their paths. */
export interface Base {
  readonly texts: ReadonlyMap<string, string>;
  /** Whether another version wrote them, so that only their paths are known. */
  readonly isOfOtherVersion: boolean;
}

/** The one file that scripts of version 0.1.0 wrote: it held the runner's token. */
export const configPath = 'config/config.toml';

/** A base of which no line is in any text: then each difference is a conflict. */
const noText = '\0';

/** Files in which the generator and the owner add blocks at the same place. */
const lists = [configPath, 'scripts/settings.ts'];

/**
 * Compares what is on disk with what is to be there. Reads only.
 *
 * @param wanted the text of each file, by its path in the folder
 * @throws Refusal if a file cannot be read, or leads out of the folder, or holds a token
 */
export function changesIn(folder: string, wanted: ReadonlyMap<string, string>, base: Base): Change[] {
  for (const path of [...wanted.keys(), '.yo-rc.json']) requireInside(folder, path);
  requireNoToken(folder);
  const onDisk = new Map([...wanted.keys()].map(path => [path, readText(join(folder, path))]));
  const isGone = [...base.texts.keys()].every(path => onDisk.get(path) === undefined);
  return [...wanted].map(([path, text]) => {
    const before = onDisk.get(path);
    const old = base.texts.get(path);
    const change = { path, before, text, conflicts: [] };
    if (before === undefined) {
      const isDeleted = old !== undefined && !base.isOfOtherVersion && !isGone;
      return { ...change, kind: isDeleted ? 'deleted' : 'create' };
    }
    if (before === text) return { ...change, kind: 'same' };
    if (old === undefined) return { ...change, kind: 'foreign' };
    if (before === old && !base.isOfOtherVersion) return { ...change, kind: 'change' };
    const merged = base.isOfOtherVersion
      ? merge(noText, before, text)
      : merge(old, before, text, lists.includes(path));
    return { ...change, ...merged, kind: merged.text === before ? 'kept' : 'merge' };
  });
}

/** Whether a run writes the file. */
export const isWritten = ({ kind }: Change): boolean =>
  ['create', 'change', 'merge', 'foreign'].includes(kind);

/**
 * Checks, before the first file is written, that all can be.
 * @throws Refusal that says what is in the way
 */
export function requireWay(folder: string, changes: readonly Change[]): void {
  const written = changes.filter(isWritten);
  for (const { path } of written) requireWritable(join(folder, path));
  const oneBlockMore = 4096;
  requireSpace(
    folder,
    written.reduce((sum, { text }) => sum + Buffer.byteLength(text) + oneBlockMore, 0),
  );
  const config = written.find(({ path }) => path === configPath);
  try {
    parse(config?.text ?? '');
  } catch (error) {
    const [reason = ''] = (error as Error).message.split('\n');
    throw new Refusal(
      `${configPath} would be no TOML with your changes and the new ones (${reason}): nothing was written. Mend it and run again.`,
    );
  }
}

/** @throws Refusal if config.toml, as version 0.1.0 had it registered, holds a token: it is in no other place */
function requireNoToken(folder: string): void {
  const file = join(folder, configPath);
  let text: string | undefined;
  try {
    text = readText(file);
  } catch {
    // Root's, and closed to others: as 0.1.0 left it.
    text = 'token = ""';
  }
  if (!/^\s*token\s*=\s*["'](?!\$)/m.test(text ?? '')) return;
  throw new Refusal(
    [
      `${configPath} holds the token of a runner, and is never replaced: nothing was written.`,
      'Move the token to .env and the file aside, then run again:',
      `  sudo sed -n 's/^ *token = "\\(.*\\)"/RUNNER_TOKEN=\\1/p' ${configPath} >>.env`,
      `  sudo mv ${configPath} "$HOME/"`,
    ].join('\n'),
  );
}
