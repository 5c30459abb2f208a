// What all scripts share: the values of .env, secrets kept out of sight, failures, and the programs of this host.

import { execFile } from 'node:child_process';
import * as fs from 'node:fs';
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
  return longestFirst.reduce((all, one) => all.replaceAll(one, '[masked]'), text).replace(tokens, '[masked]');
}

/** The value of a variable of the environment, or else of .env; empty where there is none. */
export function env(name: string): string {
  const value = (process.env[name] || parseEnv(readEnvFile())[name] || '').trim();
  return /TOKEN|SECRET|PASSWORD|KEY/.test(name) && !name.endsWith('_EXPIRES') ? keepSecret(value) : value;
}

/** GitLab's address, without a slash at its end. @throws Failure if GITLAB_URL is missing or no address */
export function gitlabUrl(): string {
  const url = env('GITLAB_URL').replace(/\/+$/, '');
  if (URL.canParse(url) && /^https?:/.test(url)) return url;
  const remedy = 'Write it in .env, for example GITLAB_URL=https://gitlab.example.com';
  throw new Failure(`GITLAB_URL is no address: "${url}".`, remedy);
}

/** The text of .env; empty where there is none. @throws Failure if it cannot be read */
export function readEnvFile(): string {
  const file = new URL('.env', root);
  try {
    return fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : '';
  } catch (error) {
    throw new Failure(`.env cannot be read: ${(error as Error).message}`, takeOver);
  }
}

const takeOver = 'See whose it is: ls -l .env; to make it yours: sudo chown "$(id -u):$(id -g)" .env';
const inTheWay = 'See what is in the way, and whether the disk is full: ls -ld . .env*; df -h .';

/** Puts values into .env in one step, inside `withLock`, and reads them back. @throws Failure if it stays as it was */
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

/** Runs that while no other script of this folder does. @throws Failure if one does, or was killed there */
export async function withLock<T>(body: () => Promise<T>): Promise<T> {
  const lock = new URL('.env.lock', root);
  const free = () => fs.rmSync(lock, { recursive: true, force: true });
  try {
    fs.mkdirSync(lock);
  } catch (error) {
    const remedy = 'Another script may work here: wait until it has ended. If none does: rmdir .env.lock';
    throw new Failure(`This folder cannot be locked: ${(error as Error).message}`, remedy);
  }
  process.once('exit', free);
  try {
    return await body();
  } finally {
    process.off('exit', free);
    free();
  }
}

/** Where they are held, Ctrl-C does not end this program: what it has begun comes to an end first. */
export const interruptions = { areHeld: false };

/** What a program printed, without colours, and its exit code: 127 where it is not installed, 124 where time ran out. */
export type Result = Readonly<{ status: number; stdout: string; stderr: string }>;

/** Variables and input, which unlike arguments nobody sees, and the seconds a program has: 10 unless told, 0 for no limit. */
export type RunOptions = Readonly<{ environment?: Record<string, string>; input?: string; seconds?: number }>;

/** Runs a program in the repository's folder, without a shell. A test hands over another one. */
export type Run = (command: readonly string[], options?: RunOptions) => Promise<Result>;

export const run: Run = ([program = '', ...words], { environment = {}, input = '', seconds = 10 } = {}) =>
  new Promise(resolve => {
    const env = { ...process.env, ...environment };
    const limits = { timeout: seconds * 1000, killSignal: 'SIGKILL', maxBuffer: 1e9 } as const;
    const child = execFile(program, words, { cwd: root, env, ...limits }, (error, stdout, stderr) => {
      const { code = 0, killed = false, message = '' } = error ?? {};
      const status = killed ? 124 : typeof code === 'number' ? code : code === null ? 130 : 127;
      const why = killed ? `\nno answer within ${seconds} seconds` : typeof code === 'string' ? message : '';
      resolve({ status, stdout: strip(stdout), stderr: strip(stderr + why) });
    });
    // Where the program ends early, its exit code says more than this.
    child.stdin?.on('error', () => undefined).end(input);
  });

let timer: NodeJS.Timeout | undefined;

/** Turns a bar on a terminal until that has ended, one at a time. What is printed meanwhile goes over it. */
export async function during<T>(words: string, awaited: Promise<T>): Promise<T> {
  const { argv, env, stdout } = process;
  if (timer || !stdout.isTTY || env.TERM === 'dumb' || argv.includes('--json')) return awaited;
  const show = (text = '') => stdout.write(`\r\x1b[K${text.slice(0, (stdout.columns || 80) - 1)}\r`);
  timer = setInterval(() => show(`${'|/-\\'[Math.floor(Date.now() / 100) % 4]} ${words}...`), 100);
  await Promise.allSettled([awaited]);
  timer = void clearInterval(timer);
  show();
  return awaited;
}

