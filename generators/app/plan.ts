import { frozenClientApi } from '../common/engine.ts';
import type { BuilderPlan, ComposeResource, ConfigEntry, Names, Variable } from './builder.ts';
import { planOfBuilder } from './builders.ts';
import { type Answers, type BuilderName, usesHostEngine } from './questions.ts';

/** The repository to write, decided in full: templates only print it. */
export interface RunnerRepository {
  readonly gitlabUrl: string;
  readonly description: string;
  readonly tags: readonly string[];
  readonly runUntagged: boolean;
  readonly concurrent: number;
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
  /** Entries of config.toml for which registering has no option: of [[runners]], and of [runners.docker]. */
  readonly config: { readonly runner: readonly ConfigEntry[]; readonly docker: readonly ConfigEntry[] };
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

/** The HTTP proxy to the outside. */
export interface Proxy {
  readonly url: string;
  /** What is reached without it, as in NO_PROXY. */
  readonly exceptions: readonly string[];
}

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
  const proxy = planProxy(answers, builder);
  return {
    gitlabUrl: answers.gitlabUrl,
    description: answers.description,
    tags: answers.tags,
    // GitLab refuses a runner that has no tags and takes no untagged jobs: it could never run anything.
    runUntagged: answers.runUntagged || answers.tags.length === 0,
    concurrent: answers.concurrent,
    runnerImage: answers.runnerImage,
    builder: answers.builder,
    usesHostEngine: usesHostEngine(answers.builder),
    executor: {
      image: answers.dockerImage,
      volumes: builder.volumes,
      volumesWhy: builder.volumesWhy,
    },
    config: {
      runner: environment(answers.privateCa, proxy),
      docker: [
        ...pullPolicy(answers.pullPolicy),
        ...builder.config,
        ...extraHosts(answers.extraHosts, mirror, builder),
      ],
    },
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
  builder: BuilderPlan,
): ConfigEntry[] {
  const why: string[] = [];
  const value = [...hosts];
  if (hosts.length > 0) why.push('Names that DNS does not know.');
  if (mirror?.address && !mirror.isForHost && !builder.compose.service) {
    why.push('The mirror is a service of docker-compose.yml, at a port of this host.');
    value.push('mirror:host-gateway');
  }
  return value.length > 0 ? [{ key: 'extra_hosts', value, why }] : [];
}

function planMirror({ mirror, builder }: Answers, { compose }: BuilderPlan): Mirror | undefined {
  if (!mirror) return undefined;
  const isForHost = usesHostEngine(builder);
  // What runs beside a job is on a network of its own, and comes by the address of Docker's default bridge.
  const address = isForHost ? '127.0.0.1' : compose.service ? undefined : '172.17.0.1';
  return { address, isForHost };
}

function planProxy(
  { httpProxy, proxyExceptions, mirror }: Answers,
  { compose, pipeline }: BuilderPlan,
): Proxy | undefined {
  if (httpProxy === undefined) return undefined;
  const near = ['localhost', '127.0.0.1', ...(compose.service ? [compose.service] : [])];
  const besides = [...pipeline.services.map(({ alias }) => alias), ...(mirror ? ['mirror'] : [])];
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
