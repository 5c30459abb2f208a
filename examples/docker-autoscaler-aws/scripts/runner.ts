// The container of the runner:  scripts/run runner up | upgrade [SECONDS that running jobs have to end: 3600 unless told]
// "up" starts it, or applies what has changed; "upgrade" brings it to what its image's name stands for now, or back again.

import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import * as host from './host.ts';
import { env, Failure, lastLine, type Note, type Run } from './host.ts';
import { runners } from './settings.ts';

/** How often GitLab is asked whether it knows a new version, and the seconds between. */
export const patience = { tries: 20, seconds: 3 };

const file = (path: string) => new URL(path, host.root);
const elsewhere = 'For a runner beside that: another COMPOSE_PROJECT_NAME in .env. Else there: make down';

/** @throws Failure if something that each command of this file needs is missing */
async function requireAll(run: Run): Promise<void> {
  host.gitlabUrl();
  await host.requireEngine(run);
  const missing = runners.find(({ tokenVariable }) => env(tokenVariable) === '');
  if (missing) throw new Failure(`There is no ${missing.tokenVariable} yet.`, 'Run: make register');
}

/** Starts the runner. @throws Failure if something is missing, or it does not start */
export async function up(run: Run): Promise<void> {
  await requireAll(run);
  readConfig();
  const image = await imageOf(run);
  console.log(`Starting ${image}; an image that is not here is pulled first, which takes a while...`);
  await requireFit(run, image);
  const { isEnding = false, id = '', folder = '' } = (await containerOf(run)) ?? {};
  if (existsSync(folder) && realpathSync(folder) !== realpathSync(host.root))
    throw new Failure(`The container of this name is that of ${folder}.`, elsewhere);
  if (isEnding) console.log('It was told to end with its last job, which is waited for; then it starts.');
  if (isEnding) await run(['docker', 'wait', id], { seconds: 0 });
  // By it GitLab tells hosts with one token apart. The container cannot write it: its folder is read-only.
  if (!existsSync(file('config/.runner_system_id')))
    writeFileSync(file('config/.runner_system_id'), `r_${randomBytes(6).toString('hex')}`);
  const { status, stderr } = await host.compose(run, ['up', '-d'], { seconds: 0 });
  if (status !== 0) throw new Failure(`It does not start: ${lastLine(stderr)}`, 'See why: make logs');
  console.log('Started. See how it is: make status');
}

/** The image that Compose takes for the runner. @param named RUNNER_IMAGE, where it is not to be that of .env */
async function imageOf(run: Run, named?: string): Promise<string> {
  const environment = named === undefined ? {} : { RUNNER_IMAGE: named };
  const { stdout, stderr } = await host.compose(run, ['config'], { environment });
  const image = /^ {2}runner:\n(?: {4}.*\n)*? {4}image: (\S+)/m.exec(stdout)?.[1];
  if (image) return image;
  throw new Failure(`docker-compose.yml names no image for "runner": ${lastLine(stderr)}`, 'See: git diff');
}

const versionIn = (text: string) => /^Version: *(\S+)/m.exec(text)?.[1];

