import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
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

it('the Makefile has the commands of the daily use, and no other', () => {
  expect(targets).toEqual('help doctor register up down logs status upgrade unregister'.split(' '));
});

it.each([{}, several])('no recipe has more than five lines, with %j', typed => {
  for (const recipe of renderAll(typed).Makefile!.split(/^(?!\t| {2}\S)/m)) {
    expect(recipe.split('\n').filter(line => /^[\t ]/.test(line)).length, recipe).toBeLessThan(6);
  }
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

  it('makes up two keys for the S3 server of docker-compose.yml', () => {
    const folder = writeAll({ cache: 's3' });
    expect(run(folder, ['make', '.env']).status).toBe(0);
    const { stdout } = run(folder, ['sh', '-c', 'stat -c %a .env; grep ^CACHE_S3 .env']);
    const [, one, other] =
      /^600\nCACHE_S3_ACCESS_KEY=([a-f0-9]{40})\nCACHE_S3_SECRET_KEY=([a-f0-9]{40})\n$/.exec(stdout) ?? [];
    expect(one, stdout).toBeDefined();
    expect(other).not.toBe(one);
  });

  it('leaves a .env alone that is there', () => {
    const folder = writeAll();
    writeFileSync(join(folder, '.env'), 'RUNNER_TOKEN=mine\n');
    run(folder, ['make', '.env']);
    expect(run(folder, ['cat', '.env']).stdout).toBe('RUNNER_TOKEN=mine\n');
  });

  it.each([
    ['register', "RUNNER=it's $HOME; x", "run register -- it's $HOME; x"],
    ['register', 'ARGS=--dry-run', 'run register --dry-run'],
    ['unregister', "RUNNER=a 'b", "run register --unregister -- a 'b"],
    ['upgrade', 'WAIT=60; x', 'run runner upgrade 60; x'],
    ['upgrade', 'WAIT=', 'run runner upgrade'],
    ['doctor', 'ARGS=--json', 'run doctor --json'],
  ])('hands over to its script what was said: make %s %s', (target, words, expected) => {
    const folder = writeAll();
    writeFileSync(join(folder, 'scripts/run'), '#!/bin/sh\necho "run $*" >>called\n');
    expect(run(folder, ['make', target, words])).toMatchObject({ status: 0, stderr: '' });
    // Make reads $H itself, as in all that it is given on its command line.
    expect(run(folder, ['cat', 'called']).stdout).toBe(`${expected.replace('$HOME', 'OME')}\n`);
  });

  it.each(
    ['down', 'logs', 'status'].flatMap(target => [
      [target, 'docker'],
      [target, 'docker-compose'],
    ]),
  )(
    'says of %s that %s is not installed, and where it stands what to do, before anything else',
    (target, missing) => {
      const folder = writeAll();
      writeFileSync(join(folder, '.env'), '');
      mkdirSync(join(folder, 'bin'));
      for (const program of ['make', 'sh', 'echo', 'true']) {
        const path = run('.', ['sh', '-c', `command -v ${program}`]).stdout.trim();
        if (path.startsWith('/')) symlinkSync(path, join(folder, 'bin', program));
      }
      // A client without a plugin for Compose.
      if (missing !== 'docker')
        writeFileSync(join(folder, 'bin/docker'), '#!/bin/sh\nexit 1\n', { mode: 0o755 });
      const { status, stderr } = run(folder, ['make', target], '', { PATH: join(folder, 'bin') });
      expect(status).not.toBe(0);
      expect(stderr).toMatch(new RegExp(`^${missing} is not installed; see: make doctor\n`));
    },
  );

  it('makes the password of Grafana in its own image, as root with all its rights', () => {
    const folder = writeAll({ monitoring: 'yes', hardening: 'strict' });
    mkdirSync(join(folder, 'bin'));
    writeFileSync(join(folder, 'bin/docker'), '#!/bin/sh\nprintf "%s|" "$@" >called\n', { mode: 0o755 });
    const env = { ...process.env, PATH: `${join(folder, 'bin')}:${process.env.PATH}` };
    expect(run(folder, ['make', 'config/grafana-password'], '', env).status).toBe(0);
    const called = run(folder, ['cat', 'called']).stdout;
    expect(called).toMatch(/^run\|--rm\|--user\|0:0\|/);
    expect(called).toContain(`|${folder}/config:/config|`);
    expect(called).toMatch(/\|grafana\/grafana:[\d.]+\|-euc\|cd \/config && umask 077/);
  });
});

describe.skipIf(
  !needs(isInstalled('shellcheck', '--version') && isInstalled('make', '--version'), 'shellcheck and make'),
)('shellcheck', () => {
  it.each([
    'scripts/run',
    'scripts/clean-up.sh',
    'scripts/expand-config.sh',
    'scripts/token-metrics.sh',
    'buildkit/certs.sh',
  ])('finds nothing in %s', path => {
    const runnerImage = 'gitlab/gitlab-runner:alpine-v18.9.0';
    const folder = writeAll({ builder: 'buildkit', monitoring: 'yes', runnerImage });
    expect(run(folder, ['shellcheck', path])).toEqual({ status: 0, stdout: '', stderr: '' });
  });

  it.each([...targets, 'binfmt'])('finds nothing in the recipe of %s', target => {
    expect(shellcheckRecipe(writeAll(several), target)).toEqual({ status: 0, stdout: '', stderr: '' });
  });
});
