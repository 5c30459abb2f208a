import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, inject, test } from 'vitest';

const { tarball } = inject('package');
const top = join(import.meta.dirname, '../..');

/** Mode and path of each file in the tarball. */
const entries = execFileSync('tar', ['-tvzf', tarball], { encoding: 'utf8' })
  .trimEnd()
  .split('\n')
  .map(line => ({ mode: line.slice(0, 10), path: line.replace(/^.* package\//, '') }));
const paths = entries.map(({ path }) => path);

describe('the packed tarball', () => {
  test('holds every template, those that npm leaves out by their usual names too', () => {
    const templates = readdirSync(join(top, 'templates'), { recursive: true, withFileTypes: true })
      .filter(entry => entry.isFile())
      .map(entry => join(entry.parentPath, entry.name).slice(top.length + 1));
    expect(paths.filter(path => path.startsWith('templates/')).sort()).toEqual(templates.sort());
    for (const path of ['.gitignore.ejs', '.gitattributes', '.env.example.ejs', '.gitlab-ci.yml.ejs']) {
      expect(paths).toContain(`templates/${path}`);
    }
  });

  test('keeps scripts/run executable', () => {
    expect(entries).toContainEqual({ mode: '-rwxr-xr-x', path: 'templates/scripts/run.ejs' });
  });

  test('holds the compiled generator where Yeoman looks for it, and the command', () => {
    const { bin } = JSON.parse(readFileSync(join(top, 'package.json'), 'utf8')) as { bin: string };
    expect(paths).toContain('dist/generators/app/index.js');
    expect(paths).toContain(bin);
  });

  test('holds nothing else: no sources, no tests, no settings of tools', () => {
    const documents = ['README.md', 'CHANGELOG.md', 'LICENSE'].filter(name => existsSync(join(top, name)));
    const others = paths.filter(path => !/^(templates\/.*|dist\/(bin|generators)\/.*\.js)$/.test(path));
    expect(others.sort()).toEqual([...documents, 'package.json'].sort());
  });

  test('has no folder in which Yeoman would find a generator that is none', () => {
    expect(paths.filter(path => /(^|\/)index\.[cm]?[jt]s$/.test(path))).toEqual([
      'dist/generators/app/index.js',
      'dist/generators/runner/index.js',
    ]);
  });
});
