import { randomBytes } from 'node:crypto';
import { cpSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseEnv } from 'node:util';
import { parse } from 'smol-toml';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse as parseYaml } from 'yaml';
import { GitLabServer } from '../support/gitlab-server.ts';
import { needs } from '../support/needs.ts';
import { tool } from '../support/rendered.ts';
import { engine } from './support/engines.ts';
import { eventually, type Outcome, output } from './support/program.ts';
import { type Document, Repository } from './support/repository.ts';
import { bridgeAddress } from './support/surroundings.ts';

const modern = engine('modern');
const aws4 = tool('aws4/aws4.js');
const able =
  needs(modern !== undefined, 'a Docker Engine (E2E_ENGINES)') &&
  needs(aws4 !== undefined, 'aws4, by npm ci in test/tools');

/** The image of the S3 server in docker-compose.yml, made of its stand-in. */
async function makeImage(name: string): Promise<void> {
  const context = mkdtempSync(join(tmpdir(), 'stand-in-s3-'));
  try {
    cpSync(fileURLToPath(new URL('../support/stand-in-s3', import.meta.url)), context, { recursive: true });
    cpSync(dirname(aws4!), join(context, 'node_modules/aws4'), { recursive: true });
    await output(['docker', 'build', '--quiet', '--tag', name, context], { cwd: '/', env: modern!.env });
  } finally {
    rmSync(context, { recursive: true, force: true });
  }
}

