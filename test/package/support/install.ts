import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { asNormalUser } from './users.ts';

export const checkout = join(import.meta.dirname, '../../..');

/** A new temporary folder that every user may enter. */
export function openFolder(name: string): string {
  const folder = mkdtempSync(join(tmpdir(), `${name}-`));
  chmodSync(folder, 0o755);
  return folder;
}

function npm(cwd: string, ...words: string[]): string {
  const { status, stdout, stderr } = spawnSync('npm', words, { cwd, encoding: 'utf8' });
  if (status !== 0) throw new Error(`npm ${words.join(' ')} ended with ${status}:\n${stdout}${stderr}`);
  return stdout;
}

/**
 * Packs a package as `npm publish` does.
 *
 * @param source the package's folder
 * @param options of `npm pack`
 * @returns the path of the tarball, which is in `folder`
 */
export function pack(source: string, folder: string, ...options: string[]): string {
  const printed = npm(source, 'pack', '--silent', '--pack-destination', folder, ...options);
  return join(folder, printed.trim().split('\n').at(-1) ?? '');
}

/**
 * Packs a package and installs the tarball with `npm install --global`, as its users do.
 *
 * @param source the package's folder
 * @param folder an empty one, for both
 */
export function packAndInstall(source: string, folder: string): { tarball: string; prefix: string } {
  const tarball = pack(source, folder);
  const prefix = join(folder, 'prefix');
  npm(
    source,
    ...['install', '--global', '--prefix', prefix, '--prefer-offline', '--no-audit', '--no-fund', tarball],
  );
  return { tarball, prefix };
}

/**
 * The real `yo` from the tests' tools, empty where those are not installed.
 *
 * @param folder takes a copy where the checkout lies in a folder that only its owner may enter
 */
export function yoForEverybody(folder: string): string {
  const tools = join(checkout, 'test/tools/node_modules');
  const yo = join(tools, 'yo/lib/cli.js');
  if (!existsSync(yo)) return '';
  const [test = '', ...words] = asNormalUser(['test', '-r', yo]);
  if (spawnSync(test, words).status === 0) return yo;
  const copy = join(folder, 'node_modules');
  const others = [join(tools, 'node'), join(tools, 'gitlab-ci-local')];
  cpSync(tools, copy, { recursive: true, verbatimSymlinks: true, filter: path => !others.includes(path) });
  return join(copy, 'yo/lib/cli.js');
}
