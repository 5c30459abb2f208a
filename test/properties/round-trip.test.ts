import { fileURLToPath } from 'node:url';
import { parseEnv } from 'node:util';
import fc from 'fast-check';
import { marked, type Token, type Tokens } from 'marked';
import { parse as parseToml } from 'smol-toml';
import ts from 'typescript';
import { describe, expect, it, vi } from 'vitest';
import { parse } from 'yaml';
import { completeAnswers } from '../../generators/app/answers.ts';
import { files } from '../../generators/app/files.ts';
import { planRepository, type RunnerRepository } from '../../generators/app/plan.ts';
import type { Answers, TypedAnswers } from '../../generators/app/questions.ts';
import { render } from '../../generators/app/render.ts';
import { acceptedAnswers, refusalIn } from '../support/arbitrary-answers.ts';
import { needs } from '../support/needs.ts';
import { isInstalled, run } from '../support/rendered.ts';

// Thousands of cases; a busy machine takes its time for them.
vi.setConfig({ testTimeout: 120_000 });

const fileOf = (path: string) => files.find(file => file.path === path)!;

/**
 * Renders one file for many random answers, and hands its text over with what it was made of.
 *
 * @param given answers that are not random
 */
function forMany(
  path: string,
  runs: number,
  look: (text: string, answers: Answers, repository: RunnerRepository) => void,
  given: TypedAnswers = {},
): void {
  const file = fileOf(path);
  const accepted = acceptedAnswers
    .map(typed => ({ ...typed, ...given }))
    .filter(typed => !refusalIn(() => completeAnswers(typed)));
  fc.assert(
    fc.property(accepted, typed => {
      const answers = completeAnswers(typed);
      const repository = planRepository(answers, 'my-runner');
      look(render(file, repository), answers, repository);
    }),
    { numRuns: runs },
  );
}

it('every file that shows answers is read back below', () => {
  expect(files.filter(({ data }) => data).map(({ path }) => path)).toEqual([
    '.env.example',
    '.gitignore',
    '.gitlab-ci.yml',
    'Makefile',
    'README.md',
    'buildkit/buildkitd.toml',
    'config/template.toml',
    'docker-compose.yml',
    'docker/daemon.json',
    // Its own test reads it.
    'renovate.json',
    // Show no answer: they have what the answers ask for.
    'scripts/apply.ts',
    'scripts/cache.ts',
    'scripts/config.ts',
    // Shows no answer: its template has parts.
    'scripts/dind.ts',
    'scripts/doctor.ts',
    // Show no answer: they have what the answers ask for.
    'scripts/env.ts',
    'scripts/gitlab.ts',
    'scripts/register.ts',
    'scripts/route.ts',
    'scripts/run',
    'scripts/settings.ts',
    'scripts/socket-proxy.ts',
    'scripts/socket.ts',
  ]);
});

/** What of the answers a pipeline shows. */
const shownInPipeline = (pipeline: Record<string, unknown>) => ({
  default: pipeline.default,
  variables: pipeline.variables,
  sections: Object.keys(pipeline),
});

const expectedPipeline = (answers: Answers, { pipeline }: RunnerRepository) => ({
  default: {
    image: answers.dockerImage,
    ...(answers.tags.length > 0 ? { tags: answers.tags } : {}),
    ...(pipeline.services.length > 0
      ? {
          services: pipeline.services.map(({ image, alias, options }) => ({
            name: image,
            alias,
            entrypoint: ['sh', '-c'],
            command: [expect.stringMatching(endOfText(options.map(option => ` ${option}`).join('')))],
            variables: { HEALTHCHECK_TCP_PORT: '2376' },
          })),
        }
      : {}),
  },
  variables: expect.objectContaining(
    Object.fromEntries(pipeline.variables.map(({ name, value }) => [name, value])),
  ),
  sections: [
    'stages',
    'default',
    'variables',
    'workflow',
    '.registry',
    'build',
    '.tag',
    'tag branch',
    'tag latest',
    'tag version',
  ],
});

function endOfText(text: string): RegExp {
  return new RegExp(`${text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}$`);
}

