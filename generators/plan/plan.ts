import { inForce } from '../ask/answers.ts';
import { type Answers, type BuilderName, type ExecutorName, usesHostEngine } from '../ask/questions.ts';
import type { ConfigEntry, Names } from './builder.ts';
import { planOfBuilder } from './builders.ts';
import { planClusterThreats } from './cluster-threats.ts';
import { type Compose, planNetworks, planVolumes } from './compose.ts';
import { planConfig, type RunnerConfig, requests, volumesOf } from './config.ts';
import { engineImage, isOlderRunner } from './engine.ts';
import { debugTraceDisabled, type Hardening, planHardening } from './hardening.ts';
import { type Kubernetes, planKubernetes } from './kubernetes.ts';
import { type Pipeline, planPipeline } from './pipeline.ts';
import {
  type Cache,
  distinct,
  type HttpProxy,
  type Mirror,
  placeOf,
  planCache,
  planMirror,
  planProxy,
} from './services.ts';
import { planThreats, type Threat } from './threats.ts';

/** One [[runners]] of config.toml, and the files of the repository that are its own. */
export interface Runner {
  readonly description: string;
  readonly tags: readonly string[];
  readonly runUntagged: boolean;
  /** Which branches and tags GitLab lets it serve. */
  readonly accessLevel: Hardening['accessLevel'];
  /** Whether it stays with the project that it was created for. */
  readonly locked: boolean;
  /** Seconds after which a job is stopped. */
  readonly maximumTimeout: number;
  readonly paused: boolean;
  readonly builder: BuilderName;
  /** The variable of .env with its token. */
  readonly tokenVariable: string;
  /** What each job container starts from. */
  readonly executor: {
    readonly image: string;
    /** Mounts of the job container, `host path or volume:container path`. */
    readonly volumes: readonly string[];
    readonly volumesWhy: string;
  };
  readonly config: RunnerConfig;
  readonly pipeline: Pipeline;
  /** The path of its sample pipeline. */
  readonly pipelinePath: string;
  /** The project that it is for, where that is not left to .env: a path or a number. */
  readonly project: string | undefined;
}

/** The repository to write, decided in full: templates only print it. */
export interface RunnerRepository {
  readonly gitlabUrl: string;
  /** Its runners; the one that it began with is the first. */
  readonly runners: readonly [Runner, ...Runner[]];
  /** The ways to build images, each once. */
  readonly builders: readonly BuilderName[];
  readonly concurrent: number;
  /** What an older config.toml had above its first runner, and no answer says. */
  readonly carried?: { readonly entries: readonly ConfigEntry[]; readonly tables: string };
  readonly logLevel: Answers['logLevel'];
  /** Days that stopped containers and networks of jobs and the build cache are kept; undefined where nothing is removed by itself. */
  readonly cleanUp: number | undefined;
  readonly runnerImage: string;
  /** Whether that image is of a GitLab Runner that puts no variables into config.toml: before 18.10. */
  readonly expandsConfig: boolean;
  /** Where jobs run. */
  readonly executorName: ExecutorName;
  /** Whether jobs build with the engine of the host. */
  readonly usesHostEngine: boolean;
  /** What is taken from jobs and from the runner; its entries are in `config` of each already. */
  readonly hardening: Omit<Hardening, 'runner' | 'docker' | 'accessLevel'>;
  /** Whether no runner takes anything from its jobs. */
  readonly takesNothing: boolean;
  /** Who could do what here, and what is done about it. */
  readonly threats: readonly Threat[];
  readonly compose: Compose;
  /** Where jobs run in a cluster: what is there in the place of docker-compose.yml and config/config.toml. */
  readonly kubernetes: Kubernetes | undefined;
  /** Names the containers; a valid Compose project name. */
  readonly composeProject: string;
  /** Files of scripts/, without ".ts", whose checks doctor runs beside those that each repository has. */
  readonly parts: readonly string[];
  /** None: that of the host. */
  readonly platforms: readonly string[];
  readonly cache: Cache | undefined;
  /** Whether Prometheus and Grafana watch the runner. */
  readonly monitoring: boolean;
  readonly mirror: Mirror | undefined;
  /** Whether config/certs/ca.crt is trusted by all that needs to. */
  readonly privateCa: boolean;
  readonly proxy: HttpProxy | undefined;
  /** A registry that speaks plain HTTP. */
  readonly insecureRegistry: string | undefined;
  /** Names that DNS does not know, `name:address`. */
  readonly extraHosts: readonly string[];
  /** The network of Docker on which alone GitLab is known by its name. */
  readonly dockerNetwork: string | undefined;
  /** What Renovate, which proposes newer images, has to be told. */
  readonly renovate: { readonly runnerRepository: string } | undefined;
}

