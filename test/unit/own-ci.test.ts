import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { parse } from 'yaml';
import { needs } from '../support/needs.ts';
import { hasGitLabCiLocal, listJobs } from '../support/own-tools.ts';

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const text = read('.gitlab-ci.yml');
const { test } = parse(text) as {
  test: { script: string[]; parallel: { matrix: { NODE: string[] }[] } };
};

it('runs the test command of README on the lowest Node.js of each range of engines, and on 24', () => {
  const { node } = JSON.parse(read('package.json')).engines;
  const lowest = [...node.matchAll(/(\d+\.\d+)\.\d+/g)].map(([, version]) => version);
  expect(test.parallel.matrix).toEqual([{ NODE: [...lowest, '24'] }]);
  const [, command] = /^(npm test) +# /m.exec(read('README.md')) ?? [];
  expect(test.script).toEqual([command]);
});

it.skipIf(!needs(hasGitLabCiLocal, 'gitlab-ci-local'))('is a pipeline by the schema of GitLab', async () => {
  const { status, stdout, stderr } = await listJobs(text);
  expect(status, stdout + stderr).toBe(0);
  expect(JSON.parse(stdout).map(({ name }: { name: string }) => name)).toContainEqual(
    expect.stringMatching(/^test/),
  );
});
