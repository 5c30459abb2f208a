import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { parse, stringify } from 'yaml';
import { runners } from '../../../examples/default/scripts/settings.ts';
import type { Run, Verdict } from '../../../templates/scripts/host.ts';
import { checks } from '../../../templates/scripts/jobs.ts';
import { GitLabServer, type LintResult } from '../../support/gitlab-server.ts';
import { composeConfig } from './compose.ts';

const folder = new URL('../../pipelines/', import.meta.url);
const suffix = '.gitlab-ci.yml';
const names = readdirSync(folder).map(name => name.replace(suffix, ''));
const textOf = (name: string) => readFileSync(new URL(`${name}${suffix}`, folder), 'utf8');

/** What is to be found beside ok: verdict, job and words; by the file alone, and what GitLab's reading adds or takes away. */
const expected: Record<string, { file: string[]; gitlab?: string[] }> = {
  'alias-tags': { file: [] },
  article: { file: [] },
  'backslash-mount': { file: ['warning "lint": it mounts'] },
  'child-of-generator': { file: [] },
  'child-pipelines': { file: [] },
  'compose-tests': { file: [] },
  'dind-classic': { file: ['failed "build": it starts a dind'] },
  'dind-comment': { file: [] },
  'dind-variable': { file: ['failed "build": it starts a dind'] },
  'docker-hub': { file: [] },
  extends: { file: ['unknown "build api": its tags', 'unknown "build web": its tags'], gitlab: [] },
  'flow-style': { file: [] },
  'folded-mount': { file: ['warning "lint": it mounts'] },
  includes: { file: ['unknown : included files'], gitlab: [] },
  'leftover-host': { file: ['failed "build": no engine answers at its DOCKER_HOST'] },
  matrix: { file: [] },
  'merge-keys': { file: [] },
  'node-app': { file: [] },
  'own-cleanup': { file: [] },
  'postgres-service': { file: [] },
  prune: { file: ['warning "build": it removes', 'warning "stop all": it removes'] },
  'reference-tags': { file: ['unknown "build": its tags'], gitlab: [] },
  'ssh-deploy': { file: [] },
  'ssh-heredoc': { file: [] },
  'tag-as-text': { file: ['failed "build": its tags are the text'], gitlab: ['failed : GitLab refuses'] },
  'three-lines': { file: [] },
  'two-runners': { file: ['warning "sign on a mac": it asks for macos, xcode-15'] },
  untagged: { file: ['warning "format": it asks for no tag', 'warning "test": it asks for no tag'] },
  'variable-tag': { file: ['unknown "build": its tags'] },
  windows: { file: [] },
};

/** What the check of pipelines finds, as verdict, jobs and detail. */
async function examine(
  name: string,
  variables: Record<string, string> = {},
  gitlabUrl = 'http://127.0.0.1:9',
) {
  runners[0]!.pipeline = `../test/pipelines/${name}${suffix}`;
  const found: [verdict: Verdict, text: string][] = [];
  const none = { GITLAB_ACCESS_TOKEN: '', GITLAB_PROJECT_ID: '' };
  for (const [key, value] of Object.entries({ ...none, GITLAB_URL: gitlabUrl, ...variables }))
    vi.stubEnv(key, value);
  const run: Run = async (command, options) => composeConfig(command, options);
  const check = checks.find(one => one.name === 'pipeline')!;
  const note = (verdict: Verdict, detail: string) => {
    const [, jobs = '', text = ''] = /^(?:GitLab refuses )?[^,:]*(?:, job (.*?))?: (.*)$/.exec(detail) ?? [];
    const refused = detail.startsWith('GitLab refuses') ? 'GitLab refuses ' : '';
    found.push([verdict, `${verdict} ${jobs}: ${refused}${text}`]);
  };
  // A Failure is its finding.
  await Promise.resolve(check.run(run, note)).catch(error => note('failed', error.message));
  return found;
}

