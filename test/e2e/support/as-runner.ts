import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Document, Repository } from './repository.ts';

/**
 * Writes a program that calls docker for gitlab-ci-local as GitLab Runner would with this config.toml: jobs and
 * services get its mounts, privileges, variables and hosts, and no others.
 *
 * Volumes without a source are the job's own, shared with its services; services are privileged where
 * `services_privileged` and `allowed_privileged_services` say so; capabilities are those of jobs alone, and limits
 * have a key for each (executors/docker of GitLab Runner 19.3).
 *
 * @returns options of gitlab-ci-local
 */
export function asRunner(repository: Repository): string[] {
  const [runner] = repository.config().runners;
  const { docker }: Document = runner;
  const quote = (word: string) => `'${word.replaceAll("'", String.raw`'\''`)}'`;
  const common = [
    ...(runner.environment ?? []).flatMap((variable: string) => ['--env', quote(variable)]),
    ...(docker.extra_hosts ?? []).flatMap((host: string) => ['--add-host', quote(host)]),
    ...docker.volumes.flatMap((volume: string, at: number) => [
      '--volume',
      volume.includes(':') ? quote(volume) : `"$slot-${at}":${quote(volume)}`,
    ]),
  ];
  /** Options of docker by the keys of config.toml, where it has them. */
  const limits = (keys: Record<string, string>): string[] =>
    Object.entries(keys).flatMap(([key, option]) =>
      [docker[key] ?? []].flat().map((value: string | number) => `${option}=${quote(String(value))}`),
    );
  const job = limits({
    cap_add: '--cap-add',
    cap_drop: '--cap-drop',
    cpus: '--cpus',
    memory: '--memory',
    memory_swap: '--memory-swap',
    oom_score_adjust: '--oom-score-adj',
    security_opt: '--security-opt',
  });
  const service = limits({
    service_cpus: '--cpus',
    service_memory: '--memory',
    services_security_opt: '--security-opt',
  });
  if (docker.privileged) job.push('--privileged');
  const allowed: string[] = docker.services_privileged ? docker.allowed_privileged_services : [];
  const file = join(repository.folder, '.git/docker-as-runner');
  writeFileSync(
    file,
    `#!/bin/sh
[ "$1 $2" = 'create --interactive' ] || exec docker "$@"
shift
kind=service slot= privileged=
for word in "$@"; do
  case $word in
    --workdir) kind=job ;;
    gcl-*-build:*) slot=\${word%%:*} ;;
    ${allowed.map(quote).join('|') || 'none'}) privileged=--privileged ;;
  esac
done
case $kind in
  job) exec docker create ${[...common, ...job].join(' ')} "$@" ;;
  service) exec docker create ${[...common, ...service].join(' ')} $privileged "$@" ;;
esac
`,
    { mode: 0o755 },
  );
  const network = docker.network_mode ? ['--network', docker.network_mode] : [];
  return ['--container-executable', file, ...network];
}
