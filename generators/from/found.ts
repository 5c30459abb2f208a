import { parse, type TomlTable } from 'smol-toml';
import { Refusal, reasonOfParser } from '../ask/refusal.ts';
import type { Beside } from './beside.ts';
import { readCompose } from './compose.ts';
import {
  type Container,
  environmentOf,
  isRegistering,
  type Note,
  readDockerRun,
  registerAt,
  startsContainer,
} from './container.ts';
import { isOfKubernetes, refusalOfKubernetes, whyNotOurs } from './not-ours.ts';
import {
  type FoundRunner,
  isRegisteredBy,
  type Registered,
  type Reserved,
  readRegister,
  registerVariables,
} from './register-command.ts';
import { type Command, commandsIn, innerCommands, isKnown, type Variables } from './shell.ts';
import { isUnit, readUnit, serviceOnHost } from './unit.ts';

/** What files of an older runner say, before it is decided what becomes of it. */
export interface Found {
  /** config.toml without its runners. */
  readonly global: TomlTable;
  readonly runners: readonly FoundRunner[];
  readonly containers: readonly Container[];
  /** Services of docker-compose.yml that are no GitLab Runner. */
  readonly services: readonly string[];
  /** Certificates beside config.toml, which GitLab Runner trusts by their names. */
  readonly certificates: readonly string[];
  /** Tokens that make runners, where scripts have some. */
  readonly registrationTokens: readonly string[];
  /** What could not be read, each with its file. Nothing of it is a secret. */
  readonly notUnderstood: readonly string[];
}

/**
 * Reads the files of an older runner.
 *
 * @param texts their texts by their paths: config.toml, docker-compose.yml, scripts/settings.ts, shell scripts
 * @throws Refusal if one of them is broken
 */
export function readFound(texts: ReadonlyMap<string, string>, beside: Beside): Found {
  const all = readAll(texts, beside);
  // A script that a container starts with is read there.
  const parts = all.filter(({ path }) => !path.endsWith('.sh') || !beside.isOpened(path));
  const configs = parts.flatMap(({ config }) => (config ? [config] : []));
  const settings = parts.flatMap(part => part.settings ?? []);
  const notUnderstood = parts.flatMap(part => part.notUnderstood ?? []);
  const { registered, containers } = registeredBy(parts, notUnderstood);
  const [{ runners = [], ...global } = {}, ...more] = configs;
  if (more.length > 0) throw new Refusal('There are several files config.toml: name the one that counts.');
  const inConfig = (runners as TomlTable[]).map(table => ({ table, reserved: {} }));
  const paired = pairRunners(inConfig, registered, notUnderstood);
  return {
    global,
    runners: paired.map(runner => withSettings(runner, settings, paired.length)),
    containers,
    services: parts.flatMap(part => part.services ?? []),
    certificates: [],
    registrationTokens: registered.flatMap(({ registrationToken }) => registrationToken || []),
    notUnderstood,
  };
}

/** A file with what it says. Scripts come last: those of an image that is built have the variables of its container. */
function readAll(texts: ReadonlyMap<string, string>, beside: Beside): (Part & { readonly path: string })[] {
  const isScript = (path: string) => !/\.(toml|ts|ya?ml)$/.test(path);
  const read = (areScripts: boolean, around: Beside) =>
    [...texts]
      .filter(([path]) => isScript(path) === areScripts)
      .map(([path, text]) => ({ ...readFile(path, text, around), path }));
  const others = read(false, beside);
  const built = others.flatMap(({ containers = [] }) =>
    containers.filter(one => one.others.includes('build')),
  );
  const given = built.map(({ environment }) => environment);
  const scripts = read(true, { ...beside, variables: Object.assign({}, ...given, beside.variables) });
  const inside = scripts.map(({ registrations = [], ...part }) => ({
    ...part,
    registrations: registrations.map(one => ({ ...one, isInside: one.isInside || built.length > 0 })),
  }));
  return [...others, ...inside];
}

/** What Compose puts upon its file by itself. */
export const overrides = /^(docker-)?compose\.override\.ya?ml$/;

