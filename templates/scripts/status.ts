// Shows how the runner is:  make status
//
// Ends with 1 if something needs looking at; make doctor says more.

import { readConfig } from './config.ts';
import { inRunner, requireCompose, requireEngine, run, runningJobs, start, versionIn } from './engine.ts';
import { type Environment, keepSecret, mask, readEnvironment } from './env.ts';
import { callGitLab, gitlabVersion, verifyRunner, versionGap } from './gitlab.ts';
import { concurrent } from './settings.ts';

const day = 86_400_000;

function line(name: string, text: string): void {
  console.log(mask(`${name.padEnd(10)}  ${text}`));
}

function warn(name: string, text: string): void {
  line(name, `${text}  <- look at this`);
  process.exitCode = 1;
}

async function main(): Promise<void> {
  const environment = readEnvironment();
  await requireEngine();
  const compose = await requireCompose();
  const id = (await run([...compose, 'ps', '-q', 'runner'])).stdout.trim();
  const format = '{{.State.Status}} {{.State.StartedAt}} {{if .State.Health}}{{.State.Health.Status}}{{end}}';
  const { stdout } = id === '' ? { stdout: '' } : await run(['docker', 'inspect', '--format', format, id]);
  const [state = '', startedAt = '', health = ''] = stdout.trim().split(' ');
  const isUp = state === 'running' && health !== 'unhealthy';
  if (isUp) line('container', `running${health && `, ${health}`}, since ${startedAt.replace(/\..*/, '')}`);
  else warn('container', state === '' ? 'not there: make up' : `${state} ${health}: make logs`);

  const exec = state === 'running' ? ['docker', 'exec', id] : await inRunner([], ['--entrypoint', '']);
  const asked = await run([...exec, 'sh', '-c', 'gitlab-runner --version; df -Pk /']);
  const version = versionIn(asked.stdout);
  const ofGitLab = (await answerOf('GitLab', () => gitlabVersion(environment)))?.answer;
  const gap = versionGap(version, ofGitLab);
  if (gap) warn('version', gap);
  else line('version', `${version}${ofGitLab ? `; GitLab has ${ofGitLab}` : ''}`);

  line('jobs', `${await runningJobs()} running, of ${concurrent} at most`);

  const [size = 0, , free = 0] = (/\s(\d+)\s+(\d+)\s+(\d+)\s+\d+%/.exec(asked.stdout) ?? [])
    .slice(1)
    .map(Number);
  const gib = (blocks: number) => `${(blocks / 1024 / 1024).toFixed(1)} GiB`;
  const disk = `${gib(free)} free of ${gib(size)}, for images and caches`;
  if (free < 10 * 1024 * 1024) warn('disk', disk);
  else line('disk', disk);

  const config = await readConfig();
  if (!config || config.runners.length === 0) warn('runner', 'none is registered: make register');
  for (const { name, id: number, url, token, tokenObtainedAt, tokenExpiresAt } of config?.runners ?? []) {
    keepSecret(token);
    line('runner', `"${name}" (#${number}) of ${url}`);
    const answered = await answerOf('  token', () => verifyRunner(url, token));
    if (!answered) continue;
    const verified = answered.answer;
    const obtained = Date.parse(tokenObtainedAt);
    const expires = Date.parse(verified?.expiresAt || tokenExpiresAt);
    const age = obtained > 0 ? `${Math.floor((Date.now() - obtained) / day)} days old` : 'of unknown age';
    const left = Math.floor((expires - Date.now()) / day);
    if (!verified) warn('  token', 'not accepted by GitLab: make rotate');
    else if (expires > 0 && left < 14)
      warn('  token', `accepted, ${age}, expires in ${left} days: make rotate`);
    else line('  token', `accepted, ${age}, ${expires > 0 ? `expires in ${left} days` : 'does not expire'}`);
    await answerOf('  contact', () => showContact(environment, url, number));
  }
}

/** What GitLab answers; where it does not, the line of that name says why, and the rest is shown all the same. */
async function answerOf<T>(name: string, ask: () => Promise<T>): Promise<{ answer: T } | undefined> {
  try {
    return { answer: await ask() };
  } catch (error) {
    warn(name, (error as Error).message);
    return undefined;
  }
}

/** What GitLab last saw of the runner, which an access token may ask. */
async function showContact({ gitlabUrl, accessToken }: Environment, url: string, id: string): Promise<void> {
  if (accessToken === '' || url !== gitlabUrl) return;
  const { status, body } = await callGitLab(gitlabUrl, 'GET', `/runners/${id}`, { token: accessToken });
  if (status !== 200) return;
  const contact = Date.parse(String(body.contacted_at));
  const minutes = Math.floor((Date.now() - contact) / 60_000);
  const when = Number.isNaN(contact)
    ? 'never'
    : minutes < 1
      ? 'less than a minute ago'
      : `${minutes} minutes ago`;
  if (body.paused === true) warn('  contact', `${when}; paused: it takes no jobs`);
  else if (body.status !== 'online') warn('  contact', `${when}; GitLab calls it ${body.status}`);
  else line('  contact', `${when}; online`);
}

await start('status', main);
