import { describe, expect, it } from 'vitest';
import { checkProject, checkRunnerName } from '../../generators/ask/checks.ts';
import type { TypedAnswers } from '../../generators/ask/questions.ts';
import { Refusal } from '../../generators/ask/refusal.ts';
import {
  completeRunner,
  completeRunners,
  type TypedRunners,
  typedRunner,
} from '../../generators/ask/runners.ts';
import { filesOf } from '../../generators/write/files.ts';
import { answersWith } from '../support/answers.ts';
import { planWith, renderAll } from '../support/rendered.ts';

const complete = (typed: TypedAnswers, runners: TypedRunners) => completeRunners(answersWith(typed), runners);

describe('a further runner', () => {
  it('has of the first whatever it does not say itself, and its name as description and tag', () => {
    const typed: TypedAnswers = {
      gitlabUrl: 'https://git.example.org',
      builder: 'buildah',
      hardening: 'strict',
      runUntagged: 'yes',
      mirror: 'yes',
    };
    const { answers, project } = completeRunner('deploy', answersWith(typed), {});
    expect(answers).toEqual({
      ...answersWith(typed),
      description: 'deploy',
      tags: ['deploy'],
      // Two runners that take any job would not be told apart.
      runUntagged: false,
    });
    expect(project).toBeUndefined();
  });

  it('has the image that its builder needs, where the first has another builder', () => {
    const image = (typed: TypedAnswers, own: object) =>
      completeRunner('deploy', answersWith(typed), own).answers.dockerImage;
    expect(image({}, { builder: 'buildkit' })).toBe('docker:29.10.0-cli');
    expect(image({ builder: 'buildah' }, { builder: 'socket' })).toBe('docker:stable');
    expect(image({ dockerImage: 'team/tools:1' }, { builder: 'buildkit' })).toBe('team/tools:1');
    expect(image({}, { builder: 'buildkit', dockerImage: 'docker:cli' })).toBe('docker:cli');
  });

  it('is saved in full, so that it does not change with the first', () => {
    const own = { builder: 'buildkit', project: 'team/app', tags: ',', runUntagged: 'yes' };
    const saved = typedRunner(completeRunner('deploy', answersWith(), own));
    expect(saved).toEqual({
      ...own,
      dindCache: 'registry',
      instanceGroup: 'gitlab-runners',
      hardening: 'recommended',
      dockerImage: 'docker:29.10.0-cli',
    });
    const other = answersWith({ builder: 'buildah', hardening: 'strict' });
    expect(typedRunner(completeRunner('deploy', other, saved))).toEqual(saved);
  });

  it.each([
    ['a name that is no word', 'De ploy', {}, /^Runner "De ploy": The name of a runner/],
    ['an answer that is none', 'deploy', { builder: 'podman' }, /^Runner "deploy": .*builder/],
    ['a project that is no path', 'deploy', { project: 'a b' }, /^Runner "deploy": Write the project/],
    [
      'answers that exclude each other',
      'deploy',
      { builder: 'buildkit', dockerImage: 'docker:stable' },
      /^Runner "deploy": --builder buildkit needs buildx/,
    ],
  ])('is refused with %s', (_, name, own, message) => {
    expect(() => complete({}, { [name]: own })).toThrow(Refusal);
    expect(() => complete({}, { [name]: own })).toThrow(message);
  });
});

describe('runners in one repository', () => {
  it('have names that differ', () => {
    expect(() => complete({ description: 'deploy' }, { deploy: {} })).toThrow(
      'Two runners are called "deploy"',
    );
  });

  const volume = { builder: 'dind', dindCache: 'volume' };
  it.each<[string, TypedAnswers, TypedRunners]>([
    ['the first', volume, { deploy: { builder: 'buildkit' } }],
    ['the second', { builder: 'buildkit' }, { deploy: volume }],
    ['neither', {}, { a: volume, b: { builder: 'buildkit' } }],
  ])('do not have both BuildKit and one engine for all, of which %s is the repository', (_, typed, own) => {
    expect(() => complete(typed, own)).toThrow('have one volume for the certificates of jobs');
  });

  it('have one way to keep layers in engines of their own', () => {
    expect(() => complete({ builder: 'dind' }, { deploy: volume })).toThrow('choose --dind-cache registry');
    expect(complete(volume, { deploy: volume })).toHaveLength(1);
  });

  it('share services and volumes of docker-compose.yml, and have each its own files', () => {
    const plan = planWith({
      builder: 'socket',
      mirror: 'yes',
      cache: 's3',
      runners: { second: {}, kit: { builder: 'buildkit' }, inside: { builder: 'dind' } },
    });
    expect(plan.compose.services).toEqual(['buildkit']);
    expect(plan.compose.networks.map(({ key }) => key)).toEqual(['jobs']);
    expect(new Set(plan.compose.volumes.map(({ key }) => key)).size).toBe(plan.compose.volumes.length);
    // The host's engine, the jobs with an engine of their own, and those on the network.
    expect(plan.mirror).toEqual({
      addresses: ['127.0.0.1', '172.17.0.1'],
      isOnNetwork: true,
      isForHost: true,
    });
    expect(plan.cache?.service).toEqual({ addresses: ['172.17.0.1'], isOnNetwork: true });
    const paths = filesOf(plan).map(({ path }) => path);
    expect(new Set(paths).size).toBe(paths.length);
    for (const name of ['second', 'kit', 'inside']) expect(paths).toContain(`example/${name}.gitlab-ci.yml`);
  });

  it('are in the table of threats where jobs of one can do what those of another cannot', () => {
    const rows = planWith({ runners: { same: {}, kit: { builder: 'buildkit' } } }).threats.map(
      ({ who }) => who,
    );
    expect(rows).toContain('The same, by `kit`');
    expect(rows).not.toContain('The same, by `same`');
  });

  it('are said to take nothing from jobs only where none of them does', () => {
    const text = (hardening: string) =>
      renderAll({ hardening: 'relaxed', runners: { deploy: { hardening } } })['README.md'];
    expect(text('relaxed')).toContain('Nothing is taken from jobs');
    expect(text('strict')).not.toContain('Nothing is taken from jobs');
  });
});

describe('checkRunnerName', () => {
  it.each(['deploy', 'a', '0', 'a-b', 'x'.repeat(40)])('takes %s', name => {
    expect(checkRunnerName(` ${name} `)).toBe(name);
  });

  it.each(['', 'Deploy', 'a b', '-a', 'a-', 'a/b', '..', 'größe', 'a.b', 'x'.repeat(41), "a'"])(
    'refuses %j',
    name => {
      expect(() => checkRunnerName(name)).toThrow(Refusal);
    },
  );
});

describe('checkProject', () => {
  it.each([
    ['team/app', 'team/app'],
    ['/team/größe/app.x-1/', 'team/größe/app.x-1'],
    ['42', '42'],
    ['none', undefined],
  ])('takes %s', (text, project) => {
    expect(checkProject(text)).toBe(project);
  });

  it.each(['', 'app', 'team/', 'team//app', 'team/a b', 'team/..', "team/'", 'https://git.example.org/a/b'])(
    'refuses %j',
    text => {
      expect(() => checkProject(text)).toThrow(Refusal);
    },
  );
});
