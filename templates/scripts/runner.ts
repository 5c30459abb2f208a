// The container of the runner:  scripts/run runner up | upgrade [SECONDS] | status
//
//   up       starts it, or brings it in line with docker-compose.yml and .env
//   upgrade  brings it to what the name of its image stands for now, and back again where that does not work;
//            running jobs have so many seconds to end, an hour unless told
//   status   shows it; ends with 1 if something needs looking at

import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { gitlabVersion, verifyRunner } from './gitlab.ts';
import * as host from './host.ts';
import {
  type Environment,
  Failure,
  isInterrupted,
  lastLine,
  type Note,
  type Run,
  type World,
} from './host.ts';
import { runners } from './settings.ts';

/** How often a new version is asked whether GitLab knows it, and the seconds between. */
export const patience = { tries: 20, seconds: 3 };

const file = (path: string) => new URL(path, host.root);

/** What works with the engine gets, beside a World, the command of Compose. */
type Ready = World & { readonly compose: readonly string[] };

async function ready(run: Run): Promise<Ready> {
  const environment = host.readEnvironment();
  await host.requireEngine(run);
  return { run, environment, compose: await host.requireCompose(run) };
}

/** Starts the runner. @throws Failure if something is missing, or it does not start */
export async function up(run: Run): Promise<void> {
  const { environment, compose } = await ready(run);
  requireTokens(environment);
  readConfig();
  const image = imageOf(environment);
  console.log(`Starting ${image}; an image that is not here is pulled first, which takes a while...`);
  await requireVersion(run, image);
  makeSystemId();
  const { status, stderr } = await run([...compose, 'up', '-d'], { seconds: 0 });
  if (status !== 0)
    throw new Failure(`It does not start: ${host.explainContainer(stderr)}`, 'See why: make logs');
  console.log('Started. See how it is: make status');
}

function requireTokens({ value }: Environment): void {
  const missing = runners.find(({ tokenVariable }) => value(tokenVariable) === '');
  if (missing) throw new Failure(`There is no ${missing.tokenVariable} yet.`, 'Run: make register');
}

