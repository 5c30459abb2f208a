// Gives a registered runner a new token, and keeps everything else in config.toml:  make rotate
//
//   scripts/run rotate [NAME]
//
// Without RUNNER_TOKEN in .env GitLab makes the new token; with it, that of a runner newly made in GitLab takes
// the place of the old one, which may have expired. Running jobs go on: they have tokens of their own.

import { parseArgs } from 'node:util';
import {
  type RegisteredRunner,
  type RunnerConfig,
  requireRegistered,
  withKeys,
  writeConfig,
} from './config.ts';
import { holdInterruptions, requireCompose, requireEngine, sayPatience, start } from './engine.ts';
import { Failure, keepInEnvironment, keepSecret, readEnvironment } from './env.ts';
import { callGitLab, reason, requireGitLab, verifyRunner } from './gitlab.ts';

interface NewToken {
  token: string;
  /** Empty where it does not expire. */
  expiresAt: string;
  /** The runner that the token is of. */
  id: string;
}

async function main(): Promise<void> {
  const { positionals } = parseArgs({ allowPositionals: true });
  const { runnerToken } = readEnvironment();
  await requireEngine();
  await requireCompose();
  sayPatience("Starting the runner's container");
  const config = await requireRegistered();
  const old = chooseRunner(config.runners, positionals[0]);
  await requireGitLab(old.url);
  // Nothing is asked of GitLab before it is known that config.toml can be written.
  await writeConfig(config.text, config.text, 'Run: make doctor');
  holdInterruptions();
  const isFresh = runnerToken !== '' && runnerToken !== old.token;
  const made = isFresh ? await lookAt(old, runnerToken, config.runners) : await reset(old);
  try {
    // Nobody else knows it, and the old one is void: should this run be killed, the next one takes it from there.
    if (!isFresh) keepInEnvironment('RUNNER_TOKEN', made.token);
    await put(config, old, made);
  } catch (error) {
    if (isFresh) throw error;
    throw new Failure(
      `${(error as Error).message} The new token is in .env.`,
      'Mend that, and run: make rotate',
    );
  }
  if (!isFresh) keepInEnvironment('RUNNER_TOKEN', '');
  const until = made.expiresAt === '' ? 'does not expire' : `expires on ${made.expiresAt}`;
  console.log(`"${old.name}" (#${made.id}) has a new token, which ${until}.`);
  console.log('The runner reads it within seconds. The old one is of no use any more.');
  if (isFresh) console.log('Take RUNNER_TOKEN out of .env now.');
}

/** @throws Failure if it is not clear which one */
function chooseRunner(runners: RegisteredRunner[], name: string | undefined): RegisteredRunner {
  const found = runners.filter(runner => name === undefined || runner.name === name);
  const [runner] = found;
  if (runner && found.length === 1) return runner;
  const names = runners.map(one => `"${one.name}"`).join(', ');
  throw new Failure(
    name === undefined
      ? 'There are several runners in config.toml.'
      : `"${name}" names ${found.length} runners.`,
    `Name one: make rotate RUNNER=... (there are ${names})`,
  );
}

/** Lets GitLab make a new token; the old one is void from then on. */
async function reset({ name, ...old }: RegisteredRunner): Promise<NewToken> {
  const path = '/runners/reset_authentication_token';
  const { status, body } = await callGitLab(old.url, 'POST', path, {
    body: { token: old.token },
  });
  if (status === 201) {
    return {
      token: keepSecret(String(body.token)),
      expiresAt: String(body.token_expires_at ?? ''),
      id: old.id,
    };
  }
  if (status === 403 || status === 401) {
    throw new Failure(
      `GitLab does not accept the token of "${name}" any more, so it cannot be renewed.`,
      'Create a runner in GitLab (Settings > CI/CD > Runners > New runner), put its token into .env as RUNNER_TOKEN, and run: make rotate',
    );
  }
  throw new Failure(
    `GitLab makes no new token (HTTP ${status}): ${reason(body)}`,
    'Run "make rotate" again in a while.',
  );
}

/** The token from .env, which GitLab must know. */
async function lookAt(old: RegisteredRunner, token: string, runners: RegisteredRunner[]): Promise<NewToken> {
  const verified = await verifyRunner(old.url, token);
  const other = runners.find(one => one !== old && one.url === old.url && one.id === verified?.id);
  if (other) {
    throw new Failure(
      `RUNNER_TOKEN is a token of "${other.name}" (#${other.id}), not of "${old.name}".`,
      `Run: make rotate RUNNER='${other.name}'`,
    );
  }
  if (verified) return { token, ...verified };
  throw new Failure(
    `${old.url} does not accept RUNNER_TOKEN.`,
    'Copy it again from GitLab: it is shown once, when a runner is created. Nothing was changed.',
  );
}

async function put(
  { text }: RunnerConfig,
  old: RegisteredRunner,
  { token, expiresAt, id }: NewToken,
): Promise<void> {
  const time = (value: string) => new Date(value).toISOString().replace(/\.\d+/, '');
  const keys = {
    id,
    token: JSON.stringify(token),
    token_obtained_at: time(new Date().toISOString()),
    // How GitLab Runner writes that there is no such time.
    token_expires_at: expiresAt === '' ? '0001-01-01T00:00:00Z' : time(expiresAt),
  };
  await writeConfig(text, withKeys(text, old.number, keys), 'Run: make rotate');
}

await start('rotate', main);
