import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { files } from '../../generators/app/files.ts';
import { planRepository } from '../../generators/app/plan.ts';
import { answersWith, scenarios } from '../support/answers.ts';
import { needs } from '../support/needs.ts';
import { run, tool, writeAll } from '../support/rendered.ts';

const folders = Object.entries(scenarios).map(([name, typed]) => ({ name, typed, folder: writeAll(typed) }));
const scripts = files.map(({ path }) => path).filter(path => path.endsWith('.ts'));

it('the scripts pass tsc --strict, and hold only what Node strips: no enums, no namespaces, no parameter properties', () => {
  const options: ts.CompilerOptions = {
    target: ts.ScriptTarget.ES2023,
    lib: ['lib.es2023.d.ts'],
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    types: ['node'],
    typeRoots: [fileURLToPath(new URL('../../node_modules/@types', import.meta.url))],
    strict: true,
    noUnusedLocals: true,
    noUnusedParameters: true,
    verbatimModuleSyntax: true,
    erasableSyntaxOnly: true,
    allowImportingTsExtensions: true,
    noEmit: true,
    skipLibCheck: true,
  };
  const program = ts.createProgram(
    folders.flatMap(({ folder }) => scripts.map(path => join(folder, path))),
    options,
  );
  const problems = ts
    .getPreEmitDiagnostics(program)
    .map(
      ({ file, messageText }) => `${file?.fileName}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`,
    );
  expect(problems).toEqual([]);
  expect(scripts).toContain('scripts/register.ts');
}, 120_000);

it('scripts/package.json says that they are modules, and from which Node on they run as they are', async () => {
  const { default: manifest } = await import(join(folders[0]!.folder, 'scripts/package.json'), {
    with: { type: 'json' },
  });
  expect(manifest).toEqual({ private: true, type: 'module', engines: { node: '>=22.18' } });
});

it('the scripts need nothing but the standard library', () => {
  for (const path of scripts) {
    const source = ts.sys.readFile(join(folders[0]!.folder, path)) ?? '';
    const { importedFiles } = ts.preProcessFile(source);
    for (const { fileName } of importedFiles)
      expect(fileName, path).toMatch(/^(node:[\w/]+|\.\/[\w-]+\.ts)$/);
  }
});

const node = tool('node/bin/node');

describe.skipIf(!needs(node !== undefined, 'the Node.js of test/tools'))(
  'Node.js 24, without a compiler,',
  () => {
    it.each(folders)('reads scripts/settings.ts as it was answered: $name', ({ typed, folder }) => {
      const script =
        'import("./scripts/settings.ts").then(settings => console.log(JSON.stringify(settings)))';
      const { stdout, stderr } = run(folder, [node!, '--eval', script]);
      expect(stderr).toBe('');
      const { description, tags, runUntagged, concurrent, executor } = planRepository(
        answersWith(typed),
        'my-runner',
      );
      expect(JSON.parse(stdout)).toMatchObject({
        runner: { description, tags, runUntagged },
        concurrent,
        executor,
      });
    });

    it.each(scripts)('parses %s', path => {
      expect(run(folders[0]!.folder, [node!, '--check', path])).toEqual({
        status: 0,
        stdout: '',
        stderr: '',
      });
    });
  },
);
