import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import ejs from 'ejs';
import { describe, expect, it } from 'vitest';
import { filesOf } from '../../generators/write/files.ts';
import { templates } from '../../generators/write/render.ts';
import { allScenarios } from '../support/answers.ts';
import { needs } from '../support/needs.ts';
import { isInstalled, pathsWith, planWith, renderAll, run, writeAll } from '../support/rendered.ts';

/** Each template, parts too, by its path below the folder of all. */
const templateTexts = Object.fromEntries(
  readdirSync(templates, { recursive: true, encoding: 'utf8' })
    .filter(path => statSync(join(templates, path)).isFile())
    .map(path => [path, readFileSync(join(templates, path), 'utf8')]),
);
/** The template that a file is rendered from, or that it is. */
const templateOf = (path: string): string => (`${path}.ejs` in templateTexts ? `${path}.ejs` : path);

describe.each(Object.entries(allScenarios))('every file with %s', (_, typed) => {
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

  it('is indented by tabs in the Makefile, by spaces elsewhere', () => {
    for (const [path, text] of texts) expect(text.includes('\t'), path).toBe(path === 'Makefile');
  });

  it('shows nothing of the template it came from', () => {
    for (const [path, text] of texts.filter(([path]) => templateOf(path) !== path)) {
      expect(text, path).not.toMatch(/<%|%>|\[object |\b(NaN|undefined)\b/);
    }
  });

  it('reads as if written by hand: the generator is not named', () => {
    for (const [path, text] of texts)
      expect(text, path).not.toMatch(/yeoman|generator-gitlab|yo-rc|yo gitlab/i);
  });
});

describe('the templates', () => {
  const paths = Object.keys(templateTexts);
  const parts = paths.filter(path => path.startsWith('_parts/'));

  it('are those that some scenario renders, and their parts, no more and no fewer', () => {
    const all = Object.values(allScenarios).flatMap(typed => filesOf(planWith(typed)));
    const named = new Set(all.map(({ path, template = path }) => templateOf(template)));
    expect([...paths].sort()).toEqual([...named, ...parts].sort());
  });

  it('include every part in some scenario', () => {
    const included = new Set<string>();
    const load = ejs.fileLoader;
    ejs.clearCache(); // what was read before is not read again
    ejs.fileLoader = path => {
      included.add(relative(templates, path));
      return load(path);
    };
    try {
      for (const typed of Object.values(allScenarios)) renderAll(typed);
    } finally {
      ejs.fileLoader = load;
    }
    expect([...included].sort()).toEqual([...parts].sort());
  });

  it('print with <%- only, for <%= would escape text as HTML', () => {
    for (const [path, text] of Object.entries(templateTexts)) expect(text, path).not.toContain('<%=');
  });

  it('are EJS in .ejs files alone: scripts are what the compiler saw', () => {
    for (const path of paths.filter(path => !path.endsWith('.ejs')))
      expect(templateTexts[path], path).not.toContain('<%');
    expect(paths.filter(path => /\.ts\.ejs$/.test(path))).toEqual(['scripts/settings.ts.ejs']);
  });
});

describe.skipIf(!needs(isInstalled('git', '--version'), 'git'))('git', () => {
  it.each(Object.entries(allScenarios))('tracks what was written, and no secrets: %s', (_, typed) => {
    const folder = writeAll(typed);
    run(folder, ['git', 'init', '--quiet']);
    const ofOneHost = typed.monitoring === 'yes' ? '.runner_system_id grafana-password' : '.runner_system_id';
    const files = `../.env ../.env.new certs/ca.crt ${typed.executor === 'kubernetes' ? '' : ofOneHost}`;
    run(folder, ['sh', '-c', `mkdir -p config/certs && cd config && touch ${files}`]);
    run(folder, ['git', 'add', '--all']);
    const tracked = run(folder, ['git', 'ls-files']).stdout.trim().split('\n');
    expect(tracked.sort()).toEqual([...pathsWith(typed), 'config/certs/ca.crt'].sort());
  });

  it('keeps the right to run scripts/run', () => {
    const folder = writeAll();
    run(folder, ['git', 'init', '--quiet']);
    run(folder, ['git', 'add', '--all']);
    expect(run(folder, ['git', 'ls-files', '--stage', 'scripts/run']).stdout).toMatch(/^100755 /);
  });
});
