import { diff3Merge } from 'node-diff3';

/** Lines that the owner and the generator changed, each in another way. */
export interface Conflict {
  /** The first of the owner's lines, from 1. */
  readonly line: number;
  readonly owner: readonly string[];
  readonly generated: readonly string[];
}

export interface Merged {
  /** Both changes together; of lines in conflict, those of the generator. */
  readonly text: string;
  readonly conflicts: readonly Conflict[];
}

/**
 * Brings together what the owner and the generator made of one text.
 *
 * @param base what the generator wrote before
 * @param appends whether lines that both put at the same place both stay, the owner's first: right for lists of blocks
 */
export function merge(base: string, owner: string, generated: string, appends = false): Merged {
  const conflicts: Conflict[] = [];
  // Each text ends with a line break, which would count as one more line, an empty one.
  const [a, o, b] = [owner, base, generated].map(text => text.replace(/\n$/, '').split('\n'));
  const lines = diff3Merge(a!, o!, b!).flatMap(region => {
    if (region.ok) return region.ok;
    const { a, aIndex, o, b } = region.conflict!;
    if (appends && o.length === 0) return [...a, ...b];
    conflicts.push({ line: aIndex + 1, owner: a, generated: b });
    return b;
  });
  return { text: `${lines.join('\n')}\n`, conflicts };
}
