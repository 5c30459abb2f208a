import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { dirname, join } from 'node:path';
import { describe, expect, inject, test } from 'vitest';

const { tarball, prefix } = inject('package');
const top = join(import.meta.dirname, '../..');

/** The path of each file in the tarball. */
const paths = execFileSync('tar', ['-tzf', tarball], { encoding: 'utf8' })
  .trimEnd()
  .split('\n')
  .map(line => line.replace(/^package\//, ''));

describe('the packed tarball', () => {
  test('holds every file that is copied, one that npm leaves out by its name too, and of the templates what was compiled', () => {
    const templates = readdirSync(join(top, 'templates'), { recursive: true, withFileTypes: true })
      .filter(entry => entry.isFile() && !entry.name.endsWith('.ejs'))
      .map(entry => join(entry.parentPath, entry.name).slice(top.length + 1));
    expect(paths.filter(path => path.startsWith('templates/')).sort()).toEqual(templates.sort());
    expect(paths).toContain('templates/.gitattributes');
  });

  test('holds the compiled generator where Yeoman looks for it, and the command', () => {
    const { bin } = JSON.parse(readFileSync(join(top, 'package.json'), 'utf8')) as { bin: string };
    expect(paths).toContain('dist/generators/app/index.js');
    expect(paths).toContain(bin);
  });

  test('holds nothing else: no sources, no tests, no settings of tools', () => {
    const documents = ['README.md', 'CHANGELOG.md', 'LICENSE'].filter(name => existsSync(join(top, name)));
    const others = paths.filter(
      path => !/^(templates\/.*|dist\/(bin|generators|chunks)\/.*\.c?js)$/.test(path),
    );
    expect(others.sort()).toEqual(
      [...documents, 'dist/THIRD-PARTY-LICENSES', 'dist/templates.cjs', 'package.json'].sort(),
    );
  });

  test('has no folder in which Yeoman would find a generator that is none', () => {
    expect(paths.filter(path => /(^|\/)index\.[cm]?[jt]s$/.test(path))).toEqual([
      'dist/generators/app/index.js',
      'dist/generators/ci/index.js',
      'dist/generators/runner/index.js',
    ]);
  });
});

/** The installed package, and where its modules are. */
const home = join(prefix, 'lib/node_modules/generator-gitlab-runner-docker');

/** What a module of the package imports, at once or later. */
const importsOf = (path: string) =>
  [
    ...readFileSync(join(home, path), 'utf8').matchAll(
      /^(?:import|export) (?:[^'"();]* from )?["']([^"']+)["'];$|\b(?:import|require)\(["']([^"']+)["']\)/gm,
    ),
  ].map(([, atOnce, later]) => atOnce ?? later ?? '');

/** The modules that are loaded with that one, and those it may load later. */
function reachableFrom(path: string, reached: Set<string> = new Set()): Set<string> {
  if (reached.has(path)) return reached;
  reached.add(path);
  for (const other of importsOf(path).filter(name => name.startsWith('.'))) {
    reachableFrom(join(dirname(path), other), reached);
  }
  return reached;
}

/** Names of the packages that are bundled in those modules: esbuild says where each part comes from. */
function packagesIn(modules: Iterable<string>): Set<string> {
  const texts = [...modules].map(path => readFileSync(join(home, path), 'utf8'));
  const found = texts.flatMap(text => [
    ...text.matchAll(/^ *\/\/ .*node_modules\/((?:@[^/\s]+\/)?[^/\s]+)\/\S+$/gm),
  ]);
  return new Set(found.map(([, name]) => name!));
}

describe('the installed package', () => {
  const modules = paths.filter(path => /^dist\/.*\.c?js$/.test(path));

  test('is the only one', () => {
    const installed = readdirSync(join(prefix, 'lib/node_modules'));
    expect(installed.filter(name => !name.startsWith('.'))).toEqual(['generator-gitlab-runner-docker']);
    expect(existsSync(join(home, 'node_modules'))).toBe(false);
  });

  test('imports nothing but its own modules and those of Node.js', () => {
    const names = modules.flatMap(importsOf).filter(name => !name.startsWith('.'));
    expect(names).toContain('node:fs');
    expect(names.filter(name => !isBuiltin(name))).toEqual([]);
  });

  test('has Yeoman only where yo comes in: the command cannot load it', () => {
    const ofCommand = packagesIn(reachableFrom('dist/bin/generator-gitlab-runner-docker.cjs'));
    const ofDoor = packagesIn(reachableFrom('dist/generators/app/index.js'));
    for (const name of ['yeoman-generator', 'mem-fs-editor']) {
      expect(ofDoor).toContain(name);
      expect(ofCommand).not.toContain(name);
    }
    expect(ofCommand).toContain('smol-toml');
    // Templates are compiled when the package is built.
    expect(ofCommand).not.toContain('ejs');
  });

  test('reads no YAML parser and no prompts where nothing needs them', () => {
    const alone = packagesIn(['dist/bin/generator-gitlab-runner-docker.cjs']);
    expect([...alone].filter(name => name === 'yaml' || name.startsWith('@inquirer/'))).toEqual([]);
    expect(packagesIn(['dist/bin/yaml.cjs'])).toContain('yaml');
  });

  test('has the licence of each package that is bundled in it', () => {
    const licences = readFileSync(join(home, 'dist/THIRD-PARTY-LICENSES'), 'utf8');
    const bundled = packagesIn(modules);
    expect(bundled.size).toBeGreaterThan(9);
    const without = [...bundled].filter(name => !licences.includes(`\n${name} `));
    expect(without).toEqual([]);
  });
});
