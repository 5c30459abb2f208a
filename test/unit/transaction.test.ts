import { basename, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { settle, type Write, writeAll } from '../../generators/write/transaction.ts';
import { needs } from '../support/needs.ts';
import { run, temporaryFolder } from '../support/rendered.ts';
import { textsBelow } from '../support/run-generator.ts';

/** Counts the steps that change the file system, and lets one fail; or, as where the process was killed, all from one on. */
const disk = vi.hoisted(() => {
  const works = { step: 0, code: '', isDead: false, seen: 0 };
  return {
    ...works,
    fail(step: number, code: string): void {
      Object.assign(this, works, { step, code, isDead: code === 'killed' });
    },
    /** From here on all works again. */
    mend(): void {
      Object.assign(this, works, { seen: this.seen });
    },
    begin(): void {
      this.seen += 1;
      const fails = this.step > 0 && (this.seen === this.step || (this.isDead && this.seen > this.step));
      if (fails) throw Object.assign(new Error(this.code), { code: this.code });
    },
  };
});

/** What another process does as soon as a journal was read. */
const afterJournal = vi.hoisted(() => ({ once: undefined as (() => void) | undefined }));

/** Files that are on the disk for certain, by their names. */
const flushed = vi.hoisted((): string[] => []);

vi.mock('node:fs', async importOriginal => {
  const fs = await importOriginal<typeof import('node:fs')>();
  const original: Record<string, unknown> = { ...fs };
  const steps = ['fchmod', 'fstat', 'mkdir', 'open', 'rename', 'rm', 'rmdir', 'writeFile'].map(
    name => `${name}Sync`,
  );
  const counted = steps.map(name => [
    name,
    (...args: unknown[]) => {
      disk.begin();
      return (original[name] as (...args: unknown[]) => unknown)(...args);
    },
  ]);
  const fsync = (handle: number, done: (error: Error | null) => void) => {
    fs.fsync(handle, error => {
      if (!error) flushed.push(basename(fs.readlinkSync(`/proc/self/fd/${handle}`)));
      done(error);
    });
  };
  const readFile = (...args: Parameters<typeof fs.readFileSync>) => {
    const text = fs.readFileSync(...args);
    if (String(args[0]).endsWith('journal.json')) {
      afterJournal.once?.();
      afterJournal.once = undefined;
    }
    return text;
  };
  return { ...original, ...Object.fromEntries(counted), fsync, readFileSync: readFile };
});

const original = await vi.importActual<typeof import('node:fs')>('node:fs');
const { existsSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } = original;

let folder = '';
const put = (path: string, text: string) => writeFileSync(join(folder, path), text);

/** Two changed files, one that goes, with its folder, and two new ones, of which one in a new folder. */
const before = { Makefile: 'old\n', 'README.md': 'old\n', 'gone/a': 'old\n', mine: 'mine\n' };
const after = { Makefile: 'new\n', 'README.md': 'new\n', new: 'new\n', 'a/b/c': 'new\n', mine: 'mine\n' };
const writes: Write[] = [
  { path: 'Makefile', before: 'old\n', after: 'new\n' },
  { path: 'a/b/c', before: undefined, after: 'new\n', executable: true },
  { path: 'gone/a', before: 'old\n', after: undefined },
  { path: 'new', before: undefined, after: 'new\n' },
  { path: 'README.md', before: 'old\n', after: 'new\n' },
];

/** All files and folders, but for the owner's `mine`. */
const names = () => readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort();
const namesBefore = ['Makefile', 'README.md', 'gone', 'gone/a', 'mine'];
const namesAfter = ['Makefile', 'README.md', 'a', 'a/b', 'a/b/c', 'mine', 'new'];

function begin(): void {
  folder = temporaryFolder();
  mkdirSync(join(folder, 'gone'));
  for (const [path, text] of Object.entries(before)) put(path, text);
}

beforeEach(begin);
afterEach(() => disk.mend());

/** The number of each step that such a run takes. */
const all = await (async () => {
  begin();
  disk.fail(0, '');
  await writeAll(folder, writes);
  return Array.from({ length: disk.seen }, (_, at) => at + 1);
})();

/** The last of them only take away a folder that is empty now, and what is done with. */
const tidying = 4;

describe('writeAll', () => {
  it('writes, replaces and removes, with folders that come and go, and leaves nothing else behind', async () => {
    await writeAll(folder, writes);
    expect(textsBelow(folder)).toEqual(after);
    expect(names()).toEqual(namesAfter);
    expect(statSync(join(folder, 'a/b/c')).mode & 0o111).toBe(0o111 & ~process.umask());
    expect(settle(folder, true)).toBeUndefined();
  });

  it('makes the folder, and none where there is nothing to write', async () => {
    const other = join(folder, 'x/y');
    await writeAll(other, []);
    expect(existsSync(other)).toBe(false);
    await writeAll(other, [{ path: 'a', before: undefined, after: 'new\n' }]);
    expect(textsBelow(other)).toEqual({ a: 'new\n' });
  });

  it('keeps the mode of what it replaces, and a link to it', async () => {
    original.chmodSync(join(folder, 'Makefile'), 0o640);
    original.renameSync(join(folder, 'README.md'), join(folder, 'gone/README.md'));
    symlinkSync('gone/README.md', join(folder, 'README.md'));
    await writeAll(folder, writes.slice(0, 1).concat(writes.slice(-1)));
    expect(statSync(join(folder, 'Makefile')).mode & 0o777).toBe(0o640);
    expect(original.lstatSync(join(folder, 'README.md')).isSymbolicLink()).toBe(true);
    expect(readFileSync(join(folder, 'gone/README.md'), 'utf8')).toBe('new\n');
  });

  it.skipIf(!needs(process.getuid?.() === 0, 'root'))(
    'keeps the owner and the group of what it replaces, where the user may give them',
    async () => {
      original.chownSync(join(folder, 'Makefile'), 4321, 1234);
      original.chmodSync(join(folder, 'Makefile'), 0o4750);
      await writeAll(folder, writes.slice(0, 1));
      expect(readFileSync(join(folder, 'Makefile'), 'utf8')).toBe('new\n');
      const { uid, gid, mode } = statSync(join(folder, 'Makefile'));
      expect([uid, gid, mode & 0o7777]).toEqual([4321, 1234, 0o4750]);
    },
  );

  it('lets only its owner read a secret, and Git take nothing of what a killed run leaves', async () => {
    const secret = { path: '.env', before: undefined, after: 'TOKEN=x\n', secret: true };
    await writeAll(folder, [secret]);
    expect(statSync(join(folder, '.env')).mode & 0o777).toBe(0o600);
    run(folder, ['git', 'init', '--quiet']);
    const moved = { ...secret, path: 'other.env' };
    // Each step is the last one, once.
    for (let step = 1; step < 20; step += 1) {
      disk.fail(step, 'killed');
      try {
        await writeAll(folder, [moved]);
      } catch {}
      disk.mend();
      const { stdout } = run(folder, ['git', 'status', '--porcelain', '--untracked-files=all']);
      expect(stdout.split('\n').filter(line => line.includes('gitlab-runner-docker'))).toEqual([]);
      settle(folder, true);
      original.rmSync(join(folder, 'other.env'), { force: true });
    }
  });

  it('never changes a file in place: who has it open reads on undisturbed', async () => {
    original.linkSync(join(folder, 'Makefile'), join(folder, 'gone/link'));
    await writeAll(folder, writes.slice(0, 1));
    expect(readFileSync(join(folder, 'gone/link'), 'utf8')).toBe('old\n');
  });

  it.each(writes.map(({ path }) => path))('writes nothing where somebody wrote meanwhile: %s', async path => {
    mkdirSync(join(folder, 'a/b'), { recursive: true });
    put(path, 'mine\n');
    const edited = textsBelow(folder);
    await expect(writeAll(folder, writes)).rejects.toThrow(
      `Nothing was written, for somebody changed ${path} meanwhile: run again.`,
    );
    expect(textsBelow(folder)).toEqual(edited);
  });
});

describe('where one step fails', () => {
  it.each(all)('all is as before, and the next run does it all: step %i', async step => {
    disk.fail(step, 'ENOSPC');
    let refusal = '';
    try {
      await writeAll(folder, writes);
    } catch (error) {
      refusal = (error as Error).message;
    }
    expect(disk.seen).toBeGreaterThanOrEqual(step);
    disk.mend();
    const isWritten = refusal === '';
    expect(isWritten).toBe(step > all.length - tidying);
    if (!isWritten) expect(refusal).toMatch(/^The disk that holds .* is full: .*; nothing was written\.$/);
    expect(textsBelow(folder)).toMatchObject(isWritten ? after : before);
    if (!isWritten) expect(names()).toEqual(namesBefore);
    settle(folder, true);
    if (!isWritten) await writeAll(folder, writes);
    expect(textsBelow(folder)).toEqual(after);
  });
});

describe('where the process is killed', () => {
  const kill = async (step: number) => {
    disk.fail(step, 'killed');
    try {
      await writeAll(folder, writes);
    } catch {
      // A killed process says nothing.
    }
    expect(disk.seen).toBeGreaterThanOrEqual(step);
    disk.mend();
  };

  it.each(all)(
    'the next run finds all files old or all new, and nothing else is left: before step %i',
    async step => {
      await kill(step);
      const said = settle(folder, true);
      const isNew = readFileSync(join(folder, 'Makefile'), 'utf8') === 'new\n';
      expect(textsBelow(folder)).toEqual(isNew ? after : before);
      if (said)
        expect(said).toBe('An earlier run was stopped while it wrote: all of its files are written now.');
      if (isNew) expect(names()).toEqual(namesAfter);
      expect(settle(folder, true)).toBeUndefined();
    },
  );

  it.each(all)('what the owner edits before the next run stays: before step %i', async step => {
    for (const path of ['Makefile', 'README.md', 'a/b/c', 'gone/a']) {
      begin();
      await kill(step);
      mkdirSync(join(folder, 'a/b'), { recursive: true });
      mkdirSync(join(folder, 'gone'), { recursive: true });
      put(path, 'edited\n');
      settle(folder, true);
      const { [path]: edited, ...others } = textsBelow(folder);
      expect(edited).toBe('edited\n');
      const without = (texts: Record<string, string>) =>
        Object.fromEntries(Object.entries(texts).filter(([name]) => name !== path));
      expect([without(before), without(after)]).toContainEqual(others);
    }
  });

  it.each(all)('the next run may be killed too, at any step: before step %i', async step => {
    for (let next = 1; ; next += 1) {
      begin();
      await kill(step);
      disk.fail(next, 'killed');
      try {
        settle(folder, true);
      } catch {
        // The same.
      }
      disk.mend();
      const isDone = disk.seen < next;
      settle(folder, true);
      expect([before, after]).toContainEqual(textsBelow(folder));
      if (isDone) break;
    }
  });

  it('a dry run writes nothing either, and says that there is something to finish', async () => {
    await kill(all.length - 6);
    const left = textsBelow(folder);
    expect(() => settle(folder, { without: '--dry-run' })).toThrow(
      /^An earlier run in .* was stopped while it wrote: run again without --dry-run/,
    );
    expect(textsBelow(folder)).toEqual(left);
  });
});

const sealed = () => join(folder, '.gitlab-runner-docker.new');

describe('where the power fails', () => {
  it.each(all)('no folder is sealed whose texts, old and new, are not on the disk: step %i', async step => {
    flushed.length = 0;
    disk.fail(step, 'killed');
    await writeAll(folder, writes).catch(() => undefined);
    disk.mend();
    const texts = writes.flatMap(({ before, after }, at) => [
      ...(before === undefined ? [] : [`old-${at}`]),
      ...(after === undefined ? [] : [`new-${at}`]),
    ]);
    if (existsSync(sealed())) expect(flushed.sort()).toEqual(['journal.json', ...texts].sort());
    else expect([before, after]).toContainEqual(withoutOurs(textsBelow(folder)));
  });

  const withoutOurs = (texts: Record<string, string>) =>
    Object.fromEntries(Object.entries(texts).filter(([name]) => !name.startsWith('.gitlab-runner-docker.')));
});

describe('two runs at once', () => {
  /** As a run of that process would leave the folder while it moves its files. */
  function atWork(pid: number): void {
    mkdirSync(sealed());
    writeFileSync(join(sealed(), 'journal.json'), JSON.stringify({ pid, moves: [] }));
  }

  it('the second says who is at work, and writes nothing', async () => {
    atWork(process.ppid);
    const why = `Another run, process ${process.ppid}, writes in ${folder} just now: nothing was written.`;
    expect(() => settle(folder, true)).toThrow(why);
    await expect(writeAll(folder, writes)).rejects.toThrow(why);
    expect(names().filter(name => !name.startsWith('.'))).toEqual(namesBefore);
  });

  it('the second writes nothing either where the first is just taking its folder away', async () => {
    mkdirSync(sealed());
    writeFileSync(join(sealed(), 'old-0'), '');
    await expect(writeAll(folder, writes)).rejects.toThrow(
      `Another run writes in ${folder} just now: nothing was written.`,
    );
  });

  it('a process of today that has the number of one of yesterday is not taken for it', () => {
    atWork(process.ppid);
    const yesterday = new Date(Date.now() - 86_400_000);
    original.utimesSync(sealed(), yesterday, yesterday);
    expect(settle(folder, true)).toMatch(/^An earlier run was stopped/);
    expect(existsSync(sealed())).toBe(false);
  });

  it.each([
    [
      'that leads out of the folder',
      JSON.stringify({ pid: 0, moves: [{ path: '../x', before: null, after: null }] }),
    ],
    ['that nobody can read', '{'],
  ])('a folder with a journal %s is left as it is', (_, journal) => {
    atWork(0);
    writeFileSync(join(sealed(), 'journal.json'), journal);
    const left = textsBelow(folder);
    expect(() => settle(folder, true)).toThrow(/^\.\.\/x is not in |cannot be read, and says what/);
    expect(textsBelow(folder)).toEqual(left);
  });

  it('one that ends by itself at that moment has nothing left to finish', () => {
    atWork(process.ppid);
    const left = textsBelow(folder);
    afterJournal.once = () => original.rmSync(sealed(), { recursive: true });
    expect(settle(folder, true)).toBeUndefined();
    const { '.gitlab-runner-docker.new/journal.json': _, ...files } = left;
    expect(textsBelow(folder)).toEqual(files);
  });

  it('what another run prepares is left to it', () => {
    const other = join(folder, `.gitlab-runner-docker.tmp-${process.ppid}`);
    mkdirSync(other);
    expect(settle(folder, true)).toBeUndefined();
    expect(existsSync(other)).toBe(true);
  });
});
