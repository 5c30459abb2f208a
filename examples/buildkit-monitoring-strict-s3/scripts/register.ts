// Registers a runner of settings.ts with GitLab, or brings GitLab in line with it. It talks to GitLab's API only.
// scripts/run register [--dry-run] [--rotate | --unregister] [description of a runner: else the first; to unregister, all]

import { once } from 'node:events';
import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { parseArgs } from 'node:util';
import * as gitlab from './gitlab.ts';
import * as host from './host.ts';
import { Failure } from './host.ts';
import { type Runner, runners } from './settings.ts';

/** Whoever sits at the terminal; `isThere` is false in a pipeline or a cron job. */
export interface Terminal {
  readonly isThere: boolean;
  readonly ask: (question: string, isHidden?: boolean) => Promise<string>;
}

type Job = Readonly<{ runner: Runner; terminal: Terminal; isDryRun: boolean }>;

/** @throws Failure if what was asked for could not be done */
export async function main(words = process.argv.slice(2), terminal: Terminal = keyboard): Promise<void> {
  const flag = { type: 'boolean' } as const;
  const options = { 'dry-run': flag, rotate: flag, unregister: flag };
  const { values, positionals } = parseArgs({ args: words, options, allowPositionals: true });
  const [wanted] = positionals;
  const found = runners.filter(({ description }) => wanted === undefined || description === wanted);
  const names = runners.map(({ description }) => `"${description}"`).join(', ');
  if (found.length === 0)
    throw new Failure(`scripts/settings.ts describes no runner "${wanted}".`, `There are: ${names}.`);
  const task = values.unregister ? unregister : values.rotate ? rotate : register;
  console.log(`Asking ${host.gitlabUrl()}...`);
  await host.withLock(async () => {
    await gitlab.requireGitLab();
    for (const runner of values.unregister ? found : found.slice(0, 1))
      await task({ runner, terminal, isDryRun: values['dry-run'] ?? false });
  });
}

/** Takes the first way in that there is, unless the runner has a token that GitLab accepts. */
async function register(job: Job): Promise<void> {
  const { terminal, runner } = job;
  const { tokenVariable } = runner;
  if (await confirm(job, host.env(tokenVariable))) return;
  if (host.env(tokenVariable) !== '') console.error(`GitLab does not accept ${tokenVariable}.`);
  if (host.env('GITLAB_ACCESS_TOKEN') !== '') return create(job, host.env('GITLAB_ACCESS_TOKEN'));
  if (host.env('REGISTRATION_TOKEN') !== '') return create(job, host.env('REGISTRATION_TOKEN'), true);
  const ways = `that of a runner made in GitLab (${newRunner}), or an access token (scope create_runner)`;
  const remedy = `Put one into .env as ${tokenVariable} or GITLAB_ACCESS_TOKEN: ${ways}.`;
  if (!terminal.isThere || job.isDryRun) throw new Failure('There is no token to register with.', remedy);
  console.log(`Paste a token: ${ways}, or a registration token (the old way).`);
  const pasted = host.keepSecret(await terminal.ask('Token (it is not shown): ', true));
  if (pasted === '') throw new Failure('No token was given.', 'Nothing was changed.');
  if (await confirm(job, pasted)) return;
  // Whoever calls with an access token may be refused (403), but is not unknown (401).
  const { status } = await gitlab.callGitLab('GET', '/version', { token: pasted });
  return create(job, pasted, status === 401);
}

const newRunner = 'Settings > CI/CD > Runners > New runner';

function keep({ tokenVariable }: Runner, token = '', expiresAt = ''): void {
  host.writeEnvironment({ [tokenVariable]: token, [`${tokenVariable}_EXPIRES`]: expiresAt });
}

/** If GitLab accepts the token: keeps it, and brings what GitLab keeps of the runner in line. */
async function confirm(job: Job, token: string): Promise<boolean> {
  const { runner, isDryRun } = job;
  const known = await gitlab.verifyRunner(token);
  if (!known) return false;
  if (!isDryRun) keep(runner, token, known.expiresAt);
  const where = `runner #${known.id} of ${host.gitlabUrl()}`;
  console.log(`"${runner.description}" is ${where}; its token ${gitlab.expiry(known.expiresAt)}.`);
  await bringInLine(job, known.id);
  if (!isDryRun) sayNext();
  return true;
}