/** A runner beside the first: the answers of the repository, with some of its own in their place. */
export interface OtherRunner {
  readonly answers: Answers;
  readonly project: string | undefined;
}

/**
 * Decides everything about the repository. No I/O, and the same answers always give the same result.
 *
 * @param directoryName the name of the folder that the repository was first written to
 * @param others the runners beside that of the answers; their descriptions are part of paths
 */
export function planRepository(
  given: Answers,
  directoryName: string,
  givenOthers: readonly OtherRunner[] = [],
): RunnerRepository {
  const answers = inForce(given);
  const isInCluster = answers.executor === 'kubernetes';
  const others = givenOthers.map(({ answers: own, project }) => ({ answers: inForce(own), project }));
  const composeProject = composeProjectName(directoryName);
  const names: Names = {
    network: `${composeProject}-jobs`,
    clientCertificates: `${composeProject}-client-certs`,
    authorities: `${composeProject}-authorities`,
  };
  const all = [
    planRunner(answers, names, firstRunner),
    ...others.map(({ answers: own, project }) => planRunner(own, names, furtherRunner(own, project))),
  ];
  const builders = distinct(all.map(({ runner }) => runner.builder));
  return {
    ...planShared(answers, all, names),
    runners: all.map(({ runner }) => runner) as [Runner, ...Runner[]],
    builders,
    usesHostEngine: [answers, ...others.map(({ answers: own }) => own)].some(usesHostEngine),
    parts: planParts(answers, builders),
    threats: isInCluster
      ? planClusterThreats(answers)
      : planThreats(
          answers,
          others.map(({ answers: own }) => own),
        ),
    kubernetes: isInCluster ? planCluster(answers, names, composeProject) : undefined,
    composeProject,
    ...answersAsTheyAre(answers),
    expandsConfig: !isInCluster && isOlderRunner(answers.runnerImage, 18, 10),
    renovate: answers.renovate
      ? { runnerRepository: answers.runnerImage.replace(/(:[^/]*)?(@.*)?$/, '') }
      : undefined,
  };
}

function planCluster(answers: Answers, names: Names, name: string): Kubernetes {
  const builder = planOfBuilder[answers.builder](answers, names);
  const { config, proxy } = planRunner(answers, names, firstRunner);
  // The chart gives the keys of its Secret to the runner.
  const s3 = config.s3.filter(({ key }) => key !== 'AuthenticationType');
  const runner = [requests(answers), ...(answers.hardening === 'strict' ? [debugTraceDisabled] : [])];
  return planKubernetes(answers, builder, { proxy, name, runner, cache: config.cache, s3 });
}

/** The answers that templates print, with nothing to decide. */
function answersAsTheyAre(answers: Answers) {
  const {
    gitlabUrl,
    executor: executorName,
    concurrent,
    logLevel,
    cleanUp,
    runnerImage,
    platforms,
  } = answers;
  const { monitoring, privateCa, insecureRegistry, extraHosts, dockerNetwork } = answers;
  return {
    ...{ gitlabUrl, executorName, concurrent, logLevel, cleanUp, runnerImage, platforms },
    ...{ monitoring, privateCa, insecureRegistry, extraHosts, dockerNetwork },
  };
}

type Own = Pick<Runner, 'tokenVariable' | 'pipelinePath' | 'project'>;

