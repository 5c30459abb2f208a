import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { builders as ways } from '../../../generators/ask/questions.ts';
import { type Added, addJob, jobName, type Project } from '../../../generators/ci/add-job.ts';
import { findDockerfiles } from '../../../generators/ci/dockerfiles.ts';
import { readPipeline } from '../../../generators/ci/read-pipeline.ts';
import { filesOf } from '../../../generators/write/files.ts';
import { render } from '../../../generators/write/render.ts';
import { allScenarios, type Scenario } from '../../support/answers.ts';
import { needs } from '../../support/needs.ts';
import { hasGitLabCiLocal, listJobs } from '../../support/own-tools.ts';
import { type Ended, planWith } from '../../support/rendered.ts';

const folder = new URL('../../pipelines/', import.meta.url);
const builders = Object.keys(ways) as (keyof typeof ways)[];
const pipelines = readdirSync(folder).map(
  name => [name, readFileSync(new URL(name, folder), 'utf8')] as const,
);

function sampleOf(typed: Scenario = {}) {
  const plan = planWith(typed);
  const text = render(filesOf(plan).find(({ path }) => path === '.gitlab-ci.yml')!, plan);
  return { text, pipeline: plan.runners[0].pipeline };
}

/** The job is added to that text, of a project with those files. */
function add(
  text: string,
  typed: Scenario = {},
  files: Readonly<Record<string, string>> = { Dockerfile: '' },
  more: Partial<Project> = {},
): Added {
  const dockerfiles = findDockerfiles(Object.keys(files), path => files[path] ?? '');
  const file = readPipeline('.gitlab-ci.yml', text);
  return addJob({ file, included: [], unread: [], dockerfiles, ...more }, sampleOf(typed));
}

const reference = {
  tag: '!reference',
  collection: 'seq' as const,
  resolve: (sequence: { toJSON(): unknown }) => ({ reference: sequence.toJSON() }),
};
const read = (text: string) =>
  parse(text, { version: '1.1', merge: true, customTags: [reference as never] }) ?? {};
const jobIn = ({ text }: Added) => read(text)[jobName];

/** What stands in the new text and not in the old, where the rest is the same in its bytes. */
function addition(before: string, after: string): string {
  let start = 0;
  while (start < before.length && before[start] === after[start]) start += 1;
  let rest = before.length - start;
  while (!after.endsWith(before.slice(before.length - rest))) rest -= 1;
  expect(start + rest).toBe(before.length);
  return after.slice(start, after.length - rest);
}

