// The cache of jobs: the keys of its S3 server, and whether that answers where jobs run.

import { createHash, createHmac<%- cache.service ? ', randomBytes' : '' %> } from 'node:crypto';
import { jobSetting } from './config.ts';
import { runners } from './settings.ts';
import type { Note } from './doctor.ts';
import { type Environment, Failure<%- cache.service ? ', keepInEnvironment, keepSecret' : '' %>, mask } from './env.ts';

/** The keys, by the names that `gitlab-runner register` reads; they never are among its options. */
export function cacheKeys({ cacheAccessKey, cacheSecretKey }: Environment): Record<string, string> {
  return { CACHE_S3_ACCESS_KEY: cacheAccessKey, CACHE_S3_SECRET_KEY: cacheSecretKey };
}

<% if (cache.service) { -%>
/**
 * Makes up keys where .env has none: the server takes them from there as well.
 * @throws Failure if it has one of the two
 */
export function requireCacheKeys(environment: Environment): void {
  const missing = Object.values(cacheKeys(environment)).filter(key => key === '').length;
  if (missing === 0) return;
  if (missing === 1) {
    throw new Failure(
      'Only one of CACHE_S3_ACCESS_KEY and CACHE_S3_SECRET_KEY is in .env.',
      'Write the other one too, or empty both to have them made up.',
    );
  }
  environment.cacheAccessKey = keepSecret(randomBytes(10).toString('hex'));
  environment.cacheSecretKey = keepSecret(randomBytes(20).toString('hex'));
  for (const [name, value] of Object.entries(cacheKeys(environment))) keepInEnvironment(name, value);
  console.log('Made up CACHE_S3_ACCESS_KEY and CACHE_S3_SECRET_KEY, and wrote them into .env.');
}
<% } else { -%>
/** @throws Failure unless .env has the keys of the server */
export function requireCacheKeys({ cacheAccessKey, cacheSecretKey }: Environment): void {
  if (cacheAccessKey !== '' && cacheSecretKey !== '') return;
  throw new Failure(
    `The cache of jobs needs a key of the S3 server ${setting('ServerAddress')}.`,
    'Write CACHE_S3_ACCESS_KEY and CACHE_S3_SECRET_KEY into .env.',
  );
}
<% } -%>

/** All runners here have the same cache. */
function setting(key: string): string {
  const [runner] = runners;
  return (runner && jobSetting(runner, 'runners.cache.s3', key)[0]) ?? '';
}

/**
 * Addresses that list the bucket, and all buckets, signed for one minute, as the runner signs those of archives:
 * https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
 */
export function signedAddresses(environment: Environment, now = new Date()): string[] {
  return [`/${setting('BucketName')}`, '/'].map(path => signedAddress(path, environment, now));
}

function signedAddress(path: string, { cacheAccessKey, cacheSecretKey }: Environment, now: Date): string {
<% if (cache.service) { -%>
  const host = setting('ServerAddress');
<% } else { -%>
  // Amazon's general address answers for one region only.
  const host = setting('ServerAddress').replace(/^s3\.amazonaws\.com$/, `s3.${setting('BucketLocation')}.amazonaws.com`);
<% } -%>
  const time = now.toISOString().replace(/[-:]|\.\d+/g, '');
  const scope = [time.slice(0, 8), setting('BucketLocation'), 's3', 'aws4_request'];
  const query = Object.entries({
    'X-Amz-Algorithm': 'AWS4-HMAC-SHA256',
    'X-Amz-Credential': [cacheAccessKey, ...scope].join('/'),
    'X-Amz-Date': time,
    'X-Amz-Expires': '60',
    'X-Amz-SignedHeaders': 'host',
    'list-type': '2',
    'max-keys': '1',
  })
    .map(([name, value]) => `${name}=${encodeURIComponent(value)}`)
    .join('&');
  const call = ['GET', path, query, `host:${host}`, '', 'host', 'UNSIGNED-PAYLOAD'].join('\n');
  const digest = createHash('sha256').update(call).digest('hex');
  const hmac = (key: string | Buffer, text: string) => createHmac('sha256', key).update(text).digest();
  const key = scope.reduce<string | Buffer>(hmac, `AWS4${cacheSecretKey}`);
  const signature = hmac(key, ['AWS4-HMAC-SHA256', time, scope.join('/'), digest].join('\n')).toString('hex');
  const scheme = setting('Insecure') === 'true' ? 'http' : 'https';
  return `${scheme}://${host}${path}?${query}&X-Amz-Signature=${signature}`;
}

/** @param answers the last lines of wget in a job container, which asked for those addresses */
export function checkCache(answers: string[], { cacheAccessKey, cacheSecretKey }: Environment, note: Note): void {
  const check = 'cache';
  const [address, bucket] = [setting('ServerAddress'), setting('BucketName')];
  const [answer = ''] = answers;
  const [status, ofAll] = answers.map(one => /HTTP\/[\d.]+ (\d+)|ERROR (\d+)/.exec(one)?.slice(1).join(''));
  if (cacheAccessKey === '' || cacheSecretKey === '') {
    note(
      'failed',
      check,
      'CACHE_S3_ACCESS_KEY or CACHE_S3_SECRET_KEY is not set.',
<% if (cache.service) { -%>
      'Have them made up by make register, or, for a registered runner, by make apply; then: make up',
<% } else { -%>
      'Write both into .env; for a registered runner then: make apply',
<% } -%>
    );
    // Some servers say of a key that they do not know that it is not there.
  } else if (status === '403' || (status === '404' && ofAll === '404')) {
    note(
      'failed',
      check,
      `${address} refuses the keys of .env.`,
<% if (cache.service) { -%>
      'Give it the same ones: make up; and config.toml: make apply',
<% } else { -%>
      `Correct CACHE_S3_ACCESS_KEY and CACHE_S3_SECRET_KEY in .env, and let them list ${bucket}; then: make apply`,
<% } -%>
    );
  } else if (status === '404') {
    note(
      'failed',
      check,
      `there is no bucket ${bucket} at ${address}.`,
<% if (cache.service) { -%>
      'Name one that the volume of job-cache in docker-compose.yml has, in config/template.toml; then: make apply',
<% } else { -%>
      'Create it there, or correct BucketName in config/template.toml; then: make apply',
<% } -%>
    );
  } else if (status === '301' || status === '400') {
    note(
      'failed',
      check,
      `${address} refuses the region ${setting('BucketLocation')} for the bucket ${bucket} (HTTP ${status}).`,
      'Correct BucketLocation in config/template.toml; then: make apply',
    );
  } else if (status === undefined && /saved|100%|'\/dev\/null'/.test(answer)) {
    note('ok', check, `the bucket ${bucket} at ${address} answers a job container`);
  } else {
    note(
      'failed',
      check,
      `${address} does not answer inside a job container: ${mask(answer) || 'no answer'}`,
<% if (cache.service) { -%>
      'See whether it runs: make up; docker compose logs job-cache',
<% } else { -%>
      'Check ServerAddress in config/template.toml, and the network between jobs and that server.',
<% } -%>
    );
  }
}
