import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseEnv } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import type { TypedAnswers } from '../../generators/app/questions.ts';
import { needs } from '../support/needs.ts';
import { tool, writeAll } from '../support/rendered.ts';

interface Keys {
  cacheAccessKey: string;
  cacheSecretKey: string;
}

/** What templates/scripts/cache.ts exports, as far as it is tried here. */
interface CacheScript {
  requireCacheKeys(environment: Keys): void;
  signedAddresses(environment: Keys, now?: Date): [string, string];
  checkCache(answers: string[], environment: Keys, note: (...words: string[]) => void): void;
}

async function scriptOf(typed: TypedAnswers): Promise<{ script: CacheScript; folder: string }> {
  const folder = writeAll({ cache: 's3', ...typed });
  return { script: await import(pathToFileURL(join(folder, 'scripts/cache.ts')).href), folder };
}

const here = await scriptOf({});
const elsewhere = await scriptOf({ cacheServer: 'https://s3.example.com:9000', cacheBucket: 'a.b' });
const keys: Keys = { cacheAccessKey: 'key', cacheSecretKey: 'secret' };
const none: Keys = { cacheAccessKey: '', cacheSecretKey: '' };

describe('the signed addresses', () => {
  it('are those of the server and the bucket in config/template.toml', () => {
    const places = ({ script }: typeof here) =>
      script.signedAddresses(keys).map(address => address.slice(0, address.indexOf('?')));
    expect(places(here)).toEqual(['http://job-cache:7070/runner-cache', 'http://job-cache:7070/']);
    expect(places(elsewhere)).toEqual(['https://s3.example.com:9000/a.b', 'https://s3.example.com:9000/']);
  });

  it('do not show the secret, and hold for a minute', () => {
    const [address] = here.script.signedAddresses({ ...keys, cacheSecretKey: 's3cr3t' });
    expect(address).not.toContain('s3cr3t');
    expect(new URL(address).searchParams.get('X-Amz-Expires')).toBe('60');
  });

  const aws4 = tool('aws4/aws4.js');
  it.skipIf(!needs(aws4 !== undefined, 'aws4, by npm ci in test/tools'))(
    'are signed as aws4 signs them, whatever the keys and the time',
    () => {
      const { sign } = createRequire(import.meta.url)(aws4!) as {
        sign(request: object, keys: object): { path: string };
      };
      const key = fc.stringMatching(/^[\w+/=.-]{1,40}$/);
      const time = fc.date({ min: new Date('2026-01-01'), max: new Date('2035-01-01'), noInvalidDate: true });
      fc.assert(
        fc.property(key, key, time, (cacheAccessKey, cacheSecretKey, now) => {
          for (const { script } of [here, elsewhere]) {
            for (const address of script.signedAddresses({ cacheAccessKey, cacheSecretKey }, now)) {
              const { host, pathname, search, searchParams } = new URL(address);
              const path = pathname + search.replace(/&X-Amz-Signature=.*/, '');
              const call = { method: 'GET', host, path, service: 's3', region: 'us-east-1', signQuery: true };
              const signed = sign(call, { accessKeyId: cacheAccessKey, secretAccessKey: cacheSecretKey });
              expect(new URLSearchParams(signed.path.split('?')[1]).get('X-Amz-Signature')).toBe(
                searchParams.get('X-Amz-Signature'),
              );
            }
          }
        }),
      );
    },
  );
});

