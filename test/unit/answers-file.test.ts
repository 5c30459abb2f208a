import { execFileSync } from 'node:child_process';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { completeAnswers } from '../../generators/ask/answers.ts';
import { answersIn, readAnswers, writeAnswers } from '../../generators/ask/answers-file.ts';
import { sources, switches } from '../../generators/ask/command-line.ts';
import { presetNamed, presets } from '../../generators/ask/presets.ts';
import { answerNames, questions, typedAnswers } from '../../generators/ask/questions.ts';
import { ownOptions } from '../../generators/ask/usage.ts';
import { allTogether, answersWith } from '../support/answers.ts';
import { asNobody } from '../support/nobody.ts';
import { newFolder } from '../support/run-generator.ts';

const read = (text: string) => readAnswers(text, 'answers.yml');

describe('a file of answers', () => {
  it.each([
    ['the defaults', answersWith()],
    ['all others', answersWith(allTogether)],
  ])('reads back what was printed: %s', (_, answers) => {
    expect(read(writeAnswers(answers))).toEqual(typedAnswers(answers));
  });

  it('takes texts, numbers, yes and no, and lists', () => {
    expect(read('tags: [a, b]\nconcurrent: 4\nmirror: true\nmonitoring: no\nregistry: gitlab\n')).toEqual({
      ...{ tags: 'a,b', concurrent: '4', mirror: 'yes', monitoring: 'no', registry: 'gitlab' },
    });
    expect(read('tags: []')).toEqual({ tags: ',' });
    expect(read('\ufeffconcurrent: 4\r\n')).toEqual({ concurrent: '4' });
    expect(read('tags: &both [a, b]\ndescription: &one x\nregistry: gitlab\n')).toMatchObject({
      tags: 'a,b',
    });
  });

  it('takes each value as it is written there, as an option does', () => {
    const typed = { description: '1.10', tags: '007,1.20,true,1e3' };
    expect(read('description: 1.10\ntags: [007, 1.20, true, 1e3]\n')).toEqual(typed);
    for (const count of ['1e3', '2.0', '0x10', '+5', '-1', '1_000', '０'])
      expect(() => read(`concurrent: ${count}`)).toThrow('concurrent: The number of concurrent jobs must be');
  });

  it.each([
    ['bulder: dind', 'answers.yml: there is no option bulder; did you mean builder?'],
    ['zzzzzzzz: 1', 'answers.yml: there is no option zzzzzzzz.'],
    [
      'pull-policy: always',
      'answers.yml: pull-policy is gone since version 0.1.0: edit pull_policy in config/config.toml',
    ],
    ['builder: dnd', 'answers.yml: builder: There is no "dnd" here'],
    ['tags: { a: b }', 'answers.yml: tags: it is no text'],
    ['builder:', 'answers.yml: builder: it is no text'],
    ['- a', 'answers.yml has no names of options'],
    ['a: [', 'answers.yml is no YAML'],
    ['', 'answers.yml has no answers in it'],
    ['# concurrent: 4\n', 'answers.yml has no answers in it'],
    ['{}', 'answers.yml has no answers in it'],
    ['--- # ours\n...\n', 'answers.yml has no answers in it'],
    ['concurrent: 4\n---\nbuilder: dind\n', 'answers.yml has 2 YAML documents, one below "---"'],
    ['concurrent: 4\nconcurrent: 5\n', 'answers.yml gives concurrent twice: keep one of the lines'],
    ['tags: *ours', 'answers.yml is no YAML: Unresolved alias'],
    [
      `${[1, 2, 3, 4, 5].reduce((text, at) => `${text}a${at}: &a${at} [${`*a${at - 1},`.repeat(9)}]\n`, 'a0: &a0 x\n')}`,
      'answers.yml has more aliases than answers need',
    ],
    ['tags: !vault a', 'answers.yml is no YAML: Unresolved tag: !vault'],
    ['? [a]\n: b\n', 'answers.yml: there is no option [ a ].'],
    ['__proto__: a', 'answers.yml: there is no option __proto__.'],
  ])('is refused where it says %j', (text, sentence) => {
    expect(() => read(text)).toThrow(sentence);
  });
});

describe('in a file of answers', () => {
  it.each([...Object.keys({ ...sources, ...switches, ...ownOptions }), 'print-answers', 'help', 'version'])(
    '%s is refused as an option of the command, with the way to give it',
    option => {
      const sentence = `answers.yml: ${option} is an option of the command, and no answer: take it out, and give --${option} there.`;
      expect(() => read(`concurrent: 4\n${option}: x\n`)).toThrow(sentence);
    },
  );

  it('the project of a further runner is refused with the place where it is given', () => {
    expect(() => read('project: team/app')).toThrow(
      'answers.yml: project is for a runner that is added to a repository, by --runner or "yo gitlab-runner-docker:runner".',
    );
  });
});

describe('a file of answers that cannot be read', () => {
  /** What stands at the path where answers are looked for, made by that shell command; the reason and the remedy. */
  const cases: [string, string, RegExp][] = [
    ['nothing', 'true', /^--answers: There is no file .*: name one, such as --print-answers makes\.$/],
    ['a folder', 'mkdir file', /^--answers: .* is a folder: name the file in it\.$/],
    [
      'a pipe',
      'mkfifo file',
      /^--answers: .* is no regular file: write the answers into one, and name that\.$/,
    ],
    ['a device without end', 'ln -s /dev/zero file', /is no regular file: write the answers into one/],
    ['a link to itself', 'ln -s file file', /^--answers: .* cannot be read \(ELOOP\): name another file\.$/],
    ['a path through a file', 'touch x; ln -s x/y file', /^--answers: There is no file /],
    [
      'a GiB',
      'truncate --size 1G file',
      /^--answers: .* has 1048576 KiB, and answers take 1024 at most: is it that file\?$/,
    ],
    [
      'other bytes than UTF-8',
      "printf 'description: \\351' > file",
      /is not in UTF-8: save it in that encoding/,
    ],
    ['UTF-16', "printf '\\377\\376a\\0' > file", /is not in UTF-8: save it in that encoding/],
    ['nothing in it', 'touch file', /^.*\/file has no answers in it: /],
  ];

  it.each(cases)('%s: says so in one sentence with what helps', (_, command, sentence) => {
    const folder = newFolder();
    execFileSync('sh', ['-c', command], { cwd: folder });
    expect(() => answersIn(join(folder, 'file'))).toThrow(sentence);
  });

  it('no permission: says so, with the command', () => {
    const folder = newFolder();
    chmodSync(folder, 0o755);
    const file = join(folder, 'file');
    writeFileSync(file, 'concurrent: 4\n', { mode: 0o000 });
    expect(() => asNobody(() => answersIn(file))).toThrow(/^--answers: You may not read .*: chmod u\+r /);
  });
});

describe('the preset', () => {
  it.each(Object.keys(presets))(
    '%s has answers that go together, each another than the default or said on purpose',
    name => {
      const answers = presetNamed(name);
      expect(typedAnswers(completeAnswers(answers))).toMatchObject(answers);
      const others = answerNames.filter(one => answers[one] && answers[one] !== questions[one].default);
      expect(others.length).toBeGreaterThan(0);
    },
  );

  it('that nobody knows is refused, and the ones that there are are named', () => {
    expect(() => presetNamed('articel')).toThrow(Object.keys(presets).join(', '));
  });
});
