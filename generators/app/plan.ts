import { frozenClientApi } from '../common/engine.ts';
import type { BuilderPlan, ComposeResource, ConfigEntry, Names, Variable } from './builder.ts';
import { planOfBuilder } from './builders.ts';
import { type Hardening, planHardening } from './hardening.ts';
import { type Answers, type BuilderName, usesHostEngine } from './questions.ts';
import { planThreats, type Threat } from './threats.ts';

/** One [[runners]] of config.toml, and the files of the repository that are its own. */
export interface Runner {
  readonly description: string;
  readonly tags: readonly string[];
  readonly runUntagged: boolean;
  /** Which branches and tags GitLab lets it serve. */
  readonly accessLevel: Hardening['accessLevel'];
  readonly builder: BuilderName;
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
  readonly pipeline: Pipeline;
  /** The file in config/ with those entries, and the path of the sample pipeline. */
  readonly template: string;
  readonly pipelinePath: string;
  /** The project that it is for, where that is not left to .env: a path or a number. */
  readonly project: string | undefined;
}

/** The repository to write, decided in full: templates only print it. The runner that it began with is told first. */
export interface RunnerRepository extends Runner {
  readonly gitlabUrl: string;
  /** All of its runners, the first included. */
  readonly runners: readonly [Runner, ...Runner[]];
  /** The ways to build images, each once. */
  readonly builders: readonly BuilderName[];
  readonly concurrent: number;
  /** Days after their last use that images and caches are kept; undefined where nothing is removed by itself. */
  readonly cleanUp: number | undefined;
  readonly runnerImage: string;
  /** Whether jobs build with the engine of the host. */
  readonly usesHostEngine: boolean;
  /** What is taken from jobs and from the runner; its entries are in `config` already. */
  readonly hardening: Omit<Hardening, 'runner' | 'docker' | 'accessLevel'>;
  /** Whether no runner takes anything from its jobs. */
  readonly takesNothing: boolean;
  /** Who could do what here, and what is done about it. */
  readonly threats: readonly Threat[];
  /** Whether the Docker client that jobs run is of 19.03 for good, which some engines refuse. */
  readonly hasFrozenClient: boolean;
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

type Service = NonNullable<BuilderPlan['compose']['service']>;

/** What docker-compose.yml has beside the runner. */
export interface Compose {
  /** The services that jobs build with: they start before the runner, and stop after it. */
  readonly services: readonly Service[];
  /** The image of the service `docker`, where it is an answer. */
  readonly engineImage: string;
  readonly networks: readonly ComposeResource[];
  readonly volumes: readonly ComposeResource[];
}

/** Where those who need a service of docker-compose.yml find it. */
export interface Place {
  /** Addresses of this host at which it listens. */
  readonly addresses: readonly string[];
  /** Whether it is on the network of the jobs. */
  readonly isOnNetwork: boolean;
}

/** A pull-through cache of Docker Hub. */
export interface Mirror extends Place {
  /** Who has to be told of it by hand, as it belongs to the host. */
  readonly isForHost: boolean;
}

/** The S3 server that keeps the caches of jobs. */
export interface Cache {
  /** Its host and port, as jobs find it. */
  readonly address: string;
  readonly bucket: string;
  /** Where docker-compose.yml runs it. */
  readonly service: Place | undefined;
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

/** A runner beside the first: the answers of the repository, with some of its own in their place. */
export interface OtherRunner {
  readonly answers: Answers;
  readonly project: string | undefined;
}

/**
 * Decides everything about the repository. No I/O, and the same answers always give the same result.
 *
 * @param directoryName the name of the folder that the repository is written to
 * @param others the runners beside that of the answers; their descriptions are part of paths
 */
export function planRepository(
  answers: Answers,
  directoryName: string,
  others: readonly OtherRunner[] = [],
): RunnerRepository {
  const composeProject = composeProjectName(directoryName);
  const names: Names = {
    network: `${composeProject}-jobs`,
    clientCertificates: `${composeProject}-client-certs`,
  };
  const first = planRunner(answers, names, {
    template: 'template.toml',
    pipelinePath: '.gitlab-ci.yml',
    project: undefined,
  });
  const added = others.map(({ answers: own, project }) =>
    planRunner(own, names, {
      template: `template-${own.description}.toml`,
      pipelinePath: `example/${own.description}.gitlab-ci.yml`,
      project,
    }),
  );
  const all = [first, ...added];
  const builders = distinct(all.map(({ runner }) => runner.builder));
  const services = distinct(all.flatMap(({ compose }) => compose.service ?? []));
  const mirrors = all.flatMap(({ mirror }) => mirror ?? []);
  const caches = all.flatMap(({ cache }) => cache ?? []);
  const [cache] = caches;
  const hasService = caches.some(({ isHere }) => isHere);
  const onNetwork = all.filter(({ compose }) => compose.service).map(({ runner }) => runner.template);
  const proxies = all.flatMap(({ proxy }) => proxy ?? []);
  const [proxy] = proxies;
  return {
    ...first.runner,
    runners: [first.runner, ...added.map(({ runner }) => runner)],
    builders,
    gitlabUrl: answers.gitlabUrl,
    concurrent: answers.concurrent,
    cleanUp: answers.cleanUp,
    runnerImage: answers.runnerImage,
    usesHostEngine: builders.some(usesHostEngine),
    hardening: first.hardening,
    takesNothing: all.every(({ hardening }) => hardening.level === 'relaxed'),
    threats: planThreats(
      answers,
      others.map(({ answers: own }) => own),
    ),
    hasFrozenClient: frozenClientApi(answers.dockerImage) !== undefined,
    compose: {
      services,
      engineImage: answers.dindImage,
      networks: [
        ...(services.length > 0
          ? [
              {
                key: 'jobs',
                name: names.network,
                why: `Job containers join it too: ${onNetwork.map(template => `config/${template}`).join(', ')} ${onNetwork.length > 1 ? 'name' : 'names'} it.`,
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
        ...new Map(all.flatMap(({ compose }) => compose.volumes.map(one => [one.key, one]))).values(),
        ...(mirrors.length > 0
          ? [{ key: 'mirror-data', why: 'What the mirror holds; it drops what nobody pulled for a week.' }]
          : []),
        ...(answers.cleanUp === undefined
          ? []
          : [{ key: 'clean-up-state', why: 'When each image and volume was last used.' }]),
        ...(hasService ? [{ key: 'cache-data', why: 'The caches of jobs, each a file.' }] : []),
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
    cache: cache && {
      address: cache.server,
      bucket: cache.bucket,
      service: hasService ? placeOf(caches) : undefined,
    },
    monitoring: answers.monitoring,
    mirror:
      mirrors.length > 0
        ? { ...placeOf(mirrors), isForHost: mirrors.some(({ isForHost }) => isForHost) }
        : undefined,
    privateCa: answers.privateCa,
    proxy: proxy && { url: proxy.url, exceptions: distinct(proxies.flatMap(({ exceptions }) => exceptions)) },
    insecureRegistry: answers.insecureRegistry,
    extraHosts: answers.extraHosts,
    backup: answers.backup,
    renovate: answers.renovate
      ? { runnerRepository: answers.runnerImage.replace(/(:[^/]*)?(@.*)?$/, '') }
      : undefined,
  };
}

const distinct = <T>(items: readonly T[]): T[] => [...new Set(items)];

/** Where all of those find a service that each finds at one address of this host, or on the network of the jobs. */
function placeOf(found: readonly { readonly address: string | undefined }[]): Place {
  return {
    addresses: distinct(found.flatMap(({ address }) => address ?? [])),
    isOnNetwork: found.some(({ address }) => address === undefined),
  };
}

/** One runner, and what it asks of the rest of the repository. */
function planRunner(
  answers: Answers,
  names: Names,
  own: Pick<Runner, 'template' | 'pipelinePath' | 'project'>,
) {
  const builder = planOfBuilder[answers.builder](answers, names);
  const mirror = planMirror(answers, builder);
  const cache = planCache(answers, builder);
  const proxy = planProxy(answers, builder);
  const { runner, docker, accessLevel, ...hardening } = planHardening({
    ...answers,
    config: builder.config,
    services: builder.pipeline.services,
  });
  const planned: Runner = {
    description: answers.description,
    tags: answers.tags,
    // GitLab refuses a runner that has no tags and takes no untagged jobs: it could never run anything.
    runUntagged: answers.runUntagged || answers.tags.length === 0,
    accessLevel,
    builder: answers.builder,
    executor: {
      image: answers.dockerImage,
      volumes: builder.volumes,
      volumesWhy: builder.volumesWhy,
    },
    config: {
      runner: [...environment(answers.privateCa, proxy), askAgain, ...runner],
      docker: [
        ...pullPolicy(answers.pullPolicy),
        ...(answers.cache === 'none' ? [noCache] : []),
        ...docker,
        ...extraHosts(answers.extraHosts, mirror, cache, builder),
      ],
      cache: cache ? sharedCache : [],
      s3: cache ? s3(cache) : [],
    },
    pipeline: planPipeline(answers.registry, builder.pipeline),
    ...own,
  };
  return { runner: planned, compose: builder.compose, mirror, cache, proxy, hardening };
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

/**
 * GitLab Runner's own default is an hour, the limit three requests: `unhealthy_interval` and
 * `unhealthy_requests_limit` in https://docs.gitlab.com/runner/configuration/advanced-configuration/
 */
const askAgain: ConfigEntry = {
  key: 'unhealthy_interval',
  value: '1m0s',
  why: [
    'Where GitLab has not answered three requests for jobs, the next one comes after this: by itself GitLab Runner waits',
    'for an hour, though GitLab may be back by then.',
  ],
};

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

function s3({ server, bucket, isHere }: CacheOfRunner): ConfigEntry[] {
  return [
    {
      key: 'ServerAddress',
      value: server,
      why: isHere
        ? ['As the helpers of jobs find it, which load and keep the caches.']
        : ['The host, and the port if it is not 443.'],
    },
    { key: 'BucketName', value: bucket, why: ['It holds nothing else.'] },
    {
      key: 'BucketLocation',
      value: 'us-east-1',
      why: isHere
        ? ['The region that this server takes itself for; it is part of each signature.']
        : ['The region, which is part of each signature. Servers of your own mostly call theirs us-east-1.'],
    },
    ...(isHere
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
  mirror: MirrorOfRunner | undefined,
  cache: CacheOfRunner | undefined,
  builder: BuilderPlan,
): ConfigEntry[] {
  const why: string[] = [];
  const value = [...hosts];
  if (hosts.length > 0) why.push('Names that DNS does not know.');
  if (mirror?.address && !mirror.isForHost && !builder.compose.service) {
    why.push('The mirror is a service of docker-compose.yml, at a port of this host.');
    value.push('mirror:host-gateway');
  }
  if (cache?.isHere && cache.address !== undefined) {
    why.push('The S3 server of the cache is a service of docker-compose.yml, at a port of this host.');
    value.push('job-cache:host-gateway');
  }
  return value.length > 0 ? [{ key: 'extra_hosts', value, why }] : [];
}

/** The address of this host at which whoever pulls finds the mirror; undefined where the network of the jobs is enough. */
interface MirrorOfRunner extends Pick<Mirror, 'isForHost'> {
  readonly address: string | undefined;
}

function planMirror({ mirror, builder }: Answers, { compose }: BuilderPlan): MirrorOfRunner | undefined {
  if (!mirror) return undefined;
  const isForHost = usesHostEngine(builder);
  // What runs beside a job is on a network of its own, and comes by the address of Docker's default bridge.
  const address = isForHost ? '127.0.0.1' : compose.service ? undefined : bridgeAddress;
  return { address, isForHost };
}

/** The cache as jobs of one runner find it; the address is one of this host, as with the mirror. */
interface CacheOfRunner {
  readonly server: string;
  readonly bucket: string;
  readonly isHere: boolean;
  readonly address: string | undefined;
}

function planCache(
  { cache, cacheServer, cacheBucket: bucket }: Answers,
  { compose }: BuilderPlan,
): CacheOfRunner | undefined {
  if (cache !== 's3') return undefined;
  if (cacheServer !== 'here')
    return { server: new URL(cacheServer).host, bucket, isHere: false, address: undefined };
  // Jobs are on the network of what they build with, or on Docker's default bridge.
  const address = compose.service ? undefined : bridgeAddress;
  return { server: 'job-cache:7070', bucket, isHere: true, address };
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
