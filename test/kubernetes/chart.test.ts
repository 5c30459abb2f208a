import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { standInChart } from '../support/chart.ts';
import { must, runProgram } from './support/programs.ts';

const chart = standInChart();

/** The least that the chart takes. */
const least = { gitlabUrl: 'https://gitlab.example.com', runners: { secret: 'token' } };

const withAccount = { ...least, rbac: { create: true }, serviceAccount: { create: true } };

function template(values: object) {
  const file = join(chart, '../values.json');
  writeFileSync(file, JSON.stringify(values));
  return runProgram('helm', ['template', 'runner', chart, '--namespace', 'ci', '--values', file]);
}

describe('the stand-in for the official chart', () => {
  it.each([
    ['a value that the official chart does not know', { ...least, runnerTags: 'docker' }, /runnerTags/],
    ['one within another', { ...least, metrics: { enabeld: true } }, /enabeld/],
    ['the token of a runner nowhere', { gitlabUrl: 'https://gitlab.example.com' }, /runners.secret/],
  ])('refuses %s', async (_, values, why) => {
    const { status, stderr } = await template(values);
    expect(status).not.toBe(0);
    expect(stderr).toMatch(why);
  });

  it('gives the account every right where no rules say which, as the official chart does', async () => {
    const { stdout, stderr } = await template(withAccount);
    expect(stdout, stderr).toContain('"resources":["*"]');
  });

  it('is taken by a real API server', async () => {
    const { stdout } = await template(withAccount);
    await must('kubectl', ['create', 'namespace', 'ci']);
    await must('kubectl', ['apply', '--dry-run=server', '-n', 'ci', '-f', '-'], { input: stdout });
  });
});
