import { existsSync, readdirSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { Refusal } from '../ask/refusal.ts';
import type { RunnerRepository } from '../plan/plan.ts';
import { readText } from '../write/files-on-disk.ts';
import { render } from '../write/render.ts';
import type { Additions } from '../write/repository-writer.ts';
import { loadAnswers } from '../write/saved-answers.ts';
import type { Beside } from './beside.ts';
import { carryOver, runnerOf } from './carry.ts';
import { environmentLine, readEnvironment } from './environment-file.ts';
import { isKubernetes, overrides } from './found.ts';
import { readWithMounts } from './mounted-config.ts';
import { type MovedIn, moveIn } from './move-in.ts';
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
  const isFolder = isFolderThere(path);
  const folder = isFolder ? path : dirname(path);
  const names = isFolder ? filesIn(folder) : [basename(path)];
  const texts = new Map(names.map(name => [name, textWithDropIns(join(folder, name))]));
  // Compose reads it by itself.
  const environment =
    isFolder || /\.ya?ml$/.test(path) ? readEnvironment(readText(join(folder, '.env')) ?? '') : {};
  const { answers, runners, gone } = isFolder ? loadAnswers(folder) : { answers: {}, runners: {}, gone: [] };
  const opened = new Set<string>();
  const beside = filesBeside(folder, environment, opened);
  const { found, hints, read } = readWithMounts(folder, texts, beside);
  const others = isFolder
    ? filesNotRead(resolve(folder), [...filesRead(folder, names), ...opened, ...read])
    : [];
  if (found.runners.length + found.containers.length === 0 && Object.keys(answers).length === 0)
    throw nothingIn(path, isFolder, names, others);
  const moved = moveIn(found, { answers, runners, gone, environment });
  const rest = others.length > 0 ? [`Not read in that folder: ${shortened(others)}.`] : [];
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
): Beside {
  const pathOf = (named: string) => resolve(folder, named.replace(/^~(?=\/)/, homedir()));
  return {
    variables: { PWD: resolve(folder), HOME: homedir(), ...environment },
    open: named => {
      const text = textOf(pathOf(named));
      if (text !== undefined) opened.add(pathOf(named));
      return text;
    },
    isThere: named => existsSync(pathOf(named)),
    isOpened: named => opened.has(pathOf(named)),
  };
}

/** Undefined also where it may not be read: whoever asks says so. */
function textOf(path: string): string | undefined {
  try {
    return readText(path);
  } catch {
    return undefined;
  }
}

/** Whether Compose or a script puts that variable in somewhere, or passes it on: what it says is dealt with there. */
function isNamedIn(texts: ReadonlyMap<string, string>, name: string): boolean {
  const its = new RegExp(`(?<![\\w-])${literal(name)}(?![\\w-])`);
  const areExported = /^\s*set\s+(-\w*a|-o\s+allexport)/m;
  const isOfRegister = name in registerVariables({ [name]: '' });
  return [...texts].some(
    ([path, text]) => !path.endsWith('.ts') && (its.test(text) || (isOfRegister && areExported.test(text))),
  );
}

/** The text of a file; of a unit with those of NAME.service.d, which systemd puts upon it. */
function textWithDropIns(path: string): string {
  return [path, ...dropInsOf(path)].map(file => readText(file) ?? '').join('\n');
}

function dropInsOf(path: string): string[] {
  const folder = `${path}.d`;
  const names = /\.(service|container)$/.test(path) && existsSync(folder) ? readdirSync(folder).sort() : [];
  return names.filter(name => name.endsWith('.conf')).map(name => join(folder, name));
}

/** The files that were read by their names, with what is read of each folder anyway. */
function filesRead(folder: string, names: readonly string[]): string[] {
  const paths = ['.env', '.yo-rc.json', ...names].map(name => resolve(folder, name));
  return [...paths, ...paths.flatMap(dropInsOf)];
}

/**
 * What a folder has beside the files that were read: files, and folders with a slash, of which some in those where others were read.
 *
 * @param read paths of files
 */
function filesNotRead(folder: string, read: readonly string[]): string[] {
  const known = new Set(read.map(path => relative(folder, path)));
  const listed = (below: string): string[] =>
    readdirSync(join(folder, below), { withFileTypes: true })
      .sort((one, other) => (one.name < other.name ? -1 : 1))
      .flatMap(entry => {
        const path = join(below, entry.name);
        if (known.has(path) || path === '.git') return [];
        if (!entry.isDirectory()) return [path];
        return [...known].some(one => one.startsWith(`${path}/`)) ? listed(path) : [`${path}/`];
      });
  return listed('');
}

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
  names: readonly string[],
  others: readonly string[],
): Refusal {
  const values = isFolder ? ['values.yaml', 'values.yml'].find(name => isFile(join(path, name))) : undefined;
  if (values) return isKubernetes(join(path, values));
  const config = names.find(name => name.endsWith('.toml'));
  if (config)
    return new Refusal(
      `${isFolder ? join(path, config) : path} has no [[runners]]: nothing was registered there. Nothing was written.`,
    );
  return new Refusal(
    `${path} holds nothing of a runner: name its config.toml, its docker-compose.yml, its unit of systemd, a file with its "docker run" or "gitlab-runner register" command, or the folder with some of these. Nothing was written.${others.length > 0 ? ` Not read: ${shortened(others)}.` : ''}`,
  );
}

/** @throws Refusal if nothing is there */
function isFolderThere(path: string): boolean {
  const found = statSync(path, { throwIfNoEntry: false });
  if (!found) throw new Refusal(`There is no ${path}: nothing was written.`);
  return found.isDirectory();
}

const isFile = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;

/** The files of a runner there; of a repository of this generator that was never registered, the template of config.toml. */
function filesIn(folder: string): string[] {
  const there = (name: string) => isFile(join(folder, name));
  const files = places.filter(there);
  const hasConfig = files.some(name => name.endsWith('config.toml'));
  const template = 'config/template.toml';
  const others = readdirSync(folder).filter(
    name => /\.(sh|service|container)$/.test(name) || overrides.test(name),
  );
  return [...files, ...(hasConfig || !there(template) ? [] : [template]), ...others.filter(there)];
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
    else if (!used.includes(name)) unknown.push(name);
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
