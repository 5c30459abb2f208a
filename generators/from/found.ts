import { parse, type TomlTable } from 'smol-toml';
import { Refusal, reasonOfParser } from '../ask/refusal.ts';
import type { Beside } from './beside.ts';
import { readCompose } from './compose.ts';
import { type Container, isRegistering, registerAt } from './container.ts';
import { isOfKubernetes, refusalOfKubernetes, whyNotOurs } from './not-ours.ts';
import {
  type FoundRunner,
  isRegisteredBy,
  type Registered,
  type Reserved,
  readRegister,
  registerVariables,
} from './register-command.ts';
import { type FoundContainer, knownParts, type Part, readScript, readService } from './scripts.ts';
import type { Variables } from './shell.ts';
import { isUnit } from './unit.ts';

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
