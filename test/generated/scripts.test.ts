import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import type { TypedAnswers } from '../../generators/app/questions.ts';
import { scenarios } from '../support/answers.ts';
import { needs } from '../support/needs.ts';
import { compile } from '../support/own-tools.ts';
import { pathsWith, planWith, run, tool, writeAll } from '../support/rendered.ts';

const folders = Object.entries(scenarios).map(([name, typed]) => ({ name, typed, folder: writeAll(typed) }));
const scriptsOf = (typed: TypedAnswers): string[] => pathsWith(typed).filter(path => path.endsWith('.ts'));
/** Each script that there can be, with the files that hold a text of it that no other file does. */
const scripts = new Map<string, Map<string, string>>();
for (const { typed, folder } of folders) {
  for (const path of scriptsOf(typed)) {
    const text = readFileSync(join(folder, path), 'utf8');
    scripts.set(path, (scripts.get(path) ?? new Map()).set(text, join(folder, path)));
  }
}

it('the scripts pass tsc --strict, and hold only what Node strips: no enums, no namespaces, no parameter properties', async () => {
  const paths = folders.flatMap(({ typed, folder }) => scriptsOf(typed).map(path => join(folder, path)));
  expect(await compile(paths)).toEqual([]);
  expect([...scripts.keys()]).toContain('scripts/register.ts');
}, 120_000);

it('scripts/package.json says that they are modules, and from which Node on they run as they are', async () => {
  const { default: manifest } = await import(join(folders[0]!.folder, 'scripts/package.json'), {
    with: { type: 'json' },
  });
  expect(manifest).toEqual({ private: true, type: 'module', engines: { node: '>=22.18' } });
});

it('the scripts need nothing but the standard library', () => {
  for (const [path, texts] of scripts) {
    for (const text of texts.keys()) {
      const { importedFiles } = ts.preProcessFile(text);
      for (const { fileName } of importedFiles)
        expect(fileName, path).toMatch(/^(node:[\w/]+|\.\/[\w-]+\.ts)$/);
    }
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
      const { runners, concurrent, privateCa } = planWith(typed);
      const authority = `${join(folder, 'config/certs/ca.crt')}:/etc/gitlab-runner/certs/ca.crt:ro`;
      expect(JSON.parse(stdout)).toMatchObject({
        runners: runners.map(({ description, tags, runUntagged, executor: { image, volumes } }) => ({
          description,
          tags,
          runUntagged,
          image,
          volumes: [...volumes, ...(privateCa ? [authority] : [])],
        })),
        concurrent,
      });
    });

    it.each([...scripts])('parses %s', (_, texts) => {
      for (const file of texts.values()) {
        expect(run('.', [node!, '--check', file]), file).toEqual({ status: 0, stdout: '', stderr: '' });
      }
    });
  },
);
