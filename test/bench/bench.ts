/**
 * Compares, in one run: yo with this generator, yo with one that writes a single file, and the own command.
 * Then what is installed; with E2E_DOCKER_HOST a warm image build against a cold one; and with E2E_ENGINES the
 * job of each way to build.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, loadavg } from 'node:os';
import { join } from 'node:path';
import { checkout, openFolder, packAndInstall, yoForEverybody } from '../package/support/install.ts';
import { asNormalUser, giveToNormalUser } from '../package/support/users.ts';
import { builderRows } from './builders.ts';
import { installedSize } from './installed-size.ts';
import { pipelineRows } from './pipeline.ts';
import { median, type Row, table } from './table.ts';

const rounds = 9;
const folder = openFolder('bench');

try {
  console.log('Installing what is compared...');
  const ours = packAndInstall(checkout, part('ours')).prefix;
  const empty = packAndInstall(emptyGenerator(part('source')), part('empty')).prefix;
  const yo = yoForEverybody(part('tools'));
  const ownCommand = join(ours, 'bin/generator-gitlab-runner-docker');
  const pipeline = pipelineRows(ownCommand);

  const candidates = {
    empty: { command: ['node', yo, 'empty'], prefix: empty },
    yo: { command: ['node', yo, 'gitlab-runner-docker', 'runner', '--defaults'], prefix: ours },
    own: { command: [ownCommand, 'runner', '--defaults'], prefix: ours },
  };
  console.log(`Running each ${rounds} times, by turns...`);
  const seconds = { empty: [] as number[], yo: [] as number[], own: [] as number[] };
  for (let round = 0; round <= rounds; round += 1) {
    for (const name of ['empty', 'yo', 'own'] as const) {
      const { command, prefix } = candidates[name];
      const started = performance.now();
      run(command, prefix);
      // The first round only fills the disk's cache.
      if (round > 0) seconds[name].push((performance.now() - started) / 1000);
    }
  }

  const ratio = (name: 'yo' | 'own') =>
    median(seconds[name].map((value, index) => value / seconds.empty[index]!));
  const rows: Row[] = [
    { what: 'yo, an empty generator', value: median(seconds.empty), unit: 's' },
    { what: 'yo, this generator', value: median(seconds.yo), unit: 's', ratio: ratio('yo'), goal: 1.1 },
    { what: 'the own command', value: median(seconds.own), unit: 's', ratio: ratio('own'), goal: 0.6 },
    ...installedRows('this generator', ours),
    ...installedRows('an empty generator', empty),
    ...pipeline,
    ...(await builderRows(ownCommand)),
  ];
  const node = run(['node', '--version'], ours).trim();
  console.log(`\nNode.js ${node}, ${availableParallelism()} processors, load ${loadavg()[0]?.toFixed(1)}\n`);
  console.log(table(rows));
} finally {
  rmSync(folder, { recursive: true, force: true });
}

function part(name: string): string {
  const path = join(folder, name);
  mkdirSync(path);
  return path;
}

/** The smallest generator there can be, with the same yeoman-generator. */
function emptyGenerator(path: string): string {
  const { dependencies } = JSON.parse(readFileSync(join(checkout, 'package.json'), 'utf8'));
  const manifest = {
    name: 'generator-empty',
    version: '1.0.0',
    type: 'module',
    files: ['generators'],
    dependencies: { 'yeoman-generator': dependencies['yeoman-generator'] },
  };
  writeFileSync(join(path, 'package.json'), JSON.stringify(manifest));
  mkdirSync(join(path, 'generators/app'), { recursive: true });
  writeFileSync(
    join(path, 'generators/app/index.js'),
    `import Generator from 'yeoman-generator';
export default class extends Generator {
  writing() { this.fs.write(this.destinationPath('file.txt'), 'text\\n'); }
}
`,
  );
  return path;
}

/** Runs a command in a new folder as a normal user, without a terminal, and gives what it prints. */
function run(command: readonly string[], prefix: string): string {
  const cwd = mkdtempSync(join(folder, 'run-'));
  const home = join(folder, 'home');
  mkdirSync(home, { recursive: true });
  giveToNormalUser(cwd);
  giveToNormalUser(home);
  const [program = '', ...words] = asNormalUser(command);
  const env = { PATH: process.env.PATH, HOME: home, NO_UPDATE_NOTIFIER: '1', npm_config_prefix: prefix };
  const { status, stdout, stderr } = spawnSync(program, words, { cwd, env, encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command.join(' ')} ended with ${status}:\n${stdout}${stderr}`);
  return stdout;
}

function installedRows(what: string, prefix: string): Row[] {
  const { packages, mebibytes } = installedSize(join(prefix, 'lib/node_modules'));
  return [
    { what: `installed with ${what}`, value: packages, unit: 'packages' },
    { what: `installed with ${what}`, value: mebibytes, unit: 'MiB' },
  ];
}
