import { parseArgs } from 'node:util';
import { Refusal } from './refusal.ts';

/**
 * The value of an option as it was typed.
 *
 * `yo` turns option values that look like numbers or booleans into those (`--description 1e3` arrives as
 * 1000), so such a value is read again from the command line it came from.
 *
 * @param value what Yeoman handed over
 * @throws Refusal if the option was given without a value, or more than once
 */
export function typedOption(option: string, value: unknown, commandLine: readonly string[]): string {
  if (typeof value === 'string') return value;
  const { values } = parseArgs({
    args: [...commandLine],
    options: { [option]: { type: 'string', multiple: true } },
    strict: false,
  });
  const typed = values[option] as (string | boolean)[] | undefined;
  if (Array.isArray(value) || (typed !== undefined && typed.length > 1)) {
    throw new Refusal('give it once.');
  }
  const [text = value] = typed ?? [];
  if (typeof text === 'boolean' || text === undefined || text === null)
    throw new Refusal('it needs a value.');
  return String(text);
}

/**
 * @param known option names without dashes
 * @throws Refusal that names the first option on the command line that nobody knows
 */
export function refuseUnknownOptions(commandLine: readonly string[], known: readonly string[]): void {
  for (const word of commandLine) {
    if (word === '--') return;
    const name = /^--(?:no-)?([^=]+)/.exec(word)?.[1];
    if (name !== undefined && !known.includes(name)) {
      const closest = known.find(candidate => candidate.startsWith(name.slice(0, 4)));
      throw new Refusal(
        `There is no option --${name}${closest ? `; did you mean --${closest}?` : ''} See --help for all of them.`,
      );
    }
  }
}
