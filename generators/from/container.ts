import { parse } from 'yaml';
import { Refusal, reasonOfParser } from '../ask/refusal.ts';
import { isMapping, type Mapping } from '../mapping.ts';
import type { Beside } from './beside.ts';
import { readEnvironment, readPlainEnvironment } from './environment-file.ts';
import { interpolate } from './interpolate.ts';
import { type Command, commandsIn, unknown, type Variables } from './shell.ts';

/** Is told what was not understood, in words. */
type Note = (text: string) => void;

/** The container of a runner, or of its registration, as somebody started it. */
export interface Container {
  /** Undefined where Docker or Compose makes it up. */
  readonly name: string | undefined;
  readonly image: string;
  readonly environment: Readonly<Record<string, string>>;
  /** As `source:target`, with the options of the mount where it has some. */
  readonly volumes: readonly string[];
  /** As `name:address`. */
  readonly extraHosts: readonly string[];
  /** Networks of Docker that it is on and that others made. */
  readonly networks: readonly string[];
  /** What comes after the image: the command of GitLab Runner. */
  readonly command: readonly string[];
  /** Other options, by their names: what they say is decided anew, or not at all. */
  readonly others: readonly string[];
}

const isRunnerImage = (image: string): boolean => /(^|\/)gitlab-runner(?!-helper)([:@-]|$)/.test(image);

/** Options of `docker run` without a value: https://docs.docker.com/reference/cli/docker/container/run/ */
const switches =
  /^(detach|interactive|tty|rm|privileged|init|read-only|publish-all|no-healthcheck|oom-kill-disable|sig-proxy|quiet|disable-content-trust)$/;
const short: Readonly<Record<string, string>> = {
  ...{ d: 'detach', i: 'interactive', t: 'tty', P: 'publish-all', q: 'quiet' },
  ...{
    v: 'volume',
    e: 'env',
    p: 'publish',
    u: 'user',
    w: 'workdir',
    h: 'hostname',
    l: 'label',
    m: 'memory',
    c: 'cpu-shares',
  },
};

/** Reads a `docker run` line; undefined where it starts no GitLab Runner. */
export function readDockerRun(
  { words, environment }: Command,
  beside: Beside,
  note: Note,
): Container | undefined {
  const start = words.findIndex((word, at) => /(^|\/)(docker|podman)$/.test(word) && isRun(words, at));
  if (start < 0) return undefined;
  const given = new Map<string, string[]>();
  let at = words.indexOf('run', start) + 1;
  for (; words[at]?.startsWith('-'); at += 1) {
    const [name, value] = optionOf(words[at]!);
    if (value === undefined && !switches.test(name)) at += 1;
    const text = value ?? (switches.test(name) ? 'true' : (words[at] ?? ''));
    given.set(name, [...(given.get(name) ?? []), text]);
  }
  const [image = '', ...command] = words.slice(at);
  if (!isRunnerImage(image)) return undefined;
  const all = (...names: readonly string[]) => names.flatMap(name => given.get(name) ?? []);
  const known = /^(env|env-file|volume|mount|add-host|network|net|detach|interactive|tty|rm)$/;
  return {
    name: given.get('name')?.at(-1),
    image,
    environment: environmentOf(
      all('env-file'),
      all('env'),
      { ...beside.variables, ...environment },
      beside,
      note,
    ),
    volumes: [...all('volume'), ...all('mount').map(mountOf)],
    extraHosts: all('add-host').map(asEntry),
    networks: all('network', 'net').filter(isNamed),
    command,
    others: [...given.keys()].filter(name => !known.test(name)).map(name => `--${name}`),
  };
}

/** What `--env-file` and `--env` give a container; a name alone passes a variable on. */
export function environmentOf(
  files: readonly string[],
  variables: readonly string[],
  passedOn: Readonly<Variables>,
  { open }: Beside,
  note: Note,
): Variables {
  const read = files.map(file => {
    const text = open(file);
    if (text === undefined) note(`--env-file ${file} was not read: it is not there, or may not be read`);
    return readPlainEnvironment(text ?? '', passedOn);
  });
  const given = variables.map((text): [string, string] =>
    text.includes('=') ? nameAndValue(text) : [text, passedOn[text] ?? unknown],
  );
  return Object.assign({}, ...read, Object.fromEntries(given));
}

