import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { completeRunners } from '../../generators/ask/runners.ts';
import { planRepository } from '../../generators/plan/plan.ts';
import { merge } from '../../generators/write/merge.ts';
import { RepositoryWriter } from '../../generators/write/repository-writer.ts';
import { togetherFor, togetherIn } from '../../generators/write/together.ts';
import { allScenarios, answersWith, type Scenario } from '../support/answers.ts';
import { refusalIn } from '../support/refusals.ts';
import { pathsWith } from '../support/rendered.ts';
import { textsBelow } from '../support/run-generator.ts';

// Hundreds of runs; a busy machine takes its time for them.
vi.setConfig({ testTimeout: 240_000 });

const inYaml = await togetherFor('docker-compose.yml');

describe('merge', () => {
  /** A stretch of lines that nobody changed, and one that one of the two changed after it. */
  const stretch = fc.record({
    same: fc.integer({ min: 1, max: 3 }),
    before: fc.integer({ min: 0, max: 3 }),
    after: fc.integer({ min: 0, max: 3 }),
    who: fc.constantFrom('owner', 'generated'),
  });

  /** The texts of all sides, with every line another. */
  function textsOf(stretches: readonly { same: number; before: number; after: number; who: string }[]) {
    let last = 0;
    const lines = (count: number) => {
      last += count;
      return Array.from({ length: count }, (_, at) => `${last - at}\n`).join('');
    };
    const texts = { base: '', owner: '', generated: '', both: '' };
    for (const { same, before, after, who } of stretches) {
      const [unchanged, old, now] = [lines(same), lines(before), lines(after)];
      texts.base += unchanged + old;
      texts.owner += unchanged + (who === 'owner' ? now : old);
      texts.generated += unchanged + (who === 'owner' ? old : now);
      texts.both += unchanged + now;
    }
    return texts;
  }

  it('keeps every change of the owner that touches no changed line, and every new one', () => {
    fc.assert(
      fc.property(
        fc.array(stretch, { maxLength: 20 }),
        fc.constantFrom(undefined, inYaml, ...Object.values(togetherIn)),
        (stretches, together) => {
          const { base, owner, generated, both } = textsOf(stretches);
          const merged = merge(base, owner, generated, together);
          expect(merged).toEqual({ marked: both, forced: both, conflicts: [], lost: [] });
        },
      ),
      { numRuns: 2000 },
    );
  });

  /** Lines of which many are alike, as blank ones and brackets are. */
  const text = fc
    .array(fc.constantFrom('a\n', 'b\n', '\n', '}\n', 'c'), { maxLength: 12 })
    .map(lines => lines.join(''));

  it('gives the text of the one where the other changed nothing, and that of both where it is one', () => {
    fc.assert(
      fc.property(text, text, (base, changed) => {
        for (const [owner, generated] of [
          [changed, base],
          [base, changed],
          [changed, changed],
        ] as const) {
          expect(merge(base, owner, generated)).toEqual({
            marked: changed,
            forced: changed,
            conflicts: [],
            lost: [],
          });
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('loses no line of the owner, in any text: it is in the result, or among its marks', () => {
    fc.assert(
      fc.property(
        text,
        text,
        text,
        fc.constantFrom(undefined, inYaml, ...Object.values(togetherIn)),
        fc.nat(),
        (base, before, generated, together, where) => {
          const lines = before.split(/(?<=\n)/);
          lines.splice(where % (lines.length + 1), 0, 'the line of the owner\n');
          const { marked } = merge(base, lines.join(''), generated, together);
          expect(marked.split('\n').filter(line => line.endsWith('the line of the owner'))).toHaveLength(1);
        },
      ),
      { numRuns: 2000 },
    );
  });
});

/** One folder, and what somebody does in it. */
class Folder {
  readonly path = mkdtempSync(join(tmpdir(), 'my-runner-'));
  #lines = 0;

  /** @returns whether all went together */
  async run(typed: Scenario, print: (line: string) => void = () => undefined): Promise<boolean> {
    const writer = new RepositoryWriter(this.path);
    const answers = answersWith(typed);
    const runners = typed.runners ?? {};
    const repository = planRepository(answers, writer.name, completeRunners(answers, runners));
    const rules = { force: false, dryRun: false, mayWrite: undefined, print };
    const undecided = await writer.write(repository, [answers, runners], rules);
    for (const line of writer.steps(repository, this.path, undefined)) print(line);
    return undecided === undefined;
  }

  texts(): Record<string, string> {
    return textsBelow(this.path);
  }

  /** Puts a line of its own into one of the files, at one of the places; it is a comment in config.toml. */
  edit(file: number, place: number): string {
    const paths = Object.keys(this.texts()).filter(path => path !== '.yo-rc.json');
    const path = paths[file % paths.length]!;
    const lines = this.#read(path).split(/(?<=\n)/);
    this.#lines += 1;
    const line = `# line ${this.#lines} of the owner`;
    lines.splice(place % lines.length, 0, `${line}\n`);
    writeFileSync(join(this.path, path), lines.join(''));
    return line;
  }

  /** Deletes one of the files. */
  delete(file: number): string {
    const paths = Object.keys(this.texts()).filter(path => path !== '.yo-rc.json');
    const path = paths[file % paths.length]!;
    rmSync(join(this.path, path));
    return path;
  }

  /** Takes the owner's side of every conflict. */
  resolve(): void {
    for (const path of Object.keys(this.texts())) {
      const side = /<<<<<<< yours\n([\s\S]*?)\|\|\|\|\|\|\| before\n[\s\S]*?>>>>>>> new\n/g;
      writeFileSync(join(this.path, path), this.#read(path).replace(side, '$1'));
    }
  }

  #read(path: string): string {
    return readFileSync(join(this.path, path), 'utf8');
  }
}

async function inFolder(use: (folder: Folder) => Promise<void>): Promise<void> {
  const folder = new Folder();
  try {
    await use(folder);
  } finally {
    rmSync(folder.path, { recursive: true });
  }
}

const answers = fc.constantFrom<Scenario>(
  ...Object.values(allScenarios),
  ...[{ concurrent: '9' }, { tags: 'a,b' }, { logLevel: 'debug' }, { description: 'x' }, { cleanUp: 'none' }],
  { runners: { deploy: {} } },
);
/** Whole blocks of YAML may change places. */
const inAnyOrder = (texts: Record<string, string>) =>
  Object.entries(texts).map(([path, text]) => [path, /\.ya?ml$/.test(path) ? text.split('\n').sort() : text]);
const edits = fc.array(fc.tuple(fc.nat(), fc.nat()), { maxLength: 6 });

describe('runs in one folder, with edits between them', () => {
  it('lose no line of the owner, in whatever order they come', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(answers, edits), { minLength: 2, maxLength: 4 }), runs =>
        inFolder(async folder => {
          const owned: string[] = [];
          for (const [typed, places] of runs) {
            if (!(await folder.run(typed))) folder.resolve();
            const all = Object.values(folder.texts()).join('');
            for (const line of owned) expect(all).toContain(`${line}\n`);
            owned.push(...places.map(([file, place]) => folder.edit(file, place)));
          }
        }),
      ),
      { numRuns: 30 },
    );
  });

  it('write no file that the owner deleted, as long as it is wanted', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(answers, fc.nat()), { minLength: 2, maxLength: 4 }), runs =>
        inFolder(async folder => {
          let deleted: string[] = [];
          for (const [typed, file] of runs) {
            await folder.run(typed);
            const wanted = pathsWith(typed);
            deleted = deleted.filter(path => wanted.includes(path));
            const there = Object.keys(folder.texts());
            expect(there).toEqual([...wanted, '.yo-rc.json'].filter(path => !deleted.includes(path)).sort());
            deleted.push(folder.delete(file));
          }
        }),
      ),
      { numRuns: 30 },
    );
  });

  it('change nothing where the same answers are given again', async () => {
    await fc.assert(
      fc.asyncProperty(answers, edits, answers, (first, places, second) =>
        inFolder(async folder => {
          await folder.run(first);
          for (const [file, place] of places) folder.edit(file, place);
          if (!(await folder.run(second))) folder.resolve();
          const before = folder.texts();
          expect(await folder.run(second)).toBe(true);
          expect(folder.texts()).toEqual(before);
        }),
      ),
      { numRuns: 30 },
    );
  });

  it('give the same bytes again where an answer is changed, and changed back', async () => {
    let together = 0;
    await fc.assert(
      fc.asyncProperty(answers, edits, answers, (first, places, second) =>
        inFolder(async folder => {
          await folder.run(first);
          for (const [file, place] of places) folder.edit(file, place);
          const before = folder.texts();
          if (!(await folder.run(second))) return;
          if (!(await folder.run(first))) return;
          const [now, then] = [folder.texts(), before].map(inAnyOrder);
          if (isDeepStrictEqual(now, then)) together += 1;
          // A line of the owner between lines that went stays, and those come back on one side of it.
          else expect(now!.map(apart)).toEqual(then!.map(apart));
        }),
      ),
      { numRuns: 30 },
    );
    // In the others the owner and the generator changed the same lines.
    expect(together).toBeGreaterThan(8);
  });
});

