/** What every command works with. */
import type { EventEmitter } from 'node:events';
import type { Facts } from './flags.ts';
import type { GitLabClient } from './gitlab.ts';
import type { Log } from './log.ts';

/** The outside of the program; tests put their own in place. */
export interface Io {
  stdin: NodeJS.ReadableStream;
  stdout: { write(text: string): unknown };
  stderr: { write(text: string): unknown };
  /** Emits the names of signals; a signal without a listener ends the program. */
  signals: EventEmitter;
  /** Where the facts files are; beside the program unless told. */
  factsDirectory?: string;
  /** How long a second of `run` lasts, in milliseconds. */
  tick?: number;
}

export interface Context {
  io: Io;
  env: NodeJS.ProcessEnv;
  log: Log;
  facts: Facts;
  client: GitLabClient;
  version: string;
}
