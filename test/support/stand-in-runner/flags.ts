/** The command line and its environment variables, read as the real program reads them. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Table } from './config.ts';

/** A flag of a command; `path` is its place in a `[[runners]]` entry, if it has one there. */
export interface Flag {
  /** Without dashes; the first is the one messages use. */
  names: string[];
  env?: string;
  /** The Go type, as in the facts. */
  type: string;
  path?: string[];
}

/** The content of config-toml-keys.json: a table, or the Go type of a leaf. */
export interface KeyTable {
  [key: string]: KeyTable | string;
}

export interface Facts {
  registerFlags: Flag[];
  keys: KeyTable;
}

/** The two faults of a command line that urfave/cli tells apart: only one of them comes with the usage. */
export class FlagError extends Error {}
export class EnvironmentError extends Error {}

interface FlagFact {
  flag: string;
  env: string | null;
  type: string;
}

/** What the facts leave out: embedded structs whose tags live in other files of the runner's source. */
const DOCKER_CREDENTIALS: Flag[] = [
  { names: ['docker-host'], env: 'DOCKER_HOST', type: 'string', path: ['docker', 'host'] },
  { names: ['docker-cert-path'], env: 'DOCKER_CERT_PATH', type: 'string', path: ['docker', 'tls_cert_path'] },
  { names: ['docker-tlsverify'], env: 'DOCKER_TLS_VERIFY', type: 'bool', path: ['docker', 'tls_verify'] },
];
const CACHE_FLAGS: Flag[] = (
  [
    ['type', 'string', ['Type']],
    ['path', 'string', ['Path']],
    ['shared', 'bool', ['Shared']],
    ['s3-server-address', 'string', ['s3', 'ServerAddress']],
    ['s3-access-key', 'string', ['s3', 'AccessKey']],
    ['s3-secret-key', 'string', ['s3', 'SecretKey']],
    ['s3-bucket-name', 'string', ['s3', 'BucketName']],
    ['s3-bucket-location', 'string', ['s3', 'BucketLocation']],
    ['s3-insecure', 'bool', ['s3', 'Insecure']],
    ['s3-authentication_type', 'string', ['s3', 'AuthenticationType']],
  ] as const
).map(([name, type, path]) => ({
  names: [`cache-${name}`],
  env: `CACHE_${name.replaceAll('-', '_').toUpperCase()}`,
  type,
  path: ['cache', ...path],
}));
const MISSING_KEYS: KeyTable = { host: 'string', tls_cert_path: 'string', tls_verify: 'bool' };
const OTHER_EXECUTORS: KeyTable = { ssh: 'any', parallels: 'any', virtualbox: 'any', custom: 'any' };

const SHORT_NAMES: Record<string, string> = {
  config: 'c',
  'non-interactive': 'n',
  'registration-token': 'r',
  url: 'u',
  token: 't',
  description: 'name',
};
/** Flags whose key in config.toml is not simply their name with underscores. */
const IRREGULAR_KEYS: Record<string, string[]> = {
  description: ['name'],
  env: ['environment'],
  'tls-ca-file': ['tls-ca-file'],
  'tls-cert-file': ['tls-cert-file'],
  'tls-key-file': ['tls-key-file'],
  'custom_build_dir-enabled': ['custom_build_dir', 'enabled'],
  'docker-userns': ['docker', 'userns_mode'],
};

/** Reads both facts files of a directory. */
export function loadFacts(directory: string): Facts {
  const read = (name: string): unknown => JSON.parse(readFileSync(join(directory, name), 'utf8'));
  const { keys } = read('config-toml-keys.json') as { keys: KeyTable };
  const { flags } = read('register-flags.json') as { flags: FlagFact[] };
  const runners = keys.runners as KeyTable;
  const docker = { ...MISSING_KEYS, ...(runners.docker as KeyTable) };
  const fullKeys = { ...keys, runners: { ...OTHER_EXECUTORS, ...runners, docker } };
  const known = flags.map(fact => toFlag(fact, fullKeys.runners));
  const missing = [...DOCKER_CREDENTIALS, ...CACHE_FLAGS].filter(
    extra => !known.some(flag => flag.names[0] === extra.names[0]),
  );
  return { registerFlags: [...known, ...missing], keys: fullKeys };
}

function toFlag(fact: FlagFact, runnerKeys: KeyTable): Flag {
  const name = fact.flag.replace(/^--/, '');
  const short = SHORT_NAMES[name];
  const path = IRREGULAR_KEYS[name] ?? regularPath(name);
  return {
    names: short ? [name, short] : [name],
    type: fact.type,
    ...(fact.env ? { env: fact.env } : {}),
    ...(hasKey(runnerKeys, path) ? { path } : {}),
  };
}

function regularPath(name: string): string[] {
  const [section, rest] = name.startsWith('docker-')
    ? ['docker', name.slice('docker-'.length)]
    : [null, name];
  const key = rest.replaceAll('-', '_');
  return section ? [section, key] : [key];
}

function hasKey(keys: KeyTable, path: string[]): boolean {
  const [key, ...rest] = path as [string, ...string[]];
  const found = keys[key];
  if (rest.length === 0) return typeof found === 'string';
  return typeof found === 'object' && hasKey(found, rest);
}

