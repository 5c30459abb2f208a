// Registers a runner with GitLab:  make register (RUNNER=description)
//
//   scripts/run register [--dry-run] [--force] [description]
//
//   --dry-run    print what would be done, tokens masked, and do nothing
//   --force      add it once more, beside what is in config/config.toml
//   description  which runner of scripts/settings.ts; without it, the first
//
// Node 22.18 and later runs this file as it is; `npx tsx scripts/register.ts` does it on Node 20.

import { createInterface } from 'node:readline/promises';
import { parseArgs } from 'node:util';
<% if (cache) { -%>
import { cacheKeys, requireCacheKeys } from './cache.ts';
<% } -%>
import { globals, readConfig, readRunners, type RegisteredRunner, replaceConfig, settingsOf } from './config.ts';
import {
  explainContainer,
  holdInterruptions,
  inRunner,
  isInterrupted,
  lastLine,
  requireCompose,
  requireEngine,
  run,
  sayPatience,
  shellInRunner,
  start,
} from './engine.ts';
import { type Environment, Failure, keepInEnvironment, keepSecret, mask, readEnvironment } from './env.ts';
import {
  accessTokenFailure,
  callGitLab,
  reason,
  requireGitLab,
  runnerAttributes,
  verifyRunner,
} from './gitlab.ts';
import { type Runner, runners } from './settings.ts';

/** The three ways in; `make register` takes the first that .env or the environment has. */
interface Credentials {
  kind: 'authentication token' | 'access token' | 'registration token';
  token: string;
}

async function main(): Promise<void> {
  const { values: options, positionals } = parseArgs({
    options: { 'dry-run': { type: 'boolean' }, force: { type: 'boolean' } },
    allowPositionals: true,
  });
  const environment = readEnvironment();
  const runner = chooseRunner(positionals[0]);
<% if (hasProjects) { -%>
  if (runner.project !== undefined)
    Object.assign(environment, { runnerType: 'project_type', projectId: runner.project });
<% } -%>
  if (options['dry-run']) return showPlan(environment, runner);

  await requireEngine();
  await requireCompose();
  sayPatience("Starting the runner's container");
  const registered = (await readConfig())?.runners ?? [];
  const same = registered.filter(({ name }) => settingsOf(name) === runner);
  if (same.length > 0 && !options.force) return confirmRegistered(same);

  const credentials = chooseCredentials(environment) ?? (await askForToken(environment));
<% if (cache) { -%>
  requireCacheKeys(environment);
<% } -%>
  await requireGitLab(environment.gitlabUrl);
  if (registered.some(({ token }) => token === credentials.token)) {
    throw new Failure(
      'This runner is in config/config.toml already.',
      'To add another one, create it in GitLab first: every runner has a token of its own.',
    );
  }
  if (credentials.kind === 'authentication token') {
    await requireValidToken(environment.gitlabUrl, credentials.token, registered);
  }
  if (credentials.kind === 'registration token') {
    console.error('Registration tokens are off by default since GitLab 17, and are removed in GitLab 20.');
  }
  holdInterruptions();
  if (credentials.kind === 'access token') {
    const created = await createRunner(environment, runner, credentials.token);
    try {
      // Nobody else knows it: should this run be killed, the next one takes it from there.
      keepInEnvironment('RUNNER_TOKEN', created.token);
      await register(environment, runner, { kind: 'authentication token', token: created.token });
    } catch (error) {
      throw await withdraw(environment.gitlabUrl, created, error as Error);
    }
    keepInEnvironment('RUNNER_TOKEN', '');
  } else {
    await register(environment, runner, credentials);
  }
  await report(runner, credentials.kind);
}

/** @throws Failure if there is none of that description */
function chooseRunner(description: string | undefined): Runner {
  const found = runners.find(one => description === undefined || one.description === description);
  if (found) return found;
  throw new Failure(
    `scripts/settings.ts describes no runner "${description}".`,
    `Name one of ${runners.map(one => `"${one.description}"`).join(', ')}, or add it there.`,
  );
}

/** Says that nothing needs doing, once GitLab has confirmed what is here. */
async function confirmRegistered(registered: RegisteredRunner[]): Promise<void> {
  for (const { name, id, url, token } of registered) {
    keepSecret(token);
    await requireGitLab(url);
    if (!(await verifyRunner(url, token))) {
      throw new Failure(
        `The runner "${name}" (#${id}) is in config/config.toml, but ${url} does not accept its token any more.`,
        'Take it out with "make unregister", or delete its [[runners]] entry; then run "make register" with a new token.',
      );
    }
    console.log(`"${name}" (#${id}) is registered with ${url} already, and its token is valid.`);
  }
  console.log('Nothing was changed. To add it once more, with another token: make register ARGS=--force');
}

