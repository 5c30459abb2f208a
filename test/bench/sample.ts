import { spawn } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { asNormalUser, giveToNormalUser } from '../package/support/users.ts';

/** Who runs what is measured: a user without rights, with a home and a folder for what is written. */
export interface Person {
  readonly home: string;
  readonly folder: string;
}

/**
 * Runs commands by turns, each in a new folder and without a terminal; a round before these, which is not counted,
 * fills the disk's cache.
 *
 * @param environment what a command finds in its environment beside PATH and HOME
 * @returns the seconds of each round, by the names of the commands
 * @throws Error with what it printed if one of them fails
 */
export async function sample<Name extends string>(
  commands: Readonly<Record<Name, readonly string[]>>,
  person: Person,
  rounds: number,
  environment: (name: Name) => NodeJS.ProcessEnv = () => ({}),
): Promise<Record<Name, number[]>> {
  const names = Object.keys(commands) as Name[];
  const seconds = Object.fromEntries(names.map(name => [name, []])) as unknown as Record<Name, number[]>;
  for (let round = 0; round <= rounds; round += 1) {
    for (const name of names) {
      const taken = await run(commands[name], person, environment(name));
      if (round > 0) seconds[name].push(taken);
    }
  }
  return seconds;
}

/** Seconds that a command takes. This process goes on meanwhile: it may have the registry that is asked. */
function run(command: readonly string[], { home, folder }: Person, more: NodeJS.ProcessEnv): Promise<number> {
  const cwd = mkdtempSync(join(folder, 'run-'));
  giveToNormalUser(cwd);
  const [program = '', ...words] = asNormalUser(command);
  const env = { PATH: process.env.PATH, HOME: home, NO_UPDATE_NOTIFIER: '1', ...more };
  const started = performance.now();
  const child = spawn(program, words, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let printed = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', text => {
      printed += text;
    });
  }
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', status => {
      if (status === 0) resolve((performance.now() - started) / 1000);
      else reject(new Error(`${command.join(' ')} ended with ${status}:\n${printed}`));
    });
  });
}
