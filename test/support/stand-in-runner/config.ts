/** config.toml and `.runner_system_id`: loading, checking, and writing them as the real program does. */
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parse, stringify, TomlError } from 'smol-toml';
import type { Context } from './gitlab-runner.ts';
import { messageOf } from './log.ts';

export type Table = Record<string, unknown>;

/** The content of config-toml-keys.json: a table, or the Go type of a leaf. */
export interface KeyTable {
  [key: string]: KeyTable | string;
}

export interface Config {
  path: string;
  /** All but the runners. */
  globals: Table;
  runners: Table[];
  systemId: string;
}

const isTable = (value: unknown): value is Table =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);

/** Whether a version is that one or later. */
export function isSince(version: string, major: number, minor: number): boolean {
  const [ownMajor = 0, ownMinor = 0] = version.split('.').map(Number);
  return ownMajor > major || (ownMajor === major && ownMinor >= minor);
}

/**
 * The table of a file with its types checked, and `url` and `token` of each runner expanded in place (since 18.10).
 * A fault names its line but, unlike the parser's own message, never quotes it: it may hold a token.
 */
export function readConfigTable(path: string, { keys, env, version }: Context): Table {
  let table: Table;
  try {
    table = parse(readFileSync(path, 'utf8')) as Table;
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const [reason = ''] = error.message.split('\n', 1);
    throw new Error(`toml: line ${error.line}: ${reason.replace(/^Invalid TOML document: /, '')}`);
  }
  const [fault] = checkKeys(table, keys).types;
  if (fault) throw new Error(`toml: line 1 (last key "${fault}"): incompatible types`);
  if (!isSince(version, 18, 10)) return table;
  for (const runner of (table.runners ?? []) as Table[])
    for (const key of ['url', 'token'])
      if (typeof runner[key] === 'string') runner[key] = expandEnv(runner[key], env);
  return table;
}

/** Loads the file, or defaults where there is none. */
export function loadConfig(path: string, context: Context): Config {
  const { runners, ...globals } = existsSync(path) ? readConfigTable(path, context) : {};
  return { path, globals, runners: (runners ?? []) as Table[], systemId: systemId(path, context) };
}

/** The id beside the file; where there is none a new one, which a read-only folder does not keep. */
function systemId(configPath: string, { log, processIds }: Context): string {
  const path = join(dirname(configPath), '.runner_system_id');
  const known = existsSync(path) ? readFileSync(path, 'utf8').trim() : (processIds.get(path) ?? '');
  if (/^[sr]_\w{12}$/.test(known)) return known;
  const made = `${existsSync('/.dockerenv') ? 'r' : 's'}_${randomBytes(6).toString('hex')}`;
  processIds.set(path, made);
  try {
    writeFileSync(path, made, { mode: 0o600 });
  } catch (error) {
    log.warning(`Couldn't save new system ID on state file. ${goFileError(error, path)}`);
  }
  return made;
}

/**
 * Writes the whole file anew: comments are lost, and what was `${TOKEN}` is the token now, as in the real one.
 * @throws Error in the words of Go
 */
export function saveConfig({ path, globals, runners }: Config): void {
  try {
    writeFileSync(path, stringify({ ...globals, runners }), { mode: 0o600 });
  } catch (error) {
    throw new Error(`saving the file: ${goFileError(error, path)}`);
  }
}

function goFileError(error: unknown, path: string): string {
  const reasons: Record<string, string> = {
    EROFS: 'read-only file system',
    EACCES: 'permission denied',
    ENOENT: 'no such file or directory',
  };
  const reason = reasons[(error as NodeJS.ErrnoException).code ?? ''];
  return reason ? `open ${path}: ${reason}` : messageOf(error);
}

/** `$NAME` and `${NAME}`; a name that is not set becomes empty, as with Go's os.ExpandEnv. */
function expandEnv(text: string, env: NodeJS.ProcessEnv): string {
  return text.replace(
    /\$(?:\{(\w+)\}|([A-Za-z_]\w*))/g,
    (_all, braced?: string, bare?: string) => env[(braced ?? bare)!] ?? '',
  );
}

/** Compares a table with the known keys: the unknown ones by full name, and those whose value has a wrong type. */
export function checkKeys(table: Table, keys: KeyTable, parent = ''): { unknown: string[]; types: string[] } {
  const found = { unknown: [] as string[], types: [] as string[] };
  for (const [key, value] of Object.entries(table)) {
    const name = parent ? `${parent}.${key}` : key;
    // The decoder takes any case where no key matches exactly.
    const match =
      keys[key] ?? Object.entries(keys).find(([one]) => one.toLowerCase() === key.toLowerCase())?.[1];
    if (match === undefined) found.unknown.push(name);
    else if (typeof match === 'string') {
      if (!fits(value, match)) found.types.push(name);
    } else {
      for (const one of [value].flat()) {
        const inner = isTable(one) ? checkKeys(one, match, name) : { unknown: [], types: [name] };
        found.unknown.push(...inner.unknown);
        found.types.push(...inner.types);
      }
    }
  }
  return found;
}

/** Rough on purpose: a type with rules of its own takes anything. */
function fits(value: unknown, type: string): boolean {
  const kind = type.replace(/^\*/, '');
  if (kind === 'string') return typeof value === 'string';
  if (kind === 'bool') return typeof value === 'boolean';
  if (/^int(32|64)?$/.test(kind)) return Number.isInteger(value);
  if (kind === 'time.Duration') return typeof value === 'string' || typeof value === 'number';
  if (kind === '[]string') return Array.isArray(value) && value.every(item => typeof item === 'string');
  if (kind.startsWith('map[')) return isTable(value);
  return true;
}
