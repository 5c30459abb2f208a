/** Builds the image of the stand-in runner on an engine that has `docker:cli` and `node:24-alpine`. */
import { execFile } from 'node:child_process';
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';

const FACTS = ['config-toml-keys.json', 'real-runner-metrics.txt'];

/** @param env docker is found by its PATH */
export async function buildStandInImage(tag: string, env: NodeJS.ProcessEnv): Promise<void> {
  const context = await mkdtemp(join(tmpdir(), 'stand-in-runner-'));
  try {
    await cp(import.meta.dirname, context, {
      recursive: true,
      filter: path => basename(path) !== 'build-image.ts',
    });
    for (const name of FACTS)
      await cp(join(import.meta.dirname, '../../facts', name), join(context, 'facts', name));
    const toml = join(dirname(createRequire(import.meta.url).resolve('smol-toml')), '..');
    await cp(toml, join(context, 'node_modules/smol-toml'), { recursive: true, dereference: true });
    // Without it Node guesses that the sources are modules, and warns.
    await writeFile(join(context, 'package.json'), '{ "type": "module" }\n');
    await promisify(execFile)('docker', ['build', '--quiet', '--tag', tag, context], { env });
  } finally {
    await rm(context, { recursive: true, force: true });
  }
}
