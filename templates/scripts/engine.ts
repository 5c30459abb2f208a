// The Docker Engine, Docker Compose and the runner's container, by their command-line programs.

import { spawn } from 'node:child_process';
import { Failure, mask, root } from './env.ts';

export interface Result {
  status: number;
  stdout: string;
  stderr: string;
}

/**
 * Runs a program in the repository's folder and collects what it prints. Arguments are never read by a
 * shell. Values of `environment` reach the program, and are not visible in the list of processes.
 * With `undisturbed`, Ctrl-C in the terminal does not reach the program; `input` is what it reads.
 */
export function run(
  command: string[],
  environment: Record<string, string> = {},
  { undisturbed = false, input = '' } = {},
): Promise<Result> {
  const [program = '', ...options] = command;
  return new Promise(resolve => {
    const child = spawn(program, options, {
      cwd: root,
      env: { ...process.env, ...environment },
      stdio: 'pipe',
      detached: undisturbed,
    });
    // Where the program ends early, its exit code says more than this.
    child.stdin.on('error', () => undefined).end(input);
    const result: Result = { status: 127, stdout: '', stderr: '' };
    child.stdout.setEncoding('utf8').on('data', text => {
      result.stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', text => {
      result.stderr += text;
    });
    child.on('error', error => resolve({ ...result, stderr: error.message }));
    child.on('close', status => resolve({ ...result, status: status ?? 130 }));
  });
}

/** API versions that the engine speaks. */
export interface Engine {
  version: string;
  apiVersion: string;
  minApiVersion: string;
}

/** @throws Failure if there is no engine, or this user may not use it */
export async function requireEngine(): Promise<Engine> {
  const format = '{{.Server.Version}} {{.Server.APIVersion}} {{.Server.MinAPIVersion}}';
  const { status, stdout, stderr } = await run(['docker', 'version', '--format', format]);
  if (status === 127 && /ENOENT/.test(stderr)) {
    throw new Failure(
      'Docker is not installed.',
      'Install Docker Engine: https://docs.docker.com/engine/install/',
    );
  }
  if (/permission denied/i.test(stderr)) {
    throw new Failure(
      'You may not use the Docker Engine (permission denied on its socket).',
      'Run as root, or join the group that owns the socket and log in again: sudo usermod -aG docker YOU',
    );
  }
  if (/client version \S+ is too (old|new)/i.test(stderr)) {
    throw new Failure(
      `The docker command of this host does not fit its engine: ${lastLine(stderr)}`,
      'Install both from the same release of Docker.',
    );
  }
  const [version = '', apiVersion = '', minApiVersion = ''] = stdout.trim().split(' ');
  if (status !== 0 || minApiVersion === '') {
    throw new Failure(
      `No Docker Engine answers: ${lastLine(stderr)}`,
      'Start it: sudo systemctl start docker (or start Docker Desktop).',
    );
  }
  return { version, apiVersion, minApiVersion };
}

let interrupted = false;

/** From here on Ctrl-C does not end this program at once: what it has begun is undone first. */
export function holdInterruptions(): void {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      interrupted = true;
    });
  }
}

/** Whether Ctrl-C was pressed since then. */
export function isInterrupted(): boolean {
  return interrupted;
}

/** Runs a script; a failure is printed with its remedy, and without secrets. */
export async function start(name: string, main: () => Promise<void>): Promise<void> {
  try {
    await main();
  } catch (error) {
    const remedy = error instanceof Failure ? `\n  ${error.remedy}` : '';
    console.error(mask(`${name}: ${(error as Error).message}${remedy}`));
    process.exitCode = interrupted ? 130 : 1;
  }
}

let composeCommand: string[] | undefined;

/** @throws Failure if neither `docker compose` nor `docker-compose` is installed */
export async function requireCompose(): Promise<string[]> {
  for (const candidate of composeCommand ? [] : [['docker', 'compose'], ['docker-compose']]) {
    if ((await run([...candidate, 'version'])).status === 0) {
      composeCommand = candidate;
      break;
    }
  }
  if (!composeCommand) {
    throw new Failure(
      'Docker Compose is not installed.',
      'Install its plugin, for example: sudo apt-get install docker-compose-plugin',
    );
  }
  return composeCommand;
}

/** The command of a short-lived container of the runner's image, with config/ mounted as it is for the runner. */
export async function inRunner(command: string[], options: string[] = []): Promise<string[]> {
  return [...(await requireCompose()), 'run', '--rm', '--no-deps', '-T', ...options, 'runner', ...command];
}

/**
 * Runs a shell script in a short-lived container of the runner's image, in its configuration folder. Once
 * begun it is not interrupted, so that what it replaces or tidies up is never left half done.
 */
export async function shellInRunner(script: string, input = ''): Promise<Result> {
  const command = ['-euc', `umask 077; cd /etc/gitlab-runner; ${script}`];
  return run(await inRunner(command, ['--entrypoint', 'sh']), {}, { undisturbed: true, input });
}

/** How many jobs run on this engine, by the labels that GitLab Runner gives to their containers. */
export async function runningJobs(): Promise<number> {
  const format = '{{.Label "com.gitlab.gitlab-runner.job.id"}}';
  const filter = ['--filter', 'label=com.gitlab.gitlab-runner.managed=true'];
  const { stdout } = await run(['docker', 'ps', ...filter, '--format', format]);
  return new Set(stdout.split('\n').filter(Boolean)).size;
}

/** The version in what `gitlab-runner --version` prints. */
export function versionIn(output: string): string {
  return /^Version: *(\S+)/m.exec(output)?.[1] ?? 'unknown';
}

/** What a failed `docker run` or `docker compose run` means, in one line. */
export function explainContainer(stderr: string): string {
  if (/toomanyrequests|rate limit/i.test(stderr))
    return 'the registry limits pulls (toomanyrequests): run "docker login", or wait some hours.';
  if (/pull access denied|manifest unknown|not found: manifest/i.test(stderr))
    return `the image does not exist, or needs "docker login": ${lastLine(stderr)}`;
  if (/no space left on device/i.test(stderr)) return 'the disk is full: run "make prune".';
  return lastLine(stderr);
}

/** The last line that says something, without secrets. */
export function lastLine(text: string): string {
  return mask(text.trim().split('\n').at(-1)?.trim() ?? '') || 'it printed nothing.';
}

/** Says in a terminal what takes long, so that nobody takes it for hanging. */
export function sayPatience(what: string): void {
  if (process.stderr.isTTY)
    console.error(`${what} (the first time its image is pulled, which takes a while)...`);
}
