import { isDeepStrictEqual } from 'node:util';
import { stringify, type TomlTable, type TomlValue } from 'smol-toml';
import type { ConfigEntry } from '../plan/builder.ts';
import type { RunnerConfig } from '../plan/config.ts';
import type { Runner, RunnerRepository } from '../plan/plan.ts';
import type { FoundRunner } from './register-command.ts';

/** What an older config.toml has that no answer says: without secrets, and in the order of the runners. */
export interface Carried<T extends CarriedRunner = CarriedRunner> {
  /** Keys and tables above the first [[runners]]. */
  readonly global: TomlTable;
  /** The first is that of the answers, whatever its name. */
  readonly runners: readonly T[];
}

/** A runner by its name in the new repository. */
export interface CarriedRunner extends FoundRunner {
  readonly name: string;
}

/** That runner of the repository, of those that came along; undefined where none did. */
export function runnerOf<T extends CarriedRunner>(
  { runners }: RunnerRepository,
  runner: Runner,
  [first, ...others]: readonly T[],
): T | undefined {
  return runner === runners[0] ? first : others.find(({ name }) => name === runner.description);
}

/** A key of config.toml that is not taken over, and why. */
export interface LeftOut {
  readonly key: string;
  readonly why: 'default' | 'decided';
}

/** Lists to which the new repository adds, and takes nothing from. */
const unions = ['security_opt', 'cap_drop', 'cap_add', 'extra_hosts', 'environment'];
/** What the builder, or the way to the keys of the cache, decides. */
const decided =
  /^(network_mode|services_privileged|allowed_privileged_services|disable_cache|Type|AuthenticationType)$/;
/** What `gitlab-runner register` writes though it means what is so without it. */
const idle =
  /^(check_interval|shutdown_timeout|tls_verify|privileged|disable_entrypoint_overwrite|oom_kill_disable|disable_cache|shm_size|network_mtu|limit|MaxUploadedArchiveSize|connection_max_age)$/;
const asBefore = ['Taken over as it was.'];
const fromHereOn = ['Taken over as it was, to the end of this table:'];

/** Puts into a planned repository what an older runner had beyond the answers; where both say something, mostly the older. */
export function carryOver(
  repository: RunnerRepository,
  { global, runners }: Carried,
): { repository: RunnerRepository; leftOut: LeftOut[] } {
  const leftOut: LeftOut[] = [];
  const [entries, tables] = apart(withoutIdle(global, leftOut));
  const { listen_address, ...others } = entries;
  if (repository.monitoring && listen_address !== undefined)
    leftOut.push({ key: 'listen_address', why: 'decided' });
  const carried = {
    entries: mergeEntries([], repository.monitoring ? others : entries, leftOut),
    tables: rawTables(tables, []),
  };
  const all = repository.runners.map(runner => {
    const found = runnerOf(repository, runner, runners);
    return found ? carryRunner(runner, found, leftOut) : runner;
  });
  return { repository: { ...repository, runners: all as [Runner, ...Runner[]], carried }, leftOut };
}

function carryRunner(runner: Runner, { table, reserved }: FoundRunner, leftOut: LeftOut[]): Runner {
  const {
    docker = {},
    cache = {},
    autoscaler: _,
    ...rest
  } = withoutIdle(table, leftOut) as Record<string, TomlTable>;
  const { image = runner.executor.image, volumes = [], ...keys } = docker;
  const { s3 = {}, ...ofCache } = cache as Record<string, TomlTable>;
  const [own, ownTables] = apart(rest);
  const [dockerKeys, dockerTables] = apart(keys);
  const [cacheKeys, cacheTables] = apart(ofCache);
  const isS3 = runner.config.cache.length > 0;
  const config: RunnerConfig = {
    ...runner.config,
    runner: mergeEntries(runner.config.runner, own, leftOut),
    docker: mergeEntries(runner.config.docker, withoutPrivileges(dockerKeys, runner, leftOut), leftOut),
    cache: isS3 ? mergeEntries(runner.config.cache, cacheKeys, leftOut) : [],
    s3: isS3 ? mergeEntries(runner.config.s3, s3, leftOut) : [],
    tables: [
      rawTables(ownTables, ['runners']),
      rawTables(dockerTables, ['runners', 'docker']),
      isS3 ? rawTables(cacheTables, ['runners', 'cache']) : otherCache(cache, leftOut),
    ].join(''),
  };
  const mounts = mergeVolumes(runner, volumes as unknown as string[], leftOut);
  const { locked, maximumTimeout, paused, accessLevel } = { ...runner, ...reserved };
  return {
    ...runner,
    ...{ locked, maximumTimeout, paused, accessLevel, config },
    executor: { ...runner.executor, image: String(image), volumes: mounts },
  };
}

