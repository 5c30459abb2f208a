// config/config.toml: what is in it, and how it is brought in line with settings.ts and the templates in config/.

import { existsSync, readFileSync } from 'node:fs';
import { explainContainer, isInterrupted, shellInRunner } from './engine.ts';
import { Failure, keepSecret, root } from './env.ts';
import { concurrent<%- monitoring ? ', listenAddress' : '' %>, type Runner, runners } from './settings.ts';

/** A value of TOML; numbers and booleans as they are written. */
export type Value = string | string[];

/** One [[runners]] entry of config.toml. */
export interface RegisteredRunner {
  /** Counts the entries of config.toml, from 1. */
  number: number;
  name: string;
  id: string;
  /** Without a slash at its end. */
  url: string;
  token: string;
  tokenObtainedAt: string;
  tokenExpiresAt: string;
  executor: string;
  image: string;
  volumes: string[];
}

export interface RunnerConfig {
  /** Permission bits, such as 600. */
  mode: string;
  text: string;
  runners: RegisteredRunner[];
}

/**
 * Reads config/config.toml, which belongs to root: in a container where this user may not.
 * @throws Failure if it exists and cannot be read
 */
export async function readConfig(): Promise<RunnerConfig | undefined> {
  if (!existsSync(new URL('config/config.toml', root))) return undefined;
  const { status, stdout, stderr } = await shellInRunner('stat -c %a config.toml; cat config.toml');
  if (status !== 0)
    throw new Failure(`config/config.toml cannot be read: ${explainContainer(stderr)}`, 'Run: make doctor');
  const end = stdout.indexOf('\n');
  const text = stdout.slice(end + 1);
  return { mode: stdout.slice(0, end), text, runners: readRunners(text) };
}

/**
 * Reads config/config.toml, whose tokens are secret from then on.
 * @throws Failure if no runner is in it
 */
export async function requireRegistered(): Promise<RunnerConfig> {
  const config = await readConfig();
  if (!config || config.runners.length === 0) {
    throw new Failure('No runner is registered yet.', 'Run: make register');
  }
  for (const { token } of config.runners) keepSecret(token);
  return config;
}

/**
 * Writes config.toml anew, in one step: until then it stays as it is, whatever fails or is interrupted.
 * @param before what it was when this text was made from it
 * @throws Failure with that remedy if it was changed meanwhile, or cannot be written
 */
export async function writeConfig(before: string, text: string, remedy: string): Promise<void> {
  try {
    // It prints what has arrived, and the file as it is then.
    const script =
      'rm -f .register.*; tee .register.toml; cp config.toml .register.before; cat .register.before';
    const { status, stdout, stderr } = await shellInRunner(script, text);
    if (isInterrupted()) throw new Failure('Interrupted.', 'config/config.toml is as it was.');
    if (status !== 0 || stdout !== text + before) {
      const why = status === 0 ? 'it was changed meanwhile.' : explainContainer(stderr);
      throw new Failure(`config/config.toml was left as it is: ${why}`, remedy);
    }
    await replaceConfig(remedy);
  } catch (error) {
    await shellInRunner('rm -f .register.*');
    throw error;
  }
}

/**
 * Puts the copy in the place of config.toml, unless somebody else has changed that meanwhile.
 * @throws Failure with that remedy
 */
export async function replaceConfig(remedy: string): Promise<void> {
  const committed = await shellInRunner(
    `if [ -f config.toml ] && ! cmp -s config.toml .register.before; then echo "it was changed meanwhile" >&2; exit 1; fi
     chmod 600 .register.toml; mv -f .register.toml config.toml; rm -f .register.before`,
  );
  if (committed.status === 0) return;
  throw new Failure(`config/config.toml was left as it is: ${explainContainer(committed.stderr)}`, remedy);
}

/** The [[runners]] of a config.toml as GitLab Runner writes it. */
export function readRunners(toml: string): RegisteredRunner[] {
  const tables = readTables(toml);
  return tables
    .filter(({ name }) => name === 'runners')
    .map(({ runner, entries }) => {
      const docker = tables.find(
        table => table.name === 'runners.docker' && table.runner === runner,
      )?.entries;
      const text = (key: string) => String(entries.get(key)?.value ?? '');
      return {
        number: runner,
        name: text('name'),
        id: text('id'),
        url: text('url').replace(/\/+$/, ''),
        token: text('token'),
        tokenObtainedAt: text('token_obtained_at'),
        tokenExpiresAt: text('token_expires_at'),
        executor: text('executor'),
        image: String(docker?.get('image')?.value ?? ''),
        volumes: [docker?.get('volumes')?.value ?? []].flat(),
      };
    });
}

