import { mkdirSync, readFileSync, statfsSync, statSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import {
  type AnswerName,
  answerNames,
  asTyped,
  questions,
  type TypedAnswers,
} from '../../generators/app/questions.ts';
import GitLabRunnerDockerRunner from '../../generators/runner/index.ts';
import { answersWith, otherAnswers, scenarios } from '../support/answers.ts';
import { renderAll } from '../support/rendered.ts';
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
  it('writes these files and nothing else', async () => {
    const folder = newFolder();
    await runGenerator(folder);
    const paths = Object.keys(textsBelow(folder));
    expect(paths).toMatchInlineSnapshot(`
      [
        ".editorconfig",
        ".env.example",
        ".gitignore",
        ".gitlab-ci.yml",
        ".yo-rc.json",
        "Makefile",
        "README.md",
        "config/template.toml",
        "docker-compose.yml",
        "example/Dockerfile",
        "example/index.html",
        "scripts/apply.ts",
        "scripts/clean-up.sh",
        "scripts/config.ts",
        "scripts/doctor.ts",
        "scripts/engine.ts",
        "scripts/env.ts",
        "scripts/gitlab.ts",
        "scripts/package.json",
        "scripts/register.ts",
        "scripts/rotate.ts",
        "scripts/run",
        "scripts/settings.ts",
        "scripts/socket.ts",
        "scripts/status.ts",
        "scripts/upgrade.ts",
      ]
    `);
    expect(paths.length - 1, 'files besides .yo-rc.json').toBeLessThanOrEqual(25);
  });

  it('makes one file executable: the one that the Makefile runs', async () => {
    const folder = newFolder();
    await runGenerator(folder);
    const executable = Object.keys(textsBelow(folder)).filter(
      path => statSync(join(folder, path)).mode & 0o111,
    );
    expect(executable).toEqual(['scripts/run']);
  });

  it('prints the commands that come next, and nothing else', async () => {
    expect((await runGenerator(newFolder())).printed).toBe(
      '\nNext:\n  make doctor\n  make register\n  make up',
    );
  });

  it('saves the answers as a user would type them', async () => {
    const folder = newFolder();
    await runGenerator(folder);
    expect(savedIn(folder)).toEqual(
      Object.fromEntries(answerNames.map(name => [name, asTyped(name, answersWith()[name])])),
    );
  });
});

describe.each(Object.entries(scenarios))('a run with %s', (_, typed) => {
  it('writes what the templates give, byte for byte', async () => {
    const folder = newFolder();
    await runGenerator(folder, { options: optionsFor(typed) });
    for (const [name, own] of Object.entries(typed.runners ?? {})) {
      const options = { ...optionsFor(own), ...(own.project ? { project: own.project } : {}), force: true };
      await runGenerator(folder, { generator: GitLabRunnerDockerRunner, args: [name], options });
    }
    const { '.yo-rc.json': saved, ...written } = textsBelow(folder);
    expect(saved).toBeDefined();
    expect(written).toEqual(renderAll(typed, basename(folder)));
  });
});

/** What an answer needs beside it, to matter or to be accepted. */
const beside: { readonly [Name in AnswerName]?: TypedAnswers } = {
  dindImage: { builder: 'dind' },
  dindCache: { builder: 'dind' },
  cacheSize: { builder: 'dind', dindCache: 'volume' },
  platforms: { dockerImage: 'docker:cli' },
  cacheServer: { cache: 's3' },
  cacheBucket: { cache: 's3' },
  proxyExceptions: { httpProxy: 'http://proxy.example.org:3128' },
};

describe.each(answerNames)('the option for %s', name => {
  it('changes what is written and what is saved', async () => {
    const folder = newFolder();
    await runGenerator(folder, { options: optionsFor(beside[name] ?? {}) });
    const byDefault = textsBelow(folder);
    const outcome = await runGenerator(folder, {
      options: { ...optionsFor({ ...beside[name], [name]: otherAnswers[name] }), force: true },
    });
    const { '.yo-rc.json': saved, ...written } = textsBelow(folder);
    expect(outcome.refusal).toBeUndefined();
    expect(saved).not.toEqual(byDefault['.yo-rc.json']);
    expect(Object.keys(written).filter(path => written[path] !== byDefault[path])).not.toEqual([]);
    expect(savedIn(folder)).toMatchObject({ [name]: otherAnswers[name] });
  });
});

