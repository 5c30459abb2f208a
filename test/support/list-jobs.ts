import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import type { Ended } from './rendered.ts';

// Lists the jobs of pipelines with gitlab-ci-local, all in one process: in one for each, the start and the compilation
// of GitLab's schema take several times as long as the pipeline. It gets the path of gitlab-ci-local, and then, line by
// line as JSON, the texts of pipelines; for each it prints what that program did, as a line of JSON.

const [, , path = ''] = process.argv;
const folder = mkdtempSync(join(tmpdir(), 'list-jobs-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
process.chdir(folder);

const somebody = ['-c', 'user.name=a', '-c', 'user.email=a@example.com'];
for (const words of [
  ['init', '--quiet', '--initial-branch', 'main'],
  ['remote', 'add', 'origin', 'https://gitlab.example.com/team/app.git'],
  [...somebody, 'commit', '--quiet', '--allow-empty', '-m', 'x'],
]) {
  const { status, stderr } = spawnSync('git', words, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`git ${words.join(' ')} failed: ${stderr}`);
}

/** The program, which keeps the compiled schema for its next run in this process. */
const program = join(folder, 'gitlab-ci-local.mjs');
const compiles = /new [\w.]+\(\{verbose:!0,allErrors:!0,[^(){}]*\}\)\.compile\(\w+\)/g;
const original = readFileSync(path, 'utf8');
const found = original.match(compiles) ?? [];
if (found.length !== 1)
  throw new Error(`${path} compiles the schema in ${found.length} places that are known here.`);
writeFileSync(
  program,
  original.replace(compiles, call => `(globalThis.compiledSchema??=${call})`),
);

const print = process.stdout.write.bind(process.stdout);
let runs = 0;

/** Runs the program from its first line, as a process of its own would; its end is the call of `process.exit`. */
function listJobs(text: string): Promise<Ended> {
  writeFileSync('.gitlab-ci.yml', text);
  process.argv.splice(1, process.argv.length, program, '--list-json');
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR2']) process.removeAllListeners(signal);
  const printed = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr'] as const) {
    process[stream].write = (part: string | Uint8Array) => {
      printed[stream] += part;
      return true;
    };
  }
  runs += 1;
  return new Promise((resolve, reject) => {
    process.exit = ((status: number) => resolve({ status, ...printed })) as typeof process.exit;
    import(`${pathToFileURL(program)}?${runs}`).catch(reject);
  });
}

for await (const line of createInterface(process.stdin))
  print(`${JSON.stringify(await listJobs(JSON.parse(line)))}\n`);
