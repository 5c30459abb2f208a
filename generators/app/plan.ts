import { frozenClientApi } from '../common/engine.ts';
import type { BuilderPlan, ComposeResource, ConfigEntry, Names, Variable } from './builder.ts';
import { planOfBuilder } from './builders.ts';
import { type Hardening, planHardening } from './hardening.ts';
import { type Answers, type BuilderName, usesHostEngine } from './questions.ts';
import { planThreats, type Threat } from './threats.ts';

/** The repository to write, decided in full: templates only print it. */
export interface RunnerRepository {
  readonly gitlabUrl: string;
  readonly description: string;
  readonly tags: readonly string[];
  readonly runUntagged: boolean;
  readonly concurrent: number;
  /** Days after their last use that images and caches are kept; undefined where nothing is removed by itself. */
  readonly cleanUp: number | undefined;
  readonly runnerImage: string;
  readonly builder: BuilderName;
  /** Whether jobs build with the engine of the host. */
  readonly usesHostEngine: boolean;
  /** What each job container starts from. */
  readonly executor: {
    readonly image: string;
    /** Mounts of the job container, `host path or volume:container path`. */
    readonly volumes: readonly string[];
    readonly volumesWhy: string;
  };
  /** Entries of config.toml for which registering has no option, by their tables, such as [runners.docker]. */
  readonly config: {
    readonly runner: readonly ConfigEntry[];
    readonly docker: readonly ConfigEntry[];
    readonly cache: readonly ConfigEntry[];
    readonly s3: readonly ConfigEntry[];
  };
  /** What is taken from jobs and from the runner; its entries are in `config` already. */
  readonly hardening: Omit<Hardening, 'runner' | 'docker'>;
  /** Who could do what here, and what is done about it. */
  readonly threats: readonly Threat[];
  /** Whether the Docker client that jobs run is of 19.03 for good, which some engines refuse. */
  readonly hasFrozenClient: boolean;
  readonly pipeline: Pipeline;
  readonly compose: Compose;
  /** Names the containers; a valid Compose project name. */
  readonly composeProject: string;
  /** None: that of the host. */
  readonly platforms: readonly string[];
  /** GB that a builder's own cache may take. */
  readonly cacheSize: number;
  readonly cache: Cache | undefined;
  /** Whether Prometheus and Grafana watch the runner. */
  readonly monitoring: boolean;
  readonly mirror: Mirror | undefined;
  /** Whether config/certs/ca.crt is trusted by all that needs to. */
  readonly privateCa: boolean;
  readonly proxy: Proxy | undefined;
  /** A registry that speaks plain HTTP. */
  readonly insecureRegistry: string | undefined;
  /** Names that DNS does not know, `name:address`. */
  readonly extraHosts: readonly string[];
  /** Whether what cannot be made anew is backed up. */
  readonly backup: boolean;
  /** What Renovate, which proposes newer images, has to be told. */
  readonly renovate: { readonly runnerRepository: string } | undefined;
}

/** Where the sample pipeline pushes to, as text of a shell script or of `variables` in a job, and how it builds. */
export interface Pipeline extends Omit<BuilderPlan['pipeline'], 'variables'> {
  readonly variables: readonly Variable[];
  readonly registry: string;
  /** What images are called, without a tag. */
  readonly image: string;
  /** Whether that is the container registry of the project itself, which needs no variables of the user. */
  readonly isOfProject: boolean;
  readonly user: string;
  readonly password: string;
  /** The variable whose absence means that pushing cannot work, and what to do then. */
  readonly required: { readonly variable: string; readonly remedy: string };
}

/** What docker-compose.yml has beside the runner. */
export interface Compose {
  /** The service that jobs build with: it starts before the runner, and stops after it. */
  readonly service: BuilderPlan['compose']['service'];
  /** The image of that service, where it is an answer. */
  readonly engineImage: string;
  readonly networks: readonly ComposeResource[];
  readonly volumes: readonly ComposeResource[];
}

/** A pull-through cache of Docker Hub. */
export interface Mirror {
  /** The address of this host at which whoever pulls finds it; undefined where the network of the jobs is enough. */
  readonly address: string | undefined;
  /** Who has to be told of it by hand, as it belongs to the host. */
  readonly isForHost: boolean;
}

