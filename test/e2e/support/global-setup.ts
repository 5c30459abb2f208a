import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { checkout, openFolder, packAndInstall } from '../../package/support/install.ts';
import { buildStandInImage } from '../../support/stand-in-runner/build-image.ts';
import { type Engine, engine, engineNames } from './engines.ts';
import { output } from './program.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** The generator's own command, installed from its packed tarball; empty where no end-to-end test runs. */
    command: string;
  }
}

/** Makes an image from a Dockerfile without a build context; it is marked as no official one. */
export async function derive({ forBuilds }: Engine, tag: string, dockerfile: string): Promise<void> {
  const label = 'LABEL description="stand-in made for tests; not the official image"\n';
  await output(['docker', 'build', '--quiet', '--tag', tag, '-'], {
    cwd: checkout,
    env: forBuilds,
    input: dockerfile + label,
  });
}

export const node24 = join(checkout, 'test/tools/node_modules/node/bin');

/** Makes the stand-ins of the runner's images, and of `docker:stable`, in that engine. */
export async function makeStandIns(engine: Engine): Promise<void> {
  const runner = 'gitlab/gitlab-runner:alpine';
  await buildStandInImage(runner, engine.forBuilds);
  // 18.9 is the last that does not expand variables in config.toml.
  for (const version of ['19.2.0', '18.9.0'])
    await derive(engine, `${runner}-v${version}`, `FROM ${runner}\nENV STAND_IN_VERSION=${version}\n`);
  // The official docker:stable is 19.03.14; with this variable its stand-in speaks no newer API than that.
  await derive(engine, 'docker:stable', 'FROM docker:cli\nENV DOCKER_API_VERSION=1.40\n');
}

/** Packs and installs the generator, and makes the runner's stand-in images, once for all end-to-end tests. */
export default async function setup(project: TestProject): Promise<(() => void) | undefined> {
  project.provide('command', '');
  if (!process.env.E2E_ENGINES) return undefined;
  const folder = openFolder('installed');
  const { prefix } = packAndInstall(checkout, folder);
  project.provide('command', join(prefix, 'bin/generator-gitlab-runner-docker'));
  await Promise.all(
    engineNames.map(async name => {
      const found = engine(name);
      if (found) await makeStandIns(found);
    }),
  );
  return () => rmSync(folder, { recursive: true, force: true });
}
