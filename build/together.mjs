// Runs commands of a shell side by side, waits for all of them, and ends with the first exit code that is not 0:
//   node build/together.mjs COMMAND COMMAND ...
import { spawn } from 'node:child_process';

const statuses = await Promise.all(
  process.argv.slice(2).map(
    command =>
      new Promise(resolve => {
        spawn(command, { shell: true, stdio: 'inherit' }).on('close', status => resolve(status ?? 1));
      }),
  ),
);
process.exitCode = statuses.find(status => status !== 0) ?? 0;
