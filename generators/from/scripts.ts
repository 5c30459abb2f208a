import type { TomlTable } from 'smol-toml';
import type { Beside } from './beside.ts';
import {
  type Container,
  environmentOf,
  type Note,
  readDockerRun,
  registerAt,
  startsContainer,
} from './container.ts';
import { isRegisteredBy, type Reserved } from './register-command.ts';
import { type Command, commandsIn, innerCommands, isKnown } from './shell.ts';
import { readUnit, serviceOnHost } from './unit.ts';

/** What one file of an older runner says. */
export interface Part {
  readonly config?: TomlTable;
  readonly registrations?: Registration[];
  readonly settings?: [name: string, reserved: Reserved][];
  readonly containers?: FoundContainer[];
  readonly services?: string[];
  readonly notUnderstood?: string[];
}

export interface FoundContainer extends Container {
  /** The file that it is in. */
  readonly path: string;
}

/** A `register` command: the words after that. */
export interface Registration extends Command {
  /** The file that it is in. */
  readonly path: string;
  /** Whether it is run in a container that is there otherwise, and so has its variables. */
  readonly isInside: boolean;
}

/** A shell script, or no more than a command: what it registers, and the containers that it starts. */
export function readScript(path: string, text: string, around: Beside): Part {
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
export function readService(path: string, text: string, beside: Beside): Part {
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

/** The containers of a file, without what only running it would tell. */
export function knownParts(path: string, all: readonly Container[], missed: readonly string[]): Part {
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
