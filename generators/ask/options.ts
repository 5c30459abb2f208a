import { parseArgs } from 'node:util';
import { whyGone } from './gone.ts';
import { Refusal, shown } from './refusal.ts';

/**
 * The value of an option as it was typed.
 *
 * What stands on the command line counts: on its way through `yo` a value can lose its quotation marks,
 * and in some versions of it becomes a number or a boolean.
 *
 * @param value what Yeoman, or parseArgs, made of it
 * @param words the command line
 * @throws Refusal if the option was given without a value, or more than once
 */
export function typedOption(option: string, value: unknown, words: readonly string[]): string {
  if (words.includes(`--no-${option}`))
    throw new Refusal(`it needs a value. There is no --no-${option}: leave it out for the default.`);
  const { tokens } = parseArgs({
    ...{ args: [...words], options: { [option]: { type: 'string' } }, strict: false, tokens: true },
  });
  const given = tokens.flatMap(token => (token.kind === 'option' && token.name === option ? [token] : []));
  const typed = given.map(({ value = true }): string | boolean => value);
  if (Array.isArray(value) || typed.length > 1) throw new Refusal('give it once.');
  if (given.some(({ inlineValue, value }) => inlineValue === false && isOption.test(value))) {
    throw new Refusal(`it needs a value. (One that begins with a dash is written --${option}=${typed[0]})`);
  }
  // A boolean means that no value follows, or only another option; for --no-... it is false.
  const [text = value] = typed;
  if (value === null || (typeof value === 'boolean' && text !== String(value)) || typeof text === 'boolean') {
    throw new Refusal('it needs a value.');
  }
  return String(text);
}

/**
 * Whether a switch is on, as `--option`, `--no-option`, `--option=yes` or `--option=no` says.
 *
 * `yo` takes the word after an option as its value, whatever the option: a directory would get lost there.
 *
 * @param value what Yeoman, or parseArgs, made of it
 * @param words the command line
 * @throws Refusal if the option was given another value, or more than once
 */
export function switchOption(option: string, value: unknown, words: readonly string[]): boolean {
  const ofOptions = words.slice(0, words.includes('--') ? words.indexOf('--') : undefined);
  const typed = ofOptions.filter(
    word => [`--${option}`, `--no-${option}`].includes(word) || word.startsWith(`--${option}=`),
  );
  if (Array.isArray(value) || typed.length > 1) throw new Refusal('give it once.');
  const said = typed[0]?.split('=').slice(1).join('=').toLowerCase();
  if (said && /^(yes|no|true|false)$/.test(said)) return said === 'yes' || said === 'true';
  const next = words[words.indexOf(`--${option}`) + 1] ?? '';
  if (
    said ||
    typed[0]?.includes('=') ||
    typeof value !== 'boolean' ||
    (words.includes(`--${option}`) && /^(yes|no|true|false)$/i.test(next))
  ) {
    throw new Refusal(
      `write --${option} or --no-${option} (or --${option}=yes, --${option}=no), and the directory before it.`,
    );
  }
  return value;
}

/** Not a number, such as -1. */
const isOption = /^-(?![\d.]|$)/;

/**
 * @param known option names without dashes
 * @param elsewhere what is said of options that are known, but not for this
 * @throws Refusal that names the first option on the command line that is not to be used, and the one that was meant
 */
export function refuseUnknownOptions(
  words: readonly string[],
  known: readonly string[],
  elsewhere: ReadonlyMap<string, string> = new Map(),
): void {
  for (const word of words) {
    if (word === '--') return;
    // A number such as -1 is a value. Texts that were pasted may have other dashes.
    const [, dashes = '', name = ''] =
      /^(-(?![\d.])|--(?:no-)?|[\u2010-\u2015\u2212]+)([^-=][^=]*)/.exec(word) ?? [];
    if (/^--no-[^=]+=/.test(word) && known.includes(name))
      throw new Refusal(`--no-${name} takes no value: write --${name} or --no-${name}.`);
    const isKnown = known.includes(name);
    const [dash = ''] = dashes;
    // Another dash begins a value, too.
    if (name === '' || (dash !== '-' && !isKnown)) continue;
    if ((isKnown && dashes.startsWith('--')) || word === '-h') continue;
    const where = elsewhere.get(name) ?? whyGone(name);
    if (where !== undefined) throw new Refusal(`--${name} ${where}`);
    throw new Refusal(
      `There is no option ${dash === '-' ? dashes.slice(0, 2) : dashes}${shown(name)}${remedyFor(name, known)}`,
    );
  }
}

function remedyFor(name: string, known: readonly string[]): string {
  if (/token/i.test(name))
    return ': "make register" in the new repository asks for tokens, and keeps them in .env.';
  const closest = closestTo(name, known);
  return `${closest ? `; did you mean --${closest}?` : '.'} See --help for all of them.`;
}

/** The known name that was meant, if one is near enough, or has it as a part. */
export function closestTo(name: string, known: readonly string[]): string | undefined {
  const isPart = (candidate: string) =>
    name.length > 1 && (candidate.startsWith(name) || candidate.split('-').includes(name));
  const [closest] = known
    // No name is much longer; a text that is would take its time.
    .map(candidate => ({ candidate, far: distance(name.toLowerCase().slice(0, 99), candidate) }))
    .filter(({ candidate, far }) => far <= Math.max(1, candidate.length / 3) || isPart(candidate))
    // Of a short one some letters have to be the same.
    .filter(({ candidate, far }) => far < candidate.length)
    .sort((one, other) => one.far - other.far);
  return closest?.candidate;
}

/** Letters to add, take away, change, or swap with the next, until one word is the other. */
function distance(one: string, other: string): number {
  let [beforeLast, last]: number[][] = [[], [...other, ''].map((_, at) => at)];
  for (const [row, letter] of [...one].entries()) {
    const current = [row + 1];
    for (const [at, against] of [...other].entries()) {
      const changed = last![at]! + (letter === against ? 0 : 1);
      const isSwapped = row > 0 && letter === other[at - 1] && one[row - 1] === against;
      const swapped = isSwapped ? beforeLast![at - 1]! + 1 : changed;
      current.push(Math.min(changed, swapped, last![at + 1]! + 1, current[at]! + 1));
    }
    [beforeLast, last] = [last, current];
  }
  return last!.at(-1)!;
}
