import { diff3Merge } from 'node-diff3';

/** What became of a text that the owner and the generator changed. */
interface Merged {
  /** Both changes together; lines that both changed, each in another way, are marked as Git marks them. */
  readonly marked: string;
  /** The same, but of those lines the generator's alone. */
  readonly forced: string;
  /** The lines of `marked`, from 1, at which such marks begin. */
  readonly conflicts: readonly number[];
}

const yoursMark = '<<<<<<< yours';

/**
 * Brings together what the owner and the generator made of one text.
 *
 * @param base what the generator wrote before
 * @param appends whether lines that both put at the same place both stay, the owner's first: right for lists of blocks
 */
export function merge(base: string, owner: string, generated: string, appends = false): Merged {
  const [marked, forced]: [string[], string[]] = [[], []];
  const conflicts: number[] = [];
  const [a, o, b] = [owner, base, generated].map(linesOf);
  for (const { ok, conflict } of diff3Merge(a!, o!, b!)) {
    const agreed =
      ok ?? (appends && conflict!.o.length === 0 ? [...ended(conflict!.a), ...conflict!.b] : null);
    forced.push(...(agreed ?? conflict!.b));
    if (!agreed) conflicts.push(marked.length + 1);
    marked.push(...(agreed ?? marks(conflict!)));
  }
  return { marked: marked.join(''), forced: forced.join(''), conflicts };
}

/** The line, from 1, at which the marks of an earlier merge are still there; undefined where there are none. */
export function lineOfMarks(text: string): number | undefined {
  const at = linesOf(text).findIndex(line => line.trimEnd() === yoursMark);
  return at < 0 ? undefined : at + 1;
}

/** Lines with their ends, so that a last one without an end is another than one with it. */
function linesOf(text: string): string[] {
  return text.split(/(?<=\n)/);
}

function marks({ a, o, b }: { a: string[]; o: string[]; b: string[] }): string[] {
  return [
    `${yoursMark}\n`,
    ...ended(a),
    '||||||| before\n',
    ...ended(o),
    '=======\n',
    ...ended(b),
    '>>>>>>> new\n',
  ];
}

/** The same lines, of which the last has an end. */
function ended(lines: readonly string[]): string[] {
  return lines.map(line => (line.endsWith('\n') ? line : `${line}\n`));
}
