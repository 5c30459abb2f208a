import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { blobId, committed, textInGit, uncommitted } from '../../generators/write/git.ts';
import { needs } from '../support/needs.ts';
import { isInstalled, run, temporaryFolder } from '../support/rendered.ts';

let folder: string;
const git = (...words: string[]) => {
  const { status, stdout, stderr } = run(folder, ['git', ...words]);
  expect(status, stderr).toBe(0);
  return stdout.trimEnd();
};
const put = (path: string, text: string) => writeFileSync(join(folder, path), text);
const commit = () => {
  git('add', '.');
  git('-c', 'user.name=a', '-c', 'user.email=a@b.c', '-c', 'core.hooksPath=/dev/null', 'commit', '-qm', 'x');
};

describe.skipIf(!needs(isInstalled('git', '--version'), 'git'))('with Git', () => {
  beforeEach(() => {
    folder = temporaryFolder();
    git('init', '--quiet');
  });

  it.each(['', 'text\n', 'Größe 👍 without an end', '\uFEFFa\r\n'])('blobId is what Git says: %j', text => {
    put('a', text);
    const id = git('hash-object', '--no-filters', 'a');
    expect(blobId(text)).toBe(id);
    expect(blobId(Buffer.from(text))).toBe(id);
  });

  it('textInGit has what was ever committed, and from a folder below too', () => {
    put('a', 'first\n');
    commit();
    put('a', 'second\n');
    commit();
    mkdirSync(join(folder, 'below'));
    for (const place of [folder, join(folder, 'below')]) {
      expect(textInGit(place, blobId('first\n'))).toBe('first\n');
      expect(textInGit(place, blobId('third\n'))).toBeUndefined();
    }
  });

  it('committed names what the last commit has as it is, by paths in the folder', () => {
    mkdirSync(join(folder, 'my runner/below'), { recursive: true });
    const inside = join(folder, 'my runner');
    const names = ['same', 'below/same', 'changed', 'staged', 'new', 'ignored', 'none'];
    expect(committed(inside, names)).toEqual([]);
    for (const name of names.slice(0, 4)) put(join('my runner', name), 'x');
    put('.gitignore', 'ignored\n');
    commit();
    for (const name of ['changed', 'staged', 'new', 'ignored']) put(join('my runner', name), 'y');
    git('add', 'my runner/staged');
    expect(committed(inside, names)).toEqual(['same', 'below/same']);
  });

  it('uncommitted names what is changed, staged or new, by paths in the folder, and not what is ignored', () => {
    mkdirSync(join(folder, 'my runner'));
    const inside = (name: string) => join('my runner', name);
    for (const name of ['same', 'changed', 'staged', 'gone']) put(inside(name), 'x');
    put('outside', 'x');
    put('.gitignore', 'ignored\n');
    commit();
    for (const name of ['changed', 'staged', 'new ü', 'ignored']) put(inside(name), 'y');
    put('outside', 'y');
    git('add', inside('staged'));
    git('rm', '--quiet', '--cached', inside('gone'));
    const named = uncommitted(join(folder, 'my runner'));
    expect([...new Set(named)].sort()).toEqual(['changed', 'gone', 'new ü', 'staged']);
  });
});

it('without Git, or outside of a repository, nothing is known and nothing fails', () => {
  const outside = temporaryFolder();
  for (const [place, path] of [
    [outside, process.env.PATH],
    [outside, '/nowhere'],
    [join(outside, 'not there'), process.env.PATH],
  ] as const) {
    vi.stubEnv('PATH', path);
    expect(textInGit(place, blobId(''))).toBeUndefined();
    expect(uncommitted(place)).toEqual([]);
    vi.unstubAllEnvs();
  }
});
