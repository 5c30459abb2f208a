import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Mock } from 'node:test';
import { afterEach, vi } from 'vitest';
import { RunContext } from 'yeoman-test';
import GitLabRunnerDocker from '../../generators/app/index.ts';
import type GitLabRunnerDockerCi from '../../generators/ci/index.ts';
import type GitLabRunnerDockerRunner from '../../generators/runner/index.ts';

export interface Run {
  /** Options as yo hands them over. */
  readonly options?: Record<string, unknown>;
  readonly args?: string[];
  /** Answers to prompts by their names; without one a prompt takes its default. */
  readonly answers?: Record<string, unknown>;
  /** Another generator than that of the repository. */
  readonly generator?:
    | typeof GitLabRunnerDocker
    | typeof GitLabRunnerDockerRunner
    | typeof GitLabRunnerDockerCi;
  /** The engine's version, API and minimum API, as `docker version` prints them; without it no engine answers. */
  readonly engine?: string;
}

interface Outcome {
  /** The message of the error that ended the run. */
  readonly refusal: string | undefined;
  /** Names of the questions that were asked, conflicts included. */
  readonly asked: string[];
  /** What the generator printed. */
  readonly printed: string;
}

const folders: string[] = [];

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

/** A new empty folder; it is removed after the test. */
export function newFolder(): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'my-runner-')));
  folders.push(folder);
  return folder;
}

/** Runs the generator in a folder, without a terminal unless `options.terminal` says so. */
export async function runGenerator(
  folder: string,
  { options, args, answers, engine, generator = GitLabRunnerDocker }: Run = {},
): Promise<Outcome> {
  const programs = newFolder();
  writeFileSync(join(programs, 'docker'), `#!/bin/sh\n${engine ? `echo '${engine}'` : 'exit 1'}\n`, {
    mode: 0o755,
  });
  vi.stubEnv('PATH', `${programs}:/usr/bin:/bin`);
  // Of a context only the program knows where its engine is.
  vi.stubEnv('DOCKER_HOST', undefined);
  vi.stubEnv('DOCKER_CONTEXT', 'stand-in');
  const argv = process.argv.splice(2);
  // Yeoman has an option of that name itself, so that it is taken from the command line alone.
  if (options?.namespace !== undefined) process.argv.push(`--namespace=${options.namespace}`);
  // yeoman-test overwrites without asking unless it is told otherwise.
  const force = options?.force === true;
  const context = new RunContext(generator as never, { cwd: folder }, { force } as never)
    .withOptions({ force, terminal: false, ...options } as never)
    .withArguments(args ?? [])
    .withAnswers((answers ?? {}) as never, { throwOnMissingAnswer: true });
  let refusal: string | undefined;
  try {
    // A run that went astray would write into the checkout.
    if (process.cwd() !== folder) throw new Error(`The generator would run in ${process.cwd()}.`);
    await context;
  } catch (error) {
    refusal = (error as Error).message;
  } finally {
    context.restore();
    process.argv.splice(2, process.argv.length, ...argv);
    vi.unstubAllEnvs();
  }
  const { mock } = context.env.adapter.log as unknown as Mock<() => void>;
  return {
    refusal,
    asked: context.askedQuestions.map(({ name }) => name),
    printed: mock.calls.map(call => String((call.arguments as unknown[])[0])).join('\n'),
  };
}

/** Every file below a folder with its text, in the order of the paths. */
export function textsBelow(folder: string): Record<string, string> {
  const paths = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(path =>
    statSync(join(folder, path), { throwIfNoEntry: false })?.isFile(),
  );
  return Object.fromEntries(paths.sort().map(path => [path, readFileSync(join(folder, path), 'utf8')]));
}
