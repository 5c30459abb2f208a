import type { Runner, RunnerRepository } from '../plan/plan.ts';

/** One file of the repository. */
export interface RepositoryFile {
  readonly path: string;
  /** The path that its template is named after, where that is another. */
  readonly template?: string;
  /** The runner whose pipeline it is. */
  readonly runner?: Runner;
  readonly executable?: true;
}

/** The paths of every repository, those of scripts/ by their names. */
const ofEach = ['docker-compose.yml', 'config/config.toml', 'Makefile', '.env.example', '.gitignore']
  .concat(['.gitattributes', 'example/Dockerfile', 'README.md'])
  .concat(
    ['settings', 'host', 'gitlab', 'register', 'doctor', 'jobs', 'runner'].map(name => `scripts/${name}.ts`),
  );

const ofMonitoring = [
  'grafana/dashboards/runner.json',
  'grafana/provisioning/dashboards/runner.yml',
  'grafana/provisioning/datasources/prometheus.yml',
  'prometheus/prometheus.yml',
  'prometheus/rules.yml',
];

/** Every file of that repository, by their paths. */
export function filesOf(repository: RunnerRepository): RepositoryFile[] {
  const { builders, compose, parts, monitoring, cleanUp, renovate, expandsConfig, runners } = repository;
  const paths = [
    ...ofEach,
    ...[...builders.filter(name => name !== 'socket'), ...parts].map(name => `scripts/${name}.ts`),
    ...(cleanUp === undefined ? [] : ['scripts/clean-up.sh']),
    ...(builders.includes('buildkit') ? ['buildkit/buildkitd.toml', 'buildkit/certs.sh'] : []),
    ...(compose.services.includes('docker') ? ['docker/daemon.json'] : []),
    ...(monitoring ? ofMonitoring : []),
    ...(renovate ? ['renovate.json'] : []),
  ];
  const executables = [
    'scripts/run',
    ...(monitoring ? ['scripts/token-metrics.sh'] : []),
    ...(expandsConfig ? ['scripts/expand-config.sh'] : []),
  ];
  return [
    ...paths.map(path => ({ path })),
    ...executables.map(path => ({ path, executable: true as const })),
    ...runners.map(runner => ({ path: runner.pipelinePath, template: '.gitlab-ci.yml', runner })),
  ].sort((one, other) => (one.path < other.path ? -1 : 1));
}