/** The S3 server that keeps the caches of jobs. */
export interface Cache {
  /** Its host and port, as jobs find it. */
  readonly address: string;
  readonly bucket: string;
  /** Where docker-compose.yml runs it, and the address of this host at which jobs find it then, as with the mirror. */
  readonly service: { readonly address: string | undefined } | undefined;
}

/** The HTTP proxy to the outside. */
export interface Proxy {
  readonly url: string;
  /** What is reached without it, as in NO_PROXY. */
  readonly exceptions: readonly string[];
}

/** This host, as containers on Docker's default bridge see it. */
const bridgeAddress = '172.17.0.1';

/** Where job containers find the mounted certificate of a private authority. */
const caFolder = '/etc/gitlab-runner/certs';

/**
 * Decides everything about the repository. No I/O, and the same answers always give the same result.
 *
 * @param directoryName the name of the folder that the repository is written to
 */
export function planRepository(answers: Answers, directoryName: string): RunnerRepository {
  const composeProject = composeProjectName(directoryName);
  const names: Names = {
    network: `${composeProject}-jobs`,
    clientCertificates: `${composeProject}-client-certs`,
  };
  const builder = planOfBuilder[answers.builder](answers, names);
  const mirror = planMirror(answers, builder);
  const cache = planCache(answers, builder);
  const proxy = planProxy(answers, builder);
  const { runner, docker, ...hardening } = planHardening({
    ...answers,
    config: builder.config,
    services: builder.pipeline.services,
  });
  return {
    gitlabUrl: answers.gitlabUrl,
    description: answers.description,
    tags: answers.tags,
    // GitLab refuses a runner that has no tags and takes no untagged jobs: it could never run anything.
    runUntagged: answers.runUntagged || answers.tags.length === 0,
    concurrent: answers.concurrent,
    cleanUp: answers.cleanUp,
    runnerImage: answers.runnerImage,
    builder: answers.builder,
    usesHostEngine: usesHostEngine(answers.builder),
    executor: {
      image: answers.dockerImage,
      volumes: builder.volumes,
      volumesWhy: builder.volumesWhy,
    },
    config: {
      runner: [...environment(answers.privateCa, proxy), ...runner],
      docker: [
        ...pullPolicy(answers.pullPolicy),
        ...(answers.cache === 'none' ? [noCache] : []),
        ...docker,
        ...extraHosts(answers.extraHosts, mirror, cache, builder),
      ],
      cache: cache ? sharedCache : [],
      s3: cache ? s3(cache) : [],
    },
    hardening,
    threats: planThreats(answers),
    hasFrozenClient: frozenClientApi(answers.dockerImage) !== undefined,
    pipeline: planPipeline(answers.registry, builder.pipeline),
    compose: {
      service: builder.compose.service,
      engineImage: answers.dindImage,
      networks: [
        ...(builder.compose.service
          ? [
              {
                key: 'jobs',
                name: names.network,
                why: 'Job containers join it too: config/template.toml names it.',
              },
            ]
          : []),
        ...(answers.monitoring
          ? [
              {
                key: 'monitoring',
                why: 'The metrics of the runner have no password: no port of this host shows them.',
              },
            ]
          : []),
      ],
      volumes: [
        ...builder.compose.volumes,
        ...(mirror
          ? [{ key: 'mirror-data', why: 'What the mirror holds; it drops what nobody pulled for a week.' }]
          : []),
        ...(answers.cleanUp === undefined
          ? []
          : [{ key: 'clean-up-state', why: 'When each image and volume was last used.' }]),
        ...(cache?.service ? [{ key: 'cache-data', why: 'The caches of jobs, each a file.' }] : []),
        ...(answers.monitoring
          ? [
              { key: 'prometheus-data', why: 'A month of measurements, 2 GB at most.' },
              { key: 'grafana-data', why: 'Users and settings of Grafana; its dashboard is in grafana/.' },
              { key: 'token-metrics', why: 'When tokens expire, for node-exporter to serve; never a token.' },
            ]
          : []),
      ],
    },
    composeProject,
    platforms: answers.platforms,
    cacheSize: answers.cacheSize,
    cache,
    monitoring: answers.monitoring,
    mirror,
    privateCa: answers.privateCa,
    proxy,
    insecureRegistry: answers.insecureRegistry,
    extraHosts: answers.extraHosts,
    backup: answers.backup,
    renovate: answers.renovate
      ? { runnerRepository: answers.runnerImage.replace(/(:[^/]*)?(@.*)?$/, '') }
      : undefined,
  };
}

