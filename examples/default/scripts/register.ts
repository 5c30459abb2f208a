// Registers a runner of settings.ts with GitLab, or brings GitLab in line with it:  make register (RUNNER=description)
//
//   scripts/run register [--dry-run] [--rotate] [--unregister] [description]
//
//   --dry-run      show what would be done, and do nothing
//   --rotate       renew the token
//   --unregister   delete the runner in GitLab, and its token here; without a description all of them
//   description    which runner of scripts/settings.ts; without it, the first
//
// It talks to GitLab's API only. The token goes to .env before anything else is done with it.

import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { parseArgs } from 'node:util';
import {
  callGitLab,
  compare,
  countManagers,
  describeChange,
  expiry,
  refusal,
  requireGitLab,
  runnerAttributes,
  verifyRunner,
} from './gitlab.ts';
import {
  type Environment,
  Failure,
  holdInterruptions,
  isMain,
  keepSecret,
  readEnvironment,
  start,
  withLock,
  writeEnvironment,
} from './host.ts';
import { type Runner, runners } from './settings.ts';

/** Whoever sits at the terminal; `isThere` is false in a pipeline or a cron job. */
export interface Terminal {
  readonly isThere: boolean;
  readonly ask: (question: string, isHidden?: boolean) => Promise<string>;
}

interface Job {
  readonly environment: Environment;
  readonly runner: Runner;
  readonly terminal: Terminal;
  readonly isDryRun: boolean;
}

/** @throws Failure if what was asked for could not be done */
export async function main(words = process.argv.slice(2), terminal: Terminal = keyboard): Promise<void> {
  const flag = { type: 'boolean' } as const;
  const { values, positionals } = parseArgs({
    args: words,
    options: { 'dry-run': flag, rotate: flag, unregister: flag },
    allowPositionals: true,
  });
  const [description] = positionals;
  const found = runners.filter(one => description === undefined || one.description === description);
  if (found.length === 0) {
    const names = runners.map(one => `"${one.description}"`).join(', ');
    throw new Failure(`scripts/settings.ts describes no runner "${description}".`, `There are: ${names}.`);
  }
  const task = values.unregister ? unregister : values.rotate ? rotate : register;
  await withLock(async () => {
    const environment = readEnvironment();
    await requireGitLab(environment.gitlabUrl);
    for (const runner of values.unregister ? found : found.slice(0, 1)) {
      await task({ environment, runner, terminal, isDryRun: values['dry-run'] ?? false });
    }
  });
}

/** Takes the first way in that there is, unless the runner has a token that GitLab accepts. */
async function register(job: Job): Promise<void> {
  const { runner, terminal } = job;
  const { gitlabUrl, value } = job.environment;
  const token = value(runner.tokenVariable);
  if (await confirm(job, token)) return;
  if (token !== '')
    console.error(`GitLab does not accept ${runner.tokenVariable} any more: a new one is needed.`);
  const [access, registration] = [value('GITLAB_ACCESS_TOKEN'), value('REGISTRATION_TOKEN')];
  if (access !== '') return create(job, access);
  if (registration !== '') return createTheOldWay(job, registration);
  if (job.isDryRun) return console.log('It would ask for a token: .env has none that GitLab may accept.');
  const ways = `that of a runner made at ${gitlabUrl} (${newRunner}), or an access token (scope create_runner)`;
  if (!terminal.isThere) {
    const remedy = `Put one into .env as ${runner.tokenVariable} or GITLAB_ACCESS_TOKEN: ${ways}.`;
    throw new Failure('There is no token to register with.', remedy);
  }
  console.log(`Paste a token: ${ways}, or a registration token (the old way).`);
  const pasted = keepSecret(await terminal.ask('Token (it is not shown): ', true));
  if (pasted === '') throw new Failure('No token was given.', 'Nothing was changed.');
  if (await confirm(job, pasted)) return;
  // Whoever calls with an access token may be refused (403), but is not unknown (401).
  const { status } = await callGitLab(gitlabUrl, 'GET', '/version', { token: pasted });
  return status === 401 ? createTheOldWay(job, pasted) : create(job, pasted);
}

