// Runs the installed generator here, and prints how many milliseconds of that are its own work: loading its
// modules, after those of Yeoman, and its phases, the engine's answer included.
//
//   node own-work.mjs NODE_MODULES     the folder in which npm installed it
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const [node, script, modules] = process.argv;
const home = join(modules, 'generator-gitlab-runner-docker');
const load = path => import(pathToFileURL(join(home, path)).href);
process.argv = [node, script, 'runner', '--defaults'];

for (const name of ['@yeoman/adapter', 'mem-fs', 'mem-fs-editor', 'yeoman-generator']) {
  await load(`node_modules/${name}/dist/index.js`);
}

const started = performance.now();
const { default: Generator } = await load('dist/generators/app/index.js');
let milliseconds = performance.now() - started;

for (const phase of ['initializing', 'prompting', 'writing', 'end']) {
  const original = Generator.prototype[phase];
  Generator.prototype[phase] = async function timed() {
    const begun = performance.now();
    await original.call(this);
    milliseconds += performance.now() - begun;
  };
}
const { runGenerator } = await load('dist/bin/run-generator.js');
await runGenerator(Generator, ['runner'], { defaults: true });
console.log(milliseconds);
