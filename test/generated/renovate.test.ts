import { expect, it } from 'vitest';
import { renderAll } from '../support/rendered.ts';

const config = (typed = {}) => JSON.parse(renderAll({ renovate: 'yes', ...typed })['renovate.json']!);

it.each([
  ['docker:stable', 'docker', 'stable', undefined],
  ['registry.example.org:5000/team/tools:1.2', 'registry.example.org:5000/team/tools', '1.2', undefined],
  [`docker:29.10.0-cli@sha256:${'a'.repeat(64)}`, 'docker', '29.10.0-cli', `sha256:${'a'.repeat(64)}`],
])('Renovate finds the image of the jobs in config.toml: %s', (dockerImage, name, value, digest) => {
  const [manager] = config().customManagers;
  const [pattern] = manager.managerFilePatterns;
  expect('config/config.toml').toMatch(new RegExp(pattern.slice(1, -1)));
  const text = renderAll({ dockerImage })['config/config.toml']!;
  const found = [...text.matchAll(new RegExp(manager.matchStrings[0], 'g'))];
  expect(found.map(({ groups }) => ({ ...groups }))).toEqual([
    { depName: name, currentValue: value, currentDigest: digest },
  ]);
});

it.each([
  ['gitlab/gitlab-runner:alpine', 'gitlab/gitlab-runner'],
  [
    'registry.example.org:5000/gitlab/gitlab-runner:v19.3.0',
    'registry.example.org:5000/gitlab/gitlab-runner',
  ],
  [`gitlab/gitlab-runner:alpine@sha256:${'a'.repeat(64)}`, 'gitlab/gitlab-runner'],
])('Renovate reads the versions of the runner: %s', (runnerImage, name) => {
  const [rule] = config({ runnerImage }).packageRules;
  expect(rule.matchPackageNames).toEqual([name]);
  const versioning = new RegExp(rule.versioning.replace(/^regex:/, ''));
  expect(versioning.exec('alpine-v19.3.0')?.groups).toMatchObject({
    compatibility: 'alpine-',
    major: '19',
    minor: '3',
    patch: '0',
  });
  expect(versioning.exec('v19.10.2')?.groups).toMatchObject({ major: '19', minor: '10', patch: '2' });
  for (const floating of ['alpine', 'latest', 'alpine-bleeding']) expect(floating).not.toMatch(versioning);
});
