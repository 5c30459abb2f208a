import type { Answers } from '../ask/questions.ts';
import type { BuilderPlan, ConfigEntry, Names } from './builder.ts';
import { type Autoscaler, planAutoscaler } from './executor.ts';
import type { CacheOfRunner, HttpProxy, MirrorOfRunner } from './services.ts';

/** Where job containers find the mounted certificate of a private authority. */
export const authoritiesFolder = '/etc/gitlab-runner/certs';

/** The entries of one [[runners]], by their tables, such as [runners.docker]; beside those that each has. */
export interface RunnerConfig {
  readonly runner: readonly ConfigEntry[];
  readonly docker: readonly ConfigEntry[];
  readonly cache: readonly ConfigEntry[];
  readonly s3: readonly ConfigEntry[];
  /** Where jobs run on instances of a cloud. */
  readonly autoscaler: Autoscaler | undefined;
  /** Further tables, as text: those that an older runner had. */
  readonly tables?: string;
}

/** What of the surroundings shows in config.toml. */
interface Surroundings {
  readonly builder: BuilderPlan;
  readonly mirror: MirrorOfRunner | undefined;
  readonly cache: CacheOfRunner | undefined;
  readonly proxy: HttpProxy | undefined;
}

/** Decides the entries of one runner; `hardened` has those that take something from its jobs. */
export function planConfig(
  answers: Answers,
  { builder, mirror, cache, proxy }: Surroundings,
  hardened: Pick<RunnerConfig, 'runner' | 'docker'>,
): RunnerConfig {
  return {
    runner: [
      requests(answers),
      ...cloneUrl(answers),
      ...environment(answers.privateCa, proxy),
      ...hardened.runner,
    ],
    docker: [
      pullPolicy,
      ...(answers.cache === 'none' ? [noCache] : []),
      ...network(answers),
      ...hardened.docker,
      ...extraHosts(answers.extraHosts, mirror, cache, builder),
    ],
    cache: cache ? sharedCache : [],
    s3: cache ? s3(cache) : [],
    autoscaler: planAutoscaler(answers),
  };
}

/** Mounts of the job container: the builder's, the cache's, the authority's. */
export function volumesOf(
  { cache, privateCa, executor }: Answers,
  builder: BuilderPlan,
  names: Names,
): string[] {
  return [
    ...builder.volumes,
    ...(cache === 'none' ? [] : ['/cache']),
    // Instances have no volume of docker-compose.yml: their image brings that folder.
    ...(privateCa
      ? [`${executor === 'docker' ? names.authorities : authoritiesFolder}:${authoritiesFolder}:ro`]
      : []),
  ];
}

/** One at a time, its default, makes GitLab Runner warn at each start; more than four help nothing. */
export function requests({ concurrent }: Answers): ConfigEntry {
  return {
    key: 'request_concurrency',
    value: Math.max(2, Math.min(concurrent, 4)),
    why: ['Requests for jobs at the same time: with one, a slow answer of GitLab holds up all of them.'],
  };
}

function cloneUrl({ dockerNetwork, gitlabUrl }: Answers): ConfigEntry[] {
  if (dockerNetwork === undefined) return [];
  const why = [
    'Where jobs fetch the repository, whatever address GitLab gives itself: GITLAB_URL of .env again.',
  ];
  return [{ key: 'clone_url', value: gitlabUrl, why }];
}

function network({ dockerNetwork }: Answers): ConfigEntry[] {
  if (dockerNetwork === undefined) return [];
  const why = [
    'The network of Docker that knows GitLab by its name. Jobs that run at the same time share it: in their',
    '"services", one alias must not be used by two of them.',
  ];
  return [{ key: 'network_mode', value: dockerNetwork, why }];
}

const pullPolicy: ConfigEntry = {
  key: 'pull_policy',
  value: ['always', 'if-not-present'],
  why: [
    'Ask the registry for a newer image first; if it is down or limits pulls, use the copy on this host. Where',
    'several teams share the runner, keep "always" alone: else one may run a private image that another pulled.',
  ],
};

const noCache: ConfigEntry = {
  key: 'disable_cache',
  value: true,
  why: ['Jobs get no volume for "cache:", which then keeps nothing.'],
};

const sharedCache: readonly ConfigEntry[] = [
  { key: 'Type', value: 's3', why: ['"cache:" of a pipeline keeps files on an S3 server.'] },
  {
    key: 'Shared',
    value: true,
    why: [
      'The same caches for each runner with this bucket, and after a new token, which else is part of their path.',
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
      value: 'iam',
      why: [
        'The keys are in .env, and in the environment of the runner. Jobs never see them: they get addresses that are',
        'signed for one file, and for as long as the job may run.',
      ],
    },
  ];
}

/** Variables of every job, its helper and its services. */
function environment(privateCa: boolean, proxy: HttpProxy | undefined): ConfigEntry[] {
  const value = variablesOfJobs(privateCa, proxy);
  const why = [
    ...(privateCa
      ? [
          'Programs written in Go, such as docker, trust the authorities in that folder beside the usual ones.',
        ]
      : []),
    ...(proxy ? ['Some programs read these in capitals, some in small letters.'] : []),
  ];
  return value.length > 0 ? [{ key: 'environment', value, why }] : [];
}

/** The values of those, on a host and in a cluster alike. */
export function variablesOfJobs(privateCa: boolean, proxy: HttpProxy | undefined): string[] {
  const exceptions = proxy?.exceptions.join(',');
  return [
    ...(privateCa ? [`SSL_CERT_DIR=${authoritiesFolder}`] : []),
    ...(proxy
      ? [
          ...[`HTTP_PROXY=${proxy.url}`, `HTTPS_PROXY=${proxy.url}`, `NO_PROXY=${exceptions}`],
          ...[`http_proxy=${proxy.url}`, `https_proxy=${proxy.url}`, `no_proxy=${exceptions}`],
        ]
      : []),
  ];
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