describe('the directory', () => {
  it('is made where the argument says, and the next steps begin there', async () => {
    const folder = newFolder();
    const { printed } = await runGenerator(folder, { args: ['new/my runner'] });
    expect(Object.keys(textsBelow(folder)).filter(path => !path.startsWith('new/my runner/'))).toEqual([]);
    expect(textsBelow(join(folder, 'new/my runner'))).toHaveProperty('Makefile');
    expect(printed).toContain(`Next:\n  cd 'new/my runner'\n  make doctor`);
  });

  it.each(['007', '<%= 1 %>', '*', '$HOME', 'größe'])('may be called %s', async name => {
    const folder = newFolder();
    await runGenerator(folder, { args: [name] });
    expect(textsBelow(join(folder, name))).toHaveProperty(['.gitlab-ci.yml']);
  });

  it('names the containers', async () => {
    const folder = newFolder();
    await runGenerator(folder, { args: ['Team Runner'] });
    expect(readFileSync(join(folder, 'Team Runner/.env.example'), 'utf8')).toContain(
      '\nCOMPOSE_PROJECT_NAME=team-runner\n',
    );
  });
});

describe('before anything is written', () => {
  const refused: [option: string, value: unknown, why: string][] = [
    ['gitlab-url', 'gitlab.example.com', 'must start with https://'],
    ['registry', 'https://registry.example.com', 'without https://'],
    ['tags', 'a,$b', 'must not contain $'],
    ['run-untagged', 'perhaps', 'it takes no value'],
    ['description', ' ', 'must not be empty'],
    ['concurrent', '0', 'a whole number from 1'],
    ['builder', 'magic', 'Choose one of: socket'],
    ['dind-image', 'docker:19.03-dind', 'Docker 19.03 or older'],
    ['dind-cache', 'memory', 'Choose one of: registry, volume'],
    ['cache', 'everywhere', 'Choose one of'],
    ['cache-server', 'http://s3.example.org', 'must speak TLS'],
    ['cache-bucket', 'Cache', '3 to 63 lower-case letters'],
    ['cache-size', '20GB', 'a whole number of GB'],
    ['hardening', 'none', 'Choose one of: relaxed, recommended, strict'],
    ['docker-image', 'Docker', 'An image is written'],
    ['runner-image', 'gitlab-runner:', 'An image is written'],
    ['monitoring', 'perhaps', 'it takes no value'],
    ['platforms', 'amd64', 'There is no platform "amd64"'],
    ['pull-policy', 'sometimes', 'A pull policy is always'],
    ['mirror', 'perhaps', 'it takes no value'],
    ['private-ca', 'ca.crt', 'it takes no value'],
    ['http-proxy', 'proxy.example.com', 'The proxy is written http://host:port'],
    ['proxy-exceptions', '*.example.com', 'No host is called "*.example.com"'],
    ['insecure-registry', 'gitlab', 'a host with optional port'],
    ['extra-hosts', 'gitlab.local', 'A name and its address are not "gitlab.local"'],
    ['clean-up', '0', 'a whole number of days from 1'],
    ['backup', 'sometimes', 'it takes no value'],
    ['renovate', 'sometimes', 'it takes no value'],
  ];

  it.each([
    ...refused,
    ['tags', ['a', 'b'], 'give it once'],
    ['tags', true, 'it needs a value'],
    ['defaults', 'my-runner', 'it takes no value'],
  ])('refuses --%s with %j', async (option, value, why) => {
    const folder = newFolder();
    const { refusal } = await runGenerator(folder, { options: { [option]: value }, args: ['new'] });
    expect(refusal).toMatch(new RegExp(`^--${option}: .*\\.$`));
    expect(refusal).toContain(why);
    expect(textsBelow(folder)).toEqual({});
  });

  it('tests every option of a question in the list above', () => {
    const tested = refused.map(([option]) => option);
    expect(answerNames.map(name => questions[name].option).sort()).toEqual(tested.sort());
  });

  it.each<[TypedAnswers, string]>([
    [
      { builder: 'buildah', dockerImage: 'docker:cli' },
      'There is no Buildah in docker:cli: leave --docker-image out, or name an image with Buildah.',
    ],
    [
      { platforms: 'linux/arm64' },
      '--platforms needs buildx, which docker:stable (Docker 19.03) does not have: choose --docker-image docker:cli.',
    ],
    [
      { builder: 'dind', cacheSize: '5' },
      '--cache-size is for --builder buildkit, or dind with --dind-cache volume only; leave it out, or choose that.',
    ],
  ])('refuses options that exclude each other, or change nothing: %j', async (typed, sentence) => {
    const folder = newFolder();
    const { refusal } = await runGenerator(folder, { options: optionsFor(typed), args: ['new'] });
    expect(refusal).toBe(sentence);
    expect(textsBelow(folder)).toEqual({});
  });

  it('refuses a second directory', async () => {
    const folder = newFolder();
    expect((await runGenerator(folder, { args: ['a', 'b'] })).refusal).toBe('Give one directory, not 2.');
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

  it('refuses a file in the place of the directory, or of a folder in it', async () => {
    const folder = newFolder();
    writeFileSync(join(folder, 'taken'), 'x');
    expect((await runGenerator(folder, { args: ['taken'] })).refusal).toBe(
      `${join(folder, 'taken')} is a file, and a folder should be there: move it away and run again.`,
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