const firstRunner: Own = {
  tokenVariable: 'RUNNER_TOKEN',
  pipelinePath: '.gitlab-ci.yml',
  project: undefined,
};

const furtherRunner = ({ description }: Answers, project: string | undefined): Own => ({
  tokenVariable: `RUNNER_TOKEN_${description.toUpperCase().replaceAll('-', '_')}`,
  pipelinePath: `example/${description}.gitlab-ci.yml`,
  project,
});

/** One runner, and what it asks of the rest of the repository. */
function planRunner(answers: Answers, names: Names, own: Own) {
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
    runUntagged: answers.runUntagged,
    accessLevel,
    locked: true,
    maximumTimeout: 3600,
    paused: false,
    builder: answers.builder,
    executor: {
      image: answers.dockerImage,
      volumes: volumesOf(answers, builder, names),
      volumesWhy: builder.volumesWhy,
    },
    config: planConfig(answers, { builder, mirror, cache, proxy }, { runner, docker }),
    pipeline: planPipeline(answers.registry, builder.pipeline),
    ...own,
  };
  return {
    runner: planned,
    config: planned.config,
    compose: builder.compose,
    mirror,
    cache,
    proxy,
    hardening,
  };
}

/** What all runners have together: services, networks, volumes, and the ways to the outside. */
function planShared(
  answers: Answers,
  all: readonly ReturnType<typeof planRunner>[],
  names: Names,
): Pick<RunnerRepository, 'compose' | 'cache' | 'mirror' | 'proxy' | 'hardening' | 'takesNothing'> {
  const services = distinct(all.flatMap(({ compose }) => compose.service ?? []));
  const mirrors = all.flatMap(({ mirror }) => mirror ?? []);
  const caches = all.flatMap(({ cache }) => cache ?? []);
  const proxies = all.flatMap(({ proxy }) => proxy ?? []);
  const [[cache], [proxy]] = [caches, proxies];
  const has = { mirror: mirrors.length > 0, cache: caches.some(({ isHere }) => isHere) };
  const volumes = all.flatMap(({ compose }) => compose.volumes);
  return {
    compose: {
      services,
      engineImage,
      networks: planNetworks(answers, services, names),
      volumes: planVolumes(answers, volumes, has, names),
    },
    cache: cache && {
      address: cache.server,
      bucket: cache.bucket,
      service: has.cache ? placeOf(caches) : undefined,
    },
    mirror: has.mirror
      ? { ...placeOf(mirrors), isForHost: mirrors.some(({ isForHost }) => isForHost) }
      : undefined,
    proxy: proxy && { url: proxy.url, exceptions: distinct(proxies.flatMap(({ exceptions }) => exceptions)) },
    hardening: all[0]!.hardening,
    takesNothing: all.every(({ hardening }) => hardening.level === 'relaxed'),
  };
}

/** In the order in which doctor shows them. */
function planParts(
  { executor, cache, privateCa, platforms, mirror }: Answers,
  builders: readonly BuilderName[],
): string[] {
  if (executor === 'kubernetes') return ['cluster', ...(privateCa ? ['private-ca'] : [])];
  return [
    ...['runner', 'jobs'],
    ...(executor === 'docker-autoscaler' ? ['autoscaler'] : []),
    // What instances reach cannot be seen from here.
    ...(cache === 's3' && executor === 'docker' ? ['cache'] : []),
    ...(privateCa ? ['private-ca'] : []),
    ...(platforms.length > 0 ? ['platforms'] : []),
    // Only the engine of the host has to be told of it by hand.
    ...(mirror && builders.includes('socket') ? ['mirror'] : []),
  ];
}

/** A Compose project name has only a-z, 0-9, - and _, and starts with a letter or digit (Compose specification). */
export const isComposeProject = (name: string): boolean => /^[a-z0-9][a-z0-9_-]*$/.test(name);

function composeProjectName(directoryName: string): string {
  const name = directoryName
    .toLowerCase()
    .replace(/[^a-z0-9_-]+/g, '-')
    .replace(/^[-_]+|[-_]+$/g, '');
  return name === '' ? 'gitlab-runner' : name;
}
