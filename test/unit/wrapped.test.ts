import { describe, expect, it } from 'vitest';
import { columnsOf, fitted, wrapped } from '../../generators/write/wrapped.ts';

describe('wrapped', () => {
  it.each([
    ['one two three', 7, '', ['one two', 'three']],
    ['one two three', 8, '', ['one two', 'three']],
    ['  create one, two', 14, '    ', ['  create one,', '    two']],
    ['a much-longer-word b', 4, '', ['a', 'much-longer-word', 'b']],
    ['  much-longer', 4, '    ', ['  much-longer']],
    ['', 4, '', ['']],
    ['one  two', 80, '', ['one  two']],
    ['one two three', Number.POSITIVE_INFINITY, '', ['one two three']],
  ])('breaks %j at spaces, for %d characters', (text, columns, indent, lines) => {
    expect(wrapped(text, columns, indent)).toEqual(lines);
  });

  it.each([
    ['a sentence', 'one two three', ['one two', 'three']],
    ['an entry of a list, below its own words', '  - one two three', ['  - one', '    two', '    three']],
    ['a command as it is, to be copied', '  make up and down', ['  make up and down']],
    ['what has lines already as it is', 'one two\n  three', ['one two\n  three']],
  ])('puts %s on a screen', (_, text, lines) => {
    expect(fitted(text, 8)).toEqual(lines);
  });

  it('fits a terminal, and is for nothing else', () => {
    const stream = (isTTY: boolean) => ({ isTTY, columns: 80 }) as NodeJS.WriteStream;
    expect([columnsOf(stream(true)), columnsOf(stream(false))]).toEqual([80, Number.POSITIVE_INFINITY]);
  });
});
