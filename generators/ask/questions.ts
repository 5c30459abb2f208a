import {
  checkBucket,
  checkBuilder,
  checkCacheServer,
  checkChoice,
  checkCleanUp,
  checkConcurrent,
  checkDescription,
  checkDockerNetwork,
  checkExtraHosts,
  checkGitLabUrl,
  checkHosts,
  checkIdle,
  checkImage,
  checkInsecureRegistry,
  checkInstanceGroup,
  checkNamespace,
  checkNodeSelector,
  checkPlatforms,
  checkProxy,
  checkRegistry,
  checkTags,
  checkYesNo,
} from './checks.ts';
import { refuseToken } from './refusal.ts';

/** The ways to build images in a job, each with what it means for speed, isolation and privileges. */
export const builders = {
  socket:
    "the host's own Docker Engine: the fastest, layers stay on the host; whoever runs a job is root on the host",
  dind: 'a Docker Engine in a container: jobs are apart from the host, yet that container is privileged; caches less by itself',
  buildkit:
    'rootless BuildKit in a container: fast, no privileges anywhere; jobs can build, but run no containers',
  buildah:
    'Buildah in the job itself: no daemon, and no privileges but an open seccomp profile; slower, layers come from the registry',
} as const;

export type BuilderName = keyof typeof builders;

/** The image of rootless BuildKit, with the program that has it build without a daemon. */
export const buildkitImage = 'moby/buildkit:v0.34.2-rootless';
/** Where jobs run: GitLab Runner's own executors, each with what it means. */
export const executors = {
  docker: 'in containers of this host',
  'docker-autoscaler':
    'in containers of cloud instances, which the runner starts and removes; the runner itself stays in a container here',
  kubernetes:
    "in pods of a Kubernetes cluster, each in one of its own, as the runner too; by GitLab's own Helm chart",
} as const;

export type ExecutorName = keyof typeof executors;

/** Whether jobs build with the engine of the host, which is then configured by its own files and not by ours. */
export function usesHostEngine({ executor, builder }: Pick<Answers, 'executor' | 'builder'>): boolean {
  return executor === 'docker' && builder === 'socket';
}

/** Clouds that GitLab has a plugin for, each with what its groups of instances are called there. */
const clouds = {
  aws: 'an Auto Scaling group of AWS',
  googlecloud: 'a managed instance group of Google Cloud, in one zone',
  azure: 'a Virtual Machine Scale Set of Azure, with uniform orchestration',
} as const;

const dindCaches = {
  registry: 'an engine for each job, which starts empty and takes layers from the registry',
  volume: 'one engine for all jobs, which keeps its layers on a volume',
} as const;

/** How much is taken from jobs and from the runner, each level with what it means. */
export const hardenings = {
  relaxed: 'as Docker starts any container: no limits, and nothing taken away',
  recommended:
    'what builds do without is taken away: new privileges (as by sudo), raw packets, device files; jobs go first where memory runs out',
  strict:
    'few capabilities, named images, limits of memory and CPUs, a read-only runner, protected branches only: expect to adjust it',
} as const;

const caches = {
  local:
    'on this host, in volumes that jobs have at /cache: GitLab Runner does so by itself, and no other host has them',
  s3: 'on an S3 server, here or elsewhere: it can be shared by runners on several hosts; each cache goes over the network',
  none: 'nowhere: "cache:" in a pipeline keeps nothing, so that no job finds what another has left',
} as const;

/** From the most to the least that the runner writes into its log: log_level in config.toml. */
const logLevels = {
  debug: 'everything, to find a fault of the runner itself',
  info: 'jobs, and what is wrong',
  warn: 'what may be wrong, and what is',
  error: 'what is wrong',
  fatal: 'what ends the runner',
  panic: 'what breaks the runner',
} as const;

/** What questions are about. The basics are asked of everybody, and of the others those that the user wants to see. */
export const groups = {
  basics: 'GitLab, how jobs build, and how many at once',
  executor: 'where jobs run: here, on cloud instances, or in a cluster',
  runner: 'tags and description of the runner',
  images: 'registry, images and platforms',
  safety: 'what is taken from jobs',
  upkeep: 'clean-up, monitoring, log level, Renovate',
  cache: 'caches, and a mirror of Docker Hub',
  network: 'private CA, proxy, plain HTTP, hosts, Docker network',
} as const;

export type Group = keyof typeof groups;

