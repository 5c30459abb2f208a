import { EventEmitter } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { GitLabServer } from '../support/gitlab-server.ts';
import { signedAddress } from '../support/stand-in-runner/cache.ts';
import { main } from '../support/stand-in-runner/gitlab-runner.ts';
import { shortToken } from '../support/stand-in-runner/log.ts';
import { metricsText } from '../support/stand-in-runner/metrics.ts';

// test/facts/real-runner.md says what the real one does.

const facts = join(import.meta.dirname, '../facts');

let gitlab: GitLabServer;
let folder: string;
let path: string;
let token: string;
let printed: { stdout: string; stderr: string };
let signals: EventEmitter;
const watchers = new Set<() => void>();

beforeEach(async () => {
  gitlab = await GitLabServer.start();
  ({ token } = gitlab.addRunner());
  folder = mkdtempSync(join(tmpdir(), 'stand-in-'));
  path = join(folder, 'config.toml');
  printed = { stdout: '', stderr: '' };
  signals = new EventEmitter();
  writeFileSync(path, config());
});

afterEach(async () => {
  watchers.clear();
  rmSync(folder, { recursive: true, force: true });
  await gitlab.stop();
});

const config = (more = '', globals = 'concurrent = 2') =>
  `${globals}\n# kept\n[[runners]]\n  name = "r"\n  url = "\${GITLAB_URL}"\n  token = "$RUNNER_TOKEN"\n  executor = "docker"\n  request_concurrency = 2\n${more}`;
const environment = () => ({ GITLAB_URL: gitlab.url, RUNNER_TOKEN: token });

/** Runs a command, and gives its exit code. */
function runner(words: string, env: NodeJS.ProcessEnv = environment()): Promise<number> {
  const stream = (name: 'stdout' | 'stderr') => ({
    write(text: string) {
      printed[name] += text;
      for (const watcher of watchers) watcher();
    },
  });
  const io = { stdout: stream('stdout'), stderr: stream('stderr'), signals, facts, tick: 10 };
  return main([...words.split(' '), '--config', path], env, io);
}

const said = () => stripVTControlCharacters(printed.stderr);

/** Resolves once the log shows it. */
function shows(pattern: RegExp): Promise<void> {
  return new Promise(resolve => {
    const look = () => {
      if (!pattern.test(said())) return;
      watchers.delete(look);
      resolve();
    };
    watchers.add(look);
    look();
  });
}

/** Runs `run` meanwhile, and ends it. */
async function whileRunning(work: () => Promise<void>, env = environment()): Promise<number> {
  const ended = runner('run', env);
  await work();
  signals.emit('SIGQUIT');
  return ended;
}

describe('verify', () => {
  it.each([
    ['a token that GitLab knows', () => environment(), 0, /^Verifying runner\.\.\. is valid/m],
    [
      'a token that GitLab refuses',
      () => ({ ...environment(), RUNNER_TOKEN: 'glrt-unknownunknown' }),
      1,
      /^Verifying runner\.\.\. is not valid.*\nFATAL: Failed to verify runners/m,
    ],
    [
      'a GitLab that is away',
      () => ({ ...environment(), GITLAB_URL: 'http://127.0.0.1:1' }),
      0,
      /^ERROR: Verifying runner\.\.\. failed .*status=couldn't execute POST against/m,
    ],
    [
      'no token',
      () => ({ GITLAB_URL: gitlab.url }),
      0,
      /^ERROR: Verifying runner\.\.\. failed .*couldn't execute POST/m,
    ],
  ])('says of %s what the real one does', async (_what, env, code, text) => {
    expect(await runner('verify', env())).toBe(code);
    expect(said()).toMatch(text);
    expect(printed.stdout).toBe('');
  });

  it('colours its lines, takes a removed runner out only when told, and writes the token then', async () => {
    gitlab.runners.clear();
    expect(await runner('verify')).toBe(1);
    expect(readFileSync(path, 'utf8')).toBe(config());
    expect(printed.stderr).toContain('\x1b[31;1mFATAL: Failed to verify runners');
    expect(await runner('verify --delete')).toBe(0);
    expect(readFileSync(path, 'utf8')).not.toContain('[[runners]]');
  });
});

describe('lint', () => {
  it.each([
    [config(), 0, /^Configuration file is valid\./m],
    [
      config('  no_such_key = 1\n'),
      1,
      /FATAL: 1 unknown key\(s\) found in .*\n {2}unknown key: runners\.no_such_key/,
    ],
    [
      config('', 'concurrent = "2"'),
      1,
      /FATAL: decoding config: toml: line 1 \(last key "concurrent"\): incompatible/,
    ],
  ])('judges %j as %i', async (text, code, message) => {
    writeFileSync(path, text);
    expect(await runner('lint')).toBe(code);
    expect(said()).toMatch(message);
  });

  it('wants a token, and is in 19.3 and later only', async () => {
    expect(await runner('lint', { GITLAB_URL: gitlab.url })).toBe(1);
    expect(said()).toContain('/runners/0/token: minLength: got 0, want 1');
    expect(await runner('lint', { ...environment(), STAND_IN_VERSION: '19.2.0' })).toBe(1);
    expect(said()).toContain('FATAL: Command lint not found.');
  });
});

