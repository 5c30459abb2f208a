import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { needs } from '../support/needs.ts';
import { writeTexts } from '../support/own-tools.ts';
import { isInstalled } from '../support/rendered.ts';

const pathOf = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const textOf = (path: string) => readFileSync(pathOf(path), 'utf8');
const { scripts } = JSON.parse(textOf('package.json'));
const busy = pathOf('build/busy.mjs');

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

it('npm test says in a line that it installs and checks, before it does', () => {
  const programs = ['build/busy.mjs', 'build/together.mjs'].map(path => [path, textOf(path)]);
  const [said, ...called] = run(scripts.pretest, writeTexts(Object.fromEntries(programs)));
  expect(said).toMatch(/^Installing .*, and checking .* \.\.\.$/);
  const calls = ['setup', 'check', 'build', 'tools'].map(name => `npm run --silent ${name}`);
  expect(called.sort()).toEqual(calls.sort());
});

describe('build/together.mjs', () => {
  const runTogether = (...commands: string[]) =>
    spawnSync(process.execPath, [pathOf('build/together.mjs'), ...commands], { encoding: 'utf8' });

  it('runs commands at the same time', () => {
    const folder = writeTexts({});
    const meet = (mine: string, other: string) =>
      `cd '${folder}' && touch ${mine} && until [ -e ${other} ]; do sleep 0.05; done`;
    expect(runTogether(meet('a', 'b'), meet('b', 'a')).status).toBe(0);
  });

  it.each([
    ['one', ['exit 3', 'echo done']],
    ['the other', ['echo done', 'exit 3']],
  ])('ends as %s that fails, once both have ended', (_, commands) => {
    expect(runTogether(...commands)).toMatchObject({ status: 3, stdout: 'done\n' });
  });

  it('fails where a signal ends one', () => {
    expect(runTogether('kill -9 $$', 'true').status).not.toBe(0);
  });
});

describe('build/busy.mjs', () => {
  const work = 'sleep 0.3; echo out; echo err >&2; exit 3';

  it('says in a line what is done, hands on what that prints, and ends as it does', () => {
    const words = [busy, 'Working ...', 'sh', '-c', work];
    const { status, stdout, stderr } = spawnSync(process.execPath, words, { encoding: 'utf8' });
    expect([status, stdout, stderr]).toEqual([3, 'out\n', 'Working ...\nerr\n']);
  });

  const hasTerminal = isInstalled('script', '--version');
  it.skipIf(!needs(hasTerminal, 'script, of util-linux'))('turns on a terminal until that has ended', () => {
    const line = `'${process.execPath}' '${busy}' 'Working ...' sh -c '${work}'`;
    const { status, stdout } = spawnSync('script', ['-qefc', line, '/dev/null'], { encoding: 'utf8' });
    expect(status).toBe(3);
    const [nothing, first, second, ...more] = stdout.replaceAll('\r\n', '\n').split('\r\x1b[K');
    expect([nothing, first?.[0], second?.[0]]).toEqual(['', '|', '/']);
    expect(first).toBe('| Working ... 0 s');
    expect(more.at(-1)?.split('\n').sort()).toEqual(['', 'Working ...', 'err', 'out']);
  });
});
