import { isDeepStrictEqual } from 'node:util';
import { diffIndices } from 'node-diff3';
import { isMapping } from '../mapping.ts';
import { toml } from './quoting.ts';

/** One place of a text that the owner and the generator both changed. */
interface Meeting {
  /** Its lines before; none where both put theirs there. */
  readonly before: readonly string[];
  readonly owner: readonly string[];
  readonly generated: readonly string[];
  /** Lines that come after it, which both have. */
  readonly after: readonly string[];
  /** The whole text with those lines at this place, and all else as the generator has it. */
  readonly within: (lines: readonly string[]) => string;
}

/** Brings both together so that each means what it meant alone; undefined where that cannot be. */
export type Together = (meeting: Meeting) => string[] | undefined;

/** The files in which lines of both may stand at one place, by their paths, but for those of YAML. */
export const togetherIn: Readonly<Record<string, Together>> = {
  'config/config.toml': inToml,
  'scripts/settings.ts': inList,
  'README.md': inMarkdown,
  '.gitignore': inAnyOrder,
};

/** How lines of both may stand at one place of that file. */
export async function togetherFor(path: string): Promise<Together | undefined> {
  if (!/\.ya?ml$/.test(path)) return togetherIn[path];
  // Loaded here, for few runs need it.
  const { parse } = await import('yaml');
  return inYaml(text => parse(text, { logLevel: 'error' }));
}

/** Whatever order gives each key that either has alone, with its value. @param parse a reader that refuses a key twice */
function inYaml(parse: (text: string) => unknown): Together {
  return ({ before, owner, generated, within }) => {
    const read = (lines: readonly string[]) => parse(within(lines));
    try {
      const wanted = bothOf(read(before), read(owner), read(generated));
      return orders(before, owner, generated).find(lines => isReadAs(wanted, () => read(lines)));
    } catch {
      return undefined;
    }
  };
}

function isReadAs(wanted: unknown, read: () => unknown): boolean {
  try {
    return isDeepStrictEqual(read(), wanted);
  } catch {
    return false;
  }
}

/** In which ways lines that one of the two put between others can be put to what the other made of those. */
function orders(
  before: readonly string[],
  owner: readonly string[],
  generated: readonly string[],
): string[][] {
  const [mine, theirs] = [owner, generated].map(lines => linesAdded(before, lines));
  const left = linesLeft(before, owner, generated);
  // A comment at the end is of what comes after it.
  const isComment = /^\s*#/.test(owner.findLast(line => line.trim() !== '') ?? '');
  return [
    ...(mine && isComment ? inDepth(generated, mine) : []),
    ...(mine ? [...inDepth(mine, generated), ...inDepth(generated, mine)] : []),
    ...(theirs ? [...inDepth(owner, theirs), ...inDepth(theirs, owner)] : []),
    ...(left ? [left] : []),
  ];
}

/** What the owner has without the lines that the generator took away; undefined where it did more, or the owner changed one of those. */
function linesLeft(
  before: readonly string[],
  owner: readonly string[],
  generated: readonly string[],
): string[] | undefined {
  if (!linesAdded(generated, before)) return undefined;
  const removed = diffIndices([...generated], [...before]).flatMap(({ buffer2: [at, count] }) =>
    Array.from({ length: count }, (_, more) => at + more),
  );
  let [ofOwner, ofBefore] = [0, 0];
  const placeOf = new Map<number, number>();
  for (const { buffer1, buffer2 } of [
    ...diffIndices([...before], [...owner]),
    { buffer1: [before.length, 0], buffer2: [owner.length, 0] },
  ]) {
    while (ofBefore < buffer1[0]!) placeOf.set(ofBefore++, ofOwner++);
    [ofBefore, ofOwner] = [buffer1[0]! + buffer1[1]!, buffer2[0]! + buffer2[1]!];
  }
  if (!removed.every(at => placeOf.has(at))) return undefined;
  const gone = new Set(removed.map(at => placeOf.get(at)));
  return owner.filter((_, at) => !gone.has(at));
}

/** The lines that were added to those before; undefined where any of those is gone. */
function linesAdded(before: readonly string[], lines: readonly string[]): string[] | undefined {
  const changes = diffIndices([...before], [...lines]);
  const isAdded = changes.every(({ buffer1: [, removed] }) => removed === 0);
  return isAdded ? changes.flatMap(({ buffer2: [at, added] }) => lines.slice(at, at + added)) : undefined;
}

