// The cache of jobs: whether its S3 server takes the keys of .env, where jobs run.

import { createHash, createHmac } from 'node:crypto';
import { type Check, env, type Finding, lastLine, mask, readEnvFile, whyNoImage } from './host.ts';
import { configOf, containerOptions } from './jobs.ts';
import { runners } from './settings.ts';

/** A bucket as config/config.toml names it. */
export interface Bucket {
  readonly host: string;
  readonly name: string;
  readonly region: string;
  readonly scheme: 'http' | 'https';
}

/**
 * An address that lists the bucket (or all buckets, where that name is empty), signed for one minute, as the runner
 * signs those of archives: https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
 */
export function signedAddress(
  bucket: Bucket,
  name: string,
  [key, secret]: readonly [string, string],
  now = new Date(),
): string {
  // Amazon's general address answers for one region only.
  const host = bucket.host.replace(/^s3\.amazonaws\.com$/, `s3.${bucket.region}.amazonaws.com`);
  const time = now.toISOString().replace(/[-:]|\.\d+/g, '');
  const scope = [time.slice(0, 8), bucket.region, 's3', 'aws4_request'];
  const query = Object.entries({
    'X-Amz-Algorithm': 'AWS4-HMAC-SHA256',
    'X-Amz-Credential': [key, ...scope].join('/'),
    'X-Amz-Date': time,
    'X-Amz-Expires': '60',
    'X-Amz-SignedHeaders': 'host',
    'list-type': '2',
    'max-keys': '1',
  })
    .map(([word, value]) => `${word}=${encodeURIComponent(value)}`)
    .join('&');
  const call = ['GET', `/${name}`, query, `host:${host}`, '', 'host', 'UNSIGNED-PAYLOAD'].join('\n');
  const digest = createHash('sha256').update(call).digest('hex');
  const hmac = (by: string | Buffer, text: string) => createHmac('sha256', by).update(text).digest();
  const signer = scope.reduce<string | Buffer>(hmac, `AWS4${secret}`);
  const signature = hmac(signer, ['AWS4-HMAC-SHA256', time, scope.join('/'), digest].join('\n')).toString(
    'hex',
  );
  return `${bucket.scheme}://${host}/${name}?${query}&X-Amz-Signature=${signature}`;
}

/** @param answers the last lines of wget in a container of a job, for the bucket and for all buckets */
export function judgeCache(answers: readonly string[], { host, name, region }: Bucket): Finding {
  const [answer = ''] = answers;
  const [status, ofAll] = answers.map(one => /HTTP\/[\d.]+ (\d+)|ERROR (\d+)/.exec(one)?.slice(1).join(''));
  // Some servers say of a key that they do not know that it is not there.
  if (status === '403' || (status === '404' && ofAll === '404'))
    return [
      'failed',
      `${host} refuses the keys of .env.`,
      `Correct CACHE_S3_ACCESS_KEY and CACHE_S3_SECRET_KEY in .env, and let them list ${name}; then: make up`,
    ];
  if (status === '404')
    return [
      'failed',
      `there is no bucket ${name} at ${host}.`,
      'Create it, or correct BucketName in config/config.toml.',
    ];
  if (status === '301' || status === '400')
    return [
      'failed',
      `${host} refuses the region ${region} for the bucket ${name} (HTTP ${status}).`,
      'Correct BucketLocation in config/config.toml.',
    ];
  if (status === undefined && /saved|100%|'\/dev\/null'/.test(answer))
    return ['ok', `the bucket ${name} at ${host} answers a job`];
  if (/bad address|resolve|refused|timed out|unreachable|no route|\b5\d\d\b/i.test(answer))
    return [
      'failed',
      `${host} does not answer a job: ${mask(answer)}`,
      'Check ServerAddress in config/config.toml, and that the server runs: docker compose ps',
    ];
  return ['unknown', `${host} gave a job an answer that is not known: ${mask(answer) || 'none'}`];
}

export const checks: Check[] = [
  {
    name: 'cache',
    needs: ['engine'],
    async run(run, note) {
      // The same keys as the runner gets.
      const keys = [env('CACHE_S3_ACCESS_KEY'), env('CACHE_S3_SECRET_KEY')] as const;
      if (keys.includes('')) {
        const remedy =
          'Write both into .env; for the server in docker-compose.yml make them up; then: make up';
        return note('failed', 'CACHE_S3_ACCESS_KEY or CACHE_S3_SECRET_KEY is not set.', remedy);
      }
      // Written by hand; what make writes is in single quotes where it has to be.
      const twoWays = /^(?:export )?(CACHE_S3_\w+)=(?!')(?:.*\$|[^"'\s]\S*#)/m.exec(readEnvFile())?.[1];
      if (twoWays) {
        const detail = `${twoWays} has # or $ in it, which Node.js and Compose read differently.`;
        return note('failed', detail, `Put the value in single quotes: ${twoWays}='...'`);
      }
      const [runner] = runners;
      const config = runner && configOf(runner);
      const s3 = (key: string) => config?.(key, 'runners.cache.s3')[0] ?? '';
      if (!runner || s3('ServerAddress') === '')
        return note('unknown', 'config/config.toml names no S3 server that is read here.');
      const [image = ''] = config?.('image', 'runners.docker') ?? [];
      const noImage = await whyNoImage(run, image);
      if (noImage) return note(...noImage);
      const scheme = s3('Insecure') === 'true' ? 'http' : 'https';
      const bucket: Bucket = {
        host: s3('ServerAddress'),
        name: s3('BucketName'),
        region: s3('BucketLocation'),
        scheme,
      };
      const script = `fetch=$(command -v wget || echo busybox wget)
        for address in $CACHE_ADDRESSES; do $fetch -T 4 -O /dev/null "$address" 2>&1 | grep . | tail -n 1; done`;
      const command = ['docker', 'run', '--rm', ...containerOptions(runner), '--env', 'CACHE_ADDRESSES'];
      // Signed addresses are good for a minute; like tokens they are no arguments.
      const CACHE_ADDRESSES = [bucket.name, ''].map(name => signedAddress(bucket, name, keys)).join(' ');
      const options = { environment: { CACHE_ADDRESSES } };
      const { status, stdout, stderr } = await run(
        [...command, '--entrypoint', 'sh', image, '-c', script],
        options,
      );
      if (status !== 0) return note('unknown', `no container could ask: ${lastLine(stderr)}`);
      note(...judgeCache(stdout.trim().split('\n'), bucket));
    },
  },
];
