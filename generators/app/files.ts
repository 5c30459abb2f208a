import type { Runner, RunnerRepository } from './plan.ts';

/** One file of the repository: where it goes, and the part of the plan that it shows. */
export interface RepositoryFile {
  /** The path in the repository, and also the template's path below `templates/`. */
  readonly path: string;
  /** The template's path where it is another: each runner has some files of its own. */
  readonly template?: string;
  readonly data?: (repository: RunnerRepository) => object;
  /** Whether this repository has it; without this, each has. */
  readonly when?: (repository: RunnerRepository) => boolean;
  readonly executable?: true;
}

const of =
  (...names: readonly RunnerRepository['builder'][]) =>
  ({ builders }: RunnerRepository): boolean =>
    names.some(name => builders.includes(name));

const monitored = ({ monitoring }: RunnerRepository): boolean => monitoring;

/** What a template shows of the plan, each under its own name. */
const pick =
  (...names: readonly (keyof RunnerRepository)[]) =>
  (repository: RunnerRepository): object =>
    Object.fromEntries(names.map(name => [name, repository[name]]));

const pipelineOf = (runner: Runner, repository: RunnerRepository): object => ({
  ...pick('platforms', 'proxy', 'mirror', 'insecureRegistry')(repository),
  image: runner.executor.image,
  tags: runner.tags,
  pipeline: runner.pipeline,
});

/** Every file that there can be, but those of further runners. One without data is its template as it stands. */
export const files: readonly RepositoryFile[] = [
  { path: '.editorconfig' },
  { path: '.env.example', data: pick('gitlabUrl', 'composeProject', 'cache', 'backup') },
  {
    path: '.gitignore',
    data: ({ privateCa, backup, runners }) => ({
      privateCa,
      backup,
      templates: runners.map(({ template }) => template),
    }),
  },
  { path: '.gitlab-ci.yml', data: repository => pipelineOf(repository.runners[0], repository) },
  { path: 'Makefile', data: pick('platforms', 'backup', 'cleanUp', 'monitoring') },
  {
    path: 'README.md',
    data: repository => ({ ...repository, paths: filesOf(repository).map(({ path }) => path) }),
  },
  {
    path: 'buildkit/buildkitd.toml',
    data: pick('cacheSize', 'mirror', 'insecureRegistry'),
    when: of('buildkit'),
  },
  { path: 'buildkit/certs.sh', when: of('buildkit') },
  { path: 'config/template.toml', data: pick('config') },
  {
    path: 'docker-compose.yml',
    data: pick(
      'runnerImage',
      'compose',
      'cleanUp',
      'hardening',
      'cache',
      'monitoring',
      'mirror',
      'privateCa',
      'proxy',
      'extraHosts',
    ),
  },
  {
    path: 'docker/daemon.json',
    data: pick('cacheSize', 'platforms', 'mirror', 'insecureRegistry'),
    when: ({ compose }) => compose.services.includes('docker'),
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
  { path: 'scripts/apply.ts', data: pick('cache', 'monitoring') },
  { path: 'scripts/backup.sh', executable: true, when: ({ backup }) => backup },
  { path: 'scripts/buildah.ts', when: of('buildah') },
  { path: 'scripts/buildkit.ts', when: of('buildkit') },
  { path: 'scripts/cache.ts', data: pick('cache'), when: ({ cache }) => cache !== undefined },
  { path: 'scripts/clean-up.sh', when: ({ cleanUp }) => cleanUp !== undefined },
  { path: 'scripts/config.ts', data: pick('monitoring') },
  { path: 'scripts/dind.ts', data: () => ({}), when: of('dind') },
  {
    path: 'scripts/doctor.ts',
    data: repository => ({
      ...pick('builders', 'usesHostEngine', 'cache', 'platforms', 'privateCa', 'mirror')(repository),
      modules: repository.builders.map(name => ({
        name,
        variable: name.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase()),
      })),
      namesImages: repository.runners.some(({ config }) =>
        config.docker.some(({ key }) => key === 'allowed_images'),
      ),
    }),
  },
  { path: 'scripts/engine.ts' },
  { path: 'scripts/env.ts', data: pick('cache') },
  {
    path: 'scripts/gitlab.ts',
    data: ({ proxy, extraHosts, privateCa }) => ({
      hasRoute: proxy !== undefined || extraHosts.length > 0,
      privateCa,
    }),
  },
  { path: 'scripts/package.json' },
  {
    path: 'scripts/register.ts',
    data: ({ cache, runners }) => ({
      cache,
      hasProjects: runners.some(({ project }) => project !== undefined),
    }),
  },
  { path: 'scripts/rotate.ts' },
  {
    path: 'scripts/route.ts',
    data: pick('proxy', 'extraHosts'),
    when: ({ proxy, extraHosts }) => proxy !== undefined || extraHosts.length > 0,
  },
  { path: 'scripts/run', data: pick('cache'), executable: true },
  { path: 'scripts/settings.ts', data: pick('runners', 'builders', 'concurrent', 'monitoring', 'privateCa') },
  { path: 'scripts/socket-proxy.ts', data: () => ({}), when: of('socket-proxy') },
  { path: 'scripts/socket.ts', data: () => ({}), when: of('socket') },
  { path: 'scripts/status.ts' },
  { path: 'scripts/token-metrics.sh', executable: true, when: monitored },
  { path: 'scripts/upgrade.ts' },
];

/** The files of that repository. */
export function filesOf(repository: RunnerRepository): RepositoryFile[] {
  const [, ...others] = repository.runners;
  return [
    ...files.filter(({ when }) => when?.(repository) ?? true),
    ...others.flatMap(runner => [
      {
        path: `config/${runner.template}`,
        template: 'config/template.toml',
        data: () => ({ config: runner.config }),
      },
      {
        path: runner.pipelinePath,
        template: '.gitlab-ci.yml',
        data: (all: RunnerRepository) => pipelineOf(runner, all),
      },
    ]),
  ];
}