/** The one after the other; and both so that what begins at the margin comes last, by its keys. */
function inDepth(first: readonly string[], second: readonly string[]): string[][] {
  const [[head, ...sections], [otherHead, ...others]] = [sectionsOf(first), sectionsOf(second)];
  const both = sections.map(section => {
    const more = others.filter(([key]) => key === section[0]);
    return [...ended(section), ...ended(more.flatMap(([, ...lines]) => lines))];
  });
  const rest = others.filter(([key]) => !sections.some(section => section[0] === key));
  return [
    [...ended(first), ...second],
    [...ended(head), ...ended(otherHead), ...both.flat(), ...rest.flat()],
  ];
}

/** Lines up to the first key at the margin, and those from each such key on. */
function sectionsOf(lines: readonly string[]): [string[], ...string[][]] {
  const sections: [string[], ...string[][]] = [[]];
  for (const line of lines) {
    if (/^[^\s#]/.test(line)) sections.push([line]);
    else sections.at(-1)!.push(line);
  }
  return sections;
}

const absent = Symbol('no such key');

/** Keys of docker-compose.yml that say nothing but which entries are below them. */
const lists = ['services', 'networks', 'volumes', 'configs', 'secrets'];

/** What the changes of both give together. @throws Error if both changed one value, each in another way */
function bothOf(before: unknown, owner: unknown, generated: unknown, depth = 0): unknown {
  if (isDeepStrictEqual(owner, before) || isDeepStrictEqual(owner, generated)) return generated;
  if (isDeepStrictEqual(generated, before)) return owner;
  const all = [before, owner, generated];
  if (!all.every(isMapping)) throw new Error('Both changed one value.');
  const names = [...new Set(all.flatMap(one => Object.keys(one)))];
  const values = names.map(name => {
    const [old, mine, theirs] = all.map(one => (Object.hasOwn(one, name) ? one[name] : absent));
    const isList = depth === 0 && lists.includes(name) && isMapping(mine) && isMapping(theirs);
    return [name, bothOf(old === absent && isList ? {} : old, mine, theirs, depth + 1)];
  });
  return Object.fromEntries(values.filter(([, value]) => value !== absent));
}

/** What lines of TOML are without those that say nothing: keys up to the first header, and headers. */
function outline(lines: readonly string[]) {
  const telling = lines.map(line => line.trim()).filter(line => line !== '' && !line.startsWith('#'));
  const first = telling.findIndex(line => line.startsWith('['));
  const headers = telling.filter(line => line.startsWith('['));
  const keys = (first < 0 ? telling : telling.slice(0, first)).map(line => line.split('=')[0]!.trim());
  return { keys, headers };
}

/** A key is of the table whose header stands above it, and a table is of the [[runners]] above it. */
function inToml({ before, owner, generated, after }: Meeting): string[] | undefined {
  const set = inSet(before, owner, generated);
  if (set) return set;
  // Where the one only added keys, it does not matter what the other made of those beside them.
  const isOfKeys = outline(before).headers.length === 0;
  const [added, more] = [owner, generated].map(lines => (isOfKeys ? linesAdded(before, lines) : undefined));
  if (before.length === 0 || added) return inOrder(added ?? owner, generated, after);
  if (more) return inOrder(owner, more, after);
  return isOfKeys ? linesLeft(before, owner, generated) : undefined;
}

function inOrder(
  owner: readonly string[],
  generated: readonly string[],
  after: readonly string[],
): string[] | undefined {
  const [mine, theirs] = [outline(owner), outline(generated)];
  const isAgain = (one: string, others: readonly string[]) => one !== '[[runners]]' && others.includes(one);
  const isTwice =
    mine.keys.some(key => isAgain(key, theirs.keys)) ||
    mine.headers.some(header => isAgain(header, theirs.headers));
  // What comes after is of the table that it was of.
  const next = outline(after.filter(line => !/^\s*(#.*)?$/.test(line)).slice(0, 1));
  const isCut = mine.headers.length + theirs.headers.length > 0 && next.keys.length > 0;
  if (isTwice || isCut) return undefined;
  const goBefore = (one: typeof mine, other: typeof mine) =>
    one.headers.length === 0 ||
    (other.keys.length === 0 && (!one.headers.includes('[[runners]]') || other.headers[0] === '[[runners]]'));
  if (goBefore(mine, theirs)) return [...ended(owner), ...generated];
  return goBefore(theirs, mine) ? [...ended(generated), ...owner] : undefined;
}

/** Lists of config.toml that mean the same in any order, by what two entries may not share: a place, or a name. */
const sets: Readonly<Record<string, (entry: string) => string>> = {
  volumes: entry => entry.split(':')[1] ?? entry,
  environment: entry => entry.split('=')[0]!,
  ...Object.fromEntries(
    ['cap_add', 'cap_drop', 'security_opt', 'extra_hosts', 'allowed_images', 'allowed_services'].map(key => [
      key,
      (entry: string) => entry,
    ]),
  ),
};

/** Where the owner changed one line alone, and that is such a list: what the generator has, with the owner's changes to the list. */
function inSet(
  before: readonly string[],
  owner: readonly string[],
  generated: readonly string[],
): string[] | undefined {
  const changed = before.flatMap((line, at) => (line === owner[at] ? [] : [at]));
  if (owner.length !== before.length || changed.length !== 1) return undefined;
  const [old, mine] = [before, owner].map(lines => listIn(lines[changed[0]!]!));
  const at = generated.findIndex(line => old && listIn(line)?.key === old.key);
  const theirs = listIn(generated[at] ?? '');
  const nameOf = sets[old?.key ?? ''];
  if (!old || !theirs || !nameOf || mine?.key !== old.key) return undefined;
  const [added, removed] = [without(mine.list, old.list), without(old.list, mine.list)];
  const isChangedTwice = added.length > 0 && removed.some(entry => !theirs.list.includes(entry));
  const list = [...without(theirs.list, removed), ...without(added, theirs.list)];
  if (isChangedTwice || new Set(list.map(nameOf)).size < list.length) return undefined;
  return generated.with(at, `${theirs.start}${toml(list)}\n`);
}

const without = (list: readonly string[], others: readonly string[]) =>
  list.filter(entry => !others.includes(entry));

/** A list of texts that is written on one line, as the generator writes it; undefined where the line is another. */
function listIn(line: string): { start: string; key: string; list: string[] } | undefined {
  const [, start = '', key = '', text = ''] = /^(\s*(\w+)\s*=\s*)(\[.*\])\s*$/.exec(line) ?? [];
  try {
    // Of such a list TOML and JSON have one grammar, as far as the generator writes it.
    const list: unknown = JSON.parse(text);
    const isOfTexts = Array.isArray(list) && list.every(entry => typeof entry === 'string');
    return isOfTexts ? { start, key, list } : undefined;
  } catch {
    return undefined;
  }
}

/** Whole entries of a list of objects, wherever in an entry the two begin. */
function inList({ before, owner, generated }: Meeting): string[] | undefined {
  if (before.length > 0) return undefined;
  const isWhole = (lines: readonly string[]) => {
    const text = lines.join('');
    return /^ {2}\{$/m.test(text) && text.split(/[{[]/).length === text.split(/[}\]]/).length;
  };
  const beginAlike = owner[0]?.trimEnd() === generated[0]?.trimEnd();
  return beginAlike && isWhole(owner) && isWhole(generated) ? [...ended(owner), ...generated] : undefined;
}

/** Whole sections of Markdown: text is of the heading above it. */
function inMarkdown({ before, owner, generated, after }: Meeting): string[] | undefined {
  const next = after.find(line => line.trim() !== '');
  if (next !== undefined && !/^#{1,6} /.test(next)) return undefined;
  const added = (lines: readonly string[]) =>
    isDeepStrictEqual(lines.slice(0, before.length), before) ? lines.slice(before.length) : undefined;
  const [mine, theirs] = [added(owner), added(generated)];
  if (mine && isSectionAfter(mine, generated)) return [...ended(generated), ...mine];
  if (theirs && isSectionAfter(theirs, owner)) return [...ended(owner), ...theirs];
  return undefined;
}

/** Whether those lines begin with a heading that stands as high as any of the others. */
function isSectionAfter(lines: readonly string[], others: readonly string[]): boolean {
  const [levels, above] = [lines, others].map(levelsOf);
  const first = lines.find(line => line.trim() !== '') ?? '';
  return (
    /^#{1,6} /.test(first) &&
    above !== undefined &&
    levels?.[0] !== undefined &&
    levels[0] <= Math.min(...above, 6)
  );
}

/** How deep its headings are; undefined where a block of code has no end. */
function levelsOf(lines: readonly string[]): number[] | undefined {
  let isCode = false;
  const levels: number[] = [];
  for (const line of lines) {
    if (/^ {0,3}(```|~~~)/.test(line)) isCode = !isCode;
    const marks = isCode ? undefined : /^(#{1,6}) /.exec(line)?.[1];
    if (marks) levels.push(marks.length);
  }
  return isCode ? undefined : levels;
}

/** Lines of which none takes back what another says. */
function inAnyOrder({ before, owner, generated }: Meeting): string[] | undefined {
  if ([...owner, ...generated].some(line => line.startsWith('!'))) return undefined;
  const [mine, theirs] = [owner, generated].map(lines => linesAdded(before, lines));
  if (mine) return [...ended(mine), ...generated];
  return theirs && [...ended(owner), ...theirs];
}

/** The same lines, of which the last has an end. */
export function ended(lines: readonly string[]): string[] {
  return lines.map(line => (line.endsWith('\n') ? line : `${line}\n`));
}
