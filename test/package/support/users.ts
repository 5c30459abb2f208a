import { spawnSync } from 'node:child_process';

export const isRoot = process.getuid?.() === 0;
const nobody = 65534;

/** A command as a user without any rights of root's runs it, whoever runs the tests. */
export function asNormalUser(command: readonly string[]): readonly string[] {
  if (!isRoot) return command;
  return ['setpriv', `--reuid=${nobody}`, `--regid=${nobody}`, '--clear-groups', ...command];
}

/** Gives a folder that root has made to the normal user. */
export function giveToNormalUser(folder: string): void {
  if (isRoot) spawnSync('chown', ['-R', `${nobody}:${nobody}`, folder]);
}