/** The image of the runner: RUNNER_IMAGE where it is set, else what docker-compose.yml names. */
function imageOf({ value }: Environment): string {
  const text = readFileSync(file('docker-compose.yml'), 'utf8');
  const line = /^ {2}runner:\n(?: {4}.*\n)*? {4}image: *["']?(?:\$\{RUNNER_IMAGE:-)?([^\s"'}]+)/m.exec(text);
  if (line?.[1]) return value('RUNNER_IMAGE') || line[1];
  const remedy = 'Write it so: image: "${RUNNER_IMAGE:-gitlab/gitlab-runner:alpine}"';
  throw new Failure('docker-compose.yml does not name the image of the service "runner".', remedy);
}

/** The version in an image. @throws Failure if it does not run, or does not read config.toml as it is */
async function requireVersion(run: Run, image: string): Promise<string> {
  const command = ['docker', 'run', '--rm', '--network', 'none', '--entrypoint', 'gitlab-runner'];
  const { status, stdout, stderr } = await run([...command, image, '--version'], { seconds: 1800 });
  if (status !== 0) {
    const remedy = 'Check its name in docker-compose.yml and RUNNER_IMAGE in .env, and the network.';
    throw new Failure(`${image} cannot be run: ${host.explainContainer(stderr)}`, remedy);
  }
  const version = /^Version: *(\S+)/m.exec(stdout)?.[1] ?? 'unknown';
  const [major = 99, minor = 0] = version.split('.').map(Number);
  const fills = major > 18 || (major === 18 && minor >= 10) || Number.isNaN(major);
  if (fills || existsSync(file('scripts/expand-config.sh'))) return version;
  throw new Failure(
    `${image} is GitLab Runner ${version}; only 18.10 and later fill in the variables of config/config.toml.`,
    `Get a newer one: docker pull ${image}. To keep it, generate this repository with --runner-image and its version.`,
  );
}

/** By it GitLab tells hosts with one token apart. The container cannot write it: its folder is read-only. */
function makeSystemId(): void {
  try {
    const id = `r_${randomBytes(6).toString('hex')}`;
    if (!existsSync(file('config/.runner_system_id'))) writeFileSync(file('config/.runner_system_id'), id);
  } catch (error) {
    throw new Failure(
      `config/ cannot be written: ${(error as Error).message}`,
      'See whose it is: ls -ld config',
    );
  }
}

/** The runner's container, as Docker describes it; `image` is an id. */
interface Container {
  readonly id: string;
  readonly state: string;
  readonly health: string;
  readonly image: string;
  readonly project: string;
  readonly startedAt: string;
}

/** Undefined where none runs. */
async function containerOf({ run, compose }: Ready): Promise<Container | undefined> {
  const [id = ''] = (await run([...compose, 'ps', '-q', 'runner'])).stdout.trim().split('\n');
  if (id === '') return undefined;
  const project = '{{index .Config.Labels "com.docker.compose.project"}}';
  const health = '{{if .State.Health}}{{.State.Health.Status}}{{end}}';
  const format = `{"state": "{{.State.Status}}", "image": "{{.Image}}", "project": "${project}", "startedAt": "{{.State.StartedAt}}", "health": "${health}"}`;
  const { status, stdout } = await run(['docker', 'inspect', '--format', format, id]);
  return status === 0 ? { id, ...JSON.parse(stdout) } : undefined;
}

/** Why GitLab does not know each runner of config.toml; undefined where it does. No exit code says so. */
async function whyNotValid(run: Run, container: string): Promise<string | undefined> {
  const { stdout, stderr } = await run(['docker', 'exec', container, 'gitlab-runner', 'verify'], {
    seconds: 30,
  });
  const lines = `${stdout}${stderr}`.split('\n');
  const known = lines.filter(line => /is (valid|alive)/.test(line)).length;
  const wanted = readConfig().length;
  if (known === wanted) return undefined;
  const why = lines.find(line => /is not valid|ERROR|FATAL/.test(line)) ?? stderr;
  return `GitLab knows ${known} of ${wanted} runners: ${lastLine(why)}`;
}

/** Upgrades, or goes back. @throws Failure that says which version runs, if any */
export async function upgrade(run: Run, seconds: number): Promise<void> {
  const world = await ready(run);
  const { environment } = world;
  requireTokens(environment);
  const before = await containerOf(world);
  const problem = before ? await whyNotValid(run, before.id) : 'it does not run.';
  if (!before || problem)
    throw new Failure(
      `Nobody could tell whether an upgrade goes well: ${problem}`,
      'Run: make up; then: make status',
    );
  host.holdInterruptions();
  const previous = `${before.project}-runner:previous`;
  // After an upgrade that went back, what docker-compose.yml names is tried again.
  const wentBack = environment.value('RUNNER_IMAGE') === previous;
  const wanted = imageOf(wentBack ? { ...environment, value: () => '' } : environment);
  const version = await pull(run, wanted);
  const { stdout: id } = await run(['docker', 'image', 'inspect', '--format', '{{.Id}}', wanted]);
  if (id.trim() === before.image)
    return console.log(`${wanted} is what runs already: GitLab Runner ${version}. Nothing was changed.`);
  const kept = await run(['docker', 'tag', before.image, previous]);
  if (kept.status !== 0)
    throw new Failure(`The old image cannot be kept: ${lastLine(kept.stderr)}`, 'See: docker images');
  await drain(world, before.id, seconds);
  if (wentBack) host.writeEnvironment({ RUNNER_IMAGE: '' });
  const why = await bringUp(world, wentBack ? '' : environment.value('RUNNER_IMAGE'));
  if (why === undefined)
    return console.log(`Upgraded to GitLab Runner ${version}; GitLab knows each runner.`);
  console.log(`GitLab Runner ${version} does not work: ${why}\nGoing back...`);
  host.writeEnvironment({ RUNNER_IMAGE: previous });
  const whyNot = await bringUp(world, previous);
  throw whyNot
    ? new Failure(`Neither version works. The one before: ${whyNot}`, 'See why: make logs')
    : new Failure(
        `GitLab Runner ${version} does not work: ${why} The version before runs again.`,
        `RUNNER_IMAGE in .env names it: ${previous}. Try again later: make upgrade`,
      );
}

async function pull(run: Run, image: string): Promise<string> {
  console.log(`Pulling ${image}...`);
  const { status, stderr } = await run(['docker', 'pull', '--quiet', image], { seconds: 1800 });
  const version = status === 0 ? await requireVersion(run, image) : '';
  if (isInterrupted()) throw new Failure('Interrupted: nothing was changed.', 'Run it again: make upgrade');
  if (version !== '') return version;
  throw new Failure(`${image} cannot be pulled: ${host.explainContainer(stderr)}`, 'Nothing was changed.');
}

/** Lets the runner take no new job and end with its last one, or ends it so that GitLab hears of its jobs. */
async function drain({ run, environment }: Ready, id: string, seconds: number): Promise<void> {
  const jobs = () =>
    host.runningJobs(
      run,
      runners.map(({ tokenVariable }) => environment.value(tokenVariable)),
    );
  const signal = (name: string) => run(['docker', 'kill', '--signal', name, id], { undisturbed: true });
  const isOver = async (limit: number) =>
    (await run(['docker', 'wait', id], { seconds: limit, undisturbed: true })).status !== 124;
  await signal('QUIT');
  let said = -1;
  for (const end = Date.now() + seconds * 1000; Date.now() < end; ) {
    if (await isOver(Math.min(5, (end - Date.now()) / 1000))) return;
    if (isInterrupted()) {
      const remedy = 'Start it again, as it was: make up';
      throw new Failure('Interrupted: the runner takes no new job, and ends with its last one.', remedy);
    }
    const left = await jobs();
    if (left !== said) console.log(`Waiting for running jobs to end: ${left} left.`);
    said = left;
  }
  console.log(
    `After ${seconds} s the jobs that still run (${await jobs()}) are ended; GitLab hears that they failed.`,
  );
  await signal('TERM');
  if (!(await isOver(60))) await signal('KILL');
}

/** Starts the runner by that image, and says why GitLab does not know it, if so. */
async function bringUp(world: Ready, image: string): Promise<string | undefined> {
  const { run, compose } = world;
  const options = { seconds: 0, undisturbed: true, environment: { RUNNER_IMAGE: image } };
  const { status, stderr } = await run([...compose, 'up', '-d', '--no-deps', 'runner'], options);
  if (status !== 0) return host.explainContainer(stderr);
  let why: string | undefined;
  for (let tries = 0; tries < patience.tries; tries += 1) {
    if (tries > 0) await sleep(patience.seconds * 1000);
    const now = await containerOf(world);
    why =
      now?.state === 'running' ? await whyNotValid(run, now.id) : `its container is ${now?.state ?? 'gone'}.`;
    // One that ends and is started again runs too, for a moment.
    if (why === undefined && (await containerOf(world))?.startedAt === now?.startedAt) return undefined;
    why ??= 'it ends again and again.';
  }
  return why;
}

/** Shows how the runner is; the exit code is 1 if something needs looking at. */
export async function status(run: Run): Promise<void> {
  const world = await ready(run);
  const { environment, compose } = world;
  const say = (name: string, text: string, isGood = true) => {
    console.log(host.mask(`${name.padEnd(10)}${text}${isGood ? '' : '  <- look at this'}`));
    if (!isGood) process.exitCode = 1;
  };
  const container = await containerOf(world);
  const { state = 'not there: make up', health = '', startedAt = '' } = container ?? {};
  say('container', `${state} ${health} ${startedAt}`, state === 'running' && health !== 'unhealthy');
  const services = (await run([...compose, 'ps'])).stdout.trim();
  console.log(host.mask(services.replace(/^/gm, '  ')));
  if (container) {
    const asked = await run([
      'docker',
      'exec',
      container.id,
      'sh',
      '-c',
      'gitlab-runner --version; df -Pk /',
    ]);
    say('version', /^Version: *(\S+)/m.exec(asked.stdout)?.[1] ?? 'unknown');
    const [size = 0, , free = 0] =
      /\s\d+\s+\d+\s+\d+\s+\d+%/.exec(asked.stdout)?.[0].trim().split(/\s+/) ?? [];
    const gib = (blocks: string | number) => (Number(blocks) / 1024 / 1024).toFixed(1);
    say('disk', `${gib(free)} GiB free of ${gib(size)}, for images and caches`, Number(gib(free)) >= 10);
  }
  const tokens = runners.map(({ tokenVariable }) => environment.value(tokenVariable));
  say('jobs', `${await host.runningJobs(run, tokens)} running`);
  for (const [at, { description }] of runners.entries()) {
    const [text, isGood] = await lookAtToken(environment, tokens[at] ?? '');
    say('token', `of "${description}": ${text}`, isGood);
  }
}

/** What GitLab says of a token, and whether that is well. */
async function lookAtToken({ gitlabUrl }: Environment, token: string): Promise<[string, boolean]> {
  if (token === '') return ['there is none: make register', false];
  try {
    const said = await verifyRunner(gitlabUrl, token);
    if (!said) return ['GitLab does not accept it: make register', false];
    const days = Math.floor((Date.parse(said.expiresAt) - Date.now()) / 86_400_000);
    if (Number.isNaN(days)) return ['accepted, does not expire', true];
    const isSoon = days < 14;
    return [`accepted, expires in ${days} days${isSoon ? ': make register ARGS=--rotate' : ''}`, !isSoon];
  } catch (error) {
    return [(error as Error).message, false];
  }
}

/** One [[runners]] of config.toml, by its line; its values as they stand there, without quotes. */
interface Block {
  readonly line: number;
  readonly name: string;
  readonly token: string;
  readonly clone_url: string;
}

/** Reads what is in one line each. @throws Failure if config.toml cannot be read, or has no runner */
function readConfig(): Block[] {
  try {
    const lines = readFileSync(file('config/config.toml'), 'utf8').split(/\r?\n/);
    const blocks: Record<string, string | number>[] = [];
    let isInside = false;
    for (const [at, text] of lines.entries()) {
      const [, key = '', basic, literal] =
        /^\s*(\w+)\s*=\s*(?:("(?:[^"\\]|\\.)*")|'([^']*)')/.exec(text) ?? [];
      if (/^\s*\[/.test(text)) isInside = /^\s*\[\[\s*runners\s*\]\]/.test(text);
      if (/^\s*\[/.test(text) && isInside) blocks.push({ line: at + 1, name: '', token: '', clone_url: '' });
      else if (isInside && key)
        Object.assign(blocks.at(-1) ?? {}, { [key]: basic ? JSON.parse(basic) : literal });
    }
    if (blocks.length === 0) throw new Error('it has no [[runners]]');
    return blocks as unknown as Block[];
  } catch (error) {
    const remedy = 'What git has of it: git checkout config/config.toml. One of version 0.1.0: see README.md';
    throw new Failure(`config/config.toml cannot be used: ${(error as Error).message}`, remedy);
  }
}

/** Whether config.toml is in line with settings.ts and .env, and GitLab Runner can read it. */
async function checkConfig(world: World, note: Note): Promise<void> {
  const blocks = readConfig();
  const found: Parameters<Note>[] = blocks.flatMap(block => faultsOf(block, world.environment.gitlabUrl));
  for (const { description } of runners) {
    if (blocks.some(({ name }) => name === description)) continue;
    const detail = `no [[runners]] of config/config.toml has the name "${description}" of scripts/settings.ts.`;
    found.push(['failed', detail, 'Make the two names one.']);
  }
  found.push(...(await lint(world)));
  for (const words of found) note(...words);
  if (found.length === 0) note('ok', 'GitLab Runner finds nothing wrong in it');
}

/** What is wrong with one [[runners]] without a look at the rest of it. */
function faultsOf({ line, name, token, clone_url }: Block, gitlabUrl: string): Parameters<Note>[] {
  const at = `config/config.toml, line ${line}, "${name}"`;
  const described = runners.find(({ description }) => description === name);
  const named = /^\$\{?(\w+)\}?$/.exec(token)?.[1];
  const wanted = `token = "\${${described?.tokenVariable ?? 'RUNNER_TOKEN'}}"`;
  const found: Parameters<Note>[] = [];
  if (!described)
    found.push([
      'warning',
      `${at}: scripts/settings.ts does not describe it, so nothing here looks after it.`,
    ]);
  if (!named && token !== '') {
    const remedy = `Write ${wanted}, and renew the token: make register ARGS=--rotate`;
    found.push(['failed', `${at}: its token is in the file, which is in git.`, remedy]);
  } else if (token === '' || (described && named !== described.tokenVariable))
    found.push([
      'failed',
      `${at}: its token is not the variable that scripts/settings.ts says.`,
      `Write: ${wanted}`,
    ]);
  if (clone_url !== '' && new URL(clone_url, gitlabUrl).host !== new URL(gitlabUrl).host) {
    const detail = `${at}: clone_url is ${clone_url}, but GITLAB_URL in .env is ${gitlabUrl}.`;
    found.push(['warning', detail, 'Make them one, unless jobs need another address than the runner.']);
  }
  return found;
}

/** What GitLab Runner's own lint says of config.toml; nothing where it is content. */
async function lint({ run, environment }: World): Promise<Parameters<Note>[]> {
  const image = imageOf(environment);
  const cannot = (why: string): Parameters<Note>[] => [
    ['unknown', `whether GitLab Runner can read it: ${why}`],
  ];
  if ((await run(['docker', 'image', 'inspect', image])).status !== 0)
    return cannot(`${image} is not here yet.`);
  // An empty token is a mistake to it, and a real one is none of its business.
  const values = runners.flatMap(({ tokenVariable }) => ['--env', `${tokenVariable}=placeholder`]);
  const folder = `${fileURLToPath(file('config'))}:/etc/gitlab-runner:ro`;
  const options = ['--rm', '--network', 'none', '--volume', folder, '--entrypoint', 'sh', ...values];
  const script = 'gitlab-runner help | grep -q "^ *lint " || exit 77; gitlab-runner lint';
  const command = [
    'docker',
    'run',
    ...options,
    '--env',
    'GITLAB_URL=https://gitlab.example.com',
    image,
    '-c',
    script,
  ];
  const { status, stdout, stderr } = await run(command);
  if (status === 0) return [];
  if (status === 77) return cannot('before 19.3 it has no lint.');
  const fatal = /(?:FATAL|ERROR|PANIC): *(.*)/.exec(stderr + stdout)?.[1];
  if (!fatal) return cannot(lastLine(stderr));
  const detail = `config/config.toml: ${lastLine(fatal.replaceAll('/etc/gitlab-runner/', 'config/'))}`;
  return [['failed', detail, 'Correct that line; the runner reads the file again by itself.']];
}

async function checkContainer(world: World, note: Note): Promise<void> {
  const container = world.compose && (await containerOf({ ...world, compose: world.compose }));
  if (!container) return note('warning', 'the runner does not run.', 'Start it: make up');
  const { state, health, startedAt } = container;
  if (state !== 'running') return note('failed', `it is ${state}.`, 'See why: make logs');
  if (health !== 'unhealthy') return note('ok', `running since ${startedAt}${health && `, ${health}`}`);
  note('failed', 'GitLab does not know each runner of config/config.toml (unhealthy).', 'See why: make logs');
}

/** Whether the version fits. An image that is not here is asked for at its registry. */
async function checkVersion({ run, environment }: World, note: Note): Promise<void> {
  const image = imageOf(environment);
  if ((await run(['docker', 'image', 'inspect', image])).status !== 0) {
    const { status, stderr } = await run(['docker', 'manifest', 'inspect', image]);
    if (status === 0) return note('ok', `${image} is not here yet; its registry has it`);
    const remedy =
      'Check the name in docker-compose.yml, and the network; for a private registry: docker login';
    return note('failed', `${image} cannot be pulled: ${host.explainContainer(stderr)}`, remedy);
  }
  const version = await requireVersion(run, image);
  const ofGitLab = await gitlabVersion(environment);
  const [own, its] = [version, ofGitLab].map(one => /^\d+\.\d+/.exec(one ?? '')?.[0]);
  if (!own || !its || own === its) return note('ok', `GitLab Runner ${version}`);
  const remedy = 'GitLab recommends the same major and minor version: make upgrade';
  note('warning', `GitLab Runner is ${version}, GitLab ${ofGitLab}.`, remedy);
}

export const checks: host.Check[] = [
  { name: 'config.toml', needs: ['engine'], run: checkConfig },
  { name: 'container', needs: ['compose'], run: checkContainer },
  { name: 'version', needs: ['engine'], run: checkVersion },
];

/** @throws Failure if the words are none of those at the top of this file */
export async function main([word = '', seconds = '']: readonly string[]): Promise<void> {
  if (word === 'up') return up(host.run);
  if (word === 'status') return status(host.run);
  if (word !== 'upgrade')
    throw new Failure(`There is no "${word}".`, 'Say: scripts/run runner up | upgrade | status');
  if (/^\d*$/.test(seconds)) return host.withLock(() => upgrade(host.run, Number(seconds || 3600)));
  throw new Failure(`WAIT is no number of seconds: ${seconds}`, 'For example: make upgrade WAIT=600');
}

if (host.isMain(import.meta)) await host.start('runner', () => main(process.argv.slice(2)));