function planPipeline(registry: string, { variables, ...builder }: BuilderPlan['pipeline']): Pipeline {
  if (registry === 'gitlab') {
    return {
      ...builder,
      variables: [
        { name: 'IMAGE', value: '$CI_REGISTRY_IMAGE', why: "The project's own container registry." },
        ...variables,
      ],
      registry: '$CI_REGISTRY',
      image: '$CI_REGISTRY_IMAGE',
      isOfProject: true,
      user: '$CI_REGISTRY_USER',
      password: '$CI_REGISTRY_PASSWORD',
      required: {
        variable: 'CI_REGISTRY',
        remedy:
          'The container registry of this project is off: switch it on in Settings > General > Visibility.',
      },
    };
  }
  const image = `${registry}/$CI_PROJECT_PATH_SLUG`;
  return {
    ...builder,
    variables: [
      {
        name: 'REGISTRY',
        value: registry.split('/')[0] ?? registry,
        why: 'Log in with REGISTRY_USER and REGISTRY_PASSWORD: masked variables in Settings > CI/CD > Variables.',
      },
      {
        name: 'IMAGE',
        value: image,
        why: 'One image name for each project; the slug is lower case, as image names must be.',
      },
      ...variables,
    ],
    registry: '$REGISTRY',
    image,
    isOfProject: false,
    user: '$REGISTRY_USER',
    password: '$REGISTRY_PASSWORD',
    required: {
      variable: 'REGISTRY_PASSWORD',
      remedy: 'Set REGISTRY_USER and REGISTRY_PASSWORD in Settings > CI/CD > Variables, masked.',
    },
  };
}

function pullPolicy(policies: readonly string[]): ConfigEntry[] {
  const shared = [
    "On a runner that several teams share, that lets one team's job run a private image which another",
    'team\'s job has pulled: keep only "always" there.',
  ];
  const why: Readonly<Record<string, readonly string[]>> = {
    'always,if-not-present': [
      'Ask the registry for a newer image first; if it is down or limits pulls, use the copy on this host.',
      ...shared,
    ],
    'if-not-present': [
      'Use the copy on this host if there is one, and ask the registry only if not.',
      ...shared,
    ],
    always: ['Ask the registry each time, whatever this host has.'],
  };
  const entry: ConfigEntry = {
    key: 'pull_policy',
    value: policies,
    why: why[policies.join(',')] ?? ['Tried in this order.'],
  };
  if (policies.includes('always')) return [entry];
  return [
    entry,
    {
      key: 'allowed_pull_policies',
      value: [...policies, 'always'],
      why: ['A job may ask for the newest image by "pull_policy: always".'],
    },
  ];
}

const noCache: ConfigEntry = {
  key: 'disable_cache',
  value: true,
  why: [
    'Jobs get no volume for "cache:", which then keeps nothing. It would not switch off a cache on a server, of which',
    'there is none here.',
  ],
};

const sharedCache: readonly ConfigEntry[] = [
  { key: 'Type', value: 's3', why: ['"cache:" of a pipeline keeps files on an S3 server.'] },
  {
    key: 'Shared',
    value: true,
    why: [
      'Other runners with this bucket find the same caches, and so does this one once it has another token: without it',
      'the token is part of their path.',
    ],
  },
];

