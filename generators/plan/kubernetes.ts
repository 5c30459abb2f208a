import type { Answers } from '../ask/questions.ts';
import type { BuilderPlan, ConfigEntry, ConfigTable } from './builder.ts';
import { authoritiesFolder, variablesOfJobs } from './config.ts';
import { entries, leftAlone, securityTables, takenFromJobs } from './pods.ts';
import { distinct, type HttpProxy } from './services.ts';

/** GitLab's official Helm chart, and the version that repositories begin with. */
export const officialChart = {
  chart: 'gitlab-runner',
  repository: 'https://charts.gitlab.io',
  version: '0.86.0',
} as const;

/** What a repository has for a Kubernetes cluster, in the place of docker-compose.yml and config/config.toml. */
export interface Kubernetes {
  readonly namespace: string;
  /** The name of the release of Helm, which the objects of the cluster begin with. */
  readonly release: string;
  readonly chart: typeof officialChart;
  /** The image of GitLab Runner in the parts of which the chart puts it together. */
  readonly image: { readonly image: string; readonly tag: string };
  /** The user and the group that it runs as: the flavours of the image have different ones. */
  readonly user: { readonly id: number; readonly group: number; readonly flavour: string };
  /** What the runner's account may do in its namespace. */
  readonly rules: readonly Rule[];
  /** The entries of [[runners]], of [runners.kubernetes] and of its tables, in runners.config of helm/values.yaml. */
  readonly runner: readonly ConfigEntry[];
  readonly executor: readonly ConfigEntry[];
  readonly tables: readonly ConfigTable[];
  readonly cache: readonly ConfigEntry[];
  readonly s3: readonly ConfigEntry[];
  /** Addresses and the names that DNS does not know them by. */
  readonly hostAliases: readonly HostAlias[];
  /** What is reached without the proxy: as jobs have it, and as the runner has it, by the words of Kubernetes. */
  readonly noProxy: { readonly jobs: readonly string[]; readonly runner: readonly string[] } | undefined;
}

interface HostAlias {
  readonly ip: string;
  readonly hostnames: readonly string[];
}

/** One rule of a Role of Kubernetes, and why. */
export interface Rule {
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
  readonly why: string;
}

/**
 * What the executor does through the API of Kubernetes, with its default feature flags, and nothing else:
 * https://docs.gitlab.com/runner/executors/kubernetes/#configure-runner-api-permissions
 */
const rules: readonly Rule[] = [
  { resources: ['pods'], verbs: ['create', 'delete', 'get', 'list', 'watch'], why: 'a pod for each job' },
  {
    resources: ['pods/attach', 'pods/exec'],
    verbs: ['create', 'delete', 'get', 'patch'],
    why: 'runs the scripts of a job in it',
  },
  { resources: ['pods/log'], verbs: ['get', 'list'], why: 'shows what services print (CI_DEBUG_SERVICES)' },
  { resources: ['events'], verbs: ['list'], why: 'says in the log of a job why its pod does not start' },
  {
    resources: ['secrets'],
    verbs: ['create', 'delete', 'get', 'update'],
    why: 'the passwords by which nodes pull the images of a job',
  },
  { resources: ['serviceaccounts'], verbs: ['get'], why: 'looks whether the account of a job is there' },
  { resources: ['services'], verbs: ['create', 'get'], why: 'names for the services of a job' },
];

/** What of the surroundings shows in the cluster. */
interface Around extends Pick<Kubernetes, 'cache' | 's3'> {
  readonly proxy: HttpProxy | undefined;
  /** The name that the repository goes by. */
  readonly name: string;
  /** Entries of [[runners]] whatever the executor. */
  readonly runner: readonly ConfigEntry[];
}

