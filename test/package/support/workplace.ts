import { spawn, spawnSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  type Stats,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { inject, onTestFinished } from 'vitest';
import { type FakeEngine, fakeDocker } from './engine.ts';
import { asNormalUser, giveToNormalUser, isRoot } from './users.ts';

const { prefix, yo } = inject('package');

/** A way to start the generator: by which command, and as whom. */
export interface Way {
  readonly name: string;
  /** Whether it can be tried here. */
  readonly exists: boolean;
  readonly command: readonly string[];
  /** The same for adding a runner; its name follows. */
  readonly addRunner: readonly string[];
  /** The same for adding a job to a project; its folder follows. */
  readonly addJob: readonly string[];
  /** What the command itself prints before an error's sentence. */
  readonly beforeError: RegExp;
}

const ownCommand = [join(prefix, 'bin/generator-gitlab-runner-docker')];
const ownName = /^generator-gitlab-runner-docker: /;

export const own: Way = {
  name: 'the own command as a normal user',
  exists: true,
  command: asNormalUser(ownCommand),
  addRunner: asNormalUser([...ownCommand, '--runner']),
  addJob: asNormalUser([...ownCommand, '--ci']),
  beforeError: ownName,
};
export const ownAsRoot: Way = {
  name: 'the own command as root',
  exists: isRoot,
  command: ownCommand,
  addRunner: [...ownCommand, '--runner'],
  addJob: [...ownCommand, '--ci'],
  beforeError: ownName,
};
export const realYo: Way = {
  name: 'yo as a normal user',
  exists: yo !== '',
  command: asNormalUser([process.execPath, yo, 'gitlab-runner-docker']),
  addRunner: asNormalUser([process.execPath, yo, 'gitlab-runner-docker:runner']),
  addJob: asNormalUser([process.execPath, yo, 'gitlab-runner-docker:ci']),
  // yo repeats its arguments in a line of its own.
  beforeError: /^Error gitlab-runner-docker .*\n\s*\n/,
};

interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly milliseconds: number;
}

/** An empty folder and a home of a user's own, with an engine or none; gone after the test. */
export class Workplace {
  readonly folder: string;
  readonly environment: NodeJS.ProcessEnv;
  /** That of a terminal that is opened here. */
  terminalSize = { columns: 120, rows: 50 };

  readonly #way: Way;

  /** @param below where its folder is made */
  constructor(way: Way, engine: FakeEngine = 'absent', below = tmpdir()) {
    this.#way = way;
    const top = mkdtempSync(join(below, 'workplace-'));
    onTestFinished(() => rmSync(top, { recursive: true, force: true }));
    chmodSync(top, 0o755);
    this.folder = join(top, 'work');
    mkdirSync(this.folder);
    mkdirSync(join(top, 'home'));
    if (way !== ownAsRoot) giveToNormalUser(top);
    this.environment = {
      PATH: [fakeDocker(join(top, 'bin'), engine), process.env.PATH].join(delimiter),
      // Of a context only the program knows where its engine is.
      DOCKER_CONTEXT: 'stand-in',
      HOME: join(top, 'home'),
      LANG: 'C.UTF-8',
      NO_UPDATE_NOTIFIER: '1',
      npm_config_prefix: prefix, // where yo looks for what was installed with --global
    };
  }

  /** Runs a command here without a terminal. */
  run(way: Way, ...words: readonly string[]): Promise<Outcome> {
    return this.#run(this.folder, [...way.command, ...words]);
  }

  /** The same, to add a runner to the repository in that folder. */
  addRunner(way: Way, path: string, ...words: readonly string[]): Promise<Outcome> {
    return this.#run(join(this.folder, path), [...way.addRunner, ...words]);
  }

  /** The same, to add a job to a project by the repository in that folder. */
  addJob(way: Way, path: string, ...words: readonly string[]): Promise<Outcome> {
    return this.#run(join(this.folder, path), [...way.addJob, ...words]);
  }

  #run(cwd: string, [program = '', ...rest]: readonly string[]): Promise<Outcome> {
    const started = performance.now();
    const child = spawn(program, rest, {
      cwd,
      env: this.environment,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', text => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', text => {
      stderr += text;
    });
    return new Promise((resolve, reject) => {
      child.on('error', reject);
      child.on('close', code => resolve({ code, stdout, stderr, milliseconds: performance.now() - started }));
    });
  }

  /** Paths of all files, and of folders that are empty: these end with a slash. */
  paths(): string[] {
    return readdirSync(this.folder, { recursive: true, encoding: 'utf8' }).flatMap(path => {
      if (this.#stat(path).isFile()) return [path];
      return readdirSync(join(this.folder, path)).length === 0 ? [`${path}/`] : [];
    });
  }

  /** Paths of the files that their owner may execute. */
  executables(): string[] {
    return this.paths().filter(path => this.#stat(path).isFile() && this.#stat(path).mode & 0o100);
  }

  /** The text of each file by its path. */
  texts(): Record<string, string> {
    const files = this.paths().filter(path => !path.endsWith('/'));
    return Object.fromEntries(files.map(path => [path, this.read(path)]));
  }

  read(path: string): string {
    return readFileSync(join(this.folder, path), 'utf8');
  }

  /** Makes a folder with these files, in which Git is at work. */
  project(path: string, files: Readonly<Record<string, string>>): void {
    const folder = join(this.folder, path);
    mkdirSync(folder);
    spawnSync('git', ['init', '--quiet', folder]);
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
    if (this.#way !== ownAsRoot) giveToNormalUser(folder);
  }

  /** Has Git keep what is in that folder. */
  commit(path: string): void {
    const somebody = [
      '-c',
      'user.name=a',
      '-c',
      'user.email=a@example.com',
      '-c',
      'core.hooksPath=/dev/null',
    ];
    const words = [
      ['init', '--quiet'],
      ['add', '.'],
      [...somebody, 'commit', '--quiet', '-m', 'x'],
    ];
    for (const of of words) {
      const [program = '', ...rest] = this.#way === ownAsRoot ? ['git', ...of] : asNormalUser(['git', ...of]);
      const { status } = spawnSync(program, rest, { cwd: join(this.folder, path), env: this.environment });
      if (status !== 0) throw new Error(`git ${of.join(' ')} failed in ${path}`);
    }
  }

  /** Adds a text at the end of a file. */
  edit(path: string, text: string): void {
    appendFileSync(join(this.folder, path), text);
  }

  /** Changes a part of a file. */
  replace(path: string, from: string, to: string): void {
    const text = this.read(path);
    if (!text.includes(from)) throw new Error(`${path} has no ${from}`);
    writeFileSync(join(this.folder, path), text.replace(from, to));
  }

  remove(path: string): void {
    rmSync(join(this.folder, path));
  }

  #stat(path: string): Stats {
    return statSync(join(this.folder, path));
  }
}