/** Lines of the owner, and all others, of one file. */
function apart(file: readonly (string | string[])[]) {
  const lines = file.flat().flatMap(text => text.split('\n'));
  const isOwners = (line: string) => line.includes('of the owner');
  return { owners: lines.filter(isOwners).sort(), others: lines.filter(line => !isOwners(line)) };
}

describe('what is said after a run', () => {
  const yesNo = fc.constantFrom('yes', 'no');
  const combinations = fc
    .record({
      executor: fc.constantFrom('docker', 'docker-autoscaler', 'kubernetes'),
      builder: fc.constantFrom('socket', 'dind', 'buildkit', 'buildah'),
      hardening: fc.constantFrom('relaxed', 'standard', 'strict'),
      cache: fc.constantFrom('local', 'none', 's3'),
      cleanUp: fc.constantFrom('none', '7'),
      ...{ monitoring: yesNo, privateCa: yesNo, mirror: yesNo, renovate: yesNo },
    })
    .filter(typed => refusalIn(() => answersWith(typed)) === undefined);
  const said = async (folder: Folder, typed: Scenario, token: boolean) => {
    const lines: string[] = [];
    if (token) writeFileSync(join(folder.path, '.env'), 'RUNNER_TOKEN=x\n');
    await folder.run(typed, line => lines.push(line));
    return lines.join('\n');
  };

  it('has a word for everything, with whichever answers, and whichever were given before', async () => {
    await fc.assert(
      fc.asyncProperty(combinations, combinations, fc.boolean(), (first, second, token) =>
        inFolder(async folder => {
          for (const typed of [first, second])
            expect(await said(folder, typed, token)).not.toMatch(/undefined|\[object|NaN|null/);
        }),
      ),
      { numRuns: 60 },
    );
  });
});
