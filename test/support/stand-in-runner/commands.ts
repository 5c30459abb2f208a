/** The short commands: `verify`, `unregister`, `list` and `lint`. */
import { existsSync } from 'node:fs';
import { type Config, checkKeys, loadConfig, readConfigTable, saveConfig, type Table } from './config.ts';
import type { Context } from './context.ts';
import type { FlagValues } from './flags.ts';
import { messageOf } from './log.ts';

function load({ facts, env, log }: Context, path: string): Config {
  try {
    return loadConfig(path, facts.keys, env);
  } catch (error) {
    return log.fatal(messageOf(error));
  }
}

function save({ log }: Context, config: Config): void {
  try {
    saveConfig(config);
  } catch (error) {
    log.fatal(`Failed to update ${config.path} ${messageOf(error)}`);
  }
  log.info(`Updated ${config.path}`);
}

/** Asks GitLab about each runner, or about those that `--name` or `--url` and `--token` select. */
export async function verify(context: Context, values: FlagValues, path: string): Promise<void> {
  const { client, log } = context;
  const config = load(context, path);
  const [name, url, token] = ['name', 'url', 'token'].map(flag => values.string(flag)) as [
    string,
    string,
    string,
  ];
  const hasSelector = Boolean(name || url || token);
  const selected = config.runners.filter(
    runner => !hasSelector || runner.name === name || (runner.url === url && runner.token === token),
  );
  if (hasSelector && selected.length === 0)
    log.fatal('mutate config: no runner matches the filtering parameters');
  const dead = new Set<Table>();
  for (const runner of selected) if (!(await client.verifyRunner(runner, config.systemId))) dead.add(runner);
  if (dead.size === 0) return;
  if (!values.boolean('delete')) log.fatal('Failed to verify runners');
  save(context, { ...config, runners: config.runners.filter(runner => !dead.has(runner)) });
}

/** Takes runners out of GitLab and, where that worked, out of config.toml. */
export async function unregister(context: Context, values: FlagValues, path: string): Promise<void> {
  const { client, log } = context;
  const config = load(context, path);
  if (values.boolean('all-runners')) {
    log.warning('Unregistering all runners');
    const kept: Table[] = [];
    for (const runner of config.runners)
      if (!(await client.unregisterRunner(runner, config.systemId))) kept.push(runner);
    // The real one ends with 0 here all the same.
    if (kept.length > 0) {
      const error = kept.map(({ name }) => `failed to unregister runner ${JSON.stringify(name)}`).join('\n');
      log.error('Failed to unregister runners', { error });
    }
    if (kept.length < config.runners.length) save(context, { ...config, runners: kept });
    return;
  }
  const fail = (reason: string): never =>
    log.fatal('Failed to unregister runner', { error: `mutate config: unregister runner: ${reason}` });
  const [name, token] = [values.string('name'), values.string('token')];
  if (!name && !token) fail('at least one of --name or --token must be specified');
  const runner = config.runners.find(one => (!name || one.name === name) && (!token || one.token === token));
  if (!runner)
    return fail('get runner by token or name: could not find a runner with the given name or token');
  if (!(await client.unregisterRunner(runner, config.systemId)))
    fail(`failed to unregister runner ${JSON.stringify(name)}`);
  // All entries with the same credentials are gone from GitLab with this one.
  const others = config.runners.filter(one => one.url !== runner.url || one.token !== runner.token);
  save(context, { ...config, runners: others });
}

/** Lists the runners of config.toml, tokens in full as the real one does. */
export function list(context: Context, _values: FlagValues, path: string): void {
  const { log, facts, env } = context;
  let config: Config;
  try {
    config = loadConfig(path, facts.keys, env);
  } catch (error) {
    log.warning(messageOf(error));
    return;
  }
  log.info('Listing configured runners', { ConfigFile: path });
  for (const { name, executor, token, url } of config.runners)
    log.info(String(name ?? ''), {
      Executor: String(executor ?? ''),
      Token: String(token ?? ''),
      URL: String(url ?? ''),
    });
}

/** Checks a config.toml for syntax, types and unknown keys; it makes no file and calls nobody. */
export function lint({ log, facts, env }: Context, _values: FlagValues, path: string): void {
  if (!existsSync(path)) log.fatal(`config file not found: ${path}`);
  const decode = (): Table => {
    try {
      return readConfigTable(path, facts.keys, env);
    } catch (error) {
      return log.fatal(`decoding config: ${messageOf(error)}`);
    }
  };
  const { unknown } = checkKeys(decode(), facts.keys);
  if (unknown.length > 0) {
    const lines = unknown.map(key => `  unknown key: ${key}`).join('\n');
    log.fatal(`${unknown.length} unknown key(s) found in ${path}:\n${lines}`);
  }
  log.info('Configuration file is valid.');
}
