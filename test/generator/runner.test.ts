import { readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { expect, it } from 'vitest';
import GitLabRunnerDockerRunner from '../../generators/runner/index.ts';
import { renderAll } from '../support/rendered.ts';
import { newFolder, type Run, runGenerator, textsBelow } from '../support/run-generator.ts';

const saved = (folder: string) =>
  JSON.parse(readFileSync(join(folder, '.yo-rc.json'), 'utf8'))['generator-gitlab-runner-docker'];

/** A folder with a repository. */
async function repository(options: Record<string, unknown> = {}): Promise<string> {
  const folder = newFolder();
  expect((await runGenerator(folder, { options })).refusal).toBeUndefined();
  return folder;
}

const add = (folder: string, run: Run = {}) =>
  runGenerator(folder, {
    generator: GitLabRunnerDockerRunner,
    args: ['deploy'],
    ...run,
    options: { force: true, ...run.options },
  });

it('adds a runner to the files, keeps what the first is, and says how it is registered', async () => {
  const folder = await repository({ tags: 'linux', 'gitlab-url': 'https://git.example.org' });
  const { refusal, printed } = await add(folder, { options: { builder: 'buildkit', project: 'team/app' } });
  expect(refusal).toBeUndefined();
  const { '.yo-rc.json': _, ...texts } = textsBelow(folder);
  const runners = { deploy: { builder: 'buildkit', project: 'team/app' } };
  expect(texts).toEqual(
    renderAll({ tags: 'linux', gitlabUrl: 'https://git.example.org', runners }, basename(folder)),
  );
  expect(printed).toContain('make register RUNNER=deploy');
  expect(printed).toContain('2 runners share "concurrent" in config/config.toml, which is 2');
  expect(saved(folder).runners).toEqual({
    deploy: {
      project: 'team/app',
      tags: 'deploy',
      runUntagged: 'no',
      builder: 'buildkit',
      dindCache: 'registry',
      instanceGroup: 'gitlab-runners',
      hardening: 'recommended',
      dockerImage: 'docker:29.10.0-cli',
    },
  });
});

it('changes the runner of that name at a second run, and leaves the others', async () => {
  const folder = await repository();
  await add(folder, { options: { project: 'team/app' } });
  await add(folder, { args: ['second'] });
  const before = Object.keys(textsBelow(folder));
  await add(folder, { options: { tags: 'x' } });
  const { runners } = saved(folder);
  expect(Object.keys(runners)).toEqual(['deploy', 'second']);
  expect(runners.deploy).toMatchObject({ tags: 'x', project: 'team/app' });
  expect(runners.second.tags).toBe('second');
  expect(Object.keys(textsBelow(folder))).toEqual(before);
});

it('takes the image that a new builder needs, where the old one had its default', async () => {
  const folder = await repository();
  await add(folder);
  await add(folder, { options: { builder: 'buildah' } });
  expect(saved(folder).runners.deploy.dockerImage).toBe('quay.io/buildah/stable:latest');
});

it('takes untagged jobs where it is to have no tags, answered or as an option', async () => {
  const folder = await repository();
  await add(folder, { options: { tags: ',' } });
  expect(saved(folder).runners.deploy).toMatchObject({ tags: ',', runUntagged: 'yes' });
  await add(folder, { options: { tags: 'a', 'run-untagged': false } });
  const { asked } = await add(folder, { options: { terminal: true }, answers: { tags: ',' } });
  expect(asked).not.toContain('runUntagged');
  expect(saved(folder).runners.deploy).toMatchObject({ tags: ',', runUntagged: 'yes' });
});

it('outlives a second run for the repository', async () => {
  const folder = await repository();
  await add(folder);
  await runGenerator(folder, { options: { concurrent: '4', force: true } });
  expect(Object.keys(saved(folder).runners)).toEqual(['deploy']);
  const { '.yo-rc.json': _, ...texts } = textsBelow(folder);
  expect(texts).toEqual(renderAll({ concurrent: '4', runners: { deploy: {} } }, basename(folder)));
});

it('asks for the name, and for what a runner has of its own, and for nothing else', async () => {
  const folder = await repository();
  const { asked } = await add(folder, {
    args: [],
    options: { terminal: true },
    answers: { name: 'deploy', project: 'team/app', builder: 'buildkit' },
  });
  expect(asked).toEqual([
    ...['name', 'project', 'tags', 'runUntagged', 'builder', 'hardening', 'dockerImage', 'write'],
  ]);
  expect(saved(folder).runners.deploy).toMatchObject({
    project: 'team/app',
    builder: 'buildkit',
    tags: 'deploy',
    dockerImage: 'docker:29.10.0-cli',
  });
});

it.each<[string, Run, RegExp]>([
  ['no name', { args: [] }, /^Give the runner a name: yo gitlab-runner-docker:runner deploy$/],
  ['a name that is none', { args: ['a b'] }, /^The name of a runner has up to 40 lower-case letters/],
  ['two names', { args: ['a', 'b'] }, /^Give one name, not 2\.$/],
  ['a bad value', { options: { project: 'x y' } }, /^--project: Write the project as its path/],
  [
    'a runner that could run nothing',
    { options: { tags: ',', 'run-untagged': false } },
    /^Runner "deploy": A runner without tags that takes no untagged jobs .*: add --run-untagged/,
  ],
  ['an answer of the repository', { options: { builder: 'podman' } }, /^--builder: /],
  [
    'an option that does not matter',
    { options: { 'dind-cache': 'volume' } },
    /^--dind-cache is for --builder dind only/,
  ],
])('refuses %s, and writes nothing', async (_, run, refusal) => {
  const folder = await repository();
  const before = textsBelow(folder);
  expect((await add(folder, run)).refusal).toMatch(refusal);
  expect(textsBelow(folder)).toEqual(before);
});

it('refuses a folder where no repository was written, and writes nothing', async () => {
  const folder = newFolder();
  expect((await add(folder)).refusal).toMatch(
    /^No repository was written in .*or write one first: yo gitlab-runner-docker my-runner$/,
  );
  expect(textsBelow(folder)).toEqual({});
});

it('refuses runners that somebody spoilt in .yo-rc.json, and says what to do', async () => {
  const folder = await repository();
  const file = join(folder, '.yo-rc.json');
  writeFileSync(file, JSON.stringify({ 'generator-gitlab-runner-docker': { tags: 'x', runners: { a: 1 } } }));
  expect((await add(folder)).refusal).toContain('runner "a" is not an object: mend it');
});
