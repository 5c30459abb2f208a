import { isDeepStrictEqual } from 'node:util';
import type { TomlTable } from 'smol-toml';
import type { ConfigEntry } from '../plan/builder.ts';
import { type Autoscaler, groupKeys } from '../plan/executor.ts';
import type { Collected } from './collected.ts';

/**
 * The cloud whose plugin starts the instances of a runner; undefined where it is none of GitLab's three. A plugin is written as
 * `aws`, `aws:1.2`, `fleeting-plugin-aws`, by its registry or by its path; that of Google Cloud was called googlecompute before.
 */
export function cloudOf({ autoscaler = {} }: TomlTable): keyof typeof groupKeys | undefined {
  const { plugin = '' } = autoscaler as TomlTable;
  const name = /([a-z]+)(?::[\w.-]+)?$/.exec(String(plugin))?.[1]?.replace('googlecompute', 'googlecloud');
  return (Object.keys(groupKeys) as (keyof typeof groupKeys)[]).find(cloud => cloud === name);
}

/** Takes what the answers say of instances; [runners.autoscaler] itself comes along as it stands. */
export function takeInstances(table: TomlTable, all: Collected): void {
  const { autoscaler = {} } = table as { autoscaler?: TomlTable };
  const cloud = cloudOf(table)!;
  const { plugin_config = {}, capacity_per_instance = 1, max_use_count = 0 } = autoscaler;
  const group = groupKeys[cloud].map(key => {
    const name = (plugin_config as TomlTable)[key];
    if (name === undefined) all.notUnderstood.push(`the group of instances: it says no ${key}`);
    return String(name ?? 'unknown');
  });
  all.take('executor', 'docker-autoscaler');
  all.take('cloud', cloud);
  all.take('instanceGroup', group.join('/'));
  all.take('instanceJobs', String(capacity_per_instance || 1));
  // Without a number, or with 0, an instance stays for as many jobs as come.
  all.take('instanceUses', String(max_use_count || 99_999));
  const { credentials_file, config_file } = plugin_config as TomlTable;
  if (credentials_file ?? config_file)
    all.hints.push(
      'The files with the credentials of the cloud are not in the container: .env, or a role of this host, shows them to it.',
    );
}

/** Whether [runners.autoscaler] is as this generator writes it. */
export function isAsGenerated(generated: Autoscaler | undefined, older: unknown): boolean {
  if (!generated) return false;
  const { entries, plugin, connector, policies } = generated;
  const table = (all: readonly ConfigEntry[]) =>
    Object.fromEntries(all.map(({ key, value }) => [key, value]));
  const written = {
    ...table(entries),
    plugin_config: table(plugin),
    connector_config: table(connector),
    policy: policies.map(table),
  };
  return isDeepStrictEqual(JSON.parse(JSON.stringify(older)), JSON.parse(JSON.stringify(written)));
}