describe('random answers come back from', () => {
  it('.gitlab-ci.yml, read as YAML 1.1 and 1.2', () => {
    forMany('.gitlab-ci.yml', 400, (text, answers, repository) => {
      for (const version of ['1.1', '1.2'] as const) {
        expect(shownInPipeline(parse(text, { version }))).toEqual(expectedPipeline(answers, repository));
      }
    });
  });

  it('.gitlab-ci.yml, in its commands', () => {
    forMany('.gitlab-ci.yml', 400, (text, { platforms, builder, insecureRegistry, mirror }) => {
      const pipeline = parse(text);
      const [build] = pipeline.build.script as string[];
      expect(/ --platform (\S+) /.exec(build!)?.[1]?.split(',') ?? []).toEqual(platforms);
      if (builder !== 'buildah') return;
      const before = (pipeline['.registry'].before_script as string[]).join('\n');
      const { registry = [] } = parseToml(/<<'END'\n(.*)\nEND\n/s.exec(before)![1]!) as {
        registry?: { location: string }[];
      };
      expect(registry.map(({ location }) => location)).toEqual([
        ...(mirror ? ['docker.io'] : []),
        ...(insecureRegistry === undefined ? [] : [insecureRegistry]),
      ]);
    });
  });

  it('docker-compose.yml, read as YAML 1.1 and 1.2', () => {
    forMany('docker-compose.yml', 800, (text, answers, repository) => {
      for (const version of ['1.1', '1.2'] as const) {
        expect(shownInCompose(parse(text, { version }))).toEqual(expectedCompose(answers, repository));
      }
    });
  });

  it('config/template.toml', () => {
    forMany('config/template.toml', 800, (text, _, { config }) => {
      const table = (entries: typeof config.docker) =>
        Object.fromEntries(entries.map(({ key, value }) => [key, value]));
      const cache =
        config.cache.length > 0 ? { cache: { ...table(config.cache), s3: table(config.s3) } } : {};
      expect(parseToml(text)).toEqual({
        runners: [{ ...table(config.runner), docker: table(config.docker), ...cache }],
      });
    });
  });

  it('config/template.toml: the server and the bucket of the cache', () => {
    forMany('config/template.toml', 400, (text, { cache, cacheServer, cacheBucket }) => {
      const { runners } = parseToml(text) as unknown as {
        runners: [{ docker: { disable_cache?: boolean }; cache?: { s3: Record<string, unknown> } }];
      };
      const [{ docker, cache: kept }] = runners;
      expect(docker.disable_cache === true).toBe(cache === 'none');
      expect([kept?.s3.ServerAddress, kept?.s3.BucketName]).toEqual(
        cache === 's3'
          ? [cacheServer === 'here' ? 'job-cache:7070' : cacheServer.slice('https://'.length), cacheBucket]
          : [undefined, undefined],
      );
    });
  });

  it('config/template.toml: the policy, the proxy and the hosts of the answers', () => {
    forMany('config/template.toml', 400, (text, { pullPolicy, httpProxy, extraHosts, privateCa }) => {
      const { runners } = parseToml(text) as unknown as {
        runners: [{ environment?: string[]; docker: { pull_policy: string[]; extra_hosts?: string[] } }];
      };
      const [{ environment = [], docker }] = runners;
      expect(docker.pull_policy).toEqual(pullPolicy);
      const isOurs = (entry: string) => /^(mirror|job-cache):host-gateway$/.test(entry);
      expect((docker.extra_hosts ?? []).filter(entry => !isOurs(entry))).toEqual(
        extraHosts.filter(entry => !isOurs(entry)),
      );
      expect(environment.some(entry => entry.startsWith('SSL_CERT_DIR='))).toBe(privateCa);
      expect(environment.includes(`HTTPS_PROXY=${httpProxy}`)).toBe(httpProxy !== undefined);
    });
  });

  it('buildkit/buildkitd.toml', () => {
    forMany(
      'buildkit/buildkitd.toml',
      400,
      (text, { cacheSize, mirror, insecureRegistry }) => {
        expect(parseToml(text)).toEqual({
          worker: {
            oci: {
              gc: true,
              maxUsedSpace: `${cacheSize}GB`,
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
      { builder: 'buildkit' },
    );
  });

  it('docker/daemon.json', () => {
    forMany(
      'docker/daemon.json',
      400,
      (text, { cacheSize, mirror, insecureRegistry, platforms }) => {
        const { builder, ...others } = JSON.parse(text);
        expect(builder.gc).toMatchObject({ enabled: true, defaultMaxUsedSpace: `${cacheSize}GB` });
        expect(others).toEqual({
          ...(platforms.length > 0 ? { features: { 'containerd-snapshotter': true } } : {}),
          ...(mirror ? { 'registry-mirrors': ['http://mirror:5000'] } : {}),
          ...(insecureRegistry === undefined
            ? {}
            : { 'insecure-registries': ['127.0.0.0/8', insecureRegistry] }),
        });
      },
      { builder: 'dind', dindCache: 'volume' },
    );
  });

  it('Makefile and .gitignore', () => {
    forMany('Makefile', 200, (text, { platforms }) => {
      const named = /^binfmt: .*run programs of (.*), to build images for them$/m.exec(text)?.[1];
      expect(named?.split(', ') ?? []).toEqual(platforms);
    });
    forMany('.gitignore', 200, (text, { privateCa }) => {
      expect(text.split('\n').includes('!/config/certs/ca.crt')).toBe(privateCa);
    });
  });

  it('scripts/doctor.ts', () => {
    forMany('scripts/doctor.ts', 100, (text, { builder, platforms }) => {
      expect(/^import \* as builder from '\.\/(.*)\.ts';$/m.exec(text)?.[1]).toBe(builder);
      const wanted = /^ {2}const wanted = (.*);$/m.exec(text)?.[1] ?? '[]';
      expect(new Function(`return ${wanted}`)()).toEqual(platforms);
    });
  });

  it('scripts/route.ts, compiled and run', () => {
    const modules: string[] = [];
    const expected: object[] = [];
    forMany('scripts/route.ts', 600, (text, answers, { proxy }) => {
      if (proxy === undefined && answers.extraHosts.length === 0) return;
      modules.push(text);
      const hosts = answers.extraHosts.map(entry => [
        entry.slice(0, entry.indexOf(':')),
        entry.slice(entry.indexOf(':') + 1).replace('host-gateway', '127.0.0.1'),
      ]);
      expected.push({
        hosts: Object.fromEntries(hosts),
        proxy: answers.httpProxy,
        exceptions: proxy?.exceptions ?? [],
      });
      for (const one of answers.httpProxy === undefined ? [] : answers.proxyExceptions) {
        expect(proxy?.exceptions).toContain(one);
      }
    });
    const constants = (text: string) => `return {
      hosts: ${text.includes('const extraHosts') ? 'Object.fromEntries(extraHosts)' : '{}'},
      proxy: ${text.includes('const proxy =') ? 'proxy' : 'undefined'},
      exceptions: ${text.includes('const exceptions =') ? 'exceptions' : '[]'},
    };`;
    expect(evaluate(modules, constants)).toEqual(expected);
  });

  it('scripts/settings.ts, compiled and run', () => {
    const modules: string[] = [];
    const expected: object[] = [];
    forMany('scripts/settings.ts', 1500, (text, answers, { executor, runUntagged, privateCa }) => {
      modules.push(text);
      const { description, tags, concurrent } = answers;
      const certificate = '/repository/config/certs/ca.crt:/etc/gitlab-runner/certs/ca.crt:ro';
      expected.push({
        runners: [
          expect.objectContaining({
            description,
            tags,
            runUntagged,
            image: executor.image,
            volumes: [...executor.volumes, ...(privateCa ? [certificate] : [])],
          }),
        ],
        concurrent,
      });
    });
    expect(evaluate(modules, () => 'return { runners, concurrent };')).toEqual(expected);
  });

  it('.env.example, read as a dotenv file', () => {
    forMany('.env.example', 2000, (text, { gitlabUrl }) => {
      expect(parseEnv(text)).toMatchObject({ GITLAB_URL: gitlabUrl, COMPOSE_PROJECT_NAME: 'my-runner' });
    });
  });

  it('.env.example, read by a shell', () => {
    const urls: string[] = [];
    const assignments: string[] = [];
    forMany('.env.example', 1000, (text, { gitlabUrl }) => {
      urls.push(gitlabUrl);
      assignments.push(text.split('\n').find(line => line.startsWith('GITLAB_URL='))!);
    });
    const script = assignments.map(line => `${line}\nprintf '%s\\n' "$GITLAB_URL"`).join('\n');
    const { stdout, stderr } = run('.', ['sh', '-eu'], script);
    expect(stderr).toBe('');
    expect(stdout.split('\n').slice(0, -1)).toEqual(urls);
  });

  it('README.md, read as Markdown', () => {
    forMany('README.md', 500, (text, answers, { executor }) => {
      const tokens = marked.lexer(text);
      const [title, about] = tokens.filter(({ type }) => type !== 'space') as [
        Tokens.Heading,
        Tokens.Paragraph,
      ];
      expect(title).toMatchObject({ type: 'heading', depth: 1 });
      expect(textOf(title.tokens)).toBe(answers.description);
      expect(about.tokens.filter(isLink).map(({ href }) => href)).toEqual([answers.gitlabUrl]);
      const paragraph = textOf(about.tokens.filter(token => !isLink(token)));
      expect(paragraph).toContain(` up to ${answers.concurrent} jobs at a time`);
      if (answers.tags.length > 0) expect(paragraph).toContain(`: ${answers.tags.join(', ')}.\n`);
      const code: string[] = [];
      marked.walkTokens(tokens, token => {
        if (token.type === 'codespan') code.push(token.text);
      });
      expect(code).toEqual(expect.arrayContaining([answers.runnerImage, executor.image]));
    });
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
const shownInCompose = ({ services, networks, volumes, ...others }: ComposeFile) => ({
  others,
  services: Object.keys(services),
  runner: {
    image: services.runner?.image,
    hosts: services.runner?.extra_hosts ?? [],
    proxy: services.runner?.environment?.HTTPS_PROXY,
    exceptions: services.runner?.environment?.NO_PROXY,
    before: services.runner?.depends_on ?? [],
  },
  engine: services.docker?.image,
  networks: networks ?? {},
  volumes: volumes ?? {},
});

const expectedCompose = (
  answers: Answers,
  { compose, proxy, mirror, cache, cleanUp, monitoring }: RunnerRepository,
) => {
  const resources = (all: typeof compose.volumes) =>
    Object.fromEntries(all.map(({ key, name }) => [key, name === undefined ? {} : { name }]));
  return {
    others: monitoring ? { secrets: { 'grafana-password': { file: './config/grafana-password' } } } : {},
    services: [
      'runner',
      ...(compose.services.includes('buildkit') ? ['buildkit-certs'] : []),
      ...compose.services,
      ...(cleanUp === undefined ? [] : ['clean-up']),
      ...(mirror ? ['mirror'] : []),
      ...(cache?.service ? ['job-cache'] : []),
      ...(monitoring ? ['prometheus', 'grafana', 'node-exporter', 'token-metrics'] : []),
    ],
    runner: {
      image: answers.runnerImage,
      hosts: answers.extraHosts,
      proxy: answers.httpProxy,
      exceptions: proxy?.exceptions.join(','),
      before: compose.services,
    },
    engine: compose.services.includes('docker') ? answers.dindImage : undefined,
    networks: resources(compose.networks),
    volumes: resources(compose.volumes),
  };
};

/**
 * Runs modules, all compiled in one, each in a function of its own: the compiler needs its time for every module.
 *
 * @param ending what is returned from a module
 */
function evaluate(modules: readonly string[], ending: (text: string) => string): unknown[] {
  const functions = modules.map(text => {
    const body = text
      .replace(/^import .*$/gm, '')
      .replace(/^export /gm, '')
      .replace(', import.meta.url)', ", 'file:///repository/scripts/settings.ts')");
    return `() => {\n${body}\n${ending(text)}\n}`;
  });
  const { outputText } = ts.transpileModule(`(() => [${functions.join(',\n')}])()`, {
    compilerOptions: { target: ts.ScriptTarget.ES2023 },
  });
  const all = new Function('fileURLToPath', `return ${outputText}`)(fileURLToPath) as (() => unknown)[];
  return all.map(read => read());
}

function isLink(token: Token): token is Tokens.Link {
  return token.type === 'link';
}

/** The text that a reader sees; fails on any mark-up. */
function textOf(tokens: Token[]): string {
  return tokens
    .map(token => {
      expect(['text', 'escape']).toContain(token.type);
      return 'text' in token ? String(token.text) : '';
    })
    .join('');
}

describe.skipIf(!needs(isInstalled('ruby', '-rpsych', '-e', ''), 'ruby, whose YAML reader GitLab uses'))(
  "random answers come back from GitLab's own YAML reader",
  () => {
    it('as they were in .gitlab-ci.yml', () => {
      const expected: unknown[] = [];
      const texts: string[] = [];
      forMany('.gitlab-ci.yml', 1500, (text, answers, repository) => {
        texts.push(text);
        expected.push(expectedPipeline(answers, repository));
      });
      const program =
        'require "psych"; require "json"; puts JSON.parse(STDIN.read).map { |text| Psych.safe_load(text) }.to_json';
      const { stdout, stderr } = run('.', ['ruby', '-e', program], JSON.stringify(texts));
      expect(stderr).toBe('');
      expect((JSON.parse(stdout) as Record<string, unknown>[]).map(shownInPipeline)).toEqual(expected);
    });
  },
);
