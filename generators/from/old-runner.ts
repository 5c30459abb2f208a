import { type Dirent, existsSync, readdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { Refusal } from '../ask/refusal.ts';
import type { RunnerRepository } from '../plan/plan.ts';
import { render } from '../write/render.ts';
import type { Additions } from '../write/repository-writer.ts';
import { loadAnswers } from '../write/saved-answers.ts';
import type { Beside } from './beside.ts';
import { carryOver, runnerOf } from './carry.ts';
import { environmentLine, readEnvironment } from './environment-file.ts';
import { type Found, overrides } from './found.ts';
import { readWithMounts } from './mounted-config.ts';
import { type MovedIn, moveIn } from './move-in.ts';
import { refusalOfKubernetes } from './not-ours.ts';
import { kindOf, lookAt, OlderFiles } from './older-files.ts';
import { registerVariables } from './register-command.ts';
import { report } from './report.ts';
import { literal } from './secrets.ts';

/** Where the files of a runner are, in its folder. */
const places = [
  'config.toml',
  'config/config.toml',
  ...['docker-compose.yml', 'docker-compose.yaml', 'compose.yml', 'compose.yaml'],
  'scripts/settings.ts',
];

/** An older runner, and the variables of its .env that its other files put in somewhere. */
export interface OldRunner extends MovedIn {
  readonly used: readonly string[];
}

/**
 * Reads what there is of an older runner: a file, or a folder with some of its files. Reads only.
 *
 * @param path a config.toml, a docker-compose.yml, a script that registers or starts it, or the folder of these
 * @throws Refusal if there is nothing of a runner, or if it cannot be read
 */
export function readOldRunner(path: string): OldRunner {
  const files = new OlderFiles(path);
  const { isFolder } = files;
  const folder = isFolder ? path : dirname(path);
  const names = isFolder ? filesIn(folder, files) : [basename(path)];
  const texts = new Map(names.map(name => [name, textWithDropIns(join(folder, name), files)]));
  // Compose reads it by itself.
  const environment =
    isFolder || /\.ya?ml$/.test(path) ? readEnvironment(files.read(join(folder, '.env')) ?? '') : {};
  const { answers, runners, gone } = isFolder ? loadAnswers(folder) : { answers: {}, runners: {}, gone: [] };
  const opened = new Set<string>();
  const isOwn = Object.keys(answers).length > 0;
  const beside = { ...filesBeside(folder, environment, opened), isOwn };
  const { found, hints, read } = readWithMounts(folder, texts, beside);
  const { others, closed } = isFolder
    ? filesNotRead(resolve(folder), [...filesRead(folder, names, files), ...opened, ...read])
    : { others: [], closed: [] };
  if (found.runners.length + found.containers.length === 0 && !isOwn)
    throw nothingIn(path, isFolder, texts, found, others);
  const moved = moveIn(found, { answers, runners, gone, environment });
  const rest = [
    ...(others.length > 0 ? [`Not read in that folder: ${shortened(others)}.`] : []),
    ...closed.map(one => `What else is in ${one} may not be listed by you, so it was not read.`),
  ];
  return {
    ...moved,
    hints: [...hints, ...moved.hints, ...rest],
    used: Object.keys(environment).filter(name => isNamedIn(texts, name)),
  };
}

/** What the files in the folder may name. @param opened gains the paths of those that were opened */
function filesBeside(
  folder: string,
  environment: Readonly<Record<string, string>>,
  opened: Set<string>,
): Omit<Beside, 'isOwn'> {
  const pathOf = (named: string) => resolve(folder, named.replace(/^~(?=\/)/, homedir()));
  return {
    variables: { PWD: resolve(folder), HOME: homedir(), ...environment },
    open: named => {
      const { text } = lookAt(pathOf(named));
      if (text !== undefined) opened.add(pathOf(named));
      return text;
    },
    isThere: named => existsSync(pathOf(named)),
    isOpened: named => opened.has(pathOf(named)),
  };
}

/** Whether Compose or a script puts that variable in somewhere, or passes it on: what it says is dealt with there. */
function isNamedIn(texts: ReadonlyMap<string, string>, name: string): boolean {
  const its = new RegExp(`(?<![\\w-])${literal(name)}(?![\\w-])`);
  const areExported = /^\s*(set\s+(-\w*a|-o\s+allexport)|export\s+["']?(\$\(|`))/m;
  const isOfRegister = name in registerVariables({ [name]: '' });
  return [...texts].some(
    ([path, text]) => !path.endsWith('.ts') && (its.test(text) || (isOfRegister && areExported.test(text))),
  );
}

/** The text of a file; of a unit with those of NAME.service.d, which systemd puts upon it. */
function textWithDropIns(path: string, files: OlderFiles): string {
  return [path, ...dropInsOf(path, files)].map(file => files.read(file) ?? '').join('\n');
}

function dropInsOf(path: string, files: OlderFiles): string[] {
  const names = /\.(service|container)$/.test(path) ? files.list(`${path}.d`) : [];
  return names.filter(name => name.endsWith('.conf')).map(name => join(`${path}.d`, name));
}

/** The files that were read by their names, with what is read of each folder anyway. */
function filesRead(folder: string, names: readonly string[], files: OlderFiles): string[] {
  const paths = ['.env', '.yo-rc.json', ...names].map(name => resolve(folder, name));
  return [...paths, ...paths.flatMap(path => dropInsOf(path, files))];
}

/**
 * What a folder has beside the files that were read: files, and folders with a slash, of which some in those where others were read.
 *
 * @param read paths of files
 * @returns with the folders that may not be listed
 */
function filesNotRead(folder: string, read: readonly string[]): { others: string[]; closed: string[] } {
  const closed: string[] = [];
  const known = new Set(read.map(path => relative(folder, path)));
  const listed = (below: string): string[] =>
    entriesOf(join(folder, below), closed)
      .sort((one, other) => (one.name < other.name ? -1 : 1))
      .flatMap(entry => {
        const path = join(below, entry.name);
        if (known.has(path) || path === '.git') return [];
        if (!entry.isDirectory()) return [path];
        return [...known].some(one => one.startsWith(`${path}/`)) ? listed(path) : [`${path}/`];
      });
  return { others: listed(''), closed };
}

/** @param closed gains the folder where it may not be listed */
function entriesOf(folder: string, closed: string[]): Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch {
    closed.push(folder);
    return [];
  }
}

const listed = (before: string, text: string): string => (text === '' ? '' : ` ${before}: ${text}.`);

/** A list of names, of which a long one ends with how many more there are. */
function shortened(names: readonly string[]): string {
  const shown = names.length > 8 ? names.slice(0, 6) : names;
  const more = names.length - shown.length;
  return `${shown.join(', ')}${more > 0 ? ` and ${more} others` : ''}`;
}

/** Why a path holds no runner. */
function nothingIn(
  path: string,
  isFolder: boolean,
  texts: ReadonlyMap<string, string>,
  { notUnderstood }: Found,
  others: readonly string[],
): Refusal {
  const values = isFolder
    ? ['values.yaml', 'values.yml'].find(name => kindOf(join(path, name)) === 'file')
    : undefined;
  if (values) return refusalOfKubernetes(join(path, values));
  const [config, text] = [...texts].find(([name]) => name.endsWith('.toml')) ?? [];
  if (config !== undefined && notUnderstood.length === 0) {
    const why = text?.trim() === '' ? 'is empty' : 'has no [[runners]]';
    return new Refusal(
      `${isFolder ? join(path, config) : path} ${why}: nothing was registered there. Nothing was written. Without --from a new runner is made, and "make register" registers it.`,
    );
  }
  return new Refusal(
    `${path} holds nothing of a runner: name its config.toml, its docker-compose.yml, its unit of systemd, a file with its "docker run" or "gitlab-runner register" command, or the folder with some of these. Nothing was written.${listed('Not understood', notUnderstood.join('; '))}${listed('Not read', shortened(others))}`,
  );
}

/**
 * The files of a runner there; of a repository of this generator that was never registered, the template of config.toml.
 *
 * @throws Refusal if its config.toml may not be read
 */
function filesIn(folder: string, files: OlderFiles): string[] {
  const there = (name: string) => files.hasFile(join(folder, name));
  // Who has the one does not need the other, which may be closed.
  const isUnneeded = (name: string) =>
    name === 'config/config.toml' && kindOf(join(folder, 'config')) === 'denied';
  const found = places.filter(name => !(isUnneeded(name) && there('config.toml')) && there(name));
  const hasConfig = found.some(name => name.endsWith('config.toml'));
  const template = 'config/template.toml';
  // What may be passed through and not listed is known by its names alone.
  const all =
    found.length > 0
      ? entriesOf(folder, [])
          .map(({ name }) => name)
          .sort()
      : files.list(folder);
  const others = all.filter(name => /\.(sh|service|container)$/.test(name) || overrides.test(name));
  return [...found, ...(hasConfig || !there(template) ? [] : [template]), ...others.filter(there)];
}

/**
 * The text of .env: that of .env.example with the values that came along.
 *
 * @returns the text, and the names of variables that no repository of this generator has
 */
function environmentFor(
  example: string,
  repository: RunnerRepository,
  { carried, environment, used }: OldRunner,
): { text: string; unknown: string[] } {
  const ofRunners = repository.runners.flatMap(runner => {
    const { token, expires } = runnerOf(repository, runner, carried.runners) ?? {};
    const { tokenVariable } = runner;
    return token === undefined
      ? []
      : [[tokenVariable, token], ...(expires ? [[`${tokenVariable}_EXPIRES`, expires]] : [])];
  });
  const values = { ...environment, ...Object.fromEntries(ofRunners) } as Record<string, string>;
  const kept = /^(RUNNER_TOKEN\w*|GITLAB_URL|COMPOSE_PROJECT_NAME)$/;
  const unknown: string[] = [];
  let text = example;
  for (const [name, value] of Object.entries(values)) {
    const isOfRunner = ofRunners.some(([variable]) => variable === name);
    // The new repository has its own address and its own names for containers.
    if (value === '' || (!isOfRunner && kept.test(name) && name !== 'RUNNER_TOKEN')) continue;
    const line = environmentLine(name, value);
    const its = new RegExp(`^${literal(name)}=.*$`, 'm');
    const before = new RegExp(`^${literal(name.replace(/_EXPIRES$/, ''))}=.*$`, 'm');
    if (line !== undefined && its.test(text)) text = text.replace(its, () => line);
    else if (isOfRunner) text = text.replace(before, whole => `${whole}\n${line}`);
    // Of those of a cache that has no place it is said elsewhere.
    else if (!used.includes(name) && !/^CACHE_S3_\w+_KEY$/.test(name)) unknown.push(name);
  }
  return { text, unknown };
}

/** Files that an older runner says more about than the answers. */
const carriedPaths = ['config/config.toml', 'scripts/settings.ts'];

/**
 * What a new repository has beyond its answers, by an older runner.
 *
 * @param from where that was, for the words
 */
export function additions(planned: RunnerRepository, moved: OldRunner, from: string): Additions {
  const { repository, differences } = carryOver(planned, moved.carried);
  const { text, unknown } = environmentFor(render({ path: '.env.example' }, planned), planned, moved);
  return {
    texts: new Map(carriedPaths.map(path => [path, render({ path }, repository)])),
    environment: text,
    lines: report(from, moved, repository, differences, unknown),
  };
}