const newRunner = 'Settings > CI/CD > Runners > New runner';

function keep({ tokenVariable }: Runner, token = '', expiresAt = ''): void {
  writeEnvironment({ [tokenVariable]: token, [`${tokenVariable}_EXPIRES`]: expiresAt });
}

/** If GitLab accepts the token: keeps it, and brings what GitLab keeps of the runner in line. */
async function confirm(job: Job, token: string): Promise<boolean> {
  const { environment, runner, isDryRun } = job;
  const known = await verifyRunner(environment.gitlabUrl, token);
  if (!known) return false;
  if (!isDryRun) keep(runner, token, known.expiresAt);
  const where = `runner #${known.id} of ${environment.gitlabUrl}`;
  console.log(`"${runner.description}" is ${where}; its token ${expiry(known.expiresAt)}.`);
  await bringInLine(job, known.id);
  if (!isDryRun) sayNext(environment);
  return true;
}

async function bringInLine({ environment, runner, isDryRun }: Job, id: string): Promise<void> {
  // Where GitLab does not show the settings, the runner has its token all the same, which is what counts.
  const changes = await compare(environment, runner, id).catch((error: Failure) => error);
  if (changes instanceof Error) {
    console.log(`Its settings in GitLab were not compared: ${changes.message} There, under Edit, should be:`);
    const tags = runner.tags.join(', ') || 'none';
    return console.log(`  tags ${tags}; run untagged jobs: ${runner.runUntagged ? 'yes' : 'no'}`);
  }
  if (changes.length === 0) return console.log('GitLab has all its settings as scripts/settings.ts says.');
  for (const change of changes) console.log(`  ${describeChange(change)}`);
  if (isDryRun) return console.log('make register would change that in GitLab.');
  const token = environment.value('GITLAB_ACCESS_TOKEN');
  const body = Object.fromEntries(changes.map(({ key, to }) => [key, to]));
  const answer = await callGitLab(environment.gitlabUrl, 'PUT', `/runners/${id}`, { token, body });
  if (answer.status !== 200)
    throw refusal(answer, 'change that', 'Change scripts/settings.ts.', 'manage_runner');
  console.log('GitLab has that as scripts/settings.ts says now.');
}

function sayNext({ value }: Environment): void {
  for (const name of ['GITLAB_ACCESS_TOKEN', 'REGISTRATION_TOKEN']) {
    if (value(name) !== '') console.log(`Now delete ${name} from .env: the runner does not need it.`);
  }
  console.log('Next: make up');
}

/** What is sent, and what helps where it is refused. */
interface Request {
  readonly path: string;
  readonly token?: string;
  readonly body: object;
  readonly remedy: string;
  readonly scope?: string;
}

/** Creates the runner with an access token. */
async function create(job: Job, token: string): Promise<void> {
  const { kind, place } = await findPlace(job);
  const type = `${kind}_type`;
  const id = place && (await resolveId(job.environment.gitlabUrl, kind, place, token));
  const body = {
    runner_type: type,
    ...runnerAttributes(job.runner, type),
    ...(id && { [`${kind}_id`]: id }),
  };
  const remedy = 'Change scripts/settings.ts, or RUNNER_TYPE and the ids in .env.';
  await post(job, { path: '/user/runners', token, body, remedy, scope: 'create_runner' });
}

/** Creates the runner with a registration token. */
async function createTheOldWay(job: Job, token: string): Promise<void> {
  console.error('Registration tokens are off by default since GitLab 17, and are removed in GitLab 20.');
  const body = { token, ...runnerAttributes(job.runner, 'project_type') };
  const remedy = `Create a runner in GitLab (${newRunner}), and put its token into .env as ${job.runner.tokenVariable}.`;
  await post(job, { path: '/runners', body, remedy });
}

