import type { RunnerRepository } from './plan.ts';

/** One file of the repository: where it goes, and the part of the plan that it shows. */
export interface RepositoryFile {
  /** The path in the repository, and also the template's path below `templates/`. */
  readonly path: string;
  readonly data?: (repository: RunnerRepository) => object;
  /** Whether this repository has it; without this, each has. */
  readonly when?: (repository: RunnerRepository) => boolean;
  readonly executable?: true;
}

const of =
  (...builders: readonly RunnerRepository['builder'][]) =>
  ({ builder }: RunnerRepository): boolean =>
    builders.includes(builder);

const monitored = ({ monitoring }: RunnerRepository): boolean => monitoring;

/** Every file that there can be. One without data is its template as it stands. */
export const files: readonly RepositoryFile[] = [
  { path: '.editorconfig' },
  {
    path: '.env.example',
    data: ({ gitlabUrl, composeProject, cache, backup }) => ({ gitlabUrl, composeProject, cache, backup }),
  },
  { path: '.gitignore', data: ({ privateCa, backup }) => ({ privateCa, backup }) },
  {
    path: '.gitlab-ci.yml',
    data: ({ executor, tags, pipeline, platforms, proxy, mirror, insecureRegistry }) => ({
      image: executor.image,
      tags,
      pipeline,
      platforms,
      proxy,
      mirror,
      insecureRegistry,
    }),
  },
  {
    path: 'Makefile',
    data: ({ platforms, backup, cleanUp, monitoring }) => ({ platforms, backup, cleanUp, monitoring }),
  },
  {
    path: 'README.md',
    data: repository => ({ ...repository, paths: filesOf(repository).map(({ path }) => path) }),
  },
  {
    path: 'buildkit/buildkitd.toml',
    data: ({ cacheSize, mirror, insecureRegistry }) => ({ cacheSize, mirror, insecureRegistry }),
    when: of('buildkit'),
  },
  { path: 'buildkit/certs.sh', when: of('buildkit') },
  { path: 'config/template.toml', data: ({ config }) => ({ config }) },
  {
    path: 'docker-compose.yml',
    data: ({
      runnerImage,
      compose,
      cleanUp,
      hardening,
      cache,
      monitoring,
      mirror,
      privateCa,
      proxy,
      extraHosts,
    }) => ({
      runnerImage,
      compose,
      cleanUp,
      hardening,
      cache,
      monitoring,
      mirror,
      privateCa,
      proxy,
      extraHosts,
    }),
  },
  {
    path: 'docker/daemon.json',
    data: ({ cacheSize, platforms, mirror, insecureRegistry }) => ({
      cacheSize,
      platforms,
      mirror,
      insecureRegistry,
    }),
    when: ({ compose }) => compose.service === 'docker',
  },
  { path: 'docker-proxy/haproxy.cfg', when: of('socket-proxy') },
  { path: 'example/Dockerfile' },
  { path: 'example/index.html' },
  { path: 'grafana/dashboards/runner.json', when: monitored },
  { path: 'grafana/provisioning/dashboards/runner.yml', when: monitored },
  { path: 'grafana/provisioning/datasources/prometheus.yml', when: monitored },
  { path: 'prometheus/prometheus.yml', when: monitored },
  { path: 'prometheus/rules.yml', when: monitored },
  {
    path: 'renovate.json',
    data: ({ renovate }) => ({ ...renovate }),
    when: ({ renovate }) => renovate !== undefined,
  },
  { path: 'scripts/apply.ts', data: ({ cache, monitoring }) => ({ cache, monitoring }) },
  { path: 'scripts/backup.sh', executable: true, when: ({ backup }) => backup },
  { path: 'scripts/buildah.ts', when: of('buildah') },
  { path: 'scripts/buildkit.ts', when: of('buildkit') },
  { path: 'scripts/cache.ts', data: ({ cache }) => ({ cache }), when: ({ cache }) => cache !== undefined },
  { path: 'scripts/clean-up.sh', when: ({ cleanUp }) => cleanUp !== undefined },
  { path: 'scripts/config.ts', data: ({ monitoring }) => ({ monitoring }) },
  { path: 'scripts/dind.ts', data: () => ({}), when: of('dind') },
  {
    path: 'scripts/doctor.ts',
    data: ({ builder, usesHostEngine, cache, platforms, privateCa, mirror, config }) => ({
      builder,
      usesHostEngine,
      cache,
      platforms,
      privateCa,
      mirror,
      namesImages: config.docker.some(({ key }) => key === 'allowed_images'),
    }),
  },
  { path: 'scripts/engine.ts' },
  { path: 'scripts/env.ts', data: ({ cache }) => ({ cache }) },
  {
    path: 'scripts/gitlab.ts',
    data: ({ proxy, extraHosts, privateCa }) => ({
      hasRoute: proxy !== undefined || extraHosts.length > 0,
      privateCa,
    }),
  },
  { path: 'scripts/package.json' },
  { path: 'scripts/register.ts', data: ({ cache }) => ({ cache }) },
  { path: 'scripts/rotate.ts' },
  {
    path: 'scripts/route.ts',
    data: ({ proxy, extraHosts }) => ({ proxy, extraHosts }),
    when: ({ proxy, extraHosts }) => proxy !== undefined || extraHosts.length > 0,
  },
  { path: 'scripts/run', data: ({ cache }) => ({ cache }), executable: true },
  {
    path: 'scripts/settings.ts',
    data: ({ description, tags, runUntagged, hardening, concurrent, executor, monitoring, privateCa }) => ({
      description,
      tags,
      runUntagged,
      accessLevel: hardening.accessLevel,
      concurrent,
      executor,
      monitoring,
      privateCa,
    }),
  },
  { path: 'scripts/socket-proxy.ts', data: () => ({}), when: of('socket-proxy') },
  { path: 'scripts/socket.ts', data: () => ({}), when: of('socket') },
  { path: 'scripts/status.ts' },
  { path: 'scripts/token-metrics.sh', executable: true, when: monitored },
  { path: 'scripts/upgrade.ts' },
];

/** The files of that repository. */
export function filesOf(repository: RunnerRepository): RepositoryFile[] {
  return files.filter(({ when }) => when?.(repository) ?? true);
}
