import { describe, expect, it } from 'vitest';
import { movedIn } from '../../support/move-in.ts';
import { runnerToken as token } from '../../support/tokens.ts';

const config = (lines: string, url = 'https://git.example.com') =>
  `[[runners]]\nname = "a"\nurl = "${url}"\ntoken = "${token}"\nexecutor = "docker"\n${lines}`;
const secret = 'miniosecret22334455';
const cache = (server: string, bucket: string) =>
  config(
    `[runners.cache]\nType = "s3"\nShared = true\n[runners.cache.s3]\nServerAddress = "${server}"\nBucketName = "${bucket}"\nAccessKey = "minioaccess1"\nSecretKey = "${secret}"\n`,
  );

describe('a cache whose bucket or server is none that an answer may be', () => {
  it.each([
    [
      'a bucket',
      'minio.example.com:9000',
      'Runner_Cache',
      '--cache-bucket, "Runner_Cache" of cache.s3.BucketName: A bucket is named by 3 to 63 lower-case letters',
    ],
    [
      'a server',
      'http://minio:9000',
      'runner-cache',
      '--cache-server, "http://minio:9000" of cache.s3.ServerAddress: The S3 server is',
    ],
  ])('is carried over without its keys, and what was found is said: %s', (_, server, bucket, sentence) => {
    const { said, runners, texts, environment } = movedIn({ 'config.toml': cache(server, bucket) });
    expect(said).toContain(`- ${sentence}`);
    expect(said).toContain(
      '- cache.s3.AccessKey and SecretKey of config.toml: without a place in the answers, they would be in Git. So the cache stands in config/config.toml as it was, and jobs cannot use it. Run again with --cache s3, --cache-server and --cache-bucket as they may be: the keys go to .env then',
    );
    expect(said).not.toMatch(/one pair of keys|of \.env/);
    expect(runners[0]).toMatchObject({
      cache: { Type: 's3', Shared: true, s3: { ServerAddress: server, BucketName: bucket } },
    });
    expect(JSON.stringify(texts) + said + environment).not.toContain(secret);
  });

  it('takes its keys along where options name others', () => {
    const { environment, runners, texts } = movedIn(
      { 'config.toml': cache('minio.example.com:9000', 'Runner_Cache') },
      { cache: 's3', cacheServer: 'https://minio.example.com:9000', cacheBucket: 'runner-cache' },
    );
    expect(environment).toContain(`\nCACHE_S3_SECRET_KEY=${secret}\n`);
    expect(runners[0]).toMatchObject({ cache: { s3: { BucketName: 'runner-cache' } } });
    expect(JSON.stringify(texts)).not.toContain(secret);
  });
});

it.each<[string, Record<string, string>, string]>([
  [
    'an address',
    { 'config.toml': config('', 'git.example.com/a b') },
    '--gitlab-url, "git.example.com/a b": ',
  ],
  ['a number', { 'config.toml': `concurrent = 0\n${config('')}` }, '--concurrent, "0": '],
  [
    'a long text',
    { 'config.toml': `log_level = "${'x'.repeat(200)}"\n${config('')}` },
    `--log-level, "${'x'.repeat(60)}…": `,
  ],
  [
    'a host',
    { 'run.sh': 'docker run --add-host "a b:1.2.3.4" gitlab/gitlab-runner\n' },
    '--extra-hosts, "a b:1.2.3.4": ',
  ],
  [
    'an address with a password',
    { 'run.sh': `docker run -e HTTP_PROXY=http://me:hunter22@proxy:3128 gitlab/gitlab-runner\n` },
    '--http-proxy, "http://***proxy:3128": ',
  ],
  [
    'a token in its place',
    { 'run.sh': `docker run --network ${token} gitlab/gitlab-runner\n` },
    '--docker-network, "***": ',
  ],
])(
  'what no answer may be is said with the option and what was found, without secrets: %s',
  (_, files, sentence) => {
    const { said, texts } = movedIn(files);
    expect(said).toContain(`- ${sentence}`);
    expect(said + JSON.stringify(texts)).not.toMatch(/hunter22/);
    expect(said + JSON.stringify(texts)).not.toContain(token);
  },
);
