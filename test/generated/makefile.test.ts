import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { needs } from '../support/needs.ts';
import { shellcheckRecipe, targetsOf } from '../support/own-tools.ts';
import { isInstalled, renderAll, run, writeAll } from '../support/rendered.ts';

const text = renderAll().Makefile!;
const targets = targetsOf(text);
const several = {
  platforms: 'linux/amd64,linux/arm64/v8,linux/arm/v7',
  dockerImage: 'docker:cli',
  monitoring: 'yes',
};
const daily =
  'doctor register plan apply up down restart status logs verify unregister rotate upgrade prune validate'.split(
    ' ',
  );

it('the Makefile has every command of the daily use', () => {
  expect(targets).toEqual(expect.arrayContaining(daily));
});

describe('the Makefile uses nothing newer than GNU make 3.81, as macOS has it:', () => {
  const makeLines = text.split('\n').filter(line => !line.startsWith('\t') && !line.startsWith('#'));

  it.each([
    ['.ONESHELL (3.82)', /^\.ONESHELL/],
    ['.RECIPEPREFIX (3.82)', /\.RECIPEPREFIX/],
    ['private and undefine (3.82)', /^(private|undefine)\b/],
    ['define NAME = (3.82)', /^define\s+\S+\s*[:+?!]?=/],
    ['NAME != command (4.0)', /^[^#=]*!=/],
    ['NAME ::= value (4.0)', /::?:=/],
    ['$(file ...) (4.0)', /\$[({]file\b/],
    ['$(let ...) and $(intcmp ...) (4.4)', /\$[({](let|intcmp)\b/],
    ['grouped targets &: (4.3)', /&:/],
    ['--output-sync, .NOTINTERMEDIATE, .WAIT (4.x)', /^\.(NOTINTERMEDIATE|WAIT)|\.SHELLSTATUS/],
  ])('no %s', (_, newer) => {
    expect(makeLines.filter(line => newer.test(line))).toEqual([]);
  });
});

describe.skipIf(!needs(isInstalled('make', '--version'), 'make'))('make', () => {
  it.each([{}, several])('alone prints help: one line for each command, with %j', typed => {
    const { status, stdout, stderr } = run(writeAll(typed), ['make']);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const listed = [...stdout.matchAll(/^ +make (\S+) +\S.*$/gm)].map(([, target]) => target);
    expect(listed).toEqual(targetsOf(renderAll(typed).Makefile!));
  });

  it('has one more command where images are of several platforms, and none else', () => {
    expect(targetsOf(renderAll(several).Makefile!)).toEqual([...targets, 'binfmt']);
    const { status, stdout, stderr } = run(writeAll(several), ['make', '--dry-run', 'binfmt']);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toContain(' --install amd64,arm64,arm\n');
  });

  it.each(targets)('knows what to do for %s', target => {
    const { status, stdout, stderr } = run(writeAll(), ['make', '--dry-run', target]);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).not.toBe('');
  });

  it('makes .env from .env.example, for nobody else to read', () => {
    const folder = writeAll();
    expect(run(folder, ['make', '.env']).status).toBe(0);
    expect(run(folder, ['sh', '-c', 'cmp .env .env.example && stat -c %a .env']).stdout).toBe('600\n');
  });

  it('leaves a .env alone that is there', () => {
    const folder = writeAll();
    writeFileSync(join(folder, '.env'), 'RUNNER_TOKEN=mine\n');
    run(folder, ['make', '.env']);
    expect(run(folder, ['cat', '.env']).stdout).toBe('RUNNER_TOKEN=mine\n');
  });

  it('warns of no variable that is not set', () => {
    for (const target of targets) {
      expect(
        run(writeAll(), ['make', '--dry-run', '--warn-undefined-variables', target, 'ARGS=', 'YES=']).stderr,
      ).toBe('');
    }
  });
});

describe.skipIf(
  !needs(isInstalled('shellcheck', '--version') && isInstalled('make', '--version'), 'shellcheck and make'),
)('shellcheck', () => {
  it.each([
    'scripts/run',
    'scripts/backup.sh',
    'scripts/clean-up.sh',
    'scripts/token-metrics.sh',
    'buildkit/certs.sh',
  ])('finds nothing in %s', path => {
    const folder = writeAll({ builder: 'buildkit', backup: 'yes', monitoring: 'yes' });
    expect(run(folder, ['shellcheck', path])).toEqual({ status: 0, stdout: '', stderr: '' });
  });

  it.each([...targets, 'binfmt'])('finds nothing in the recipe of %s', target => {
    expect(shellcheckRecipe(writeAll(several), target)).toEqual({ status: 0, stdout: '', stderr: '' });
  });
});
