import { completeAnswers } from '../../generators/ask/answers.ts';
import type { AnswerName, Answers, TypedAnswers } from '../../generators/ask/questions.ts';
import type { TypedRunners } from '../../generators/ask/runners.ts';

/** Complete answers, of which some are given as a user would type them; the others have their defaults. */
export function answersWith(typed: TypedAnswers = {}): Answers {
  return completeAnswers(typed);
}

/** Answers to all rare questions, each another than its default. */
const rareAnswers = {
  platforms: 'linux/amd64,linux/arm64',
  logLevel: 'debug',
  cache: 's3',
  cacheServer: 'https://s3.example.org:9000',
  cacheBucket: 'caches.example-1',
  mirror: 'yes',
  privateCa: 'yes',
  httpProxy: 'http://proxy.example.org:3128',
  proxyExceptions: 'git.example.org,.internal.example.org,10.0.0.0/8,fd00::/8',
  insecureRegistry: 'plain.example.org:5000',
  extraHosts: 'git.example.org:10.0.0.5,plain.example.org:host-gateway,six.example.org:fd00::5',
  renovate: 'yes',
} satisfies TypedAnswers;

/** Those of them that are not about this host. */
const { platforms: _, mirror: __, insecureRegistry: ___, ...rareForInstances } = rareAnswers;

/** Answers that differ from the defaults in everything. */
export const otherAnswers: Required<TypedAnswers> = {
  executor: 'docker-autoscaler',
  cloud: 'azure',
  instanceGroup: '01234567-89ab-cdef-0123-456789abcdef/ci/runners',
  instanceJobs: '2',
  instanceUses: '20',
  idleJobs: '0',
  namespace: 'ci-jobs',
  nodeSelector: 'role=ci',
  dockerNetwork: 'gitlab_default',
  gitlabUrl: 'http://git.example.org:8080/tools/gitlab',
  registry: 'registry.example.org:5000/team',
  tags: 'linux,on,1e3,a: b',
  runUntagged: 'yes',
  description: `Build & "test" #2, it's \${{ 50% }} <%= 1 %>`,
  concurrent: '7',
  cleanUp: '30',
  builder: 'dind',
  dindCache: 'volume',
  hardening: 'strict',
  dockerImage: 'mirror.example.org/library/docker:28-cli',
  runnerImage: 'gitlab/gitlab-runner:alpine-v19.3.0',
  monitoring: 'yes',
  ...rareAnswers,
};

/** Those of them that go together on this host. */
const { cloud, instanceGroup, instanceJobs, instanceUses, idleJobs, namespace, nodeSelector, ...ofThisHost } =
  otherAnswers;
export const allTogether: TypedAnswers = { ...ofThisHost, executor: 'docker', dockerNetwork: 'none' };

/** What an answer needs beside it, to matter or to be accepted. */
export const beside: { readonly [Name in AnswerName]?: TypedAnswers } = {
  cloud: { executor: 'docker-autoscaler', instanceGroup: 'id/ci/runners' },
  instanceGroup: { executor: 'docker-autoscaler', cloud: 'azure' },
  instanceJobs: { executor: 'docker-autoscaler', instanceUses: '20' },
  instanceUses: { executor: 'docker-autoscaler' },
  idleJobs: { executor: 'docker-autoscaler' },
  ...{ namespace: { executor: 'kubernetes' }, nodeSelector: { executor: 'kubernetes' } },
  dindCache: { builder: 'dind' },
  platforms: { dockerImage: 'docker:cli' },
  cacheServer: { cache: 's3' },
  cacheBucket: { cache: 's3' },
  proxyExceptions: { httpProxy: 'http://proxy.example.org:3128' },
};

/** Each way to build images, beside the default. */
const ways: Record<string, TypedAnswers> = {
  'an engine for each job': { builder: 'dind' },
  'one engine for all jobs': { builder: 'dind', dindCache: 'volume' },
  BuildKit: { builder: 'buildkit' },
  Buildah: { builder: 'buildah' },
};

/** Answers to all questions that a cluster leaves, each another than its default. */
export const otherInCluster: TypedAnswers = {
  executor: 'kubernetes',
  namespace: 'ci-jobs',
  nodeSelector: 'role=ci,example.org/pool=builds',
  gitlabUrl: 'http://git.example.org:8080/tools/gitlab',
  registry: 'registry.example.org:5000/team',
  tags: 'linux,on,1e3,a: b',
  runUntagged: 'yes',
  description: `Build & "test" #2, it's \${{ 50% }} <%= 1 %> $(HOME) {{ .Values }}`,
  concurrent: '7',
  hardening: 'strict',
  runnerImage: 'registry.example.org:5000/gitlab/gitlab-runner:alpine-v19.3.0',
  monitoring: 'yes',
  platforms: 'linux/amd64,linux/arm64',
  logLevel: 'debug',
  cache: 's3',
  cacheServer: 'https://s3.example.org:9000',
  cacheBucket: 'caches.example-1',
  privateCa: 'yes',
  httpProxy: 'http://proxy.example.org:3128',
  proxyExceptions: 'git.example.org,.internal.example.org,10.0.0.0/8,fd00::/8',
  insecureRegistry: 'plain.example.org:5000',
  extraHosts: 'git.example.org:10.0.0.5,other.example.org:10.0.0.5,six.example.org:fd00::5',
  renovate: 'yes',
};

