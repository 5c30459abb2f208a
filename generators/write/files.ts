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
const ofEach = ['.env.example', '.gitignore', '.gitattributes', 'example/Dockerfile'].concat(
  ['settings', 'host', 'gitlab', 'register', 'doctor'].map(name => `scripts/${name}.ts`),
);

const onOneHost = ['docker-compose.yml', 'config/config.toml', 'Makefile', 'README.md'];

/** In a cluster these are written for another reader. */
const inCluster = ['Makefile', 'README.md'].map(path => ({ path, template: `kubernetes/${path}` }));

const ofMonitoring = [
  'grafana/dashboards/runner.json',
  'grafana/provisioning/dashboards/runner.yml',
  'grafana/provisioning/datasources/prometheus.yml',
  'prometheus/prometheus.yml',
  'prometheus/rules.yml',
];

/** Every file of that repository, by their paths. */
export function filesOf(repository: RunnerRepository): RepositoryFile[] {
  const { parts, renovate, expandsConfig, runners, kubernetes } = repository;
  const paths = [
    ...ofEach,
    ...parts.map(name => `scripts/${name}.ts`),
    ...(kubernetes ? filesInCluster(repository) : filesOnOneHost(repository)),
    ...(renovate ? ['renovate.json'] : []),
  ];
  const executables = [
    'scripts/run',
    ...(!kubernetes && repository.monitoring ? ['scripts/token-metrics.sh'] : []),
    ...(expandsConfig ? ['scripts/expand-config.sh'] : []),
  ];
  return [
    ...paths.map(path => ({ path })),
    ...(kubernetes ? inCluster : []),
    ...executables.map(path => ({ path, executable: true as const })),
    ...runners.map(runner => ({ path: runner.pipelinePath, template: '.gitlab-ci.yml', runner })),
  ].sort((one, other) => (one.path < other.path ? -1 : 1));
}

function filesOnOneHost({ builders, cleanUp, compose, monitoring }: RunnerRepository): string[] {
  return [
    ...onOneHost,
    ...builders.filter(name => name !== 'socket').map(name => `scripts/${name}.ts`),
    ...(cleanUp === undefined ? [] : ['scripts/clean-up.sh']),
    ...(builders.includes('buildkit') ? ['buildkit/buildkitd.toml', 'buildkit/certs.sh'] : []),
    ...(compose.services.includes('docker') ? ['docker/daemon.json'] : []),
    ...(monitoring ? ofMonitoring : []),
  ];
}

function filesInCluster({ monitoring }: RunnerRepository): string[] {
  return ['helm/release.json', 'helm/values.yaml', 'k8s/namespace.yaml'].concat(
    monitoring ? ['k8s/alerts.yaml'] : [],
  );
}
