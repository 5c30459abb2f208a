import { describe, expect, it } from 'vitest';
import { coverPairs, holds, pairsOf } from '../support/pairs.ts';

const values = { a: [1, 2, 3], b: [1, 2, 3], c: [1, 2], d: [1, 2], e: [1, 2], f: [1, 2] };
const seed = { a: 1, b: 1, c: 1, d: 1, e: 1, f: 1 };

describe('pairsOf', () => {
  it('gives each pair of values of two parameters once', () => {
    expect(pairsOf({ a: [1, 2], b: [3], c: [4] })).toEqual([
      ['a', 1, 'b', 3],
      ['a', 2, 'b', 3],
      ['a', 1, 'c', 4],
      ['a', 2, 'c', 4],
      ['b', 3, 'c', 4],
    ]);
    expect(pairsOf(values)).toHaveLength(9 + 2 * 4 * 6 + 6 * 4);
  });
});

describe('coverPairs', () => {
  it('covers every pair, in far fewer rows than there are combinations', () => {
    const { rows, impossible } = coverPairs(values, [seed], () => true);
    expect(impossible).toEqual([]);
    for (const pair of pairsOf(values)) {
      expect(
        rows.some(row => holds(row, pair)),
        String(pair),
      ).toBe(true);
    }
    // At least 3 * 3; all combinations are 144.
    expect(rows.length).toBeLessThan(16);
  });

  it('gives only rows that are allowed, and names the pairs that cannot be', () => {
    const isAllowed = ({ a, b, c }: Record<string, number>) => !(a === 1 && b === 2) && !(b === 3 && c === 2);
    const { rows, impossible } = coverPairs(values, [seed, { ...seed, a: 2 }], isAllowed);
    expect(impossible).toEqual([
      ['a', 1, 'b', 2],
      ['b', 3, 'c', 2],
    ]);
    expect(rows.filter(row => !isAllowed(row))).toEqual([]);
    for (const pair of pairsOf(values)) {
      const isOpen = impossible.some(one => String(one) === String(pair));
      expect(rows.some(row => holds(row, pair))).toBe(!isOpen);
    }
  });

  it('begins where a pair can be, if not every beginning allows it', () => {
    // f = 2 is for a = 3 only.
    const isAllowed = ({ a, f }: Record<string, number>) => f === 1 || a === 3;
    const { impossible } = coverPairs(values, [seed, { ...seed, a: 3 }], isAllowed);
    expect(impossible).toEqual([
      ['a', 1, 'f', 2],
      ['a', 2, 'f', 2],
    ]);
  });

  it('always gives the same rows', () => {
    const once = coverPairs(values, [seed], () => true);
    expect(coverPairs(values, [seed], () => true)).toEqual(once);
  });
});