/** The last line that says something, without secrets; Docker's advice to read its help says nothing. */
export function lastLine(text: string): string {
  const [line = ''] = text.match(/^(?!(Run|See) 'docker ).*\S.*$/gm)?.slice(-1) ?? [];
  return mask(line.trim()) || 'it printed nothing.';
}

/** Why no container of that image can be started here: not pulled yet, or its registry refuses it; undefined if it is here. */
export async function whyNoImage(run: Run, image: string): Promise<Finding | undefined> {
  if ((await run(['docker', 'image', 'inspect', image])).status === 0) return;
  // The registry is asked, and nothing pulled. What is not the registry's word may be true of this client alone.
  const { status, stderr } = await run(['docker', 'manifest', 'inspect', image]);
  const isRefused = /manifest|denied|unauthorized|toomanyrequests|HTTP status|invalid char/i.test(stderr);
  if (status !== 0 && isRefused)
    return ['failed', `${image} cannot be pulled: ${lastLine(stderr)}`, 'Check its name; see: docker login'];
  return ['unknown', `${image} is not on this host yet.`, `docker pull ${image}`];
}

/** Why no engine answers: what the exit code and the errors match, the sentence, and what helps. */
const noEngine: [RegExp, string, string][] = [
  [/^127/, 'Docker is not installed.', 'Install it: https://docs.docker.com/engine/install/'],
  [/^124/, 'The Docker Engine does not answer.', 'Restart it: sudo systemctl restart docker'],
  [/permission denied/i, 'You may not use the Docker Engine: ', 'sudo usermod -aG docker YOU; log in again'],
  [/^/, 'No Docker Engine answers: ', 'Start it: sudo systemctl start docker (or start Docker Desktop).'],
];

/** What the engine says of itself. @throws Failure if there is none, or it does not answer this user */
export async function requireEngine(run: Run): Promise<ReturnType<typeof JSON.parse>> {
  const { status, stdout, stderr } = await run(['docker', 'version', '--format', '{{json .Server}}']);
  if (status === 0 && stdout.startsWith('{')) return JSON.parse(stdout);
  const [, problem, remedy] = noEngine.find(([pattern]) => pattern.test(`${status} ${stderr}`))!;
  throw new Failure(problem.endsWith(': ') ? problem + lastLine(stderr) : problem, remedy);
}

/** Runs Compose, as a plugin of Docker or as a program of its own. @throws Failure if it is not installed */
export async function compose(run: Run, words: readonly string[], options?: RunOptions): Promise<Result> {
  for (const command of [['docker', 'compose'], ['docker-compose']]) {
    const result = await run([...command, ...words], options);
    if (result.status === 0 || (await run([...command, 'version'])).status === 0) return result;
  }
  throw new Failure('Docker Compose is not installed.', 'Install it: https://docs.docker.com/compose');
}

/** Runs the program of a module that was started, also through a link. The exit code is 1 if it failed, 130 after Ctrl-C. */
export async function start({ filename }: ImportMeta, main: () => Promise<void>): Promise<void> {
  const program = process.argv[1] ?? '';
  if (!fs.existsSync(program) || fs.realpathSync(program) !== filename) return;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
    process.on(signal, () => interruptions.areHeld || process.exit(130));
  process.stdout.on('error', ({ code }) => code === 'EPIPE' || process.exit(1)); // `head` may go away
  try {
    // All of them, so that no message of another program shows one.
    for (const name of Object.keys({ ...parseEnv(readEnvFile()), ...process.env })) env(name);
    await main();
  } catch (error) {
    const { message, remedy = /option '-/i.test(message) ? 'See: make help' : '' } = error as Failure;
    console.error(mask(`${message.replace(/ To specify a pos.*/s, '')}\n  ${remedy}`).trim());
    process.exitCode = 1;
  }
}

/** `unknown` is printed as "cannot tell": what was not looked at, or not understood, is neither ok nor failed. */
export type Verdict = 'ok' | 'warning' | 'failed' | 'unknown';

/** A finding without its subject: what is so, and what helps. */
export type Finding = readonly [verdict: Verdict, detail: string, remedy?: string];

/** Notes what a check found; the remedy is a command or a place to go to, and never "make doctor". */
export type Note = (...finding: Finding) => void;

/** One line of doctor's table, or several of the same name. A Failure that `run` throws is its finding. */
export interface Check {
  readonly name: string;
  /** The checks that must not have failed before, by their names. */
  readonly needs: readonly string[];
  readonly run: (run: Run, note: Note) => Promise<void> | void;
}

export const checks: Check[] = [{ name: '.env', needs: [], run: checkEnvFile }];

/** Those of an engine, where the runner runs on one. */
export const engineChecks: Check[] = [
  { name: 'engine', needs: [], run: checkEngine },
  { name: 'compose', needs: ['engine'], run: checkCompose },
];

async function checkEngine(run: Run, note: Note): Promise<void> {
  const { Components, Version, ApiVersion, MinAPIVersion } = await requireEngine(run);
  note('ok', `${Components?.[0]?.Name} ${Version}, API ${MinAPIVersion} to ${ApiVersion}`);
}

async function checkCompose(run: Run, note: Note): Promise<void> {
  note('ok', (await compose(run, ['version', '--short'])).stdout.trim());
}

/** Whether .env is kept from others, Git included. */
async function checkEnvFile(run: Run, note: Note): Promise<void> {
  const file = new URL('.env', root);
  const renew = 'make register ARGS=--rotate';
  if (!fs.existsSync(file)) return note('warning', 'there is none yet.', 'Run: make register');
  if ((fs.statSync(file).mode & 0o077) !== 0)
    note('failed', 'others can read it.', `Run: chmod 600 .env; if they may have: ${renew}`);
  // What is in git already counts as not ignored.
  const { status, stderr } = await run(['git', 'check-ignore', '--quiet', '.env']);
  if (status === 0) return note('ok', 'git ignores it');
  if (/not a git repository/i.test(stderr)) return note('ok', 'this folder is not in git yet');
  if (status !== 1) return note('unknown', `whether git keeps it: ${lastLine(stderr)}`, 'See: git status');
  const remedy = `Add the line /.env to .gitignore; if git has it already: git rm --cached .env; ${renew}`;
  note('failed', 'git has it, or does not ignore it.', remedy);
}
