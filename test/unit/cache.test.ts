import { createRequire } from 'node:module';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Bucket, judgeCache, signedAddress } from '../../templates/scripts/cache.ts';
import { needs } from '../support/needs.ts';
import { tool } from '../support/rendered.ts';

const here: Bucket = { host: 'job-cache:7070', name: 'runner-cache', region: 'us-east-1', scheme: 'http' };
const elsewhere: Bucket = { host: 's3.example.com:9000', name: 'a.b', region: 'us-east-1', scheme: 'https' };

describe('the signed addresses', () => {
  it('are those of a region where Amazon has one address for all', () => {
    const amazon = { ...elsewhere, host: 's3.amazonaws.com', region: 'eu-central-1' };
    expect(new URL(signedAddress(amazon, 'a', ['key', 'secret'])).host).toBe('s3.eu-central-1.amazonaws.com');
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
        fc.property(key, key, time, (accessKeyId, secretAccessKey, now) => {
          for (const bucket of [here, elsewhere]) {
            for (const name of [bucket.name, '']) {
              const address = signedAddress(bucket, name, [accessKeyId, secretAccessKey], now);
              const { host, pathname, search, searchParams } = new URL(address);
              const path = pathname + search.replace(/&X-Amz-Signature=.*/, '');
              const call = { method: 'GET', host, path, service: 's3', region: 'us-east-1', signQuery: true };
              const signed = sign(call, { accessKeyId, secretAccessKey });
              const signature = new URLSearchParams(signed.path.split('?')[1]).get('X-Amz-Signature');
              expect(signature).toBe(searchParams.get('X-Amz-Signature'));
            }
          }
        }),
      );
    },
  );
});

describe('judgeCache', () => {
  const busybox = (status: string) => `wget: server returned error: HTTP/1.1 ${status}`;
  const gnu = (status: string) => `2026-11-26 10:00:00 ERROR ${status}.`;
  const verdict = (...answers: string[]) => judgeCache(answers, here).slice(0, 2).join(': ');

  it.each([
    ["'/dev/null' saved", 'ok: the bucket runner-cache at job-cache:7070 answers a job'],
    ['null                 100% |*****|   295  0:00:00 ETA', 'ok: the bucket'],
    [busybox('403 Forbidden'), 'failed: job-cache:7070 refuses the keys of .env.'],
    [gnu('403: Forbidden'), 'failed: job-cache:7070 refuses the keys of .env.'],
    [busybox('404 Not Found'), 'failed: there is no bucket runner-cache at job-cache:7070.'],
    [gnu('404: Not Found'), 'failed: there is no bucket runner-cache at job-cache:7070.'],
    [busybox('400 Bad Request'), 'failed: job-cache:7070 refuses the region us-east-1 for the bucket'],
    ["wget: bad address 'job-cache:7070'", 'failed: job-cache:7070 does not answer a job: wget: bad'],
    [
      "wget: can't connect to remote host (10.0.0.1): Connection refused",
      'failed: job-cache:7070 does not answer',
    ],
    [busybox('500 Internal Server Error'), 'failed: job-cache:7070 does not answer'],
    ['', 'unknown: job-cache:7070 gave a job an answer that is not known: none'],
    ['sh: busybox: not found', 'unknown: job-cache:7070 gave'],
  ])('tells apart what a job met: %s', (answer, expected) => {
    expect(verdict(answer, "'/dev/null' saved")).toContain(expected);
  });

  it('takes it for wrong keys where the server has neither the bucket nor a list of all', () => {
    const missing = busybox('404 Not Found');
    expect(verdict(missing, missing)).toContain('refuses the keys of .env.');
    expect(verdict(missing, busybox('403 Forbidden'))).toContain('there is no bucket');
  });
});
