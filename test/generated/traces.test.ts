import { describe, expect, it } from 'vitest';
import type { RunnerRepository } from '../../generators/plan/plan.ts';
import { allScenarios } from '../support/answers.ts';
import { rows } from '../support/option-pairs.ts';
import { planWith, renderAll } from '../support/rendered.ts';

/** The words by which something shows that only some repositories have; scripts are the same files for all. */
const traces: Record<string, [words: RegExp, isChosen: (plan: RunnerRepository) => boolean]> = {
  dind: [/dockerd|docker:2376|DOCKER_TLS_|services_privileged/, ({ builders }) => builders.includes('dind')],
  buildkit: [
    /buildkitd|buildctl|buildkit:1234|moby\/buildkit/,
    ({ builders }) => builders.includes('buildkit'),
  ],
  buildah: [/buildah build/, ({ builders }) => builders.includes('buildah')],
  monitoring: [/prometheus|grafana|node-exporter|listen_address|9252/i, ({ monitoring }) => monitoring],
  platforms: [
    /binfmt|--platform\b|--opt platform=|containerd-snapshotter/,
    ({ platforms }) => platforms.length > 0,
  ],
  'a cache on an S3 server': [/CACHE_S3|runners\.cache|BucketName/, ({ cache }) => cache !== undefined],
  'an S3 server here': [/versity|cache-data/, ({ cache }) => cache?.service !== undefined],
  mirror: [/registry-mirrors|mirror:5000|mirror-data/, ({ mirror }) => mirror !== undefined],
  'private CA': [
    /-authorities|\/etc\/gitlab-runner\/certs:|\/config\/certs\/ca\.crt/,
    ({ privateCa }) => privateCa,
  ],
  'HTTP proxy': [/https_proxy=/, ({ proxy }) => proxy !== undefined],
  'a network of Docker': [/clone_url = |external: true/, ({ dockerNetwork }) => dockerNetwork !== undefined],
  'an older GitLab Runner': [/expand-config/, ({ expandsConfig }) => expandsConfig],
  'clean-up': [/^ {2}clean-up:|KEEP_DAYS/m, ({ cleanUp }) => cleanUp !== undefined],
  'several runners': [/RUNNER_TOKEN_(?!EXPIRES)[A-Z]/, ({ runners }) => runners.length > 1],
};

const cases = [...Object.entries(allScenarios), ...rows.map(row => [JSON.stringify(row), row] as const)].map(
  ([name, typed]) => ({
    name,
    plan: planWith(typed),
    // Images that were named are no traces, nor is the name of a runner.
    files: Object.entries(renderAll({ ...typed, description: 'A Runner' })).filter(
      ([path]) => !path.startsWith('scripts/') && path !== 'README.md',
    ),
  }),
);

describe.each(Object.entries(traces))('%s', (_, [words, isChosen]) => {
  it('shows where it was chosen, and leaves no trace where not', () => {
    const found = (files: (typeof cases)[number]['files']) => files.filter(([, text]) => words.test(text));
    for (const { name, files } of cases.filter(({ plan }) => !isChosen(plan))) {
      expect(
        found(files).map(([path, text]) => `${path}: ${words.exec(text)?.[0]}`),
        name,
      ).toEqual([]);
    }
    const chosen = cases.filter(({ plan }) => isChosen(plan));
    expect(chosen.length).toBeGreaterThan(0);
    for (const { name, files } of chosen) expect(found(files).length, name).toBeGreaterThan(0);
  });
});
