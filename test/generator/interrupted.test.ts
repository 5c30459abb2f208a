import { spawnSync } from 'node:child_process';
import { cpSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildSync } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { settle, type Write, writeAll } from '../../generators/write/transaction.ts';
import { needs } from '../support/needs.ts';
import { renderAll, run, temporaryFolder } from '../support/rendered.ts';
import { runGenerator, textsBelow } from '../support/run-generator.ts';

const pathOf = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const program = pathOf('../support/write-and-stop.mjs');

/** What is under test, as a program without the tests' tools can load it. */
const module = join(temporaryFolder(), 'transaction.mjs');
buildSync({
  entryPoints: [pathOf('../../generators/write/transaction.ts')],
  outfile: module,
  ...{ bundle: true, platform: 'node', format: 'esm' },
});

/** A repository whose clean-up goes, and whose log level changes. */
const [before, after] = [renderAll(), renderAll({ cleanUp: 'none', logLevel: 'debug', monitoring: 'yes' })];
const writes: Write[] = [...new Set([...Object.keys(before), ...Object.keys(after)])]
  .map(path => ({ path, before: before[path], after: after[path] }))
  .filter(({ before, after }) => before !== after);

async function oldRepository(): Promise<string> {
  const folder = temporaryFolder();
  await writeAll(
    folder,
    Object.entries(before).map(([path, after]) => ({ path, before: undefined, after })),
  );
  return folder;
}

/** Runs a process that gets the signal before that step; 0 is none. */
function stop(folder: string, signal: string, step: number) {
  const words = [program, module, folder, signal, String(step)];
  return spawnSync(process.execPath, words, { input: JSON.stringify(writes), encoding: 'utf8' });
}

const steps = Number(stop(await oldRepository(), 'SIGKILL', 0).stdout);

it('a process that nobody stops writes all of it', async () => {
  const folder = await oldRepository();
  expect(stop(folder, 'SIGKILL', 0)).toMatchObject({ status: 0, stderr: '' });
  expect(textsBelow(folder)).toEqual(after);
  expect(steps).toBeGreaterThan(2 * writes.length);
});

describe('kill -9', async () => {
  const folder = join(temporaryFolder(), 'my-runner');
  cpSync(await oldRepository(), folder, { recursive: true });
  const { pid: ofCopies, stdout: copied } = stop(folder, 'copies', 0);
  const everyStep = Array.from({ length: steps }, (_, at) => at + 1);
  /** What a process has left; its id is in names of folders, and in the journal. */
  const left = (folder: string, pid: number) =>
    JSON.parse(
      JSON.stringify(textsBelow(folder))
        .replaceAll(`.tmp-${pid}/`, '.tmp-PID/')
        .replaceAll(String.raw`{\"pid\":${pid},`, String.raw`{\"pid\":1,`),
    );

  it('leaves what the process had done by then', async () => {
    expect(Number(copied)).toBe(steps);
    for (const step of everyStep.filter(step => step % 10 === 1 || step === steps)) {
      const one = await oldRepository();
      const { signal, pid } = stop(one, 'SIGKILL', step);
      expect(signal).toBe('SIGKILL');
      expect(left(one, pid)).toEqual(left(`${folder}.${step}`, ofCopies));
    }
  });

  it.each(everyStep)(
    'leaves no file half written, and the next run finds all old or all new: before step %i',
    step => {
      const one = `${folder}.${step}`;
      for (const [path, text] of Object.entries(textsBelow(one))) {
        if (!path.startsWith('.gitlab-runner-docker.')) expect([before[path], after[path]]).toContain(text);
      }
      settle(one, true);
      expect([before, after]).toContainEqual(textsBelow(one));
    },
  );
});

describe('the next run of the generator', () => {
  it('first ends what was interrupted, and says so; a dry run only says so', async () => {
    const folder = await oldRepository();
    expect(stop(folder, 'SIGKILL', steps - writes.length).signal).toBe('SIGKILL');
    const left = textsBelow(folder);
    expect((await runGenerator(folder, { options: { 'dry-run': true } })).refusal).toMatch(
      /^An earlier run in .* was stopped while it wrote: run again without --dry-run/,
    );
    expect(textsBelow(folder)).toEqual(left);
    const { printed, refusal } = await runGenerator(folder);
    expect(printed).toContain('An earlier run was stopped while it wrote: all of its files are written now.');
    // What it finds then has no .yo-rc.json here.
    expect(refusal).toMatch(/^Nothing was written: .* there already, and not of this generator/);
    expect(textsBelow(folder)).toEqual(after);
  });
});

describe('Ctrl-C, and a terminal that goes away', () => {
  it.each(['SIGINT', 'SIGTERM', 'SIGHUP'])(
    'waits for the end of what is begun, at any step: %s',
    async signal => {
      for (let step = 1; step <= steps; step += 7) {
        const folder = await oldRepository();
        expect(stop(folder, signal, step)).toMatchObject({ status: 0, signal: null, stdout: `${signal}\n` });
        expect(textsBelow(folder)).toEqual(after);
      }
    },
  );
});

/** Bytes of a page of memory, by which a tmpfs counts. */
const page = 4096;
const isRoot = process.getuid?.() === 0;
const disk = temporaryFolder();
const mount = (...words: string[]) =>
  run('.', ['mount', '-t', 'tmpfs', ...words, 'tmpfs', disk]).status === 0;
const unmount = () => run('.', ['umount', disk]).status === 0;
const hasDisk = isRoot && mount('-o', 'size=1m') && unmount();

describe.skipIf(!needs(hasDisk, 'root, who may mount a tmpfs'))('a full disk', () => {
  beforeAll(() => void mount('-o', `size=${200 * page}`));
  afterAll(() => void unmount());

  it('leaves all as it was, however much of it fits, and says so; with a page more all is written', async () => {
    const filler = join(disk, 'filler');
    const folder = join(disk, 'my-runner');
    let refused = 0;
    for (let free = 0; ; free += 1) {
      for (const path of [filler, folder]) rmSync(path, { recursive: true, force: true });
      await writeAll(
        folder,
        Object.entries(before).map(([path, after]) => ({ path, before: undefined, after })),
      );
      const { bavail } = statfsSync(disk);
      if (bavail > free) writeFileSync(filler, Buffer.alloc((bavail - free) * page));
      expect(statfsSync(disk).bavail).toBe(free);
      try {
        await writeAll(folder, writes);
        break;
      } catch (error) {
        expect((error as Error).message).toMatch(
          /^The disk that holds .* is full: .*; nothing was written\.$/,
        );
      }
      expect(textsBelow(folder)).toEqual(before);
      refused += 1;
    }
    expect(textsBelow(folder)).toEqual(after);
    expect(refused).toBeGreaterThan(writes.length);
  });
});
