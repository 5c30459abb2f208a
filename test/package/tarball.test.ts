import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
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

/** Of each module what is bundled in it and what it imports, at once or later, as esbuild says. */
const outputs = JSON.parse(readFileSync(join(top, 'dist/outputs.json'), 'utf8')) as Record<
  string,
  { inputs: Record<string, unknown>; imports: { path: string; external?: true }[]; bytes: number }
>;

/** The modules that are loaded with that one, and those it may load later. */
function reachableFrom(path: string, reached: Set<string> = new Set()): Set<string> {
  if (reached.has(path)) return reached;
  reached.add(path);
  for (const { path: other, external } of outputs[path]!.imports) {
    // What the command loads late is a file of its own to the bundler: it stands there as it is written.
    const isOwn = !external || other.startsWith('.');
    if (isOwn) reachableFrom(external ? join(dirname(path), other) : other, reached);
  }
  return reached;
}

/** Names of the packages that are bundled in those modules. */
function packagesIn(modules: Iterable<string>): Set<string> {
  const inputs = [...modules].flatMap(path => Object.keys(outputs[path]!.inputs));
  return new Set(inputs.flatMap(path => /.*node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1] ?? []));
}

describe('the installed package', () => {
  // Compiled templates are no bundle.
  const modules = paths.filter(path => /^dist\/.*\/.*\.c?js$/.test(path));

  test('has the modules of the build that is looked at here, and no other', () => {
    expect(Object.keys(outputs).sort()).toEqual(modules.sort());
    for (const path of modules) expect(statSync(join(home, path)).size).toBe(outputs[path]!.bytes);
  });

  test('is the only one', () => {
    const installed = readdirSync(join(prefix, 'lib/node_modules'));
    expect(installed.filter(name => !name.startsWith('.'))).toEqual(['generator-gitlab-runner-docker']);
    expect(existsSync(join(home, 'node_modules'))).toBe(false);
  });

  test('imports nothing but its own modules and those of Node.js', () => {
    const imports = modules.flatMap(path => outputs[path]!.imports);
    const names = imports.flatMap(({ path, external }) => (external && !path.startsWith('.') ? path : []));
    expect(names).toContain('node:fs');
    // The package `debug` goes without it where it is not there, as here.
    expect(names.filter(name => !isBuiltin(name))).toEqual(['supports-color']);
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