/** The values given to a command, by the first name of each flag. */
export class FlagValues {
  /** The arguments behind the flags. */
  rest: string[] = [];
  readonly #values = new Map<string, unknown>();
  readonly #flags: Flag[];

  constructor(flags: Flag[]) {
    this.#flags = flags;
  }

  /** Takes one occurrence of a flag: lists and maps grow, all else is replaced. */
  add(flag: Flag, text: string): void {
    const [name] = flag.names as [string];
    const previous = this.#values.get(name);
    if (isList(flag.type)) this.#values.set(name, [...((previous as string[] | undefined) ?? []), text]);
    else if (isMap(flag.type)) {
      const [key, value] = text.split(/:(.*)/s, 2) as [string, string?];
      const converted =
        flag.type === 'map[string][]string' ? [value ?? ''] : scalar(mapItem(flag), value ?? '');
      this.#values.set(name, { ...((previous as Table | undefined) ?? {}), [key]: converted });
    } else this.#values.set(name, scalar(flag.type, text));
  }

  has(name: string): boolean {
    return this.#values.has(name);
  }

  string(name: string): string {
    return String(this.#values.get(name) ?? '');
  }

  boolean(name: string, fallback = false): boolean {
    return (this.#values.get(name) as boolean | undefined) ?? fallback;
  }

  integer(name: string): number {
    return (this.#values.get(name) as number | undefined) ?? 0;
  }

  /** What goes into `[[runners]]`; like the real struct, a zero counts as "not given" unless the type is a pointer. */
  runnerTable(): Table {
    const table: Table = {};
    for (const { names, type, path } of this.#flags) {
      const value = this.#values.get(names[0]!);
      const zero = value === '' || value === 0 || value === false;
      if (path && value !== undefined && (!zero || type.startsWith('*'))) setPath(table, path, value);
    }
    return table;
  }
}

function setPath(table: Table, path: string[], value: unknown): void {
  const [key, ...rest] = path as [string, ...string[]];
  if (rest.length === 0) table[key] = value;
  else {
    table[key] ??= {};
    setPath(table[key] as Table, rest, value);
  }
}

const isList = (type: string): boolean => type.startsWith('[]');
const isMap = (type: string): boolean => type.startsWith('map[') || type === 'DockerSysCtls';
const mapItem = (flag: Flag): string => (flag.type === 'map[string]bool' ? 'bool' : 'string');

function scalar(type: string, text: string): string | number | boolean {
  const kind = type.replace(/^\*/, '');
  if (kind === 'bool') {
    // An empty value is true: an unset variable passed on by Compose turns a switch on.
    if (['', '1', 't', 'T', 'true', 'TRUE', 'True'].includes(text)) return true;
    if (['0', 'f', 'F', 'false', 'FALSE', 'False'].includes(text)) return false;
    throw new Error(`strconv.ParseBool: parsing ${JSON.stringify(text)}: invalid syntax`);
  }
  if (kind === 'int' || kind === 'int64') {
    if (/^[+-]?\d+$/.test(text)) return Number(text);
    throw new Error(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`);
  }
  if (kind === 'time.Duration' && !/^[+-]?(0|(\d+(\.\d+)?(ns|us|µs|ms|s|m|h))+)$/.test(text))
    throw new Error(`time: invalid duration ${JSON.stringify(text)}`);
  return text;
}

/**
 * Reads environment, then arguments. As in Go's flag package reading stops at the first argument
 * that is no flag, which is how `--locked false` swallows everything after it.
 */
export function readFlags(flags: Flag[], args: string[], env: NodeJS.ProcessEnv): FlagValues {
  const values = new FlagValues(flags);
  for (const flag of flags) {
    const text = flag.env ? env[flag.env] : undefined;
    if (text === undefined) continue;
    try {
      // A list takes the whole variable as ONE element: the runner does not split it at commas.
      values.add(flag, text);
    } catch (error) {
      throw new EnvironmentError(
        `could not parse ${text} as value for flag ${flag.names.join(', ')}: ${(error as Error).message}`,
      );
    }
  }
  let index = 0;
  for (; index < args.length; index += 1) {
    const match = /^--?([^-=][^=]*)(?:=(.*))?$/s.exec(args[index]!);
    if (!match) break;
    const name = match[1]!;
    const flag = flags.find(one => one.names.includes(name));
    if (!flag) throw new FlagError(`flag provided but not defined: -${name}`);
    let text = match[2];
    if (text === undefined && flag.type === 'bool') text = 'true';
    if (text === undefined) {
      index += 1;
      if (index >= args.length) throw new FlagError(`flag needs an argument: -${name}`);
      text = args[index]!;
    }
    try {
      values.add(flag, text);
    } catch (error) {
      const kind = flag.type === 'bool' ? 'boolean value' : 'value';
      const target = flag.type === 'bool' ? '' : 'flag ';
      throw new FlagError(
        `invalid ${kind} ${JSON.stringify(text)} for ${target}-${name}: ${(error as Error).message}`,
      );
    }
  }
  values.rest = args.slice(index);
  return values;
}
