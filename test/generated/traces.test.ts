import { describe, expect, it } from 'vitest';
import { builders, type TypedAnswers } from '../../generators/app/questions.ts';
import { scenarios } from '../support/answers.ts';
import { rows } from '../support/option-pairs.ts';
import { planWith, renderAll } from '../support/rendered.ts';

type Plan = ReturnType<typeof planWith>;

/** Whether one of the runners has that key in [runners.docker]. */
const has = (runners: Plan['runners'], key: string): boolean =>
  runners.some(({ config }) => config.docker.some(entry => entry.key === key));

/** What only some repositories have, and the words by which it shows. */
interface Trace {
  readonly words: RegExp;
  /** Whether this repository has it. */
  readonly isChosen: (plan: Plan) => boolean;
  /** Files that speak of it for another reason. */
  readonly except?: readonly string[];
}

const traces: Record<string, Trace> = {
  socket: {
    words: /scripts\/socket\.ts|'\.\/socket\.ts'|the socket means|its sibling/i,
    isChosen: ({ builders: ways }) => ways.includes('socket'),
  },
  'socket-proxy': {
    words: /docker-proxy|haproxy|socket-proxy/i,
    isChosen: ({ builders: ways }) => ways.includes('socket-proxy'),
  },
  dind: {
    words: /dind|dockerd|docker:2376|DOCKER_TLS_|DOCKER_CERT_PATH|services_privileged|engine in a container/i,
    isChosen: ({ builders: ways }) => ways.includes('dind'),
    // Says that such a service does not go with the socket; lists the keys that "make apply" takes out again.
    except: ['scripts/socket.ts', 'scripts/config.ts'],
  },
  'dind, an engine for each job': {
    words: /services_privileged|privileged_services|HEALTHCHECK_TCP_PORT|starts empty/,
    isChosen: ({ runners }) => runners.some(({ pipeline }) => pipeline.services.length > 0),
    except: ['scripts/config.ts'],
  },
  'dind, one engine for all': {
    words: /docker-data|docker-certs|`docker\/daemon\.json`|defaultMaxUsedSpace/,
    isChosen: ({ compose }) => compose.services.includes('docker'),
  },
  buildkit: {
    words:
      /buildkitd|buildctl|buildkit:1234|moby\/buildkit|buildkit-|scripts\/buildkit|rootless BuildKit|for BuildKit/i,
    isChosen: ({ builders: ways }) => ways.includes('buildkit'),
  },
  buildah: { words: /buildah/i, isChosen: ({ builders: ways }) => ways.includes('buildah') },
  'BuildKit by any name': {
    words: /buildkit/i,
    // There docker build itself uses it.
    isChosen: ({ builders: ways }) => ways.some(way => way !== 'buildah'),
  },
  buildx: {
    words: /BUILDX_|docker buildx/,
    isChosen: ({ runners }) => runners.some(({ pipeline }) => pipeline.program === 'buildx'),
  },
  'docker build by BuildKit': {
    words: /DOCKER_BUILDKIT|BUILDKIT_INLINE_CACHE/,
    isChosen: ({ runners }) => runners.some(({ pipeline }) => pipeline.program === 'docker'),
  },
  monitoring: {
    words: /monitoring|prometheus|grafana|node-exporter|token-metrics|listen_?address|9252|health\/ready/i,
    isChosen: ({ monitoring }) => monitoring,
  },
  'a network of its own': {
    words: /^networks:/m,
    isChosen: ({ compose, mirror, monitoring }) =>
      compose.services.length > 0 || mirror !== undefined || monitoring,
  },
  'a service that jobs build with': {
    words: /depends_on|client-certs|network_mode = |what it works with/m,
    isChosen: ({ compose, mirror, cache }) =>
      compose.services.length > 0 || mirror !== undefined || cache?.service !== undefined,
  },
  'open security profiles': {
    words: /seccomp|apparmor/i,
    isChosen: ({ builders: ways }) => ways.includes('buildah') || ways.includes('buildkit'),
  },
  'what is taken from jobs': {
    words: /no-new-privileges|cap_drop|oom_score_adjust|runs out/,
    // Some containers are confined whatever jobs are.
    isChosen: ({ runners, builders: ways, cache, monitoring }) =>
      has(runners, 'cap_drop') || ways.includes('socket-proxy') || monitoring || cache?.service !== undefined,
    // Lists the keys that "make apply" takes out again; starts a container with what template.toml says.
    except: ['scripts/config.ts', 'scripts/doctor.ts'],
  },
  'little taken from jobs': {
    words: /NET_RAW|container of the runner finds/,
    isChosen: ({ hardening }) => hardening.level === 'recommended',
  },
  'most taken from jobs': {
    words:
      /allowed_images|allowed_services|service_memory|debug_trace|DAC_OVERRIDE|CA_CERTIFICATES_PATH|checkImages|stay stuck\b.*accessLevel/,
    isChosen: ({ runners }) => has(runners, 'allowed_images'),
    except: ['scripts/config.ts'],
  },
  'nothing taken from jobs': {
    words: /Nothing is taken from jobs/,
    isChosen: ({ hardening }) => hardening.level === 'relaxed',
  },
  'a limit of the cache': {
    words: /maxUsedSpace|at most \d+ GB/i,
    isChosen: ({ compose }) => compose.services.some(service => service !== 'docker-proxy'),
  },
  platforms: {
    words: /binfmt|--platform\b|containerd-snapshotter|checkPlatforms|emulator|\*\*Platforms/i,
    isChosen: ({ platforms }) => platforms.length > 0,
  },
  'a cache on an S3 server': {
    words: /\bS3\b|CACHE_S3|[cC]acheKeys|runners\.cache|BucketName|CACHE_ADDRESSES/,
    isChosen: ({ cache }) => cache !== undefined,
    // Lists the tables and keys that "make apply" takes out again.
    except: ['scripts/config.ts'],
  },
  'an S3 server here': {
    words: /job-cache|versity|cache-data/i,
    isChosen: ({ cache }) => cache?.service !== undefined,
  },
  'no cache': {
    words: /disable_cache/,
    isChosen: ({ runners }) => has(runners, 'disable_cache'),
    except: ['scripts/config.ts'],
  },
  mirror: { words: /mirror/i, isChosen: ({ mirror }) => mirror !== undefined },
  'private CA': {
    words:
      /SSL_CERT_DIR|private-ca|private CA|X509Certificate|!\/config\/certs|gitlab-runner\/certs\/ca\.crt|fileURLToPath/,
    // The read-only container of the runner finds any authority by the same variable.
    isChosen: ({ privateCa, hardening }) => privateCa || hardening.isReadOnly,
    // Lists the variables that "make apply" takes out again.
    except: ['scripts/config.ts'],
  },
  'HTTP proxy': {
    words: /https?_proxy|no_proxy|HTTP proxy|isException|tunnel\(/i,
    isChosen: ({ proxy }) => proxy !== undefined,
    // Lists the variables that "make apply" takes out again.
    except: ['scripts/config.ts'],
  },
  'insecure registry': {
    words: /insecure|plain HTTP/i,
    isChosen: ({ insecureRegistry, mirror, cache, builders: ways }) =>
      // The mirror speaks plain HTTP too, and Buildah has to be told so; the S3 server here as well.
      insecureRegistry !== undefined ||
      (mirror !== undefined && ways.includes('buildah')) ||
      cache?.service !== undefined,
    // Says what to do where the registry turns out to be one; speaks of how a proxy is asked; knows a key of the cache.
    except: ['scripts/doctor.ts', 'scripts/route.ts', 'scripts/config.ts', 'scripts/cache.ts'],
  },
  'extra hosts': {
    words: /extra.?hosts|host-gateway/i,
    isChosen: ({ extraHosts, runners }) => extraHosts.length > 0 || has(runners, 'extra_hosts'),
    // Says what to do where a job does not know GitLab's name; lists keys; builds have a parameter of that name.
    except: ['scripts/doctor.ts', 'scripts/config.ts', 'docker-proxy/haproxy.cfg'],
  },
  backup: { words: /backup|with age\b|AGE_RECIPIENT|age-keygen/, isChosen: ({ backup }) => backup },
  'clean-up': {
    words: /clean-up|KEEP_DAYS|dry-run\) only/,
    isChosen: ({ cleanUp }) => cleanUp !== undefined,
  },
  Renovate: { words: /renovate/i, isChosen: ({ renovate }) => renovate !== undefined },
  'a route to GitLab': {
    words: /route\.ts|routeTo|\broute\b(?!, |')/,
    isChosen: ({ proxy, extraHosts }) => proxy !== undefined || extraHosts.length > 0,
    // Look at the routes of the host.
    except: ['scripts/doctor.ts'],
  },
  'several runners': {
    words: /template-[a-z]+\.toml|The runners\b|builders\[|project\?: string|hasProjects/,
    isChosen: ({ runners }) => runners.length > 1,
  },
  'a registry of your own': {
    words: /(?<!CI_)\bREGISTRY_(USER|PASSWORD)|\$REGISTRY\b/,
    isChosen: ({ pipeline }) => !pipeline.isOfProject,
  },
  'the registry of the project': {
    words: /CI_REGISTRY/,
    isChosen: ({ pipeline }) => pipeline.isOfProject,
  },
};

/** One rare answer at a time. */
const alone: TypedAnswers[] = [
  {},
  { platforms: 'linux/amd64,linux/arm64' },
  { hardening: 'relaxed' },
  { hardening: 'strict' },
  { mirror: 'yes' },
  { cache: 's3' },
  { cache: 's3', cacheServer: 'https://s3.example.org' },
  { privateCa: 'yes' },
  { httpProxy: 'http://web.example.org:3128' },
  { insecureRegistry: 'plain.example.org:5000' },
  { extraHosts: 'git.example.org:10.0.0.5' },
  { registry: 'registry.example.org:5000/team' },
  { cleanUp: 'none' },
  { backup: 'yes' },
  { renovate: 'yes' },
  { monitoring: 'yes' },
];

/** Each way to build images, with one rare answer at a time. */
const single = Object.keys(builders)
  .flatMap((builder): TypedAnswers[] => [
    { builder },
    ...(builder === 'dind' ? [{ builder, dindCache: 'volume' }] : []),
  ])
  .flatMap(way =>
    alone.map((answer): TypedAnswers => {
      const needsBuildx = answer.platforms !== undefined && way.builder?.startsWith('socket');
      return { ...way, ...answer, ...(needsBuildx ? { dockerImage: 'docker:cli' } : {}) };
    }),
  )
  .map((typed): [string, TypedAnswers] => [JSON.stringify(typed), typed]);

const cases: [string, TypedAnswers][] = [
  ...Object.entries(scenarios).map(([name, typed]): [string, TypedAnswers] => [
    name,
    { ...typed, description: 'A Runner', tags: 'linux' },
  ]),
  ...single,
  // And everything beside everything else.
  ...rows.map((row): [string, TypedAnswers] => [JSON.stringify(row), row as TypedAnswers]),
];

describe.each(cases)('with %s', (_, typed) => {
  it('no file has a trace of what was not chosen', () => {
    const plan = planWith(typed);
    const absent = Object.entries(traces).filter(([, { isChosen }]) => !isChosen(plan));
    // Images that were named are no traces.
    const named = [typed.dockerImage, typed.dindImage].filter(image => image !== undefined);
    const found = Object.entries(renderAll(typed)).flatMap(([path, text]) =>
      text.split('\n').flatMap(line =>
        absent
          .filter(([, { words, except }]) => {
            const own = named.reduce((rest, image) => rest.replaceAll(image, ''), line);
            return words.test(own) && !except?.includes(path);
          })
          .map(([name]) => `${name} in ${path}: ${line.trim()}`),
      ),
    );
    expect([...new Set(found)]).toEqual([]);
  });
});

it('what was chosen does show, by the same words', () => {
  const seen = new Set<string>();
  for (const [, typed] of cases) {
    const plan = planWith(typed);
    const all = Object.values(renderAll(typed)).join('\n');
    for (const [name, { words, isChosen }] of Object.entries(traces)) {
      if (isChosen(plan) && words.test(all)) seen.add(name);
    }
  }
  expect([...seen].sort()).toEqual(Object.keys(traces).sort());
});

it('every exception is one', () => {
  const needed = new Set<string>();
  for (const [, typed] of cases) {
    const plan = planWith(typed);
    const texts = renderAll(typed);
    for (const [name, { words, isChosen, except = [] }] of Object.entries(traces)) {
      if (isChosen(plan)) continue;
      for (const path of except) if (words.test(texts[path] ?? '')) needed.add(`${name}: ${path}`);
    }
  }
  const all = Object.entries(traces).flatMap(([name, { except = [] }]) =>
    except.map(path => `${name}: ${path}`),
  );
  expect([...needed].sort()).toEqual(all.sort());
});
