import { diff3Merge } from 'node-diff3';
import { ended, type Together } from './together.ts';

/** What became of a text that the owner and the generator changed. */
interface Merged {
  /** Both changes together; lines that both changed, each in another way, are marked as Git marks them. */
  readonly marked: string;
  /** The same, but of those lines the generator's alone. */
  readonly forced: string;
  /** The lines of `marked`, from 1, at which such marks begin. */
  readonly conflicts: readonly number[];
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
 * @param together how lines that both put at the same place both stay; without it they are a conflict
 */
export function merge(base: string, owner: string, generated: string, together?: Together): Merged {
  const [marked, forced]: [string[], string[]] = [[], []];
  const conflicts: number[] = [];
  const [a, o, b] = [owner, base, generated].map(linesOf);
  const regions = diff3Merge(a!, o!, b!);
  for (const [at, { ok, conflict }] of regions.entries()) {
    const agreed = ok ?? joined(conflict!, regions[at + 1]?.ok, together);
    forced.push(...(agreed ?? conflict!.b));
    if (!agreed) conflicts.push(marked.length + 1);
    marked.push(...(agreed ?? withMarks(conflict!)));
  }
  return { marked: marked.join(''), forced: forced.join(''), conflicts };
}

/** The lines of both, where both put some at one place and they can stand together there. */
function joined(
  { a, o, b }: { a: string[]; o: string[]; b: string[] },
  after: readonly string[] = [],
  together?: Together,
): string[] | undefined {
  if (o.length > 0) return undefined;
  const following = after.find(line => !/^\s*(#.*)?$/.test(line));
  return together?.({ owner: a, generated: b, following });
}

/** The line, from 1, at which a mark of an earlier merge is still there; undefined where there is none. */
export function lineOfMarks(text: string): number | undefined {
  // Seven equals signs alone may be a heading of Markdown.
  const telling: readonly string[] = [yoursMark, beforeMark, newMark];
  const at = linesOf(text).findIndex(line => telling.includes(line.trimEnd()));
  return at < 0 ? undefined : at + 1;
}

/** The text with the generator's lines alone in place of each whole conflict that an earlier merge has marked. */
export function withNewLines(text: string): string {
  return text.replace(wholeConflict, (_, _yours: string, _before: string, generated: string) => generated);
}

/** Lines with their ends, so that a last one without an end is another than one with it. */
function linesOf(text: string): string[] {
  return text.split(/(?<=\n)/);
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
