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
  accessTokenFailure,
  callGitLab,
  countManagers,
  describeChange,
  reason,
  refusal,
  requireGitLab,
  runnerAttributes,
  runnerChanges,
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

/** A runner's token; `expiresAt` is empty where it does not expire. */
interface Token {
  readonly id: string;
  readonly token: string;
  readonly expiresAt: string;
}

/** @throws Failure if what was asked for could not be done */
export async function main(words = process.argv.slice(2), terminal: Terminal = keyboard): Promise<void> {
  const { values, positionals } = parseArgs({
    args: words,
    options: {
      'dry-run': { type: 'boolean' },
      rotate: { type: 'boolean' },
      unregister: { type: 'boolean' },
    },
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
  const { environment, runner, terminal } = job;
  const { gitlabUrl, value } = environment;
  const token = value(runner.tokenVariable);
  const known = await lookAt(gitlabUrl, token);
  if (known) return confirm(job, known);
  if (token !== '')
    console.error(`GitLab does not accept ${runner.tokenVariable} any more: a new one is needed.`);
  const [access, registration] = [value('GITLAB_ACCESS_TOKEN'), value('REGISTRATION_TOKEN')];
  if (access !== '') return create(job, access);
  if (registration !== '') return createTheOldWay(job, registration);
  if (job.isDryRun) return console.log('It would ask for a token: .env has none that GitLab may accept.');
  if (!terminal.isThere) {
    throw new Failure(
      'There is no token to register with.',
      `Put one into .env: as ${runner.tokenVariable} that of a runner made at ${gitlabUrl} (Settings > CI/CD > Runners > New runner), or a GITLAB_ACCESS_TOKEN with the scope create_runner.`,
    );
  }
  console.log(
    `Paste a token of ${gitlabUrl}: of a runner made there (Settings > CI/CD > Runners > New runner),`,
  );
  console.log('an access token with the scope create_runner, or a registration token (the old way).');
  const pasted = keepSecret(await terminal.ask('Token (it is not shown): ', true));
  if (pasted === '') throw new Failure('No token was given.', 'Nothing was changed.');
  const ofRunner = await lookAt(gitlabUrl, pasted);
  if (ofRunner) return confirm(job, ofRunner);
  // Whoever calls with an access token may be refused (403), but is not unknown (401).
  const { status } = await callGitLab(gitlabUrl, 'GET', '/version', { token: pasted });
  return status === 401 ? createTheOldWay(job, pasted) : create(job, pasted);
}

/** The token with what GitLab says of it; undefined if it is none of a runner. */
async function lookAt(gitlabUrl: string, token: string): Promise<Token | undefined> {
  const verified = token === '' ? undefined : await verifyRunner(gitlabUrl, token);
  return verified && { ...verified, token };
}

function keep({ tokenVariable }: Runner, { token, expiresAt }: Token): void {
  writeEnvironment({ [tokenVariable]: token, [`${tokenVariable}_EXPIRES`]: expiresAt });
}

/** GitLab accepts the token: keeps it, and brings what GitLab keeps of the runner in line. */
async function confirm(job: Job, known: Token): Promise<void> {
  const { environment, runner, isDryRun } = job;
  if (!isDryRun) keep(runner, known);
  const expiry = known.expiresAt === '' ? 'does not expire' : `expires on ${known.expiresAt}`;
  console.log(
    `"${runner.description}" is runner #${known.id} of ${environment.gitlabUrl}; its token ${expiry}.`,
  );
  const token = environment.value('GITLAB_ACCESS_TOKEN');
  if (token === '') {
    console.log('GitLab shows its settings only to an access token. They should be these, there under Edit:');
    console.log(
      `  tags ${runner.tags.join(', ') || 'none'}; run untagged jobs: ${runner.runUntagged ? 'yes' : 'no'}`,
    );
  } else await bringInLine(job, known.id, token);
  if (!isDryRun) sayNext(environment);
}

async function bringInLine({ environment, runner, isDryRun }: Job, id: string, token: string): Promise<void> {
  const { gitlabUrl } = environment;
  const scope = 'manage_runner';
  const answer = await callGitLab(gitlabUrl, 'GET', `/runners/${id}`, { token });
  if (answer.status !== 200) {
    // The runner has its token, which is what counts.
    const { message } = accessTokenFailure(answer, scope) ?? refusal(answer, 'show the runner', '');
    return console.log(`Its settings in GitLab were not compared: ${message}`);
  }
  const changes = runnerChanges(runner, answer.body);
  if (changes.length === 0) return console.log('GitLab has all its settings as scripts/settings.ts says.');
  for (const change of changes) console.log(`  ${describeChange(change)}`);
  if (isDryRun) return console.log('make register would change that in GitLab.');
  const body = Object.fromEntries(changes.map(({ key, to }) => [key, to]));
  const changed = await callGitLab(gitlabUrl, 'PUT', `/runners/${id}`, { token, body });
  if (changed.status !== 200) {
    throw (
      accessTokenFailure(changed, scope) ?? refusal(changed, 'change that', 'Change scripts/settings.ts.')
    );
  }
  console.log('GitLab has that as scripts/settings.ts says now.');
}

function sayNext({ value }: Environment): void {
  for (const name of ['GITLAB_ACCESS_TOKEN', 'REGISTRATION_TOKEN']) {
    if (value(name) !== '') console.log(`Now delete ${name} from .env: the runner does not need it.`);
  }
  console.log('Next: make up');
}

/** Creates the runner with an access token. */
async function create(job: Job, token: string): Promise<void> {
  const { environment, runner } = job;
  const { type, place } = await findPlace(job);
  const body = runnerAttributes(runner, type);
  if (place !== '') {
    const kind = type === 'group_type' ? 'group' : 'project';
    body[`${kind}_id`] = await resolveId(environment.gitlabUrl, kind, place, token);
  }
  await post(job, '/user/runners', { token, body: { runner_type: type, ...body } }, answer =>
    accessTokenFailure(answer, 'create_runner'),
  );
}

/** Creates the runner with a registration token. */
async function createTheOldWay(job: Job, token: string): Promise<void> {
  console.error('Registration tokens are off by default since GitLab 17, and are removed in GitLab 20.');
  const body = { token, ...runnerAttributes(job.runner, 'project_type') };
  await post(job, '/runners', { body }, ({ status, body }) => {
    if (status !== 410 && status !== 403) return undefined;
    const problem = `GitLab does not accept the registration token: ${reason(body)}`;
    const remedy = `Create a runner in GitLab (Settings > CI/CD > Runners > New runner), and put its token into .env as ${job.runner.tokenVariable}.`;
    return new Failure(problem, remedy);
  });
}

/** Lets GitLab create the runner, and keeps its token; where that fails, the runner is deleted again. */
async function post(
  { environment, runner, isDryRun }: Job,
  path: string,
  request: { token?: string; body: object },
  explain: (answer: Awaited<ReturnType<typeof callGitLab>>) => Failure | undefined,
): Promise<void> {
  const { gitlabUrl } = environment;
  if (isDryRun) {
    const shown = { ...request.body, ...('token' in request.body && { token: '[masked]' }) };
    return console.log(`It would send POST ${gitlabUrl}/api/v4${path}\n${JSON.stringify(shown, null, 2)}`);
  }
  // Where .env cannot be written, nothing is created.
  writeEnvironment({});
  holdInterruptions();
  const answer = await callGitLab(gitlabUrl, 'POST', path, request);
  if (answer.status !== 201) {
    const remedy = 'Change scripts/settings.ts, or RUNNER_TYPE and the ids in .env.';
    throw explain(answer) ?? refusal(answer, 'create the runner', remedy);
  }
  const created = tokenIn(answer.body);
  try {
    keep(runner, created);
  } catch (error) {
    throw await withdraw(gitlabUrl, created, error as Failure);
  }
  console.log(
    `Created "${runner.description}" as runner #${created.id} of ${gitlabUrl}; its token is in .env.`,
  );
  sayNext(environment);
}

function tokenIn(body: Record<string, unknown>, id = String(body.id)): Token {
  return { id, token: keepSecret(String(body.token)), expiresAt: String(body.token_expires_at ?? '') };
}

/** Deletes a runner whose token could not be kept, and says how that went. */
async function withdraw(gitlabUrl: string, { id, token }: Token, error: Failure): Promise<Failure> {
  const { status } = await callGitLab(gitlabUrl, 'DELETE', '/runners', { body: { token } }).catch(() => ({
    status: 0,
  }));
  const outcome =
    status === 204
      ? `The runner #${id}, just created in GitLab, was deleted again.`
      : `The runner #${id}, just created in GitLab, could not be deleted again: delete it under Settings > CI/CD > Runners.`;
  return new Failure(`${error.message} ${outcome}`, error.remedy);
}

/** What the runner is created for: as settings.ts, .env or whoever sits there says. */
async function findPlace({ environment, runner, terminal }: Job): Promise<{ type: string; place: string }> {
  const { value } = environment;
  if (runner.project !== undefined) return { type: 'project_type', place: runner.project };
  const [project, group, wanted] = [
    value('GITLAB_PROJECT_ID'),
    value('GITLAB_GROUP_ID'),
    value('RUNNER_TYPE'),
  ];
  if (wanted === 'instance_type') return { type: wanted, place: '' };
  if (!['', 'project_type', 'group_type'].includes(wanted)) {
    throw new Failure(
      `RUNNER_TYPE is ${wanted}.`,
      'Write project_type, group_type or instance_type in .env.',
    );
  }
  const type =
    group !== '' && (wanted === 'group_type' || project === '') ? 'group_type' : wanted || 'project_type';
  const place = type === 'group_type' ? group : project;
  if (place !== '') return { type, place };
  const name = type === 'group_type' ? 'GITLAB_GROUP_ID' : 'GITLAB_PROJECT_ID';
  if (!terminal.isThere) {
    const remedy = `Write the id or the path into .env, for example ${name}=team/app`;
    throw new Failure(`A runner of ${type} needs ${name}.`, remedy);
  }
  const said = (
    await terminal.ask('Project, by id or path (or "group:" and a group, or "instance"): ')
  ).trim();
  if (said === 'instance') return { type: 'instance_type', place: '' };
  if (said.startsWith('group:')) return { type: 'group_type', place: said.slice(6).trim() };
  return { type: 'project_type', place: said };
}

/** The number of a project or group; a path is looked up. */
async function resolveId(
  gitlabUrl: string,
  kind: 'project' | 'group',
  place: string,
  token: string,
): Promise<number> {
  if (/^\d+$/.test(place)) return Number(place);
  const path = `/${kind}s/${encodeURIComponent(place.replace(/^\/+|\/+$/g, ''))}`;
  let answer = await callGitLab(gitlabUrl, 'GET', path, { token });
  // A token with create_runner alone may not look; a public project shows itself to anyone.
  if (answer.status === 403) answer = await callGitLab(gitlabUrl, 'GET', path);
  if (answer.status === 200) return Number(answer.body.id);
  if (answer.status !== 404) {
    throw accessTokenFailure(answer, 'create_runner') ?? refusal(answer, `show the ${kind} ${place}`, '');
  }
  throw new Failure(
    `There is no ${kind} ${place} that the access token may see.`,
    `To find a private ${kind} by its path the token needs the scope read_api too; its number, shown in Settings > General, needs no more than create_runner.`,
  );
}

/** --rotate */
async function rotate({ environment, runner, terminal, isDryRun }: Job): Promise<void> {
  const { gitlabUrl, value } = environment;
  const { tokenVariable } = runner;
  const old = await lookAt(gitlabUrl, value(tokenVariable));
  if (!old) {
    throw new Failure(`GitLab accepts no ${tokenVariable}, so it cannot be renewed.`, 'Run: make register');
  }
  const hosts = await countManagers(environment, old.id);
  console.log(
    hosts === undefined
      ? 'How many hosts use this token, GitLab shows only to an access token (scope manage_runner).'
      : `Hosts that use this token, as far as GitLab knows: ${hosts}.`,
  );
  console.log(
    'The old token is void at once. Each host needs the new one in its .env, and then a new container,',
  );
  console.log('which waits for running jobs: make up');
  if (isDryRun) return;
  await requireYes(terminal, `Renew ${tokenVariable}?`);
  writeEnvironment({});
  holdInterruptions();
  const path = '/runners/reset_authentication_token';
  const answer = await callGitLab(gitlabUrl, 'POST', path, { body: { token: old.token } });
  if (answer.status !== 201) throw refusal(answer, 'renew the token', 'Run: make register');
  const renewed = tokenIn(answer.body, old.id);
  try {
    keep(runner, renewed);
  } catch (error) {
    const remedy = `${(error as Failure).remedy} Then delete runner #${old.id} in GitLab, and: make register`;
    throw new Failure(`${(error as Failure).message} The old token is void, the new one lost.`, remedy);
  }
  console.log(
    `${tokenVariable} in .env is renewed; it ${renewed.expiresAt ? `expires on ${renewed.expiresAt}` : 'does not expire'}.`,
  );
  console.log('Next: make up');
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
  keep(runner, { id: '', token: '', expiresAt: '' });
  console.log(
    `"${description}" ${isGone ? 'was gone from GitLab already' : 'is deleted in GitLab'}; its token is out of .env.`,
  );
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
