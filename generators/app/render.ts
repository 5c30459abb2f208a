import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import ejs from 'ejs';
import * as quoting from '../common/quoting.ts';
import type { RepositoryFile } from './files.ts';
import type { RunnerRepository } from './plan.ts';

const packageJson = createRequire(import.meta.url).resolve('generator-gitlab-runner-docker/package.json');

/** The folder of the templates; it mirrors the repository that is written. */
export const templates = join(packageJson, '../templates');

/**
 * The text of one file: its template, which may include parts from `_parts`, with the functions of `quoting` and the file's part of the plan.
 * A file without data is its template as it stands.
 *
 * `copyTpl` of mem-fs-editor would read the destination's path as a template too, so that no folder could be
 * called `<%`, and would give a file that the user closed to others the template's mode.
 */
export function render(
  { path, template = path, data }: RepositoryFile,
  repository: RunnerRepository,
): string {
  // npm leaves every file named `.gitignore` out of a package, so these templates have another name.
  const filename = join(templates, template.replace(/\.gitignore$/, '_gitignore'));
  const text = readFileSync(filename, 'utf8');
  return data
    ? ejs.render(text, { ...quoting, ...data(repository) }, { filename, root: templates, cache: true })
    : text;
}
