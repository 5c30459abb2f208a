import fc from 'fast-check';
import { parse as parseToml } from 'smol-toml';
import { describe, expect, it, vi } from 'vitest';
import { parse } from 'yaml';
import { shell, toml, typescript, yaml } from '../../generators/write/quoting.ts';
import { awkwardText } from '../support/arbitrary-answers.ts';
import { run } from '../support/rendered.ts';

// Thousands of cases; a busy machine takes its time for them.
vi.setConfig({ testTimeout: 120_000 });

/** Any text without half characters, which no file can hold. */
const text = awkwardText.filter(value => !/\p{Cs}/u.test(value));

describe('text of any kind comes back from', () => {
  it('a YAML scalar, and a YAML list', () => {
    fc.assert(
      fc.property(text, fc.array(text, { maxLength: 4 }), (value, list) => {
        const written = `a: ${yaml(value)}\nb: ${yaml(list)}\nc: [x]\n`;
        for (const version of ['1.1', '1.2'] as const) {
          expect(parse(written, { version })).toEqual({ a: value, b: list, c: ['x'] });
        }
      }),
      { numRuns: 3000 },
    );
  });

  it('a TOML string, and a TOML list', () => {
    // TOML 1.0 forbids DEL, which no answer holds.
    const withoutDel = text.filter(value => !value.includes('\u007f'));
    fc.assert(
      fc.property(withoutDel, fc.array(withoutDel, { maxLength: 4 }), fc.boolean(), (value, list, flag) => {
        const written = `a = ${toml(value)} # x\nb = ${toml(list)}\nc = ${toml(flag)}\nd = 1\n`;
        expect(parseToml(written)).toEqual({ a: value, b: list, c: flag, d: 1 });
      }),
      { numRuns: 5000 },
    );
  });

  it('a TypeScript literal', () => {
    fc.assert(
      fc.property(text, fc.array(text, { maxLength: 4 }), (value, list) => {
        expect(new Function(`return [${typescript(value)}, ${typescript(list)}]`)()).toEqual([value, list]);
      }),
      { numRuns: 5000 },
    );
  });

  it('a word of a shell command', () => {
    const values = fc.sample(text, 3000).filter(value => !value.includes('\0'));
    const { stdout, stderr } = run(
      '.',
      ['sh', '-eu'],
      values.map(value => `printf '%s\\0' ${shell(value)}\n`).join(''),
    );
    expect(stderr).toBe('');
    expect(stdout.split('\0').slice(0, -1)).toEqual(values);
  });
});
