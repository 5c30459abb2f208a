import type { Beside } from './beside.ts';
import { readPlainEnvironment } from './environment-file.ts';
import {
  type Command,
  commandsIn,
  innerCommands,
  isKnown,
  isPrinting,
  unknown,
  type Variables,
} from './shell.ts';

/** Is told what was not understood, in words. */
export type Note = (text: string) => void;

/** The container of a runner, or of its registration, as somebody started it. */
export interface Container {
  /** Undefined where Docker or Compose makes it up. */
  readonly name: string | undefined;
  /** Undefined where it is built there, and where it is no container but a service of the host. */
  readonly image: string | undefined;
  readonly environment: Readonly<Record<string, string>>;
  /** As `source:target`, with the options of the mount where it has some. */
  readonly volumes: readonly string[];
  /** As `name:address`. */
  readonly extraHosts: readonly string[];
  /** Networks of Docker that it is on and that others made. */
  readonly networks: readonly string[];
  /** What it runs, a shell's lines too. */
  readonly commands: readonly Command[];
  /** Other options, by their names: what they say is decided anew, or not at all. */
  readonly others: readonly string[];
}

/** Whether that starts GitLab Runner, by the name of its image, or as it mounts what only that reads. */
export const isRunner = (image: string, volumes: readonly string[]): boolean =>
  /(^|\/)[\w.-]*gitlab-runner(?!-helper)([:@-]|$)/.test(image) ||
  isOfBefore(image) ||
  volumes.some(volume => /:\/etc\/gitlab-runner(\/|:|$)/.test(volume));

/** Whether that is GitLab Runner of the time when it had another name. */
export const isOfBefore = (image: string): boolean =>
  /(^|\/)[\w.-]*gitlab-ci-multi-runner([:@-]|$)/.test(image);

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
  const start = runAt(words);
  if (start < 0) return undefined;
  const given = new Map<string, string[]>();
  let at = start + 1;
  for (; words[at]?.startsWith('-'); at += 1) {
    const [name, value] = optionOf(words[at]!);
    if (value === undefined && !switches.test(name)) at += 1;
    const text = value ?? (switches.test(name) ? 'true' : (words[at] ?? ''));
    given.set(name, [...(given.get(name) ?? []), text]);
  }
  const [image = '', ...command] = words.slice(at);
  const all = (...names: readonly string[]) => names.flatMap(name => given.get(name) ?? []);
  const volumes = [...all('volume'), ...all('mount').map(mountOf)];
  if (!isRunner(image, volumes)) return undefined;
  const known = /^(env|env-file|entrypoint|volume|mount|add-host|network|net|detach|interactive|tty|rm)$/;
  const passedOn = { ...beside.variables, ...environment };
  const its = environmentOf(all('env-file'), all('env'), passedOn, beside, note);
  const entrypoint = all('entrypoint').filter(Boolean).slice(-1);
  const { commands, isWhole } = commandsOfContainer(
    entrypoint,
    [command],
    { environment: its, volumes },
    beside,
  );
  const others = [...given.keys()].filter(name => !known.test(name));
  return {
    name: all('name').filter(isKnown).at(-1),
    image,
    environment: its,
    volumes,
    extraHosts: all('add-host').map(asEntry),
    networks: all('network', 'net').filter(isNamed),
    commands,
    others: [...others, ...(isWhole ? [] : ['entrypoint'])].map(name => `--${name}`),
  };
}

/**
 * What a container runs: its entrypoint with its command, and where that is a shell, or a script that is mounted, the lines of it.
 *
 * @param lines its command, which a text may have several of
 * @returns with whether that is all it does, as far as it matters to a runner
 */
export function commandsOfContainer(
  entrypoint: readonly string[],
  [first = [], ...more]: readonly (readonly string[])[],
  { environment, volumes }: Pick<Container, 'environment' | 'volumes'>,
  { open }: Beside,
): { commands: Command[]; isWhole: boolean } {
  // The image's own entrypoint starts it.
  const start = entrypoint.length > 0 ? entrypoint : ['gitlab-runner'];
  const mounts = new Map(
    volumes.map(volume => volume.split(':')).map(([source, target]) => [target, source]),
  );
  const commands = [[...start, ...first], ...more].flatMap((words): Command[] => {
    const inner = innerCommands({ words, environment }, environment);
    const script = words.map(word => mounts.get(word)).find(source => source !== undefined);
    const text = inner || script === undefined ? undefined : open(script);
    const lines =
      inner ?? (text === undefined ? [{ words, environment }] : commandsIn(text, { ...environment }));
    return lines.map(line => ({ words: line.words, environment: { ...environment, ...line.environment } }));
  });
  const harmless =
    /^(if|then|else|elif|fi|test|\[|\[\[|!|\]|sleep|exec|set|echo|while|do|done|true|tail|wait)$/;
  const isWhole = commands.every(
    ({ words }) => words.some(word => starting.test(word)) || harmless.test(words[0] ?? ''),
  );
  return { commands, isWhole };
}

/** What starts GitLab Runner. */
const starting = /runner|(^|\/)entrypoint$/;

/** Where `register` is among the words of a command of GitLab Runner; below 0 where it is not. */
export function registerAt(words: readonly string[]): number {
  const at = words.findIndex(
    (word, at) => word === 'register' && words.slice(0, at).some(word => starting.test(word)),
  );
  return isPrinting(words) ? -1 : at;
}

/** Whether it is there to register a runner, and not to be one. */
export const isRegistering = ({ commands }: Container): boolean =>
  commands.some(({ words }) => registerAt(words) > 0) &&
  !commands.some(
    ({ words }) => registerAt(words) < 0 && words.some(word => /^(run|run-single|start)$/.test(word)),
  );

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

/** Whether a command starts some container. */
export const startsContainer = (words: readonly string[]): boolean => runAt(words) >= 0;

/** Where the word is that starts a container, as in `docker run` and `docker service create`; below 0 where there is none. */
function runAt(words: readonly string[]): number {
  const program = words.findIndex(word => /(^|\/)(docker|podman|nerdctl)$/.test(word));
  const [first = '', second = ''] = program < 0 ? [] : words.slice(program + 1);
  if (/^(run|create)$/.test(first)) return program + 1;
  return /^container (run|create)$|^service create$/.test(`${first} ${second}`) ? program + 2 : -1;
}

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

export const nameAndValue = (text: string): [string, string] => {
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
}: Pick<Container, 'name' | 'volumes'>):
  | { file: string; volume: string | undefined; container: string }
  | undefined {
  for (const mount of volumes) {
    const [, source = '', file] =
      /^(.+?):(?:\/etc\/gitlab-runner|\/home\/gitlab_ci_multi_runner\/data)(?:\/?|(\/config\.toml))(?::|$)/.exec(
        mount,
      ) ?? [];
    if (source === '') continue;
    const volume = /^[.~/]/.test(source) ? undefined : source;
    return { file: file ? source : `${source}/config.toml`, volume, container: name };
  }
  return undefined;
}

/** A network that containers are known on by their names. */
export const isNamed = (network: string): boolean =>
  !/^(host|bridge|none|default|container:.*)$/.test(network);

/** Compose and Docker take `=` for `:` between a name and its address. */
export const asEntry = (entry: string): string => entry.replace('=', ':');
