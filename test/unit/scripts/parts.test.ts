import { beforeEach, describe, expect, it, vi } from 'vitest';
import { runners } from '../../../examples/default/scripts/settings.ts';
import { checks as autoscaler, judgeLog } from '../../../templates/scripts/autoscaler.ts';
import { checks as cache } from '../../../templates/scripts/cache.ts';
import type { Check, Result, Run } from '../../../templates/scripts/host.ts';
import { checks as mirror } from '../../../templates/scripts/mirror.ts';
import { checks as platforms } from '../../../templates/scripts/platforms.ts';
import { checks as authority } from '../../../templates/scripts/private-ca.ts';
import { selfSigned } from '../../support/certificates.ts';

const files = vi.hoisted(() => new Map<string, string>());
vi.mock('node:fs', async original => {
  const real = await original<typeof import('node:fs')>();
  const known = (path: unknown) => [...files.keys()].find(end => String(path).endsWith(end));
  return {
    ...real,
    existsSync: (path: string) => known(path) !== undefined || real.existsSync(path),
    statSync: (path: string) => (known(path) === undefined ? real.statSync(path) : { isFile: () => true }),
    readFileSync: (path: string, options: 'utf8') => {
      const end = known(path);
      return end === undefined ? real.readFileSync(path, options) : files.get(end);
    },
  };
});

async function examine(
  [check]: Check[],
  answers: Record<string, Partial<Result>> = {},
  variables: Record<string, string> = {},
) {
  const calls: [words: string, environment: unknown][] = [];
  const run: Run = async (command, options) => {
    const words = command.join(' ');
    calls.push([words, options?.environment]);
    const [, answer = {}] = Object.entries(answers).find(([start]) => words.startsWith(start)) ?? [];
    return { status: 0, stdout: '', stderr: '', ...answer };
  };
  const texts: string[] = [];
  const remedies: string[] = [];
  const none = { CACHE_S3_ACCESS_KEY: '', CACHE_S3_SECRET_KEY: '' };
  for (const [name, value] of Object.entries({ ...none, ...variables })) vi.stubEnv(name, value);
  await Promise.resolve()
    .then(() =>
      check!.run(run, (verdict, detail, remedy = '') => {
        texts.push(`${verdict}: ${detail}`);
        remedies.push(remedy);
      }),
    )
    .catch(error => texts.push(`failed: ${error.message}`));
  return { texts, remedies, calls };
}

beforeEach(() => files.clear());

describe('the mirror', () => {
  it.each([
    [{ stdout: '["http://127.0.0.1:5000/"]' }, /^ok/],
    [{ stdout: 'null' }, /^warning: .* does not know the mirror/],
    [{ stdout: '["http://127.0.0.10:5000/"]' }, /^warning/],
    [{ status: 1, stderr: 'no answer' }, /^unknown: .*no answer/],
  ])('is asked first by an engine that says %j, or not', async (answer, text) => {
    expect((await examine(mirror, { 'docker info': answer })).texts).toEqual([expect.stringMatching(text)]);
  });
});

describe('the private authority', () => {
  it.each([
    ['', /^failed: .* is no certificate in PEM form/],
    ['-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n', /^failed/],
  ])('has a certificate that can be read', async (text, expected) => {
    files.set('config/certs/ca.crt', text);
    expect((await examine(authority)).texts).toEqual([expect.stringMatching(expected)]);
  });

  it('has a certificate at all', async () => {
    expect((await examine(authority)).texts).toEqual([expect.stringMatching(/^failed: .* is not there/)]);
  });

  it('is warned of a month before it ends, and has failed then', async () => {
    files.set('config/certs/ca.crt', selfSigned('gitlab.test').cert);
    const [text] = (await examine(authority)).texts;
    const days = Number(/(\d+) days/.exec(text!)?.[1]);
    const at = async (later: number) => {
      vi.useFakeTimers({ now: Date.now() + later * 86_400_000, toFake: ['Date'] });
      const found = await examine(authority);
      vi.useRealTimers();
      return found.texts[0];
    };
    expect(await at(days - 29)).toMatch(/^warning: .*expires in \d+ days/);
    expect(await at(days + 2)).toMatch(/^failed: .*expired on/);
    if (days >= 30) expect(text).toMatch(/^ok/);
  });
});