/** Lets GitLab create the runner, and keeps its token; where that fails, the runner is deleted again. */
async function post(job: Job, request: Request): Promise<void> {
  const { environment, runner } = job;
  const { gitlabUrl } = environment;
  if (job.isDryRun) {
    const shown = { ...request.body, ...('token' in request.body && { token: '[masked]' }) };
    const address = `${gitlabUrl}/api/v4${request.path}`;
    return console.log(`It would send POST ${address}\n${JSON.stringify(shown, null, 2)}`);
  }
  const id = await obtain(job, 'create the runner', request, async (id, token) => {
    const call = callGitLab(gitlabUrl, 'DELETE', '/runners', { body: { token } });
    const isDeleted = (await call.catch(() => undefined))?.status === 204;
    const outcome = isDeleted
      ? 'was deleted again.'
      : 'could not be deleted again: delete it under Settings > CI/CD > Runners.';
    return `The runner #${id}, just created in GitLab, ${outcome}`;
  });
  console.log(`Created "${runner.description}" as runner #${id} of ${gitlabUrl}; its token is in .env.`);
  sayNext(environment);
}

/**
 * Has GitLab make a token, and keeps it. Where .env cannot be written, none is made; where the new one cannot be kept,
 * `lose` does what is left to do, and says so.
 * @returns the id in the answer
 */
async function obtain(
  { environment: { gitlabUrl }, runner }: Job,
  what: string,
  request: Request,
  lose: (id: string, token: string) => Promise<string>,
): Promise<string> {
  writeEnvironment({});
  holdInterruptions();
  const answer = await callGitLab(gitlabUrl, 'POST', request.path, request);
  if (answer.status !== 201) throw refusal(answer, what, request.remedy, request.scope);
  const [id, token] = [String(answer.body.id), keepSecret(String(answer.body.token))];
  try {
    keep(runner, token, String(answer.body.token_expires_at ?? ''));
  } catch (error) {
    const { message, remedy } = error as Failure;
    throw new Failure(`${message} ${await lose(id, token)}`, remedy);
  }
  return id;
}

/** What the runner is created for, as settings.ts, .env or whoever sits there says; an instance is no place. */
async function findPlace({ environment, runner, terminal }: Job): Promise<{ kind: string; place: string }> {
  const { value } = environment;
  if (runner.project !== undefined) return { kind: 'project', place: runner.project };
  const [project, group] = [value('GITLAB_PROJECT_ID'), value('GITLAB_GROUP_ID')];
  const type = value('RUNNER_TYPE') || 'project_type';
  if (type === 'instance_type') return { kind: 'instance', place: '' };
  if (type !== 'project_type' && type !== 'group_type')
    throw new Failure(`RUNNER_TYPE is ${type}.`, 'Write project_type, group_type or instance_type in .env.');
  const isGroup = type === 'group_type' || (project === '' && group !== '');
  const kind = isGroup ? 'group' : 'project';
  const asked = terminal.isThere ? () => terminal.ask(`The ${kind}, by id or path: `) : () => '';
  const place = (isGroup ? group : project) || (await asked()).trim();
  if (place !== '') return { kind, place };
  const name = isGroup ? 'GITLAB_GROUP_ID' : 'GITLAB_PROJECT_ID';
  const remedy = `Write the id or the path into .env, for example ${name}=team/app`;
  throw new Failure(`A runner of ${kind}_type needs ${name}.`, remedy);
}

/** The number of a project or group; a path is looked up. */
async function resolveId(gitlabUrl: string, kind: string, place: string, token: string): Promise<number> {
  if (/^\d+$/.test(place)) return Number(place);
  const path = `/${kind}s/${encodeURIComponent(place.replace(/^\/+|\/+$/g, ''))}`;
  let answer = await callGitLab(gitlabUrl, 'GET', path, { token });
  // A token with create_runner alone may not look; a public project shows itself to anyone.
  if (answer.status === 403) answer = await callGitLab(gitlabUrl, 'GET', path);
  if (answer.status === 200) return Number(answer.body.id);
  const number = `its number, shown in Settings > General, needs no more than create_runner.`;
  const remedy = `To find a private ${kind} by its path the token needs the scope read_api too; ${number}`;
  if (answer.status === 404)
    throw new Failure(`There is no ${kind} ${place} that the access token may see.`, remedy);
  throw refusal(answer, `show the ${kind} ${place}`, remedy, 'create_runner');
}

