import { parse } from 'yaml';
import { Refusal, reasonOfParser } from '../ask/refusal.ts';
import { isMapping, type Mapping } from '../mapping.ts';
import { interpolate } from './interpolate.ts';
import { commandsIn, type Variables } from './shell.ts';

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

/** Reads the words of a `docker run` line; undefined where it starts no GitLab Runner. */
export function readDockerRun(words: readonly string[]): Container | undefined {
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
  const known = /^(env|volume|mount|add-host|network|net|detach|interactive|tty|rm)$/;
  return {
    name: given.get('name')?.at(-1),
    image,
    environment: Object.fromEntries(all('env').map(nameAndValue)),
    volumes: [...all('volume'), ...all('mount').map(mountOf)],
    extraHosts: all('add-host').map(asEntry),
    networks: all('network', 'net').filter(isNamed),
    command,
    others: [...given.keys()].filter(name => !known.test(name)).map(name => `--${name}`),
  };
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
 * @param variables those of the .env beside it
 * @throws Refusal if it is no YAML
 */
export function readCompose(path: string, text: string, variables: Variables): ComposeFile {
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
    const filled = filledIn(service, variables, note => notes.add(note));
    for (const key of ['env_file', 'extends'])
      if (key in tree(service)) notes.add(`${key} of ${name}: what it names was not read`);
    return containerOf(tree(filled), tree(file.networks));
  });
  if (file.include !== undefined) notes.add('include: what it names was not read');
  return {
    containers,
    others: services.filter(one => !isRunner(one)).map(([name]) => name),
    notUnderstood: [...notes].map(note => `${path}: ${note}`),
  };
}

function containerOf(service: Mapping, networks: Mapping): Container {
  const {
    image,
    environment,
    volumes,
    extra_hosts,
    networks: on,
    network_mode,
    command,
    env_file: _,
    extends: __,
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
    environment: Object.fromEntries(pairs(environment, '=').map(nameAndValue)),
    volumes: mounts,
    extraHosts: pairs(extra_hosts, ':').map(asEntry),
    networks: [...named, ...texts(network_mode)].filter(isNamed),
    command:
      typeof command === 'string' ? (commandsIn(command.replaceAll('$', '\\$'))[0] ?? []) : texts(command),
    others: Object.keys(others),
  };
}

/** A value of YAML with the variables put into its texts. */
function filledIn(value: unknown, variables: Variables, note: (text: string) => void): unknown {
  if (Array.isArray(value)) return value.map(one => filledIn(one, variables, note));
  if (isMapping(value)) {
    return Object.fromEntries(
      Object.entries(value).map(([key, one]) => [key, filledIn(one, variables, note)]),
    );
  }
  return typeof value === 'string' ? interpolate(value, variables, note) : value;
}
