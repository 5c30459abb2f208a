import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { files } from '../../generators/app/files.ts';
import { templates } from '../../generators/app/render.ts';
import { scenarios } from '../support/answers.ts';
import { needs } from '../support/needs.ts';
import { isInstalled, renderAll, run, writeAll } from '../support/rendered.ts';

describe.each(Object.entries(scenarios))('every file with %s', (_, typed) => {
  const texts = Object.entries(renderAll({ ...typed, description: 'A Runner' }));

  it('is text that an editor leaves as it is: no trailing blanks, one line end at the end', () => {
    for (const [path, text] of texts) {
      expect(
        text.split('\n').filter(line => /[ \t\r]$/.test(line)),
        path,
      ).toEqual([]);
      expect(text, path).toMatch(/[^\n]\n$/);
    }
  });

  it('has no more than one empty line in a row', () => {
    for (const [path, text] of texts) expect(text, path).not.toContain('\n\n\n');
  });

  it('is indented as .editorconfig says: by tabs in the Makefile, by spaces elsewhere', () => {
    for (const [path, text] of texts) expect(text.includes('\t'), path).toBe(path === 'Makefile');
  });

  it('shows nothing of the template it came from', () => {
    for (const [path, text] of texts) {
      expect(text, path).not.toMatch(/<%|%>|\[object |\bNaN\b/);
      // Scripts may speak of undefined, but no value that was filled in may be it.
      const template = readFileSync(join(templates, path.replace('.gitignore', '_gitignore')), 'utf8');
      const count = (source: string): number => source.split(/\bundefined\b/).length;
      expect(count(text), path).toBe(count(template));
    }
  });

  it('reads as if written by hand: the generator is not named', () => {
    for (const [path, text] of texts)
      expect(text, path).not.toMatch(/yeoman|generator-gitlab|yo-rc|yo gitlab/i);
  });
});

it('there are at most 20 files', () => {
  expect(Object.keys(renderAll()).length).toBeLessThanOrEqual(20);
});

describe('the templates', () => {
  const paths = readdirSync(templates, { recursive: true, encoding: 'utf8' }).filter(path =>
    statSync(join(templates, path)).isFile(),
  );

  it('are those that the table of files names, no more and no fewer', () => {
    const named = files.map(({ path }) => path.replace(/\.gitignore$/, '_gitignore'));
    expect(paths.sort()).toEqual(named.sort());
  });

  it('print with <%- only, for <%= would escape text as HTML', () => {
    for (const path of paths) expect(readFileSync(join(templates, path), 'utf8'), path).not.toContain('<%=');
  });

  it('that have no data print nothing, so that they are the files themselves', () => {
    for (const { path } of files.filter(({ data }) => !data)) {
      expect(renderAll()[path]).toBe(
        readFileSync(join(templates, path.replace(/\.gitignore$/, '_gitignore')), 'utf8'),
      );
    }
  });
});

describe.skipIf(!needs(isInstalled('git', '--version'), 'git'))('git', () => {
  it('tracks what was written, and neither secrets nor the configuration', () => {
    const folder = writeAll();
    run(folder, ['git', 'init', '--quiet']);
    run(folder, [
      'sh',
      '-c',
      'mkdir config/certs && touch .env config/config.toml config/certs/ca.crt config/.runner_system_id',
    ]);
    run(folder, ['git', 'add', '--all']);
    const tracked = run(folder, ['git', 'ls-files']).stdout.trim().split('\n');
    expect(tracked.sort()).toEqual(files.map(({ path }) => path).sort());
  });

  it('keeps the right to run scripts/run', () => {
    const folder = writeAll();
    run(folder, ['git', 'init', '--quiet']);
    run(folder, ['git', 'add', '--all']);
    expect(run(folder, ['git', 'ls-files', '--stage', 'scripts/run']).stdout).toMatch(/^100755 /);
  });
});
