import { diff3Merge, diffIndices } from 'node-diff3';
import { ended, type Together } from './together.ts';

// Beside this file, for both are loaded only where a text was changed.
export { togetherFor } from './together.ts';

/** Lines of a text, the first of which is 1. */
export interface Lines {
  readonly line: number;
  readonly count: number;
}

/** What became of a text that the owner and the generator changed. */
interface Merged {
  /** Both changes together; lines that both changed, each in another way, are marked as Git marks them. */
  readonly marked: string;
  /** The same, but of those lines the generator's alone. */
  readonly forced: string;
  /** The lines of `marked`, from 1, at which such marks begin. */
  readonly conflicts: readonly number[];
  /** Lines of the owner's text that are theirs, and that `forced` has not, for they are in conflict. */
  readonly lost: readonly Lines[];
}

const [yoursMark, beforeMark, betweenMark, newMark] = [
  '<<<<<<< yours',
  '||||||| before',
  '=======',
  '>>>>>>> new',
] as const;

/** The lines of one side, up to the next mark; of the four marks the last may end the text. */
const side = String.raw`[ \t\r]*\n((?:(?!<<<<<<< yours)[^\n]*\n)*?)`;
const marks = [yoursMark, beforeMark, betweenMark, newMark].map(mark => mark.replaceAll('|', '[|]'));
const wholeConflict = new RegExp(String.raw`^${marks.join(side)}[ \t\r]*(?:\n|$)`, 'gm');

/**
 * Brings together what the owner and the generator made of one text.
 *
 * @param base what the generator wrote before
 * @param together how what both changed at the same place both stays; without it that is a conflict
 */
export function merge(base: string, owner: string, generated: string, together?: Together): Merged {
  const [marked, forced]: [string[], string[]] = [[], []];
  const conflicts: number[] = [];
  const lost: Lines[] = [];
  const [a, o, b] = [owner, base, generated].map(linesOf);
  const regions = diff3Merge(a!, o!, b!);
  for (const [at, { ok, conflict }] of regions.entries()) {
    const agreed = ok ?? joined(conflict!, [regions.slice(0, at), regions.slice(at + 1)], together);
    forced.push(...(agreed ?? conflict!.b));
    if (!agreed) {
      conflicts.push(marked.length + 1);
      lost.push(...linesBeside(conflict!.a, conflict!.o, conflict!.aIndex + 1));
    }
    marked.push(...(agreed ?? withMarks(conflict!)));
  }
  return { marked: marked.join(''), forced: forced.join(''), conflicts, lost };
}

/** Where the one text has lines that the other has not. */
export const linesNotIn = (text: string, other: string): Lines[] =>
  linesBeside(linesOf(text), linesOf(other), 1);

function linesBeside(lines: readonly string[], others: readonly string[], first: number): Lines[] {
  return diffIndices([...others], [...lines]).flatMap(({ buffer2: [start, count] }) =>
    count > 0 ? [{ line: first + start, count }] : [],
  );
}

type Region = ReturnType<typeof diff3Merge<string>>[number];

/** The lines of both, where they can stand together. */
function joined(
  { a, o, b }: { a: string[]; o: string[]; b: string[] },
  [above, below]: readonly [readonly Region[], readonly Region[]],
  together?: Together,
): string[] | undefined {
  const textOf = (regions: readonly Region[]) =>
    regions.flatMap(({ ok, conflict }) => ok ?? conflict!.b).join('');
  const within = (lines: readonly string[]) => textOf(above) + ended(lines).join('') + textOf(below);
  return together?.({ before: o, owner: a, generated: b, after: below[0]?.ok ?? [], within });
}

/** The line, from 1, at which a mark of an earlier merge is still there; undefined where there is none. */
export function lineOfMarks(text: string): number | undefined {
  // Seven equals signs alone may be a heading of Markdown.
  const telling: readonly string[] = [yoursMark, beforeMark, newMark];
  const at = linesOf(text).findIndex(line => telling.includes(line.trimEnd()));
  return at < 0 ? undefined : at + 1;
}

/** A text without the marks of an earlier merge. */
interface Unmarked {
  /** The generator's lines alone in place of each whole conflict that is marked. */
  readonly text: string;
  /** Lines of the marked text that were the owner's there, and are not in `text`. */
  readonly lost: readonly Lines[];
  /** Lines of `text`, by those of the marked text. */
  readonly origin: (lines: Lines) => Lines;
}

/** Takes the generator's lines in place of each whole conflict that an earlier merge has marked. */
export function unmark(marked: string): Unmarked {
  const origins: number[] = [];
  const lost: Lines[] = [];
  const keep = (from: number, text: string) => {
    for (const at of linesOf(text).keys()) origins.push(from + at);
  };
  let [text, next] = ['', 0];
  for (const { 0: conflict, 1: yours = '', 2: before = '', 3: generated = '', index } of marked.matchAll(
    wholeConflict,
  )) {
    const first = countLines(marked.slice(0, index)) + 1;
    keep(countLines(marked.slice(0, next)) + 1, marked.slice(next, index));
    keep(first + countLines(yours + before) + 3, generated);
    lost.push(...linesBeside(linesOf(yours), linesOf(before), first + 1));
    text += marked.slice(next, index) + generated;
    next = index + conflict.length;
  }
  keep(countLines(marked.slice(0, next)) + 1, marked.slice(next));
  return {
    text: text + marked.slice(next),
    lost,
    origin: ({ line, count }) => ({ line: origins[line - 1] ?? line, count }),
  };
}

export const withNewLines = (marked: string): string => unmark(marked).text;

const countLines = (text: string) => text.split('\n').length - 1;

/** Lines with their ends, so that a last one without an end is another than one with it. */
function linesOf(text: string): string[] {
  return text === '' ? [] : text.split(/(?<=\n)/);
}

function withMarks({ a, o, b }: { a: string[]; o: string[]; b: string[] }): string[] {
  return [
    `${yoursMark}\n`,
    ...ended(a),
    `${beforeMark}\n`,
    ...ended(o),
    `${betweenMark}\n`,
    ...ended(b),
    `${newMark}\n`,
  ];
}
