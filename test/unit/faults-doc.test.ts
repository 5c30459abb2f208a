import { readdirSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

const text = readFileSync(new URL('../../docs/faults.md', import.meta.url), 'utf8');
const rows = [...text.matchAll(/^\| (.+) \| (.+) \| `([\w-]+\.test\.ts)`: (.+) \|$/gm)];
const folders = ['../e2e/', '../generated/', './scripts/'].map(path => new URL(path, import.meta.url));

it.each(rows.map(([, fault, , file, name]) => ({ fault, file: file!, name: name! })))(
  'the table of faults names a test that there is: $fault',
  ({ file, name }) => {
    const found = folders.filter(folder => readdirSync(folder).includes(file));
    const sources = found.map(folder => readFileSync(new URL(file, folder), 'utf8'));
    expect(sources.some(source => source.includes(`'${name}'`))).toBe(true);
  },
);

it('every row of the table of faults has its test', () => {
  expect(rows.length).toBeGreaterThan(9);
  expect(text.match(/^\| (?!fault|---)/gm)?.length ?? 0).toBe(rows.length);
});
