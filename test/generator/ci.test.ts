import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { parse } from 'yaml';
import GitLabRunnerDockerCi from '../../generators/ci/index.ts';
import { newFolder, type Run, runGenerator, textsBelow } from '../support/run-generator.ts';

const before = '# ours\ntest:\n  script: [make]\n';

/** A folder with a project in `app`, in which others write repositories. */
function workplace(): string {
  const folder = newFolder();
  mkdirSync(join(folder, 'app'));
  execFileSync('git', ['init', '--quiet', join(folder, 'app')]);
  writeFileSync(join(folder, 'app/.gitlab-ci.yml'), before);
  writeFileSync(join(folder, 'app/Dockerfile'), 'FROM scratch\n');
  mkdirSync(join(folder, 'runner'));
  return folder;
}

const pipelineIn = (folder: string) => readFileSync(join(folder, 'app/.gitlab-ci.yml'), 'utf8');
const jobIn = (folder: string) => parse(pipelineIn(folder))['build-image'];

const add = (folder: string, run: Run = {}) =>
  runGenerator(join(folder, 'runner'), { generator: GitLabRunnerDockerCi, args: ['../app'], ...run });

describe('the generator ci', () => {
  it('adds the job of the repository that it is run in, and changes nothing there', async () => {
    const folder = workplace();
    await runGenerator(join(folder, 'runner'), {
      options: { builder: 'buildah', tags: 'mine', registry: 'r.example.com' },
    });
    const repository = textsBelow(join(folder, 'runner'));
    const { refusal, printed, asked } = await add(folder);
    expect({ refusal, asked }).toEqual({ refusal: undefined, asked: [] });
    expect(pipelineIn(folder).startsWith(before)).toBe(true);
    expect(jobIn(folder)).toMatchObject({
      tags: ['mine'],
      variables: { BUILDAH_ISOLATION: 'chroot', REGISTRY: 'r.example.com', BUILD_CONTEXT: '.' },
    });
    expect(printed).toContain('The job build-image, in stage build, builds Dockerfile.');
    expect(printed).toContain('REGISTRY_USER and REGISTRY_PASSWORD');
    expect(textsBelow(join(folder, 'runner'))).toEqual(repository);
  });

  it('takes options before what the repository has, and the default image of another builder', async () => {
    const folder = workplace();
    await runGenerator(join(folder, 'runner'), { options: { tags: 'mine' } });
    await add(folder, { options: { builder: 'buildah', tags: 'other' } });
    expect(jobIn(folder)).toMatchObject({ image: 'quay.io/buildah/stable:latest', tags: ['other'] });
  });

  it('adds a job without tags, whatever its runner takes', async () => {
    const folder = workplace();
    await runGenerator(join(folder, 'runner'), { options: { 'run-untagged': false } });
    expect((await add(folder, { options: { tags: ',' } })).refusal).toBeUndefined();
    expect(jobIn(folder)).not.toHaveProperty('tags');
  });

  it('says where there is no repository that the defaults count, and writes none', async () => {
    const folder = workplace();
    const { printed } = await add(folder);
    expect(jobIn(folder)).toMatchObject({ image: 'docker:stable', tags: ['docker'] });
    expect(printed).toContain('There is no repository of a runner in');
    expect(textsBelow(join(folder, 'runner'))).toEqual({});
  });

  it('leaves all as it is the second time, and in a dry run', async () => {
    const folder = workplace();
    const log = vi.spyOn(console, 'log').mockImplementation(() => undefined);
    expect((await add(folder, { options: { 'dry-run': true } })).refusal).toBeUndefined();
    expect(log.mock.calls.flat().join('\n')).toContain('\n+build-image:\n');
    log.mockRestore();
    expect(pipelineIn(folder)).toBe(before);
    await add(folder);
    const once = pipelineIn(folder);
    const { printed, refusal } = await add(folder);
    expect(printed).toMatch(/^The job build-image is there already, .*\.$/);
    expect([refusal, pipelineIn(folder)]).toEqual([undefined, once]);
  });

  it.each([
    ['no project', { args: [] }, 'Name the folder of the project'],
    ['two projects', { args: ['a', 'b'] }, 'Give one project, not 2.'],
    ['a project that is not there', { args: ['../gone'] }, 'There is no folder'],
    [
      'an option for another builder',
      { options: { 'dind-cache': 'volume' } },
      '--dind-cache is for --builder dind only',
    ],
  ])('refuses %s, and changes nothing', async (_, run: Run, sentence) => {
    const folder = workplace();
    const { refusal } = await add(folder, run);
    expect(refusal).toContain(sentence);
    expect(pipelineIn(folder)).toBe(before);
  });
});
