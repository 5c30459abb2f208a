// Writes files, and gets a signal before one of the steps that change the file system:
//   node write-and-stop.mjs MODULE FOLDER SIGNAL STEP   with the writes, as JSON, on stdin; MODULE has writeUnstopped.
// Prints the signal, or else how many steps there were
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

const [, , module, folder, signal, step] = process.argv;
const writes = JSON.parse(fs.readFileSync(0, 'utf8'));
let seen = 0;
for (const name of ['chmod', 'mkdir', 'open', 'rename', 'rm', 'rmdir', 'writeFile'].map(
  name => `${name}Sync`,
)) {
  const real = fs[name];
  fs[name] = (...args) => {
    seen += 1;
    if (seen === Number(step)) process.kill(process.pid, signal);
    return real(...args);
  };
}
syncBuiltinESMExports();
const { writeUnstopped } = await import(module);
console.log((await writeUnstopped(folder, writes)) ?? seen);
