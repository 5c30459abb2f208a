import type { Variables } from './shell.ts';

/** What the files of an older runner may name, while they are read. */
export interface Beside {
  /** Those of .env, and where the folder is. */
  readonly variables: Readonly<Variables>;
  /** Whether this generator wrote the folder: what looks like a template there is an answer. */
  readonly isOwn: boolean;
  /**
   * The text of a file that one of them names, by its path from their folder; undefined where it is not there, or may not be read.
   */
  open(path: string): string | undefined;
  /** Whether something is there, by that path. */
  isThere(path: string): boolean;
  /** Whether that was opened so. */
  isOpened(path: string): boolean;
}