/** What is known once every question is answered. */
export interface Answers {
  readonly gitlabUrl: string;
  /** The namespace of the cluster that the runner and its jobs are in. */
  readonly namespace: string;
  /** Labels of the nodes that jobs run on, `label=value`. */
  readonly nodeSelector: readonly string[];
  readonly builder: BuilderName;
  readonly dindCache: keyof typeof dindCaches;
  readonly concurrent: number;
  readonly executor: ExecutorName;
  readonly cloud: keyof typeof clouds;
  /** `name`; for googlecloud `project/zone/name`, for azure `subscription/resource group/name`. */
  readonly instanceGroup: string;
  /** Jobs that one instance runs at the same time, and those after which it is removed. */
  readonly instanceJobs: number;
  readonly instanceUses: number;
  /** Jobs that find an instance waiting for them in working hours. */
  readonly idleJobs: number;
  readonly tags: readonly string[];
  readonly runUntagged: boolean;
  readonly description: string;
  readonly registry: string;
  readonly dockerImage: string;
  readonly runnerImage: string;
  /** None: that of the host. */
  readonly platforms: readonly string[];
  readonly hardening: keyof typeof hardenings;
  /** Days that what jobs leave is kept; without it nothing is removed by itself. */
  readonly cleanUp: number | undefined;
  readonly monitoring: boolean;
  readonly logLevel: keyof typeof logLevels;
  readonly renovate: boolean;
  readonly cache: keyof typeof caches;
  /** `here`, or `https://host[:port]`. */
  readonly cacheServer: string;
  readonly cacheBucket: string;
  readonly mirror: boolean;
  readonly privateCa: boolean;
  readonly httpProxy: string | undefined;
  readonly proxyExceptions: readonly string[];
  readonly insecureRegistry: string | undefined;
  readonly extraHosts: readonly string[];
  /** The network of Docker on which alone GitLab is known by its name. */
  readonly dockerNetwork: string | undefined;
}

export type AnswerName = keyof Answers;

/** Answers as they are typed, by name; the ones that were never given are missing. */
export type TypedAnswers = { [Name in AnswerName]?: string };

/** The answers on which it depends whether other questions matter. */
export const deciding = ['builder', 'dindCache', 'executor', 'cache', 'httpProxy'] as const;

export type Deciding = Pick<Answers, (typeof deciding)[number]>;

/** One question: its prompt, its option, its help and its check all come from this. */
export interface Question<T> {
  /** The command-line option, without its dashes. */
  readonly option: string;
  readonly group: Group;
  readonly message: string;
  /** What the option does, in half a sentence. */
  readonly help: string;
  /** The default, as a user would type it. */
  readonly default: string;
  /** Where a builder needs another default. */
  readonly defaultOf?: { readonly [Name in BuilderName]?: string };
  /** Where Kubernetes needs another; one for all builders, or for one of them. */
  readonly defaultInCluster?: string | { readonly [Name in BuilderName]?: string };
  /** How an empty list is typed; without this, by no text at all. */
  readonly none?: string;
  /** Where given, only these are answers, each with a sentence on what it means. */
  readonly choices?: Readonly<Record<string, string>>;
  /** A yes-or-no question; as an option it takes no value. */
  readonly yesNo?: true;
  /** Whether other answers leave anything to answer here; each was checked. */
  readonly matters?: (answers: Deciding) => boolean;
  /** For whom it matters, in the words of a refusal. */
  readonly mattersFor?: string;
  /** What then holds, as typed; without this the default. */
  readonly otherwise?: string;
  /**
   * Turns what was typed into an answer.
   * @throws Refusal with a sentence if it cannot be one
   */
  readonly check: (text: string) => T;
}

/** For questions about what is on this host: containers, networks and disk of the jobs' engine. */
const ofThisHost = {
  matters: ({ executor }: Deciding) => executor === 'docker',
  mattersFor: '--executor docker',
};

/** For questions about instances of a cloud. */
const ofInstances = {
  group: 'executor',
  matters: ({ executor }: Deciding) => executor === 'docker-autoscaler',
  mattersFor: '--executor docker-autoscaler',
} as const;
/** For questions about a cluster. */
const inCluster = {
  group: 'executor',
  matters: ({ executor }: Deciding) => executor === 'kubernetes',
  mattersFor: '--executor kubernetes',
} as const;

/** For questions about what instances cannot be told from here. */
const notOfInstances = {
  matters: ({ executor }: Deciding) => executor !== 'docker-autoscaler',
  mattersFor: '--executor docker or kubernetes',
};