it('ends register with the cause and a last line of panic where GitLab refuses', async () => {
  expect(await runner(`register -n --url ${gitlab.url} --registration-token guessed`)).toBe(1);
  expect(said()).toMatch(
    /^ERROR: Registering runner\.\.\. failed .*status=POST .*\/api\/v4\/runners: 410 Gone/m,
  );
  expect(said().trim().split('\n').at(-1)).toMatch(/^PANIC: Failed to register the runner\./);
});

describe('run', () => {
  it('leaves config.toml as it is, keeps a system id that is there, and takes an edit without a restart', async () => {
    writeFileSync(join(folder, '.runner_system_id'), 'r_AbcdefGhij12');
    const code = await whileRunning(async () => {
      await shows(/Configuration loaded .*max_builds=2/);
      writeFileSync(path, config('', 'concurrent = 5'));
      await shows(/Configuration loaded .*max_builds=5/);
    });
    expect(code).toBe(0);
    expect(readFileSync(path, 'utf8')).toBe(config('', 'concurrent = 5'));
    expect([...(gitlab.runners.values().next().value?.managers.keys() ?? [])]).toEqual(['r_AbcdefGhij12']);
  });

  it('warns of request_concurrency 1 and of fewer places than runners, and of nothing otherwise', async () => {
    await whileRunning(() => shows(/Configuration loaded/));
    expect(said()).not.toContain('CONFIGURATION');
    const slow = config().replace('request_concurrency = 2', '');
    writeFileSync(path, `${slow}${config('', '').replace('concurrent', '')}`.replace('= 2', '= 1'));
    await whileRunning(() => shows(/WARNING: CONFIGURATION: Long polling issues detected\./));
    expect(said()).toMatch(/Worker starvation bottleneck: 'concurrent' setting \(1\) is less than .* \(2\)/);
    expect(said()).toMatch(/Request bottleneck: 1 runners have request_concurrency=1/);
  });

  it('asks again at once where GitLab fails, and is disabled where it refuses', async () => {
    const asked = () => gitlab.requests.filter(({ path: at }) => at.endsWith('/jobs/request')).length;
    gitlab.failNext({ method: 'POST', path: /jobs\/request$/ }, 503, undefined, 5);
    await whileRunning(async () => {
      const id = gitlab.queueJob({ seconds: 0 });
      await shows(/Job succeeded/);
      expect(gitlab.jobs.get(id)?.state).toBe('success');
    });
    expect(said()).not.toContain('unhealthy');
    gitlab.runners.clear();
    const before = asked();
    await whileRunning(() =>
      shows(/^ERROR: Runner "http.*" is unhealthy and will be disabled for 1h0m0s seconds!/m),
    );
    expect(asked() - before).toBe(3);
  });

  it.each([
    ['SIGQUIT', 'success', 0],
    ['SIGTERM', 'failed', 1],
  ] as const)('at %s a running job ends as %s', async (signal, state, code) => {
    const id = gitlab.queueJob({ seconds: 20 });
    const ended = runner('run');
    await shows(/Checking for jobs\.\.\. received/);
    signals.emit(signal);
    expect(await ended).toBe(code);
    expect(gitlab.jobs.get(id)?.state).toBe(state);
  });
});

it('expands no variable below 18.10', async () => {
  expect(await runner('verify', { ...environment(), STAND_IN_VERSION: '18.9.0' })).toBe(0);
  expect(said()).toContain('client error');
});

it.each([
  ['glrt-t1_abcdefghijklmn', 't1_abcdef'],
  ['glrtr-abcdefghijklmn', 'abcdefghi'],
  ['acme-glrt-abcdefghijkl', 'acme-glr'],
])('shows of %s only %s', (whole, short) => {
  expect(shortToken(whole)).toBe(short);
});

it('serves every metric of the real one, with its type and labels', () => {
  const families = readFileSync(join(facts, 'real-runner-metrics.txt'), 'utf8');
  const text = metricsText(families, {
    gitlab_runner_jobs: [{ labels: { runner: 't', state: 'running' }, value: 1 }],
    gitlab_runner_concurrent: [{ value: 2 }],
  });
  expect(text.match(/^# TYPE /gm)).toHaveLength(families.match(/^\w/gm)!.length);
  expect(text).toContain('# TYPE gitlab_runner_job_duration_seconds histogram\n');
  expect(text).toMatch(/^gitlab_runner_jobs\{.*runner="t".*state="running".*\} 1$/m);
  expect(text).toMatch(/^gitlab_runner_concurrent 2$/m);
});

it('signs an address of the S3 cache with the keys of its environment', () => {
  const s3 = { ServerAddress: 'job-cache:7070', BucketName: 'b', Insecure: true, AuthenticationType: 'iam' };
  const address = (env: NodeJS.ProcessEnv) => new URL(signedAddress('PUT', 'key', s3, env)).searchParams;
  const one = address({ AWS_ACCESS_KEY_ID: 'id', AWS_SECRET_ACCESS_KEY: 'one' });
  expect(one.get('X-Amz-Credential')).toMatch(/^id\/\d{8}\/us-east-1\/s3\/aws4_request$/);
  expect(one.get('X-Amz-Signature')).toMatch(/^[0-9a-f]{64}$/);
  const two = address({ AWS_ACCESS_KEY_ID: 'id', AWS_SECRET_ACCESS_KEY: 'two' });
  expect(two.get('X-Amz-Signature')).not.toBe(one.get('X-Amz-Signature'));
});