describe.each(pipelines)('a project with the pipeline %s', (_, text) => {
  const added = add(text);

  it('has each of its bytes again, and the job', () => {
    const lines = addition(text, added.text);
    expect(lines.trimStart()).toMatch(/^# Builds an image/);
    expect(text).toBe(added.text.replace(lines, ''));
  });

  it('means what it meant, and the job beside it', () => {
    const { [jobName]: job, ...rest } = read(added.text);
    expect(rest).toEqual(read(text));
    expect(job.script.length).toBeGreaterThan(0);
    const { stages = ['build', 'test', 'deploy'] } = rest;
    expect(stages).toContain(job.stage);
  });

  it('is left as it is by a second run', () => {
    const again = add(added.text);
    const notes = [`The job ${jobName} is there already, as it would be added: there is nothing to do.`];
    expect(again).toEqual({ text: added.text, notes });
  });

  it.skipIf(!needs(hasGitLabCiLocal, 'gitlab-ci-local in test/tools, and git'))(
    "is valid afterwards where it was before, by GitLab's schema and as gitlab-ci-local reads it",
    async () => {
      const [before, after] = await Promise.all([listJobs(text), listJobs(added.text)]);
      const names = ({ stdout }: Ended) => JSON.parse(stdout).map(({ name }: { name: string }) => name);
      // What it finds wrong or cannot get.
      const problems = ({ stderr }: Ended) =>
        stderr.split('\n').filter(line => /^\s*• '| could not /.test(line));
      expect(after.status, after.stderr).toBe(before.status);
      if (before.status === 0) expect(names(after).sort()).toEqual([...names(before), jobName].sort());
      else expect(problems(after)).toEqual(problems(before));
    },
  );
});

describe('the job', () => {
  const several = { Dockerfile: '', 'api/Dockerfile': 'COPY src/ /\n', 'docker/web.Dockerfile': '' };

  it.each(Object.entries(allScenarios))('is that of the sample pipeline with %s', async (_, typed) => {
    const { variables, build } = read(sampleOf(typed).text);
    const { stage, variables: own, ...job } = jobIn(add('', typed, { 'example/Dockerfile': '' }));
    expect(job).toEqual(build);
    expect(own).toEqual(variables);
    expect(stage).toBe('build');
  });

  it.skipIf(!needs(hasGitLabCiLocal, 'gitlab-ci-local in test/tools, and git')).each(builders)(
    'is valid alone, for several Dockerfiles, with %s',
    async builder => {
      const { text } = add('default: { retry: 1 }\n', { builder }, several);
      const { status, stdout, stderr } = await listJobs(text);
      expect(status, stderr).toBe(0);
      expect(stderr).toContain('json schema validated');
      expect(JSON.parse(stdout)).toHaveLength(Object.keys(several).length);
    },
  );

  it('is made for each of several Dockerfiles, and each image has a name of its own', () => {
    const files = { ...several, 'api/src/x.c': '' };
    const { parallel, variables } = jobIn(add('', {}, files));
    expect(parallel.matrix).toEqual([
      { BUILD_CONTEXT: '.' },
      { BUILD_CONTEXT: 'api', IMAGE_PATH: '/api' },
      { BUILD_CONTEXT: 'docker', DOCKERFILE: 'docker/web.Dockerfile', IMAGE_PATH: '/web' },
    ]);
    expect(variables).toMatchObject({ IMAGE_PATH: '', IMAGE: '$CI_REGISTRY_IMAGE$IMAGE_PATH' });
    expect(variables.DOCKERFILE).toBe('$BUILD_CONTEXT/Dockerfile');
  });

  it('names images of a registry without deeper paths by hyphens', () => {
    const { parallel } = jobIn(add('', { registry: 'docker.io/team' }, several));
    expect(parallel.matrix[1].IMAGE_PATH).toBe('-api');
  });

  it('takes the only Dockerfile where it is', () => {
    const { variables } = jobIn(add('', {}, { 'docker/web.Dockerfile': '' }));
    expect(variables).toMatchObject({ BUILD_CONTEXT: 'docker', DOCKERFILE: 'docker/web.Dockerfile' });
  });

  it('refuses more Dockerfiles than a matrix can have', () => {
    const many = Object.fromEntries(Array.from({ length: 201 }, (_, at) => [`a${at}/Dockerfile`, '']));
    expect(() => add('', {}, many)).toThrow('There are 201 Dockerfiles');
  });

  it.each([
    ['that for images', 'stages: [build, test, docker, deploy]', 'docker'],
    ['that for packages', 'stages: [install, test, package]', 'package'],
    ['that for builds', 'stages: [lint, build, deploy]', 'build'],
    ['the last before the deployment', 'stages: [lint, check, deploy, review]', 'check'],
    ['the first where that deploys', 'stages: [deploy, verify]', 'deploy'],
    ['the last where nothing is deployed', 'stages: [lint, check]', 'check'],
    ['one of GitLab where none is named', 'a: { script: [x] }', 'build'],
    [
      'one that jobs have where others are included',
      'include: [{ template: x }]\na: { stage: unit, script: [x] }',
      'unit',
    ],
    ['not .pre or .post', 'stages: [.pre, lint, .post]', 'lint'],
    [
      'one of GitLab where jobs are before all others',
      'include: [{ template: x }]\na: { stage: .pre }',
      'build',
    ],
  ])('is in a stage that there is: %s', (_, text, stage) => {
    expect(jobIn(add(`${text}\n`)).stage).toBe(stage);
  });

  it.each([
    ['no stage', 'stages: []'],
    ['no other than .pre and .post', 'stages: [.pre, .post]'],
  ])('is refused where there is %s: GitLab would make no pipeline of it', (words, text) => {
    expect(() => add(`${text}\n`)).toThrow(
      `"stages" names ${words}, so that no job can build there: add a stage to it, such as build, and run again. Nothing was changed.`,
    );
  });

  it('goes by the stages of the file itself, and then by those of what it includes last, as GitLab does', () => {
    const [first, last] = ['docker', 'images'].map(
      stage => readPipeline('x.yml', `stages: [${stage}]\n`).facts,
    );
    const included = { included: [first!, last!] };
    expect(jobIn(add('include: [x, y]\n', {}, {}, included)).stage).toBe('images');
    expect(jobIn(add('include: [x, y]\nstages: [own]\n', {}, {}, included)).stage).toBe('own');
  });

  it.each([
    ['default', 'default:\n  before_script: [npm ci]\n', true],
    ['the old way', 'before_script: [npm ci]\n', true],
    ['perhaps an included file', 'include: https://example.com/x.yml\n', true],
    ['nothing', 'a:\n  before_script: [npm ci]\n  script: [x]\n', false],
  ])('takes no commands or services that are meant for other jobs, by %s', (_, text, inherits) => {
    const added = add(text);
    const kept = ['interruptible', 'retry', 'timeout'];
    expect(jobIn(added).inherit).toEqual(inherits ? { default: kept } : undefined);
    expect(added.notes.join().includes('"inherit"')).toBe(inherits);
  });

  it('finds its own engine where the other jobs are told of another', () => {
    const text = 'variables:\n  DOCKER_HOST: tcp://docker:2376\n  DOCKER_TLS_VERIFY: "1"\n';
    const added = add(text);
    expect(jobIn(added).variables).toMatchObject({
      DOCKER_HOST: 'unix:///var/run/docker.sock',
      DOCKER_TLS_VERIFY: '',
    });
    expect(added.notes.join()).toContain('It sets DOCKER_HOST and DOCKER_TLS_VERIFY for itself');
    expect(jobIn(add(text, { builder: 'dind' })).variables.DOCKER_HOST).toBe('tcp://docker:2376');
    expect(jobIn(add(text, { builder: 'buildah' })).variables.DOCKER_HOST).toBeUndefined();
  });

  it.each([
    ['a job of the owner', `${jobName}:\n  script: [x]\n`],
    ['what is no job', `${jobName}: [x]\n`],
    ['the one that was added, with an edit', add('').text.replace('tags: [docker]', 'tags: [mine]')],
  ])('is refused where the file, or an included one, has another of its name: %s', (_, text) => {
    const { facts } = readPipeline('ci/x.yml', text);
    const sentence = `There is a job ${jobName} already, another one than would be added: rename it, or take it away, and run again. Nothing was changed.`;
    expect(() => add(text)).toThrow(sentence);
    expect(() => add('include: ci/x.yml\n', {}, {}, { included: [facts] })).toThrow(sentence);
  });

  it('is found where it was added, whatever is around it, and needed again after other answers', () => {
    const text = 'include: [{ template: x }]\na: { stage: unit, script: [x] }\n.common: { stage: .pre }\n';
    const once = add(text, { builder: 'dind' }).text;
    expect(add(once, { builder: 'dind' }).text).toBe(once);
    expect(() => add(once, { builder: 'buildah' })).toThrow('already, another one');
  });

  it('is added with words on what cannot be told of included files', () => {
    const { notes } = add(
      'include: [{ template: Jobs/SAST.gitlab-ci.yml }]\n',
      {},
      {},
      { unread: ['template x'] },
    );
    expect(notes.join()).toContain('Cannot tell what these included files hold: template x.');
  });

  it('is added with words on a missing Dockerfile, on jobs that build images already, and on a login', () => {
    const { notes } = add('a:\n  script:\n    - docker build .\n', { registry: 'example.com:5000' }, {});
    expect(notes.join('\n')).toMatch(
      /builds the Dockerfile at the top level, once there is one\.\nNo Dockerfile was found: .* DOCKERFILE .*REGISTRY_USER.*built already, by a:/s,
    );
  });
});

describe('a file of its own shape', () => {
  it.each([
    ['no line break at its end', 'a:\n  script: [x]'],
    ['line breaks of Windows', 'a:\r\n  script: [x]\r\n'],
    ['an end that is marked', 'a:\n  script: [x]\n...\n'],
    ['text after its marked end', 'a:\n  script: [x]\n...\n# later\n'],
    ['a text at its end that keeps empty lines', 'a:\n  script: |+\n    x\n'],
    ['empty lines and a comment at its end', 'a:\n  script: [x]\n\n\n  # the end'],
    ['keys that are not in the first column', '  a:\n    script: [x]\n  b:\n    script: [y]\n'],
    ['a byte order mark', '\ufeffa:\n  script: [x]\n'],
    ['only a comment', '# later\n'],
    ['nothing', ''],
    ['a key twice', 'a:\n  script: [x]\na:\n  script: [y]\n'],
  ])('keeps its bytes and its meaning: %s', (_, text) => {
    const after = add(text).text;
    addition(text, after);
    const readAll = (one: string) => parse(one, { version: '1.1', uniqueKeys: false }) ?? {};
    const { [jobName]: job, ...rest } = readAll(after);
    expect(rest).toEqual(readAll(text));
    expect(job.stage).toBe('build');
    expect(/[^\r]\n/.test(after)).toBe(!text.includes('\r'));
  });

  it('with a header for those who include it gains the job in its pipeline', () => {
    const text = '---\nspec:\n  inputs:\n    x:\n---\na:\n  script: [x]\n';
    const documents = parseAllDocuments(add(text).text).map(one => Object.keys(one.toJS()));
    expect(documents).toEqual([['spec'], ['a', jobName]]);
  });

  it.each([
    ['braces', '{"a": {"script": ["x"]}}\n', 'is in braces'],
    ['a list', '- a\n', 'has no keys'],
    ['broken YAML', 'a: [1\n', 'is not valid YAML (Flow sequence'],
    ['an alias of nothing', 'a: *b\n', 'cannot be read'],
  ])('is refused in a sentence: %s', (_, text, sentence) => {
    expect(() => add(text)).toThrow(sentence);
  });
});
