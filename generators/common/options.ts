import { parseArgs } from 'node:util';
import { Refusal } from './refusal.ts';

/**
 * The value of an option as it was typed.
 *
 * What stands on the command line counts: on its way through `yo` a value can lose its quotation marks,
 * and in some versions of it becomes a number or a boolean.
 *
 * @param value what Yeoman handed over
 * @param words the command line
 * @throws Refusal if the option was given without a value, or more than once
 */
export function typedOption(option: string, value: unknown, words: readonly string[]): string {
  const { values } = parseArgs({
    args: [...words],
    options: { [option]: { type: 'string', multiple: true } },
    strict: false,
  });
  const typed = (values[option] ?? []) as (string | boolean)[];
  if (Array.isArray(value) || typed.length > 1) throw new Refusal('give it once.');
  // A boolean means that no value follows, or only another option; for --no-... it is false.
  const [text = value] = typed;
  if (value === null || (typeof value === 'boolean' && text !== String(value)) || typeof text === 'boolean') {
    throw new Refusal('it needs a value.');
  }
  return String(text);
}

/**
 * Whether a switch is on, as `--option` or `--no-option` says.
 *
 * `yo` takes the word after an option as its value, whatever the option: a directory would get lost there.
 *
 * @param value what Yeoman handed over
 * @param words the command line
 * @throws Refusal if the option was given a value, or more than once
 */
export function switchOption(option: string, value: unknown, words: readonly string[]): boolean {
  if (Array.isArray(value)) throw new Refusal('give it once.');
  const next = words[words.indexOf(`--${option}`) + 1] ?? '';
  if (typeof value !== 'boolean' || (words.includes(`--${option}`) && /^(yes|no|true|false)$/i.test(next))) {
    throw new Refusal(`it takes no value; write --${option} or --no-${option}, and the directory before it.`);
  }
  return value;
}

/**
 * @param known option names without dashes
 * @throws Refusal that names the first option on the command line that nobody knows
 */
export function refuseUnknownOptions(words: readonly string[], known: readonly string[]): void {
  for (const word of words) {
    if (word === '--') return;
    // A number such as -1 is a value.
    const [, dashes = '', name = ''] = /^(-(?![\d.])|--(?:no-)?)([^-=][^=]*)/.exec(word) ?? [];
    if (name === '' || known.includes(name) || word === '-h') continue;
    const closest = known.find(candidate => candidate.startsWith(name.slice(0, 4)));
    throw new Refusal(
      `There is no option ${dashes.slice(0, 2)}${name}${closest ? `; did you mean --${closest}?` : '.'} See --help for all of them.`,
    );
  }
}