/** --rotate */
async function rotate(job: Job): Promise<void> {
  const { environment, runner, terminal } = job;
  const { tokenVariable } = runner;
  const token = environment.value(tokenVariable);
  const known = await verifyRunner(environment.gitlabUrl, token);
  if (!known)
    throw new Failure(`GitLab accepts no ${tokenVariable}, so it cannot be renewed.`, 'Run: make register');
  const hosts =
    (await countManagers(environment, known.id)) ?? 'shown to an access token only (manage_runner)';
  console.log(`Hosts that use this token, as far as GitLab knows: ${hosts}.`);
  console.log('The old token is void at once. Each host needs the new one in its .env, and a new container,');
  console.log('which waits for running jobs: make up');
  if (job.isDryRun) return;
  await requireYes(terminal, `Renew ${tokenVariable}?`);
  const request = {
    path: '/runners/reset_authentication_token',
    body: { token },
    remedy: 'Run: make register',
  };
  await obtain(job, 'renew the token', request, async () => {
    const next = `delete runner #${known.id} in GitLab, then: make register`;
    return `The old token is void, the new one lost. When that is mended, ${next}`;
  });
  console.log(`${tokenVariable} in .env is renewed. Next: make up`);
}

/** --unregister */
async function unregister({ environment, runner, terminal, isDryRun }: Job): Promise<void> {
  const { gitlabUrl, value } = environment;
  const { description, tokenVariable } = runner;
  const token = value(tokenVariable);
  if (token === '') return console.log(`"${description}" is not registered: ${tokenVariable} is empty.`);
  if (isDryRun) return console.log(`It would delete "${description}" in GitLab, and empty ${tokenVariable}.`);
  await requireYes(terminal, `Delete the runner "${description}" in GitLab?`);
  const answer = await callGitLab(gitlabUrl, 'DELETE', '/runners', { body: { token } });
  const isGone = answer.isJson && answer.status === 403;
  if (answer.status !== 204 && !isGone)
    throw refusal(answer, 'delete the runner', 'Run the same command again.');
  keep(runner);
  const outcome = isGone ? 'was gone from GitLab already' : 'is deleted in GitLab';
  console.log(`"${description}" ${outcome}; its token is out of .env.`);
}

/** @throws Failure unless somebody says yes, or YES=1 is in the environment */
async function requireYes(terminal: Terminal, question: string): Promise<void> {
  if (process.env.YES === '1') return;
  if (!terminal.isThere)
    throw new Failure('Nobody is there to confirm it.', 'Run the same command with YES=1.');
  if (/^y(es)?$/i.test(await terminal.ask(`${question} [y/N] `))) return;
  throw new Failure('It was not confirmed.', 'Nothing was changed.');
}

const keyboard: Terminal = {
  isThere: process.stdin.isTTY === true,
  async ask(question, isHidden = false) {
    process.stdout.write(question);
    // What is typed is shown by readline, unless it writes into nothing.
    const output = isHidden ? new Writable({ write: (_text, _encoding, done) => done() }) : process.stdout;
    const lines = createInterface({ input: process.stdin, output, terminal: true });
    const stopped = new AbortController();
    lines.once('SIGINT', () => stopped.abort()).once('close', () => stopped.abort());
    try {
      return (await lines.question('', { signal: stopped.signal })).trim();
    } catch {
      throw new Failure('Interrupted.', 'Nothing was changed.');
    } finally {
      lines.close();
      if (isHidden) process.stdout.write('\n');
    }
  },
};

if (isMain(import.meta)) await start('register', () => main());
