import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { readRegister } from '../../../generators/from/register-command.ts';

interface Flag {
  readonly flag: string;
  readonly env: string | null;
  readonly type: string;
}

const facts = (name: string) =>
  JSON.parse(readFileSync(new URL(`../../facts/${name}.json`, import.meta.url), 'utf8'));
const { flags } = facts('register-flags') as { flags: Flag[] };
const { keys } = facts('config-toml-keys') as { keys: { runners: Record<string, unknown> } };

/** A value of that type of Go, as it is typed. */
const sample = (type: string): string => (/int/i.test(type) ? '7' : /bool/.test(type) ? 'true' : 'x');

/** The one leaf of a table, by its path. */
function leaf(value: unknown, path: string[] = []): [path: string[], value: unknown] | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [path, value];
  const [entry] = Object.entries(value);
  return entry && leaf(entry[1], [...path, entry[0]]);
}

const typeAt = (path: readonly string[]): unknown =>
  path.reduce<unknown>((at, key) => (at as Record<string, unknown> | undefined)?.[key], keys.runners);

describe.each(flags)('the option $flag of register', ({ flag, type }) => {
  const given = readRegister([`${flag}=${sample(type)}`]);
  const found = leaf(given.table);

  it('has its place in config.toml, or in GitLab, or is said not to be understood', () => {
    const isTold = /^--(non-interactive|leave-runner|config)$/.test(flag);
    const kept = Object.keys(given.reserved).length + (given.registrationToken ? 1 : 0);
    expect(Number(Boolean(found)) + kept + given.notUnderstood.length).toBe(isTold ? 0 : 1);
  });

  it('has there the name and the type that GitLab Runner reads', () => {
    if (!found) return;
    const [path, value] = found;
    const wanted = String(typeAt(path));
    expect(wanted, path.join('.')).not.toBe('undefined');
    expect(Array.isArray(value)).toBe(/^\[\]|StringOrArray/.test(wanted));
    if (/int/.test(wanted)) expect(value).toBe(7);
    if (/bool/.test(wanted)) expect(value).toBe(true);
  });
});

it.each(flags.filter(({ env }) => env !== null))('the variable $env is as $flag', ({ flag, env, type }) => {
  expect(readRegister([], { [env!]: sample(type) })).toEqual(readRegister([`${flag}=${sample(type)}`]));
});

it('a word that is no option is not printed: it may be a token', () => {
  expect(readRegister(['glrt-abc', '--url', 'https://x']).notUnderstood).toEqual([
    'a word that is no option',
  ]);
});

it('an option that GitLab Runner does not have becomes no key, and takes no other option for its value', () => {
  const { table, notUnderstood } = readRegister(
    '--frobnicate --docker-frob=1 --cache-s3-frob x --frob y --url https://x --limit 3'.split(' '),
    { RUNNER_FROB: '1', DOCKER_FROBBED: '2' },
  );
  expect(table).toEqual({ url: 'https://x', limit: 3 });
  expect(new Set(notUnderstood)).toEqual(
    new Set(['--frobnicate', '--docker-frob', '--cache-s3-frob', '--frob', '--docker-frobbed']),
  );
});
