// What all scripts share: the values of .env, secrets kept out of sight, failures, and the programs of this host.

import { spawn } from 'node:child_process';
import * as fs from 'node:fs';
import { hostname } from 'node:os';
import { parseEnv, stripVTControlCharacters as strip } from 'node:util';

/** The repository's folder. */
export const root = new URL('..', import.meta.url);

/** Something that went wrong, in one sentence, and what to do about it. */
export class Failure extends Error {
  readonly remedy: string;

  constructor(problem: string, remedy: string) {
    super(problem);
    this.remedy = remedy;
  }
}

const secrets = new Set<string>();

/** GitLab's tokens, whatever prefix an instance puts before them, and registration tokens. */
const tokens = /[\w-]*\bgl[a-z]{2,5}-[\w.-]{7,}[\w-]|GR1348941[\w-]+/g;

/** From now on `mask` hides this value. */
export function keepSecret(value: string): string {
  if (value !== '') secrets.add(value);
  return value;
}

/** The text with every known secret replaced, and whatever else looks like a token of GitLab. */
export function mask(text: string): string {
  const longestFirst = [...secrets].sort((one, other) => other.length - one.length);
  return longestFirst
    .reduce((masked, secret) => masked.replaceAll(secret, '[masked]'), text)
    .replace(tokens, '[masked]');
}

/** The values of .env and the environment; where both have one, the environment's counts. */
export interface Environment {
  readonly gitlabUrl: string;
  /** Any other variable, by its name; an empty text where there is none. */
  readonly value: (name: string) => string;
}

/** @throws Failure if GITLAB_URL is missing or no address, or if .env cannot be read */
export function readEnvironment(): Environment {
  const fromFile = parseEnv(readEnvFile());
  const value = (name: string) => (process.env[name] || fromFile[name] || '').trim();
  for (const name of Object.keys({ ...fromFile, ...process.env })) {
    if (/TOKEN|SECRET|PASSWORD|KEY/.test(name) && !name.endsWith('_EXPIRES')) keepSecret(value(name));
  }
  const gitlabUrl = value('GITLAB_URL').replace(/\/+$/, '');
  if (!URL.canParse(gitlabUrl) || !/^https?:/.test(gitlabUrl)) {
    throw new Failure(
      gitlabUrl === '' ? 'GITLAB_URL is not set.' : `GITLAB_URL is not an address: ${gitlabUrl}`,
      'Write it in .env, for example GITLAB_URL=https://gitlab.example.com',
    );
  }
  return { gitlabUrl, value };
}

/** The text of .env; empty where there is none. */
function readEnvFile(): string {
  const file = new URL('.env', root);
  try {
    return fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : '';
  } catch (error) {
    throw new Failure(`.env cannot be read: ${(error as Error).message}`, takeOver);
  }
}

const takeOver = 'See whose it is: ls -l .env; to make it yours: sudo chown "$(id -u):$(id -g)" .env';
const inTheWay = 'See what is in the way, and whether the disk is full: ls -ld . .env*; df -h .';

/**
 * Puts values into .env in one step, reads them back, and keeps its other lines. Call it inside `withLock`.
 * @throws Failure if .env stays as it was
 */
export function writeEnvironment(changes: Readonly<Record<string, string>>): void {
  const [file, copy] = [new URL('.env', root), new URL('.env.new', root)];
  const text = Object.entries(changes).reduce(withLine, readEnvFile());
  const owner = fs.existsSync(file) ? fs.statSync(file) : undefined;
  if (owner && process.getuid?.() !== 0 && owner.uid !== process.getuid?.())
    throw new Failure(`.env belongs to another user (${owner.uid}), so it was not written.`, takeOver);
  try {
    fs.rmSync(copy, { force: true });
    fs.writeFileSync(copy, text, { mode: 0o600, flag: 'wx', flush: true });
    if (owner) fs.chownSync(copy, owner.uid, owner.gid);
    const kept = parseEnv(fs.readFileSync(copy, 'utf8'));
    const lost = Object.keys(changes).find(name => (kept[name] ?? '') !== changes[name]);
    if (lost) throw new Error(`${lost} would not be read back: an open quote before it?`);
    fs.renameSync(copy, file);
  } catch (error) {
    throw new Failure(`.env was not written: ${(error as Error).message}`, inTheWay);
  }
}