/** Sets of answers for a cluster. */
export const clusterScenarios: Record<string, TypedAnswers> = Object.fromEntries(
  (['buildkit', 'buildah', 'dind'] as const).flatMap(builder => [
    [`${builder} in a cluster`, { executor: 'kubernetes', builder }],
    [`${builder} in a cluster, and other answers everywhere`, { ...otherInCluster, builder }],
    [
      `${builder} in a cluster, and the least taken away`,
      { executor: 'kubernetes', builder, hardening: 'relaxed' },
    ],
    [
      `${builder} in a cluster, and most taken away`,
      { executor: 'kubernetes', builder, hardening: 'strict' },
    ],
  ]),
);

/** Answers for a repository, and those of its further runners. */
export type Scenario = TypedAnswers & { readonly runners?: TypedRunners };

/** Sets of answers that between them reach every decision of the plan. */
export const scenarios: Record<string, Scenario> = {
  'the defaults': {},
  'other answers everywhere': allTogether,
  'no tags': { tags: ',' },
  'GitLab at an IPv6 address, registry on this host': {
    gitlabUrl: 'http://[2001:db8::1]',
    registry: 'localhost:5000',
  },
  ...ways,
  // The client of docker:stable has no buildx, which several platforms need.
  'the socket, and all that is rare': { ...rareAnswers, dockerImage: 'docker:29.10.0-cli' },
  ...Object.fromEntries(
    Object.entries(ways).map(([name, way]) => [`${name}, and all that is rare`, { ...rareAnswers, ...way }]),
  ),
  'no clean-up': { cleanUp: 'none' },
  'the least taken away': { hardening: 'relaxed' },
  ...Object.fromEntries(
    Object.entries({ 'the socket': {}, ...ways }).map(([name, way]) => [
      `${name}, and most taken away`,
      { hardening: 'strict', ...way },
    ]),
  ),
  'a cache on an S3 server here': { cache: 's3' },
  'such a cache, on the network of the jobs': { builder: 'buildkit', cache: 's3', cacheServer: 'here' },
  'no cache': { builder: 'buildah', cache: 'none' },
  'monitoring alone': { monitoring: 'yes' },
  'extra hosts alone': { extraHosts: 'git.example.org:10.0.0.5' },
  'several runners': {
    mirror: 'yes',
    cache: 's3',
    runners: {
      deploy: { builder: 'buildkit', project: 'team/app', hardening: 'strict' },
      'a-1': { tags: 'linux,on,a: b', runUntagged: 'yes' },
      beside: { builder: 'dind', tags: ',' },
    },
  },
  'several runners, and all that is rare': {
    ...rareAnswers,
    builder: 'buildah',
    description: otherAnswers.description,
    runners: { second: { builder: 'buildkit', dockerImage: 'docker:cli' } },
  },
  'two runners that are alike but for their tags': { builder: 'buildkit', runners: { second: {} } },
  'a network of Docker that knows GitLab': { gitlabUrl: 'http://gitlab', dockerNetwork: 'gitlab_default' },
  'an older GitLab Runner': { runnerImage: 'gitlab/gitlab-runner:alpine-v18.9.0' },
  'instances of AWS': { executor: 'docker-autoscaler' },
  'instances of Google Cloud, and all that is rare': {
    ...rareForInstances,
    executor: 'docker-autoscaler',
    cloud: 'googlecloud',
    instanceGroup: 'team-1/europe-west1-b/runners',
    concurrent: '20',
    instanceJobs: '4',
    instanceUses: '40',
    idleJobs: '6',
    monitoring: 'yes',
  },
  'instances of Azure, and most taken away': {
    executor: 'docker-autoscaler',
    cloud: 'azure',
    instanceGroup: '01234567-89ab-cdef-0123-456789abcdef/ci/runners',
    hardening: 'strict',
    idleJobs: '0',
  },
  'several runners on instances of AWS, and their cache': {
    executor: 'docker-autoscaler',
    cache: 's3',
    cacheServer: 'https://s3.amazonaws.com',
    runners: { large: { instanceGroup: 'large-instances' } },
  },
  'a proxy alone': { builder: 'buildkit', httpProxy: 'http://proxy.example.org:3128' },
};

/** Those for one host, and those for a cluster. */
export const allScenarios: Record<string, Scenario> = { ...scenarios, ...clusterScenarios };
