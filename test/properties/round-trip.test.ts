import { parseEnv } from 'node:util';
import fc from 'fast-check';
import { parse as parseToml } from 'smol-toml';
import ts from 'typescript';
import { describe, expect, it, vi } from 'vitest';
import { parse } from 'yaml';
import { completeAnswers } from '../../generators/ask/answers.ts';
import type { Answers, TypedAnswers } from '../../generators/ask/questions.ts';
import type { ConfigEntry } from '../../generators/plan/builder.ts';
import type { Autoscaler } from '../../generators/plan/executor.ts';
import { planRepository, type RunnerRepository } from '../../generators/plan/plan.ts';
import { filesOf } from '../../generators/write/files.ts';
import { render } from '../../generators/write/render.ts';
import { acceptedAnswers } from '../support/arbitrary-answers.ts';
import { needs } from '../support/needs.ts';
import { refusalIn } from '../support/refusals.ts';
import { isInstalled, run } from '../support/rendered.ts';

// Thousands of cases; a busy machine takes its time for them.
vi.setConfig({ testTimeout: 120_000 });

/**
 * Renders one file for many random answers, and hands its text over with what it was made of.
 *
 * @param given answers that are not random
 */
function forMany(
  path: string,
  runs: number,
  look: (text: string, answers: Answers, repository: RunnerRepository) => void,
  given: TypedAnswers = { executor: 'docker' },
): void {
  const accepted = acceptedAnswers
    .map(typed => ({ ...typed, ...given }))
    .filter(typed => !refusalIn(() => completeAnswers(typed)));
  fc.assert(
    fc.property(accepted, typed => {
      const answers = completeAnswers(typed);
      const repository = planRepository(answers, 'my-runner');
      const file = filesOf(repository).find(one => one.path === path)!;
      look(render(file, repository), answers, repository);
    }),
    { numRuns: runs },
  );
}

/** What of the answers a pipeline shows. */
const shownInPipeline = ({ variables, ...jobs }: Record<string, Record<string, unknown>>) => {
  const { image, tags = [] } = jobs.default ?? Object.values(jobs).find(job => 'script' in job)!;
  return { image, tags, variables };
};

const expectedPipeline = ({ dockerImage, tags }: Answers, { runners: [{ pipeline }] }: RunnerRepository) => ({
  image: dockerImage,
  tags,
  variables: expect.objectContaining(
    Object.fromEntries(pipeline.variables.map(({ name, value }) => [name, value])),
  ),
});

/** [runners.autoscaler] as it is to be read back. */
function autoscaler(
  { entries, plugin, connector, policies }: Autoscaler,
  table: (entries: readonly ConfigEntry[]) => object,
) {
  return {
    ...table(entries),
    plugin_config: table(plugin),
    connector_config: table(connector),
    policy: policies.map(table),
  };
}

