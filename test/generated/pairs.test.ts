import { readFileSync } from 'node:fs';
import { parse as parseToml } from 'smol-toml';
import { describe, expect, it, vi } from 'vitest';
import { parse } from 'yaml';
import type { TypedAnswers } from '../../generators/ask/questions.ts';
import type { RunnerRepository } from '../../generators/plan/plan.ts';
import { allScenarios } from '../support/answers.ts';
import { needs } from '../support/needs.ts';
import { impossible, rows, sentences, values } from '../support/option-pairs.ts';
import {
  composeReads,
  composes,
  hasGitLabCiLocal,
  listJobs,
  shellcheckRecipe,
  targetsOf,
  unknownKeys,
  writeTexts,
} from '../support/own-tools.ts';
import { holds, pairsOf } from '../support/pairs.ts';
import { isInstalled, planWith, renderAll, run } from '../support/rendered.ts';
import { findSecrets } from '../support/secrets.ts';

// Dozens of repositories; a busy machine takes its time for them.
vi.setConfig({ testTimeout: 300_000 });

const repositories = rows.map(row => renderAll(row as TypedAnswers));

/** The different texts that a file has in these repositories. */
const textsOf = (path: string): string[] => [...new Set(repositories.flatMap(texts => texts[path] ?? []))];

describe('options, two by two', () => {
  const pairs = pairsOf(values);

  it('are all there: each pair of values in some repository, or refused', () => {
    const open = pairs.filter(pair => !rows.some(row => holds(row, pair)));
    expect(open).toEqual(impossible);
    expect(rows.length).toBeLessThan(90);
  });

  it('are refused by a sentence where they cannot stand together, whatever else is given', () => {
    expect(sentences.size).toBeGreaterThan(0);
    for (const sentence of sentences) expect(sentence).toMatch(/^(-|[A-Z]).*\.$/);
  });

  it('give text that an editor leaves as it is, with every value filled in', () => {
    for (const [number, texts] of repositories.entries()) {
      for (const [path, text] of Object.entries(texts)) {
        const where = `${path} with ${JSON.stringify(rows[number])}`;
        expect(text, where).not.toMatch(/[ \t\r]\n|\n\n\n|^\n/);
        expect(text, where).toMatch(/[^\n]\n$/);
        if (!path.endsWith('.ts')) expect(text, where).not.toMatch(/<%|%>|\[object |\bNaN\b|undefined/);
        expect(text.includes('\t'), where).toBe(path === 'Makefile');
      }
    }
  });

  it('give YAML that reads the same as 1.1 and as 1.2', () => {
    const paths = ['docker-compose.yml', '.gitlab-ci.yml', 'helm/values.yaml', 'k8s/alerts.yaml'];
    for (const text of paths.flatMap(textsOf)) {
      expect(parse(text, { version: '1.1' })).toEqual(parse(text, { version: '1.2' }));
    }
  });

  it('give TOML and JSON', () => {
    for (const text of textsOf('config/config.toml')) {
      expect(Object.keys(parseToml(text))).toEqual(
        expect.arrayContaining(['concurrent', 'log_level', 'runners']),
      );
    }
    for (const text of textsOf('buildkit/buildkitd.toml')) {
      expect(Object.keys(parseToml(text))).toContain('worker');
    }
    for (const text of textsOf('docker/daemon.json')) {
      expect(Object.keys(JSON.parse(text))).toContain('builder');
    }
  });
});

it('options, two by two, give no file that has anything that looks like a secret', () => {
  for (const [number, texts] of repositories.entries()) {
    expect(findSecrets(texts), JSON.stringify(rows[number])).toEqual([]);
  }
});

it('options, two by two, give config.toml only keys that GitLab Runner reads', () => {
  const facts = new URL('../facts/config-toml-keys.json', import.meta.url);
  const { keys } = JSON.parse(readFileSync(facts, 'utf8'));
  for (const text of textsOf('config/config.toml')) expect(unknownKeys(parseToml(text), keys)).toEqual([]);
});

// Compose v1, which takes seconds for each, reads the scenarios in docker-compose.test.ts.
const [compose] = composes;

it.skipIf(!needs(compose !== undefined, 'docker compose or docker-compose'))(
  'options, two by two, give a docker-compose.yml that Compose reads without complaint',
  async () => {
    await atOnce(textsOf('docker-compose.yml'), async text => {
      const { status, stderr } = await composeReads(text, compose!);
      expect({ status, stderr }, text).toEqual({ status: 0, stderr: '' });
    });
  },
);

it.skipIf(!needs(hasGitLabCiLocal, 'gitlab-ci-local in test/tools, and git'))(
  "options, two by two, give a pipeline that GitLab's schema accepts",
  async () => {
    // Each call takes its time, and gitlab-ci.test.ts has every scenario: these are some of the mixtures.
    await atOnce(textsOf('.gitlab-ci.yml').slice(0, 8), async text => {
      const { status, stdout, stderr } = await listJobs(text);
      expect({ status, stderr }, text).toEqual({
        status: 0,
        stderr: expect.stringContaining('json schema validated'),
      });
      expect(JSON.parse(stdout)).toHaveLength(1);
    });
  },
);

describe.skipIf(
  !needs(isInstalled('shellcheck', '--version') && isInstalled('make', '--version'), 'shellcheck and make'),
)('options, two by two,', () => {
  it('give recipes of make in which shellcheck finds nothing', () => {
    for (const text of textsOf('Makefile')) {
      const folder = writeTexts({ Makefile: text, '.env.example': '' });
      for (const target of targetsOf(text)) {
        expect(shellcheckRecipe(folder, target), target).toEqual({ status: 0, stdout: '', stderr: '' });
      }
    }
  });

  it('give commands of jobs in which shellcheck finds nothing', () => {
    const scripts = textsOf('.gitlab-ci.yml').map(text => {
      const jobs: { before_script?: string[]; script?: string[] }[] = Object.values(parse(text));
      // A job runs the commands of both as one script.
      return jobs.flatMap(({ before_script = [], script = [] }) => [...before_script, ...script]).join('\n');
    });
    const folder = writeTexts(
      Object.fromEntries(
        [...new Set(scripts)].map((script, number) => {
          const names = [...script.matchAll(/\$\{?([A-Z]\w+)/g)].map(([, name]) => name);
          // GitLab, the runner or `variables` sets them.
          const given = [...new Set(names)].map(name => `export ${name}=x\n`).join('');
          return [`script-${number}.sh`, `#!/bin/sh\n${given}${script}\n`];
        }),
      ),
    );
    const { stdout, stderr } = run(folder, [
      'sh',
      '-c',
      'shellcheck --severity=warning --exclude=SC2034,SC2043 script-*.sh',
    ]);
    expect(stderr).toBe('');
    expect(stdout).toBe('');
  });
});

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

/** Looks at all of them, two at the same time. */
async function atOnce<Item>(items: readonly Item[], look: (item: Item) => Promise<void>): Promise<void> {
  const open = [...items];
  const worker = async () => {
    for (let item = open.pop(); item !== undefined; item = open.pop()) await look(item);
  };
  await Promise.all([worker(), worker()]);
}
