import { describe, expect, it } from 'vitest';
import type { Change } from '../../generators/write/changes.ts';
import { leftBehind } from '../../generators/write/left-behind.ts';
import type { Scenario } from '../support/answers.ts';
import { planWith } from '../support/rendered.ts';

const inCluster = { executor: 'kubernetes', builder: 'buildkit' };
const onInstances = { executor: 'docker-autoscaler', instanceGroup: 'runners' };
const release = 'helm/release.json';

/** The command that stops each, as the sentence before the run has it. */
function commands(before: Scenario, after: Scenario, environment = '', changes: readonly Change[] = []) {
  return leftBehind(planWith(before), planWith(after), changes, environment).map(({ sentence, steps }) => {
    const command = /afterwards by: (.*)$/.exec(sentence)?.[1];
    if (command !== undefined) expect(steps[0]?.startsWith(`${command} `)).toBe(true);
    return command ?? sentence;
  });
}

/** What `make down` does, in its order: the rights of the runner go last. */
const uninstall = (release: string, its: string, context = '') =>
  [
    `kubectl scale deployment/${release} --replicas=0 ${its}${context}`,
    `kubectl wait --for=delete pod --selector=app=${release} --timeout=65m ${its}${context}`,
    `helm uninstall ${release} --wait ${its}${context.replace('--', '--kube-')}`,
  ].join(' && ');
const changeOf = (before: string): Change => ({
  ...{ path: release, place: release, kind: 'unused', before, text: before },
  ...{ conflicts: [], lost: [], written: undefined },
});

describe('leftBehind', () => {
  it.each<[string, Scenario, Scenario]>([
    ['at the first run', {}, {}],
    ['on one host', { builder: 'dind' }, { tags: 'x' }],
    ['from one host to instances, by the same container', {}, onInstances],
    ['in a cluster', inCluster, { ...inCluster, tags: 'x' }],
  ])('is nothing %s', (_, before, after) => {
    expect(commands(before, after)).toEqual([]);
  });

  it('is the container of a runner that goes into a cluster, by the name that it has here', () => {
    expect(commands({}, inCluster)).toEqual(['docker compose --project-name my-runner down']);
    expect(commands({}, inCluster, 'COMPOSE_PROJECT_NAME=other\n')).toEqual([
      'docker compose --project-name other down',
    ]);
  });

  it('is the release of a runner that leaves its cluster or namespace, where kubectl finds it', () => {
    const its = ['gitlab-runner-my-runner', '--namespace gitlab-runner'] as const;
    expect(commands(inCluster, {})).toEqual([uninstall(...its)]);
    expect(commands(inCluster, onInstances, 'KUBE_CONTEXT=of ci\n')).toEqual([
      uninstall(...its, " --context 'of ci'"),
    ]);
    expect(commands(inCluster, { ...inCluster, namespace: 'ci' })).toEqual([uninstall(...its)]);
    const [left] = leftBehind(planWith(inCluster), planWith(), [], 'KUBE_CONTEXT=ci\n');
    expect(left?.steps[1]).toMatch(
      /^kubectl delete secret gitlab-runner-my-runner-token --namespace gitlab-runner --context ci /,
    );
  });

  it('is the release that the owner wrote into helm/release.json', () => {
    const edited = changeOf('{ "release": "theirs", "namespace": "there" }');
    expect(commands(inCluster, {}, '', [edited])).toEqual([uninstall('theirs', '--namespace there')]);
    expect(commands(inCluster, inCluster, '', [edited])).toEqual([]);
    expect(commands(inCluster, {}, '', [changeOf('{')])[0]).toContain('gitlab-runner-my-runner');
  });

  it('is the instances of a group that is not filled any more', () => {
    for (const after of [{}, { ...onInstances, instanceGroup: 'others' }])
      expect(commands(onInstances, after)).toEqual([
        expect.stringMatching(/^Instances of runners .*to 0\.$/),
      ]);
    expect(commands(onInstances, inCluster)).toHaveLength(2);
  });
});