/** @throws Failure if a token is under the wrong name */
function chooseCredentials(environment: Environment): Credentials | undefined {
  const { runnerToken, accessToken, registrationToken } = environment;
  const isRegistrationToken = (token: string) => token.startsWith('GR1348941');
  if (runnerToken !== '') {
    if (runnerToken.startsWith('glrt-')) return { kind: 'authentication token', token: runnerToken };
    const name = isRegistrationToken(runnerToken)
      ? 'REGISTRATION_TOKEN'
      : runnerToken.startsWith('glpat-')
        ? 'GITLAB_ACCESS_TOKEN'
        : '';
    throw new Failure(
      'RUNNER_TOKEN is not a runner authentication token: those start with glrt-.',
      name
        ? `What you have belongs into ${name}, in .env.`
        : 'Create a runner in GitLab (Settings > CI/CD > Runners > New runner) and copy the token it shows.',
    );
  }
  if (accessToken !== '') {
    const name = accessToken.startsWith('glrt-')
      ? 'RUNNER_TOKEN'
      : isRegistrationToken(accessToken)
        ? 'REGISTRATION_TOKEN'
        : '';
    if (name)
      throw new Failure(
        'GITLAB_ACCESS_TOKEN is not an access token.',
        `What you have belongs into ${name}, in .env.`,
      );
    return { kind: 'access token', token: accessToken };
  }
  if (registrationToken === '') return undefined;
  if (registrationToken.startsWith('glrt-')) {
    throw new Failure(
      'REGISTRATION_TOKEN is a runner authentication token.',
      'What you have belongs into RUNNER_TOKEN, in .env.',
    );
  }
  return { kind: 'registration token', token: registrationToken };
}

/** Asks for a token without showing it, and fills in what an access token needs. */
async function askForToken(environment: Environment): Promise<Credentials> {
  if (!process.stdin.isTTY) {
    throw new Failure(
      'There is no token to register with.',
      `Put one of RUNNER_TOKEN, GITLAB_ACCESS_TOKEN or REGISTRATION_TOKEN into .env. A RUNNER_TOKEN comes from ${environment.gitlabUrl}: Settings > CI/CD > Runners > New runner.`,
    );
  }
  console.log(`Paste a token of ${environment.gitlabUrl} (it is not shown):`);
  console.log('  glrt-...       of a runner made in GitLab: Settings > CI/CD > Runners > New runner');
  console.log('  glpat-...      an access token with the scope create_runner: the runner is made for you');
  console.log('  GR1348941...   a registration token, the old way');
  const token = keepSecret(await askHidden('Token: '));
  if (token.startsWith('glrt-')) return { kind: 'authentication token', token };
  if (token.startsWith('GR1348941')) return { kind: 'registration token', token };
  if (token === '') throw new Failure('No token was given.', 'Run "make register" again.');
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  try {
    if (
      environment.projectId === '' &&
      environment.groupId === '' &&
      environment.runnerType !== 'instance_type'
    ) {
      const place = (
        await terminal.question('Id or path of the project (or "group:" and a group, or "instance"): ')
      ).trim();
      if (place === 'instance') environment.runnerType = 'instance_type';
      else if (place.startsWith('group:'))
        Object.assign(environment, { runnerType: 'group_type', groupId: place.slice(6).trim() });
      else Object.assign(environment, { runnerType: 'project_type', projectId: place });
    }
  } finally {
    terminal.close();
  }
  return { kind: 'access token', token };
}

function askHidden(question: string): Promise<string> {
  process.stdout.write(question);
  process.stdin.setRawMode(true);
  process.stdin.setEncoding('utf8').resume();
  return new Promise((resolve, reject) => {
    let typed = '';
    const end = (settle: () => void) => {
      process.stdin.removeListener('data', listen).setRawMode(false).pause();
      process.stdout.write('\n');
      settle();
    };
    const listen = (text: string | Buffer) => {
      for (const character of String(text)) {
        if (character === '\r' || character === '\n') return end(() => resolve(typed.trim()));
        if (character === '\u0003' || character === '\u0004')
          return end(() => reject(new Failure('Interrupted.', 'Nothing was changed.')));
        typed = character === '\u007f' ? typed.slice(0, -1) : typed + character;
      }
    };
    process.stdin.on('data', listen);
  });
}

