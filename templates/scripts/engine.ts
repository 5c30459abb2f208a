// The Docker Engine, Docker Compose and the runner's container, by their command-line programs.

import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { Failure, mask, root } from './env.ts';

export interface Result {
  status: number;
  stdout: string;
  stderr: string;
}

/**
 * Runs a program in the repository's folder and collects what it prints. Arguments are never read by a
 * shell. Values of `environment` reach the program, and are not visible in the list of processes.
 * With `undisturbed`, Ctrl-C in the terminal does not reach the program.
 */
export function run(
  command: string[],
  environment: Record<string, string> = {},
  { undisturbed = false } = {},
): Promise<Result> {
  const [program = '', ...options] = command;
  return new Promise(resolve => {
    const child = spawn(program, options, {
      cwd: root,
      env: { ...process.env, ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: undisturbed,
    });
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
export async function shellInRunner(script: string): Promise<Result> {
  const command = ['-euc', `umask 077; cd /etc/gitlab-runner; ${script}`];
  return run(await inRunner(command, ['--entrypoint', 'sh']), {}, { undisturbed: true });
}

/** One [[runners]] entry of config.toml. */
export interface RegisteredRunner {
  name: string;
  id: string;
  url: string;
  token: string;
  tokenExpiresAt: string;
  executor: string;
  image: string;
  volumes: string[];
}

export interface RunnerConfig {
  /** Permission bits, such as 600. */
  mode: string;
  runners: RegisteredRunner[];
}

/**
 * Reads config/config.toml, which belongs to root: in a container where this user may not.
 * @throws Failure if it exists and cannot be read
 */
export async function readConfig(): Promise<RunnerConfig | undefined> {
  if (!existsSync(new URL('config/config.toml', root))) return undefined;
  const { status, stdout, stderr } = await shellInRunner('stat -c %a config.toml; cat config.toml');
  if (status !== 0)
    throw new Failure(`config/config.toml cannot be read: ${explainContainer(stderr)}`, 'Run: make doctor');
  const end = stdout.indexOf('\n');
  return { mode: stdout.slice(0, end), runners: readRunners(stdout.slice(end + 1)) };
}

/** The [[runners]] of a config.toml as GitLab Runner writes it; keys that are not needed here are passed over. */
export function readRunners(toml: string): RegisteredRunner[] {
  const tables: Record<string, string | string[]>[] = [];
  let section = '';
  // A list may run over several lines; each becomes one.
  for (const line of toml
    .replace(/\[[^[\]]*\n[^[\]]*\]/g, list => list.replace(/#.*$|\n/gm, ' '))
    .split('\n')) {
    const header = /^\s*\[+\s*([\w.-]+)\s*\]+/.exec(line);
    const pair = /^\s*([\w-]+)\s*=\s*(.+?)\s*$/.exec(line);
    if (header) {
      section = header[1] ?? '';
      if (section === 'runners') tables.push({});
    } else if (pair && /^runners(\.docker)?$/.test(section)) {
      const [, key = '', value = ''] = pair;
      const table = tables.at(-1);
      if (table) table[section === 'runners' ? key : `docker.${key}`] = readValue(value);
    }
  }
  return tables.map(table => ({
    name: String(table.name ?? ''),
    id: String(table.id ?? ''),
    url: String(table.url ?? ''),
    token: String(table.token ?? ''),
    tokenExpiresAt: String(table.token_expires_at ?? ''),
    executor: String(table.executor ?? ''),
    image: String(table['docker.image'] ?? ''),
    volumes: [table['docker.volumes'] ?? []].flat(),
  }));
}

function readValue(text: string): string | string[] {
  const strings = [...text.matchAll(/"((?:[^"\\]|\\.)*)"|'([^']*)'/g)].map(([, quoted, literal = '']) =>
    quoted === undefined
      ? literal
      : (JSON.parse(
          `"${quoted.replace(/\\U([0-9A-Fa-f]{8})/g, (_, code) => String.fromCodePoint(Number.parseInt(code, 16)))}"`,
        ) as string),
  );
  if (text.startsWith('[')) return strings;
  return strings[0] ?? text.replace(/\s*#.*$/, '');
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
