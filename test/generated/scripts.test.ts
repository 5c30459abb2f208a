import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import type { TypedAnswers } from '../../generators/ask/questions.ts';
import { allScenarios } from '../support/answers.ts';
import { needs } from '../support/needs.ts';
import { compile } from '../support/own-tools.ts';
import { pathsWith, planWith, run, tool, writeAll } from '../support/rendered.ts';

const folders = Object.entries(allScenarios).map(([name, typed]) => ({
  name,
  typed,
  folder: writeAll(typed),
}));
const scriptsOf = (typed: TypedAnswers): string[] => pathsWith(typed).filter(path => path.endsWith('.ts'));
/** Each script that there can be, with the files that hold a text of it that no other file does. */
const scripts = new Map<string, Map<string, string>>();
for (const { typed, folder } of folders) {
  for (const path of scriptsOf(typed)) {
    const text = readFileSync(join(folder, path), 'utf8');
    scripts.set(path, (scripts.get(path) ?? new Map()).set(text, join(folder, path)));
  }
}

it('scripts/settings.ts passes tsc --strict; the other scripts are checked where they lie, by npm run check', async () => {
  for (const { folder } of folders) writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
  expect(await compile(folders.map(({ folder }) => join(folder, 'scripts/settings.ts')))).toEqual([]);
}, 120_000);

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
      const { runners, parts } = planWith(typed);
      expect(JSON.parse(stdout)).toMatchObject({
        runners: runners.map(({ description, tags, runUntagged, accessLevel, tokenVariable, builder }) => ({
          ...{ description, tag_list: tags, run_untagged: runUntagged, access_level: accessLevel },
          ...{ tokenVariable, builder },
        })),
        parts,
      });
    });
  },
);