/** @throws Failure if GitLab does not know the token, or if it is a new one of a runner that is here already */
async function requireValidToken(
  gitlabUrl: string,
  token: string,
  registered: RegisteredRunner[],
): Promise<void> {
  const verified = await verifyRunner(gitlabUrl, token);
  if (!verified) {
    throw new Failure(
      `${gitlabUrl} does not accept RUNNER_TOKEN: the runner was deleted, its token has expired, or it belongs to another GitLab.`,
      'Create a runner there (Settings > CI/CD > Runners > New runner) and put its token into .env.',
    );
  }
  const same = registered.find(({ url, id }) => url === gitlabUrl && id === verified.id);
  if (same) {
    throw new Failure(
      `RUNNER_TOKEN is a token of "${same.name}" (#${same.id}), which is in config/config.toml already.`,
      `To give it that token: make rotate RUNNER='${same.name}'. To add another runner, create it in GitLab first.`,
    );
  }
}

interface CreatedRunner {
  id: string;
  token: string;
}

/** The body of POST /user/runners; a project or group is still as the user wrote it. */
function describeRunner(
  { runnerType, projectId, groupId }: Environment,
  runner: Runner,
): { type: string; place: string; body: Record<string, unknown> } {
  const type =
    projectId === '' && groupId !== '' && runnerType !== 'instance_type'
      ? 'group_type'
      : runnerType || 'project_type';
  const place = type === 'group_type' ? groupId : type === 'project_type' ? projectId : '';
  if (!['project_type', 'group_type', 'instance_type'].includes(type)) {
    throw new Failure(`RUNNER_TYPE is ${type}.`, 'Write project_type, group_type or instance_type in .env.');
  }
  if (place === '' && type !== 'instance_type') {
    const name = type === 'group_type' ? 'GITLAB_GROUP_ID' : 'GITLAB_PROJECT_ID';
    throw new Failure(
      `A runner of ${type} needs ${name}.`,
      `Write the id or the path in .env, for example ${name}=team/app`,
    );
  }
  return {
    type,
    place,
    body: { runner_type: type, ...runnerAttributes(runner, type) },
  };
}

/** Creates the runner in GitLab. The access token is used for this and for nothing else. */
async function createRunner(
  environment: Environment,
  runner: Runner,
  accessToken: string,
): Promise<CreatedRunner> {
  const { gitlabUrl } = environment;
  const { type, place, body } = describeRunner(environment, runner);
  if (type === 'project_type') body.project_id = await resolveId(gitlabUrl, 'project', place, accessToken);
  if (type === 'group_type') body.group_id = await resolveId(gitlabUrl, 'group', place, accessToken);
  const answer = await callGitLab(gitlabUrl, 'POST', '/user/runners', { token: accessToken, body });
  const refused = accessTokenFailure(answer, 'create_runner');
  if (refused) throw refused;
  if (answer.status === 404) throw notFound(type === 'group_type' ? 'group' : 'project', place);
  if (answer.status !== 201) {
    throw new Failure(
      `GitLab does not create the runner (HTTP ${answer.status}): ${reason(answer.body)}`,
      'Change scripts/settings.ts, or RUNNER_TYPE and the ids in .env, and run "make register" again.',
    );
  }
  return { id: String(answer.body.id), token: keepSecret(String(answer.body.token)) };
}

/** The number of a project or group; a path is looked up. */
async function resolveId(
  gitlabUrl: string,
  what: 'project' | 'group',
  place: string,
  accessToken: string,
): Promise<number> {
  if (/^\d+$/.test(place)) return Number(place);
  const path = `/${what}s/${encodeURIComponent(place.replace(/^\/+|\/+$/g, ''))}`;
  let answer = await callGitLab(gitlabUrl, 'GET', path, { token: accessToken });
  // A token with create_runner alone may not look; a public project shows itself to anyone.
  if (answer.status === 403) answer = await callGitLab(gitlabUrl, 'GET', path);
  if (answer.status === 200) return Number(answer.body.id);
  const refused = accessTokenFailure(answer, 'create_runner and read_api');
  if (refused && answer.status !== 404) throw refused;
  throw notFound(what, place);
}

function notFound(what: 'project' | 'group', place: string): Failure {
  return new Failure(
    `There is no ${what} ${place} that GITLAB_ACCESS_TOKEN may see.`,
    `Check GITLAB_${what.toUpperCase()}_ID in .env. To find a private ${what} by its path the token needs the scope read_api as well; its number, shown in Settings > General, needs no more than create_runner.`,
  );
}