/** Every question, in the order in which it is asked. */
export const questions = withoutTokens({
  gitlabUrl: {
    option: 'gitlab-url',
    group: 'basics',
    message: 'URL of your GitLab',
    help: 'the GitLab instance that sends the jobs; a sub-path is fine',
    default: 'https://gitlab.com',
    check: checkGitLabUrl,
  },
  builder: {
    option: 'builder',
    group: 'basics',
    message: 'How jobs build images',
    help: `how jobs build images: ${Object.keys(builders).join(', ')}`,
    default: 'socket',
    defaultInCluster: 'buildkit',
    choices: builders,
    check: text => checkBuilder(builders, text),
  },
  dindCache: {
    option: 'dind-cache',
    group: 'basics',
    message: 'Where that engine keeps layers from one job to the next',
    help: `for dind: ${Object.keys(dindCaches).join(' (an engine for each job) or ')} (one engine for all)`,
    default: 'registry',
    choices: dindCaches,
    matters: ({ builder }) => builder === 'dind',
    mattersFor: '--builder dind',
    check: text => checkChoice(dindCaches, text),
  },
  concurrent: {
    option: 'concurrent',
    group: 'basics',
    message: 'Jobs to run at the same time',
    help: 'how many jobs run at the same time, from 1',
    default: '2',
    check: checkConcurrent,
  },
  executor: {
    option: 'executor',
    group: 'executor',
    message: 'Where jobs run',
    help: `where jobs run: ${Object.keys(executors).join(', ')}`,
    default: 'docker',
    choices: executors,
    check: text => checkChoice(executors, text),
  },
  cloud: {
    option: 'cloud',
    ...ofInstances,
    message: 'Cloud of the instances',
    help: `for docker-autoscaler: the cloud of the instances: ${Object.keys(clouds).join(', ')}`,
    default: 'aws',
    choices: clouds,
    check: text => checkChoice(clouds, text),
  },
  instanceGroup: {
    option: 'instance-group',
    ...ofInstances,
    message: 'Group of instances (googlecloud: project/zone/name, azure: subscription/resource-group/name)',
    help: 'for docker-autoscaler: the group of instances, by its name; project/zone/name for googlecloud, subscription/resource-group/name for azure',
    default: 'gitlab-runners',
    check: checkInstanceGroup,
  },
  instanceJobs: {
    option: 'instance-jobs',
    ...ofInstances,
    message: 'Jobs that one instance runs at the same time',
    help: 'for docker-autoscaler: how many jobs one instance runs at the same time, from 1',
    default: '1',
    check: checkConcurrent,
  },
  instanceUses: {
    option: 'instance-uses',
    ...ofInstances,
    message: 'Jobs after which an instance is removed',
    help: 'for docker-autoscaler: after how many jobs an instance is removed; 1 gives each job a new one',
    default: '1',
    check: checkConcurrent,
  },
  idleJobs: {
    option: 'idle-jobs',
    ...ofInstances,
    message: 'Jobs for which an instance waits in working hours (0: each waits until one has started)',
    help: 'for docker-autoscaler: for how many jobs instances wait, Monday to Friday from 8 to 18; 0 for none',
    default: '1',
    check: checkIdle,
  },
  namespace: {
    option: 'namespace',
    ...inCluster,
    message: 'Namespace of the cluster',
    help: 'for kubernetes: the namespace of the cluster that the runner and its jobs are in',
    default: 'gitlab-runner',
    check: checkNamespace,
  },
  nodeSelector: {
    option: 'node-selector',
    ...inCluster,
    message: 'Labels of the nodes that jobs run on, as label=value, comma-separated ("none")',
    help: 'for kubernetes: labels of the nodes that jobs run on, as label=value, comma-separated, or "none"',
    default: 'none',
    none: 'none',
    check: checkNodeSelector,
  },
  tags: {
    option: 'tags',
    group: 'runner',
    message: 'Tags of the runner, comma-separated (a single comma: none)',
    help: 'comma-separated, or a single comma for none; a job must ask for tags that the runner has',
    default: 'docker',
    none: ',',
    check: checkTags,
  },
  runUntagged: {
    option: 'run-untagged',
    group: 'runner',
    message: 'Also run jobs that ask for no tag?',
    help: 'also run jobs that ask for no tag; a runner without tags has to, and does by default',
    default: 'no',
    yesNo: true,
    check: checkYesNo,
  },
  description: {
    option: 'description',
    group: 'runner',
    message: 'Description of the runner',
    help: 'the name that GitLab shows for the runner',
    default: 'My Docker Runner',
    check: checkDescription,
  },
  registry: {
    option: 'registry',
    group: 'images',
    message: 'Registry that images are pushed to ("gitlab", or host[:port][/path])',
    help: '"gitlab" for the container registry of the project, or host[:port][/path]',
    default: 'gitlab',
    check: checkRegistry,
  },
  dockerImage: {
    option: 'docker-image',
    group: 'images',
    message: 'Image that jobs run in, with the program that builds',
    help: 'the image, with a Docker client (or Buildah), that jobs run in',
    default: 'docker:stable',
    defaultOf: {
      dind: 'docker:29.10.0-cli',
      buildkit: 'docker:29.10.0-cli',
      buildah: 'quay.io/buildah/stable:latest',
    },
    defaultInCluster: { buildkit: buildkitImage },
    check: checkImage,
  },
  runnerImage: {
    option: 'runner-image',
    group: 'images',
    message: 'Image of GitLab Runner',
    help: 'the image of GitLab Runner itself',
    default: 'gitlab/gitlab-runner:alpine',
    defaultInCluster: 'registry.gitlab.com/gitlab-org/gitlab-runner:alpine-v19.3.0',
    check: checkImage,
  },
  platforms: {
    option: 'platforms',
    group: 'images',
    message: 'Platforms of the images, comma-separated ("host": that of this host)',
    help: 'platforms of the images, such as linux/amd64,linux/arm64; "host" for that of the host',
    default: 'host',
    none: 'host',
    ...notOfInstances,
    check: checkPlatforms,
  },
  hardening: {
    option: 'hardening',
    group: 'safety',
    message: 'What to take from jobs and from the runner',
    help: `what to take from jobs and from the runner: ${Object.keys(hardenings).join(', ')}`,
    default: 'recommended',
    choices: hardenings,
    check: text => checkChoice(hardenings, text),
  },
  cleanUp: {
    option: 'clean-up',
    group: 'upkeep',
    message: 'Days that what jobs leave is kept ("none": no clean-up)',
    help: 'days that stopped containers and networks of jobs and the build cache are kept, or "none" for no clean-up',
    default: '7',
    ...ofThisHost,
    otherwise: 'none',
    check: checkCleanUp,
  },
  monitoring: {
    option: 'monitoring',
    group: 'upkeep',
    message: 'Also run Prometheus and Grafana, which watch the runner?',
    help: 'also run Prometheus and Grafana, which watch the runner',
    default: 'no',
    yesNo: true,
    check: checkYesNo,
  },
  logLevel: {
    option: 'log-level',
    group: 'upkeep',
    message: 'How much the runner writes into its log',
    help: `how much the runner writes into its log: ${Object.keys(logLevels).join(', ')}`,
    default: 'info',
    choices: logLevels,
    check: text => checkChoice(logLevels, text),
  },
  renovate: {
    option: 'renovate',
    group: 'upkeep',
    message: 'Also a configuration of Renovate, which proposes newer images?',
    help: 'also a renovate.json, for newer images by merge requests',
    default: 'no',
    yesNo: true,
    check: checkYesNo,
  },
  cache: {
    option: 'cache',
    group: 'cache',
    message: 'Where "cache:" of a pipeline keeps files from one job to the next',
    help: `where "cache:" of a pipeline keeps files: ${Object.keys(caches).join(', ')}`,
    default: 'local',
    defaultInCluster: 'none',
    choices: caches,
    check: text => checkChoice(caches, text),
  },
  cacheServer: {
    option: 'cache-server',
    group: 'cache',
    message: 'S3 server of the cache ("here": one of ours, or https://host[:port])',
    help: 'for s3: "here" for a server in docker-compose.yml, or https://host[:port]',
    default: 'here',
    defaultInCluster: 'https://s3.amazonaws.com',
    matters: ({ cache }) => cache === 's3',
    mattersFor: '--cache s3',
    check: checkCacheServer,
  },
  cacheBucket: {
    option: 'cache-bucket',
    group: 'cache',
    message: 'Bucket of the cache',
    help: 'for s3: the bucket that holds the caches',
    default: 'runner-cache',
    matters: ({ cache }) => cache === 's3',
    mattersFor: '--cache s3',
    check: checkBucket,
  },
  mirror: {
    option: 'mirror',
    group: 'cache',
    message: 'Keep a mirror of Docker Hub here, as its pull limits are soon met?',
    help: 'also run a pull-through cache of Docker Hub',
    default: 'no',
    yesNo: true,
    ...ofThisHost,
    check: checkYesNo,
  },
  privateCa: {
    option: 'private-ca',
    group: 'network',
    message: 'Does GitLab or the registry have a certificate of a private authority?',
    help: 'trust the certificate authority in config/certs/ca.crt everywhere',
    default: 'no',
    yesNo: true,
    check: checkYesNo,
  },
  httpProxy: {
    option: 'http-proxy',
    group: 'network',
    message: 'HTTP proxy to the outside ("none", or http://host:port)',
    help: 'the HTTP proxy to the outside, as http://host:port, or "none"',
    default: 'none',
    check: checkProxy,
  },
  proxyExceptions: {
    option: 'proxy-exceptions',
    group: 'network',
    message: 'Hosts and domains beside that proxy, comma-separated ("none")',
    help: 'hosts, .domains and addresses to reach without the proxy, comma-separated, or "none"',
    default: 'none',
    none: 'none',
    matters: ({ httpProxy }) => httpProxy !== undefined,
    mattersFor: '--http-proxy',
    check: checkHosts,
  },
  insecureRegistry: {
    option: 'insecure-registry',
    group: 'network',
    message: 'Registry that speaks plain HTTP ("none", or host[:port])',
    help: 'a registry that speaks plain HTTP, as host[:port], or "none"',
    default: 'none',
    ...notOfInstances,
    check: checkInsecureRegistry,
  },
  extraHosts: {
    option: 'extra-hosts',
    group: 'network',
    message: 'Names that DNS lacks, as name:address, comma-separated ("none")',
    help: 'names that DNS does not know, as name:address, comma-separated, or "none"',
    default: 'none',
    none: 'none',
    check: checkExtraHosts,
  },
  dockerNetwork: {
    option: 'docker-network',
    group: 'network',
    message: 'Docker network on which alone GitLab is known by its name ("none")',
    help: 'for a GitLab in a container of this host: the Docker network that knows its name, or "none"',
    default: 'none',
    ...ofThisHost,
    check: checkDockerNetwork,
  },
});