/** Decides what runs in the cluster. Pure. */
export function planKubernetes(
  answers: Answers,
  builder: BuilderPlan,
  { proxy, name, runner, cache, s3 }: Around,
): Kubernetes {
  const hostAliases = hostAliasesOf(answers.extraHosts);
  const release = releaseName(name);
  return {
    ...{ namespace: answers.namespace, release, chart: officialChart, rules, hostAliases, cache, s3 },
    image: imageParts(answers.runnerImage),
    user: userOf(imageParts(answers.runnerImage)),
    runner: [...runner, ...environment(answers.privateCa, proxy)],
    executor: [...entries(answers), ...builder.config, ...takenFromJobs(answers, builder.pipeline.services)],
    tables: [
      ...securityTables(answers, builder.tables ?? []),
      ...authorityTables(answers.privateCa, release),
      leftAlone,
      ...nodeTables(answers.nodeSelector),
      ...hostAliases.map(({ ip, hostnames }) => ({
        name: 'host_aliases',
        isList: true as const,
        entries: [
          { key: 'ip', value: ip, why: [] },
          { key: 'hostnames', value: hostnames, why: [] },
        ],
      })),
    ],
    noProxy: proxy && {
      jobs: proxy.exceptions,
      // Kubernetes puts the address of its API into that place.
      runner: distinct(['$(KUBERNETES_SERVICE_HOST)', '.svc', '.cluster.local', ...proxy.exceptions]),
    },
  };
}

/** Helm takes up to 53 letters, digits and hyphens; objects of the chart add to it. */
function releaseName(name: string): string {
  const words = name.replaceAll('_', '-').replace(/-+/g, '-').slice(0, 35);
  const trimmed = words.replace(/^-+|-+$/g, '');
  // Of a name that begins so the chart makes no longer one.
  return trimmed.startsWith('gitlab-runner') ? trimmed : `gitlab-runner-${trimmed}`;
}

/** The chart writes `image:tag`; a digest goes the same way. */
function imageParts(image: string): Kubernetes['image'] {
  const at = image.lastIndexOf(':');
  return at > image.lastIndexOf('/')
    ? { image: image.slice(0, at), tag: image.slice(at + 1) }
    : { image, tag: 'latest' };
}

/** The user `gitlab-runner` of the two flavours, as values.yaml of the chart has them. */
function userOf({ tag }: Kubernetes['image']): Kubernetes['user'] {
  return /alpine/.test(tag)
    ? { id: 100, group: 65533, flavour: 'alpine' }
    : { id: 999, group: 999, flavour: 'ubuntu' };
}

function hostAliasesOf(extraHosts: readonly string[]): HostAlias[] {
  const pairs = extraHosts.map(entry => {
    const colon = entry.indexOf(':');
    return { hostname: entry.slice(0, colon), ip: entry.slice(colon + 1) };
  });
  return distinct(pairs.map(({ ip }) => ip)).map(ip => ({
    ip,
    hostnames: pairs.filter(pair => pair.ip === ip).map(({ hostname }) => hostname),
  }));
}

function environment(privateCa: boolean, proxy: HttpProxy | undefined): ConfigEntry[] {
  const value = variablesOfJobs(privateCa, proxy);
  if (value.length === 0) return [];
  const why = [
    ...(privateCa
      ? ['Programs written in Go trust the authorities in that folder beside the usual ones.']
      : []),
    ...(proxy ? ['Some programs read the proxy in capitals, some in small letters.'] : []),
  ];
  return [{ key: 'environment', value, why }];
}

function authorityTables(privateCa: boolean, release: string): ConfigTable[] {
  if (!privateCa) return [];
  const why = [
    'The certificate of the private authority: the Secret that "make up" makes of config/certs/ca.crt.',
  ];
  return [
    {
      name: 'volumes.secret',
      isList: true,
      entries: [
        { key: 'name', value: `${release}-certs`, why },
        { key: 'mount_path', value: authoritiesFolder, why: [] },
        { key: 'read_only', value: true, why: [] },
      ],
    },
    { name: 'volumes.secret.items', entries: [{ key: '"ca.crt"', value: 'ca.crt', why: [] }] },
  ];
}

function nodeTables(nodeSelector: readonly string[]): ConfigTable[] {
  if (nodeSelector.length === 0) return [];
  const split = (label: string) => [label.slice(0, label.indexOf('=')), label.slice(label.indexOf('=') + 1)];
  const labels = nodeSelector.map(split) as [string, string][];
  const why = (at: number) => (at === 0 ? ['Jobs run on nodes with these labels only.'] : []);
  return [
    {
      name: 'node_selector',
      entries: labels.map(([key, value], at) => ({ key: JSON.stringify(key), value, why: why(at) })),
    },
  ];
}
