import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ejs from 'ejs';

/**
 * The text of the template of that path, without its `.ejs`, filled in; undefined where there is no such template. The build
 * puts functions in the place of this module, which it compiles from the templates: a user does not wait for a compiler, and
 * does not get the templates themselves.
 */
export function fill(templates: string, path: string, data: object): string | undefined {
  const filename = join(templates, `${path}.ejs`);
  if (!existsSync(filename)) return undefined;
  // An error says the template, not its line: what would count lines is a third of the time to compile.
  return ejs.render(readFileSync(filename, 'utf8'), data, {
    filename,
    root: templates,
    cache: true,
    compileDebug: false,
  });
}
