import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { stringify, type TomlTable } from 'smol-toml';
import { expect, it, vi } from 'vitest';
import { movedIn } from '../support/move-in.ts';
import { runnerToken, runnerTokenOf } from '../support/tokens.ts';

vi.setConfig({ testTimeout: 120_000 });

type Keys = { readonly [key: string]: string | Keys };
const facts = new URL('../facts/config-toml-keys.json', import.meta.url);
const { runners, ...global } = JSON.parse(readFileSync(facts, 'utf8')).keys as Keys & { runners: Keys };
// Tables of other executors, which a runner with Docker does not have.
const {
  docker,
  kubernetes: _,
  autoscaler: __,
  machine: ___,
  ...ofRunner
} = runners as Keys & { docker: Keys };

/** A value as a key of that type of Go has it, seldom the one that means nothing. */
function valueLike(type: string): fc.Arbitrary<TomlTable[string]> | undefined {
  if (/Time$/.test(type)) return undefined;
  if (/\[\]string$|PullPolicy|OrArray/.test(type) && !type.startsWith('map'))
    return fc.array(fc.stringMatching(/^[a-z]{1,8}$/), { minLength: 1, maxLength: 3 });
  if (type.startsWith('map[string]bool'))
    return fc.dictionary(fc.stringMatching(/^FF_[A-Z]{1,9}$/), fc.boolean(), { minKeys: 1 });
  if (/^map|Labels|SysCtls/.test(type))
    return fc.dictionary(fc.stringMatching(/^[a-z]{1,9}$/), fc.stringMatching(/^[a-z]{1,9}$/), {
      minKeys: 1,
    });
  if (/bool/.test(type)) return fc.boolean();
  if (/int|float/.test(type)) return fc.integer({ min: 0, max: 99 });
  if (/Duration|string/.test(type)) return fc.stringMatching(/^[a-z0-9][a-z0-9 "'\\$#=\n]{0,12}$/);
  return undefined;
}

/** A table with some of those keys. */
function tableOf(keys: Keys): fc.Arbitrary<TomlTable> {
  const model = Object.fromEntries(
    Object.entries(keys).flatMap(([key, type]) => {
      const value = typeof type === 'string' ? valueLike(type) : tableOf(type);
      return value ? [[key, fc.option(value, { nil: undefined, freq: 2 })]] : [];
    }),
  );
  return fc.record(model as Record<string, fc.Arbitrary<TomlTable[string]>>).map(drop);
}

const drop = (table: TomlTable): TomlTable =>
  Object.fromEntries(Object.entries(table).filter(([, value]) => value !== undefined));

/** The keys of a table that hold something, each by its path. */
function leaves(table: TomlTable, path: readonly string[] = []): [path: string[], value: unknown][] {
  return Object.entries(table).flatMap(([key, value]) =>
    typeof value === 'object' && !Array.isArray(value)
      ? leaves(value as TomlTable, [...path, key])
      : [[[...path, key], value] as [string[], unknown]],
  );
}

it('each key of a config.toml is in the new one, or is an answer, or is named', () => {
  const seen = { kept: 0, named: 0 };
  const config = fc.record({ top: tableOf(global), own: tableOf(ofRunner), docker: tableOf(docker) });
  fc.assert(
    fc.property(config, ({ top, own, docker }) => {
      const known = {
        name: 'a',
        url: 'https://gitlab.example.com',
        token: runnerToken,
        executor: 'docker',
      };
      const { volumes: _, ...dockerKeys } = docker;
      const runner = {
        ...own,
        ...known,
        docker: { ...dockerKeys, volumes: ['/var/run/docker.sock:/var/run/docker.sock'] },
      };
      const text = stringify({ ...top, concurrent: 2, log_level: 'info', runners: [runner] } as TomlTable);
      const moved = movedIn({ 'config.toml': text });
      const now = new Map(
        [...leaves(moved.global as TomlTable), ...leaves(moved.runners[0] as TomlTable, ['runners'])].map(
          ([path, value]) => [path.join('.'), value],
        ),
      );
      const answered =
        /^(concurrent|log_level|runners\.(name|url|id|token|executor)|runners\.docker\.(image|extra_hosts))$/;
      for (const [path, value] of [...leaves(top), ...leaves(runner as TomlTable, ['runners'])]) {
        const [name, key] = [path.join('.'), path.at(-1)!];
        if (answered.test(name)) continue;
        const found = now.get(name);
        if (found !== undefined && covers(found, value)) seen.kept += 1;
        else {
          expect(moved.said, `${name} = ${JSON.stringify(value)}\n${moved.config}`).toMatch(
            new RegExp(`\\b${key}\\b`),
          );
          seen.named += 1;
        }
      }
    }),
    { numRuns: 150 },
  );
  expect(seen.kept).toBeGreaterThan(1000);
  expect(seen.named).toBeGreaterThan(100);
});

/** Whether it is the same, or a list with more in it. */
function covers(now: unknown, before: unknown): boolean {
  if (!Array.isArray(now) || !Array.isArray(before)) return JSON.stringify(now) === JSON.stringify(before);
  return before.every(one => now.includes(one));
}

/** A table like one of these, with a secret in, before or after some of its texts, keys and all. */
function withSecrets(value: TomlTable[string], secret: string, places: Iterator<number>): TomlTable[string] {
  if (Array.isArray(value)) return value.map(one => withSecrets(one, secret, places));
  if (typeof value === 'object' && !(value instanceof Date))
    return Object.fromEntries(
      Object.entries(value).map(([key, one]) => [key, withSecrets(one, secret, places)]),
    );
  if (typeof value !== 'string') return value;
  const place = places.next().value % (value.length * 3 + 1);
  return place > value.length ? value : value.slice(0, place) + secret + value.slice(place);
}

it.each([
  ['a token by its look', runnerTokenOf('Planted')],
  ['a token of the old kind, which is known as one', 'xYzAbCdEfGhIjKlMnOpQ'],
  ['an account in an address', 'https://user:hunter22@'],
])('a secret anywhere in a config.toml comes into no file in Git, and into no message: %s', (_, secret) => {
  let planted = 0;
  const tables = fc.record({ top: tableOf(global), own: tableOf(ofRunner), docker: tableOf(docker) });
  fc.assert(
    fc.property(tables, fc.infiniteStream(fc.nat(99)), ({ top, own, docker }, places) => {
      const known = { url: 'https://gitlab.example.com', executor: 'docker', token: 'xYzAbCdEfGhIjKlMnOpQ' };
      const [above, runner] = [top, { name: 'a b c', ...own, docker }].map(
        table => withSecrets(table as TomlTable, secret, places) as TomlTable,
      );
      const text = stringify({
        ...above,
        log_level: 'info',
        runners: [{ ...runner, ...known }],
      } as TomlTable);
      planted += text.split(secret).length - 2;
      const { texts, said, answers } = movedIn({ 'config.toml': text });
      expect(JSON.stringify([texts, said, answers])).not.toContain(secret.replace(/.*:(?!\/\/)/, ''));
    }),
    { numRuns: 40 },
  );
  expect(planted).toBeGreaterThan(100);
});

/** A cache as config.toml has it, without keys. */
const cache: fc.Arbitrary<TomlTable> = fc.oneof(
  fc.constant({}),
  fc
    .record(
      {
        Path: fc.constant('p'),
        Shared: fc.boolean(),
        MaxUploadedArchiveSize: fc.integer({ min: 1, max: 9 }),
        s3: fc.record(
          {
            ServerAddress: fc.constantFrom('s3.example.com', 'minio.example.com:9000'),
            BucketName: fc.constantFrom('first', 'second'),
            BucketLocation: fc.constantFrom('eu-west-1', 'us-east-1'),
            Insecure: fc.boolean(),
            PathStyle: fc.boolean(),
          },
          { requiredKeys: ['ServerAddress', 'BucketName'] },
        ),
      },
      { requiredKeys: ['s3'] },
    )
    .map(table => ({ Type: 's3', ...table })),
  fc
    .record({ gcs: fc.record({ BucketName: fc.constantFrom('g', 'h') }) })
    .map(table => ({ Type: 'gcs', ...table })),
);

it('each runner of a config.toml has the cache that it had', () => {
  fc.assert(
    fc.property(fc.array(cache, { minLength: 1, maxLength: 3 }), caches => {
      const all = caches.map((one, at) => ({
        ...{ name: `r${at}`, url: 'https://gitlab.example.com', token: runnerTokenOf(`${at}`) },
        ...{ executor: 'docker', cache: one, docker: { image: 'ruby:3' } },
      }));
      const { runners } = movedIn({ 'config.toml': stringify({ runners: all }) });
      for (const [at, before] of caches.entries()) {
        const { Type, s3, ...others } = (runners[at]!.cache ?? {}) as TomlTable;
        const { s3: s3Before, ...othersBefore } = before as Record<string, TomlTable>;
        expect({ ...(Type === undefined ? {} : { Type }), ...others }).toEqual(othersBefore);
        const added = { AuthenticationType: 'iam', BucketLocation: 'us-east-1' };
        expect(s3).toEqual(s3Before && { ...added, ...s3Before });
      }
    }),
  );
});
