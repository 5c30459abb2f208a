// Writes files, and gets a signal before one of the steps that change the file system:
//   node write-and-stop.mjs MODULE FOLDER SIGNAL STEP   with the writes, as JSON, on stdin; MODULE has writeUnstopped.
// Prints the signal, or else how many steps there were. With "copies" for a signal it leaves a copy of the folder from
// before each step, FOLDER.1 and so on: what it would have left if it had been killed there.
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

const [, , module, folder, signal, step] = process.argv;
const writes = JSON.parse(fs.readFileSync(0, 'utf8'));
let seen = 0;
let copying = false;
function copy() {
  copying = true;
  fs.cpSync(folder, `${folder}.${seen}`, { recursive: true, preserveTimestamps: true });
  copying = false;
}
for (const name of ['fchmod', 'mkdir', 'open', 'rename', 'rm', 'rmdir', 'writeFile'].map(
  name => `${name}Sync`,
)) {
  const real = fs[name];
  fs[name] = (...args) => {
    if (copying) return real(...args);
    seen += 1;
    if (signal === 'copies') copy();
    else if (seen === Number(step)) process.kill(process.pid, signal);
    return real(...args);
  };
}
syncBuiltinESMExports();
const { writeUnstopped } = await import(module);
console.log((await writeUnstopped(folder, writes)) ?? seen);
