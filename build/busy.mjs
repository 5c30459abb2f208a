// Runs a command, and shows on a terminal that it is still at work:  node build/busy.mjs 'Checking ...' COMMAND WORDS...
import { spawn } from 'node:child_process';

const [message, program, ...words] = process.argv.slice(2);
const { stderr, env } = process;
const show = text => stderr.write(`\r\x1b[K${text}`);
const started = Date.now();

// What it prints on a terminal comes after it has ended, so that the two do not write over each other.
const options = stderr.isTTY
  ? { stdio: ['inherit', 'pipe', 'pipe'], env: env.NO_COLOR ? env : { FORCE_COLOR: '1', ...env } }
  : { stdio: 'inherit' };
const printed = [];
let turns = 0;
const turn = () => show(`${'|/-\\'[turns++ % 4]} ${message} ${Math.round((Date.now() - started) / 1000)} s`);
const timer = stderr.isTTY ? setInterval(turn, 100) : console.error(message);

const child = spawn(program, words, options);
for (const stream of [child.stdout, child.stderr]) stream?.on('data', part => printed.push(part));
child.on('error', error => printed.push(`${error.message}\n`));
child.on('close', status => {
  clearInterval(timer);
  if (stderr.isTTY) show(`${message}\n`);
  stderr.write(Buffer.concat(printed.map(part => Buffer.from(part))));
  process.exitCode = status ?? 1;
});
