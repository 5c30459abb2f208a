import { isDeepStrictEqual } from 'node:util';
import { stringify, type TomlTable, type TomlValue } from 'smol-toml';
import type { ConfigEntry } from '../plan/builder.ts';
import type { RunnerConfig } from '../plan/config.ts';
import type { Runner, RunnerRepository } from '../plan/plan.ts';
import { generatedCache, isAsBefore, type SharedCache } from './caches.ts';
import { isAsGenerated } from './instances.ts';
import type { FoundRunner } from './register-command.ts';

/** What an older config.toml has that no answer says: without secrets, and in the order of the runners. */
export interface Carried<T extends CarriedRunner = CarriedRunner> {
  /** Keys and tables above the first [[runners]]. */
  readonly global: TomlTable;
  /** The first is that of the answers, whatever its name. */
  readonly runners: readonly T[];
  /** The S3 server that the answers have of them. */
  readonly cache: SharedCache | undefined;
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

/** A key of config.toml that is not taken over, and why; or that was not there before. */
export interface Difference {
  readonly key: string;
  readonly why: 'default' | 'decided' | 'new';
}

/** Lists to which the new repository adds, and takes nothing from. */
const unions = [
  'security_opt',
  'cap_drop',
  'cap_add',
  'extra_hosts',
  'environment',
  'allowed_privileged_services',
];
/** What the builder, or the way to the keys of the cache, decides. */
const decided = /^(network_mode|services_privileged|disable_cache|Type|AuthenticationType)$/;
/** What `gitlab-runner register` writes though it means what is so without it. */
const idle =
  /^(check_interval|shutdown_timeout|tls_verify|privileged|disable_entrypoint_overwrite|oom_kill_disable|disable_cache|shm_size|network_mtu|limit|MaxUploadedArchiveSize|connection_max_age)$/;
const asBefore = ['Taken over as it was.'];
const fromHereOn = ['Taken over as it was, to the end of this table:'];

/** Puts into a planned repository what an older runner had beyond the answers; where both say something, mostly the older. */
export function carryOver(
  repository: RunnerRepository,
  { global, runners, cache }: Carried,
): { repository: RunnerRepository; differences: Difference[] } {
  const differences: Difference[] = [];
  const [entries, tables] = apart(withoutIdle(global, differences));
  const { listen_address, ...others } = entries;
  if (repository.monitoring && listen_address !== undefined)
    differences.push({ key: 'listen_address', why: 'decided' });
  const carried = {
    entries: mergeEntries([], repository.monitoring ? others : entries, differences),
    tables: rawTables(tables, []),
  };
  const isSameCache = isAsBefore(repository, cache);
  const all = repository.runners.map(runner => {
    const found = runnerOf(repository, runner, runners);
    return found ? carryRunner(runner, found, isSameCache, differences) : runner;
  });
  return { repository: { ...repository, runners: all as [Runner, ...Runner[]], carried }, differences };
}

function carryRunner(
  runner: Runner,
  { table, reserved }: FoundRunner,
  isSameCache: boolean,
  differences: Difference[],
): Runner {
  const {
    docker = {},
    cache = {},
    ...rest
  } = withoutIdle(table, differences) as Readonly<Record<string, TomlTable>>;
  const { image = runner.executor.image, volumes = [], ...keys } = docker;
  const [own, { autoscaler, ...ownTables }] = apart(rest);
  const isSame = isAsGenerated(runner.config.autoscaler, autoscaler ?? {});
  const [dockerKeys, dockerTables] = apart(keys);
  const caches = carryCache(runner, cache as Record<string, TomlTable>, isSameCache, differences);
  const allowed = withoutPrivileges(dockerKeys, runner, differences);
  const config: RunnerConfig = {
    ...runner.config,
    ...caches,
    autoscaler: isSame ? runner.config.autoscaler : undefined,
    runner: mergeEntries(runner.config.runner, own, differences),
    docker: mergeEntries(runner.config.docker, allowed, differences),
    tables: [
      rawTables(isSame || !autoscaler ? ownTables : { ...ownTables, autoscaler }, ['runners']),
      rawTables(dockerTables, ['runners', 'docker']),
      caches.tables,
    ].join(''),
  };
  const mounts = mergeVolumes(runner, volumes as unknown as string[], differences);
  const { locked, maximumTimeout, paused, accessLevel } = { ...runner, ...reserved };
  return {
    ...runner,
    ...{ locked, maximumTimeout, paused, accessLevel, config },
    executor: { ...runner.executor, image: String(image), volumes: mounts },
  };
}

/** The cache that a runner had, of whatever kind; where options say another for all of them, that. */
function carryCache(
  runner: Runner,
  older: Readonly<Record<string, TomlTable>>,
  isSameCache: boolean,
  differences: Difference[],
): Pick<RunnerConfig, 'cache' | 's3'> & { tables: string } {
  const isS3 = String(older.Type) === 's3';
  const { cache, s3 } = runner.config;
  if (!isSameCache && (isS3 || cache.length > 0)) {
    if (Object.keys(older).length > 0) differences.push({ key: 'cache', why: 'decided' });
    return { cache, s3, tables: '' };
  }
  if (!isS3 || cache.length === 0) {
    const tables = Object.keys(older).length > 0 ? rawTables({ cache: older }, ['runners']) : '';
    return { cache: [], s3: [], tables };
  }
  const { s3: olderS3 = {}, ...olderCache } = older;
  const [keys, tables] = apart(olderCache);
  const generated = generatedCache(runner, older);
  return {
    cache: mergeEntries(generated.cache, keys, differences),
    s3: mergeEntries(generated.s3, olderS3, differences),
    tables: rawTables(tables, ['runners', 'cache']),
  };
}

/**
 * Jobs that build by an engine of their own, or by none, need no privileges, and neither do services but such an engine; with
 * the socket they have all of them anyway.
 */
function withoutPrivileges(keys: TomlTable, { builder }: Runner, differences: Difference[]): TomlTable {
  if (builder === 'socket') return keys;
  const left = builder === 'dind' ? ['privileged'] : ['privileged', 'services_privileged'];
  for (const key of left) if (keys[key] === true) differences.push({ key, why: 'decided' });
  return Object.fromEntries(Object.entries(keys).filter(([key]) => !left.includes(key)));
}

/** The generated entries with the older ones among them. */
function mergeEntries(
  generated: readonly ConfigEntry[],
  older: TomlTable,
  differences: Difference[],
): ConfigEntry[] {
  const entries = [...generated];
  for (const { key } of generated) if (!(key in older)) differences.push({ key, why: 'new' });
  for (const [key, value] of Object.entries(older) as [string, ConfigEntry['value']][]) {
    const at = entries.findIndex(entry => entry.key === key);
    const mine = entries[at];
    if (mine && isDeepStrictEqual(mine.value, value)) continue;
    if (!mine) {
      const isFirst = entries.every(({ why }) => why !== fromHereOn);
      entries.push({ key, value, ...(isFirst ? { why: fromHereOn, isApart: true } : { why: [] }) });
    } else if (decided.test(key)) differences.push({ key, why: 'decided' });
    else if (unions.includes(key)) {
      const all = union(value, mine.value);
      entries[at] = { ...mine, value: all };
      if (all.length > union(value, []).length) differences.push({ key, why: 'new' });
    } else entries[at] = { key, value, why: asBefore };
  }
  return entries;
}

const union = (one: unknown, other: unknown): string[] => [...new Set([one, other].flat().map(String))];

/** Mounts of the new builder, and of the older ones all that are not another builder's. */
function mergeVolumes(
  { executor, builder }: Runner,
  older: readonly string[],
  differences: Difference[],
): string[] {
  // That of Podman is elsewhere on the host.
  const sockets = builder === 'socket' ? older.filter(isSocket) : [];
  const needed = [...sockets, ...executor.volumes.filter(one => sockets.length === 0 || !isSocket(one))];
  const others = older.filter(volume => !needed.includes(volume));
  const isOfBuilder = (volume: string) =>
    isSocket(volume) || /(^|:)\/certs(\/client)?(:|$)/.test(volume) || volume === '/cache';
  if (others.some(isOfBuilder))
    differences.push({ key: 'volumes (those that other ways to build need)', why: 'decided' });
  const added = needed.filter(volume => !older.includes(volume));
  if (added.length > 0) differences.push({ key: `volumes (${added.map(targetOf).join(', ')})`, why: 'new' });
  return [...needed, ...others.filter(volume => !isOfBuilder(volume))];
}

/** Where a job has a mount. */
const targetOf = (volume: string): string =>
  volume.split(':').find((_, at, parts) => at === Math.min(1, parts.length - 1))!;

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
function withoutIdle(table: TomlTable, differences: Difference[]): TomlTable {
  const kept: TomlTable = {};
  for (const [key, value] of Object.entries(table)) {
    if (typeof value === 'object' && !Array.isArray(value)) {
      const inner = withoutIdle(value as TomlTable, differences);
      if (Object.keys(inner).length > 0) kept[key] = inner;
    } else if (idle.test(key) && (!value || value === '0s')) differences.push({ key, why: 'default' });
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
