import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { frozenClientApi, lookAtEngine, refuses } from '../../generators/plan/engine.ts';

const engine = (minApiVersion: string, version = '29.1.0') => ({
  version,
  apiVersion: '1.52',
  minApiVersion,
});

describe('frozenClientApi', () => {
  it.each([
    'docker:stable',
    'docker:19.03',
    'docker:19.03.14',
    'library/docker:stable',
    'docker.io/library/docker:stable',
  ])('knows the API of %s, which does not change any more', image => {
    expect(frozenClientApi(image)).toBe('1.40');
  });

  it.each([
    'docker',
    'docker:cli',
    'docker:28',
    'docker:stable-dind',
    'me/docker:stable',
    'docker:19.03.14-git',
  ])('guesses nothing about %s', image => {
    expect(frozenClientApi(image)).toBeUndefined();
  });
});

describe('refuses', () => {
  it('goes by the minimum API of the engine, and never by its version', () => {
    expect(refuses(engine('1.44', '20.10.0'), 'docker:stable')).toBe(true);
    expect(refuses(engine('1.40', '29.3.0'), 'docker:stable')).toBe(false);
    expect(refuses(engine('1.24', '99.0.0'), 'docker:stable')).toBe(false);
  });

  it('compares API versions as numbers, part by part', () => {
    expect(refuses(engine('1.100'), 'docker:stable')).toBe(true);
    expect(refuses(engine('1.9'), 'docker:stable')).toBe(false);
    expect(refuses(engine('2.0'), 'docker:stable')).toBe(true);
    expect(refuses(engine('1.41'), 'docker:stable')).toBe(true);
  });

  it('takes an image whose client it does not know', () => {
    expect(refuses(engine('9.99'), 'docker:cli')).toBe(false);
  });
});

describe('lookAtEngine', () => {
  let folder: string;
  const standIn = (script: string): void => {
    writeFileSync(join(folder, 'docker'), `#!/bin/sh\n${script}\n`);
    chmodSync(join(folder, 'docker'), 0o755);
  };

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'engine-'));
    vi.stubEnv('PATH', `${folder}:/usr/bin:/bin`);
    vi.stubEnv('DOCKER_HOST', undefined);
    vi.stubEnv('DOCKER_CONTEXT', 'elsewhere');
    vi.stubEnv('DOCKER_CONFIG', folder);
  });

  afterEach(() => {
    vi.unstubAllEnvs();
    rmSync(folder, { recursive: true });
  });

  it('reads the versions that the engine gives', async () => {
    standIn(`[ "$1 $2" = 'version --format' ] && echo '28.5.2 1.51 1.24'`);
    expect(await lookAtEngine()).toEqual({ version: '28.5.2', apiVersion: '1.51', minApiVersion: '1.24' });
  });

  it.each([
    ['prints the client only, for there is no engine', 'echo "Cannot connect" >&2; exit 1'],
    ['leaves the minimum out', `echo '28.5.2 1.51 '`],
    ['prints nothing', 'true'],
  ])('sees no engine where the program %s', async (_, script) => {
    standIn(script);
    expect(await lookAtEngine()).toBeUndefined();
  });

  it('sees no engine where Docker is not installed', async () => {
    vi.stubEnv('PATH', folder);
    expect(await lookAtEngine()).toBeUndefined();
  });

  /** What an engine says of itself, beside much else. */
  const said = { Version: '29.3.0', ApiVersion: '1.54', MinAPIVersion: '1.40', Os: 'linux' };
  const seen = { version: '29.3.0', apiVersion: '1.54', minApiVersion: '1.40' };

  /** An engine at the socket that DOCKER_HOST names; what was asked of it is in the list. */
  async function listen(answer: RequestListener): Promise<string[]> {
    const asked: string[] = [];
    const server = createServer((request, response) => {
      asked.push(`${request.method} ${request.url}`);
      answer(request, response);
    });
    const socket = join(folder, 'engine.sock');
    await new Promise<void>(resolve => server.listen(socket, resolve));
    onTestFinished(() => {
      server.closeAllConnections();
      server.close();
    });
    vi.stubEnv('DOCKER_HOST', `unix://${socket}`);
    return asked;
  }

  it('asks the socket itself where DOCKER_HOST names one, whatever the context, and not the program', async () => {
    standIn('echo 1 1 1');
    const asked = await listen((_, response) => response.end(JSON.stringify(said)));
    expect(await lookAtEngine()).toEqual(seen);
    expect(asked).toEqual(['GET /version']);
  });

  it.each<[string, RequestListener]>([
    ['says that something is wrong', (_, response) => response.writeHead(500).end(JSON.stringify(said))],
    ['is none', (_, response) => response.end('<html>')],
    ['leaves the minimum out', (_, response) => response.end('{"Version":"1","ApiVersion":"1"}')],
    ['hangs up', request => request.socket.destroy()],
    ['hangs up in the middle', (_, response) => response.write('{', () => response.destroy())],
  ])('sees no engine where what listens there %s', async (_, answer) => {
    standIn('echo 1 1 1');
    await listen(answer);
    expect(await lookAtEngine()).toBeUndefined();
  });

  it('sees no engine where nothing listens, and waits no longer than two seconds for one', async () => {
    vi.stubEnv('DOCKER_HOST', `unix://${folder}/none.sock`);
    expect(await lookAtEngine()).toBeUndefined();
    await listen(() => undefined);
    expect(await lookAtEngine()).toBeUndefined();
  });

  it.each([
    ['another host', { DOCKER_HOST: 'ssh://me@host' }, '{}'],
    ['a context of the environment', { DOCKER_CONTEXT: 'rootless' }, '{}'],
    ['a context in use', { DOCKER_CONTEXT: undefined }, '{"currentContext":"desktop-linux"}'],
    ['a configuration that only docker may understand', { DOCKER_CONTEXT: undefined }, '{'],
  ])('asks the program docker where the engine is that of %s', async (_, environment, config) => {
    standIn(`echo '28.5.2 1.51 1.24'`);
    writeFileSync(join(folder, 'config.json'), config);
    for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value);
    expect((await lookAtEngine())?.version).toBe('28.5.2');
  });

  it.each([
    ['no configuration', undefined],
    ['one without a context', '{"auths":{}}'],
    ['the context "default"', '{"currentContext":"default"}'],
  ])('leaves the program alone with %s', async (_, config) => {
    standIn(`touch "${folder}/was-asked"`);
    vi.stubEnv('DOCKER_CONTEXT', undefined);
    if (config !== undefined) writeFileSync(join(folder, 'config.json'), config);
    await lookAtEngine();
    expect(existsSync(join(folder, 'was-asked'))).toBe(false);
  });
});