/** After a failed registration: deletes the runner that was created for it, and says how it went. */
async function withdraw(gitlabUrl: string, created: CreatedRunner, error: Error): Promise<Failure> {
  const remedy = error instanceof Failure ? error.remedy : 'Run "make register" again.';
  const { status } = await callGitLab(gitlabUrl, 'DELETE', '/runners', {
    body: { token: created.token },
  }).catch(() => ({ status: 0 }));
  if (status === 204) {
    try {
      keepInEnvironment('RUNNER_TOKEN', '');
    } catch {
      // What went wrong before says more.
    }
  }
  const outcome =
    status === 204
      ? `The runner #${created.id}, just created in GitLab, was deleted again.`
      : `The runner #${created.id} was created in GitLab but is not registered here, and could not be deleted: take its RUNNER_TOKEN out of .env, and delete it at ${gitlabUrl} under Settings > CI/CD > Runners.`;
  return new Failure(`${error.message} ${outcome}`, remedy);
}

/**
 * The options of `gitlab-runner register`. The token is not among them: it travels by the environment.
 * Beside an authentication token, `register` refuses what GitLab keeps itself: tags, lock, access, timeout.
 */
function registerOptions(gitlabUrl: string, runner: Runner, kind: Credentials['kind']): string[] {
  return [
    'register',
    '--non-interactive',
    '--config=/etc/gitlab-runner/.register.toml',
    `--template-config=/etc/gitlab-runner/${runner.template}`,
    `--url=${gitlabUrl}`,
    '--executor=docker',
    `--description=${runner.description}`,
    `--docker-image=${runner.image}`,
    ...runner.volumes.map(volume => `--docker-volumes=${volume}`),
    ...(kind === 'registration token'
      ? [
          `--tag-list=${runner.tags.join(',')}`,
          `--run-untagged=${runner.runUntagged}`,
          `--locked=${runner.locked}`,
          `--access-level=${runner.accessLevel}`,
          `--maximum-timeout=${runner.maximumTimeout}`,
          `--paused=${runner.paused}`,
        ]
      : []),
  ];
}

/** The variable by which `gitlab-runner register` takes the token. */
function tokenVariable(kind: Credentials['kind']): string {
  return kind === 'registration token' ? 'REGISTRATION_TOKEN' : 'CI_SERVER_TOKEN';
}

/**
 * Registers into a copy of config.toml, which takes its place in one step when all went well: until then
 * config.toml stays as it is, whatever fails or is interrupted.
 */
async function register(
  environment: Environment,
  runner: Runner,
  { kind, token }: Credentials,
): Promise<void> {
  const { gitlabUrl } = environment;
  const lines = Object.entries(globals).map(([key, text]) => `'${key} = ${text}'`);
  const staged = await shellInRunner(
    `rm -f .register.*
     if [ -f config.toml ]; then cp config.toml .register.before; cp config.toml .register.toml
     else printf '%s\\n' ${lines.join(' ')} > .register.toml; fi`,
  );
  if (staged.status !== 0) {
    throw new Failure(
      `config/ cannot be written by the runner's container: ${explainContainer(staged.stderr)}`,
      'Run: make doctor',
    );
  }
  let done = false;
  try {
    if (isInterrupted()) throw new Failure('Interrupted.', 'config/config.toml is as it was.');
<% if (cache) { -%>
    const secrets = { [tokenVariable(kind)]: token, ...cacheKeys(environment) };
    const byName = Object.keys(secrets).flatMap(name => ['-e', name]);
    const command = await inRunner(registerOptions(gitlabUrl, runner, kind), byName);
    const { status, stderr } = await run(command, secrets);
<% } else { -%>
    const variable = tokenVariable(kind);
    const command = await inRunner(registerOptions(gitlabUrl, runner, kind), ['-e', variable]);
    const { status, stderr } = await run(command, { [variable]: token });
<% } -%>
    if (status !== 0 && isInterrupted())
      throw new Failure('Interrupted.', 'config/config.toml is as it was.');
    if (status !== 0) throw registrationFailure(stderr, kind);
    await commit(gitlabUrl, kind);
    done = true;
  } finally {
    // A container that was interrupted may still be ending, and write once more.
    if (!done)
      await shellInRunner(`rm -f .register.*; ${isInterrupted() ? 'sleep 2; rm -f .register.*' : ':'}`);
  }
}

