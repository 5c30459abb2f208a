import type { Answers } from '../ask/questions.ts';
import type { BuilderPlan, ComposeResource, Names } from './builder.ts';

type Service = NonNullable<BuilderPlan['compose']['service']>;

/** What docker-compose.yml has beside the runner. */
export interface Compose {
  /** The services that jobs build with: they start before the runner, and stop after it. */
  readonly services: readonly Service[];
  /** The image of the service `docker`. */
  readonly engineImage: string;
  readonly networks: readonly ComposeResource[];
  readonly volumes: readonly ComposeResource[];
}

/** The networks of docker-compose.yml, beside the default one. */
export function planNetworks(
  { monitoring, dockerNetwork }: Answers,
  services: readonly Service[],
  names: Names,
): ComposeResource[] {
  return [
    ...(services.length > 0
      ? [
          {
            key: 'jobs',
            name: names.network,
            why: 'Job containers join it too: config/config.toml names it.',
          },
        ]
      : []),
    ...(dockerNetwork === undefined
      ? []
      : [
          {
            key: 'gitlab',
            name: dockerNetwork,
            external: true,
            why: 'The network that knows GitLab.',
          } as const,
        ]),
    ...(monitoring
      ? [
          {
            key: 'monitoring',
            why: 'The metrics of the runner have no password: no port of this host shows them.',
          },
        ]
      : []),
  ];
}

/** The volumes of docker-compose.yml, those of builders first. */
export function planVolumes(
  { privateCa, monitoring, executor }: Answers,
  ofBuilders: readonly ComposeResource[],
  has: { readonly mirror: boolean; readonly cache: boolean },
  names: Names,
): ComposeResource[] {
  return [
    ...new Map(ofBuilders.map(one => [one.key, one])).values(),
    ...(has.mirror
      ? [{ key: 'mirror-data', why: 'What the mirror holds; it drops what nobody pulled for a week.' }]
      : []),
    ...(has.cache ? [{ key: 'cache-data', why: 'The caches of jobs, each a file.' }] : []),
    ...(executor === 'docker-autoscaler'
      ? [{ key: 'plugins', why: 'The plugin that starts instances, which is loaded once.' }]
      : []),
    ...(privateCa && executor === 'docker'
      ? [
          {
            key: 'authorities',
            name: names.authorities,
            folder: './config/certs',
            why: 'That folder under a name, since jobs can mount a volume, but no path that is relative.',
          },
        ]
      : []),
    ...(monitoring
      ? [
          { key: 'prometheus-data', why: 'A month of measurements, 2 GB at most.' },
          { key: 'grafana-data', why: 'Users and settings of Grafana; its dashboard is in grafana/.' },
          { key: 'token-metrics', why: 'When tokens expire, for node-exporter to serve; never a token.' },
        ]
      : []),
  ];
}