interface Part {
  readonly config?: TomlTable;
  readonly registrations?: Registration[];
  readonly settings?: [name: string, reserved: Reserved][];
  readonly containers?: FoundContainer[];
  readonly services?: string[];
  readonly notUnderstood?: string[];
}

interface FoundContainer extends Container {
  /** The file that it is in. */
  readonly path: string;
}

/** A `register` command: the words after that. */
interface Registration extends Command {
  /** The file that it is in. */
  readonly path: string;
  /** Whether it is run in a container that is there otherwise, and so has its variables. */
  readonly isInside: boolean;
}

function readFile(path: string, text: string, beside: Beside): Part {
  if (path.endsWith('.ts')) return { settings: readSettings(text) };
  const why = beside.isOwn ? undefined : whyNotOurs(text);
  if (why !== undefined) return { notUnderstood: [`${path}: ${why}`] };
  if (path.endsWith('.toml') || isConfig(text)) return { config: readToml(path, text) };
  if (overrides.test(path)) return { notUnderstood: [`${path}, which Compose reads too`] };
  if (/\.ya?ml$/.test(path)) {
    if (isOfKubernetes(text)) throw refusalOfKubernetes(path);
    const { containers, others, notUnderstood } = readCompose(path, text, beside);
    const none =
      containers.length + others.length === 0 ? [`${path}: YAML that has no services of Compose`] : [];
    return { ...knownParts(path, containers, [...notUnderstood, ...none]), services: [...others] };
  }
  if (isUnit(text)) return readService(path, text, beside);
  return readScript(path, text, beside);
}

/** Whether a text is a config.toml, whatever its name. */
function isConfig(text: string): boolean {
  if (!/^\s*\[\[runners\]\]/m.test(text)) return false;
  try {
    return Array.isArray(parse(text).runners);
  } catch {
    return false;
  }
}

/** @throws Refusal if it is no TOML */
function readToml(path: string, text: string): TomlTable {
  try {
    return parse(text);
  } catch (error) {
    throw new Refusal(`${path} is not valid TOML (${reasonOfParser(error)}): nothing was written.`);
  }
}

