import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
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
});
