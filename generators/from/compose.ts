import { parse } from 'yaml';
import { Refusal, reasonOfParser } from '../ask/refusal.ts';
import { isMapping, type Mapping } from '../mapping.ts';
import type { Beside } from './beside.ts';
import {
  asEntry,
  type Container,
  commandsOfContainer,
  isNamed,
  isRunner,
  type Note,
  nameAndValue,
} from './container.ts';
import { readEnvironment } from './environment-file.ts';
import { interpolate } from './interpolate.ts';
import { commandsIn, type Variables } from './shell.ts';

const tree = (value: unknown): Mapping => (isMapping(value) ? value : {});
const texts = (value: unknown): string[] => [value ?? []].flat().map(String);
/** A list of `a=b`, or a mapping. */
const pairs = (value: unknown, sign: string): string[] =>
  Array.isArray(value)
    ? value.map(String)
    : Object.entries(tree(value)).map(([name, one]) => (one === null ? name : `${name}${sign}${one}`));

/** A docker-compose.yml as it was read. */
export interface ComposeFile {
  readonly containers: readonly Container[];
  /** Names of the services that are no GitLab Runner. */
  readonly others: readonly string[];
  readonly notUnderstood: readonly string[];
}

/**
 * Reads a docker-compose.yml.
 *
 * @param path what to call it in a refusal
 * @throws Refusal if it is no YAML
 */
export function readCompose(path: string, text: string, beside: Beside): ComposeFile {
  const { variables } = beside;
  let file: Mapping;
  try {
    file = tree(parse(text, { merge: true, uniqueKeys: false, logLevel: 'error' }));
  } catch (error) {
    throw new Refusal(`${path} is not valid YAML (${reasonOfParser(error)}): nothing was written.`);
  }
  const notes = new Set<string>();
  const services = servicesOf(file);
  const isOurs = ([name, service]: [string, Mapping]) => {
    const { image, volumes, container_name } = tree(filledIn(service, variables, () => undefined));
    // What is built is known by its name alone.
    const called = image ?? `${container_name ?? ''}/${name}`;
    return isRunner(String(called), mountsOf(volumes));
  };
  const containers = services.filter(isOurs).map(([name, service]) => {
    const note = (text: string) => notes.add(text);
    const filled = tree(filledIn(service, variables, note));
    if ('extends' in filled) note(`extends of ${name}: what it names was not read`);
    const environment = {
      ...environmentOfFiles(name, filled.env_file, beside, note),
      ...environmentOfService(filled.environment, variables, note),
    };
    return containerOf(filled, tree(file.networks), environment, beside);
  });
  if (file.include !== undefined) notes.add('include: what it names was not read');
  return {
    containers,
    others: services.filter(one => !isOurs(one)).map(([name]) => name),
    notUnderstood: [...notes].map(note => `${path}: ${note}`),
  };
}

/** The services of a file; in the first format they are all that it has. */
function servicesOf(file: Mapping): [name: string, service: Mapping][] {
  const isService = (value: unknown) => isMapping(value) && ('image' in value || 'build' in value);
  const all = isMapping(file.services) ? file.services : file;
  const entries = Object.entries(all).map(([name, one]): [string, Mapping] => [name, tree(one)]);
  return all === file ? entries.filter(([, one]) => isService(one)) : entries;
}

/** Each as `source:target`. */
const mountsOf = (volumes: unknown): string[] =>
  [volumes ?? []].flat().map(volume => {
    const { source = '', target = '' } = tree(volume);
    return typeof volume === 'string' ? volume : `${source}:${target}`;
  });

/** The variables of the files that a service names: one, several, or each with whether it has to be there. */
function environmentOfFiles(name: string, files: unknown, beside: Beside, note: Note): Variables {
  const read = [files ?? []].flat().map(one => {
    const file = String(tree(one).path ?? one);
    const text = beside.open(file);
    if (text === undefined && tree(one).required !== false)
      note(`env_file ${file} of ${name} was not read: it is not there, or may not be read`);
    return readEnvironment(text ?? '', beside.variables);
  });
  return Object.assign({}, ...read);
}

/** Those of a service itself; a name alone passes one on, of .env. */
function environmentOfService(environment: unknown, variables: Readonly<Variables>, note: Note): Variables {
  return Object.fromEntries(
    pairs(environment, '=').flatMap(text => {
      if (text.includes('=')) return [nameAndValue(text)];
      if (variables[text] === undefined) note(`the variable ${text}: nothing sets it`);
      return variables[text] === undefined ? [] : [[text, variables[text]]];
    }),
  );
}

function containerOf(service: Mapping, networks: Mapping, environment: Variables, beside: Beside): Container {
  const {
    image,
    environment: _,
    volumes,
    extra_hosts,
    networks: on,
    network_mode,
    command,
    entrypoint,
    env_file: __,
    extends: ___,
    ...others
  } = service;
  const mounts = mountsOf(volumes);
  const named = (Array.isArray(on) ? on.map(String) : Object.keys(tree(on))).flatMap(name => {
    const { external, name: outside = tree(external).name ?? name } = tree(networks[name]);
    return external ? [String(outside)] : [];
  });
  const start = linesOf(entrypoint).flat();
  const its = { environment, volumes: mounts };
  const { commands, isWhole } = commandsOfContainer(start, linesOf(command), its, beside);
  return {
    name: others.container_name === undefined ? undefined : String(others.container_name),
    image: image === undefined ? undefined : String(image),
    environment,
    volumes: mounts,
    extraHosts: pairs(extra_hosts, ':').map(asEntry),
    networks: [...named, ...texts(network_mode)].filter(isNamed),
    commands,
    others: [...Object.keys(others), ...(isWhole ? [] : ['entrypoint'])],
  };
}

/** A command of Compose in words: a list, or a text, which Compose breaks at blanks, and at line ends too. */
function linesOf(command: unknown): (readonly string[])[] {
  if (typeof command !== 'string') return [texts(command)];
  const line = command.replace(/"(?:\\.|[^"\\])*"|'[^']*'|\n/gs, part => (part === '\n' ? ' ' : part));
  return commandsIn(line.replaceAll('$', '\\$')).map(({ words }) => words);
}

/** A value of YAML with the variables put into its texts. */
function filledIn(value: unknown, variables: Readonly<Variables>, note: Note): unknown {
  if (Array.isArray(value)) return value.map(one => filledIn(one, variables, note));
  if (isMapping(value)) {
    return Object.fromEntries(
      Object.entries(value).map(([key, one]) => [key, filledIn(one, variables, note)]),
    );
  }
  return typeof value === 'string' ? interpolate(value, variables, note) : value;
}
