// Breaks the scripts on purpose, one place at a time, and says which breakage the fast tests do not notice:
//   npm run mutate
//
// It works in a copy. One that no longer applies is an error: the table has to follow the code.

import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Mutant, mutants } from './mutants.ts';

const top = join(import.meta.dirname, '../..');
const copy = mkdtempSync(join(tmpdir(), 'mutate-'));
const isLeftOut = (path: string) => /\/(node_modules|dist|\.git)$/.test(path);

/** Whether the tests of the scripts notice it. */
function isNoticed({ what, file, from, to }: Mutant): boolean {
  const text = readFileSync(join(top, file), 'utf8');
  if (text.split(from).length !== 2) throw new Error(`"${what}" does not apply to ${file} any more.`);
  writeFileSync(
    join(copy, file),
    text.replace(from, () => to),
  );
  const command = [
    'node_modules/vitest/vitest.mjs',
    'run',
    '--project',
    'sources*',
    '--bail',
    '1',
    'test/unit/scripts',
  ];
  const { status } = spawnSync(process.execPath, command, { cwd: copy, stdio: 'ignore' });
  writeFileSync(join(copy, file), text);
  return status !== 0;
}

try {
  cpSync(top, copy, { recursive: true, filter: path => !isLeftOut(path) });
  for (const folder of ['node_modules', 'test/tools/node_modules'])
    symlinkSync(join(top, folder), join(copy, folder));
  const none: Mutant = {
    what: 'nothing',
    file: 'templates/scripts/host.ts',
    from: '// What all scripts share',
    to: '// What all scripts share',
  };
  if (isNoticed(none)) throw new Error('The tests fail without any breakage.');
  const survivors = mutants.filter(mutant => {
    const noticed = isNoticed(mutant);
    console.log(
      `${noticed ? 'noticed ' : 'SURVIVED'}  ${mutant.file.replace(/.*\//, '').padEnd(12)}  ${mutant.what}`,
    );
    return !noticed;
  });
  console.log(`${mutants.length - survivors.length} of ${mutants.length} noticed`);
  process.exitCode = survivors.length > 0 ? 1 : 0;
} finally {
  rmSync(copy, { recursive: true, force: true });
}
