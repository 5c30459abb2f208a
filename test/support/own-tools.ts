import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { engine } from '../e2e/support/engines.ts';
import { type Ended, isInstalled, run, temporaryFolder, tool } from './rendered.ts';

/** The programs that read the generated files in earnest, each where this machine has it. */

const node = tool('node/bin/node');
const gitlabCiLocal = tool('gitlab-ci-local/dist/index.js');

export const hasGitLabCiLocal = Boolean(node && gitlabCiLocal) && isInstalled('git', '--version');

/** The process that lists jobs, from the first pipeline on; it ends with this one, whose end it sees. */
let lister: ChildProcessByStdio<Writable, Readable, null> | undefined;
/** What it is asked for and has not answered, in that order. */
const asked: ((ended: Ended) => void)[] = [];
/** What becomes of each text that it was asked for: many answers give one pipeline. */
const listed = new Map<string, Promise<Ended>>();

function startLister(): NonNullable<typeof lister> {
  const program = fileURLToPath(new URL('list-jobs.ts', import.meta.url));
  const child = spawn(node ?? '', ['--no-warnings', program, gitlabCiLocal ?? ''], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  createInterface(child.stdout).on('line', line => asked.shift()?.(JSON.parse(line)));
  child.on('close', status => {
    lister = undefined;
    for (const answer of asked.splice(0))
      answer({ status, stdout: '', stderr: `list-jobs.ts ended with ${status}` });
  });
  child.stdin.on('error', () => {}); // its end tells more
  // It is no reason to wait where this process has nothing else to do.
  for (const one of [child, child.stdin, child.stdout] as { unref?(): void }[]) one.unref?.();
  return child;
}

/**
 * Lists the jobs of a pipeline; gitlab-ci-local checks GitLab's schema first, and ends with 1 where it fails.
 *
 * @param text the text of .gitlab-ci.yml
 */
export function listJobs(text: string): Promise<Ended> {
  const known = listed.get(text);
  if (known) return known;
  lister ??= startLister();
  lister.stdin.write(`${JSON.stringify(text)}\n`);
  const ended = new Promise<Ended>(resolve => asked.push(resolve));
  listed.set(text, ended);
  return ended;
}

/** Runs a program while others run too. */
function runBeside(
  folder: string,
  [program = '', ...words]: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
): Promise<Ended> {
  return new Promise(resolve => {
    const child = spawn(program, words, { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] });
    let [stdout, stderr] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', part => {
      stdout += part;
    });
    child.stderr.setEncoding('utf8').on('data', part => {
      stderr += part;
    });
    child.on('close', status => resolve({ status, stdout, stderr }));
  });
}

/**
 * What `tsc --strict` finds in these files and in what they import, of which it takes no syntax that Node cannot strip.
 * It runs in a process of its own: what blocks this one for a minute makes vitest give up on it.
 */
export async function compile(files: readonly string[]): Promise<string[]> {
  const modules = fileURLToPath(new URL('../../node_modules', import.meta.url));
  const compilerOptions = {
    target: 'ES2023',
    lib: ['ES2023'],
    module: 'NodeNext',
    moduleResolution: 'NodeNext',
    types: ['node'],
    typeRoots: [join(modules, '@types')],
    strict: true,
    noUnusedLocals: true,
    noUnusedParameters: true,
    verbatimModuleSyntax: true,
    erasableSyntaxOnly: true,
    allowImportingTsExtensions: true,
    noEmit: true,
    skipLibCheck: true,
  };
  const folder = writeTexts({ 'tsconfig.json': JSON.stringify({ compilerOptions, files }) });
  const tsc = [process.execPath, join(modules, 'typescript/bin/tsc'), '--pretty', 'false'];
  const { status, stdout, stderr } = await runBeside(folder, tsc);
  const problems = (stdout + stderr).split('\n').filter(line => line !== '');
  return status === 0 || problems.length > 0 ? problems : [`tsc ended with ${status}`];
}

/** The keys of [runners.cache] that the facts name by their type only: cache/cacheconfig of GitLab Runner. */
const typed: Readonly<Record<string, object>> = {
  '*cacheconfig.Config': {
    ...{ Type: 'string', Path: 'string', Shared: 'bool', MaxUploadedArchiveSize: 'int64' },
    s3: {
      ...{ ServerAddress: 'string', BucketName: 'string', BucketLocation: 'string', Insecure: 'bool' },
      ...{ AuthenticationType: 'string', AccessKey: 'string', SecretKey: 'string' },
    },
  },
};

/** Paths of the keys that are not among the known ones; a list of tables counts as one table. */
export function unknownKeys(value: unknown, known: unknown, path: string[] = []): string[] {
  if (Array.isArray(value)) return value.flatMap(item => unknownKeys(item, known, path));
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => {
    const at = [...path, key];
    if (typeof known !== 'object' || known === null || !Object.hasOwn(known, key)) return [at.join('.')];
    const below = (known as Record<string, unknown>)[key];
    // What a plugin reads is not the runner's to know.
    if (/SettingsMap$/.test(String(below))) return [];
    return unknownKeys(inner, typed[String(below)] ?? below, at);
  });
}

/** The ways to call Compose that this machine has, and those of the engines of the end-to-end tests. */
export const composes = [
  { command: ['docker', 'compose'], env: process.env },
  { command: ['docker-compose'], env: process.env },
  { command: ['docker', 'compose'], env: engine('modern')?.env },
  { command: ['docker-compose'], env: engine('old')?.env },
].flatMap(({ command, env }) =>
  env && run('.', [...command, 'version'], '', env).status === 0 ? [{ command, env }] : [],
);

/** What Compose makes of a docker-compose.yml beside a .env that says nothing. */
export function composeReads(text: string, { command, env }: (typeof composes)[number]): Promise<Ended> {
  const folder = writeTexts({ 'docker-compose.yml': text, '.env': '' });
  return runBeside(folder, [...command, 'config', '--quiet'], env);
}

/** The targets of a Makefile that are commands. */
export function targetsOf(makefile: string): string[] {
  return /^\.PHONY: (.+)$/m.exec(makefile)?.[1]?.split(' ') ?? [];
}

/** What shellcheck says of the recipe of a target, as make would run it in that folder. */
export function shellcheckRecipe(folder: string, target: string): Ended {
  const { stdout } = run(folder, ['make', '--dry-run', target]);
  // make gives each line to a shell of its own, unless it ends with a backslash.
  const lines = stdout.replaceAll('\\\n', '\0').trim().split('\n');
  const recipes = lines.map((line, number) => {
    writeFileSync(join(folder, `recipe-${number}`), `#!/bin/sh\n${line.replaceAll('\0', '\\\n')}\n`);
    return `recipe-${number}`;
  });
  return run(folder, ['shellcheck', ...recipes]);
}

/** Writes texts into a new folder, by their paths there. */
export function writeTexts(texts: Readonly<Record<string, string>>): string {
  const folder = temporaryFolder();
  for (const [path, text] of Object.entries(texts)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  return folder;
}
