import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { lineOfMarks, merge, withNewLines } from '../../generators/write/merge.ts';
import { togetherIn } from '../../generators/write/together.ts';
import { needs } from '../support/needs.ts';
import { isInstalled, temporaryFolder } from '../support/rendered.ts';

const git = needs(isInstalled('git', '--version'), 'git');
const base = 'a\nb\nc\nd\ne\n';

describe('merge', () => {
  it('brings both changes together where a line lies between them', () => {
    const { marked, forced, conflicts } = merge(base, 'A\nb\nc\nd\ne\n', 'a\nb\nC\nd\ne\nf\n');
    expect({ marked, conflicts }).toEqual({ marked: 'A\nb\nC\nd\ne\nf\n', conflicts: [] });
    expect(forced).toBe(marked);
  });

  it('marks what both changed, says at which lines, and has the new lines alone beside', () => {
    const { marked, forced, conflicts } = merge(base, 'A\nb\nc\nd\nE\n', 'X\nb\nc\nd\nY\n');
    const mark = (owner: string, before: string, now: string) =>
      `<<<<<<< yours\n${owner}\n||||||| before\n${before}\n=======\n${now}\n>>>>>>> new\n`;
    expect(marked).toBe(`${mark('A', 'a', 'X')}b\nc\nd\n${mark('E', 'e', 'Y')}`);
    expect(conflicts.map(line => marked.split('\n')[line - 1])).toEqual(['<<<<<<< yours', '<<<<<<< yours']);
    expect(lineOfMarks(marked)).toBe(conflicts[0]);
    expect(forced).toBe('X\nb\nc\nd\nY\n');
  });

  it('makes no conflict of a change that both made', () => {
    expect(merge(base, 'a\nX\nc\nd\ne\n', 'a\nX\nc\nd\ne\n').conflicts).toEqual([]);
  });

  it.each([
    ['an end of the last line that the owner took away', 'a\nb\nc\nd\ne', 'A\nb\nc\nd\ne\n', 'A\nb\nc\nd\ne'],
    [
      'other ends of lines that the owner put there',
      'a\nb\nc\nd\ne\r\n',
      'A\nb\nc\nd\ne\n',
      'A\nb\nc\nd\ne\r\n',
    ],
    ['nothing of the owner', '', base, ''],
  ])('keeps %s', (_, owner, generated, expected) => {
    expect(merge(base, owner, generated)).toMatchObject({ marked: expected, conflicts: [] });
  });

  it('puts marks on lines of their own where a last line has no end', () => {
    expect(merge('a', 'b', 'c').marked).toBe(
      '<<<<<<< yours\nb\n||||||| before\na\n=======\nc\n>>>>>>> new\n',
    );
  });

  it('keeps what both put at one place only in files that say how it stands together', () => {
    const together = togetherIn['config/config.toml']!;
    const [owner, generated] = [`${base}mine = 1`, `${base}new = 2\n`];
    expect(merge(base, owner, generated, together)).toMatchObject({
      marked: `${base}mine = 1\nnew = 2\n`,
      conflicts: [],
    });
    expect(merge(base, owner, generated).conflicts).toHaveLength(1);
    expect(merge(base, 'a\nB\nc\nd\ne\n', 'a\nX\nc\nd\ne\n', together).conflicts).toHaveLength(1);
  });

  it.skipIf(!git).each([
    ['both changes', 'A\nb\nc\nd\ne\n', 'a\nb\nc\nd\nE\n'],
    ['one conflict', 'a\nb\nX\nd\ne\n', 'a\nb\nY\nd\ne\n'],
    ['neighbouring lines', 'a\nX\nc\nd\ne\n', 'a\nb\nY\nd\ne\n'],
    ['lines taken away beside changed ones', 'a\nc\nd\ne\n', 'a\nB\nc\nd\ne\n'],
  ])('marks as git merge-file does: %s', (_, owner, generated) => {
    const folder = temporaryFolder();
    const texts = { yours: owner, before: base, new: generated };
    for (const [name, text] of Object.entries(texts)) writeFileSync(join(folder, name), text);
    const words = ['merge-file', '-p', '--diff3', 'yours', 'before', 'new'];
    const { stdout } = spawnSync('git', words, { cwd: folder, encoding: 'utf8' });
    expect(merge(base, owner, generated).marked).toBe(stdout);
  });
});

it('lineOfMarks takes no other line for a mark', () => {
  for (const text of [base, '  <<<<<<< yours\n', '<<<<<<< HEAD\n', 'x\n=======\n', '']) {
    expect(lineOfMarks(text)).toBeUndefined();
  }
  expect(lineOfMarks('a\r\n<<<<<<< yours\r\n')).toBe(2);
});

describe('withNewLines', () => {
  const [owner, generated] = ['A\nb\nc\nd\nE\n', 'X\nb\nc\nd\nY\n'];

  it('gives of a marked text what a merge that takes the new lines gives', () => {
    for (const end of ['\n', '\r\n']) {
      const [ours, theirs] = [owner, generated].map(text => text.replaceAll('\n', end));
      const { marked, forced } = merge(base.replaceAll('\n', end), ours!, theirs!);
      expect(withNewLines(marked)).toBe(forced);
      expect(withNewLines(marked.replace(/\r?\n/g, end))).toBe(forced);
    }
    expect(withNewLines('<<<<<<< yours\na\n||||||| before\n=======\n>>>>>>> new')).toBe('');
  });

  it.each(['<<<<<<< yours\n', '||||||| before\n', '=======\n', '>>>>>>> new\n'])(
    'leaves a conflict as it is whose marks are not whole, and tells so: without %j',
    mark => {
      const [whole, ...others] = merge(base, owner, generated).marked.split(/(?=^b)/m);
      const text = whole!.replace(mark, '') + others.join('');
      expect(withNewLines(text)).toMatch(/^[\s\S]*\nb\nc\nd\nY\n$/);
      expect(withNewLines(text).startsWith(whole!.replace(mark, ''))).toBe(true);
      expect(lineOfMarks(withNewLines(text))).toBeDefined();
    },
  );
});
