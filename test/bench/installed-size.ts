import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/** How many packages lie in a folder `node_modules` and those below, and what they take on the disk. */
export function installedSize(modules: string): { packages: number; mebibytes: number } {
  const kibibytes = Number(execFileSync('du', ['-sk', modules], { encoding: 'utf8' }).split('\t')[0]);
  return { packages: countPackages(modules), mebibytes: kibibytes / 1024 };
}

function countPackages(modules: string): number {
  if (!existsSync(modules)) return 0;
  let count = 0;
  for (const { name } of readdirSync(modules, { withFileTypes: true }).filter(entry => entry.isDirectory())) {
    if (name.startsWith('.')) continue;
    if (name.startsWith('@')) count += countPackages(join(modules, name));
    else count += 1 + countPackages(join(modules, name, 'node_modules'));
  }
  return count;
}
