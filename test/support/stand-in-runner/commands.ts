/** The short commands: `verify`, `lint` and `register`. */
import { existsSync } from 'node:fs';
import {
  type Config,
  checkKeys,
  isSince,
  loadConfig,
  readConfigTable,
  saveConfig,
  type Table,
} from './config.ts';
import { isCreatedRunnerToken, runnerInfo } from './gitlab.ts';
import type { Context, Words } from './gitlab-runner.ts';
import { messageOf } from './log.ts';

/** Asks GitLab about each runner; only a 403 is a failure. */
export async function verify(context: Context, words: Words, path: string): Promise<void> {
  const { client, log } = context;
  let config: Config;
  try {
    config = loadConfig(path, context);
  } catch (error) {
    return log.fatal(messageOf(error));
  }
  const dead = new Set<Table>();
  for (const runner of config.runners)
    if (!(await client.verifyRunner(runner, config.systemId))) dead.add(runner);
  if (dead.size === 0) return;
  if (words.delete !== true) log.fatal('Failed to verify runners');
  try {
    saveConfig({ ...config, runners: config.runners.filter(runner => !dead.has(runner)) });
  } catch (error) {
    log.fatal(`Failed to update ${path}`, { error: messageOf(error) });
  }
  log.info(`Updated ${path}`);
}

/** Checks a config.toml for syntax, types, unknown keys and empty tokens; it makes no file and calls nobody. */
export function lint(context: Context, _words: Words, path: string): void {
  const { log, keys, version } = context;
  if (!isSince(version, 19, 3)) log.fatal('Command lint not found.');
  if (!existsSync(path)) log.fatal(`config file not found: ${path}`);
  const decode = (): Table => {
    try {
      return readConfigTable(path, context);
    } catch (error) {
      return log.fatal(`decoding config: ${messageOf(error)}`);
    }
  };
  const table = decode();
  const { unknown } = checkKeys(table, keys);
  if (unknown.length > 0) {
    const lines = unknown.map(key => `  unknown key: ${key}`).join('\n');
    log.fatal(`${unknown.length} unknown key(s) found in ${path}:\n${lines}`);
  }
  for (const [at, runner] of ((table.runners ?? []) as Table[]).entries())
    for (const key of ['url', 'token'])
      if (runner[key] === '') log.fatal(`/runners/${at}/${key}: minLength: got 0, want 1`);
  log.info('Configuration file is valid.');
}

/** Registers a runner without asking, by a token of either kind, and writes it into config.toml. */
export async function register(context: Context, words: Words, path: string): Promise<void> {
  const { client, log, version } = context;
  const config = loadConfig(path, context);
  const token = String(words.token ?? words['registration-token'] ?? '');
  const runner: Table = { name: words.description ?? '', url: words.url, token, executor: words.executor };
  if (isCreatedRunnerToken(token)) {
    if (!(await client.verifyRunner(runner, config.systemId))?.id) log.panic('Failed to verify the runner.');
  } else {
    const parameters = { description: runner.name, tag_list: words['tag-list'], info: runnerInfo(version) };
    const answer = await client.registerRunner(runner, parameters);
    if (!answer) return log.panic('Failed to register the runner.');
    runner.token = answer.token;
  }
  try {
    saveConfig({ ...config, runners: [...config.runners, runner] });
  } catch (error) {
    log.panic(messageOf(error));
  }
  log.info('Runner registered successfully.');
}