/** A value, and how it is written; an empty text means: not there. */
interface Written {
  value: Value;
  text: string;
}

/** One `key = value`, and where it stands: lines from 0, and in the last of them what follows the value. */
interface Entry extends Written {
  first: number;
  last: number;
  rest: string;
}

interface Table {
  /** Empty for the keys before the first header. */
  name: string;
  /** Counts the [[runners]]; 0 before the first. */
  runner: number;
  /** Its header's line, and the line of its last key. */
  first: number;
  last: number;
  entries: Map<string, Entry>;
}

/** The tables of a TOML file, as far as GitLab Runner uses that format: keys without quotes or dots. */
function readTables(toml: string): Table[] {
  const lines = toml.split('\n');
  const tables: Table[] = [{ name: '', runner: 0, first: -1, last: -1, entries: new Map() }];
  let runner = 0;
  for (let at = 0; at < lines.length; at += 1) {
    const [, header] = /^\s*\[+\s*([\w.-]+)\s*\]+/.exec(lines[at] ?? '') ?? [];
    const [, start, key] = /^(\s*([\w-]+)\s*=\s*)/.exec(lines[at] ?? '') ?? [];
    const table = tables.at(-1);
    if (header !== undefined) {
      if (header === 'runners') runner += 1;
      tables.push({ name: header, runner, first: at, last: at, entries: new Map() });
    } else if (start !== undefined && key !== undefined && table) {
      const first = at;
      let written = lines[at]?.slice(start.length) ?? '';
      // A list, or a text in three quotes, may run over several lines.
      while (lengthOfValue(written) === undefined && at + 1 < lines.length) {
        at += 1;
        written += `\n${lines[at]}`;
      }
      const length = lengthOfValue(written) ?? written.length;
      const text = written.slice(0, length).trimEnd();
      table.entries.set(key, {
        value: readValue(text),
        text,
        first,
        last: at,
        rest: written.slice(text.length),
      });
      table.last = at;
    }
  }
  return tables;
}

/** Where a value ends, before a comment; undefined while it is still open. */
function lengthOfValue(text: string): number | undefined {
  let depth = 0;
  const parts = /(?<quotes>"""|''')[\s\S]*?\k<quotes>|"""|'''|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'|#.*|[[\]{}]/g;
  for (const { 0: part, index } of text.matchAll(parts)) {
    if (part === '"""' || part === "'''") return undefined;
    if (part === '[' || part === '{') depth += 1;
    if (part === ']' || part === '}') depth -= 1;
    if (part === ']' && depth === 0) return index + 1;
    if (part.startsWith('#') && depth === 0) return index;
  }
  return depth > 0 ? undefined : text.length;
}

