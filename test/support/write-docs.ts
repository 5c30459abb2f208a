// Writes the table of options into README.md, from the declaration of the questions:  npm run docs
import { readFileSync, writeFileSync } from 'node:fs';
import { optionsTable } from '../../generators/ask/usage.ts';

const file = new URL('../../README.md', import.meta.url);
const table = `<!-- options: npm run docs -->\n${optionsTable()}\n<!-- /options -->`;
const text = readFileSync(file, 'utf8');
writeFileSync(
  file,
  text.replace(/<!-- options: [\s\S]*<!-- \/options -->/, () => table),
);
