import {
  mkdirSync,
  readdirSync,
  readFileSync,
  statfsSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import {
  type AnswerName,
  answerNames,
  questions,
  type TypedAnswers,
  typedAnswers,
} from '../../generators/ask/questions.ts';
import GitLabRunnerDockerRunner from '../../generators/runner/index.ts';
import { blobId } from '../../generators/write/git.ts';
import { generatorVersion } from '../../generators/write/saved-answers.ts';
import { riskOf } from '../../generators/write/summary.ts';
import { allScenarios, answersWith, beside, otherAnswers } from '../support/answers.ts';
import { planWith, renderAll } from '../support/rendered.ts';
import { newFolder, runGenerator, textsBelow } from '../support/run-generator.ts';

vi.mock('node:fs', async importOriginal => {
  const original = await importOriginal<typeof import('node:fs')>();
  return { ...original, statfsSync: vi.fn(original.statfsSync) };
});

afterEach(() => {
  vi.resetAllMocks();
});

/** The answers as options, as yo hands them over. */
const optionsFor = (typed: TypedAnswers): Record<string, unknown> =>
  Object.fromEntries(
    answerNames
      .filter(name => typed[name] !== undefined)
      .map(name => [questions[name].option, questions[name].yesNo ? typed[name] === 'yes' : typed[name]]),
  );

const savedIn = (folder: string): unknown =>
  JSON.parse(readFileSync(join(folder, '.yo-rc.json'), 'utf8'))['generator-gitlab-runner-docker'];

describe('a run with the defaults', () => {
  it('makes one file executable, says each file, the risk and what comes next, and saves the answers, its version and the files', async () => {
    const folder = newFolder();
    const { printed } = await runGenerator(folder);
    const paths = Object.keys(textsBelow(folder)).filter(path => path !== '.yo-rc.json');
    expect(paths.filter(path => statSync(join(folder, path)).mode & 0o111)).toEqual(['scripts/run']);
    const { can } = planWith().threats.find(({ builder }) => builder === 'socket')!;
    const lines = printed.split('\n').filter(line => !line.startsWith('    '));
    expect(lines.map(line => line.replace(/ +# .*/, ''))).toEqual([
      `In ${folder}:`,
      ...paths.sort().map(path => `  create ${path}`),
      riskOf('socket', can),
      ...['', 'Next:', '  git init', '  make doctor', '  make register', '  make up'],
    ]);
    const files = Object.fromEntries(paths.map(path => [path, blobId(readFileSync(join(folder, path)))]));
    const name = planWith({}, basename(folder)).composeProject;
    const answers = typedAnswers(answersWith());
    expect(savedIn(folder)).toEqual({ version: generatorVersion, name, ...answers, files });
  });
});

describe.each(Object.entries(allScenarios))('a run with %s', (_, typed) => {
  it('writes what the templates give, byte for byte', async () => {
    const folder = newFolder();
    await runGenerator(folder, { options: optionsFor(typed) });
    for (const [name, own] of Object.entries(typed.runners ?? {})) {
      const options = { ...optionsFor(own), ...(own.project ? { project: own.project } : {}) };
      await runGenerator(folder, { generator: GitLabRunnerDockerRunner, args: [name], options });
    }
    const { '.yo-rc.json': saved, ...written } = textsBelow(folder);
    expect(saved).toBeDefined();
    expect(written).toEqual(renderAll(typed, basename(folder)));
  });
});

describe.each<AnswerName>(answerNames)('the option for %s', name => {
  it('changes what is written and what is saved', async () => {
    const folder = newFolder();
    await runGenerator(folder, { options: optionsFor(beside[name] ?? {}) });
    const { '.yo-rc.json': savedBefore, ...before } = textsBelow(folder);
    const other = name === 'executor' ? 'kubernetes' : otherAnswers[name];
    const options = optionsFor({ ...beside[name], [name]: other });
    expect((await runGenerator(folder, { options })).refusal).toBeUndefined();
    const { '.yo-rc.json': saved, ...written } = textsBelow(folder);
    expect(saved).not.toEqual(savedBefore);
    expect(written).not.toEqual(before);
    expect(savedIn(folder)).toMatchObject({ [name]: other });
  });
});

describe('the directory', () => {
  it('is made where the argument says, names the containers, and the next steps begin there', async () => {
    const folder = newFolder();
    const { printed } = await runGenerator(folder, { args: ['new/My Runner'] });
    expect(Object.keys(textsBelow(folder)).filter(path => !path.startsWith('new/My Runner/'))).toEqual([]);
    expect(textsBelow(join(folder, 'new/My Runner'))['.env.example']).toContain(
      '\nCOMPOSE_PROJECT_NAME=my-runner\n',
    );
    expect(printed).toContain(`Next:\n  cd 'new/My Runner'\n  git init\n  make doctor`);
  });

  it.each(['007', '<%= 1 %>', '*', '$HOME', 'größe'])('may be called %s', async name => {
    const folder = newFolder();
    await runGenerator(folder, { args: [name] });
    expect(textsBelow(join(folder, name))).toHaveProperty(['.gitlab-ci.yml']);
  });
});

describe('before anything is written', () => {
  it.each<[string, Record<string, unknown>, string[], RegExp]>([
    [
      'a value that a prompt would refuse',
      { concurrent: '0' },
      [],
      /^--concurrent: .* a whole number from 1/,
    ],
    ['an option twice', { tags: ['a', 'b'] }, [], /^--tags: give it once\.$/],
    ['an option without a value', { tags: true }, [], /^--tags: it needs a value\.$/],
    [
      'a word after a switch',
      { monitoring: 'perhaps' },
      [],
      /^--monitoring: write --monitoring or --no-monitoring/,
    ],
    [
      'answers that exclude each other',
      { platforms: 'linux/arm64' },
      [],
      /^--platforms needs buildx, .* choose --docker-image docker:cli\.$/,
    ],
    [
      'an option that changes nothing',
      { 'dind-cache': 'volume' },
      [],
      /^--dind-cache is for --builder dind only/,
    ],
    [
      'the builder of 0.1.0 that let jobs out',
      { builder: 'socket-proxy' },
      [],
      /^--builder: .*\/session.*Choose buildkit/,
    ],
    ['a second directory', {}, ['b'], /^Give one directory, not 2\.$/],
  ])('refuses %s', async (_, options, more, why) => {
    const folder = newFolder();
    expect((await runGenerator(folder, { options, args: ['new', ...more] })).refusal).toMatch(why);
    expect(textsBelow(folder)).toEqual({});
  });

  it('refuses an empty text as the directory', async () => {
    const folder = newFolder();
    expect((await runGenerator(folder, { args: [''] })).refusal).toBe(
      'The directory is an empty text: leave it out, or name one.',
    );
    expect(textsBelow(folder)).toEqual({});
  });

  it('refuses a full disk', async () => {
    const folder = newFolder();
    vi.mocked(statfsSync).mockReturnValue({ bavail: 2, bsize: 4096, files: 0, ffree: 0 } as never);
    const { refusal } = await runGenerator(folder, { args: ['new'] });
    expect(refusal).toMatch(
      /^The disk that holds .* is full: free \d+ KiB there and run again; nothing was written\.$/,
    );
    expect(textsBelow(folder)).toEqual({});
  });

  it.each([
    ['file', 'file is a file, and a folder should be there: move it away, or name another directory.'],
    ['file/new', 'file is a file, and a folder should be there: move it away, or name another directory.'],
    [
      'to-file/new',
      'to-file is a file, and a folder should be there: move it away, or name another directory.',
    ],
    [
      'dangling',
      'dangling is a symbolic link to FOLDER/none, and nothing is there: take it away, or name another directory.',
    ],
    [
      'dangling/new',
      'dangling is a symbolic link to FOLDER/none, and nothing is there: take it away, or name another directory.',
    ],
    [
      'loop/new',
      'loop is a symbolic link that leads back to itself: take it away, or name another directory.',
    ],
    ['a'.repeat(300), `${'a'.repeat(300)} is longer than a name may be there: name another directory.`],
    [
      'a:b',
      'a:b: Docker takes a colon in a path for its end, so no folder of the repository could be mounted: name another directory.',
    ],
    [
      'a:b/new',
      'a:b/new: Docker takes a colon in a path for its end, so no folder of the repository could be mounted: name another directory.',
    ],
    [
      'new\nline',
      'new line has a character that cannot be seen, as the end of a line is: name another directory.',
    ],
  ])(
    'is refused in a sentence, and nothing is written or shown, where it cannot be one: %j',
    async (directory, sentence) => {
      const folder = newFolder();
      writeFileSync(join(folder, 'file'), '');
      symlinkSync('file', join(folder, 'to-file'));
      symlinkSync('none', join(folder, 'dangling'));
      symlinkSync('loop', join(folder, 'loop'));
      const before = readdirSync(folder);
      for (const options of [{}, { force: true }, { 'dry-run': true }]) {
        const { refusal, printed } = await runGenerator(folder, { args: [directory], options });
        expect(refusal).toBe(`${folder}/${sentence.replace('FOLDER', folder)} Nothing was written.`);
        expect(printed).toBe('');
      }
      expect(readdirSync(folder)).toEqual(before);
    },
  );

  it('is not the top of the machine', async () => {
    const { refusal } = await runGenerator(newFolder(), { args: ['/'], options: { 'dry-run': true } });
    expect(refusal).toBe('/ is the top of this machine: name another directory. Nothing was written.');
  });

  it.each(['c$d', 'a b', '-x', "it's", '"', 'ü', '#', '\\', '${X}', '{{x}}', '*', '<%= 1 %>', '...'])(
    'may have any other name, which no file takes for something else: %j',
    async name => {
      const folder = newFolder();
      expect(
        (await runGenerator(folder, { args: [`./${name}`], options: { builder: 'buildkit' } })).refusal,
      ).toBeUndefined();
      const plain = newFolder();
      const slug = /COMPOSE_PROJECT_NAME:-([a-z0-9-]+)\}/.exec(
        readFileSync(join(folder, name, 'docker-compose.yml'), 'utf8'),
      )?.[1];
      await runGenerator(plain, { args: [slug!], options: { builder: 'buildkit' } });
      expect(textsBelow(join(folder, name))).toEqual(textsBelow(join(plain, slug!)));
    },
  );

  it('refuses a file in the place of the directory, or of a folder in it', async () => {
    const folder = newFolder();
    writeFileSync(join(folder, 'taken'), 'x');
    expect((await runGenerator(folder, { args: ['taken'] })).refusal).toBe(
      `${join(folder, 'taken')} is a file, and a folder should be there: move it away, or name another directory. Nothing was written.`,
    );
    writeFileSync(join(folder, 'scripts'), 'x');
    expect((await runGenerator(folder)).refusal).toContain(`${join(folder, 'scripts')} is a file`);
    expect(Object.keys(textsBelow(folder))).toEqual(['scripts', 'taken']);
  });

  it('refuses a folder in the place of a file', async () => {
    const folder = newFolder();
    mkdirSync(join(folder, 'Makefile'));
    expect((await runGenerator(folder, { options: { force: true } })).refusal).toBe(
      `${join(folder, 'Makefile')} is a folder, and a file should be there: move it away and run again.`,
    );
    expect(textsBelow(folder)).toEqual({});
  });
});