/** What the image's own `lint` (19.3 and later) says of config.toml. @throws Failure if they do not fit each other */
async function requireFit(run: Run, image: string): Promise<string> {
  const mount = `type=bind,"source=${fileURLToPath(file('config'))}",target=/etc/gitlab-runner,readonly`;
  const options = ['--rm', '--network', 'none', '--mount', mount, '--entrypoint', 'sh'];
  // An empty token is a mistake to it, and a real one is none of its business.
  const names = ['GITLAB_URL', ...runners.map(({ tokenVariable }) => tokenVariable)];
  const values = names.flatMap(name => ['--env', `${name}=https://placeholder.example.com`]);
  const script = ['-c', 'gitlab-runner --version && gitlab-runner lint 2>&1'];
  const command = ['docker', 'run', ...options, ...values, image, ...script];
  const { status, stdout, stderr } = await run(command, { seconds: 1800 });
  const version = versionIn(stdout);
  const remedy = 'Look at its name in docker-compose.yml and .env, the network, and: docker context ls';
  if (!version) throw new Failure(`${image} cannot be run: ${lastLine(stderr)}`, remedy);
  const [major = 99, minor = 0] = version.split('.').map(Number);
  const tooOld = `${image} is GitLab Runner ${version}; only 18.10 and later fill in variables of config.toml.`;
  const newer = `docker pull ${image}; or, to keep it, generate this repository with --runner-image and its version.`;
  if (major * 100 + minor < 1810 && !existsSync(file('scripts/expand-config.sh')))
    throw new Failure(tooOld, newer);
  const fault = /(?:FATAL|ERROR|PANIC): *([\s\S]*)/.exec(stdout)?.[1]?.replace(/\s*\n\s*/g, ' ');
  if (status === 0) return `GitLab Runner ${version} finds nothing wrong in it`;
  if (!fault || /lint not found/.test(fault)) return `GitLab Runner ${version} cannot check it`;
  const said = lastLine(fault.replaceAll('/etc/gitlab-runner/', 'config/'));
  throw new Failure(`GitLab Runner ${version} refuses it: ${said}`, 'Correct that in config/config.toml.');
}

/** What Docker tells of the runner's container; undefined where there is none. */
async function containerOf(run: Run) {
  const [id = ''] = (await host.compose(run, ['ps', '-q', 'runner'])).stdout.trim().split('\n');
  const [found] = id ? JSON.parse((await run(['docker', 'inspect', id])).stdout || '[]') : [];
  if (!found) return;
  const { Image: image, Config: config, State: state, RestartCount: restarts } = found;
  const of = (label: string) => String(config.Labels[`com.docker.compose.${label}`]);
  const [project, folder, hash] = ['project', 'project.working_dir', 'config-hash'].map(of);
  // By `make down` or `make upgrade`, which Ctrl-C left.
  const since = `--since ${state.StartedAt} --until 0s --filter event=kill --filter container=${id}`;
  const told = await run(`docker events ${since} --format {{.Actor.Attributes.signal}}`.split(' '));
  const isEnding = state.Status === 'running' && /^(3|15)$/m.test(told.stdout);
  return { id, image, state, restarts, project, folder, hash, isEnding };
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
  await requireAll(run);
  const before = await containerOf(run);
  const problem = before ? await whyNotValid(run, before.id) : 'it does not run.';
  if (!before || problem)
    throw new Failure(`Nobody could tell whether an upgrade goes well: ${problem}`, 'Run: make up');
  const previous = `${before.project}-runner:previous`;
  // After an upgrade that went back, what docker-compose.yml names is tried again.
  const named = env(env('RUNNER_IMAGE') === previous ? 'RUNNER_IMAGE_WANTED' : 'RUNNER_IMAGE');
  const image = await imageOf(run, named);
  const must = async (...words: string[]) => {
    const { status, stdout, stderr } = await run(['docker', ...words], { seconds: 1800 });
    if (status === 0) return stdout.trim();
    throw new Failure(`docker ${words.join(' ')}: ${lastLine(stderr)}`, 'Nothing was changed.');
  };
  console.log(`Pulling ${image}...`);
  await must('pull', '--quiet', image);
  const fits = await requireFit(run, image);
  if ((await must('image', 'inspect', '--format', '{{.Id}}', image)) === before.image)
    return console.log(`${image} is what runs already, and nothing was changed: ${fits}`);
  await must('tag', before.image, previous);
  host.writeEnvironment({ RUNNER_IMAGE: previous, RUNNER_IMAGE_WANTED: named });
  await drain(run, before.id, seconds);
  host.interruptions.areHeld = true;
  host.writeEnvironment({ RUNNER_IMAGE: named });
  const why = await bringUp(run, named);
  if (why === undefined) return console.log(`Upgraded; GitLab knows each runner. ${fits}`);
  console.log('The new version does not work. Going back...');
  host.writeEnvironment({ RUNNER_IMAGE: previous });
  const whyNot = await bringUp(run, previous);
  if (whyNot) throw new Failure(`Neither version works. The one before: ${whyNot}`, 'See why: make logs');
  const remedy = `RUNNER_IMAGE in .env names it: ${previous}. Try again later: make upgrade`;
  throw new Failure(`The new version does not work: ${why} The one before runs again.`, remedy);
}

