/**
 * Compares, in one run: this package with create-vite, from an empty npm cache and once it is there; yo with this
 * generator, and with one that writes a single file. Then what is installed; with E2E_DOCKER_HOST a warm image build
 * against a cold one; and with E2E_ENGINES the daily commands of a repository, and the job of each way to build.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, loadavg } from 'node:os';
import { join } from 'node:path';
import { checkout, openFolder, packAndInstall, yoForEverybody } from '../package/support/install.ts';
import { giveToNormalUser } from '../package/support/users.ts';
import { builderRows } from './builders.ts';
import { dailyRows } from './daily.ts';
import { firstUseRows } from './first-use.ts';
import { pipelineRows } from './pipeline.ts';
import { sample } from './sample.ts';
import { median, type Row, table } from './table.ts';

const rounds = 9;
const folder = openFolder('bench');

try {
  console.log('Installing what is compared...');
  const ours = packAndInstall(checkout, part('ours')).prefix;
  const empty = packAndInstall(emptyGenerator(part('source')), part('empty')).prefix;
  const yo = yoForEverybody(part('tools'));
  const ownCommand = join(ours, 'bin/generator-gitlab-runner-docker');
  const person = { home: part('home'), folder: part('runs') };
  giveToNormalUser(person.home);

  console.log(`Running each ${rounds} times, by turns...`);
  const rows: Row[] = [];
  const parts = [
    () => firstUseRows(part('first-use'), person, rounds),
    warmRows,
    yoRows,
    () => pipelineRows(ownCommand),
    () => dailyRows(ownCommand, rounds),
    () => builderRows(ownCommand),
  ];
  for (const measure of parts) {
    try {
      rows.push(...(await measure()));
    } catch (error) {
      // What else was measured took minutes, and is shown all the same.
      console.error(error);
      process.exitCode = 1;
    }
  }
  const machine = `${availableParallelism()} processors, load ${loadavg()[0]?.toFixed(1)}`;
  console.log(`\nNode.js ${process.version}, and the one on the PATH for what is measured; ${machine}\n`);
  console.log(table(rows));

  async function warmRows(): Promise<Row[]> {
    const vite = join(checkout, 'test/tools/node_modules/create-vite/index.js');
    const commands = {
      node: ['node', '--eval', '0'],
      vite: ['node', vite, 'app', '--template', 'vanilla', '--no-interactive'],
      own: [ownCommand, 'runner', '--defaults'],
      help: [ownCommand, '--help'],
    };
    const seconds = await sample(commands, person, rounds);
    const ratio = ratioOf(seconds.own, seconds.vite);
    return [
      { what: 'Node.js itself', value: median(seconds.node), unit: 's' },
      { what: 'create-vite', value: median(seconds.vite), unit: 's' },
      { what: 'the own command', value: median(seconds.own), unit: 's', ratio, goal: 1.6 },
      { what: 'the own command, --help', value: median(seconds.help), unit: 's', limit: 0.15 },
    ];
  }

  async function yoRows(): Promise<Row[]> {
    const commands = {
      empty: ['node', yo, 'empty'],
      yo: ['node', yo, 'gitlab-runner-docker', 'runner', '--defaults'],
    };
    const prefixes = { empty, yo: ours };
    const seconds = await sample(commands, person, rounds, name => ({ npm_config_prefix: prefixes[name] }));
    const ratio = ratioOf(seconds.yo, seconds.empty);
    return [
      { what: 'yo, an empty generator', value: median(seconds.empty), unit: 's' },
      { what: 'yo, this generator', value: median(seconds.yo), unit: 's', ratio, goal: 1.1 },
    ];
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}

function part(name: string): string {
  const path = join(folder, name);
  mkdirSync(path);
  return path;
}

function ratioOf(values: readonly number[], others: readonly number[]): number {
  return median(values.map((value, index) => value / others[index]!));
}

/** The smallest generator there can be, with the same yeoman-generator. */
function emptyGenerator(path: string): string {
  const { devDependencies } = JSON.parse(readFileSync(join(checkout, 'package.json'), 'utf8'));
  const manifest = {
    name: 'generator-empty',
    version: '1.0.0',
    type: 'module',
    files: ['generators'],
    dependencies: { 'yeoman-generator': devDependencies['yeoman-generator'] },
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
