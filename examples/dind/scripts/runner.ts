// The container of the runner:  scripts/run runner up | upgrade [SECONDS] | status
//
//   up       starts it, or brings it in line with docker-compose.yml and .env
//   upgrade  brings it to what the name of its image stands for now, and back again where that does not work;
//            running jobs have so many seconds to end, an hour unless told
//   status   shows it; ends with 1 if something needs looking at

import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gitlabVersion, checks as ofGitLab } from './gitlab.ts';
import * as host from './host.ts';
import { type Environment, Failure, lastLine, type Note, type Run, type World } from './host.ts';
import { runners } from './settings.ts';

/** How often GitLab is asked whether it knows a new version, and the seconds between. */
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
  // By it GitLab tells hosts with one token apart. The container cannot write it: its folder is read-only.
  if (!existsSync(file('config/.runner_system_id')))
    writeFileSync(file('config/.runner_system_id'), `r_${randomBytes(6).toString('hex')}`);
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

const versionIn = (text: string): string => /^Version: *(\S+)/m.exec(text)?.[1] ?? 'unknown';

/** The version in an image. @throws Failure if it does not run, or does not read config.toml as it is */
async function requireVersion(run: Run, image: string): Promise<string> {
  const command = ['docker', 'run', '--rm', '--network', 'none', '--entrypoint', 'gitlab-runner'];
  const { status, stdout, stderr } = await run([...command, image, '--version'], { seconds: 1800 });
  if (status !== 0) {
    const remedy = 'Check its name in docker-compose.yml and RUNNER_IMAGE in .env, and the network.';
    throw new Failure(`${image} cannot be run: ${host.explainContainer(stderr)}`, remedy);
  }
  const version = versionIn(stdout);
  const [major = 99, minor = 0] = version.split('.').map(Number);
  if (!(major * 100 + minor < 1810) || existsSync(file('scripts/expand-config.sh'))) return version;
  throw new Failure(
    `${image} is GitLab Runner ${version}; only 18.10 and later fill in the variables of config/config.toml.`,
    `Get a newer one: docker pull ${image}. To keep it, generate this repository with --runner-image and its version.`,
  );
}

/** The runner's container in Docker's words (`image` is an id); undefined where none runs. */
async function containerOf({ run, compose }: Ready): Promise<Record<string, string> | undefined> {
  const [id = ''] = (await run([...compose, 'ps', '-q', 'runner'])).stdout.trim().split('\n');
  const project = '{{index .Config.Labels "com.docker.compose.project"}}';
  const health = '{{if .State.Health}}{{.State.Health.Status}}{{end}}';
  const format = `{"state": "{{.State.Status}}", "image": "{{.Image}}", "project": "${project}", "startedAt": "{{.State.StartedAt}}", "restarts": "{{.RestartCount}}", "health": "${health}"}`;
  const found = id === '' ? undefined : await run(['docker', 'inspect', '--format', format, id]);
  return found?.status === 0 ? { id, ...JSON.parse(found.stdout) } : undefined;
}

/** Why GitLab does not know each runner of config.toml; undefined where it does. No exit code says so. */
async function whyNotValid(run: Run, id = ''): Promise<string | undefined> {
  const { stdout, stderr } = await run(['docker', 'exec', id, 'gitlab-runner', 'verify'], { seconds: 30 });
  const lines = `${stdout}${stderr}`.split('\n');
  const known = lines.filter(line => /is (valid|alive)/.test(line)).length;
  const why = lines.find(line => /is not valid|ERROR|FATAL/.test(line)) ?? stderr;
  const wanted = readConfig().length;
  return known === wanted ? undefined : `GitLab knows ${known} of ${wanted} runners: ${lastLine(why)}`;
}

/** Upgrades, or goes back. @throws Failure that says which version runs, if any */
export async function upgrade(run: Run, seconds: number): Promise<void> {
  const world = await ready(run);
  const { environment } = world;
  requireTokens(environment);
  const before = await containerOf(world);
  const problem = before ? await whyNotValid(run, before.id) : 'it does not run.';
  if (!before || problem)
    throw new Failure(`Nobody could tell whether an upgrade goes well: ${problem}`, 'Run: make up');
  host.holdInterruptions();
  const previous = `${before.project}-runner:previous`;
  // After an upgrade that went back, what docker-compose.yml names is tried again.
  const wentBack = environment.value('RUNNER_IMAGE') === previous;
  const wanted = imageOf(wentBack ? { ...environment, value: () => '' } : environment);
  const version = await pull(run, wanted);
  const { stdout: id } = await run(['docker', 'image', 'inspect', '--format', '{{.Id}}', wanted]);
  if (id.trim() === before.image)
    return console.log(`${wanted} is what runs already: GitLab Runner ${version}. Nothing was changed.`);
  const kept = await run(['docker', 'tag', before.image ?? '', previous]);
  if (kept.status !== 0)
    throw new Failure(`The old image cannot be kept: ${lastLine(kept.stderr)}`, 'See: docker images');
  await drain(world, before.id ?? '', seconds);
  if (wentBack) host.writeEnvironment({ RUNNER_IMAGE: '' });
  const why = await bringUp(world, wentBack ? '' : environment.value('RUNNER_IMAGE'));
  if (why === undefined)
    return console.log(`Upgraded to GitLab Runner ${version}; GitLab knows each runner.`);
  console.log(`GitLab Runner ${version} does not work: ${why}\nGoing back...`);
  host.writeEnvironment({ RUNNER_IMAGE: previous });
  const whyNot = await bringUp(world, previous);
  if (whyNot) throw new Failure(`Neither version works. The one before: ${whyNot}`, 'See why: make logs');
  throw new Failure(
    `GitLab Runner ${version} does not work: ${why} The version before runs again.`,
    `RUNNER_IMAGE in .env names it: ${previous}. Try again later: make upgrade`,
  );
}

