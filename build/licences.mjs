import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * The licences of the packages that these files are of, as one text.
 *
 * @param top the folder that the paths are relative to
 * @param paths of what was bundled; those outside of node_modules are our own
 * @throws Error that names a package which says under no licence that we know to take
 */
export function licencesOf(top, paths) {
  const folders = new Set(paths.flatMap(path => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0] ?? []));
  const texts = new Map();
  for (const folder of folders) {
    const { title, text } = licenceOf(join(top, folder));
    texts.set(text, (texts.get(text) ?? new Set()).add(title));
  }
  const sections = [...texts].map(([text, titles]) => `${[...titles].sort().join('\n')}\n\n${text}\n`);
  const line = `${'-'.repeat(80)}\n`;
  return `What is bundled in this package, and its licences.\n\n${line}${sections.sort().join(line)}`;
}

/**
 * What may be bundled: licences that ask for their text or for a name, and no more. Artistic-2.0 allows in its
 * section 8 to embed a package in a larger work that gives nobody a direct interface to it.
 */
const taken = [
  ...['0BSD', 'Apache-2.0', 'Artistic-2.0', 'BlueOak-1.0.0', 'BSD-2-Clause', 'BSD-3-Clause'],
  ...['CC0-1.0', 'CC-BY-3.0', 'ISC', 'MIT'],
];

function licenceOf(folder) {
  const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const { name, version, license, author, repository } = manifest;
  const expression = (typeof license === 'string' ? license : license?.type) ?? 'no licence';
  if (
    !expression
      .replace(/[()]/g, '')
      .split(' OR ')
      .some(one => taken.includes(one))
  ) {
    throw new Error(
      `${name} ${version} is under ${expression}: not to be bundled before somebody looked at it.`,
    );
  }
  const files = readdirSync(folder).filter(path => /^(licen[cs]e|copying|notice)/i.test(path));
  const texts = files.map(path => readFileSync(join(folder, path), 'utf8').trim());
  const by = author?.name ?? author ?? 'its contributors';
  const without = `Copyright ${by}, ${repository?.url ?? repository}. It has no file with its licence: see https://spdx.org/licenses/${expression}.`;
  return { title: `${name} ${version} (${expression})`, text: texts.join('\n\n') || without };
}
