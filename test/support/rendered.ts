import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { completeRunners } from '../../generators/ask/runners.ts';
import { planRepository, type RunnerRepository } from '../../generators/plan/plan.ts';
import { filesOf } from '../../generators/write/files.ts';
import { render } from '../../generators/write/render.ts';
import { answersWith, type Scenario } from './answers.ts';

/** The plan of the repository that answers describe. */
export function planWith(typed: Scenario = {}, directory = 'my-runner'): RunnerRepository {
  const answers = answersWith(typed);
  return planRepository(answers, directory, completeRunners(answers, typed.runners ?? {}));
}

/** The text of every file, by its path. The tests of the generator show that it writes the same. */
export function renderAll(typed: Scenario = {}, directory = 'my-runner'): Record<string, string> {
  const repository = planWith(typed, directory);
  return Object.fromEntries(filesOf(repository).map(file => [file.path, render(file, repository)]));
}

/** The paths of the files that answers give. */
export function pathsWith(typed: Scenario = {}): string[] {
  return filesOf(planWith(typed)).map(({ path }) => path);
}

const folders: string[] = [];

/** Removes what `temporaryFolder` made: set-up.ts does when the tests of a file have ended. */
export function removeFolders(): void {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
}

/** A new empty folder, which is removed when the tests of the file have ended. */
export function temporaryFolder(): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'rendered-')));
  folders.push(folder);
  return folder;
}

/** Writes a repository into a new folder, which is removed when the tests of the file have ended. */
export function writeAll(typed: Scenario = {}): string {
  const folder = temporaryFolder();
  const texts = renderAll(typed);
  for (const { path, executable } of filesOf(planWith(typed))) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), texts[path] ?? '', { mode: executable ? 0o755 : 0o644 });
  }
  return folder;
}

export interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program in a folder; the status is null where there is no such program. */
export function run(
  folder: string,
  [program = '', ...words]: readonly string[],
  input = '',
  env: NodeJS.ProcessEnv = process.env,
): Ended {
  const { status, stdout, stderr } = spawnSync(program, words, {
    cwd: folder,
    env,
    input,
    encoding: 'utf8',
    maxBuffer: Number.POSITIVE_INFINITY,
  });
  return { status, stdout, stderr };
}

export function isInstalled(...command: string[]): boolean {
  return run('.', command).status === 0;
}

/** A program of test/tools; undefined where these are not installed. */
export function tool(path: string): string | undefined {
  const file = fileURLToPath(new URL(`../tools/node_modules/${path}`, import.meta.url));
  return existsSync(file) ? file : undefined;
}