describe('platforms', () => {
  const pipeline = 'build:\n  script: docker buildx build --platform linux/amd64,linux/arm64 .\n';
  const emulators = { stdout: '{"supported":["linux/amd64","linux/arm64"]}' };
  const store = { stdout: '[["driver-type","io.containerd.snapshotter.v1"]]' };
  const all = { 'docker info': store, 'docker run': emulators };

  it('are those of the pipeline, and all run here', async () => {
    files.set('/.gitlab-ci.yml', pipeline);
    expect((await examine(platforms, all)).texts).toEqual(['ok: linux/amd64, linux/arm64']);
  });

  it('are missed by name, and an image store that has room for one only is', async () => {
    files.set('/.gitlab-ci.yml', pipeline);
    const one = { stdout: '{"supported":["linux/amd64"]}' };
    const { texts } = await examine(platforms, { 'docker info': { stdout: '[]' }, 'docker run': one });
    expect(texts).toEqual([
      expect.stringMatching(/^failed: .*old store/),
      'failed: this host cannot run programs of linux/arm64.',
    ]);
  });

  it('need no other image store where there is one platform only', async () => {
    files.set('/.gitlab-ci.yml', 'build:\n  script: docker build --platform linux/arm64 .\n');
    const { texts } = await examine(platforms, { ...all, 'docker info': { stdout: '[]' } });
    expect(texts).toEqual(['ok: linux/arm64']);
  });

  it('cannot be told where the pipeline names none, the image is not here, or it does not run', async () => {
    files.set('/.gitlab-ci.yml', 'build:\n  script: make\n');
    expect((await examine(platforms, all)).texts).toEqual([expect.stringMatching(/^unknown/)]);
    files.set('/.gitlab-ci.yml', pipeline);
    const absent = await examine(platforms, { ...all, 'docker image inspect': { status: 1 } });
    expect(absent.texts).toEqual([
      expect.stringMatching(/^unknown: tonistiigi\/binfmt is not on this host yet/),
    ]);
    expect(absent.calls.some(([words]) => words.startsWith('docker run'))).toBe(false);
    expect((await examine(platforms, { ...all, 'docker run': { status: 1, stderr: 'no' } })).texts).toEqual([
      'unknown: emulators cannot be listed: no',
    ]);
  });
});

