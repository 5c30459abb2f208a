import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Refusal } from '../../generators/ask/refusal.ts';
import {
  readText,
  requireFolder,
  requireSpace,
  requireWritable,
} from '../../generators/write/files-on-disk.ts';

vi.mock('node:fs', async importOriginal => {
  const original = await importOriginal<typeof fs>();
  const spied = ['accessSync', 'readFileSync', 'statfsSync'] as const;
  return { ...original, ...Object.fromEntries(spied.map(name => [name, vi.fn(original[name])])) };
});

const { mkdtempSync, rmSync, writeFileSync } = fs;
let folder: string;
const file = (name: string): string => join(folder, name);

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'files-'));
});

afterEach(() => {
  vi.resetAllMocks();
  rmSync(folder, { recursive: true });
});

const failsWith = (code: string) => (): never => {
  throw Object.assign(new Error(code), { code });
};

describe('readText', () => {
  it('gives the text of a file, and undefined where there is none', () => {
    writeFileSync(file('a'), 'text\n');
    expect(readText(file('a'))).toBe('text\n');
    expect(readText(file('b'))).toBeUndefined();
    expect(readText(file('b/c'))).toBeUndefined();
    expect(readText(file('a/c'))).toBeUndefined();
  });

  it('waits for no pipe, and reads no device without an end, in the place of a file', () => {
    execFileSync('mkfifo', [file('pipe')]);
    for (const path of [file('pipe'), '/dev/zero'])
      expect(() => readText(path)).toThrow(`${path} is no file, but a pipe or a device`);
  });

  it('refuses a folder in the place of a file, and a file that this user may not read', () => {
    expect(() => readText(folder)).toThrow(`${folder} is a folder, and a file should be there`);
    fs.writeFileSync(file('a'), '');
    vi.mocked(fs.readFileSync).mockImplementationOnce(failsWith('EACCES'));
    expect(() => readText(file('a'))).toThrow(
      new Refusal(`${file('a')} cannot be read (EACCES): change its permissions and run again.`),
    );
  });
});

it('readText keeps a byte order mark and other ends of lines, and refuses what it could not write back as it was', () => {
  for (const text of ['\uFEFFa\r\nb', 'ü\n', '']) {
    writeFileSync(file('a'), text);
    expect(readText(file('a'))).toBe(text);
  }
  writeFileSync(file('a'), Buffer.from('Größe\n', 'latin1'));
  expect(() => readText(file('a'))).toThrow(`${file('a')} is not in UTF-8: convert it, or move it away`);
});

describe('requireWritable', () => {
  it('passes a file that exists, one that does not, and one whose folder does not', () => {
    writeFileSync(file('a'), '');
    for (const path of ['a', 'b', 'c/d/e']) expect(() => requireWritable(file(path))).not.toThrow();
  });

  it('refuses a file in the place of a folder', () => {
    writeFileSync(file('config'), '');
    expect(() => requireWritable(file('config/x/y'))).toThrow(
      `${file('config')} is a file, and a folder should be there: move it away and run again.`,
    );
  });

  it('refuses what this user may not write, and names what that is', () => {
    writeFileSync(file('a'), '');
    vi.mocked(fs.accessSync).mockImplementation(path =>
      path === folder ? failsWith('EACCES')() : undefined,
    );
    expect(() => requireWritable(file('a'))).toThrow(`You may not write to ${folder}: `);
    vi.mocked(fs.accessSync).mockReset();
    vi.mocked(fs.accessSync).mockImplementationOnce(failsWith('EACCES'));
    expect(() => requireWritable(file('x/y'))).toThrow(`You may not write to ${folder}: `);
    vi.mocked(fs.accessSync).mockImplementationOnce(failsWith('EROFS'));
    expect(() => requireWritable(file('x/y'))).toThrow(
      `${folder} is on a file system that takes no changes: `,
    );
  });
});

describe('requireFolder', () => {
  const refusalOf = (path: string) => () => requireFolder(file(path));
  /** As access(2) does, of a folder that lets this user do no more than that. */
  const closed = (name: string, rights: number) =>
    vi
      .mocked(fs.accessSync)
      .mockImplementation((path, mode = 0) =>
        path === file(name) && mode & ~rights ? failsWith('EACCES')() : undefined,
      );

  it('passes a folder, and one that does not exist yet', () => {
    fs.mkdirSync(file('a'));
    fs.symlinkSync('a', file('link'));
    for (const path of ['a', 'a/b/c', 'link', 'link/b', 'd/e']) expect(refusalOf(path)).not.toThrow();
  });

  it('refuses a folder that this user may not enter, or not read, and names the one that is closed', () => {
    fs.mkdirSync(file('a/b'), { recursive: true });
    closed('a', 0);
    const sentence = `You may not read ${file('a')}: change its permissions, or name another directory. Nothing was written.`;
    for (const path of ['a', 'a/b', 'a/b/none']) expect(refusalOf(path)).toThrow(new Refusal(sentence));
    closed('a', fs.constants.X_OK);
    expect(refusalOf('a/b')).not.toThrow();
    expect(refusalOf('a')).toThrow(new Refusal(sentence));
  });
});

describe('requireSpace', () => {
  const disk = (free: { bavail: number; blocks?: number; files?: number; ffree?: number }): void => {
    vi.mocked(fs.statfsSync).mockReturnValueOnce({
      bsize: 1024,
      blocks: 9999,
      files: 1000,
      ffree: 1000,
      ...free,
    } as never);
  };

  it('passes where the bytes fit, also in a folder that is yet to be made', () => {
    disk({ bavail: 10 });
    expect(() => requireSpace(file('new/folder'), 10 * 1024)).not.toThrow();
    expect(fs.statfsSync).toHaveBeenCalledWith(folder);
  });

  it('refuses a disk with one byte too few, and says how much to free', () => {
    disk({ bavail: 10 });
    expect(() => requireSpace(folder, 10 * 1024 + 1)).toThrow(
      new Refusal(
        `The disk that holds ${folder} is full: free 11 KiB there and run again; nothing was written.`,
      ),
    );
  });

  it('refuses a disk that has bytes but takes no more files', () => {
    disk({ bavail: 1000, ffree: 3 });
    expect(() => requireSpace(folder, 1)).toThrow(`The disk that holds ${folder} is full`);
  });

  it('passes a file system that does not count its files, or its blocks', () => {
    disk({ bavail: 1000, files: 0, ffree: 0 });
    expect(() => requireSpace(folder, 1)).not.toThrow();
    disk({ blocks: 0, bavail: 0 });
    expect(() => requireSpace(folder, 1)).not.toThrow();
  });
});