describe('random answers come back from', () => {
  it('.gitlab-ci.yml, read as YAML 1.1 and 1.2', () => {
    forMany('.gitlab-ci.yml', 200, (text, answers, repository) => {
      for (const version of ['1.1', '1.2'] as const) {
        expect(shownInPipeline(parse(text, { version }))).toEqual(expectedPipeline(answers, repository));
      }
    });
  });

  it('docker-compose.yml, read as YAML 1.1 and 1.2', () => {
    forMany('docker-compose.yml', 200, (text, answers, repository) => {
      for (const version of ['1.1', '1.2'] as const) {
        expect(shownInCompose(parse(text, { version }))).toEqual(expectedCompose(answers, repository));
      }
    });
  });

  it('config/config.toml', () => {
    forMany(
      'config/config.toml',
      400,
      (text, { concurrent, logLevel, monitoring, executor }, { runners }) => {
        const table = (entries: readonly ConfigEntry[]) =>
          Object.fromEntries(entries.map(({ key, value }) => [key, value]));
        expect(parseToml(text)).toEqual({
          concurrent,
          log_level: logLevel,
          ...(monitoring ? { listen_address: ':9252' } : {}),
          runners: runners.map(({ description, tokenVariable, executor: { image, volumes }, config }) => ({
            name: description,
            url: '${GITLAB_URL}',
            token: `\${${tokenVariable}}`,
            executor,
            ...table(config.runner),
            docker: { image, volumes, ...table(config.docker) },
            ...(config.autoscaler && { autoscaler: autoscaler(config.autoscaler, table) }),
            ...(config.cache.length > 0 ? { cache: { ...table(config.cache), s3: table(config.s3) } } : {}),
          })),
        });
      },
    );
  });

  it('config/config.toml: the server and the bucket of the cache, the proxy and the hosts', () => {
    interface Read {
      environment?: string[];
      docker: { disable_cache?: boolean; extra_hosts?: string[] };
      cache?: { s3: Record<string, unknown> };
    }
    forMany('config/config.toml', 400, (text, answers) => {
      const { cache, cacheServer, cacheBucket, httpProxy, extraHosts, privateCa } = answers;
      const [{ docker, cache: kept, environment = [] }] = parseToml(text).runners as unknown as [Read];
      expect(docker.disable_cache === true).toBe(cache === 'none');
      expect([kept?.s3.ServerAddress, kept?.s3.BucketName]).toEqual(
        cache === 's3'
          ? [cacheServer === 'here' ? 'job-cache:7070' : cacheServer.slice('https://'.length), cacheBucket]
          : [undefined, undefined],
      );
      const isOurs = (entry: string) => /^(mirror|job-cache):host-gateway$/.test(entry);
      expect((docker.extra_hosts ?? []).filter(entry => !isOurs(entry))).toEqual(
        extraHosts.filter(entry => !isOurs(entry)),
      );
      expect(environment.some(entry => entry.startsWith('SSL_CERT_DIR='))).toBe(privateCa);
      expect(environment.includes(`HTTPS_PROXY=${httpProxy}`)).toBe(httpProxy !== undefined);
    });
  });

  it('helm/values.yaml, and the configuration of the runner in it', () => {
    forMany(
      'helm/values.yaml',
      300,
      (text, answers, { kubernetes }) => {
        const values = parse(text, { version: '1.1' });
        expect(values).toEqual(parse(text, { version: '1.2' }));
        expect(values).toMatchObject({ gitlabUrl: answers.gitlabUrl, concurrent: answers.concurrent });
        expect(values.envVars[0].value.replaceAll('$$', '$')).toBe(answers.description);
        expect(`${values.image.image}:${values.image.tag}`).toBe(
          /:[^/]*$/.test(answers.runnerImage) ? answers.runnerImage : `${answers.runnerImage}:latest`,
        );
        const [runner] = parseToml(values.runners.config.replaceAll('{{ "{{" }}', '{{')).runners as never[];
        expect(runner).toMatchObject({
          kubernetes: Object.fromEntries(kubernetes!.executor.map(({ key, value }) => [key, value])),
          ...(answers.nodeSelector.length > 0
            ? {
                kubernetes: {
                  node_selector: Object.fromEntries(answers.nodeSelector.map(one => one.split('='))),
                },
              }
            : {}),
        });
      },
      {
        ...{ executor: 'kubernetes', builder: 'buildkit', dockerImage: 'team/builder:1' },
        ...{ cache: 's3', cacheServer: 'https://s3.example.org' },
      },
    );
  });

  it('buildkit/buildkitd.toml', () => {
    forMany(
      'buildkit/buildkitd.toml',
      400,
      (text, { mirror, insecureRegistry }) => {
        expect(parseToml(text)).toEqual({
          worker: {
            oci: {
              gc: true,
              maxUsedSpace: expect.stringMatching(/^\d+GB$/),
              reservedSpace: expect.stringMatching(/^[1-9]\d*GB$/),
              minFreeSpace: '5GB',
            },
          },
          ...(mirror || insecureRegistry !== undefined
            ? {
                registry: {
                  ...(mirror
                    ? { 'docker.io': { mirrors: ['mirror:5000'] }, 'mirror:5000': { http: true } }
                    : {}),
                  ...(insecureRegistry === undefined ? {} : { [insecureRegistry]: { http: true } }),
                },
              }
            : {}),
        });
      },
      { executor: 'docker', builder: 'buildkit' },
    );
  });

  it('docker/daemon.json', () => {
    forMany(
      'docker/daemon.json',
      400,
      (text, { mirror, insecureRegistry, platforms }) => {
        const { builder, ...others } = JSON.parse(text);
        expect(builder.gc).toMatchObject({ enabled: true });
        expect(others).toEqual({
          ...(platforms.length > 0 ? { features: { 'containerd-snapshotter': true } } : {}),
          ...(mirror ? { 'registry-mirrors': ['http://mirror:5000'] } : {}),
          ...(insecureRegistry === undefined
            ? {}
            : { 'insecure-registries': ['127.0.0.0/8', insecureRegistry] }),
        });
      },
      { executor: 'docker', builder: 'dind', dindCache: 'volume' },
    );
  });

  it('scripts/settings.ts, compiled and run', () => {
    const modules: string[] = [];
    const expected: object[] = [];
    forMany('scripts/settings.ts', 500, (text, { description, tags }, repository) => {
      const { runUntagged, tokenVariable } = repository.runners[0];
      modules.push(text);
      expected.push({
        runners: [
          expect.objectContaining({ description, tag_list: tags, run_untagged: runUntagged, tokenVariable }),
        ],
        parts: repository.parts,
      });
    });
    expect(evaluate(modules, () => 'return { runners, parts };')).toEqual(expected);
  });

  it('.env.example, read as a dotenv file', () => {
    forMany('.env.example', 500, (text, { gitlabUrl }) => {
      expect(parseEnv(text)).toMatchObject({ GITLAB_URL: gitlabUrl, COMPOSE_PROJECT_NAME: 'my-runner' });
    });
  });

  it('.env.example, read by a shell', () => {
    const urls: string[] = [];
    const assignments: string[] = [];
    forMany('.env.example', 300, (text, { gitlabUrl }) => {
      urls.push(gitlabUrl);
      assignments.push(text.split('\n').find(line => line.startsWith('GITLAB_URL='))!);
    });
    const script = assignments.map(line => `${line}\nprintf '%s\\n' "$GITLAB_URL"`).join('\n');
    const { stdout, stderr } = run('.', ['sh', '-eu'], script);
    expect(stderr).toBe('');
    expect(stdout.split('\n').slice(0, -1)).toEqual(urls);
  });
});