describe('the cache', () => {
  const keys = { CACHE_S3_ACCESS_KEY: 'key', CACHE_S3_SECRET_KEY: 's3cr3t' };
  const toml = `[[runners]]
  name = "${runners[0]!.description}"
  [runners.docker]
    image = "docker:stable"
  [runners.cache]
    Type = "s3"
    [runners.cache.s3]
      ServerAddress = "job-cache:7070"
      BucketName = "runner-cache"
      BucketLocation = "us-east-1"
      Insecure = true
`;
  beforeEach(() => void files.set('config/config.toml', toml));

  it('asks by a container of the job, by addresses that are no arguments and hold for a minute', async () => {
    const { texts, calls } = await examine(cache, { 'docker run': { stdout: "'/dev/null' saved\n" } }, keys);
    expect(texts).toEqual(['ok: the bucket runner-cache at job-cache:7070 answers a job']);
    const [words, environment] = calls.at(-1)!;
    expect(words).not.toMatch(/X-Amz|s3cr3t/);
    const [one, all] = (environment as { CACHE_ADDRESSES: string }).CACHE_ADDRESSES.split(' ');
    expect([one, all].map(address => address!.split('?')[0])).toEqual([
      'http://job-cache:7070/runner-cache',
      'http://job-cache:7070/',
    ]);
    expect(new URL(one!).searchParams.get('X-Amz-Expires')).toBe('60');
    expect(one).not.toContain('s3cr3t');
  });

  it.each([
    ['CACHE_S3_SECRET_KEY=a#b', /^failed: CACHE_S3_SECRET_KEY has # or \$ in it/],
    ['CACHE_S3_SECRET_KEY=a$b', /^failed/],
    ['CACHE_S3_ACCESS_KEY="a$b"', /^failed: CACHE_S3_ACCESS_KEY/],
    ["CACHE_S3_SECRET_KEY='a#b$c'", /^ok/],
    ['CACHE_S3_SECRET_KEY=a # a remark', /^ok/],
    ['OTHER=a$b', /^ok/],
  ])('has a key that Node.js and Compose read alike, where .env has the line %s: %s', async (line, text) => {
    files.set('/.env', `A=1\n${line}\n`);
    const { texts } = await examine(cache, { 'docker run': { stdout: "'/dev/null' saved\n" } }, keys);
    expect(texts).toEqual([expect.stringMatching(text)]);
  });

  it('needs both keys, a server in config.toml, and an image that is here', async () => {
    expect((await examine(cache, {}, { ...keys, CACHE_S3_SECRET_KEY: '' })).texts).toEqual([
      expect.stringMatching(/^failed: .*is not set/),
    ]);
    expect((await examine(cache, { 'docker image inspect': { status: 1 } }, keys)).texts).toEqual([
      expect.stringMatching(/^unknown: docker:stable is not/),
    ]);
    expect((await examine(cache, { 'docker run': { status: 1, stderr: 'no' } }, keys)).texts).toEqual([
      'unknown: no container could ask: no',
    ]);
    files.set('config/config.toml', toml.replace('ServerAddress', 'Other'));
    expect((await examine(cache, {}, keys)).texts).toEqual([
      expect.stringMatching(/^unknown: .*no S3 server/),
    ]);
  });
});

describe('the check of instances', () => {
  // As the runner prints it (github.com/cattle-ops/terraform-aws-gitlab-runner/issues/1185), in its usual form.
  const line = (level: string, message: string, fields: string) =>
    `runner-1  | ${level}${message}  ${fields} runner=abcdefghi subsystem=taskscaler`;
  const started = line('', 'increasing instances response', 'num_requested=1 num_successful=1');
  const none = line('', 'increasing instances response', 'num_requested=1 num_successful=0');
  const failure = (why: string) =>
    line('ERROR: ', 'increasing instances failure', `err="rpc error: code = Unknown desc = ${why}"`);

  it.each([
    ['no IMDS', 'no EC2 IMDS role found, operation error ec2imds', /no credentials/, /rights/],
    ['no rights', 'api error AccessDenied: User: arn is not authorized to perform', /refuses/, /rights/],
    ['Google', 'googleapi: Error 403: Required permission', /refuses/, /rights/],
    ['Azure', 'DefaultAzureCredential: failed to acquire a token', /no credentials/, /rights/],
    ['no region', 'operation error: Missing Region', /region/, /AWS_REGION/],
    ['no group', 'googleapi: Error 404: The resource was not found', /no such group/, /plugin_config/],
    [
      'small group',
      'ValidationError: New SetDesiredCapacity value 1 is above max value 0',
      /fewer/,
      /greatest/,
    ],
    ['no room', 'InsufficientInstanceCapacity: We currently do not have sufficient', /no room/, /quota/],
    ['login', 'ssh: handshake failed: ssh: unable to authenticate', /do not let/, /username/],
    ['no way', 'dial tcp 10.0.0.7:22: i/o timeout', /port 22/, /use_external_addr/],
  ])('says what is wrong, and what helps: %s', (_, why, detail, remedy) => {
    const [verdict, said, helps] = judgeLog([started, none, failure(why)].join('\n'));
    expect(verdict).toBe('failed');
    expect(said).toMatch(detail);
    expect(said).toContain(why.slice(0, 20));
    expect(helps).toMatch(remedy);
  });

  it('is fine again where instances came after the failure', () => {
    expect(judgeLog([failure('AccessDenied'), started].join('\n'))[0]).toBe('ok');
  });

  it('cannot tell where nothing was started, or where it does not understand what the runner says', () => {
    expect(judgeLog('Starting multi-runner')[0]).toBe('unknown');
    expect(judgeLog(none)[0]).toBe('unknown');
    const [verdict, said] = judgeLog(failure('a thing never seen'));
    expect(verdict).toBe('unknown');
    expect(said).toContain('a thing never seen');
  });

  it('takes no error of a job, nor of GitLab, for one of instances', () => {
    const others = ['ERROR: Job failed: exit code 1', 'WARNING: Checking for jobs... failed', started];
    expect(judgeLog([started, ...others.slice(0, 2)].join('\n'))[0]).toBe('ok');
  });

  it('wants the region of AWS, and a key of its owner alone where instances are entered by one', async () => {
    const toml = (plugin: string, connector = '') =>
      `[[runners]]\n  name = "x"\n  [runners.autoscaler]\n    plugin = "${plugin}:1"\n    [runners.autoscaler.connector_config]\n${connector}`;
    files.set('config/config.toml', toml('aws'));
    expect((await examine(autoscaler)).texts.join()).toContain('AWS_REGION is not set');
    expect((await examine(autoscaler, {}, { AWS_REGION: 'eu-west-1' })).texts.join()).not.toContain(
      'AWS_REGION',
    );
    files.set('config/config.toml', toml('azure', '      key_path = "/etc/gitlab-runner/ssh-key"\n'));
    const { texts, remedies } = await examine(autoscaler);
    expect(texts.join()).toContain('there is no config/ssh-key');
    expect(remedies.join()).toContain('ssh-keygen');
    files.clear();
  });
});
