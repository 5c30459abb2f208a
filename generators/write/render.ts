import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { RunnerRepository } from '../plan/plan.ts';
import { filesOf, type RepositoryFile } from './files.ts';
import { fill } from './fill.ts';
import * as quoting from './quoting.ts';

/** The package.json of this generator: two folders above this file, and above dist/bin and dist/chunks, where it is bundled. */
export const packageJson = fileURLToPath(new URL('../../package.json', import.meta.url));

/** The folder of the templates; it mirrors the repository that is written. */
export const templates = join(packageJson, '../templates');

/**
 * The text of one file. The template `PATH.ejs` is filled in, with the functions of `quoting`, the whole plan, `paths` of all
 * files, and for a pipeline the `image`, `tags` and `pipeline` of its runner; any other file of that path is taken as it stands.
 */
export function render(
  { path, template = path, runner }: RepositoryFile,
  repository: RunnerRepository,
): string {
  const ofRunner = runner && { image: runner.executor.image, tags: runner.tags, pipeline: runner.pipeline };
  const paths = filesOf(repository).map(({ path }) => path);
  const data = { ...quoting, ...repository, paths, ...ofRunner };
  return fill(templates, template, data) ?? readFileSync(join(templates, template), 'utf8');
}