interface ComposeFile {
  services: Record<
    string,
    { image: string; extra_hosts?: string[]; environment?: Record<string, string>; depends_on?: string[] }
  >;
  networks?: object;
  volumes?: object;
}

/** What of the answers docker-compose.yml shows. */
const shownInCompose = ({ services, networks, volumes }: ComposeFile) => ({
  image: services.runner?.image,
  hosts: services.runner?.extra_hosts ?? [],
  proxy: services.runner?.environment?.HTTPS_PROXY,
  exceptions: services.runner?.environment?.NO_PROXY,
  before: services.runner?.depends_on ?? [],
  networks: Object.keys(networks ?? {}),
  volumes: Object.keys(volumes ?? {}),
});

const expectedCompose = (answers: Answers, { compose, proxy }: RunnerRepository) => ({
  image: `\${RUNNER_IMAGE:-${answers.runnerImage}}`,
  hosts: answers.extraHosts,
  proxy: answers.httpProxy,
  exceptions: proxy?.exceptions.join(','),
  before: compose.services,
  networks: compose.networks.map(({ key }) => key),
  volumes: compose.volumes.map(({ key }) => key),
});

/**
 * Runs modules, all compiled in one, each in a function of its own: the compiler needs its time for every module.
 *
 * @param ending what is returned from a module
 */
function evaluate(modules: readonly string[], ending: (text: string) => string): unknown[] {
  const functions = modules.map(text => {
    const body = text.replace(/^import .*$/gm, '').replace(/^export /gm, '');
    return `() => {\n${body}\n${ending(text)}\n}`;
  });
  const { outputText } = ts.transpileModule(`(() => [${functions.join(',\n')}])()`, {
    compilerOptions: { target: ts.ScriptTarget.ES2023 },
  });
  const all = new Function(`return ${outputText}`)() as (() => unknown)[];
  return all.map(read => read());
}

describe.skipIf(!needs(isInstalled('ruby', '-rpsych', '-e', ''), 'ruby, whose YAML reader GitLab uses'))(
  "random answers come back from GitLab's own YAML reader",
  () => {
    it('as they were in .gitlab-ci.yml', () => {
      const expected: unknown[] = [];
      const texts: string[] = [];
      forMany('.gitlab-ci.yml', 500, (text, answers, repository) => {
        texts.push(text);
        expected.push(expectedPipeline(answers, repository));
      });
      const program =
        'require "psych"; require "json"; puts JSON.parse(STDIN.read).map { |text| Psych.safe_load(text) }.to_json';
      const { stdout, stderr } = run('.', ['ruby', '-e', program], JSON.stringify(texts));
      expect(stderr).toBe('');
      expect((JSON.parse(stdout) as Parameters<typeof shownInPipeline>[0][]).map(shownInPipeline)).toEqual(
        expected,
      );
    });
  },
);
