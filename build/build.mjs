// Bundles what is published into dist/, so that a user installs this package and no other:  npm run build
//
// esbuild splits what the command and the doors for yo share from what only one of them loads: Yeoman is in chunks
// that the command never reads.
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { licencesOf } from './licences.mjs';

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

rmSync(`${top}dist`, { recursive: true, force: true });
const { metafile } = await build({
  absWorkingDir: top,
  entryPoints: [
    'bin/generator-gitlab-runner-docker.ts',
    'generators/app/index.ts',
    'generators/ci/index.ts',
    'generators/ci/index.ts',
    'generators/runner/index.ts',
  ],
  outdir: 'dist',
  outbase: '.',
  chunkNames: 'chunks/[name]-[hash]',
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20.17',
  metafile: true,
  logLevel: 'warning',
  plugins: [versionOfYeoman],
  // For the packages in it that are CommonJS.
  banner: {
    js: "import { createRequire as createRequireOfBundle } from 'node:module';\nconst require = createRequireOfBundle(import.meta.url);",
  },
});
writeFileSync(`${top}dist/THIRD-PARTY-LICENSES`, licencesOf(top, Object.keys(metafile.inputs)));
