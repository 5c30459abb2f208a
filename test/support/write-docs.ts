// Writes what the pages take from elsewhere: the table of options, from the declaration of the questions, and what
// doctor says on a sample of a host:  npm run docs
import { readFileSync, writeFileSync } from 'node:fs';
import { optionsTable } from '../../generators/ask/usage.ts';
import { doctorSample } from './doctor-sample.ts';

/** Puts the text between the markers of that name in a page. */
function write(page: string, name: string, text: string): void {
  const file = new URL(`../../${page}`, import.meta.url);
  const [start, end] = [`<!-- ${name}: npm run docs -->`, `<!-- /${name} -->`];
  const before = readFileSync(file, 'utf8');
  const [head, tail] = [before.split(start)[0]!, before.split(end)[1]];
  if (tail === undefined) throw new Error(`${page} has no place for ${name}.`);
  writeFileSync(file, `${head}${start}\n${text}\n${end}${tail}`);
}

write('docs/options.md', 'options', optionsTable());
write('README.md', 'doctor', `\`\`\`text\n${doctorSample()}\`\`\``);