/** Lets the runner take no new job and end with its last one, or ends it so that GitLab hears of its jobs. */
async function drain(run: Run, id: string, seconds: number): Promise<void> {
  const signal = (name: string) => run(['docker', 'kill', '--signal', name, id]);
  const isOver = async (most: number) => (await run(['docker', 'wait', id], { seconds: most })).status === 0;
  await signal('QUIT');
  console.log(`Waiting for ${await runningJobs(run)} running jobs to end, ${seconds} s at most.`);
  console.log('After Ctrl-C the runner ends with its last job; to start it again, as it was: make up');
  if (seconds > 0 && (await isOver(seconds))) return;
  console.log(`After ${seconds} s ${await runningJobs(run)} jobs still run; they are ended as failed.`);
  await signal('TERM');
  if (!(await isOver(60))) await signal('KILL');
}

/** Starts the runner by that RUNNER_IMAGE, and says why GitLab does not know it, if so. */
async function bringUp(run: Run, named: string): Promise<string | undefined> {
  const options = { seconds: 0, environment: { RUNNER_IMAGE: named } };
  const { status, stderr } = await host.compose(run, ['up', '-d', '--no-deps', 'runner'], options);
  if (status === 130) return bringUp(run, named); // Ctrl-C ended Compose, and is not to end this
  if (status !== 0) return lastLine(stderr);
  for (let left = patience.tries; ; left -= 1) {
    const why = await whyNotValid(run, (await containerOf(run))?.id);
    // One that ends and is started again runs too, for a moment.
    const { state, restarts, id = '' } = (await containerOf(run)) ?? {};
    if (state?.Status !== 'running' || restarts !== 0)
      return `its container is ${state?.Status}, started again ${restarts} times.`;
    if (why === undefined || left <= 1) return why;
    await run(['docker', 'wait', id], { seconds: patience.seconds });
  }
}

/** How many jobs of this repository's runners run. Their containers have the beginning of the token as a label. */
async function runningJobs(run: Run): Promise<number | string> {
  const label = (name: string) => `{{.Label "com.gitlab.gitlab-runner.${name}"}}`;
  const format = `${label('job.id')} ${label('runner.id')}`;
  const { status, stdout } = await run(['docker', 'ps', '--format', format]);
  const tokens = runners.map(({ tokenVariable }) => env(tokenVariable));
  // It is compared here: no part of a token becomes an argument.
  const jobs = stdout.split('\n').map(line => line.split(' '));
  const ours = jobs.filter(([, id = '']) => id.length > 7 && tokens.some(token => token.includes(id)));
  return status === 0 ? new Set(ours.map(([job]) => job)).size : 'unknown';
}

/** The [[runners]] of config.toml: each gives the values of a key in one of its tables. @throws Failure if there is none */
export function readConfig(): ((key: string, table?: string) => string[])[] {
  const path = file('config/config.toml');
  const toml = existsSync(path) ? readFileSync(path, 'utf8') : '';
  const text = String.raw`"(?:[^"\\\n]|\\.)*"`;
  // As JSON has them: without remarks, and no text in single quotes.
  const json = toml.replace(new RegExp(`(${text})|'([^'\n]*)'|#.*`, 'g'), (_, double, single) =>
    single === undefined ? (double ?? '') : JSON.stringify(single),
  );
  const [, ...blocks] = json.split(/^\s*\[\[(?=runners\]\])/m);
  const remedy = 'What git has of it: git checkout config/config.toml';
  if (blocks.length === 0) throw new Failure('config/config.toml has no [[runners]].', remedy);
  return blocks.map(block => (key, table = 'runners') => {
    const its = block.split(/^\s*\[(?=[a-z])/m).find(one => one.startsWith(`${table}]`)) ?? '';
    const form = new RegExp(`^\\s*${key}\\s*=\\s*(\\[(?:${text}|[^\\]"])*\\]|.*)`, 'm');
    const value = form.exec(its)?.[1]?.trim() ?? '[]';
    try {
      return [JSON.parse(value.replace(/,\s*\]$/, ']'))].flat().map(String);
    } catch {
      throw new Error(`config/config.toml: ${key} has a value that is not read here: ${value}`);
    }
  });
}