/** The text of .env with that value in the place of its first line, and no second one. */
function withLine(text: string, [name, value]: [string, string]): string {
  if (/['\n\r]/.test(value))
    throw new Failure(`${name} has a quote or a line end in it.`, 'Use another one.');
  // In single quotes Node.js and Compose both take # and $ as they are.
  const line = `${name}=${/^[\w.:/@+-]*$/.test(value) ? value : `'${value}'`}\n`;
  const its = new RegExp(`^[ \\t]*(export\\s+)?${name}[ \\t]*=[^\\n]*\\n`, 'gm');
  const whole = text.replace(/[^\n]$/, '$&\n');
  const first = whole.search(its);
  if (first < 0) return value === '' ? whole : whole + line;
  return whole.slice(0, first) + line + whole.slice(first).replace(its, '');
}

/**
 * Runs that while no other script of this folder does.
 * @throws Failure if another script is at work, or may be
 */
export async function withLock<T>(body: () => Promise<T>): Promise<T> {
  const file = new URL('.env.lock', root);
  takeLock(file);
  try {
    return await body();
  } finally {
    fs.rmSync(file, { force: true });
  }
}

/** The lock names its process and the process namespace: in a container it cannot be seen whether one outside lives. */
function takeLock(file: URL, isRetry = false): void {
  const space = fs.existsSync('/proc/self/ns/pid') ? fs.readlinkSync('/proc/self/ns/pid') : hostname();
  const own = new URL(`.env.lock.${process.pid}-${Date.now()}`, root);
  try {
    // Linked when it is whole: who is killed before, or finds the disk full, leaves no lock that names nobody.
    fs.writeFileSync(own, `${process.pid} ${space}`, { mode: 0o600 });
    fs.linkSync(own, file);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code !== 'EEXIST') throw new Failure(`This folder cannot be written: ${message}`, inTheWay);
    const [pid = '', itsSpace] = fs.readFileSync(file, 'utf8').split(/ (.*)/);
    if (isRetry || itsSpace !== space || isAlive(Number(pid))) {
      const problem = `Another script works in this folder, or was killed there (process ${pid}, ${itsSpace}).`;
      throw new Failure(problem, 'Wait until it has ended. If none runs: rm .env.lock');
    }
    fs.rmSync(file, { force: true });
    takeLock(file, true);
  } finally {
    fs.rmSync(own, { force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

let interrupted = false;

function noteInterruption(): void {
  interrupted = true;
}

/** From here on Ctrl-C does not end this program: what it has begun comes to an end first. */
export function holdInterruptions(): void {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.off(signal, noteInterruption).on(signal, noteInterruption);
  }
}

/** Whether Ctrl-C was pressed since `holdInterruptions`. */
export const isInterrupted = (): boolean => interrupted;

/** What a program printed, without colours, and its exit code: 127 where it is not installed, 124 where time ran out. */
export interface Result {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  /** Variables for the program; unlike arguments they do not show in the list of processes. */
  readonly environment?: Readonly<Record<string, string>>;
  /** What the program reads. */
  readonly input?: string;
  /** Seconds after which it is ended; 0 for no limit. 10 unless told. */
  readonly seconds?: number;
  /** Whether Ctrl-C in the terminal leaves the program alone. */
  readonly undisturbed?: boolean;
}

/** Runs a program in the repository's folder, without a shell. A test hands over another one. */
export type Run = (command: readonly string[], options?: RunOptions) => Promise<Result>;

export const run: Run = (
  [program = '', ...words],
  { environment = {}, input = '', seconds = 10, undisturbed = false } = {},
) =>
  new Promise(resolve => {
    const child = spawn(program, words, {
      cwd: root,
      env: { ...process.env, ...environment },
      detached: undisturbed,
    });
    const printed = { stdout: '', stderr: '' };
    const end = (status: number, more = '') => {
      clearTimeout(timer);
      const [stdout, stderr] = [printed.stdout, printed.stderr + more];
      resolve({ status, stdout: strip(stdout), stderr: strip(stderr) });
    };
    // A program that it left behind may hold its output open: that is not waited for.
    const giveUp = () => {
      child.kill('SIGKILL');
      for (const stream of [child.stdin, child.stdout, child.stderr]) stream.destroy();
      end(child.exitCode ?? 124, child.exitCode === null ? `\nno answer within ${seconds} seconds` : '');
    };
    const timer = seconds > 0 ? setTimeout(giveUp, seconds * 1000) : undefined;
    // Where the program ends early, its exit code says more than this.
    child.stdin.on('error', () => undefined).end(input);
    for (const stream of ['stdout', 'stderr'] as const) {
      child[stream].setEncoding('utf8').on('data', text => {
        printed[stream] += text;
      });
    }
    child.on('error', error => end(127, error.message));
    child.on('close', status => end(status ?? 130));
  });

/** The last line that says something, without secrets. */
export function lastLine(text: string): string {
  return mask(text.trim().split('\n').at(-1)?.trim() ?? '') || 'it printed nothing.';
}

/** Whether the engine has that image. */
export const hasImage = async (run: Run, image: string): Promise<boolean> =>
  (await run(['docker', 'image', 'inspect', image])).status === 0;

/** What a failed `docker run` or `docker compose run` means, in one line. */
export function explainContainer(stderr: string): string {
  if (/toomanyrequests|rate limit/i.test(stderr))
    return 'the registry limits pulls (toomanyrequests): run "docker login", or wait some hours.';
  if (/pull access denied|manifest unknown|not found: manifest/i.test(stderr))
    return `the image does not exist, or needs "docker login": ${lastLine(stderr)}`;
  if (/no space left on device/i.test(stderr))
    return 'the disk is full: docker system df shows what takes it.';
  return lastLine(stderr);
}

/** What the local engine is, and which API versions it speaks. */
export interface Engine {
  /** As it calls itself, such as Docker Desktop 4.50 or Podman Engine; empty where it does not say. */
  readonly name?: string;
  readonly version: string;
  readonly apiVersion: string;
  readonly minApiVersion: string;
}

/** Why no engine answers: what the exit code and the errors match, the sentence, and what helps. */
const noEngine: [RegExp, string, string][] = [
  [/^127/, 'Docker is not installed.', 'Install it: https://docs.docker.com/engine/install/'],
  [/^124/, 'The Docker Engine does not answer.', 'Restart it: sudo systemctl restart docker'],
  [
    /permission denied/i,
    'You may not use the Docker Engine (permission denied on its socket).',
    'Run as root, or join the group that owns the socket and log in again: sudo usermod -aG docker YOU',
  ],
  [
    /client version \S+ is too (old|new)/i,
    'The docker command of this host does not fit its engine: ',
    'Install both from the same release of Docker.',
  ],
  [/^/, 'No Docker Engine answers: ', 'Start it: sudo systemctl start docker (or start Docker Desktop).'],
];

/** @throws Failure if there is no engine, it does not answer, or this user may not use it */
export async function requireEngine(run: Run): Promise<Engine> {
  const { status, stdout, stderr } = await run(['docker', 'version', '--format', '{{json .Server}}']);
  const server = status === 0 && stdout.startsWith('{') ? JSON.parse(stdout) : undefined;
  if (!server) {
    const [, problem, remedy] = noEngine.find(([pattern]) => pattern.test(`${status} ${stderr}`))!;
    throw new Failure(problem.endsWith(': ') ? problem + lastLine(stderr) : problem, remedy);
  }
  const name = server.Components?.[0]?.Name === 'Podman Engine' ? 'Podman Engine' : server.Platform?.Name;
  const { Version: version, ApiVersion: apiVersion, MinAPIVersion: minApiVersion } = server;
  return { name, version, apiVersion, minApiVersion };
}

/** The command of Compose, as words. @throws Failure if it is not installed */
export async function requireCompose(run: Run): Promise<readonly string[]> {
  for (const command of [['docker', 'compose'], ['docker-compose']]) {
    if ((await run([...command, 'version'])).status === 0) return command;
  }
  throw new Failure(
    'Docker Compose is not installed.',
    'Install its plugin, for example: sudo apt-get install docker-compose-plugin',
  );
}

/**
 * How many jobs of the runners with these tokens run on this engine. Their containers carry the beginning of the token,
 * which is compared here: no part of a token becomes an argument.
 */
export async function runningJobs(run: Run, tokens: readonly string[]): Promise<number> {
  const label = (name: string) => `{{.Label "com.gitlab.gitlab-runner.${name}"}}`;
  const filter = 'label=com.gitlab.gitlab-runner.managed=true';
  const format = `${label('job.id')} ${label('runner.id')}`;
  const { status, stdout, stderr } = await run(['docker', 'ps', '--filter', filter, '--format', format]);
  if (status !== 0)
    throw new Failure(`The jobs that run cannot be counted: ${lastLine(stderr)}`, 'See: docker ps');
  const jobs = stdout.split('\n').map(line => line.split(' '));
  const ours = jobs.filter(([, id = '']) => id.length > 7 && tokens.some(token => token.includes(id)));
  return new Set(ours.map(([job]) => job)).size;
}

/** Whether the program of that module was started, and not imported: also through a link. */
export function isMain(module: ImportMeta): boolean {
  const program = process.argv[1] ?? '';
  return fs.existsSync(program) && fs.realpathSync(program) === module.filename;
}

/** Runs a script; a failure is printed with its remedy and without secrets, and the exit code is then 1, or 130 after Ctrl-C. */
export async function start(name: string, main: () => Promise<void>): Promise<void> {
  try {
    await main();
  } catch (error) {
    const remedy = error instanceof Failure ? `\n  ${error.remedy}` : '';
    console.error(mask(`${name}: ${(error as Error).message}${remedy}`));
    process.exitCode = interrupted ? 130 : 1;
  }
}

/** `unknown` is printed as "cannot tell": what was not looked at, or not understood, is neither ok nor failed. */
export type Verdict = 'ok' | 'warning' | 'failed' | 'unknown';

/** Notes what a check found; the remedy is a command or a place to go to, and never "make doctor". */
export type Note = (verdict: Verdict, detail: string, remedy?: string) => void;

/** What checks work with. What an earlier check found out is there for those that need it. */
export interface World {
  readonly run: Run;
  readonly environment: Environment;
  engine?: Engine;
  /** The command of Compose. */
  compose?: readonly string[];
}

/** One line of doctor's table, or several of the same name. A Failure that `run` throws is its finding. */
export interface Check {
  readonly name: string;
  /** The checks that must not have failed before, by their names. */
  readonly needs: readonly string[];
  readonly run: (world: World, note: Note) => Promise<void> | void;
}

export const checks: Check[] = [
  { name: '.env', needs: [], run: checkEnvFile },
  {
    name: 'engine',
    needs: [],
    async run(world, note) {
      world.engine = await requireEngine(world.run);
      const { name, version, minApiVersion, apiVersion } = world.engine;
      note('ok', `${name || 'Docker Engine'} ${version}, API ${minApiVersion} to ${apiVersion}`);
    },
  },
  {
    name: 'compose',
    needs: ['engine'],
    async run(world, note) {
      world.compose = await requireCompose(world.run);
      note('ok', world.compose.join(' '));
    },
  },
];

/** Whether .env is kept from others, Git included, and read in one way only. */
async function checkEnvFile({ run, environment }: World, note: Note): Promise<void> {
  const file = new URL('.env', root);
  if (!fs.existsSync(file)) return note('warning', 'there is none yet.', 'Run: make register');
  const { hostname: host } = new URL(environment.gitlabUrl);
  if (/^(localhost|127\.[\d.]+|\[::1\])$/.test(host)) {
    const detail = `GITLAB_URL names ${host}, which inside a container is the container itself.`;
    note('failed', detail, 'Write an address of GitLab that containers reach too.');
  }
  if ((fs.statSync(file).mode & 0o077) !== 0) {
    fs.chmodSync(file, 0o600);
    const remedy = 'Renew its token if they may have: make register ARGS=--rotate';
    note('warning', 'others could read it: its mode is 0600 now.', remedy);
  }
  const twoWays = /^(?:export )?(\w+)=(?!')(?:.*\$|[^"'\s]\S*#)/m.exec(readEnvFile())?.[1];
  if (twoWays) {
    const detail = `${twoWays} has # or $ in it, which Node.js and Compose read differently.`;
    note('failed', detail, `Put the value in single quotes: ${twoWays}='...'`);
  }
  const tracked = await run(['git', 'ls-files', '--', '.env']);
  const ignored = await run(['git', 'check-ignore', '--quiet', '.env']);
  const told = tracked.stderr + ignored.stderr;
  if (/not a git repository/i.test(told)) return note('ok', 'mode 0600; this folder is not in git yet');
  if (tracked.status !== 0 || ignored.status > 1)
    return note('unknown', `cannot tell whether git keeps it: ${lastLine(told)}`);
  if (tracked.stdout.trim() !== '')
    return note('failed', 'it is in git.', 'Run: git rm --cached .env; then make register ARGS=--rotate');
  if (ignored.status === 1)
    return note('failed', 'git does not ignore it.', 'Add the line /.env to .gitignore.');
  note('ok', 'mode 0600, and git ignores it');
}