function readValue(text: string): Value {
  if (/^("""|''')/.test(text)) return text;
  const strings = [...text.matchAll(/#.*|"((?:[^"\\]|\\.)*)"|'([^']*)'/g)]
    .filter(([part]) => !part.startsWith('#'))
    .map(([, quoted, literal = '']) => (quoted === undefined ? literal : unescapeText(quoted)));
  return text.startsWith('[') ? strings : (strings[0] ?? text);
}

function unescapeText(quoted: string): string {
  const known = quoted
    .replaceAll('\t', '\\t')
    .replace(/\\U([0-9A-Fa-f]{8})/g, (_, code) => String.fromCodePoint(Number.parseInt(code, 16)));
  try {
    return JSON.parse(`"${known}"`) as string;
  } catch {
    return quoted; // It has an escape that JSON does not know, such as \e.
  }
}

/** The text of config.toml with other values for keys of one runner, as TOML writes them; all else stays. */
export function withKeys(toml: string, runner: number, keys: Record<string, string>): string {
  const table = readTables(toml).find(({ name, runner: number }) => name === 'runners' && number === runner);
  const lines: (string | undefined)[] = toml.split('\n');
  if (!table) return toml;
  for (const [key, text] of Object.entries(keys)) {
    const entry = table.entries.get(key);
    const [start = `  ${key} = `] = /^\s*[\w-]+\s*=\s*/.exec(lines[entry?.first ?? -1] ?? '') ?? [];
    const at = entry?.first ?? table.first;
    const line = start + text + (entry?.rest ?? '');
    if (entry) lines.fill(undefined, entry.first, entry.last + 1);
    lines[at] = entry ? line : `${lines[at]}\n${line}`;
  }
  return lines.filter(line => line !== undefined).join('\n');
}

/** Keys above the first [[runners]], as TOML writes them; `register` has no options for them. */
export const globals: Record<string, string> = {
  concurrent: String(concurrent),
<% if (monitoring) { -%>
  listen_address: JSON.stringify(listenAddress),
<% } -%>
};

/** What settings.ts says of the runner of that name in config.toml: where it describes but one, that. */
export function settingsOf(name: string): Runner | undefined {
  const [first, ...others] = runners;
  return others.length === 0 ? first : runners.find(({ description }) => description === name);
}

/** A key of config.toml that is not as settings.ts and its template want it; an empty text means: not there. */
export interface Change {
  /** The runner that it belongs to; empty for a key of all. */
  runner: string;
  key: string;
  from: string;
  to: string;
}

/** Keys that go back to GitLab Runner's default where its template does not name them. All others are left alone. */
const governed = {
  runners: ['debug_trace_disabled', 'environment', 'unhealthy_interval'],
  'runners.docker': [
    'allowed_images',
    'allowed_privileged_images',
    'allowed_privileged_services',
    'allowed_pull_policies',
    'allowed_services',
    'cap_add',
    'cap_drop',
    'cpus',
    'disable_cache',
    'extra_hosts',
    'memory',
    'memory_swap',
    'network_mode',
    'oom_score_adjust',
    'privileged',
    'pull_policy',
    'security_opt',
    'service_cpus',
    'service_memory',
    'services_privileged',
    'services_security_opt',
  ],
  'runners.cache': ['Type', 'Shared'],
  'runners.cache.s3': [
    'ServerAddress',
    'BucketName',
    'BucketLocation',
    'Insecure',
    'AuthenticationType',
    'AccessKey',
    'SecretKey',
  ],
} as const;

/** What the runner's template gives to job containers by that key: an item each. */
export function jobSetting(runner: Runner, table: keyof typeof governed, key: string): string[] {
  return [wanted(runner, table).get(key)?.value ?? []].flat().filter(Boolean);
}

/** The network that job containers of the runner join, if its template names one. */
export function jobNetwork(runner: Runner): string | undefined {
  return jobSetting(runner, 'runners.docker', 'network_mode')[0];
}

/** @param keys of the cache, by the names of their variables: templates, which are in git, have none */
function wanted(
  { image, volumes, template }: Runner,
  name: keyof typeof governed,
  keys: Record<string, string> = {},
): Map<string, Written> {
  const tables = readTables(readFileSync(new URL(`config/${template}`, root), 'utf8'));
  const entries = new Map<string, Written>(governed[name].map(key => [key, { text: '', value: '' }]));
  for (const [key, entry] of tables.find(table => table.name === name)?.entries ?? [])
    entries.set(key, entry);
  if (name === 'runners.cache.s3' && entries.get('ServerAddress')?.text !== '') {
    const { CACHE_S3_ACCESS_KEY: access = '', CACHE_S3_SECRET_KEY: secret = '' } = keys;
    for (const [key, value] of [
      ['AccessKey', access],
      ['SecretKey', secret],
    ] as const) {
      // Where .env has them no more, those in config.toml stay.
      if (value === '') entries.delete(key);
      else entries.set(key, { text: JSON.stringify(value), value });
    }
  }
  if (name === 'runners.docker') {
    entries.set('image', { text: JSON.stringify(image), value: image });
    // `register` adds a volume for the cache of jobs where there is none.
    const hasCache =
      entries.get('disable_cache')?.value === 'true' ||
      volumes.some(one => /(^|:)\/cache$/.test(one));
    const mounts = hasCache ? volumes : [...volumes, '/cache'];
    entries.set('volumes', {
      text: `[${mounts.map(one => JSON.stringify(one)).join(', ')}]`,
      value: mounts,
    });
  }
  return entries;
}

/**
 * The text of config.toml with everything as settings.ts and its template want it; comments and all else stay,
 * and so does a runner that settings.ts does not know.
 * @param keys of the cache, as in `wanted`
 */
export function bringInLine(
  toml: string,
  keys: Record<string, string> = {},
): { text: string; changes: Change[] } {
  const tables = readTables(toml);
  const lines = toml.split('\n');
  const brought: (string | undefined)[] = [...lines];
  /** New lines, by the line that they follow. */
  const added = new Map<number, string[]>();
  const changes: Change[] = [];
  const names = readRunners(toml).map(({ name }) => name);

  const bring = (table: Table, key: string, wantedEntry: Written) => {
    const entry = table.entries.get(key);
    const { from, to } =
      key === 'environment'
        ? mergeVariables(entry?.value, wantedEntry)
        : { from: entry?.text ?? '', to: wantedEntry };
    if (isSame(entry?.value, to.value)) return;
    const shown = (text: string) => (/^(Access|Secret)Key$/.test(key) && text !== '' ? '[masked]' : text);
    changes.push({
      runner: names[table.runner - 1] ?? '',
      key,
      from: shown(from),
      to: shown(wantedEntry.text),
    });
    if (entry) {
      const start = /^\s*[\w-]+\s*=\s*/.exec(lines[entry.first] ?? '')?.[0] ?? `${key} = `;
      brought.fill(undefined, entry.first, entry.last + 1);
      if (to.text !== '') brought[entry.first] = start + to.text + entry.rest;
    } else {
      add(table, `${key} = ${to.text}`);
    }
  };
  const add = ({ name, last, entries }: Table, line: string) => {
    const [key] = entries.values();
    const depth = name === '' ? 0 : name.split('.').length;
    const [indent = ''] = key ? (/^\s*/.exec(lines[key.first] ?? '') ?? []) : ['  '.repeat(depth)];
    added.set(last, [...(added.get(last) ?? []), indent + line]);
  };
  const bringTable = (table: Table, settings: Runner) => {
    const name = table.name as keyof typeof governed;
    const isWanted = jobSetting(settings, 'runners.cache', 'Type').length > 0;
    const ofRunner = (other: string) =>
      tables.find(one => one.name === other && one.runner === table.runner)?.entries;
    // A cache that its template does not speak of is somebody's own.
    if (isWanted || !name.startsWith('runners.cache')) {
      for (const [key, to] of wanted(settings, name, keys)) bring(table, key, to);
    }
    const inner = { runners: 'runners.cache', 'runners.cache': 'runners.cache.s3' }[name as string];
    // The tables that the template wants are made where they are missing, behind the keys of the one they are in.
    if (!inner || !isWanted || ofRunner(inner)) return;
    add(table, `[${inner}]`);
    bringTable({ ...table, name: inner, entries: new Map() }, settings);
  };

  for (const table of tables) {
    const isDocker = tables.some(
      ({ name, runner, entries }) =>
        name === 'runners' && runner === table.runner && entries.get('executor')?.value === 'docker',
    );
    if (table.name === '')
      for (const [key, text] of Object.entries(globals)) bring(table, key, { text, value: readValue(text) });
    const settings = settingsOf(names[table.runner - 1] ?? '');
    if (isDocker && settings && Object.hasOwn(governed, table.name)) bringTable(table, settings);
  }
  const following = (at: number) => added.get(at) ?? [];
  const text = [...following(-1), ...brought.flatMap((line, at) => [line ?? [], following(at)].flat())];
  return { text: text.join('\n'), changes };
}

function asList(items: string[]): Written {
  const text = `[${items.map(item => JSON.stringify(item)).join(', ')}]`;
  return { text: items.length > 0 ? text : '', value: items };
}

/**
 * The variables that a template wants, beside those in `environment` that are somebody's own. Only what they
 * take the place of is shown as it was: the others can be secrets.
 */
function mergeVariables(present: Value | undefined, wantedEntry: Written): { from: string; to: Written } {
  const itemsOf = (value: Value = []) => [value].flat().filter(Boolean);
  const nameOf = (variable: string) => variable.split('=')[0] ?? '';
  const names = itemsOf(wantedEntry.value).map(nameOf);
  const isOurs = (variable: string) =>
    names.includes(nameOf(variable)) || /^(SSL_CERT_DIR|https?_proxy|no_proxy)=/i.test(variable);
  const kept = itemsOf(present).filter(one => !isOurs(one));
  const from = asList(itemsOf(present).filter(isOurs)).text;
  return { from, to: kept.length > 0 ? asList([...kept, ...itemsOf(wantedEntry.value)]) : wantedEntry };
}

/** Whether two values mean the same; a key that is not there is empty, false, or 0. */
function isSame(one: Value | undefined, other: Value): boolean {
  const plain = (value: Value | undefined) => {
    const items = [value ?? []].flat().filter(item => !['', 'false', '0'].includes(item));
    return JSON.stringify(items);
  };
  return plain(one) === plain(other);
}
