import { chmodSync, mkdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import GitLabRunnerDockerRunner from '../../generators/runner/index.ts';
import { newFolder, runGenerator, textsBelow } from '../support/run-generator.ts';

const store = '.yo-rc.json';
const section = 'generator-gitlab-runner-docker';
let folder: string;
const text = (path: string): string => readFileSync(join(folder, path), 'utf8');
const put = (path: string, content: string): void => writeFileSync(join(folder, path), content);
const edit = (path: string, from: string | RegExp, to: string): void => {
  expect(text(path)).toMatch(from);
  put(path, text(path).replace(from, to));
};
const saved = () => JSON.parse(text(store))[section];
const save = (answers: unknown): void => put(store, JSON.stringify({ [section]: answers }));

/** Runs the generator and expects that it refuses, and writes nothing. */
async function refused(options: Record<string, unknown> = {}): Promise<string> {
  const before = textsBelow(folder);
  const { refusal } = await runGenerator(folder, { options });
  expect(textsBelow(folder)).toEqual(before);
  return refusal ?? 'not refused';
}

beforeEach(async () => {
  folder = newFolder();
  mkdirSync(join(folder, '.git'));
  await runGenerator(folder, { options: { tags: 'old' } });
});

describe('a second run', () => {
  it('with the same answers touches no file, and leaves permissions as the user set them', async () => {
    chmodSync(join(folder, 'scripts/run'), 0o700);
    const times = () => Object.keys(textsBelow(folder)).map(path => statSync(join(folder, path)).mtimeMs);
    const before = times();
    const { printed } = await runGenerator(folder);
    expect(printed).toBe('\nNext:\n  make doctor\n  make register\n  make up');
    expect(times()).toEqual(before);
    await runGenerator(folder, { options: { platforms: 'linux/arm64', 'docker-image': 'docker:cli' } });
    expect(statSync(join(folder, 'scripts/run')).mode & 0o777).toBe(0o700);
  });

  it('brings together what the owner changed and what the new answers change', async () => {
    edit('config/config.toml', 'oom_score_adjust = 500', 'oom_score_adjust = 700');
    edit('README.md', /$/, '\nOurs.\n');
    const { refusal, printed } = await runGenerator(folder, { options: { concurrent: '9' } });
    expect(refusal).toBeUndefined();
    expect(printed).toContain('merge config/config.toml: your changes and the new ones');
    expect(text('config/config.toml')).toMatch(/concurrent = 9\n[\s\S]*oom_score_adjust = 700/);
    expect(text('README.md')).toMatch(/Ours\.\n$/);
    expect(saved().concurrent).toBe('9');
  });

  it('leaves away what the owner took away, and writes all where nothing is left', async () => {
    rmSync(join(folder, 'example/Dockerfile'));
    await runGenerator(folder, { options: { tags: 'new', force: true } });
    expect(textsBelow(folder)).not.toHaveProperty(['example/Dockerfile']);
    for (const path of Object.keys(textsBelow(folder))) if (path !== store) rmSync(join(folder, path));
    await runGenerator(folder);
    expect(textsBelow(folder)).toHaveProperty(['example/Dockerfile']);
  });

  it('says which answers of 0.1.0 are not used any more', async () => {
    save({ ...saved(), pullPolicy: 'always', backup: 'no' });
    const { printed } = await runGenerator(folder);
    expect(printed).toContain('Not used any more, of the answers in .yo-rc.json: pullPolicy, backup.');
    expect(saved()).not.toHaveProperty('backup');
  });

  it('leaves the answers of other generators alone', async () => {
    put(store, JSON.stringify({ ...JSON.parse(text(store)), 'generator-x': { a: 1 } }));
    await runGenerator(folder, { options: { tags: 'new' } });
    expect(JSON.parse(text(store))).toMatchObject({ 'generator-x': { a: 1 }, [section]: { tags: 'new' } });
  });
});

describe('where the owner and the new answers changed the same lines', () => {
  beforeEach(() => {
    edit('scripts/settings.ts', "tags: ['old']", "tags: ['mine']");
    edit('scripts/settings.ts', 'locked: true', 'locked: false');
  });

  it('nothing is written: the lines of both are shown', async () => {
    const before = textsBelow(folder);
    const { refusal, printed } = await runGenerator(folder, { options: { tags: 'new' } });
    expect(refusal).toMatch(
      /^Nothing was written, for you and the new answers changed the same lines: scripts\/settings\.ts\. .*--force/,
    );
    expect(printed).toMatch(
      /conflict scripts\/settings\.ts, line \d+:\n +yours: +tags: \['mine'\],\n +new: +tags: \['new'\],/,
    );
    expect(textsBelow(folder)).toEqual(before);
  });

  it('--force takes the new ones, and keeps all other changes', async () => {
    await runGenerator(folder, { options: { tags: 'new', force: true } });
    expect(text('scripts/settings.ts')).toContain("tags: ['new'],");
    expect(text('scripts/settings.ts')).toContain('locked: false,');
  });

  it('another version, whose texts are not known, replaces nothing without --force', async () => {
    save({ ...saved(), version: '0.1.9' });
    expect(await refused()).toMatch(/^Nothing was written, for version 0\.1\.9 of this generator wrote them/);
    await runGenerator(folder, { options: { force: true } });
    expect(text('scripts/settings.ts')).toContain("tags: ['old']");
    expect(saved().version).not.toBe('0.1.9');
  });
});

describe('--dry-run', () => {
  it('shows the lines that go and come, and writes nothing', async () => {
    const before = textsBelow(folder);
    const { printed, refusal } = await runGenerator(folder, {
      options: { 'dry-run': true, 'log-level': 'debug' },
    });
    expect(refusal).toBeUndefined();
    expect(printed).toContain(
      '  change config/config.toml\n      - log_level = "info"\n      + log_level = "debug"',
    );
    expect(textsBelow(folder)).toEqual(before);
  });
});

describe("a folder with the owner's own files", () => {
  const own = {
    Makefile: 'all:\n',
    'README.md': '# Mine\n',
    '.gitignore': '*.o\n',
    'docker-compose.yml': 'services: {}\n',
  };

  beforeEach(() => {
    folder = newFolder();
    for (const [path, content] of Object.entries(own)) put(path, content);
  });

  it('is asked for in one question, whose default and whose abort write nothing at all', async () => {
    for (const answers of [{}, { replace: false }]) {
      const { asked, refusal } = await runGenerator(folder, { options: { terminal: true }, answers });
      expect(asked.filter(name => name === 'replace')).toHaveLength(1);
      expect(refusal).toBe('Nothing was written.');
      expect(textsBelow(folder)).toEqual(own);
    }
  });

  it('is replaced where the owner agrees, or by --force', async () => {
    const { refusal } = await runGenerator(folder, {
      options: { terminal: true },
      answers: { replace: true },
    });
    expect(refusal).toBeUndefined();
    expect(text('Makefile')).not.toBe(own.Makefile);
    put('Makefile', own.Makefile);
    rmSync(join(folder, store));
    await runGenerator(folder, { options: { force: true } });
    expect(text('Makefile')).not.toBe(own.Makefile);
  });

  it('is refused without a terminal, and with --defaults, which asks nothing', async () => {
    for (const options of [{}, { terminal: true, defaults: true }]) {
      expect(await refused(options)).toBe(
        'Nothing was written: .gitignore, Makefile, README.md, docker-compose.yml are there already, and not of this generator. Move away what you need, or run with --force to replace all of it.',
      );
    }
  });

  it.each([
    ['a folder of it', 'scripts', true],
    ['a file of it', 'Makefile', true],
    ['the saved answers', store, true],
    ['a file that is not there', '.env.example', false],
  ])('is refused where a symbolic link leads out of it: %s', async (_, path, exists) => {
    const outside = newFolder();
    if (exists) writeFileSync(join(outside, 'target'), '{}');
    rmSync(join(folder, path), { force: true });
    symlinkSync(join(outside, exists && path === 'scripts' ? '.' : 'target'), join(folder, path));
    expect(await refused({ force: true })).toMatch(
      new RegExp(`^${path} is a symbolic link to .*: nothing was written\\.`),
    );
    expect(Object.keys(textsBelow(outside))).toEqual(exists ? ['target'] : []);
  });

  it('may have a link that stays in it', async () => {
    put('Makefile.mine', 'x');
    rmSync(join(folder, 'Makefile'));
    symlinkSync('Makefile.mine', join(folder, 'Makefile'));
    await runGenerator(folder, { options: { force: true } });
    expect(text('Makefile.mine')).toBe(text('Makefile'));
    expect(text('Makefile.mine')).not.toBe('x');
  });
});

describe('config/config.toml', () => {
  it.each(['token = "glrt-abc"', "token = 'x'", 'token = ""'])(
    'that holds a token is never replaced: %s',
    async line => {
      edit('config/config.toml', 'token = "${RUNNER_TOKEN}"', line);
      const refusal = await refused({ force: true });
      expect(refusal).toMatch(/^config\/config\.toml holds the token of a runner, and is never replaced/);
      expect(refusal).toContain('  sudo mv config/config.toml "$HOME/"');
    },
  );

  it('that would be no TOML is not written', async () => {
    edit('config/config.toml', 'executor = "docker"', 'executor = ');
    expect(await refused({ concurrent: '9' })).toMatch(
      /^config\/config\.toml would be no TOML with your changes/,
    );
  });

  it('keeps what the owner added at its end where a runner is added after it', async () => {
    put('config/config.toml', `${text('config/config.toml')}    dns = ["10.0.0.1"]\n`);
    const { refusal } = await runGenerator(folder, { generator: GitLabRunnerDockerRunner, args: ['deploy'] });
    expect(refusal).toBeUndefined();
    expect(text('config/config.toml')).toMatch(
      /dns = \["10\.0\.0\.1"\]\n\n\[\[runners\]\]\n {2}name = "deploy"/,
    );
  });
});

describe('a .yo-rc.json that holds nothing usable', () => {
  it.each([
    ['a bad value', { concurrent: 'many' }, '"concurrent" in .yo-rc.json: The number'],
    [
      'the builder that is gone',
      { builder: 'socket-proxy' },
      '"builder" in .yo-rc.json: The builder socket-proxy is gone',
    ],
    ['a value of the wrong kind', { description: {} }, '"description" is not text'],
    ['answers that are no object', [], '"generator-gitlab-runner-docker" is not an object'],
  ])('is refused by a sentence that says what to do: %s', async (_, answers, why) => {
    save(answers);
    const refusal = await refused({ force: true });
    expect(refusal).toContain(why);
    expect(refusal).toMatch(/ [Mm]end it.*\.$/);
  });

  it('is mended by an option', async () => {
    save({ ...saved(), concurrent: 'many' });
    expect(
      (await runGenerator(folder, { options: { concurrent: '5', force: true } })).refusal,
    ).toBeUndefined();
    expect(saved()).toMatchObject({ concurrent: '5', tags: 'old' });
  });
});
