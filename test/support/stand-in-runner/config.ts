/** config.toml and `.runner_system_id`: loading, checking, and writing them as the real program does. */
import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parse, stringify, TomlError } from 'smol-toml';
import type { KeyTable } from './flags.ts';

export type Table = Record<string, unknown>;

export interface Config {
  path: string;
  /** Global values and unknown keys. */
  globals: Table;
  runners: Table[];
  systemId: string;
}

export const isTable = (value: unknown): value is Table =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);

/** Parses TOML; a fault names its line but, unlike the parser's own message, never quotes it: it may hold a token. */
export function parseToml(path: string): Table {
  try {
    return parse(readFileSync(path, 'utf8')) as Table;
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const [reason] = error.message.split('\n', 1) as [string];
    throw new Error(`toml: line ${error.line}: ${reason.replace(/^Invalid TOML document: /, '')}`);
  }
}

/** The table of a file with its types checked, and `url` and `token` of each runner expanded in place. */
export function readConfigTable(path: string, keys: KeyTable, env: NodeJS.ProcessEnv): Table {
  const table = parseToml(path);
  const [fault] = checkKeys(table, keys).types;
  if (fault) throw new Error(`toml: ${fault}`);
  for (const runner of (table.runners ?? []) as Table[])
    for (const key of ['url', 'token'])
      if (typeof runner[key] === 'string') runner[key] = expandEnv(runner[key], env);
  return table;
}

/** Loads the file, or defaults where there is none, and makes the system id beside it if need be. */
export function loadConfig(path: string, keys: KeyTable, env: NodeJS.ProcessEnv): Config {
  const { runners, ...globals } = existsSync(path) ? readConfigTable(path, keys, env) : {};
  return { path, globals, runners: (runners ?? []) as Table[], systemId: systemId(dirname(path)) };
}

/** Writes the whole file anew: comments are lost, and what was `${TOKEN}` is the token now, as in the real one. */
export function saveConfig({ path, globals, runners }: Config): void {
  const table = {
    concurrent: 1,
    check_interval: 0,
    shutdown_timeout: 0,
    ...globals,
    session_server: { session_timeout: 1800, ...(globals.session_server as Table | undefined) },
    ...(runners.length > 0 ? { runners } : {}),
  };
  writeWhole(path, indent(stringify(table)));
}

function writeWhole(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const temporary = `${path}.${randomBytes(6).toString('hex')}`;
  try {
    writeFileSync(temporary, text, { mode: 0o600 });
    chmodSync(temporary, 0o600);
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}

/** Indents like the runner's encoder, which tools that read the file line by line rely on. */
function indent(toml: string): string {
  let depth = 0;
  const lines = toml.split('\n').map(line => {
    const header = /^\[+([^\]]+)\]+$/.exec(line);
    if (header) depth = header[1]!.split('.').length;
    const level = header ? depth - 1 : depth;
    const plain = line.replace(/\.000Z$/, 'Z').replace(/^([\w-]+ = \[) (.*) \]$/, '$1$2]');
    return line === '' ? '' : '  '.repeat(level) + plain;
  });
  return `${lines
    .join('\n')
    .replace(/\n{2,}/g, '\n\n')
    .trimEnd()}\n`;
}

function systemId(directory: string): string {
  const path = join(directory, '.runner_system_id');
  const known = existsSync(path) ? readFileSync(path, 'utf8').trim() : '';
  if (/^[sr]_\w{12}$/.test(known)) return known;
  const made = `s_${randomBytes(6).toString('hex')}`;
  writeWhole(path, made);
  return made;
}

/** `$NAME` and `${NAME}`; a name that is not set becomes empty, as with Go's os.ExpandEnv. */
export function expandEnv(text: string, env: NodeJS.ProcessEnv): string {
  return text.replace(
    /\$(?:\{(\w+)\}|([A-Za-z_]\w*))/g,
    (_all, braced?: string, bare?: string) => env[(braced ?? bare)!] ?? '',
  );
}

/** Compares a table with the known keys: the unknown ones by full name, and the values of a wrong type. */
export function checkKeys(table: Table, keys: KeyTable, parent = ''): { unknown: string[]; types: string[] } {
  const found = { unknown: [] as string[], types: [] as string[] };
  for (const [key, value] of Object.entries(table)) {
    const name = parent ? `${parent}.${key}` : key;
    // The decoder takes any case where no key matches exactly.
    const match =
      keys[key] ?? Object.entries(keys).find(([one]) => one.toLowerCase() === key.toLowerCase())?.[1];
    if (match === undefined) found.unknown.push(name);
    else if (typeof match === 'string') {
      if (!fits(value, match)) found.types.push(`incompatible types: TOML key ${name} needs type ${match}`);
    } else {
      const tables: unknown[] = Array.isArray(value) ? value : [value];
      for (const one of tables) {
        if (!isTable(one)) {
          found.types.push(`incompatible types: TOML key ${name} needs a table`);
          continue;
        }
        const inner = checkKeys(one, match, name);
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
  if (kind === 'time.Time') return value instanceof Date;
  if (kind === 'time.Duration') return typeof value === 'string' || typeof value === 'number';
  if (kind === '[]string') return Array.isArray(value) && value.every(item => typeof item === 'string');
  if (kind.startsWith('map[')) return isTable(value);
  return true;
}
