/** Builds images of the stand-in runner on the local Docker Engine. */
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const HERE = dirname(fileURLToPath(import.meta.url));
const IMAGE_FILES = ['wrapper.sh', 'entrypoint.sh', 'wget.sh'];
const NOT_IN_IMAGE = ['build-image.ts'];

/**
 * Builds one image for each tag from the same files.
 *
 * `factsDirectory` holds register-flags.json and config-toml-keys.json, `nodeBinary` is a Node 24
 * for the engine's platform; docker itself is found by the PATH of `env`.
 */
export async function buildStandInImages(options: {
  factsDirectory: string;
  nodeBinary: string;
  tags: { tag: string; version: string }[];
  env: NodeJS.ProcessEnv;
}): Promise<void> {
  const context = await mkdtemp(join(tmpdir(), 'stand-in-runner-'));
  try {
    await fillContext(context, options);
    for (const { tag, version } of options.tags) {
      const versionArgument = `RUNNER_VERSION=${version}`;
      await promisify(execFile)('docker', ['build', '--build-arg', versionArgument, '--tag', tag, context], {
        env: options.env,
        maxBuffer: 64 * 1024 * 1024,
      });
    }
  } finally {
    await rm(context, { recursive: true, force: true });
  }
}

async function fillContext(
  context: string,
  { factsDirectory, nodeBinary }: { factsDirectory: string; nodeBinary: string },
): Promise<void> {
  const program = join(context, 'stand-in');
  const facts = join(program, 'facts');
  await mkdir(facts, { recursive: true });
  const sources = (await readdir(HERE)).filter(
    name => IMAGE_FILES.includes(name) || (name.endsWith('.ts') && !NOT_IN_IMAGE.includes(name)),
  );
  for (const name of sources) await cp(join(HERE, name), join(program, name));
  for (const name of ['register-flags.json', 'config-toml-keys.json'])
    await cp(join(factsDirectory, name), join(facts, name));
  const toml = join(dirname(createRequire(import.meta.url).resolve('smol-toml')), '..');
  await cp(toml, join(program, 'node_modules', 'smol-toml'), { recursive: true, dereference: true });
  // Without it Node guesses that the sources are modules, and warns.
  await writeFile(join(program, 'package.json'), '{ "type": "module" }\n');
  await cp(join(HERE, 'Dockerfile'), join(context, 'Dockerfile'));
  await cp(nodeBinary, join(context, 'node'), { dereference: true });
}
