import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { describe, expect, it } from 'vitest';
import { duration } from '../../bench/executors/page.ts';
import { defaults, enoughHosts, figures, hosts } from '../../bench/executors/scenarios.ts';
import { files, readOptions } from '../../bench/executors/simulate.ts';

describe('npm run simulate', () => {
  it('gives the files of docs/ as they are', () => {
    for (const [file, text] of files())
      expect([basename(file.pathname), readFileSync(file, 'utf8')]).toEqual([basename(file.pathname), text]);
  }, 120_000);

  it('takes each assumption by its name, and leaves the others', () => {
    expect(readOptions([])).toEqual(defaults);
    const changed = readOptions(['--price-host', '0.25', '--hosts=7', '--idle-count', '0']);
    expect(changed).toEqual({ ...defaults, 'price-host': 0.25, hosts: 7, 'idle-count': 0 });
  });

  it.each([
    ['--hosts', '0'],
    ['--hosts', '1.5'],
    ['--price-host', 'x'],
    ['--price-host', ''],
    ['--boot', 'Infinity'],
    ['--no-such', '1'],
  ])('refuses %s "%s"', (...words) => {
    expect(() => readOptions(words)).toThrow(words[0]);
  });
});

describe('the figures', () => {
  it('have the price that is asked for: a host costs as much with one job as with many', () => {
    const given = { ...defaults, days: 1, 'price-host': 2 };
    for (const load of [10, 50]) expect(figures(given, hosts(given, 3), load).cost).toBe(3 * 24 * 2);
  });

  it('name the fewest hosts that keep a wait', () => {
    const given = { ...defaults, days: 1 };
    const most = (count: number) => figures(given, hosts(given, count), 200).most;
    const found = enoughHosts(given, 200, 60).executor.managers.length;
    expect(most(found)).toBeLessThanOrEqual(60);
    expect(most(found - 1)).toBeGreaterThan(60);
  });
});

describe('a duration', () => {
  it.each([
    [0.4, '0 s'],
    [99, '99 s'],
    [150, '3 min'],
    [36_000, '10 h'],
  ])('of %d s is %s', (seconds, words) => {
    expect(duration(seconds)).toBe(words);
  });
});
