import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { writeTexts } from '../support/own-tools.ts';

const { scripts } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));

/** Runs one of the scripts of package.json as npm does, in that folder, with an npm that only says how it was called. */
function run(script: string, folder: string): string[] {
  const programs = join(folder, 'programs');
  mkdirSync(programs, { recursive: true });
  writeFileSync(join(programs, 'npm'), '#!/bin/sh\necho "npm $*" >&2\n', { mode: 0o755 });
  const env = { PATH: `${programs}:${process.env.PATH}` };
  const { status, stderr } = spawnSync('sh', ['-c', script], { cwd: folder, env, encoding: 'utf8' });
  expect(status).toBe(0);
  return stderr.split('\n').filter(line => line !== '');
}

describe.each(['setup', 'tools'])('npm run %s', name => {
  const modules = name === 'tools' ? 'test/tools/node_modules' : 'node_modules';

  it('says in a line what it installs, before it does', () => {
    const [said, called, ...more] = run(scripts[name], writeTexts({}));
    expect(said).toMatch(/^Installing .*, once \.\.\.$/);
    expect(called).toMatch(/^npm ci /);
    expect(more).toEqual([]);
  });

  it('says and does nothing where it is installed', () => {
    expect(run(scripts[name], writeTexts({ [`${modules}/.package-lock.json`]: '{}' }))).toEqual([]);
  });
});

it('npm test says in a line that it checks the sources, before it does', () => {
  const lines = run(scripts.pretest, writeTexts({}));
  const at = lines.findIndex(line => line.includes('npm run --silent check'));
  expect(lines[at - 1]).toMatch(/^Checking .* \.\.\.$/);
});