/** Ends a registration: the copy takes the place of config.toml, or the new runner is taken back. */
async function commit(gitlabUrl: string, kind: Credentials['kind']): Promise<void> {
  try {
    await replaceConfig('Run "make register" again.');
  } catch (error) {
    // Here `register` itself has created a runner, whose token nobody else knows.
    const { stdout } =
      kind === 'registration token' ? await shellInRunner('cat .register.toml') : { stdout: '' };
    const created = readRunners(stdout).at(-1);
    if (!created) throw error;
    throw await withdraw(gitlabUrl, { id: created.id, token: keepSecret(created.token) }, error as Failure);
  }
}

/** What the output of a failed `gitlab-runner register` means. */
function registrationFailure(output: string, kind: Credentials['kind']): Failure {
  const problem = mask(
    output.split('\n').findLast(line => /ERROR|FATAL|PANIC/.test(line)) ?? lastLine(output),
  ).replace(/\s+/g, ' ');
  if (/410 Gone|registration disallowed/i.test(output)) {
    return new Failure(
      'This GitLab takes no registration tokens (410 Gone): they are off by default since GitLab 17.',
      'Create a runner in GitLab (Settings > CI/CD > Runners > New runner) and put its glrt- token into .env as RUNNER_TOKEN.',
    );
  }
  if (kind === 'registration token' && /forbidden|invalid token/i.test(output)) {
    return new Failure(
      'GitLab does not accept REGISTRATION_TOKEN.',
      'Copy it again from Settings > CI/CD > Runners, or better: create a runner there and use its glrt- token as RUNNER_TOKEN.',
    );
  }
  if (/x509|certificate/i.test(output)) {
    return new Failure(
      "The runner's container does not trust GitLab's certificate.",
      "Put the certificate of GitLab's authority, in PEM form, in config/certs/ca.crt.",
    );
  }
  if (/couldn't execute|no such host|connection refused|ENOTFOUND|ECONNREFUSED/i.test(output)) {
    return new Failure(
      `GitLab cannot be reached from inside a container, though this host reaches it: ${problem}`,
      'Run "make doctor"; a GITLAB_URL with localhost means the container itself.',
    );
  }
  return new Failure(`gitlab-runner register failed: ${problem}`, 'Run: make doctor');
}

/** Prints what is in config.toml now. */
async function report(runner: Runner, kind: Credentials['kind']): Promise<void> {
  const config = await readConfig();
  const added = config?.runners.at(-1);
  if (!config || !added) {
    throw new Failure('The runner is registered, but config.toml does not show it.', 'Run: make doctor');
  }
  const tags = runner.tags.join(', ') || 'none';
  console.log(`Registered "${added.name}" (#${added.id}) with ${added.url}.`);
  console.log(`  tags      ${kind === 'authentication token' ? 'as chosen in GitLab' : tags}`);
  console.log(`  executor  ${added.executor}; jobs run in ${added.image} unless they name another image`);
  console.log(`  config    config/config.toml (mode 0${config.mode})`);
  console.log('Next: make up');
}

/** --dry-run */
function showPlan(environment: Environment, runner: Runner): void {
  const credentials = chooseCredentials(environment);
  if (credentials?.kind === 'access token') {
    const { place, body } = describeRunner(environment, runner);
    console.log(`POST ${environment.gitlabUrl}/api/v4/user/runners   PRIVATE-TOKEN: [masked]`);
    console.log(`${JSON.stringify(body, null, 2)}${place ? `   for ${place}` : ''}\n`);
  }
  const kind = credentials?.kind ?? 'authentication token';
  const quote = (word: string) => (/^[\w./:=@,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);
  const options = registerOptions(environment.gitlabUrl, runner, kind).map(quote);
<% if (cache) { -%>
  const names = [tokenVariable(kind), ...Object.keys(cacheKeys(environment))];
  const secrets = names.map(name => `${name}=[masked] `).join('');
  const byName = names.map(name => `-e ${name} `).join('');
  console.log(
    `${secrets}docker compose run --rm --no-deps -T ${byName}runner \\\n  ${options.join(' \\\n  ')}`,
  );
<% } else { -%>
  console.log(
    `${tokenVariable(kind)}=[masked] docker compose run --rm --no-deps -T -e ${tokenVariable(kind)} runner \\\n  ${options.join(' \\\n  ')}`,
  );
<% } -%>
}

await start('register', main);