function s3({ address, bucket, service }: Cache): ConfigEntry[] {
  return [
    {
      key: 'ServerAddress',
      value: address,
      why: service
        ? ['As the helpers of jobs find it, which load and keep the caches.']
        : ['The host, and the port if it is not 443.'],
    },
    { key: 'BucketName', value: bucket, why: ['It holds nothing else.'] },
    {
      key: 'BucketLocation',
      value: 'us-east-1',
      why: service
        ? ['The region that this server takes itself for; it is part of each signature.']
        : ['The region, which is part of each signature. Servers of your own mostly call theirs us-east-1.'],
    },
    ...(service
      ? [{ key: 'Insecure', value: true, why: ['Plain HTTP, which does not leave this host.'] }]
      : []),
    {
      key: 'AuthenticationType',
      value: 'access-key',
      why: [
        'The keys are in .env, and come into config.toml by `make register` and `make apply`. Jobs never see them: they',
        'get addresses that are signed for one file, and for as long as the job may run.',
      ],
    },
  ];
}

/** Variables of every job, its helper and its services. */
function environment(privateCa: boolean, proxy: Proxy | undefined): ConfigEntry[] {
  const why: string[] = [];
  const value: string[] = [];
  if (privateCa) {
    why.push(
      'Programs written in Go, such as docker, trust the authorities in that folder beside the usual ones.',
    );
    value.push(`SSL_CERT_DIR=${caFolder}`);
  }
  if (proxy) {
    why.push('Some programs read these in capitals, some in small letters.');
    const exceptions = proxy.exceptions.join(',');
    value.push(
      ...[`HTTP_PROXY=${proxy.url}`, `HTTPS_PROXY=${proxy.url}`, `NO_PROXY=${exceptions}`],
      ...[`http_proxy=${proxy.url}`, `https_proxy=${proxy.url}`, `no_proxy=${exceptions}`],
    );
  }
  return value.length > 0 ? [{ key: 'environment', value, why }] : [];
}

function extraHosts(
  hosts: readonly string[],
  mirror: Mirror | undefined,
  cache: Cache | undefined,
  builder: BuilderPlan,
): ConfigEntry[] {
  const why: string[] = [];
  const value = [...hosts];
  if (hosts.length > 0) why.push('Names that DNS does not know.');
  if (mirror?.address && !mirror.isForHost && !builder.compose.service) {
    why.push('The mirror is a service of docker-compose.yml, at a port of this host.');
    value.push('mirror:host-gateway');
  }
  if (cache?.service?.address) {
    why.push('The S3 server of the cache is a service of docker-compose.yml, at a port of this host.');
    value.push('job-cache:host-gateway');
  }
  return value.length > 0 ? [{ key: 'extra_hosts', value, why }] : [];
}

function planMirror({ mirror, builder }: Answers, { compose }: BuilderPlan): Mirror | undefined {
  if (!mirror) return undefined;
  const isForHost = usesHostEngine(builder);
  // What runs beside a job is on a network of its own, and comes by the address of Docker's default bridge.
  const address = isForHost ? '127.0.0.1' : compose.service ? undefined : bridgeAddress;
  return { address, isForHost };
}

function planCache(
  { cache, cacheServer, cacheBucket: bucket }: Answers,
  { compose }: BuilderPlan,
): Cache | undefined {
  if (cache !== 's3') return undefined;
  if (cacheServer !== 'here') return { address: new URL(cacheServer).host, bucket, service: undefined };
  // As with the mirror: jobs are on the network of what they build with, or on Docker's default bridge.
  return {
    address: 'job-cache:7070',
    bucket,
    service: { address: compose.service ? undefined : bridgeAddress },
  };
}

function planProxy(
  { httpProxy, proxyExceptions, mirror, cache, cacheServer }: Answers,
  { compose, pipeline }: BuilderPlan,
): Proxy | undefined {
  if (httpProxy === undefined) return undefined;
  const near = ['localhost', '127.0.0.1', ...(compose.service ? [compose.service] : [])];
  const besides = [...pipeline.services.map(({ alias }) => alias), ...(mirror ? ['mirror'] : [])];
  if (cache === 's3' && cacheServer === 'here') besides.push('job-cache');
  return { url: httpProxy, exceptions: [...new Set([...near, ...besides, ...proxyExceptions])] };
}

/** A Compose project name has only a-z, 0-9, - and _, and starts with a letter or digit (Compose specification). */
function composeProjectName(directoryName: string): string {
  const name = directoryName
    .toLowerCase()
    .replace(/[^a-z0-9_-]+/g, '-')
    .replace(/^[-_]+|[-_]+$/g, '');
  return name === '' ? 'gitlab-runner' : name;
}
