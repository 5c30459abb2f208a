import { execFile, execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { type AnswerName, defaultFor, questions, type TypedAnswers } from '../../generators/ask/questions.ts';
import { usage } from '../../generators/ask/usage.ts';
import type { Scenario } from '../support/answers.ts';
import scenarios from '../support/examples.json' with { type: 'json' };
import { renderAll } from '../support/rendered.ts';
import { newFolder, textsBelow } from '../support/run-generator.ts';

const root = new URL('../../', import.meta.url);
const program = fileURLToPath(new URL('dist/bin/generator-gitlab-runner-docker.cjs', root));

interface Result {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Without what says that npx runs these tests: the command would name itself so. */
const env = { ...process.env, npm_lifecycle_event: undefined };

/** Runs the built command as a program, with no terminal. */
function run(folder: string, ...words: string[]): Promise<Result> {
  return new Promise(resolve => {
    execFile(process.execPath, [program, ...words], { cwd: folder, env }, (error, stdout, stderr) => {
      resolve({ status: Number(error?.code ?? 0), stdout, stderr });
    });
  });
}

const answers = (folder: string): Record<string, string> =>
  JSON.parse(readFileSync(join(folder, '.yo-rc.json'), 'utf8'))['generator-gitlab-runner-docker'];

describe('the own command', () => {
  it('writes a repository, and says what comes next', async () => {
    const folder = newFolder();
    const { status, stderr } = await run(folder, 'my-runner', '--tags', 'a,b', '--no-run-untagged');
    expect(status).toBe(0);
    expect(stderr).toMatch(
      /\nNext:\n {2}cd my-runner\n {2}git init\n {2}make doctor\n {2}make register .*\n.*\/-\/runners\/new\n.*# with .*\n {2}make up\n$/,
    );
    expect(answers(join(folder, 'my-runner'))).toMatchObject({ tags: 'a,b', runUntagged: 'no' });
  });

  it.each(Object.entries<Scenario>(scenarios).filter(([, { runners }]) => runners === undefined))(
    'writes by its compiled templates what EJS makes of them: examples/%s',
    async (_, typed) => {
      const folder = newFolder();
      const words = Object.entries(typed as TypedAnswers).map(
        ([name, value]) => `--${questions[name as AnswerName].option}=${value}`,
      );
      expect((await run(folder, 'my-runner', ...words)).status).toBe(0);
      const { '.yo-rc.json': saved, ...texts } = textsBelow(join(folder, 'my-runner'));
      expect(texts).toEqual(renderAll(typed));
      expect(saved).toBeDefined();
    },
  );

  it('takes every kind of value as it was typed', async () => {
    const folder = newFolder();
    const { status } = await run(
      folder,
      '007',
      '--description',
      '1e3',
      '--tags=',
      '--run-untagged',
      '--concurrent=12',
    );
    expect(status).toBe(0);
    expect(answers(join(folder, '007'))).toMatchObject({
      description: '1e3',
      tags: ',',
      runUntagged: 'yes',
      concurrent: '12',
    });
  });

  it.each([
    [['--monitoring=yes'], 'yes'],
    [['--monitoring=no'], 'no'],
  ])('takes %j as well', async (words, monitoring) => {
    const folder = newFolder();
    expect((await run(folder, ...words)).status).toBe(0);
    expect(answers(folder)).toMatchObject({ monitoring });
  });

  it('takes a preset and a file of answers, and an option before either', async () => {
    const folder = newFolder();
    writeFileSync(join(folder, 'answers.yml'), 'concurrent: 9\ntags: [linux]\nbuilder: dind\n');
    const words = ['--preset', 'team', '--answers', 'answers.yml', '--tags', 'mine'];
    expect((await run(folder, 'my-runner', ...words)).status).toBe(0);
    expect(answers(join(folder, 'my-runner'))).toMatchObject({
      ...{ tags: 'mine', builder: 'dind', concurrent: '9', monitoring: 'yes' },
      dockerImage: defaultFor('dockerImage', 'dind'),
    });
  });

  it.each([
    [['--preset', 'articel'], '--preset: There is no "articel" here (did you mean article?): choose one of'],
    [
      ['--answers', 'none.yml'],
      '--answers: There is no file none.yml: name one, such as --print-answers makes.',
    ],
    [
      ['--runner', 'x', '--preset', 'team'],
      '--preset is for the repository, not for a runner that is added to it.',
    ],
  ])('refuses %j', async (words, sentence) => {
    const folder = newFolder();
    const { status, stderr } = await run(folder, ...words);
    expect([status, stderr]).toEqual([1, expect.stringContaining(sentence)]);
    expect(textsBelow(folder)).toEqual({});
  });

  it('prints the answers as a file that it takes back, and writes nothing', async () => {
    const folder = newFolder();
    const { status, stdout } = await run(folder, '--preset', 'hardened', '--tags', 'a,b', '--print-answers');
    expect([status, textsBelow(folder)]).toEqual([0, {}]);
    writeFileSync(join(folder, 'answers.yml'), stdout);
    expect((await run(folder, '--answers', 'answers.yml', '--print-answers')).stdout).toBe(stdout);
    expect(stdout).toContain('hardening: strict\n');
  });

  describe('that gets a signal while it writes', () => {
    /** Runs it with a signal to itself at the first file that is moved into place. */
    const runStopped = (folder: string, signal: string, ...words: string[]) => {
      const preload = join(newFolder(), 'stop.cjs');
      writeFileSync(
        preload,
        `const fs = require('node:fs');
        const { renameSync } = fs;
        let moved = 0;
        fs.renameSync = (...paths) => {
          moved += 1;
          if (moved === 3) process.kill(process.pid, '${signal}');
          return renameSync(...paths);
        };`,
      );
      return new Promise<Result>(resolve => {
        const args = ['--require', preload, program, ...words];
        execFile(process.execPath, args, { cwd: folder }, (error, stdout, stderr) =>
          resolve({ status: Number(error?.code ?? 0), stdout, stderr }),
        );
      });
    };

    it.each([
      ['SIGINT', 130],
      ['SIGTERM', 143],
      ['SIGHUP', 129],
    ])('ends what it began, says so, and ends as the signal wants: %s, %i', async (signal, code) => {
      const folder = newFolder();
      const { status, stderr } = await runStopped(folder, signal, 'x', '--tags', 'a');
      const { '.yo-rc.json': saved, ...texts } = textsBelow(join(folder, 'x'));
      expect(texts).toEqual(renderAll({ tags: 'a' }, 'x'));
      expect(saved).toBeDefined();
      expect(status).toBe(code);
      expect(stderr).toMatch(
        /: stopped, but only after it had written all of the files above, and \.yo-rc\.json\.\n$/,
      );
    });

    it('says with --ci that the pipeline gained the job', async () => {
      const folder = newFolder();
      execFileSync('git', ['init', '--quiet', folder]);
      const { status, stderr } = await runStopped(folder, 'SIGINT', '--ci', '.');
      expect(readFileSync(join(folder, '.gitlab-ci.yml'), 'utf8')).toContain('build-image:');
      expect([status, stderr]).toEqual([
        130,
        expect.stringMatching(/stopped, but only after .*\/\.gitlab-ci\.yml had gained the job\.\n$/),
      ]);
    });
  });

  it('prints the answers of a repository in which a run was stopped only when that is finished', async () => {
    const folder = newFolder();
    await run(folder);
    const sealed = join(folder, '.gitlab-runner-docker.new');
    mkdirSync(sealed);
    writeFileSync(join(sealed, 'journal.json'), JSON.stringify({ pid: process.pid, moves: [] }));
    const before = textsBelow(folder);
    const { status, stdout, stderr } = await run(folder, '--print-answers');
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toMatch(
      /was stopped while it wrote: run again without --print-answers, which first finishes/,
    );
    expect(textsBelow(folder)).toEqual(before);
  });

  it('writes all of it where whoever reads what it prints goes away', async () => {
    const folder = newFolder();
    const words = ['-c', `"${process.execPath}" "${program}" 2>&1 | head -n 1`];
    await new Promise(resolve => execFile('sh', words, { cwd: folder }, resolve));
    expect(textsBelow(folder)).toHaveProperty(['scripts/settings.ts']);
    expect(textsBelow(folder)).toHaveProperty(['.yo-rc.json']);
  });

  it('does not mind a malformed package.json', async () => {
    const folder = newFolder();
    writeFileSync(join(folder, 'package.json'), '{');
    expect((await run(folder)).status).toBe(0);
  });

  it('shows with --dry-run what it would write, and writes nothing', async () => {
    const folder = newFolder();
    const { status, stdout, stderr } = await run(folder, 'my-runner', '--dry-run');
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toContain('  create Makefile\n');
    expect(stdout).toContain('--- /dev/null\n+++ b/Makefile\n');
    expect(textsBelow(folder)).toEqual({});
  });

  it('prints its usage and its version', async () => {
    const folder = newFolder();
    for (const word of ['--help', '-h'])
      expect(await run(folder, word)).toMatchObject({ status: 0, stdout: `${usage()}\n` });
    const { version } = JSON.parse(readFileSync(new URL('package.json', root), 'utf8'));
    expect(await run(folder, '--version')).toEqual({ status: 0, stdout: `${version}\n`, stderr: '' });
    expect(textsBelow(folder)).toEqual({});
  });

  it.each([
    [
      'a bad value',
      ['--concurrent', 'many'],
      '--concurrent: The number of concurrent jobs must be a whole number',
    ],
    ['an option twice', ['--tags', 'a', '--tags', 'b'], '--tags: give it once.'],
    ['an option without its value', ['--tags'], '--tags: it needs a value.'],
    [
      'an option in the place of a value',
      ['--description', '--tags', 'a'],
      '--description: it needs a value. (One that begins with a dash is written --description=--tags)',
    ],
    [
      'a negated option that takes a value',
      ['--no-tags'],
      '--tags: it needs a value. There is no --no-tags: leave it out for the default.',
    ],
    [
      'a negated switch with a value',
      ['--no-monitoring=yes'],
      '--no-monitoring takes no value: write --monitoring or --no-monitoring.',
    ],
    [
      'an unknown option',
      ['--gitlab-uri', 'x'],
      'There is no option --gitlab-uri; did you mean --gitlab-url?',
    ],
    ['a slip', ['--bulder', 'x'], 'There is no option --bulder; did you mean --builder?'],
    ['swapped letters', ['--buidler', 'x'], 'There is no option --buidler; did you mean --builder?'],
    ['a missing hyphen', ['--dryrun'], 'There is no option --dryrun; did you mean --dry-run?'],
    [
      'a value that is no choice',
      ['--builder', 'dnd'],
      '--builder: There is no "dnd" here (did you mean dind?): choose one of socket, dind, buildkit, buildah.',
    ],
    ['an empty directory', [''], 'Give one directory, not 2.'],
    ['a project that is not there', ['--ci', '../gone'], 'There is no folder'],
    [
      'a further runner where no repository is',
      ['--runner', 'a'],
      'go to its folder, or write one first: generator-gitlab-runner-docker my-runner',
    ],
    ['--ci without a project', ['--ci'], '--ci: it needs a value.'],
    ['a runner without a name', ['--runner'], '--runner: it needs a value.'],
    ['two runners', ['--runner', 'a', '--runner=b'], '--runner: give it once.'],
    ['a shell that is not named', ['--completion'], '--completion: it needs a value.'],
    ['no completion', ['--no-completion'], '--completion: it needs a value. There is no --no-completion'],
    ['an answer that is no number', ['--concurrent', '-1'], '--concurrent: The number of concurrent jobs'],
    ['a runner and a project at once', ['--ci', 'a', '--runner', 'b'], 'Give --runner or --ci, not both.'],
    ['an older runner that is not there', ['--from', 'gone'], 'There is no '],
    [
      'an older runner for a further one',
      ['--runner', 'a', '--from', 'b'],
      '--from is for the repository, not for a runner that is added to it.',
    ],
    [
      'an option of the repository for a further runner',
      ['--runner=a', '--concurrent', '3'],
      '--concurrent is for the repository, not for a runner that is added to it.',
    ],
    [
      "an option of the repository for a project's pipeline",
      ['--ci', 'a', '--no-clean-up'],
      "--clean-up is for the repository, not for a project's pipeline.",
    ],
    [
      'an option of a further runner for the repository',
      ['--project', '7'],
      '--project is for a runner that is added to a repository, by --runner or',
    ],
    ['a slip for a further runner', ['--runner', 'a', '--tgas', 'b'], 'did you mean --tags?'],
    ['an unknown short option', ['-x'], 'There is no option -x.'],
    ['a value for a switch', ['--force=maybe'], '--force: write --force or --no-force'],
    [
      'an answer that is neither yes nor no',
      ['--run-untagged=maybe'],
      '--run-untagged: write --run-untagged or --no-run-untagged (or --run-untagged=yes, --run-untagged=no)',
    ],
    [
      'a word for a switch',
      ['--run-untagged', 'no'],
      '--run-untagged: write --run-untagged or --no-run-untagged',
    ],
    ['two directories', ['another'], 'Give one directory, not 2.'],
    ['a switch on and off', ['--monitoring', '--no-monitoring'], '--monitoring: give it once.'],
    ['a value that is empty', ['--builder='], '--builder: Choose one of socket, dind, buildkit, buildah.'],
    ['a control character', ['--answers', 'a\u001b[31m'], 'There is no file a?[31m: name one'],
  ])('ends with one line on stderr for %s: exit code 1, nothing written', async (_, words, sentence) => {
    const folder = newFolder();
    const { status, stdout, stderr } = await run(folder, 'my-runner', ...words);
    expect(status).toBe(1);
    expect(stdout).toBe('');
    expect(stderr).toMatch(/^generator-gitlab-runner-docker: .+\n$/);
    expect(stderr).toContain(sentence);
    expect(textsBelow(folder)).toEqual({});
  });

  describe('in a clone of this generator', () => {
    /** A folder with a package.json of that name, and a repository of somebody's own beside it. */
    const clone = (name: string) => {
      const folder = newFolder();
      mkdirSync(join(folder, 'clone/below'), { recursive: true });
      writeFileSync(join(folder, 'clone/package.json'), JSON.stringify({ name }));
      return join(folder, 'clone');
    };

    it.each([
      ['without a folder', [], '.'],
      ['with its own', ['.'], '.'],
      ['with one inside of it', ['my-runner/deep'], '.'],
      ['with one that is there', ['.'], 'below'],
      ['in a dry run', ['--dry-run'], '.'],
    ])('writes nothing %s, and says how to call it', async (_, words, at) => {
      const folder = clone('generator-gitlab-runner-docker');
      const { status, stderr } = await run(join(folder, at), ...words);
      expect([status, stderr]).toEqual([
        1,
        `generator-gitlab-runner-docker: That is in ${folder}, the generator itself: name a folder outside of it, as by npm run scaffold -- ../my-runner\n`,
      ]);
      expect(Object.keys(textsBelow(folder))).toEqual(['package.json']);
    });

    it('writes beside it, and prints answers there', async () => {
      const folder = clone('generator-gitlab-runner-docker');
      expect((await run(folder, '../my-runner')).status).toBe(0);
      expect((await run(folder, '--print-answers')).status).toBe(0);
    });

    it('writes into a folder that holds any other package', async () => {
      for (const name of ['mine', 7]) expect((await run(clone(name as string), '.')).status).toBe(0);
    });
  });

  it.each([
    [
      ['runner', 'deploy'],
      'a runner is added by --runner deploy, or by "yo gitlab-runner-docker:runner deploy".',
    ],
    [['runer', 'deploy'], 'a runner is added by --runner deploy, or by'],
    [
      ['ci', '../my-app'],
      'the job is added to a project by --ci ../my-app, or by "yo gitlab-runner-docker:ci ../my-app".',
    ],
    [['help'], '"help" may be a question, or a folder: give --help, or the folder as ./help'],
    [['version'], '"version" may be a question, or a folder: give --version, or the folder as ./version'],
    [['completion', 'bash'], 'Give one directory, not 2; completions are printed by --completion bash.'],
  ])('refuses %j, as subcommands are none, with what does that', async (words, sentence) => {
    const folder = newFolder();
    const { status, stderr } = await run(folder, ...words);
    expect([status, stderr]).toEqual([1, expect.stringContaining(sentence)]);
    expect(textsBelow(folder)).toEqual({});
  });

  it('writes into a folder of such a name where it is said to be one', async () => {
    const folder = newFolder();
    expect((await run(folder, './help')).status).toBe(0);
    expect((await run(folder, 'runner')).status).toBe(0);
  });

  it('ends with one line on stderr where files would be overwritten', async () => {
    const folder = newFolder();
    writeFileSync(join(folder, 'Makefile'), 'mine\n');
    expect(await run(folder)).toEqual({
      status: 1,
      stdout: '',
      stderr:
        'generator-gitlab-runner-docker: Nothing was written: Makefile is there already, and not of this generator. Move away what you need, or run with --force to replace all of it.\n',
    });
    expect(textsBelow(folder)).toEqual({ Makefile: 'mine\n' });
    expect((await run(folder, '--force')).status).toBe(0);
    expect(textsBelow(folder).Makefile).not.toBe('mine\n');
  });

  it('writes all that one of them wants where two run at once, and the other says why it did not', async () => {
    const folder = newFolder();
    const both = await Promise.all(['5', '6'].map(count => run(folder, 'x', '--concurrent', count)));
    expect(both.filter(({ status }) => status === 0)).not.toEqual([]);
    for (const { status, stderr } of both) {
      if (status !== 0) expect(stderr).toMatch(/Another run.* just now|somebody changed|are there already/);
    }
    const { '.yo-rc.json': _, ...texts } = textsBelow(join(folder, 'x'));
    const { concurrent } = answers(join(folder, 'x'));
    expect(['5', '6']).toContain(concurrent);
    expect(texts).toEqual(renderAll({ concurrent: concurrent! }, 'x'));
  });

  it('says so in a folder that is gone', async () => {
    const folder = newFolder();
    const { status, stdout, stderr } = await new Promise<Result>(resolve => {
      const words = [
        '-c',
        'mkdir gone && cd gone && rmdir ../gone && exec "$@"',
        'sh',
        process.execPath,
        program,
      ];
      execFile('sh', [...words, 'new'], { cwd: folder }, (error, stdout, stderr) => {
        resolve({ status: Number(error?.code ?? 0), stdout, stderr });
      });
    });
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toMatch(
      /^generator-gitlab-runner-docker: The folder that you are in is gone: go to another one\.$/m,
    );
  });

  it('ends with one line on stderr where .yo-rc.json cannot be read', async () => {
    const folder = newFolder();
    writeFileSync(join(folder, '.yo-rc.json'), '{');
    const { status, stdout, stderr } = await run(folder);
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toMatch(
      /^generator-gitlab-runner-docker: .*is not valid JSON: mend it, or delete it to answer afresh\.\n$/,
    );
  });
});