/** A cache elsewhere than on an S3 server; where the answers say another, it has no type any more. */
function otherCache(cache: TomlTable, leftOut: LeftOut[]): string {
  if (Object.keys(cache).length === 0) return '';
  if (cache.Type !== undefined) return rawTables({ cache }, ['runners']);
  leftOut.push({ key: 'cache', why: 'decided' });
  return '';
}

/** Jobs that build by an engine of their own, or by none, need no privileges; with the socket they have all of them anyway. */
function withoutPrivileges(
  { privileged, ...keys }: TomlTable,
  { builder }: Runner,
  leftOut: LeftOut[],
): TomlTable {
  if (privileged === undefined || builder === 'socket')
    return privileged === undefined ? keys : { privileged, ...keys };
  if (privileged === true) leftOut.push({ key: 'privileged', why: 'decided' });
  return keys;
}

/** The generated entries with the older ones among them. */
function mergeEntries(
  generated: readonly ConfigEntry[],
  older: TomlTable,
  leftOut: LeftOut[],
): ConfigEntry[] {
  const entries = [...generated];
  for (const [key, value] of Object.entries(older) as [string, ConfigEntry['value']][]) {
    const at = entries.findIndex(entry => entry.key === key);
    const mine = entries[at];
    if (mine && isDeepStrictEqual(mine.value, value)) continue;
    if (!mine) {
      const isFirst = entries.every(({ why }) => why !== fromHereOn);
      entries.push({ key, value, ...(isFirst ? { why: fromHereOn, isApart: true } : { why: [] }) });
    } else if (decided.test(key)) leftOut.push({ key, why: 'decided' });
    else if (unions.includes(key)) entries[at] = { ...mine, value: union(value, mine.value) };
    else entries[at] = { key, value, why: asBefore };
  }
  return entries;
}

const union = (one: unknown, other: unknown): string[] => [...new Set([one, other].flat().map(String))];

/** Mounts of the new builder, and of the older ones all that are not another builder's. */
function mergeVolumes({ executor, builder }: Runner, older: readonly string[], leftOut: LeftOut[]): string[] {
  const others = older.filter(volume => !executor.volumes.includes(volume));
  const isOfBuilder = (volume: string) =>
    isSocket(volume) || /(^|:)\/certs(\/client)?(:|$)/.test(volume) || volume === '/cache';
  if (others.some(volume => isOfBuilder(volume) && !(isSocket(volume) && builder === 'socket')))
    leftOut.push({ key: 'volumes (those that other ways to build need)', why: 'decided' });
  return [...executor.volumes, ...others.filter(volume => !isOfBuilder(volume))];
}

/** Whether a mount gives a job the engine's socket. */
export const isSocket = (volume: string): boolean => /(^|:)(\/var)?\/run\/docker\.sock(:|$)/.test(volume);

/** The plain keys of a table, and the tables in it. */
function apart(table: TomlTable): [keys: TomlTable, tables: TomlTable] {
  const isTable = (value: TomlValue) =>
    Array.isArray(value) ? value.some(one => typeof one === 'object') : typeof value === 'object';
  const entries = Object.entries(table);
  return [
    Object.fromEntries(entries.filter(([, value]) => !isTable(value))),
    Object.fromEntries(entries.filter(([, value]) => isTable(value))),
  ];
}

/** Without keys that mean nothing, and without tables that are empty then. */
function withoutIdle(table: TomlTable, leftOut: LeftOut[]): TomlTable {
  const kept: TomlTable = {};
  for (const [key, value] of Object.entries(table)) {
    if (typeof value === 'object' && !Array.isArray(value)) {
      const inner = withoutIdle(value as TomlTable, leftOut);
      if (Object.keys(inner).length > 0) kept[key] = inner;
    } else if (idle.test(key) && (!value || value === '0s')) leftOut.push({ key, why: 'default' });
    else kept[key] = value;
  }
  return kept;
}

/** Those tables as text, below the last [[runners]] where that is their place. */
function rawTables(tables: TomlTable, [first, ...path]: readonly string[]): string {
  if (Object.keys(tables).length === 0) return '';
  const below = path.reduceRight<TomlTable>((inner, key) => ({ [key]: inner }), tables);
  const text = stringify(first === undefined ? below : { [first]: [below] }).replace(
    /^\[\[runners\]\]\n+/,
    '',
  );
  const lines = `\n# Taken over as it was:\n${text.trim()}\n`;
  return first === undefined ? lines : lines.replace(/^(?=.)/gm, '  ');
}