async function pull(run: Run, image: string): Promise<string> {
  console.log(`Pulling ${image}...`);
  const { status, stderr } = await run(['docker', 'pull', '--quiet', image], { seconds: 1800 });
  if (host.isInterrupted())
    throw new Failure('Interrupted: nothing was changed.', 'Run it again: make upgrade');
  if (status === 0) return requireVersion(run, image);
  throw new Failure(`${image} cannot be pulled: ${host.explainContainer(stderr)}`, 'Nothing was changed.');
}

function jobsOf({ run, environment: { value } }: World): Promise<number> {
  const tokens = runners.map(({ tokenVariable }) => value(tokenVariable));
  return host.runningJobs(run, tokens);
}

/** Lets the runner take no new job and end with its last one, or ends it so that GitLab hears of its jobs. */
async function drain(world: World, id: string, seconds: number): Promise<void> {
  const signal = (name: string) => world.run(['docker', 'kill', '--signal', name, id], { undisturbed: true });
  const isOver = async (limit: number) =>
    (await world.run(['docker', 'wait', id], { seconds: limit, undisturbed: true })).status !== 124;
  await signal('QUIT');
  for (const end = Date.now() + seconds * 1000; Date.now() < end; ) {
    console.log(`Waiting for running jobs to end: ${await jobsOf(world)} left.`);
    if (await isOver(Math.min(15, (end - Date.now()) / 1000))) return;
    if (!host.isInterrupted()) continue;
    const problem = 'Interrupted: the runner takes no new job, and ends with its last one.';
    throw new Failure(problem, 'Start it again, as it was: make up');
  }
  console.log(`After ${seconds} s the jobs that still run (${await jobsOf(world)}) are ended as failed.`);
  await signal('TERM');
  if (!(await isOver(60))) await signal('KILL');
}

/** Starts the runner by that image, and says why GitLab does not know it, if so. */
async function bringUp(world: Ready, image: string): Promise<string | undefined> {
  const { run, compose } = world;
  const options = { seconds: 0, undisturbed: true, environment: { RUNNER_IMAGE: image } };
  const { status, stderr } = await run([...compose, 'up', '-d', '--no-deps', 'runner'], options);
  if (status !== 0) return host.explainContainer(stderr);
  for (let left = patience.tries; ; left -= 1) {
    const id = (await containerOf(world))?.id;
    const why = await whyNotValid(run, id);
    // One that ends and is started again runs too, for a moment.
    const { state = 'gone', restarts } = (await containerOf(world)) ?? {};
    if (state !== 'running' || restarts !== '0') return `its container is ${state}, restarts: ${restarts}.`;
    if (why === undefined || left <= 1) return why;
    const ended = await run(['docker', 'wait', id ?? ''], { seconds: patience.seconds, undisturbed: true });
    if (ended.status !== 124) return 'its container has ended.';
  }
}

/** Shows how the runner is; the exit code is 1 if something needs looking at. */
export async function status(run: Run): Promise<void> {
  const world = await ready(run);
  const { stdout } = await run([...world.compose, 'ps']);
  console.log(host.mask(stdout.trim()));
  for (const { name, run: look } of [...checks, ...ofGitLab]) {
    if (!['container', 'token'].includes(name)) continue;
    const note: Note = (verdict, detail, remedy = '') => {
      if (verdict !== 'ok') process.exitCode = 1;
      const more = verdict === 'ok' ? '' : `  ${remedy}  <- look at this`;
      console.log(host.mask(`${name.padEnd(10)}${detail}${more}`));
    };
    await Promise.resolve(look(world, note)).catch(({ message, remedy }) => note('failed', message, remedy));
  }
  console.log(`jobs      ${await jobsOf(world)} running`);
  const id = (await containerOf(world))?.id;
  const asked =
    id && (await run(['docker', 'exec', id, 'sh', '-c', 'gitlab-runner --version; df -h /'])).stdout;
  if (asked) console.log(`version   ${versionIn(asked)}\ndisk      ${lastLine(asked)}`);
}

