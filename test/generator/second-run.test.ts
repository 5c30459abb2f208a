import { chmodSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { pathsWith } from '../support/rendered.ts';
import { newFolder, runGenerator, textsBelow } from '../support/run-generator.ts';

let folder: string;
const edit = (path: string): void => writeFileSync(join(folder, path), '# mine\n');
const text = (path: string): string => readFileSync(join(folder, path), 'utf8');
const store = '.yo-rc.json';
const section = 'generator-gitlab-runner-docker';
const savedTags = (): string => JSON.parse(text(store))[section].tags;

beforeEach(async () => {
  folder = newFolder();
  await runGenerator(folder, { options: { tags: 'old' } });
});

describe('a second run with the same answers', () => {
  it('says that every file is identical, and changes nothing', async () => {
    const before = textsBelow(folder);
    const times = (): number[] => Object.keys(before).map(path => statSync(join(folder, path)).mtimeMs);
    const beforeTimes = times();
    const { announced } = await runGenerator(folder);
    expect(announced.identical.toSorted()).toEqual(pathsWith().toSorted());
    expect(textsBelow(folder)).toEqual(before);
    expect(times()).toEqual(beforeTimes);
  });

  it('leaves the permissions of files as the user set them', async () => {
    chmodSync(join(folder, 'Makefile'), 0o600);
    chmodSync(join(folder, 'scripts/run'), 0o700);
    const { announced, refusal } = await runGenerator(folder);
    expect(refusal).toBeUndefined();
    expect(announced.identical.toSorted()).toEqual(pathsWith().toSorted());
    expect(statSync(join(folder, 'Makefile')).mode & 0o777).toBe(0o600);
    expect(statSync(join(folder, 'scripts/run')).mode & 0o777).toBe(0o700);
  });
});

describe('a second run over edited files', () => {
  beforeEach(() => {
    edit('docker-compose.yml');
    edit('Makefile');
  });

  it('overwrites nothing without a terminal: one line names the files and what to do', async () => {
    const before = textsBelow(folder);
    const { refusal, announced } = await runGenerator(folder, { options: { tags: 'new' } });
    expect(refusal).toBe(
      'Nothing was written: .gitlab-ci.yml, Makefile, README.md, docker-compose.yml, scripts/settings.ts would change. Run again in a terminal to see each difference and choose, or with --force to overwrite.',
    );
    expect(announced.conflict).toEqual([]);
    expect(textsBelow(folder)).toEqual(before);
  });

  it('overwrites them with --force', async () => {
    const { refusal } = await runGenerator(folder, { options: { tags: 'new', force: true } });
    expect(refusal).toBeUndefined();
    expect(text('Makefile')).not.toContain('# mine');
    expect(text('.gitlab-ci.yml')).toContain('[new]');
    expect(savedTags()).toBe('new');
  });

  it.each([
    ['--dry-run', { dryRun: true, 'dry-run': true }, undefined],
    ['--dry-run --force', { dryRun: true, 'dry-run': true, force: true }, undefined],
    ['--bail', { bail: true }, 'Process aborted by conflict: '],
    ['--bail --force', { bail: true, force: true }, 'Process aborted by conflict: '],
  ])('writes nothing with %s, and saves nothing', async (_, options, error) => {
    const before = textsBelow(folder);
    const { refusal } = await runGenerator(folder, { options: { ...options, tags: 'new' } });
    if (error) expect(refusal).toContain(error);
    else expect(refusal).toBeUndefined();
    expect(textsBelow(folder)).toEqual(before);
  });

  it('asks about each in a terminal, and writes those that the user agrees to', async () => {
    const { announced } = await runGenerator(folder, {
      options: { terminal: true, defaults: true },
      answers: { action: 'write' },
    });
    expect(announced.conflict).toEqual(['Makefile', 'docker-compose.yml']);
    expect(text('Makefile')).not.toContain('# mine');
    expect(text('docker-compose.yml')).not.toContain('# mine');
  });

  it('keeps what the user keeps, and saves answers that do not show there', async () => {
    const { printed } = await runGenerator(folder, {
      options: { terminal: true, defaults: true, 'run-untagged': true },
      answers: { action: keepOnly('Makefile', 'docker-compose.yml') },
    });
    expect(text('Makefile')).toBe('# mine\n');
    expect(text('docker-compose.yml')).toBe('# mine\n');
    expect(text('scripts/settings.ts')).toContain('runUntagged: true');
    expect(JSON.parse(text(store))[section].runUntagged).toBe('yes');
    expect(printed).not.toContain('not saved');
  });
});

/** Answers Yeoman's question about a conflict: keeps these files, and overwrites all others. */
const keepOnly =
  (...kept: string[]) =>
  (conflict: { relativeFilePath: string }): string =>
    kept.includes(conflict.relativeFilePath) ? 'skip' : 'write';

describe('answers', () => {
  const inTerminal = { terminal: true, defaults: true };

  it('are not saved where a kept file shows the old ones, and a line says so', async () => {
    const { printed } = await runGenerator(folder, {
      options: { ...inTerminal, tags: 'new' },
      answers: { action: keepOnly('.gitlab-ci.yml') },
    });
    expect(printed).toContain(
      'Your answers were not saved, because .gitlab-ci.yml kept what earlier answers gave.',
    );
    expect(text('scripts/settings.ts')).toContain("['new']");
    expect(savedTags()).toBe('old');
  });

  it('are not saved where the user aborts', async () => {
    const { refusal } = await runGenerator(folder, {
      options: { ...inTerminal, tags: 'new' },
      answers: { action: 'abort' },
    });
    expect(refusal).toBe('Process aborted by user');
    expect(savedTags()).toBe('old');
  });

  it('are not saved by a first run of which the user keeps nothing', async () => {
    const other = newFolder();
    for (const path of pathsWith().filter(path => !path.includes('/'))) {
      writeFileSync(join(other, path), 'mine\n');
    }
    const { refusal } = await runGenerator(other, { options: { tags: 'new' } });
    expect(refusal).toMatch(/^Nothing was written: /);
    expect(textsBelow(other)).not.toHaveProperty([store]);
  });

  it('of other generators stay', async () => {
    writeFileSync(
      join(folder, store),
      JSON.stringify({ ...JSON.parse(text(store)), 'generator-x': { a: 1 } }),
    );
    await runGenerator(folder, { options: { tags: 'new', force: true } });
    expect(JSON.parse(text(store))['generator-x']).toEqual({ a: 1 });
    expect(savedTags()).toBe('new');
  });
});

describe('a second run with other answers', () => {
  const next = '\nNext:\n  make doctor\n  make register\n  make up';

  it('says what brings the change to a runner that is registered already', async () => {
    const { printed } = await runGenerator(folder, { options: { concurrent: '9', force: true } });
    expect(printed).toBe(
      `\nChanged since the last time:\n  make apply   # config.toml follows, without registering anew; running jobs go on\n${next}`,
    );
  });

  it('names the files that are not used any more, as long as they are there', async () => {
    const { printed } = await runGenerator(folder, { options: { builder: 'buildah', force: true } });
    expect(printed).toContain('\n  git rm scripts/socket.ts   # not used any more\n');
    expect(textsBelow(folder)).toHaveProperty(['scripts/buildah.ts']);
    rmSync(join(folder, 'scripts/buildah.ts'));
    const back = await runGenerator(folder, { options: { builder: 'socket', force: true } });
    expect(back.printed).toContain('make apply');
    expect(back.printed).not.toContain('git rm');
  });

  it('says nothing of that where they change no more than the files', async () => {
    const { printed } = await runGenerator(folder, { options: { registry: 'r.example.com', force: true } });
    expect(printed).toBe(next);
  });

  it('refuses what does not go with an answer of the run before', async () => {
    const before = textsBelow(folder);
    const { refusal } = await runGenerator(folder, { options: { platforms: 'linux/arm64', force: true } });
    expect(refusal).toContain('--platforms needs buildx, which docker:stable');
    expect(textsBelow(folder)).toEqual(before);
  });
});

describe('a .yo-rc.json that holds nothing usable', () => {
  const store2 = (saved: unknown): void => {
    writeFileSync(
      join(folder, store),
      typeof saved === 'string' ? saved : JSON.stringify({ [section]: saved }),
    );
  };

  it.each([
    ['a bad value', { concurrent: 'many' }, '"concurrent" in .yo-rc.json: The number'],
    ['a value of the wrong kind', { description: {} }, '"description" is not text'],
    ['answers that are no object', 'null', 'it is not a JSON object'],
    ['broken JSON', '{', 'it is not valid JSON'],
  ])('is refused by a sentence that says what to do: %s', async (_, saved, why) => {
    store2(saved);
    const before = textsBelow(folder);
    const { refusal } = await runGenerator(folder, { options: { force: true } });
    expect(refusal).toContain(why);
    expect(refusal).toMatch(/ [Mm]end it.*\.$|: mend it.*\.$/);
    expect(textsBelow(folder)).toEqual(before);
  });

  it('is mended by an option', async () => {
    store2({ concurrent: 'many', tags: 'old' });
    const { refusal } = await runGenerator(folder, { options: { concurrent: '5', force: true } });
    expect(refusal).toBeUndefined();
    expect(JSON.parse(text(store))[section]).toMatchObject({ concurrent: '5', tags: 'old' });
  });

  it('is mended by a prompt, also where the user keeps an edited file', async () => {
    edit('Makefile');
    store2({ concurrent: 'many', tags: 'old' });
    const { refusal } = await runGenerator(folder, {
      options: { terminal: true },
      answers: { concurrent: '5', action: keepOnly('Makefile') },
    });
    expect(refusal).toBeUndefined();
    expect(text('Makefile')).toBe('# mine\n');
    expect(JSON.parse(text(store))[section]).toMatchObject({ concurrent: '5', tags: 'old' });
  });
});
