import { posix } from 'node:path';

/** A Dockerfile of a project, and how an image is made of it. */
export interface Dockerfile {
  /** From the top level of the project. */
  readonly path: string;
  /** The folder whose files it may copy; `.` is the top level. */
  readonly context: string;
  /** What tells its image from the others of the project; empty for that of the project itself. */
  readonly name: string;
}

/** Whether that is a Dockerfile of the project, and no template, and none of an editor's. */
export function isDockerfile(path: string): boolean {
  const folders = path.split('/');
  const name = folders.pop() ?? '';
  const isOne = /^(Docker|Container)file(\.[\w-]+)?$|^[\w-]+\.(Docker|Container)file$/i.test(name);
  const isOther = /\.(dockerignore|j2|jinja2?|tmpl|template|tpl|erb|ejs|in|md|txt|bak|orig|swp)$/i.test(name);
  const isApart = folders.some(folder => folder.startsWith('.') || /^(node_modules|vendor)$/.test(folder));
  return isOne && !isOther && !isApart;
}

/**
 * What is to be built, of all files of a project.
 *
 * @param paths its files, from its top level
 * @param read the text of one of them
 */
export function findDockerfiles(paths: readonly string[], read: (path: string) => string): Dockerfile[] {
  const exists = (path: string) => paths.some(one => one === path || one.startsWith(`${path}/`));
  const found = paths.filter(isDockerfile).sort();
  const short = found.map(path => nameOf(path, tellingFolder));
  const long = found.map((path, at) => (isOnce(short, at) ? short[at]! : nameOf(path, folder => folder)));
  // Two that are still alike, such as api/Dockerfile and Dockerfile.api, would push over each other.
  const names = long.map((name, at) =>
    isOnce(long, at) ? name : numbered(name, long.slice(0, at).filter(one => one === name).length),
  );
  return found.map((path, at) => ({ path, context: contextOf(path, read(path), exists), name: names[at]! }));
}

/** The first one keeps its name, which may be none. */
const numbered = (name: string, before: number): string =>
  before === 0 ? name : [name || 'image', String(before + 1)].join('-');

const isOnce = (names: readonly string[], at: number) =>
  names.filter(name => name === names[at]).length === 1;

/** The innermost folder whose name says what is built, as that of web/docker does: web. */
function tellingFolder(folder: string): string {
  return folder.split('/').findLast(name => !/^(docker|container|image|build)(file)?s?$/i.test(name)) ?? '';
}

/** A part of an image's name, by the grammar of github.com/distribution/reference. */
function nameOf(path: string, shorten: (folder: string) => string): string {
  const folder = posix.dirname(path);
  const own = posix.basename(path).replace(/^(Docker|Container)file\.?|\.(Docker|Container)file$/gi, '');
  return [folder === '.' ? '' : shorten(folder), own]
    .join('-')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '');
}

/** Its own folder, unless more of what it copies is found from the top level. */
function contextOf(path: string, text: string, exists: (path: string) => boolean): string {
  const folder = posix.dirname(path);
  const copied = sourcesIn(text);
  const missingFrom = (context: string) =>
    copied.filter(source => !exists(posix.normalize(posix.join(context, source)))).length;
  return folder !== '.' && missingFrom('.') < missingFrom(folder) ? '.' : folder;
}

/** What COPY and ADD name of the build context, up to the first wildcard; whole folders say nothing. */
function sourcesIn(text: string): string[] {
  const lines = text.replace(/\\\r?\n/g, ' ').matchAll(/^[ \t]*(?:COPY|ADD)[ \t]+(.*)$/gim);
  return [...lines].flatMap(([, line = '']) => {
    if (/--from=|<<|\$/.test(line)) return [];
    const words = line.replace(/[[\]",]/g, ' ').split(/\s+/);
    const sources = words.filter(word => word !== '' && !word.startsWith('--')).slice(0, -1);
    return sources
      .filter(source => !source.includes('://'))
      .map(source => source.replace(/[^/]*[*?].*$/, '').replace(/^(\.?\/)+|\/$/g, ''))
      .filter(source => source !== '' && source !== '.');
  });
}
