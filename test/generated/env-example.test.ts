import { parseEnv } from 'node:util';
import { describe, expect, it } from 'vitest';
import { questions } from '../../generators/ask/questions.ts';
import { scenarios } from '../support/answers.ts';
import { needs } from '../support/needs.ts';
import { isInstalled, renderAll, run, writeAll } from '../support/rendered.ts';

describe.each(Object.entries(scenarios))('.env.example with %s', (_, typed) => {
  const text = renderAll(typed)['.env.example']!;
  const values = parseEnv(text) as Record<string, string>;

  it('names the GitLab of the answers, and the containers', () => {
    expect(values.GITLAB_URL).toBe(typed.gitlabUrl ?? questions.gitlabUrl.default);
    expect(values.COMPOSE_PROJECT_NAME).toBe('my-runner');
  });

  it('leaves every secret open', () => {
    const secrets = Object.entries(values).filter(([name]) => /TOKEN|KEY/.test(name));
    expect(secrets.length).toBeGreaterThan(2);
    expect(secrets.filter(([, value]) => value !== '')).toEqual([]);
  });

  it('has every variable that docker-compose.yml reads, but for the days that `make register` writes', () => {
    const read = renderAll(typed)['docker-compose.yml']!.matchAll(/(?<!\$)\$\{(\w+):-/g);
    const names = [...read].map(([, name]) => name!).filter(name => !name.endsWith('_EXPIRES'));
    expect(Object.keys(values)).toEqual(expect.arrayContaining([...new Set(names)]));
  });

  it('explains every variable in a comment above it', () => {
    const lines = text.split('\n');
    for (const name of Object.keys(values)) {
      const at = lines.findIndex(line => line.startsWith(`${name}=`));
      expect(lines[at - 1], name).toMatch(/^#/);
    }
  });

  it('means the same to a shell', () => {
    const names = Object.keys(values);
    const script = `set -eu; . ./.env.example; printf '%s\\n' ${names.map(name => `"$${name}"`).join(' ')}`;
    const { status, stdout, stderr } = run(writeAll(typed), ['sh', '-c', script]);
    expect(stderr).toBe('');
    expect(status).toBe(0);
    expect(stdout.split('\n').slice(0, -1)).toEqual(Object.values(values));
  });
});

it('.env.example says to delete what only `make register` needs', () => {
  const text = renderAll()['.env.example']!;
  for (const name of ['GITLAB_ACCESS_TOKEN', 'REGISTRATION_TOKEN'])
    expect(text).toMatch(new RegExp(`Delete it [^\\n]*after use\\.\\n${name}=\\n`));
});

describe.skipIf(!needs(isInstalled('git', '--version'), 'git'))('.gitignore', () => {
  const ignored = (path: string): boolean => {
    const folder = writeAll({ monitoring: 'yes', privateCa: 'yes' });
    run(folder, ['git', 'init', '--quiet']);
    return run(folder, ['git', 'check-ignore', '--quiet', path]).status === 0;
  };

  it.each(['.env', '.env.new', '.env.lock', 'config/.runner_system_id', 'config/grafana-password'])(
    'keeps %s out of git',
    path => expect(ignored(path)).toBe(true),
  );

  it.each(['.env.example', 'config/config.toml', 'config/certs/ca.crt'])('lets %s into it', path =>
    expect(ignored(path)).toBe(false),
  );
});
