/**
 * A stand-in for the program `gitlab-runner`, for tests where the official image cannot be pulled. What it prints
 * and when it fails is in test/facts/real-runner.md; its jobs run no commands, but each has a container.
 */
import { execFile } from 'node:child_process';
import { EventEmitter } from 'node:events';
import { readFileSync, realpathSync } from 'node:fs';
import { constants as os } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { lint, register, verify } from './commands.ts';
import { isSince, type KeyTable } from './config.ts';
import { GitLabClient } from './gitlab.ts';
import { Exit, Log } from './log.ts';
import { run } from './run.ts';

/** The outside of the program; tests put their own in place. */
interface Io {
  stdout: { write(text: string): unknown };
  stderr: { write(text: string): unknown };
  /** Emits the names of signals; a signal without a listener ends the program. */
  signals: EventEmitter;
  /** The folder with test/facts's files. */
  facts: string;
  /** How long a second of `run` lasts, in milliseconds. */
  tick?: number;
  /** Runs docker, and gives what it printed; without it jobs have no container. */
  docker?: (words: readonly string[]) => Promise<string>;
}

/** What every command works with. */
export interface Context {
  io: Io;
  env: NodeJS.ProcessEnv;
  log: Log;
  client: GitLabClient;
  version: string;
  /** The known keys of config.toml. */
  keys: KeyTable;
  /** System ids that could not be saved, by their file. */
  processIds: Map<string, string>;
}

/** The options of a command. */
export type Words = Record<string, string | boolean | undefined>;

const COMMANDS: Record<string, (context: Context, words: Words, path: string) => Promise<void> | void> = {
  lint,
  register,
  run: (context, _words, path) => run(context, path),
  verify,
};
const TEXTS = [
  ...['url', 'token', 'registration-token', 'description', 'executor', 'docker-image', 'docker-volumes'],
  ...['tag-list', 'user', 'working-directory', 'listen-address'],
];
const OPTIONS = {
  config: { type: 'string', short: 'c' },
  version: { type: 'boolean', short: 'v' },
  delete: { type: 'boolean' },
  'non-interactive': { type: 'boolean', short: 'n' },
  ...Object.fromEntries(TEXTS.map(name => [name, { type: 'string' }])),
} as const;
/** Left out of the facts: an embedded struct's, and those of executors that nobody here uses. */
const DOCKER_KEYS: KeyTable = { host: 'string', tls_cert_path: 'string', tls_verify: 'bool' };
const EXECUTOR_KEYS: KeyTable = { ssh: 'any', parallels: 'any', virtualbox: 'any', custom: 'any' };

function knownKeys(facts: string): KeyTable {
  const { keys } = JSON.parse(readFileSync(join(facts, 'config-toml-keys.json'), 'utf8')) as {
    keys: KeyTable;
  };
  const runners = keys.runners as KeyTable;
  const docker = { ...DOCKER_KEYS, ...(runners.docker as KeyTable) };
  return { ...keys, runners: { ...EXECUTOR_KEYS, ...runners, docker } };
}

/** Runs one command line and gives its exit code. */
export async function main(argv: string[], env: NodeJS.ProcessEnv, io: Io): Promise<number> {
  const version = env.STAND_IN_VERSION || '19.3.0';
  const log = new Log(line => io.stderr.write(line));
  const { values, positionals } = parseArgs({ args: argv, options: OPTIONS, allowPositionals: true });
  const words = values as Words;
  if (words.version) {
    io.stdout.write(`Version:      ${version}\nGit revision: stand-in\nOS/Arch:      linux/amd64\n`);
    return 0;
  }
  const [name = ''] = positionals;
  if (name === 'help') {
    const known = Object.keys(COMMANDS).filter(one => one !== 'lint' || isSince(version, 19, 3));
    io.stdout.write(`COMMANDS:\n${known.map(one => `   ${one.padEnd(12)} (stand-in)\n`).join('')}`);
    return 0;
  }
  try {
    log.info('Runtime platform', {
      arch: 'amd64',
      os: 'linux',
      pid: process.pid,
      revision: 'stand-in',
      version,
    });
    const command = COMMANDS[name];
    if (!command) return log.fatal(`Command ${name} not found.`);
    const client = new GitLabClient(log, env, '/etc/gitlab-runner/certs');
    const context = { io, env, log, client, version, keys: knownKeys(io.facts), processIds: new Map() };
    await command(context, words, String(words.config ?? '/etc/gitlab-runner/config.toml'));
    return 0;
  } catch (error) {
    if (error instanceof Exit) return error.code;
    throw error;
  }
}

const [, program] = process.argv;
if (program && realpathSync(program) === fileURLToPath(import.meta.url)) {
  const signals = new EventEmitter();
  // Needed as process 1 of a container, where a signal without a handler does nothing at all.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGQUIT', 'SIGHUP'] as const)
    process.on(signal, () => {
      if (!signals.emit(signal)) process.exit(128 + os.signals[signal]);
    });
  const { stdout, stderr } = process;
  const docker = async (words: readonly string[]) =>
    (await promisify(execFile)('docker', words)).stdout.trim();
  const facts = fileURLToPath(new URL('facts', import.meta.url));
  const io = { stdout, stderr, signals, facts, docker };
  process.exitCode = await main(process.argv.slice(2), process.env, io);
}