type Questions = { readonly [Name in AnswerName]: Question<Answers[Name]> };

/** The same, where no answer has a token of GitLab in it. */
function withoutTokens(all: Questions): Questions {
  const entries = Object.entries(all).map(([name, question]) => {
    const check = (text: string) => {
      refuseToken(text);
      return question.check(text);
    };
    return [name, { ...question, check }];
  });
  return Object.fromEntries(entries) as unknown as Questions;
}

/** The names of all questions, in their order. */
export const answerNames = Object.keys(questions) as readonly AnswerName[];

/** Whether whoever typed that wants a runner without tags. */
export const isNone = (tags: unknown): boolean => typeof tags === 'string' && /^[\s,]*$/.test(tags);

/**
 * The default of a question, as typed, where that builder, those tags and that executor were chosen.
 * A runner without tags could run nothing but untagged jobs, so it takes these where nobody says otherwise.
 */
export function defaultFor(name: AnswerName, builder: string, tags?: string, executor = 'docker'): string {
  const { default: byDefault, defaultOf, defaultInCluster } = questions[name];
  if (name === 'runUntagged' && isNone(tags)) return 'yes';
  if (executor === 'kubernetes' && defaultInCluster !== undefined) {
    if (typeof defaultInCluster === 'string') return defaultInCluster;
    if (defaultInCluster[builder as BuilderName]) return defaultInCluster[builder as BuilderName]!;
  }
  return defaultOf?.[builder as BuilderName] ?? byDefault;
}

/** An answer as a user would type it; `check` reads it back. */
export function asTyped(name: AnswerName, value: Answers[AnswerName]): string {
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  if (Array.isArray(value)) return value.length > 0 ? value.join(',') : (questions[name].none ?? '');
  return value === undefined ? 'none' : String(value);
}

/** All answers as a user would type them. */
export function typedAnswers(answers: Answers): { [Name in AnswerName]: string } {
  const typed = answerNames.map(name => [name, asTyped(name, answers[name])]);
  return Object.fromEntries(typed) as { [Name in AnswerName]: string };
}

/** Of those answers to prompts, the ones to these questions, as a user would type them. */
export function typedFrom(
  names: readonly AnswerName[],
  answered: Readonly<Record<string, string | boolean | readonly string[] | undefined>>,
): TypedAnswers {
  const values = names.map(name => [name, answered[name]] as const);
  return Object.fromEntries(
    values.flatMap(([name, value]) => (value === undefined ? [] : [[name, asTyped(name, value)]])),
  );
}
