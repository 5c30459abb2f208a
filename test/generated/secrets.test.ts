import { randomBytes } from 'node:crypto';
import { appendFileSync, chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { TypedAnswers } from '../../generators/ask/questions.ts';
import { allScenarios } from '../support/answers.ts';
import { selfSigned } from '../support/certificates.ts';
import { needs } from '../support/needs.ts';
import { isInstalled, pathsWith, renderAll, run, writeAll } from '../support/rendered.ts';
import { findSecrets } from '../support/secrets.ts';

/** Secrets as they come, made anew for each run. None is one. */
const random = (length: number): string => randomBytes(length).toString('base64url').slice(0, length);
const digits = 'a1B2c3D4e5F6g7H8i9J0';
const secrets: Record<string, string> = {
  RUNNER_TOKEN: `glrt-${digits}`,
  'a runner token of GitLab 17': `glrt-t1_${random(20)}`,
  GITLAB_ACCESS_TOKEN: `glpat-${random(20)}`,
  REGISTRATION_TOKEN: `GR1348941${random(20)}`,
  'a job token': `glcbt-64_${random(20)}`,
  'a deploy token': `gldt-${random(20)}`,
  'a key of AWS': `AKIA${'0123456789ABCDEF'}`,
  'a token of GitHub': `ghp_${digits}${digits}`,
  'random letters': `x=${digits}${digits}`,
  'a password in an address': 'http://user:hunter2@proxy.example.org',
  'a password': 'REGISTRY_PASSWORD: "hunter2-hunter2"',
  'a password in JSON': '"token": "abcdefg1"',
  'a private key': selfSigned('test').key.split('\n')[0]!,
};

describe('the scanner', () => {
  it.each(Object.entries(secrets))('finds %s in a file, and says in which line', (_, secret) => {
    const planted = `# A file\n\nkey = ${secret}\n`;
    expect(findSecrets({ 'some/file': planted })).toContainEqual(
      expect.objectContaining({ path: 'some/file', line: 3 }),
    );
  });

  it('finds what is planted in any file of a repository', () => {
    for (const [path, text] of Object.entries(renderAll())) {
      const found = findSecrets({ [path]: `${text}${secrets.RUNNER_TOKEN}\n` });
      expect(found.map(({ text }) => text)).toContain(secrets.RUNNER_TOKEN);
    }
  });

  it('passes over what only speaks of secrets', () => {
    const text = [
      'RUNNER_TOKEN=',
      'the token `glrt-…`, glpat-... or GR1348941...',
      'printf %s "$CI_REGISTRY_PASSWORD" | docker login --password-stdin',
      'https://docs.gitlab.com/runner/configuration/advanced-configuration/',
      'quay.io/buildah/stable@sha256:..., kernel.apparmor_restrict_unprivileged_userns=0',
      'http://proxy.example.org:3128',
    ].join('\n');
    expect(findSecrets({ text })).toEqual([]);
  });
});

describe('no file of a repository has anything that looks like a secret', () => {
  it.each(Object.entries(allScenarios))('with %s', (_, typed) => {
    expect(findSecrets(renderAll(typed))).toEqual([]);
  });
});

/** Where the rules of .gitignore differ. */
const inUse = ['the defaults', 'other answers everywhere'].map((name): [string, TypedAnswers] => [
  name,
  allScenarios[name]!,
]);

describe.skipIf(!needs(isInstalled('git', '--version'), 'git'))('git', () => {
  it.each(inUse)(
    'takes none of the secrets that a repository in use has, whatever is added: %s',
    (_, typed) => {
      const folder = writeAll(typed);
      const write = (path: string, text: string) => {
        mkdirSync(dirname(join(folder, path)), { recursive: true });
        appendFileSync(join(folder, path), text);
        chmodSync(join(folder, path), 0o600);
      };
      const { key, cert } = selfSigned('gitlab.example.org');
      let env = readFileSync(join(folder, '.env.example'), 'utf8');
      for (const name of ['RUNNER_TOKEN', 'GITLAB_ACCESS_TOKEN', 'REGISTRATION_TOKEN']) {
        expect(env).toContain(`\n${name}=\n`);
        env = env.replace(`\n${name}=\n`, `\n${name}=${secrets[name]}\n`);
      }
      // What a user fills in, and what the scripts leave, also when they are killed.
      write('.env', env);
      write('.env.new', env);
      write('config/.runner_system_id', 'r_a1b2c3d4e5f6');
      if (typed.monitoring === 'yes') write('config/grafana-password', 'x');
      if (typed.privateCa === 'yes') {
        write('config/certs/ca.crt', cert);
        for (const name of ['ca.key', 'gitlab.example.org.key']) write(`config/certs/${name}`, key);
      }

      run(folder, ['git', 'init', '--quiet']);
      const { status, stderr } = run(folder, ['git', 'add', '-A']);
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      const tracked = run(folder, ['git', 'ls-files', '-z']).stdout.split('\0').filter(Boolean);
      const certificate = typed.privateCa === 'yes' ? ['config/certs/ca.crt'] : [];
      expect([...tracked].sort()).toEqual([...pathsWith(typed), ...certificate].sort());

      // As git has them, whatever is on the disk.
      const texts = Object.fromEntries(
        tracked
          .filter(path => !certificate.includes(path))
          .map(path => [path, run(folder, ['git', 'show', `:${path}`]).stdout]),
      );
      expect(findSecrets(texts)).toEqual([]);
      expect(
        findSecrets({ '.env': readFileSync(join(folder, '.env'), 'utf8') }).length,
      ).toBeGreaterThanOrEqual(3);
      if (certificate.length > 0) {
        expect(run(folder, ['git', 'show', ':config/certs/ca.crt']).stdout).not.toContain('PRIVATE KEY');
      }
    },
  );

  it('is told by the same scanner of a token that somebody writes into a file of the repository', () => {
    const folder = writeAll();
    const compose = readFileSync(join(folder, 'docker-compose.yml'), 'utf8');
    writeFileSync(
      join(folder, 'docker-compose.yml'),
      compose.replace(
        '    environment:\n',
        `    environment:\n      CI_SERVER_TOKEN: ${secrets.RUNNER_TOKEN}\n`,
      ),
    );
    run(folder, ['git', 'init', '--quiet']);
    run(folder, ['git', 'add', '-A']);
    const { stdout } = run(folder, ['git', 'show', ':docker-compose.yml']);
    expect(findSecrets({ 'docker-compose.yml': stdout })).toContainEqual(
      expect.objectContaining({ kind: 'a token of GitLab', text: secrets.RUNNER_TOKEN }),
    );
  });
});
