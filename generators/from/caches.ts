import type { TomlTable } from 'smol-toml';
import type { TypedAnswers } from '../ask/questions.ts';
import type { ConfigEntry } from '../plan/builder.ts';
import type { Runner, RunnerRepository } from '../plan/plan.ts';
import type { Collected } from './collected.ts';
import type { FoundRunner } from './register-command.ts';

/** The S3 server of a repository's answers, as config.toml names it. */
export interface SharedCache {
  readonly address: string;
  readonly bucket: string;
}

const cacheOf = ({ table }: Pick<FoundRunner, 'table'>) => (table.cache ?? {}) as Record<string, TomlTable>;
const isS3 = (cache: TomlTable): boolean => cache.Type === 's3';
/** What GitLab Runner takes where no address is given. */
const amazon = 's3.amazonaws.com';

/** The secret half of a key of an S3 server. */
export const secretKeyOf = (table: TomlTable): unknown => cacheOf({ table }).s3?.SecretKey;

/** The first cache on an S3 server is that of the answers; its keys, which the runners share, are for .env. */
export function sharedCache(
  runners: readonly FoundRunner[],
  saved: TypedAnswers,
  all: Collected,
): SharedCache | undefined {
  const found = runners.map(cacheOf).find(isS3);
  if (!found) return undefined;
  const { AccessKey, SecretKey, ServerAddress = amazon, BucketName } = found.s3 ?? {};
  if (AccessKey) all.environment.CACHE_S3_ACCESS_KEY = String(AccessKey);
  if (SecretKey) all.environment.CACHE_S3_SECRET_KEY = String(SecretKey);
  const [server, bucket] = [String(ServerAddress), String(BucketName ?? '')];
  const isServer =
    saved.cacheServer === 'here' ||
    all.take('cacheServer', `https://${server}`, 'cache.s3.ServerAddress', server);
  if (!isServer || !all.take('cacheBucket', bucket, 'cache.s3.BucketName')) {
    delete all.answers.cacheServer;
    if (AccessKey || SecretKey)
      all.notUnderstood.push(
        'cache.s3.AccessKey and SecretKey of config.toml: without a place in the answers, they would be in Git. So the cache stands in config/config.toml as it was, and jobs cannot use it. Run again with --cache s3, --cache-server and --cache-bucket as they may be: the keys go to .env then',
      );
    return undefined;
  }
  all.take('cache', 's3');
  if (!AccessKey && saved.cache === undefined)
    all.hints.push('The keys of the cache are not in config.toml: put them into .env (CACHE_S3_ACCESS_KEY).');
  return { address: server, bucket };
}

/** The cache of one runner, without keys that are in .env; others, which no variable is for, are named. */
export function takeCache(cache: TomlTable, all: Collected): TomlTable {
  const { AccessKey, SecretKey, ...s3 } = (cache.s3 ?? {}) as TomlTable;
  const { CACHE_S3_ACCESS_KEY, CACHE_S3_SECRET_KEY } = all.environment;
  const isOther =
    (AccessKey && AccessKey !== CACHE_S3_ACCESS_KEY) || (SecretKey && SecretKey !== CACHE_S3_SECRET_KEY);
  if (isOther)
    all.notUnderstood.push(
      'cache.s3.AccessKey and SecretKey of config.toml: the container has one pair of keys, that of the first cache. Let those use this bucket too, or give the runner a repository of its own',
    );
  return Object.keys(s3).length > 0 ? { ...cache, s3 } : without(cache, 's3');
}

const without = (table: TomlTable, key: string): TomlTable =>
  Object.fromEntries(Object.entries(table).filter(([name]) => name !== key));

/** Whether the repository has that cache still, and no option said another. */
export function isAsBefore({ cache }: RunnerRepository, shared: SharedCache | undefined): boolean {
  return cache?.address === shared?.address && cache?.bucket === shared?.bucket;
}

/** What the generated [runners.cache] says that an older one did not: but for these, a cache is as it was. */
const needed = /^(Type|ServerAddress|BucketName|BucketLocation|AuthenticationType)$/;

/** The entries of a runner's cache on an S3 server, with the reasons of the generated ones, and as many as it had. */
export function generatedCache(
  { config }: Runner,
  { s3 = {}, ...cache }: Readonly<Record<string, TomlTable>>,
): { cache: ConfigEntry[]; s3: ConfigEntry[] } {
  const its = (entries: readonly ConfigEntry[], older: TomlTable) =>
    entries.filter(({ key }) => needed.test(key) || key in older);
  return { cache: its(config.cache, cache), s3: its(config.s3, s3) };
}
