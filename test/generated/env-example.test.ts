import { parseEnv } from 'node:util';
import { describe, expect, it } from 'vitest';
import { questions } from '../../generators/app/questions.ts';
import { scenarios } from '../support/answers.ts';
import { renderAll, run, writeAll } from '../support/rendered.ts';

describe.each(Object.entries(scenarios))('.env.example with %s', (_, typed) => {
  const text = renderAll(typed)['.env.example']!;
  const values = parseEnv(text) as Record<string, string>;

  it('names the GitLab of the answers, and the containers', () => {
    expect(values.GITLAB_URL).toBe(typed.gitlabUrl ?? questions.gitlabUrl.default);
    expect(values.COMPOSE_PROJECT_NAME).toBe('my-runner');
  });

  it('leaves every secret open', () => {
    expect(
      Object.entries(values)
        .filter(([name]) => name.includes('TOKEN'))
        .map(([, value]) => value),
    ).toEqual(['', '', '']);
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

it('.env.example names no variable that `gitlab-runner register` would read by itself', () => {
  // With an authentication token these make it fail: https://docs.gitlab.com/runner/register/
  const names = Object.keys(parseEnv(renderAll()['.env.example']!));
  expect(
    names.filter(name => /^(REGISTER_|RUNNER_(TAG_LIST|NAME|EXECUTOR)|CI_SERVER_|DOCKER_)/.test(name)),
  ).toEqual([]);
});