/** A shell script, or no more than a command: what it registers, and the containers that it starts. */
function readScript(path: string, text: string, around: Beside): Part {
  const beside = { ...around, variables: { ...around.variables } };
  const lines = linesOfUnix(path, text);
  const { notUnderstood = [], ...part } = readCommands(path, commandsIn(lines, beside.variables), beside);
  const changes = /^(?!\s*#).*(>|\b(tee|sed|perl|awk|crudini|dasel)\b).*\bconfig\.toml\b/m;
  const missed = /^\s*\[\[runners\]\]/m.test(text)
    ? [`${path}: the config.toml in it. Save that as a file beside it`]
    : changes.test(text)
      ? [`${path}: what it changes in config.toml. Put a copy of that, as it is now, beside it`]
      : [];
  return { ...part, notUnderstood: [...notUnderstood, ...missed] };
}

/** A script of PowerShell, or of Windows' other shell, as far as one for Unix says the same: how lines go on, and paths. */
function linesOfUnix(path: string, text: string): string {
  const isWindows = /\.(ps1|bat|cmd)$/i.test(path);
  const lines = isWindows ? text.replaceAll('\\', '\\\\') : text;
  return lines.replace(isWindows ? /[ \t][`^][ \t]*\r?\n/g : /[ \t]`[ \t]*\r?\n/g, ' \\\n');
}

/** What systemd starts: containers, or GitLab Runner on the host itself. */
function readService(path: string, text: string, beside: Beside): Part {
  const notes: string[] = [];
  const { commands, others } = readUnit(path, text, beside, said => notes.push(`${path}: ${said}`));
  const onHost = commands.flatMap(command => serviceOnHost(command) ?? []);
  const rest = commands.filter(command => serviceOnHost(command) === undefined);
  const { notUnderstood = [], containers = [], ...part } = readCommands(path, rest, beside);
  const all = [...containers, ...onHost].map(one => ({ ...one, path, others: [...one.others, ...others] }));
  return { ...part, containers: all, notUnderstood: [...notes, ...notUnderstood] };
}

/** What may be about a runner, in a service of Compose whose name does not tell, or on this host. */
const mayRegister = /^(\S*\/)?gitlab-runner run\b|\bcompose\b.* register\b/;

function readCommands(path: string, commands: readonly Command[], beside: Beside): Part {
  const [containers, registrations, notes]: [Container[], Registration[], string[]] = [[], [], []];
  const note = (said: string) => notes.push(`${path}: ${said}`);
  const read = (command: Command): void => {
    const { words } = command;
    const container = readDockerRun(command, beside, note);
    const inner = container
      ? undefined
      : innerCommands(command, { ...beside.variables, ...command.environment });
    const at = registerAt(words);
    if (container) containers.push(container);
    else if (inner) inner.forEach(read);
    else if (at > 0) registrations.push({ path, ...registrationAt(at, command, beside, note) });
    else if (startsContainer(words) || mayRegister.test(words.join(' ')))
      note('a command that runs another container, or one that only the script knows');
  };
  commands.forEach(read);
  return { ...knownParts(path, containers, notes), registrations };
}

/** The `register` at that word of a command, with the variables that `env`, `sudo`, `docker exec` and the like give it. */
function registrationAt(
  at: number,
  { words, environment }: Command,
  beside: Beside,
  note: Note,
): Omit<Registration, 'path'> {
  const before = words.slice(0, at);
  const isInside = before.some(word =>
    /(^|\/)(docker|docker-compose|podman|podman-compose|nerdctl)$/.test(word),
  );
  const valueAt = (at: number, option: RegExp) => (option.test(before[at - 1] ?? '') ? [before[at]!] : []);
  const files = before.flatMap(
    (word, at) => /^--env-file=(.+)$/.exec(word)?.[1] ?? valueAt(at, /^--env-file$/),
  );
  const given = before.flatMap(
    (word, at) => /^(?:--env=|-e)?(\w+=.*)$/s.exec(word)?.[1] ?? valueAt(at, /^(-e|--env)$/),
  );
  const own = environmentOf(files, given, { ...beside.variables, ...environment }, beside, note);
  const options = words.slice(at + 1);
  // Where neither is told, somebody tells it there, or the variables of a container do.
  const isTold = options.some(word => /^--?(u|url|t|token|r|registration-token)(=|$)/.test(word));
  const all = isInside ? own : { ...environment, ...own };
  return { words: options, environment: all, isInside: isInside || !(isTold || isRegisteredBy(all)) };
}

/**
 * What is registered: by commands, and where there are none, by containers that have variables of `register`.
 *
 * @param notUnderstood gains the options that mean nothing here
 * @returns with the containers, without the variables that were taken
 */
function registeredBy(
  parts: readonly Part[],
  notUnderstood: string[],
): { registered: Registered[]; containers: Container[] } {
  const all = parts.flatMap(part => part.containers ?? []);
  const running = all.filter(one => !isRegistering(one));
  const inherited = Object.assign({}, ...running.map(({ environment }) => environment)) as Variables;
  const typed = [
    ...parts.flatMap(part => part.registrations ?? []),
    ...all.flatMap(({ path, commands }) =>
      commands
        .filter(({ words }) => registerAt(words) > 0)
        .map(({ words, environment }) => ({
          ...{ path, environment, isInside: false },
          words: words.slice(registerAt(words) + 1),
        })),
    ),
  ];
  const telling = typed.length > 0 ? [] : running.filter(({ environment }) => isRegisteredBy(environment));
  const registrations = [...typed, ...telling.map(one => ({ ...one, words: [], isInside: false }))];
  const registered = registrations.map(({ path, words, environment, isInside }) => {
    const own = registerVariables({ ...(isInside ? inherited : {}), ...environment });
    const one = readRegister(words, own);
    notUnderstood.push(...one.notUnderstood.map(option => `${path}: ${option} of register`));
    return one;
  });
  const isTaken = (one: FoundContainer) =>
    one.commands.some(({ words }) => registerAt(words) > 0) ||
    telling.includes(one) ||
    typed.some(({ isInside }) => isInside);
  return { registered, containers: all.map(one => (isTaken(one) ? withoutRegistering(one) : one)) };
}

function withoutRegistering(container: Container): Container {
  const taken = registerVariables(container.environment);
  const left = Object.entries(container.environment).filter(([name]) => !(name in taken));
  return { ...container, environment: Object.fromEntries(left) };
}

/** The containers of a file, without what only running it would tell. */
function knownParts(path: string, all: readonly Container[], missed: readonly string[]): Part {
  const notUnderstood = [...missed];
  const containers = all.map(one => ({ path, ...knownPart(path, one, notUnderstood) }));
  return { containers, notUnderstood };
}

/** The container without what only running the script would tell. */
function knownPart(path: string, container: Container, notUnderstood: string[]): Container {
  const { volumes, extraHosts, networks, environment } = container;
  const known = (list: readonly string[]) => list.filter(isKnown);
  const variables = Object.entries(environment).filter(([, value]) => isKnown(value));
  const [before, after] = [
    [...volumes, ...extraHosts, ...networks, ...Object.keys(environment)],
    [...known(volumes), ...known(extraHosts), ...known(networks), ...variables],
  ];
  if (before.length > after.length)
    notUnderstood.push(`${path}: options of docker run whose values the script makes`);
  return {
    ...container,
    volumes: known(volumes),
    extraHosts: known(extraHosts),
    networks: known(networks),
    environment: Object.fromEntries(variables),
  };
}

/**
 * The runners of config.toml, each with what its registration says beside; without a config.toml those that are registered.
 * What both say, config.toml says.
 */
function pairRunners(
  runners: readonly FoundRunner[],
  registered: readonly Registered[],
  notUnderstood: string[],
): FoundRunner[] {
  if (runners.length === 0) return [...registered];
  const isOnly = runners.length === 1 && registered.length === 1;
  const others = registered.filter(
    one => !isOnly && runners.every(({ table }) => table.name !== one.table.name),
  );
  notUnderstood.push(
    ...others.map(
      ({ table }) =>
        `a registration of a runner that config.toml does not have: ${table.name ?? 'it has no name'}`,
    ),
  );
  return runners.map(({ table }) => ({
    table,
    reserved: registered.find(one => isOnly || one.table.name === table.name)?.reserved ?? {},
  }));
}

/** What scripts/settings.ts of a repository of this generator says of each runner, where that is a plain value. */
function readSettings(text: string): [name: string, reserved: Reserved][] {
  return [...text.matchAll(/^ {2}\{\n((?: {4}.*\n)+) {2}\},?$/gm)].map(([, lines = '']) => {
    const fields = Object.fromEntries(
      [...lines.matchAll(/^ {4}(\w+): (.+),$/gm)].flatMap(([, name = '', value = '']) => {
        const json = value.replace(/'((?:[^'\\])*)'/g, (_, inner: string) => JSON.stringify(inner));
        try {
          return [[name, JSON.parse(json) as unknown]];
        } catch {
          return [];
        }
      }),
    );
    const { description, locked, paused } = fields;
    // Version 0.1.0 had names of its own for what GitLab's API has.
    const reserved = {
      tags: fields.tag_list ?? fields.tags,
      runUntagged: fields.run_untagged ?? fields.runUntagged,
      accessLevel: fields.access_level ?? fields.accessLevel,
      maximumTimeout: fields.maximum_timeout ?? fields.maximumTimeout,
      locked,
      paused,
    };
    return [
      String(description),
      Object.fromEntries(Object.entries(reserved).filter(([, value]) => value !== undefined)),
    ];
  });
}

function withSettings(
  { table, reserved }: FoundRunner,
  settings: readonly [name: string, reserved: Reserved][],
  count: number,
): FoundRunner {
  const isOnly = count === 1 && settings.length === 1;
  const own = settings.find(([name]) => isOnly || name === table.name)?.[1] ?? {};
  return { table, reserved: { ...reserved, ...own } };
}
