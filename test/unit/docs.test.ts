import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

describe.each([
  ['faults.md', ['../e2e/', '../generated/', './scripts/']],
  ['updates.md', ['./', '../generator/']],
])('the table of faults in docs/%s', (name, folders) => {
  const text = readFileSync(new URL(`../../docs/${name}`, import.meta.url), 'utf8');
  const rows = [...text.matchAll(/^\| (.+) \| (.+) \| `([\w-]+\.test\.ts)`: (.+) \|$/gm)];

  it.each(rows.map(([, fault, , file, name]) => ({ fault, file: file!, name: name! })))(
    'names a test that there is: $fault',
    ({ file, name }) => {
      const found = folders
        .map(path => new URL(path, import.meta.url))
        .filter(folder => readdirSync(folder).includes(file));
      const sources = found.map(folder => readFileSync(new URL(file, folder), 'utf8'));
      expect(sources.some(source => source.includes(`'${name}'`))).toBe(true);
    },
  );

  it('has a test in every row', () => {
    const [, table = ''] = /^(\| .*\| test \|\n(?:\|.*\n)+)/m.exec(text) ?? [];
    expect(rows.length).toBeGreaterThan(6);
    expect(table.match(/^\|/gm)?.length).toBe(rows.length + 2);
  });
});