describe.skipIf(!able)('a cache on an S3 server in docker-compose.yml', () => {
  let gitlab: GitLabServer;
  let repository: Repository;
  const outputs: string[] = [];

  const make = async (words: string): Promise<Outcome> => {
    const outcome = await repository.make(words);
    outputs.push(outcome.output);
    return outcome;
  };
  const env = (): Record<string, string | undefined> => parseEnv(repository.read('.env'));
  const runner = (): Document => repository.config().runners[0];

  /** The verdict of make doctor on the cache, and what to do. */
  const doctor = async (): Promise<{ verdict: string; detail: string; remedy: string }> => {
    const { stdout } = await make('doctor ARGS=--json');
    const { findings } = JSON.parse(stdout) as {
      findings: { check: string; verdict: string; detail: string; remedy: string }[];
    };
    const [found] = findings.filter(({ check }) => check === 'cache');
    return found!;
  };

  /** One call as the helper of a job makes it: by an address that the runner has signed with what config.toml says. */
  const call = async (method: string, path: string, options: { secret?: string; body?: string } = {}) => {
    const { docker, cache } = runner();
    const { ServerAddress: host, BucketName: bucket, BucketLocation: region, ...s3 } = cache.s3;
    const { sign } = createRequire(import.meta.url)(aws4!) as {
      sign(request: object, keys: object): { path: string };
    };
    const request = { method, host, path: `/${bucket}/${path}`, service: 's3', region, signQuery: true };
    const keys = { accessKeyId: s3.AccessKey, secretAccessKey: options.secret ?? s3.SecretKey };
    const address = `${s3.Insecure ? 'http' : 'https'}://${host}${sign(request, keys).path}`;
    const body = options.body === undefined ? '' : `, body: '${options.body}'`;
    const script = `fetch('${address}', { method: '${method}'${body} })
      .then(async answer => console.log(answer.status, await answer.text()))`;
    const hosts = docker.extra_hosts.flatMap((one: string) => ['--add-host', one]);
    const helper = ['run', '--rm', ...hosts, '--entrypoint', 'node', 'gitlab/gitlab-runner:alpine'];
    return (await repository.docker(...helper, '--eval', script)).trim();
  };

  beforeAll(async () => {
    gitlab = await GitLabServer.start({ host: '0.0.0.0' });
    const url = gitlab.url.replace('127.0.0.1', modern!.hostAddress);
    repository = await Repository.scaffold(modern!, ['--gitlab-url', url, '--cache', 's3'], 'cache-');
    // That engine's bridge has another address than most.
    repository.edit('docker-compose.yml', '172.17.0.1:7070:7070', `${bridgeAddress}:7070:7070`);
    await makeImage(parseYaml(repository.read('docker-compose.yml')).services['job-cache'].image);
    repository.writeEnv({ RUNNER_TOKEN: gitlab.addRunner({ tagList: ['docker'] }).token });
  });

  afterAll(async () => {
    await repository?.docker('compose', 'down', '--volumes', '--timeout', '1');
    await repository?.dispose();
    await gitlab?.stop();
  });

  it('has keys made up at random by make register, which config.toml gets and git does not', async () => {
    const { code, output: text } = await make('register');
    expect(code, text).toBe(0);
    const { CACHE_S3_ACCESS_KEY: access, CACHE_S3_SECRET_KEY: secret } = env();
    expect([access, secret]).toEqual([
      expect.stringMatching(/^[0-9a-f]{20}$/),
      expect.stringMatching(/^[0-9a-f]{40}$/),
    ]);
    expect(statSync(join(repository.folder, '.env')).mode & 0o777).toBe(0o600);
    const [template] = (parse(repository.read('config/template.toml')) as Document).runners;
    expect(runner().cache).toMatchObject({
      ...template.cache,
      s3: { ...template.cache.s3, AccessKey: access, SecretKey: secret },
    });
    const tracked = await output(['git', 'ls-files', '--others', '--exclude-standard'], repository.at());
    for (const path of tracked.trim().split('\n')) expect(repository.read(path), path).not.toContain(secret);
    const dryRun = await make('register ARGS=--dry-run');
    expect(dryRun.stdout).toContain('CACHE_S3_SECRET_KEY=[masked]');
    expect(dryRun.stdout).toContain('-e CACHE_S3_SECRET_KEY');
    expect((await make('plan')).stdout).toContain('is as settings.ts and config/template.toml want it.');
  });

  it('is not there for doctor before make up, and answers where jobs run after it', async () => {
    expect(await doctor()).toMatchObject({
      verdict: 'failed',
      detail: expect.stringContaining('job-cache:7070 does not answer inside a job container'),
      remedy: expect.stringContaining('make up'),
    });
    expect((await make('up')).code).toBe(0);
    await eventually(async () => expect((await call('GET', 'none')).slice(0, 3)).toBe('404'));
    expect(await doctor()).toEqual({
      check: 'cache',
      verdict: 'ok',
      detail: 'the bucket runner-cache at job-cache:7070 answers a job container',
      remedy: '',
    });
  });

  it('keeps for the helpers of jobs what they have put there, and refuses whoever has no key', async () => {
    const archive = randomBytes(8).toString('hex');
    expect(await call('PUT', 'project/7/default', { body: archive })).toBe('200');
    expect(await call('GET', 'project/7/default')).toBe(`200 ${archive}`);
    expect(await call('GET', 'project/7/other')).toMatch(/^404 .*NoSuchKey/s);
    expect(await call('GET', 'project/7/default', { secret: 'guessed' })).toMatch(
      /^403 .*SignatureDoesNotMatch/s,
    );
  });

  it('is said by doctor to refuse wrong keys, and takes new keys by make apply without showing any', async () => {
    const old = env();
    const fresh = { access: randomBytes(10).toString('hex'), secret: randomBytes(20).toString('hex') };
    repository.edit('.env', old.CACHE_S3_SECRET_KEY!, fresh.secret);
    expect(await doctor()).toMatchObject({
      verdict: 'failed',
      detail: 'job-cache:7070 refuses the keys of .env.',
    });
    repository.edit('.env', old.CACHE_S3_ACCESS_KEY!, fresh.access);
    const apply = await make('apply');
    for (const key of ['AccessKey', 'SecretKey']) {
      expect(apply.stdout).toContain(`"My Docker Runner": ${key}\n  - [masked]\n  + [masked]\n`);
    }
    expect(runner().cache.s3).toMatchObject({ AccessKey: fresh.access, SecretKey: fresh.secret });
    expect((await make('up')).code).toBe(0);
    await eventually(async () => expect((await call('GET', 'project/7/default')).slice(0, 3)).toBe('200'));
    const said = outputs.join('\n');
    for (const key of [old.CACHE_S3_ACCESS_KEY, old.CACHE_S3_SECRET_KEY, fresh.access, fresh.secret]) {
      expect(said).not.toContain(key);
    }
  });
});