/** Whether config.toml is in line with settings.ts, and GitLab Runner can read it. */
async function checkConfig(run: Run, note: Note): Promise<void> {
  const blocks = readConfig().map(config => [config('name')[0], config('token')[0] ?? '']);
  for (const [name, token = ''] of blocks) {
    const variable = runners.find(({ description }) => description === name)?.tokenVariable;
    const remedy = `Write token = "\${${variable ?? 'RUNNER_TOKEN'}}", then: make register ARGS=--rotate`;
    if (!variable) note('warning', `"${name}": scripts/settings.ts does not describe it.`);
    if (!token.startsWith('$')) note('failed', `"${name}": its token is in the file, or missing.`, remedy);
  }
  for (const { description } of runners.filter(one => !blocks.some(([name]) => name === one.description)))
    note('failed', `no [[runners]] has the name "${description}" of scripts/settings.ts.`, 'Make them one.');
  const image = await imageOf(run);
  const missing = await host.whyNoImage(run, image);
  if (missing) return note(...missing);
  const said = await requireFit(run, image);
  note(said.endsWith('cannot check it') ? 'unknown' : 'ok', said);
}

async function checkContainer(run: Run, note: Note): Promise<void> {
  const container = await containerOf(run);
  if (!container) return note('warning', 'the runner does not run.', 'Start it: make up');
  const { id, state, folder, hash, isEnding } = container;
  if (state.Status !== 'running') return note('failed', `it is ${state.Status}.`, 'See why: make logs');
  if (isEnding) note('warning', 'it ends with its last job, as it was told.', 'Start it again: make up');
  const { stdout: hashes } = await host.compose(run, ['config', '--hash', 'runner']);
  const other = `it was started in ${folder} with another docker-compose.yml or .env.`;
  if (hashes && !hashes.includes(`${hash}`)) note('warning', other, `Run: make up. ${elsewhere}`);
  const health = state.Health?.Status;
  if (health === 'unhealthy')
    note('failed', 'GitLab does not know each runner of config.toml (unhealthy).', 'See why: make logs');
  else note('ok', `running since ${state.StartedAt}, ${health}; jobs: ${await runningJobs(run)}`);
  const script = 'gitlab-runner --version && df -h /';
  const { status, stdout, stderr } = await run(['docker', 'exec', id, 'sh', '-c', script]);
  if (status !== 0 || !versionIn(stdout)) return note('unknown', `its version: ${lastLine(stderr)}`);
  note('ok', `GitLab Runner ${versionIn(stdout)}; disk: ${lastLine(stdout)}`);
}

export const checks = host.engineChecks.concat([
  { name: 'config.toml', needs: ['compose'], run: checkConfig },
  { name: 'container', needs: ['compose'], run: checkContainer },
]);

/** @throws Failure if the words are none of those at the top of this file */
export async function main([word = '', seconds = ''] = process.argv.slice(2)): Promise<void> {
  const shown: Run = (words, options) => host.during(words.join(' '), host.run(words, options));
  if (word === 'up') return up(shown);
  if (word === 'upgrade' && /^\d*$/.test(seconds))
    return host.withLock(() => upgrade(shown, Number(seconds || 3600)));
  throw new Failure(`Not known: ${word} ${seconds}`, 'Say: scripts/run runner up | upgrade [SECONDS]');
}

await host.start(import.meta, main);