const isRun = (words: readonly string[], at: number): boolean =>
  words[at + 1] === 'run' || (words[at + 1] === 'container' && words[at + 2] === 'run');

/** The name of an option, and its value where that is part of the word: `--name=value`, `-vvalue`. */
function optionOf(word: string): [name: string, value: string | undefined] {
  const long = /^--([^=]+)(?:=(.*))?$/s.exec(word);
  if (long) return [long[1]!, long[2]];
  // Of several letters only the last can take a value.
  const letters = word.slice(1);
  const at = [...letters].findIndex(letter => !switches.test(short[letter] ?? ''));
  if (at < 0) return [short[letters[0]!] ?? letters, 'true'];
  const value = letters.slice(at + 1).replace(/^=/, '');
  return [short[letters[at]!] ?? letters[at]!, value === '' ? undefined : value];
}

const nameAndValue = (text: string): [string, string] => {
  const [, name = text, value = ''] = /^([^=]*)=(.*)$/s.exec(text) ?? [];
  return [name, value];
};

function mountOf(text: string): string {
  const fields = Object.fromEntries(text.split(',').map(nameAndValue));
  const source = fields.source ?? fields.src ?? '';
  return `${source}:${fields.target ?? fields.destination ?? fields.dst ?? ''}`;
}

/** Where a container has its config.toml from: a file, or a volume of Docker; undefined where no mount says. */
export function configOfContainer({
  name = 'CONTAINER',
  volumes,
}: Container): { file: string; volume: string | undefined; container: string } | undefined {
  for (const mount of volumes) {
    const [, source = '', file] =
      /^(.+?):\/etc\/gitlab-runner(?:\/?|(\/config\.toml))(?::|$)/.exec(mount) ?? [];
    if (source === '') continue;
    const volume = /^[.~/]/.test(source) ? undefined : source;
    return { file: file ? source : `${source}/config.toml`, volume, container: name };
  }
  return undefined;
}

/** A network that containers are known on by their names. */
const isNamed = (network: string): boolean => !/^(host|bridge|none|default|container:.*)$/.test(network);

/** Compose and Docker take `=` for `:` between a name and its address. */
const asEntry = (entry: string): string => entry.replace('=', ':');

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
    throw new Refusal(`${path} is not valid YAML (${reasonOfParser(error)}).`);
  }
  const notes = new Set<string>();
  const services = Object.entries(tree(file.services));
  const isRunner = ([, service]: [string, unknown]) =>
    isRunnerImage(interpolate(String(tree(service).image ?? ''), variables, () => undefined));
  const containers = services.filter(isRunner).map(([name, service]) => {
    const note = (text: string) => notes.add(text);
    const filled = tree(filledIn(service, variables, note));
    if ('extends' in filled) note(`extends of ${name}: what it names was not read`);
    const environment = {
      ...environmentOfFiles(name, filled.env_file, beside, note),
      ...environmentOfService(filled.environment, variables, note),
    };
    return containerOf(filled, tree(file.networks), environment);
  });
  if (file.include !== undefined) notes.add('include: what it names was not read');
  return {
    containers,
    others: services.filter(one => !isRunner(one)).map(([name]) => name),
    notUnderstood: [...notes].map(note => `${path}: ${note}`),
  };
}

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

function containerOf(service: Mapping, networks: Mapping, environment: Variables): Container {
  const {
    image,
    environment: _,
    volumes,
    extra_hosts,
    networks: on,
    network_mode,
    command,
    env_file: __,
    extends: ___,
    ...others
  } = service;
  const mounts = [volumes ?? []].flat().map(volume => {
    const { source = '', target = '' } = tree(volume);
    return typeof volume === 'string' ? volume : `${source}:${target}`;
  });
  const named = (Array.isArray(on) ? on.map(String) : Object.keys(tree(on))).flatMap(name => {
    const { external, name: outside = tree(external).name ?? name } = tree(networks[name]);
    return external ? [String(outside)] : [];
  });
  return {
    name: others.container_name === undefined ? undefined : String(others.container_name),
    image: String(image),
    environment,
    volumes: mounts,
    extraHosts: pairs(extra_hosts, ':').map(asEntry),
    networks: [...named, ...texts(network_mode)].filter(isNamed),
    command:
      typeof command === 'string'
        ? (commandsIn(command.replaceAll('$', '\\$'))[0]?.words ?? [])
        : texts(command),
    others: Object.keys(others),
  };
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