async function bringInLine({ runner, isDryRun }: Job, id: string): Promise<void> {
  // Where GitLab does not show the settings, the runner has its token all the same, which is what counts.
  const compared = await gitlab.compare(runner, id).catch((error: Error) => error);
  if (compared instanceof Error) {
    console.log(`Its settings were not compared: ${compared.message} There, under Edit, should be:`);
    const tags = runner.tag_list.join(', ') || 'none';
    return console.log(`  tags ${tags}; run untagged jobs: ${runner.run_untagged ? 'yes' : 'no'}`);
  }
  const { differences, wanted: body } = compared;
  if (differences.length === 0)
    return console.log('GitLab has all its settings as scripts/settings.ts says.');
  console.log(`  ${differences.join('\n  ')}`);
  if (isDryRun) return console.log('make register would change that in GitLab.');
  const token = host.env('GITLAB_ACCESS_TOKEN');
  const answer = await gitlab.callGitLab('PUT', `/runners/${id}`, { token, body });
  if (answer.status !== 200)
    throw gitlab.refusal(answer, 'change that', 'Change scripts/settings.ts.', 'manage_runner');
  console.log('GitLab has that as scripts/settings.ts says now.');
}

function sayNext(): void {
  for (const name of ['GITLAB_ACCESS_TOKEN', 'REGISTRATION_TOKEN'])
    if (host.env(name) !== '') console.log(`Now delete ${name} from .env: the runner does not need it.`);
  console.log('Next: make up');
}

/** Creates the runner with an access token, or with a registration token, the old way. */
async function create(job: Job, token: string, isOldWay = false): Promise<void> {
  const { runner } = job;
  if (isOldWay) console.error('Registration tokens are off by default since GitLab 17, and go in GitLab 20.');
  const { type, ...place } = isOldWay ? { type: 'project_type' } : await findPlace(job, token);
  const settings = { ...gitlab.runnerAttributes(runner, type), ...place };
  const path = isOldWay ? '/runners' : '/user/runners';
  if (job.isDryRun)
    return console.log(`It would send POST ${path} to GitLab: ${JSON.stringify(settings, null, 2)}`);
  const body = isOldWay ? { token, ...settings } : { runner_type: type, ...settings };
  const id = await obtain(job, path, isOldWay ? { body } : { body, token }, isOldWay ? '' : 'create_runner');
  console.log(`Created "${runner.description}" as runner #${id} of ${host.gitlabUrl()}.`);
  sayNext();
}

/** Has GitLab make a token, keeps it, and gives the runner's id. One whose token cannot be kept is deleted again. */
async function obtain(job: Job, path: string, request: gitlab.Request, scope = ''): Promise<string> {
  host.writeEnvironment({});
  host.interruptions.areHeld = true;
  const answer = await gitlab.callGitLab('POST', path, request);
  const remedy = `Change scripts/settings.ts or .env; or ${newRunner} in GitLab, and make register.`;
  if (answer.status !== 201) throw gitlab.refusal(answer, 'make a token', remedy, scope);
  const [id, token] = [String(answer.body.id), host.keepSecret(String(answer.body.token))];
  try {
    keep(job.runner, token, String(answer.body.token_expires_at ?? ''));
  } catch (error) {
    const { message, remedy } = error as Failure;
    const call = gitlab.callGitLab('DELETE', '/runners', { body: { token } });
    const isDeleted = (await call.catch(() => undefined))?.status === 204;
    const outcome = isDeleted ? 'was deleted in GitLab again.' : 'has to be deleted in GitLab.';
    throw new Failure(`${message} The runner with that token ${outcome}`, `${remedy}; then: make register`);
  }
  console.log(`The token is in .env as ${job.runner.tokenVariable}.`);
  return id;
}

