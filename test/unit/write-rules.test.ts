import { mkdirSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { differing, requireWayToWrite } from '../../generators/app/write-rules.ts';

vi.mock('node:fs', async importOriginal => {
  const original = await importOriginal<typeof import('node:fs')>();
  return { ...original, statfsSync: vi.fn(original.statfsSync) };
});

const noOptions = { force: false, bail: false, dryRun: false, terminal: false };
const wanted = new Map([
  ['same', 'same\n'],
  ['edited', 'new\n'],
  ['config/missing', 'new\n'],
]);
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'rules-'));
  writeFileSync(join(folder, 'same'), 'same\n');
  writeFileSync(join(folder, 'edited'), 'mine\n');
});

afterEach(() => {
  vi.resetAllMocks();
  rmSync(folder, { recursive: true });
});

const write =
  (options: Partial<typeof noOptions> = {}) =>
  () =>
    requireWayToWrite(folder, wanted, { ...noOptions, ...options });

describe('differing', () => {
  it('names files with another text, and files that are missing', () => {
    expect(differing(folder, wanted)).toEqual(['edited', 'config/missing']);
  });
});

describe('requireWayToWrite', () => {
  it('refuses, without a terminal, to overwrite: one line names the files and what to do', () => {
    expect(write()).toThrow(
      /^Nothing was written: edited would change\. Run again in a terminal to see each difference and choose, or with --force to overwrite\.$/,
    );
  });

  it.each(['force', 'bail', 'dryRun', 'terminal'])('leaves the decision to Yeoman with %s', option => {
    expect(write({ [option]: true })).not.toThrow();
  });

  it('passes without a terminal where files are only added', () => {
    rmSync(join(folder, 'edited'));
    expect(write()).not.toThrow();
  });

  it('refuses a full disk, except where nothing is to be written anyway', () => {
    vi.mocked(statfsSync).mockReturnValue({ bavail: 1, bsize: 4096, files: 0, ffree: 0 } as never);
    expect(write({ force: true })).toThrow(
      /is full: free \d+ KiB there and run again; nothing was written\.$/,
    );
    expect(write({ dryRun: true })).not.toThrow();
  });

  it('refuses a file in the place of a folder, and a folder in the place of a file', () => {
    writeFileSync(join(folder, 'config'), '');
    expect(write({ force: true })).toThrow(
      `${join(folder, 'config')} is a file, and a folder should be there`,
    );
    rmSync(join(folder, 'same'));
    mkdirSync(join(folder, 'same'));
    expect(write({ force: true })).toThrow(`${join(folder, 'same')} is a folder, and a file should be there`);
  });
});
