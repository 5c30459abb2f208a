// Bundles what is published into dist/, so that a user installs this package and no other:  npm run build
//
// The command is one file without Yeoman, beside which lies what few runs need; the doors for yo share chunks.
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { licencesOf } from './licences.mjs';
import { compiledTemplates, templatesOfBuild } from './templates.mjs';

const top = fileURLToPath(new URL('../', import.meta.url));

/** yeoman-generator reads its version from its package.json, which a bundle does not have. */
const versionOfYeoman = {
  name: 'version-of-yeoman',
  setup({ onLoad }) {
    onLoad({ filter: /[/\\]yeoman-generator[/\\]dist[/\\]generator\.js$/ }, ({ path }) => {
      const { version } = JSON.parse(readFileSync(new URL('../package.json', `file://${path}`), 'utf8'));
      const text = readFileSync(path, 'utf8');
      const contents = text.replace(
        "JSON.parse(readFileSync(pathJoin(_dirname, '../package.json'), 'utf8'))",
        JSON.stringify({ version }),
      );
      if (contents === text) throw new Error('yeoman-generator reads its version in another way now.');
      return { contents };
    });
  },
};

/**
 * What few runs of the command need, and takes time to read, each in a file of its own: parsers, prompts, merges, diffs, --from
 * and --ci.
 */
const late = {
  yaml: 'yaml',
  'smol-toml': 'smol-toml',
  prompts: 'bin/prompts.ts',
  merge: 'generators/write/merge.ts',
  'unified-diff': 'generators/write/unified-diff.ts',
  'old-runner': 'generators/from/old-runner.ts',
  'scaffold-ci': 'generators/scaffold-ci.ts',
};
const loadedLate = {
  name: 'loaded-late',
  setup({ onResolve }) {
    for (const [name, source] of Object.entries(late)) {
      const isPackage = name === source;
      const filter = isPackage ? new RegExp(`^${name}$`) : new RegExp(`/${name}\\.ts$`);
      onResolve({ filter }, ({ kind }) => {
        const isLate = isPackage ? kind !== 'entry-point' : kind === 'dynamic-import';
        return isLate ? { path: `./${name}.cjs`, external: true } : undefined;
      });
    }
  },
};

const options = {
  absWorkingDir: top,
  outdir: 'dist',
  outbase: '.',
  bundle: true,
  platform: 'node',
  target: 'node20.17',
  // Names stay, so that a stack can be read.
  minifySyntax: true,
  minifyWhitespace: true,
  metafile: true,
  logLevel: 'warning',
};

rmSync(`${top}dist`, { recursive: true, force: true });
const built = await Promise.all([
  // CommonJS, which Node.js loads sooner than ES modules in chunks.
  build({
    ...options,
    entryPoints: {
      'bin/generator-gitlab-runner-docker': 'bin/generator-gitlab-runner-docker.ts',
      ...Object.fromEntries(Object.entries(late).map(([name, source]) => [`bin/${name}`, source])),
    },
    format: 'cjs',
    outExtension: { '.js': '.cjs' },
    plugins: [templatesOfBuild, loadedLate],
    define: { 'import.meta.url': 'urlOfBundle' },
    banner: { js: "const urlOfBundle = require('node:url').pathToFileURL(__filename).href;" },
  }),
  build({
    ...options,
    entryPoints: ['generators/app/index.ts', 'generators/ci/index.ts', 'generators/runner/index.ts'],
    chunkNames: 'chunks/[name]-[hash]',
    splitting: true,
    format: 'esm',
    plugins: [versionOfYeoman, templatesOfBuild],
    // For the packages in it that are CommonJS.
    banner: {
      js: "import { createRequire as createRequireOfBundle } from 'node:module';\nconst require = createRequireOfBundle(import.meta.url);",
    },
  }),
]);
const [inputs, outputs] = ['inputs', 'outputs'].map(key =>
  Object.assign({}, ...built.map(({ metafile }) => metafile[key])),
);
writeFileSync(`${top}dist/templates.cjs`, compiledTemplates(`${top}templates`));
writeFileSync(`${top}dist/THIRD-PARTY-LICENSES`, licencesOf(top, Object.keys(inputs)));
// What is in each file and what it imports: not packed, for the tests.
writeFileSync(`${top}dist/outputs.json`, JSON.stringify(outputs, null, 2));