/** What the runner is created for, as settings.ts, .env or whoever sits there says: its type, and the id of the place. */
async function findPlace({ runner, terminal }: Job, token: string) {
  const type = runner.project === undefined ? host.env('RUNNER_TYPE') || 'project_type' : 'project_type';
  const kind = type.replace('_type', '');
  // An instance is no place; what else there may be GitLab knows.
  if (kind !== 'project' && kind !== 'group') return { type };
  const name = `GITLAB_${kind.toUpperCase()}_ID`;
  const given = runner.project ?? host.env(name);
  const place = given || (terminal.isThere && (await terminal.ask(`The ${kind}, by id or path: `)));
  const remedy = `Write the id or the path into .env, for example ${name}=team/app, or another RUNNER_TYPE.`;
  if (!place) throw new Failure(`A runner of ${type} needs ${name}.`, remedy);
  if (/^\d+$/.test(place)) return { type, [`${kind}_id`]: Number(place) };
  const path = `/${kind}s/${encodeURIComponent(place.replace(/^\/+|\/+$/g, ''))}`;
  const answer = await gitlab.callGitLab('GET', path, { token });
  if (answer.status === 200) return { type, [`${kind}_id`]: Number(answer.body.id) };
  const byNumber = `Write its number (Settings > General) into .env: only with read_api a token looks up a path.`;
  throw gitlab.refusal(answer, `show the ${kind} ${place}`, byNumber);
}

async function rotate(job: Job): Promise<void> {
  const { tokenVariable } = job.runner;
  const token = host.env(tokenVariable);
  const known = await gitlab.verifyRunner(token);
  if (!known) throw new Failure(`GitLab does not accept ${tokenVariable}.`, 'Run: make register');
  const compared = await gitlab.compare(job.runner, known.id).catch((error: Failure) => error);
  const hosts = compared instanceof Error ? compared.message : compared.hosts.join('\n  ');
  console.log(`The old token is void at once, wherever it is in use:\n  ${hosts || 'none is shown'}
Each place needs the new one in its .env, and then make up, which waits for running jobs.`);
  if (job.isDryRun) return;
  await requireYes(job.terminal, `Renew ${tokenVariable}?`);
  await obtain(job, '/runners/reset_authentication_token', { body: { token } });
  console.log('Next: make up');
}

async function unregister({ runner, terminal, isDryRun }: Job): Promise<void> {
  const { description, tokenVariable } = runner;
  const token = host.env(tokenVariable);
  if (token === '') return console.log(`"${description}" is not registered: ${tokenVariable} is empty.`);
  if (isDryRun) return console.log(`It would delete "${description}" in GitLab, and empty ${tokenVariable}.`);
  await requireYes(terminal, `Delete the runner "${description}" in GitLab, for all its hosts?`);
  host.interruptions.areHeld = true;
  const answer = await gitlab.callGitLab('DELETE', '/runners', { body: { token } });
  const isGone = answer.isJson && answer.status === 403;
  if (answer.status !== 204 && !isGone)
    throw gitlab.refusal(answer, 'delete the runner', 'Run the same command again.');
  keep(runner);
  const outcome = isGone ? 'was gone from' : 'is deleted in';
  console.log(`"${description}" ${outcome} GitLab; its token is out of .env. Next: make down`);
}

/** @throws Failure unless somebody says yes, or YES=1 is in the environment */
async function requireYes(terminal: Terminal, question: string): Promise<void> {
  if (process.env.YES === '1') return;
  if (terminal.isThere && /^y(es)?$/i.test(await terminal.ask(`${question} [y/N] `))) return;
  throw new Failure('Nobody confirmed it; nothing was changed.', 'To say yes beforehand: YES=1');
}

const keyboard: Terminal = {
  isThere: process.stdin.isTTY && process.stdout.isTTY,
  async ask(question, isHidden = false) {
    if (isHidden) process.stdout.write(question);
    // What is typed is shown by readline, unless it writes into nothing.
    const output = isHidden ? new Writable({ write: (_text, _encoding, done) => done() }) : process.stdout;
    const lines = createInterface({ input: process.stdin, output, terminal: true });
    const typed = await Promise.race([lines.question(question), once(lines, 'close')]).catch(() => undefined);
    lines.close();
    if (isHidden) process.stdout.write('\n');
    if (typeof typed === 'string') return typed.trim();
    throw new Failure('Interrupted.', 'Nothing was changed.');
  },
};

await host.start(import.meta, main);