/** The pipeline as GitLab reads it, whose includes have what the example in test/pipelines asks of them. */
function lint(text: string): LintResult {
  type Job = Record<string, unknown>;
  const reference = {
    tag: '!reference',
    collection: 'seq' as const,
    resolve: (sequence: { toJSON(): string[] }) => ({ reference: sequence.toJSON() }),
  };
  const file: Record<string, Job> = parse(text, { merge: true, customTags: [reference as never] });
  delete file.include;
  file['.docker-build'] ??= { tags: ['docker'] };
  const resolve = (value: unknown): unknown => {
    const path = (value as { reference?: [string, string] } | null)?.reference;
    if (path) return file[path[0]]?.[path[1]] ?? [];
    return Array.isArray(value) ? value.flatMap(one => resolve(one) as unknown[]) : value;
  };
  const extended = (job: Job): Job => {
    const parents = [job.extends ?? []].flat().map(parent => extended(file[String(parent)] ?? {}));
    return Object.assign({}, ...parents, job);
  };
  const isJob = (name: string) =>
    !/^\.|^(default|stages|variables|workflow|image|services|cache)$/.test(name) && !file[name]!.trigger;
  const merged = Object.entries(file).map(([name, job]) => {
    if (typeof job !== 'object' || Array.isArray(job)) return [name, job];
    return [
      name,
      Object.fromEntries(Object.entries(extended(job)).map(([key, value]) => [key, resolve(value)])),
    ];
  });
  const whole: Record<string, Job> = Object.fromEntries(merged);
  const text_ = (job: Job) => typeof job.tags === 'string';
  const errors = Object.keys(whole)
    .filter(name => isJob(name) && text_(whole[name]!))
    .map(name => `jobs:${name}:tags config must be an array of strings`);
  const jobs = Object.keys(whole)
    .filter(isJob)
    .map(name => {
      const job = whole[name]!;
      const commands = (key: string) =>
        [job[key] ?? file.default?.[key] ?? file[key] ?? []].flat().map(String);
      return {
        name: job.parallel ? `${name}: [api]` : name,
        stage: String(job.stage ?? 'test'),
        before_script: commands('before_script'),
        script: commands('script'),
        after_script: commands('after_script'),
        tag_list: (job.tags ?? file.default?.tags ?? []) as string[],
      };
    });
  const valid = errors.length === 0;
  const none = { errors, warnings: [], includes: [] };
  return {
    ...none,
    valid,
    merged_yaml: stringify(whole, { aliasDuplicateObjects: false }),
    jobs: valid ? jobs : [],
  };
}

const trouble = (found: Awaited<ReturnType<typeof examine>>) => found.filter(([verdict]) => verdict !== 'ok');

describe('thirty pipelines in the manner of public ones', () => {
  let gitlab: GitLabServer;
  beforeAll(async () => {
    gitlab = await GitLabServer.start();
  });
  afterAll(() => gitlab.stop());

  it('are thirty, each with its expected findings', () => {
    expect(names.sort()).toEqual(Object.keys(expected).sort());
    expect(names).toHaveLength(30);
  });

  it.each(names)('finds in %s what is there, and no more, by the file alone', async name => {
    const found = trouble(await examine(name));
    expect(found.map(([, text]) => text)).toEqual(
      expected[name]!.file.map(text => expect.stringContaining(text)),
    );
  });

  it.each(names)('finds in %s what is there, and no more, as GitLab reads it', async name => {
    const project = gitlab.addProject(`group/${name}`);
    gitlab.lintResults.set(project, lint(textOf(name)));
    const token = gitlab.addAccessToken(['read_api']);
    const variables = { GITLAB_ACCESS_TOKEN: token, GITLAB_PROJECT_ID: `group/${name}` };
    const found = trouble(await examine(name, variables, gitlab.url));
    const { file, gitlab: wanted = file } = expected[name]!;
    expect(found.map(([, text]) => text)).toEqual(wanted.map(text => expect.stringContaining(text)));
    expect(gitlab.requests.at(-1)).toMatchObject({
      method: 'GET',
      status: 200,
      path: expect.stringMatching(/%2F.*\/ci\/lint$/),
    });
  });

  it('are rarely left with "cannot tell": four of the files at most, and one where GitLab reads them', () => {
    const untold = (findings: string[][]) =>
      findings.filter(all => all.some(text => text.startsWith('unknown')));
    const all = Object.values(expected);
    expect(untold(all.map(({ file }) => file)).length).toBeLessThanOrEqual(4);
    expect(untold(all.map(({ file, gitlab: wanted = file }) => wanted)).length).toBeLessThanOrEqual(1);
  });

  it('says in each finding on jobs which jobs, and never "ok" of a job that has another finding', async () => {
    for (const name of names) {
      const found = await examine(name);
      const jobs = found.flatMap(([verdict, text]) =>
        (text.match(/"[^"]*"(?=[,:])/g) ?? []).map(job => [job, verdict]),
      );
      for (const [job] of jobs.filter(([, verdict]) => verdict === 'ok'))
        expect(
          jobs.filter(([other]) => other === job),
          `${name} ${job}`,
        ).toHaveLength(1);
    }
  });
});
