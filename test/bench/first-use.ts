import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { checkout, pack } from '../package/support/install.ts';
import { giveToNormalUser } from '../package/support/users.ts';
import { openRegistry } from '../support/registry.ts';
import { installedSize } from './installed-size.ts';
import { type Person, sample } from './sample.ts';
import { median, type Row } from './table.ts';

/** How far away the registry is: nowhere, and as one on the internet may be. */
const networks = [
  { name: '', milliseconds: 0, bytesPerMillisecond: Number.POSITIVE_INFINITY },
  { name: ', 50 ms and 5 MB/s away', milliseconds: 50, bytesPerMillisecond: 5000 },
];

const create = {
  vite: ['npm', 'create', '--yes', 'vite', 'app', '--', '--template', 'vanilla', '--no-interactive'],
  ours: ['npm', 'create', '--yes', 'gitlab-runner-docker', 'app', '--', '--defaults'],
};

/**
 * Compares `npm create` of this package with create-vite's, from an empty cache and from a full one, and says what
 * is installed. One registry on this host has both, so that nothing but the packages differs.
 *
 * @param folder takes what is packed and installed
 */
export async function firstUseRows(folder: string, person: Person, rounds: number): Promise<Row[]> {
  const vite = pack(join(checkout, 'test/tools/node_modules/create-vite'), folder, '--ignore-scripts');
  const tarballs = [pack(checkout, folder), pack(join(checkout, 'create'), folder), vite];
  const rows: Row[] = [];
  let installed = '';
  for (const network of networks) {
    const registry = await openRegistry(tarballs, network);
    const env = { npm_config_registry: registry.url, npm_config_update_notifier: 'false' };
    const cache = () => {
      const path = mkdtempSync(join(folder, 'cache-'));
      giveToNormalUser(path);
      return path;
    };
    const full = { vite: cache(), ours: cache() };
    const kinds = {
      'the first use': () => ({ npm_config_cache: cache() }),
      'npm create again': (name: keyof typeof create) => ({ npm_config_cache: full[name] }),
    };
    for (const [kind, environment] of Object.entries(kinds)) {
      const seconds = await sample(create, person, rounds, name => ({ ...env, ...environment(name) }));
      const ratio = median(seconds.ours.map((value, index) => value / seconds.vite[index]!));
      rows.push({ what: `create-vite, ${kind}${network.name}`, value: median(seconds.vite), unit: 's' });
      const goal = kind === 'the first use' ? { goal: 2 } : {};
      rows.push({
        what: `this, ${kind}${network.name}`,
        value: median(seconds.ours),
        unit: 's',
        ratio,
        ...goal,
      });
    }
    registry.close();
    installed = full.ours;
  }
  const { packages, mebibytes } = installedSize(
    join(installed, '_npx', readdirSync(join(installed, '_npx'))[0] ?? '', 'node_modules'),
  );
  rmSync(installed, { recursive: true });
  return [
    ...rows,
    { what: 'installed by npm create', value: packages, unit: 'packages', limit: 2 },
    { what: 'installed by npm create', value: mebibytes, unit: 'MiB', limit: 3 },
  ];
}
