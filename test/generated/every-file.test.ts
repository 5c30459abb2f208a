import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import ejs from 'ejs';
import { describe, expect, it } from 'vitest';
import { files } from '../../generators/app/files.ts';
import { templates } from '../../generators/app/render.ts';
import { scenarios } from '../support/answers.ts';
import { needs } from '../support/needs.ts';
import { isInstalled, pathsWith, renderAll, run, writeAll } from '../support/rendered.ts';

/** Each template, parts too, by its path below the folder of all. */
const templateTexts = Object.fromEntries(
  readdirSync(templates, { recursive: true, encoding: 'utf8' })
    .filter(path => statSync(join(templates, path)).isFile())
    .map(path => [path, readFileSync(join(templates, path), 'utf8')]),
);
const templateOf = (path: string): string => path.replace(/\.gitignore$/, '_gitignore');

/** Every line that some template has. */
const templateLines = new Set(Object.values(templateTexts).flatMap(text => text.split('\n')));

/** The parts that rendering has included so far; each is read once, and then cached. */
const included = new Set<string>();
const load = ejs.fileLoader;
ejs.fileLoader = path => {
  included.add(relative(templates, path));
  return load(path);
};

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

  it('has no more than one empty line in a row, and none at its beginning', () => {
    for (const [path, text] of texts) {
      expect(text, path).not.toContain('\n\n\n');
      expect(text, path).not.toMatch(/^\n/);
    }
  });

  it('is indented as .editorconfig says: by tabs in the Makefile, by spaces elsewhere', () => {
    for (const [path, text] of texts) expect(text.includes('\t'), path).toBe(path === 'Makefile');
  });

  it('shows nothing of the template it came from', () => {
    for (const [path, text] of texts) {
      expect(text, path).not.toMatch(/<%|%>|\[object |\bNaN\b/);
      // Scripts may speak of undefined, in lines that are the template's own, but no value may be it.
      const lines = text.split('\n').filter(line => /\bundefined\b/.test(line));
      expect(
        lines.filter(line => !templateLines.has(line)),
        path,
      ).toEqual([]);
    }
  });

  it('reads as if written by hand: the generator is not named', () => {
    for (const [path, text] of texts)
      expect(text, path).not.toMatch(/yeoman|generator-gitlab|yo-rc|yo gitlab/i);
  });
});

it('there are at most 25 files by default', () => {
  expect(pathsWith().length).toBeLessThanOrEqual(25);
});

it('each file is there in some scenario, and not in all where it depends on answers', () => {
  const all = Object.values(scenarios).map(pathsWith);
  for (const { path, when } of files) {
    const count = all.filter(paths => paths.includes(path)).length;
    expect(count, path).toBeGreaterThan(0);
    expect(count === all.length, path).toBe(when === undefined);
  }
});

describe('the templates', () => {
  const paths = Object.keys(templateTexts);
  const parts = paths.filter(path => path.startsWith('_parts/'));

  it('are those that the table of files names, and their parts, no more and no fewer', () => {
    const named = files.map(({ path }) => templateOf(path));
    expect([...paths].sort()).toEqual([...named, ...parts].sort());
  });

  it('include every part in some scenario', () => {
    for (const typed of Object.values(scenarios)) renderAll(typed);
    expect([...included].sort()).toEqual([...parts].sort());
  });

  it('print with <%- only, for <%= would escape text as HTML', () => {
    for (const [path, text] of Object.entries(templateTexts)) expect(text, path).not.toContain('<%=');
  });

  it('that have no data print nothing, so that they are the files themselves', () => {
    const withoutData = files.filter(({ data }) => !data).map(({ path }) => path);
    const compared = new Set<string>();
    for (const typed of Object.values(scenarios)) {
      const texts = renderAll(typed);
      for (const path of withoutData.filter(one => texts[one] !== undefined)) {
        expect(texts[path], path).toBe(templateTexts[templateOf(path)]);
        expect(texts[path], path).not.toContain('<%');
        compared.add(path);
      }
    }
    expect([...compared].sort()).toEqual([...withoutData].sort());
  });
});

describe.skipIf(!needs(isInstalled('git', '--version'), 'git'))('git', () => {
  it.each(Object.entries(scenarios))(
    'tracks what was written, and neither secrets nor the configuration: %s',
    (_, typed) => {
      const folder = writeAll(typed);
      run(folder, ['git', 'init', '--quiet']);
      run(folder, [
        'sh',
        '-c',
        'mkdir config/certs && cd config && touch ../.env config.toml .runner_system_id certs/ca.crt certs/ca.key',
      ]);
      run(folder, ['git', 'add', '--all']);
      const tracked = run(folder, ['git', 'ls-files']).stdout.trim().split('\n');
      const certificate = typed.privateCa === 'yes' ? ['config/certs/ca.crt'] : [];
      expect(tracked.sort()).toEqual([...pathsWith(typed), ...certificate].sort());
    },
  );

  it('keeps the right to run scripts/run', () => {
    const folder = writeAll();
    run(folder, ['git', 'init', '--quiet']);
    run(folder, ['git', 'add', '--all']);
    expect(run(folder, ['git', 'ls-files', '--stage', 'scripts/run']).stdout).toMatch(/^100755 /);
  });
});
