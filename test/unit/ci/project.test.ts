import { chmodSync, mkdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { parse } from 'yaml';
import { addToProject } from '../../../generators/ci/project.ts';
import { filesOf } from '../../../generators/write/files.ts';
import { blobId } from '../../../generators/write/git.ts';
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

/** What is reported while the project gains the job. */
async function add(folder: string, dryRun = false): Promise<string[]> {
  const lines: string[] = [];
  await addToProject(folder, sample, dryRun, line => void lines.push(line));
  return lines;
}

const pipelineIn = (folder: string) => parse(readFileSync(join(folder, '.gitlab-ci.yml'), 'utf8'));

describe('a project on the disk', () => {
  it('gains the job for the Dockerfiles that Git does not ignore, and says so', async () => {
    const files = { '.gitignore': 'out/\n', 'a/Dockerfile': '', 'b/Dockerfile': '', 'out/Dockerfile': '' };
    const folder = projectWith({ ...files, '.gitlab-ci.yml': 'test:\n  script: [x]\n' });
    const lines = await add(folder);
    expect(Object.keys(pipelineIn(folder))).toEqual(['test', 'build-image']);
    expect(pipelineIn(folder)['build-image'].parallel.matrix).toHaveLength(2);
    expect(lines).toEqual([
      `  change ${folder}/.gitlab-ci.yml`,
      'The job build-image, in stage build, builds one image for each of a/Dockerfile, b/Dockerfile.',
    ]);
  });

  it('gets a pipeline where it has none', async () => {
    const folder = projectWith({ Dockerfile: '' });
    await add(folder);
    expect(Object.keys(pipelineIn(folder))).toEqual(['build-image']);
  });

  it('keeps the mode of the file', async () => {
    const folder = projectWith({ '.gitlab-ci.yml': '' });
    chmodSync(join(folder, '.gitlab-ci.yml'), 0o640);
    await add(folder);
    expect(statSync(join(folder, '.gitlab-ci.yml')).mode & 0o777).toBe(0o640);
  });

  it('stays as it is in a dry run, which shows the lines', async () => {
    const folder = projectWith({ '.gitlab-ci.yml': 'a:\n  script: [x]\n...\n' });
    const lines = await add(folder, true);
    expect(readFileSync(join(folder, '.gitlab-ci.yml'), 'utf8')).toBe('a:\n  script: [x]\n...\n');
    expect(lines[0]).toContain('\n+build-image:\n');
    expect(lines[0]).not.toMatch(/^-(?!--)/m);
  });

  it('is looked into as far as its pipeline includes its own files, each once', async () => {
    const folder = projectWith({
      '.gitlab-ci.yml': 'include: [{ local: /ci/a.yml }, ci/b*.yml]\n',
      'ci/a.yml': 'include: [ci/a.yml, ci/gone.yml, { template: T.yml }]\nstages: [docker]\n',
    });
    const lines = await add(folder);
    expect(pipelineIn(folder)['build-image'].stage).toBe('docker');
    expect(lines.join('\n')).toContain(
      'included files hold: template T.yml, ci/gone.yml (not there), ci/b*.yml (several files, or a variable).',
    );
  });

  it('goes by the stages of the file that counts most: what includes others counts more than they do', async () => {
    const folder = projectWith({
      '.gitlab-ci.yml': 'include: [a.yml, b.yml]\n',
      'a.yml': 'stages: [first]\n',
      'b.yml': 'include: c.yml\nstages: [docker]\n',
      'c.yml': 'stages: [last]\n',
    });
    await add(folder);
    expect(pipelineIn(folder)['build-image'].stage).toBe('docker');
  });

  it('is refused by a folder in it, where GitLab looks for no pipeline', async () => {
    const folder = projectWith({ 'web/Dockerfile': '' });
    await expect(add(join(folder, 'web'))).rejects.toThrow(
      `${folder}/web is not the top level of its repository, where GitLab looks for .gitlab-ci.yml: name ${folder}, or, if it is a project of its own, first: git init ${folder}/web`,
    );
    expect(() => readFileSync(join(folder, 'web/.gitlab-ci.yml'))).toThrow('ENOENT');
  });

  it('is not waited for where a pipe or a device is in the place of a file', async () => {
    const folder = projectWith({ Dockerfile: '', '.gitlab-ci.yml': 'include: pipe.yml\n' });
    run(folder, ['mkfifo', 'pipe.yml']);
    symlinkSync('/dev/zero', join(folder, 'zero.Dockerfile'));
    expect((await add(folder)).join('\n')).toContain('files hold: pipe.yml (no file)');
    expect(pipelineIn(folder)['build-image']).not.toHaveProperty('parallel');
    rmSync(join(folder, '.gitlab-ci.yml'));
    run(folder, ['mkfifo', '.gitlab-ci.yml']);
    await expect(add(folder)).rejects.toThrow(
      '.gitlab-ci.yml is no file, but a pipe or a device: move it away and run again.',
    );
  });

  it('says which of those files it cannot look into, and why: it goes by all others', async () => {
    const folder = projectWith({
      '.gitlab-ci.yml': 'include: [ci, gone.yml, latin.yml, ../outside.yml, empty.yml, flow.yml]\n',
      'ci/a.yml': 'a: { script: [x] }\n',
      'empty.yml': '# nothing yet\n',
      'flow.yml': '{ stages: [docker] }\n',
    });
    writeFileSync(join(folder, 'latin.yml'), Buffer.from([0xe4, 0x0a]));
    const lines = await add(folder);
    expect(pipelineIn(folder)['build-image'].stage).toBe('docker');
    expect(lines.join('\n')).toContain(
      'included files hold: ci (a folder), gone.yml (not there), latin.yml (not in UTF-8), ../outside.yml (not in the project).',
    );
  });

  it('is refused where an included file is no YAML, which GitLab refuses too', async () => {
    const folder = projectWith({ '.gitlab-ci.yml': 'include: a.yml\n', 'a.yml': 'a: [\n' });
    await expect(add(folder)).rejects.toThrow(/^a\.yml is not valid YAML/);
  });

  it('has what an earlier run began to write there, which is said even where nothing is added then', async () => {
    const folder = projectWith({ '.gitlab-ci.yml': '- no\n- pipeline\n' });
    const sealed = join(folder, '.gitlab-runner-docker.new');
    mkdirSync(sealed);
    writeFileSync(join(sealed, 'new-0'), 'finished\n');
    const moves = [{ path: 'notes', before: null, after: blobId('finished\n') }];
    writeFileSync(join(sealed, 'journal.json'), JSON.stringify({ pid: process.pid, moves }));
    const lines: string[] = [];
    const added = addToProject(folder, sample, false, line => void lines.push(line));
    await expect(added).rejects.toThrow('has no keys at its top level');
    expect(lines).toEqual([
      expect.stringContaining('An earlier run was stopped while it wrote: all of its files'),
    ]);
    expect(readFileSync(join(folder, 'notes'), 'utf8')).toBe('finished\n');
  });

  it.each([
    ['that there is none', 'gone', /^There is no folder .*\/gone: name that of the project/],
    [
      'that Git does not know it',
      '',
      /^Git does not tell which files .* \(fatal: not a git .*\): nothing was changed\. Is it no repository yet\? Then: git init /,
    ],
  ])('is refused in words: %s', async (_, path, sentence) => {
    await expect(add(join(temporaryFolder(), path))).rejects.toThrow(sentence);
  });

  it("is refused with Git's own remedy where another user owns it", async () => {
    const folder = projectWith({});
    vi.stubEnv('GIT_TEST_ASSUME_DIFFERENT_OWNER', '1');
    await expect(add(folder)).rejects.toThrow(
      `nothing was changed. Then: git config --global --add safe.directory ${folder}`,
    );
    vi.unstubAllEnvs();
  });
});
