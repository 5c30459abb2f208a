import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { commands, obstacles } from '../../build/release.ts';
import { needs } from '../support/needs.ts';
import { writeTexts } from '../support/own-tools.ts';
import { isInstalled } from '../support/rendered.ts';

const top = join(import.meta.dirname, '../..');
const repository = { type: 'git', url: 'git+https://gitlab.example.com/team/app.git' };
const generator = { name: 'generator-x', version: '1.2.3', repository };
const create = { name: 'create-x', version: '1.2.3', repository, dependencies: { 'generator-x': '1.2.3' } };

const git = (folder: string, ...words: string[]) => execFileSync('git', words, { cwd: folder });

/** A committed checkout of a package that can be published, but for what these texts say. */
function checkout(texts: Record<string, string> = {}): string {
  const folder = writeTexts({
    'package.json': JSON.stringify(generator),
    'package-lock.json': JSON.stringify({ version: '1.2.3' }),
    'create/package.json': JSON.stringify(create),
    'CHANGELOG.md': '# Changelog\n\n## 1.2.3 - 2026-11-28\n\n## 1.2.2 - 2026-01-01\n',
    ...texts,
  });
  git(folder, 'init', '--quiet');
  git(folder, 'add', '--all');
  git(folder, ...['-c', 'user.name=a', '-c', 'user.email=a@example.com', 'commit', '--quiet', '-m', 'x']);
  return folder;
}

describe.skipIf(!needs(isInstalled('git', '--version'), 'git'))('npm run release', () => {
  it('has nothing against a committed checkout with one version and a dated section', () => {
    expect(obstacles(checkout())).toEqual([]);
  });

  it.each([
    [
      'a section without a day',
      { 'CHANGELOG.md': '## 1.2.3 - unreleased\n' },
      /^CHANGELOG.md begins with "## 1.2.3 - unreleased": make/,
    ],
    [
      'a section of another version',
      { 'CHANGELOG.md': '## 1.2.2 - 2026-11-28\n' },
      /^CHANGELOG.md begins with .* make that "## 1\.2\.3 -/,
    ],
    [
      'another version in the lock',
      { 'package-lock.json': '{"version":"1.2.2"}' },
      /^package-lock.json says 1\.2\.2/,
    ],
    [
      'a package for npm create that asks for another version',
      { 'create/package.json': JSON.stringify({ ...create, dependencies: { 'generator-x': '1.2.2' } }) },
      /^"dependencies" of create\/package.json says 1\.2\.2/,
    ],
    [
      'no repository, which provenance names',
      { 'package.json': JSON.stringify({ ...generator, repository: undefined }) },
      /^generator-x has no "repository"/,
    ],
  ])('says what to do about %s', (_, texts, sentence) => {
    expect(obstacles(checkout(texts))).toEqual([expect.stringMatching(sentence)]);
  });

  it('names what is not committed', () => {
    const folder = checkout();
    writeFileSync(join(folder, 'left-over'), '');
    expect(obstacles(folder)).toEqual([
      expect.stringMatching(/^These files are not as committed[\s\S]*left-over/),
    ]);
  });

  it('refuses a version that is tagged', () => {
    const folder = checkout();
    git(folder, 'tag', 'v1.2.3');
    expect(obstacles(folder)).toEqual(['v1.2.3 is tagged: choose the next version.']);
  });
});

it('publishes the generator before the package that needs it, both with provenance', () => {
  const [, first, second] = commands('1.2.3');
  expect(first).toMatch(/^npm publish --provenance\b/);
  expect(second).toMatch(/^npm publish \.\/create --provenance\b/);
});

it('the two packages of this checkout have one version, and so has the lock', () => {
  const read = (path: string) => JSON.parse(readFileSync(join(top, path), 'utf8'));
  const { name, version } = read('package.json');
  const { version: other, dependencies } = read('create/package.json');
  expect([other, dependencies[name], read('package-lock.json').version]).toEqual([version, version, version]);
});
