// npm run simulate: writes docs/executors.md and docs/executors.svg. With options, prints the page for other assumptions instead.

import { realpathSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { chart, page } from './page.ts';
import { type Assumptions, defaults } from './scenarios.ts';

/** The assumptions with those changed that the words name. @throws Error that says what is wrong */
export function readOptions(words: readonly string[]): Assumptions {
  const options = Object.fromEntries(Object.keys(defaults).map(name => [name, { type: 'string' as const }]));
  const { values } = parseArgs({ args: [...words], options });
  const changes = Object.entries(values).map(([name, text]) => {
    const value = Number(text);
    // What times and prices may be nothing; what is counted may not.
    const least = /price|^idle|^scale|prepare|boot|pod|poll|request$|interval|scan/.test(name) ? 0 : 1;
    const isCount = least === 1 && !/minutes/.test(name);
    if (text === '' || !(value >= least && value <= 1e6) || (isCount && !Number.isInteger(value)))
      throw new Error(
        `--${name} takes a ${isCount ? 'whole number' : 'number'} of ${least} or more, not "${text}".`,
      );
    return [name, value];
  });
  return { ...defaults, ...Object.fromEntries(changes) };
}

/** Where the page and its chart are, with what they hold by default. */
export const files = (): [URL, string][] => [
  [new URL('../../../docs/executors.md', import.meta.url), page(defaults)],
  [new URL('../../../docs/executors.svg', import.meta.url), chart(defaults)],
];

if (realpathSync(process.argv[1] ?? '') === import.meta.filename) {
  const words = process.argv.slice(2);
  try {
    if (words.length > 0) console.log(page(readOptions(words)));
    else for (const [file, text] of files()) writeFileSync(file, text);
  } catch (error) {
    console.error((error as Error).message);
    process.exitCode = 1;
  }
}