/** Name and token of each [[runners]] of config.toml, as they stand there. @throws Failure if there is none */
function readConfig(): { name?: string; token?: string }[] {
  const path = file('config/config.toml');
  const [, ...blocks] = (existsSync(path) ? readFileSync(path, 'utf8') : '').split(/^\s*\[\[runners\]\]/m);
  const remedy = 'What git has of it: git checkout config/config.toml. One of version 0.1.0: see README.md';
  if (blocks.length === 0) throw new Failure('config/config.toml has no [[runners]].', remedy);
  const line = /^\s*(name|token)\s*=\s*(["'])(.*?)(?<!\\)\2/gm;
  return blocks.map(block => {
    const lines = [...(block.split(/^\s*\[/m)[0] ?? '').matchAll(line)];
    return Object.fromEntries(lines.map(([, key, , text = '']) => [key, text.replace(/\\(["\\])/g, '$1')]));
  });
}

/** Whether config.toml is in line with settings.ts, and GitLab Runner can read it. */
async function checkConfig(world: World, note: Note): Promise<void> {
  const blocks = readConfig();
  for (const { name, token = '' } of blocks) {
    const variable = runners.find(({ description }) => description === name)?.tokenVariable;
    const remedy = `Write token = "\${${variable ?? 'RUNNER_TOKEN'}}", then: make register ARGS=--rotate`;
    if (!variable) note('warning', `"${name}": scripts/settings.ts does not describe it.`);
    if (!/^\$/.test(token)) note('failed', `"${name}": its token is in the file, or missing.`, remedy);
  }
  for (const { description } of runners) {
    if (blocks.some(({ name }) => name === description)) continue;
    note('failed', `no [[runners]] has the name "${description}" of scripts/settings.ts.`, 'Make them one.');
  }
  await lint(world, note);
}

/** What GitLab Runner's own lint says of config.toml; images before 19.3 have none. */
async function lint({ run, environment }: World, note: Note): Promise<void> {
  // An empty token is a mistake to it, and a real one is none of its business.
  const names = runners.map(({ tokenVariable }) => `${tokenVariable}=placeholder`);
  const values = [...names, 'GITLAB_URL=https://gitlab.example.com'].flatMap(one => ['--env', one]);
  const folder = `${fileURLToPath(file('config'))}:/etc/gitlab-runner:ro`;
  const options = ['--rm', '--network', 'none', '--volume', folder, '--entrypoint', 'gitlab-runner'];
  const image = imageOf(environment);
  if (!(await host.hasImage(run, image)))
    return note('unknown', `whether GitLab Runner can read it: ${image} is not here yet.`);
  const { status, stdout, stderr } = await run(['docker', 'run', ...options, ...values, image, 'lint']);
  const fatal = /(?:FATAL|ERROR|PANIC): *(.*)/.exec(stderr + stdout)?.[1];
  if (status === 0) note('ok', 'GitLab Runner finds nothing wrong in it');
  else if (!fatal || /Command lint not found/.test(fatal))
    note('unknown', `whether GitLab Runner can read it: ${lastLine(stderr)}`);
  else note('failed', lastLine(fatal.replaceAll('/etc/gitlab-runner/', 'config/')), 'Correct that line.');
}

async function checkContainer(world: World, note: Note): Promise<void> {
  const container = world.compose && (await containerOf({ ...world, compose: world.compose }));
  if (!container) return note('warning', 'the runner does not run.', 'Start it: make up');
  const { state, health, startedAt } = container;
  if (state !== 'running') return note('failed', `it is ${state}.`, 'See why: make logs');
  if (health !== 'unhealthy') return note('ok', `running since ${startedAt}${health && `, ${health}`}`);
  note('failed', 'GitLab does not know each runner of config/config.toml (unhealthy).', 'See why: make logs');
}

/** Whether the version fits that of GitLab. */
async function checkVersion({ run, environment }: World, note: Note): Promise<void> {
  const image = imageOf(environment);
  if (!(await host.hasImage(run, image)))
    return note('unknown', `${image} is not here yet.`, 'Pull it: make up');
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
  const usage = 'Say: scripts/run runner up | upgrade [SECONDS] | status';
  if (word === 'up') return up(host.run);
  if (word === 'status') return status(host.run);
  if (word !== 'upgrade' || !/^\d*$/.test(seconds)) throw new Failure(`Not known: ${word} ${seconds}`, usage);
  return host.withLock(() => upgrade(host.run, Number(seconds || 3600)));
}

if (host.isMain(import.meta)) await host.start('runner', () => main(process.argv.slice(2)));
