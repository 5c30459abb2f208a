// Lays out what the site shows, in the folder `pages`: README.md, docs/ and the gallery of examples/, with the same
// paths as in the repository, so that links hold as they are.
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const repository = fileURLToPath(new URL('..', import.meta.url));
export const pages = fileURLToPath(new URL('pages', import.meta.url));
const documents = ['CHANGELOG.md', 'CONTRIBUTING.md'];

/** The first heading of a page. */
const titleOf = file => /^# (.+)$/m.exec(readFileSync(file, 'utf8'))?.[1] ?? basename(file, '.md');

/** Paths of all files below a folder, those of a folder in a row. */
function filesIn(folder, below = '') {
  const names = readdirSync(join(folder, below)).sort();
  const [folders, files] = [[], []];
  for (const name of names)
    (statSync(join(folder, below, name)).isDirectory() ? folders : files).push(join(below, name));
  return [...files, ...folders.flatMap(path => filesIn(folder, path))];
}

/** The language by whose rules a file's text is coloured. */
function languageOf(path) {
  const named = { Makefile: 'make', Dockerfile: 'docker', run: 'sh', '.env.example': 'dotenv' };
  const byEnd = {
    '.yml': 'yaml',
    '.ts': 'ts',
    '.toml': 'toml',
    '.sh': 'sh',
    '.json': 'json',
    '.md': 'md',
    '.yaml': 'yaml',
  };
  return named[basename(path)] ?? byEnd[extname(path)] ?? 'txt';
}

/** A folder's files as a tree, each with a link to its text on the same page. */
function treeOf(paths) {
  const items = [];
  let open = '';
  for (const path of paths) {
    const folder = dirname(path) === '.' ? '' : `${dirname(path)}/`;
    if (folder !== open && folder !== '') items.push(`- \`${folder}\``);
    open = folder;
    items.push(`${folder ? '  ' : ''}- [\`${basename(path)}\`](#${anchorOf(path)})`);
  }
  return items.join('\n');
}

const anchorOf = path =>
  `file-${path
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '')}`;

/** A page with the tree and every file of one rendered repository. */
function galleryPage(name, typed) {
  const folder = join(repository, 'examples', name);
  const paths = filesIn(folder);
  const texts = new Map(paths.map(path => [path, readFileSync(join(folder, path), 'utf8')]));
  const lines = [...texts.values()].reduce((sum, text) => sum + text.split('\n').length - 1, 0);
  const options = Object.entries(typed).map(
    ([key, value]) => `${key}: ${typeof value === 'string' ? value : JSON.stringify(value)}`,
  );
  const answers =
    options.length > 0 ? `the answers \`${options.join('`, `')}\`, and the usual ones` : 'the usual answers';
  return [
    ...['---', 'outline: false', '---', `# ${name}`, ''],
    `${paths.length} files and ${lines.toLocaleString('en')} lines, as a run writes them with ${answers}.`,
    ...['', treeOf(paths), ''],
    ...[...texts].flatMap(([path, text]) => {
      const fence = '`'.repeat(Math.max(3, ...[...text.matchAll(/`{3,}/g)].map(([run]) => run.length + 1)));
      return [
        `## \`${path}\` {#${anchorOf(path)}}`,
        '',
        `${fence}${languageOf(path)}`,
        text.replace(/\n$/, ''),
        fence,
        '',
      ];
    }),
  ].join('\n');
}

/** Writes all pages anew. */
export function layOut() {
  rmSync(pages, { recursive: true, force: true });
  mkdirSync(join(pages, 'examples'), { recursive: true });
  cpSync(join(repository, 'docs'), join(pages, 'docs'), { recursive: true });
  cpSync(join(repository, 'README.md'), join(pages, 'index.md'));
  for (const name of documents) cpSync(join(repository, name), join(pages, name));
  const typed = JSON.parse(readFileSync(join(repository, 'test/support/examples.json'), 'utf8'));
  const names = readdirSync(join(repository, 'examples')).sort();
  for (const name of names)
    writeFileSync(join(pages, 'examples', `${name}.md`), galleryPage(name, typed[name] ?? {}));
  const list = names.map(name => `- [${name}](${name}.md)`).join('\n');
  writeFileSync(
    join(pages, 'examples/index.md'),
    `# Examples\n\nEach is a whole repository, as a run writes it: its tree, and every file.\n\n${list}\n`,
  );
  for (const folder of ['docs', ...foldersOfDocs().map(name => `docs/${name}`)]) writeIndex(folder);
}

const foldersOfDocs = () =>
  readdirSync(join(pages, 'docs')).filter(name => statSync(join(pages, 'docs', name)).isDirectory());

/** A link to a folder leads to a list of its pages, unless it has one, or a page beside it has its name: some servers show that. */
function writeIndex(folder) {
  const file = join(pages, folder, 'index.md');
  if (existsSync(file) || existsSync(join(pages, `${folder}.md`))) return;
  const list = entriesOf(folder).map(({ text, link }) => `- [${text}](${link})`);
  writeFileSync(file, `# ${nameOf(basename(folder))}\n\n${list.join('\n')}\n`);
}

const nameOf = folder => folder[0].toUpperCase() + folder.slice(1);

/** The pages of a folder of docs/ for the sidebar, by their titles; `index.md` comes first. */
function entriesOf(folder) {
  const at = join(pages, folder);
  if (!existsSync(at)) return [];
  const names = readdirSync(at).filter(name => name.endsWith('.md'));
  const first = names.includes('index.md') ? ['index.md'] : [];
  const entry = name => ({
    text: titleOf(join(at, name)).replaceAll('`', ''),
    link: `/${folder}/${name.replace(/(index)?\.md$/, '')}`,
  });
  const entries = [...first, ...names.filter(name => name !== 'index.md').sort()].map(entry);
  // A list that was made of the others' links says nothing new beside them.
  return entries.filter(({ text }) => text !== nameOf(basename(folder)) || folder === 'examples');
}

/** The sidebar: one group for the pages of docs/, one for each of its folders, and one for the examples. */
export function sidebar() {
  return [
    { text: 'Start', items: [{ text: 'What it is', link: '/' }, ...entriesOf('docs')] },
    ...foldersOfDocs().map(name => ({
      text: nameOf(name),
      collapsed: name === 'errors',
      items: entriesOf(`docs/${name}`),
    })),
    { text: 'Examples', items: entriesOf('examples') },
    {
      text: 'The project',
      items: documents.map(name => ({
        text: titleOf(join(pages, name)),
        link: `/${name.replace('.md', '')}`,
      })),
    },
  ];
}