describe('checkCache', () => {
  const verdict = ({ script }: typeof here, answers: string[], environment = keys) => {
    const notes: string[][] = [];
    script.checkCache(answers, environment, (...words) => notes.push(words));
    expect(notes).toHaveLength(1);
    const [[word, check, detail, remedy] = []] = notes;
    expect(check).toBe('cache');
    return `${word}: ${detail}${remedy ? ` ${remedy}` : ''}`;
  };
  const [busybox, gnu] = [
    (status: string) => `wget: server returned error: HTTP/1.1 ${status}`,
    (status: string) => `2026-11-26 10:00:00 ERROR ${status}.`,
  ];

  it.each([
    ["'/dev/null' saved", 'ok: the bucket runner-cache at job-cache:7070 answers a job container'],
    ['null                 100% |*****|   295  0:00:00 ETA', 'ok: the bucket'],
    [
      busybox('403 Forbidden'),
      'failed: job-cache:7070 refuses the keys of .env. Give it the same ones: make up;',
    ],
    [gnu('403: Forbidden'), 'failed: job-cache:7070 refuses the keys of .env.'],
    [busybox('404 Not Found'), 'failed: there is no bucket runner-cache at job-cache:7070. Name one'],
    [gnu('404: Not Found'), 'failed: there is no bucket runner-cache at job-cache:7070. Name one'],
    [
      busybox('400 Bad Request'),
      'failed: job-cache:7070 refuses the region us-east-1 for the bucket runner-cache',
    ],
    [
      "wget: bad address 'job-cache:7070'",
      'failed: job-cache:7070 does not answer inside a job container: wget: bad',
    ],
    [
      "wget: can't connect to remote host (10.0.0.1): Connection refused",
      'failed: job-cache:7070 does not answer',
    ],
    [busybox('500 Internal Server Error'), 'failed: job-cache:7070 does not answer'],
    [
      '',
      'failed: job-cache:7070 does not answer inside a job container: no answer See whether it runs: make up;',
    ],
  ])('tells apart what a job container met: %s', (answer, expected) => {
    expect(verdict(here, [answer, "'/dev/null' saved"])).toContain(expected);
  });

  it('takes it for wrong keys where the server has neither the bucket nor a list of all', () => {
    const missing = busybox('404 Not Found');
    expect(verdict(here, [missing, missing])).toContain('refuses the keys of .env.');
    expect(verdict(here, [missing, busybox('403 Forbidden')])).toContain('there is no bucket');
  });

  it('says what to do by who runs the server', () => {
    expect(verdict(elsewhere, [busybox('403 Forbidden')])).toContain('let them list a.b; then: make apply');
    expect(verdict(elsewhere, [busybox('404 Not Found')])).toContain('Create it there');
    expect(verdict(elsewhere, [''])).toContain('Check ServerAddress');
    expect(verdict(elsewhere, [''], none)).toContain('is not set. Write both into .env');
    expect(verdict(here, [''], none)).toContain('is not set. Have them made up by make register');
  });
});

describe('requireCacheKeys', () => {
  it('makes up keys for the server here where .env has none, once, and shows none', () => {
    const { script, folder } = here;
    const file = join(folder, '.env');
    writeFileSync(file, readFileSync(join(folder, '.env.example')), { mode: 0o600 });
    const said = vi.spyOn(console, 'log').mockImplementation(() => undefined);
    expect(() => script.requireCacheKeys({ ...none, cacheAccessKey: 'half' })).toThrow(/^Only one of/);
    const environment = { ...none };
    script.requireCacheKeys(environment);
    const made = parseEnv(readFileSync(file, 'utf8'));
    expect(made.CACHE_S3_ACCESS_KEY).toMatch(/^[0-9a-f]{20}$/);
    expect(made.CACHE_S3_SECRET_KEY).toMatch(/^[0-9a-f]{40}$/);
    expect(environment).toEqual({
      cacheAccessKey: made.CACHE_S3_ACCESS_KEY,
      cacheSecretKey: made.CACHE_S3_SECRET_KEY,
    });
    expect(statSync(file).mode & 0o777).toBe(0o600);
    script.requireCacheKeys(environment);
    expect(parseEnv(readFileSync(file, 'utf8'))).toEqual(made);
    expect(said.mock.calls.join('\n')).toMatch(/^Made up [^\n]* wrote them into \.env\.$/);
    expect(said.mock.calls.join('\n')).not.toContain(made.CACHE_S3_SECRET_KEY);
    said.mockRestore();
  });

  it('asks for those of a server elsewhere', () => {
    expect(() => elsewhere.script.requireCacheKeys(keys)).not.toThrow();
    for (const missing of [none, { ...keys, cacheSecretKey: '' }]) {
      expect(() => elsewhere.script.requireCacheKeys(missing)).toThrow(
        'The cache of jobs needs a key of the S3 server s3.example.com:9000.',
      );
    }
  });
});
