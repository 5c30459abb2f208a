import { basename } from 'node:path';
import type { Beside } from './beside.ts';
import type { Container, Note } from './container.ts';
import { readEnvironment } from './environment-file.ts';
import { type Command, unknown, type Variables } from './shell.ts';

/** Whether a text is a unit of systemd, or a container of Podman that systemd starts: by its first section. */
export const isUnit = (text: string): boolean =>
  /^\ufeff?\s*(?:[#;].*\n\s*)*\[(?:Unit|Service|Container|Install)\][ \t]*\r?\n/.test(text) &&
  /^\[(Service|Container)\]/m.test(text);

/** The settings of a unit: each as often as it is there, in its section. */
interface Setting {
  readonly section: string;
  readonly name: string;
  readonly value: string;
}

/** What a unit starts. */
export interface Unit {
  readonly commands: readonly Command[];
  /** Settings beside those of every unit, by their names. */
  readonly others: readonly string[];
}

/** What says no more than that it is started, and ended. */
const usual =
  /^(Exec(Start|Stop|Reload)\w*|Restart\w*|StartLimit\w*|Environment(File)?|Type|Timeout\w*|Kill\w*|SendSIG\w*|RemainAfterExit|SyslogIdentifier|Standard\w+|NotifyAccess|PIDFile|WorkingDirectory|SuccessExitStatus|User|Group|Slice)$/;

/**
 * Reads a unit: https://www.freedesktop.org/software/systemd/man/latest/systemd.service.html
 *
 * @param path its own, which %n and the like stand for
 */
export function readUnit(path: string, text: string, beside: Beside, note: Note): Unit {
  const settings = settingsIn(text);
  const container = settings.filter(({ section }) => section === 'Container');
  if (container.length > 0) return startedByPodman(container);
  const service = settings.filter(({ section }) => section === 'Service');
  const values = (name: string) => valuesOf(service, name);
  const { environment, isWhole } = environmentOfUnit(values, beside, note);
  const lines = ['ExecStartPre', 'ExecStart', 'ExecStartPost'].flatMap(values);
  const commands = lines.map(line => {
    const [program = '', ...words] = wordsOf(withoutSpecifiers(line, path));
    const all = [program.replace(/^[-@:+!|]+/, ''), ...words];
    return { words: all.flatMap(word => expanded(word, environment, isWhole)), environment };
  });
  const others = service.map(({ name }) => name).filter(name => !usual.test(name));
  return { commands, others: [...new Set(others)] };
}

/** Lines that end with a backslash go on, over comments; those are left out. */
function settingsIn(text: string): Setting[] {
  const lines = text
    .replace(/^\ufeff/, '')
    .replace(/\r\n/g, '\n')
    .replace(/^[ \t]*[#;].*\n/gm, '');
  let section = '';
  return lines
    .replace(/\\\n/g, ' ')
    .split('\n')
    .flatMap(line => {
      section = /^\s*\[(.+)\]\s*$/.exec(line)?.[1] ?? section;
      const [, name, value = ''] = /^\s*(\w+)\s*=\s*(.*?)\s*$/.exec(line) ?? [];
      return name ? [{ section, name, value }] : [];
    });
}

/** The values of a setting from the last time on that it was made empty. */
function valuesOf(settings: readonly Setting[], name: string): string[] {
  const all = settings.filter(one => one.name === name).map(({ value }) => value);
  return all.slice(all.lastIndexOf('') + 1);
}

/** The variables of a unit, and whether all of its files were read. */
function environmentOfUnit(
  values: (name: string) => string[],
  { open, isThere }: Beside,
  note: Note,
): { environment: Variables; isWhole: boolean } {
  const pairs = values('Environment')
    .flatMap(line => wordsOf(line))
    .map((word): [string, string] => [word.replace(/=.*$/s, ''), word.replace(/^[^=]*=/, '')]);
  let isWhole = true;
  const files = values('EnvironmentFile').map(value => {
    const file = value.replace(/^-/, '');
    const text = open(file);
    isWhole &&= text !== undefined;
    if (text === undefined && (file === value || isThere(file)))
      note(`EnvironmentFile ${file} was not read: it is not there, or may not be read`);
    // Nothing is put in there.
    return readEnvironment((text ?? '').replaceAll('$', '$$$$'));
  });
  return { environment: Object.assign(Object.fromEntries(pairs), ...files), isWhole };
}

/** Words as systemd makes them of a line: quotes are taken away, backslashes mean the next character. */
function wordsOf(line: string): string[] {
  const words = line.match(/(?:[^\s"'\\]|\\.|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')+/gs) ?? [];
  const part = /"((?:\\.|[^"\\])*)"|'((?:\\.|[^'\\])*)'|\\(.)/gs;
  const meaning = (sign: string) => ({ n: '\n', t: '\t', s: ' ' })[sign] ?? sign;
  const plain = (text: string) => text.replace(/\\(.)/gs, (_, sign: string) => meaning(sign));
  return words.map(word =>
    word.replace(part, (_, double?: string, single?: string, sign?: string) =>
      sign === undefined ? plain(double ?? single ?? '') : meaning(sign),
    ),
  );
}

/** What systemd puts in for %n is known by the path; the rest only by running it. */
function withoutSpecifiers(line: string, path: string): string {
  const name = basename(path);
  const known: Readonly<Record<string, string>> = { '%': '%', n: name, N: name.replace(/\.\w+$/, '') };
  return line.replace(/%(\S)/g, (_, sign: string) => known[sign] ?? unknown);
}

/** `${NAME}` stands for a value, and `$NAME` as a word of its own for as many words as that has. */
function expanded(word: string, environment: Readonly<Variables>, isWhole: boolean): string[] {
  const given = (name: string) => environment[name] ?? (isWhole ? '' : unknown);
  const [, name] = /^\$(\w+)$/.exec(word) ?? [];
  if (name) return given(name).split(/\s+/).filter(Boolean);
  return [word.replace(/\$\$|\$\{(\w+)\}/g, (_, name?: string) => (name ? given(name) : '$'))];
}

/** A container of Podman as the command that starts it: https://docs.podman.io/en/latest/markdown/podman-systemd.unit.5.html */
function startedByPodman(settings: readonly Setting[]): Unit {
  const options: Readonly<Record<string, string>> = {
    ...{
      ContainerName: 'name',
      Volume: 'volume',
      Mount: 'mount',
      Environment: 'env',
      EnvironmentFile: 'env-file',
    },
    ...{ Network: 'network', AddHost: 'add-host', Entrypoint: 'entrypoint' },
  };
  const values = (name: string) => valuesOf(settings, name);
  const given = Object.entries(options).flatMap(([name, option]) =>
    values(name).flatMap(value =>
      (name === 'Environment' ? wordsOf(value) : [value]).map(one => `--${option}=${one}`),
    ),
  );
  const [image = '', exec = ''] = ['Image', 'Exec'].map(name => values(name).at(-1));
  const others = settings
    .map(({ name }) => name)
    .filter(name => !/^(Image|Exec)$/.test(name) && !options[name]);
  return {
    commands: [{ words: ['podman', 'run', ...given, image, ...wordsOf(exec)], environment: {} }],
    others: [...new Set(others)],
  };
}

/**
 * A runner that is no container but a service of the host, as the container that it might be: its config.toml is mounted. Undefined where
 * the command is none.
 */
export function serviceOnHost({ words, environment }: Command): Container | undefined {
  const run = words.indexOf('run');
  if (run < 0 || !/(^|\/)gitlab-(ci-multi-)?runner$/.test(words[0] ?? '')) return undefined;
  const config = words.flatMap((word, at) =>
    /^(?:--config|-c)$/.test(words[at - 1] ?? '') ? word : (/^--config=(.+)$/.exec(word)?.[1] ?? []),
  );
  const file = config[0] ?? '/etc/gitlab-runner/config.toml';
  return {
    ...{ name: undefined, image: undefined, extraHosts: [], networks: [], others: [] },
    environment,
    volumes: [`${/^[./~]/.test(file) ? '' : './'}${file}:/etc/gitlab-runner/config.toml`],
    commands: [{ words, environment }],
  };
}
