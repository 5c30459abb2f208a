import { readdirSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { parseEnv } from 'node:util';
import { Refusal } from '../ask/refusal.ts';
import type { RunnerRepository } from '../plan/plan.ts';
import { readText } from '../write/files-on-disk.ts';
import { render } from '../write/render.ts';
import type { Additions } from '../write/repository-writer.ts';
import { loadAnswers } from '../write/saved-answers.ts';
import { carryOver, type LeftOut, runnerOf } from './carry.ts';
import { readFound } from './found.ts';
import { type MovedIn, moveIn } from './move-in.ts';

/** Where the files of a runner are, in its folder. */
const places = [
  'config.toml',
  'config/config.toml',
  ...['docker-compose.yml', 'docker-compose.yaml', 'compose.yml', 'compose.yaml'],
  'scripts/settings.ts',
];

/**
 * Reads what there is of an older runner: a file, or a folder with some of its files. Reads only.
 *
 * @param path a config.toml, a docker-compose.yml, a script that registers or starts it, or the folder of these
 * @throws Refusal if there is nothing of a runner, or if it cannot be read
 */
export function readOldRunner(path: string): MovedIn {
  const isFolder = isFolderThere(path);
  const folder = isFolder ? path : dirname(path);
  const texts = new Map(
    (isFolder ? filesIn(folder) : [basename(path)]).map(name => [name, readText(join(folder, name)) ?? '']),
  );
  const environment = isFolder ? parseEnv(readText(join(folder, '.env')) ?? '') : {};
  const { answers, runners, gone } = isFolder ? loadAnswers(folder) : { answers: {}, runners: {}, gone: [] };
  const found = readFound(texts, environment as Record<string, string>);
  if (found.runners.length + found.containers.length === 0 && Object.keys(answers).length === 0) {
    throw new Refusal(
      `${path} holds nothing of a runner: name its config.toml, its docker-compose.yml, a file with its "docker run" or "gitlab-runner register" command, or the folder with some of these. Nothing was written.`,
    );
  }
  return moveIn(found, { answers, runners, gone, environment: environment as Record<string, string> });
}

/** @throws Refusal if nothing is there */
function isFolderThere(path: string): boolean {
  const found = statSync(path, { throwIfNoEntry: false });
  if (!found) throw new Refusal(`There is no ${path}: nothing was written.`);
  return found.isDirectory();
}

/** The files of a runner there; of a repository of this generator that was never registered, the template of config.toml. */
function filesIn(folder: string): string[] {
  const there = (name: string) => statSync(join(folder, name), { throwIfNoEntry: false })?.isFile() ?? false;
  const files = places.filter(there);
  const hasConfig = files.some(name => name.endsWith('config.toml'));
  const template = 'config/template.toml';
  const scripts = readdirSync(folder).filter(name => name.endsWith('.sh') && there(name));
  return [...files, ...(hasConfig || !there(template) ? [] : [template]), ...scripts];
}

/**
 * The text of .env: that of .env.example with the values that came along.
 *
 * @returns the text, and the names of variables that no repository of this generator has
 */
function environmentFor(
  example: string,
  repository: RunnerRepository,
  { carried, environment }: MovedIn,
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
    const line = `${name}=${/^[\w.:/@+-]*$/.test(value) ? value : `'${value}'`}`;
    const its = new RegExp(`^${literal(name)}=.*$`, 'm');
    if (its.test(text)) text = text.replace(its, () => line);
    else if (isOfRunner)
      text = text.replace(
        new RegExp(`^${literal(name.replace(/_EXPIRES$/, ''))}=.*$`, 'm'),
        whole => `${whole}\n${line}`,
      );
    else unknown.push(name);
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
export function additions(planned: RunnerRepository, moved: MovedIn, from: string): Additions {
  const { repository, leftOut } = carryOver(planned, moved.carried);
  const { text, unknown } = environmentFor(render({ path: '.env.example' }, planned), planned, moved);
  return {
    texts: new Map(carriedPaths.map(path => [path, render({ path }, repository)])),
    environment: text,
    lines: report(from, moved, leftOut, unknown),
  };
}

/** What was taken over and what was not, in lines; no secret is among them. */
function report(
  from: string,
  moved: MovedIn,
  leftOut: readonly LeftOut[],
  unknown: readonly string[],
): string[] {
  const { hints, notUnderstood, carried } = moved;
  const count = carried.runners.filter(({ token }) => token !== undefined).length;
  const keysOf = (why: LeftOut['why']) =>
    [...new Set(leftOut.filter(one => one.why === why).map(({ key }) => key))].join(', ');
  const [idle, decided] = [keysOf('default'), keysOf('decided')];
  const missed = [...new Set(notUnderstood), ...unknown.map(name => `${name} of .env`)];
  return [
    `Taken over from ${from}: ${carried.runners.length} [[runners]], ${count === 0 ? 'none' : count} with a token${count === 0 ? '' : ', which goes to .env (0600)'}.`,
    ...(idle === '' ? [] : [`Left out, since they mean what is so without them: ${idle}.`]),
    ...(decided === ''
      ? []
      : [`Left out, since the way to build, or to keep caches, decides them: ${decided}.`]),
    ...hints,
    ...(missed.length === 0
      ? []
      : ['Not taken over, for it was not understood or has no place:', ...missed.map(one => `  - ${one}`)]),
    ...(count > 0 ? ['"make up" starts it. Stop the older one then: until that both take jobs.'] : []),
  ];
}

/** The text as an expression that fits it alone. */
const literal = (text: string) => text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
