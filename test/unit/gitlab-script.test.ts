import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { writeAll } from '../support/rendered.ts';

/** What templates/scripts/gitlab.ts exports, as far as it is tried here. */
interface GitLabScript {
  versionGap(ofRunner: string, ofGitLab: string | undefined): string | undefined;
  runnerChanges(
    runner: unknown,
    body: Record<string, unknown>,
  ): { key: string; from: unknown; to: unknown }[];
}

let script: GitLabScript;
let runner: unknown;
beforeAll(async () => {
  const folder = writeAll({ tags: 'linux,docker' });
  script = await import(pathToFileURL(join(folder, 'scripts/gitlab.ts')).href);
  ({
    runners: [runner],
  } = await import(pathToFileURL(join(folder, 'scripts/settings.ts')).href));
});

describe('versionGap', () => {
  it.each([
    ['19.3.0', '19.3.7'],
    ['19.3.0', '19.3.0-ee'],
    ['19.3.0', undefined],
    ['19.3.0', ''],
    ['unknown', '19.3.0'],
  ])('is none between %s and %s', (runner, gitlab) => {
    expect(script.versionGap(runner, gitlab)).toBeUndefined();
  });

  it.each([
    ['19.3.0', '19.4.0'],
    ['18.3.0', '19.3.0'],
    ['19.3.0', '19.30.0-ee'],
  ])('is said between %s and %s', (runner, gitlab) => {
    expect(script.versionGap(runner, gitlab)).toContain(`GitLab Runner is ${runner} and GitLab ${gitlab}`);
  });
});

describe('runnerChanges', () => {
  const asWanted = {
    id: 7,
    description: 'My Docker Runner',
    runner_type: 'project_type',
    tag_list: ['linux', 'docker'],
    run_untagged: false,
    locked: true,
    access_level: 'not_protected',
    maximum_timeout: 3600,
    paused: false,
  };

  it('are none where GitLab has all as settings.ts wants it, the tags in whatever order', () => {
    expect(script.runnerChanges(runner, asWanted)).toEqual([]);
    expect(script.runnerChanges(runner, { ...asWanted, tag_list: ['docker', 'linux'] })).toEqual([]);
  });

  it.each([
    ['tag_list', ['docker'], ['docker', 'linux']],
    ['locked', false, true],
    ['access_level', 'ref_protected', 'not_protected'],
    ['maximum_timeout', null, 3600],
    ['paused', true, false],
    ['description', 'Theirs', 'My Docker Runner'],
    ['run_untagged', true, false],
  ])('show that %s is another', (key, from, to) => {
    expect(script.runnerChanges(runner, { ...asWanted, [key]: from })).toEqual([{ key, from, to }]);
  });

  it('leave the lock alone of a runner that belongs to no project', () => {
    expect(script.runnerChanges(runner, { ...asWanted, runner_type: 'group_type', locked: false })).toEqual(
      [],
    );
  });
});
