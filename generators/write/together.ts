/** Lines that the owner and the generator both put at one place, and the line that comes after it; undefined at the end. */
interface Meeting {
  readonly owner: readonly string[];
  readonly generated: readonly string[];
  readonly following: string | undefined;
}

/** Brings both together in an order in which each means what it meant alone; undefined where there is none. */
export type Together = (meeting: Meeting) => string[] | undefined;

/** The files in which lines of both may stand at one place, by their paths. */
export const togetherIn: Readonly<Record<string, Together>> = {
  'config/config.toml': inToml,
  'scripts/settings.ts': inList,
};

/** What lines of TOML are without those that say nothing: keys up to the first header, and headers. */
function outline(lines: readonly string[]) {
  const telling = lines.map(line => line.trim()).filter(line => line !== '' && !line.startsWith('#'));
  const first = telling.findIndex(line => line.startsWith('['));
  const headers = telling.filter(line => line.startsWith('['));
  const keys = (first < 0 ? telling : telling.slice(0, first)).map(line => line.split('=')[0]!.trim());
  return { keys, headers };
}

/** A key is of the table whose header stands above it, and a table is of the [[runners]] above it. */
function inToml({ owner, generated, following }: Meeting): string[] | undefined {
  const [mine, theirs] = [outline(owner), outline(generated)];
  const isAgain = (one: string, others: readonly string[]) => one !== '[[runners]]' && others.includes(one);
  const isTwice =
    mine.keys.some(key => isAgain(key, theirs.keys)) ||
    mine.headers.some(header => isAgain(header, theirs.headers));
  // What comes after is of the table that it was of.
  const next = outline(following === undefined ? [] : [following]);
  const isCut = mine.headers.length + theirs.headers.length > 0 && next.keys.length > 0;
  if (isTwice || isCut) return undefined;
  const goBefore = (one: typeof mine, other: typeof mine) =>
    one.headers.length === 0 ||
    (other.keys.length === 0 && (!one.headers.includes('[[runners]]') || other.headers[0] === '[[runners]]'));
  if (goBefore(mine, theirs)) return [...ended(owner), ...generated];
  return goBefore(theirs, mine) ? [...ended(generated), ...owner] : undefined;
}

/** Whole entries of a list of objects, wherever in an entry the two begin. */
function inList({ owner, generated }: Meeting): string[] | undefined {
  const isWhole = (lines: readonly string[]) => {
    const text = lines.join('');
    return /^ {2}\{$/m.test(text) && text.split(/[{[]/).length === text.split(/[}\]]/).length;
  };
  const beginAlike = owner[0]?.trimEnd() === generated[0]?.trimEnd();
  return beginAlike && isWhole(owner) && isWhole(generated) ? [...ended(owner), ...generated] : undefined;
}

/** The same lines, of which the last has an end. */
export function ended(lines: readonly string[]): string[] {
  return lines.map(line => (line.endsWith('\n') ? line : `${line}\n`));
}
