import { chmodSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { addToProject } from '../../../generators/ci/project.ts';
import { filesOf } from '../../../generators/write/files.ts';
import { render } from '../../../generators/write/render.ts';
import { planWith, run, temporaryFolder } from '../../support/rendered.ts';

const plan = planWith();
const text = render(filesOf(plan).find(({ path }) => path === '.gitlab-ci.yml')!, plan);
const sample = { text, pipeline: plan.runners[0].pipeline };

function projectWith(files: Readonly<Record<string, string>>): string {
  const folder = temporaryFolder();
  run(folder, ['git', 'init', '--quiet']);
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  return folder;
}

const pipelineIn = (folder: string) => parse(readFileSync(join(folder, '.gitlab-ci.yml'), 'utf8'));

describe('a project on the disk', () => {
  it('gains the job for the Dockerfiles that Git does not ignore, and says so', async () => {
    const files = { '.gitignore': 'out/\n', 'a/Dockerfile': '', 'b/Dockerfile': '', 'out/Dockerfile': '' };
    const folder = projectWith({ ...files, '.gitlab-ci.yml': 'test:\n  script: [x]\n' });
    const lines = await addToProject(folder, sample, false);
    expect(Object.keys(pipelineIn(folder))).toEqual(['test', 'build-image']);
    expect(pipelineIn(folder)['build-image'].parallel.matrix).toHaveLength(2);
    expect(lines).toEqual([
      `  change ${folder}/.gitlab-ci.yml`,
      'The job build-image, in stage build, builds one image for each of a/Dockerfile, b/Dockerfile.',
    ]);
  });

  it('gets a pipeline where it has none', async () => {
    const folder = projectWith({ Dockerfile: '' });
    await addToProject(folder, sample, false);
    expect(Object.keys(pipelineIn(folder))).toEqual(['build-image']);
  });

  it('keeps the mode of the file', async () => {
    const folder = projectWith({ '.gitlab-ci.yml': '' });
    chmodSync(join(folder, '.gitlab-ci.yml'), 0o640);
    await addToProject(folder, sample, false);
    expect(statSync(join(folder, '.gitlab-ci.yml')).mode & 0o777).toBe(0o640);
  });

  it('stays as it is in a dry run, which shows the lines', async () => {
    const folder = projectWith({ '.gitlab-ci.yml': 'a:\n  script: [x]\n...\n' });
    const lines = await addToProject(folder, sample, true);
    expect(readFileSync(join(folder, '.gitlab-ci.yml'), 'utf8')).toBe('a:\n  script: [x]\n...\n');
    expect(lines[0]).toContain('\n+build-image:\n');
    expect(lines[0]).not.toMatch(/^-(?!--)/m);
  });

  it('is looked into as far as its pipeline includes its own files, each once', async () => {
    const folder = projectWith({
      '.gitlab-ci.yml': 'include: [{ local: /ci/a.yml }, ci/b*.yml]\n',
      'ci/a.yml': 'include: [ci/a.yml, ci/gone.yml, { template: T.yml }]\nstages: [docker]\n',
    });
    const lines = await addToProject(folder, sample, false);
    expect(pipelineIn(folder)['build-image'].stage).toBe('docker');
    expect(lines.join('\n')).toContain('included files hold: template T.yml, ci/b*.yml, ci/gone.yml.');
  });

  it.each([
    ['that there is none', 'gone', 'There is no folder'],
    ['that Git does not know it', '', 'Git does not tell which files'],
  ])('is refused in words: %s', async (_, path, sentence) => {
    await expect(addToProject(join(temporaryFolder(), path), sample, false)).rejects.toThrow(sentence);
  });
});
