import { describe, expect, it } from 'vitest';
import { outliveReaders, readCommandLine } from '../../generators/ask/command-line.ts';
import { type AnswerName, answerNames, questions } from '../../generators/ask/questions.ts';
import { Refusal } from '../../generators/ask/refusal.ts';
import { otherAnswers } from '../support/answers.ts';

const read = (options: Record<string, unknown>, args: string[] = [], words: string[] = []) =>
  readCommandLine(questions, 'directory', args, options, words);

it('outliveReaders listens once, however many generators there are in one process', () => {
  const listeners = () => [process.stdout, process.stderr].map(stream => stream.listenerCount('error'));
  outliveReaders();
  const once = listeners();
  for (let more = 0; more < 20; more += 1) outliveReaders();
  expect(listeners()).toEqual(once);
});

describe('readCommandLine', () => {
  it('gives nothing but the defaults of Yeoman for an empty command line', () => {
    expect(read({ terminal: true })).toEqual({
      argument: undefined,
      given: {},
      asks: true,
      force: false,
      dryRun: false,
      preset: undefined,
      answersFile: undefined,
      from: undefined,
      printsAnswers: false,
    });
  });

  it('keeps answers as they were typed', () => {
    const options = Object.fromEntries(
      answerNames.map(name => [
        questions[name].option,
        questions[name].yesNo ? otherAnswers[name] === 'yes' : otherAnswers[name],
      ]),
    );
    expect(read(options).given).toEqual(otherAnswers);
  });

  it('takes an option under either of the names that Yeoman gives it', () => {
    expect(read({ dockerImage: 'docker:28' }).given).toEqual({ dockerImage: 'docker:28' });
    expect(read({ dryRun: true }).dryRun).toBe(true);
    expect(read({ 'dry-run': true }).dryRun).toBe(true);
  });

  it('reads --no-run-untagged as an answer, not as its absence', () => {
    expect(read({ runUntagged: false, privateCa: false }).given).toEqual({
      runUntagged: 'no',
      privateCa: 'no',
    });
  });

  it('asks only in a terminal, and never with --defaults', () => {
    expect(read({ terminal: true, defaults: true }).asks).toBe(false);
    expect(read({ terminal: false }).asks).toBe(false);
    expect(read({ terminal: true, defaults: false }).asks).toBe(true);
  });

  it('takes the directory literally, also one that looks like a number', () => {
    expect(read({}, ['007']).argument).toBe('007');
    expect(read({}, ['1e3']).argument).toBe('1e3');
  });

  it('refuses more than one directory', () => {
    expect(() => read({}, ['a', 'b'])).toThrow(new Refusal('Give one directory, not 2.'));
  });

  it.each(['', ' '])('refuses an empty directory: %j', directory => {
    expect(() => read({}, [directory])).toThrow(/^The directory is an empty text/);
  });

  it('refuses an option that nobody knows', () => {
    expect(() => read({}, [], ['--gitlab-uri', 'x'])).toThrow(
      'There is no option --gitlab-uri; did you mean --gitlab-url?',
    );
  });

  it.each(['runner', 'ci'] as const)('refuses --%s of the own command with what yo has instead', option => {
    expect(() => read({}, [], [`--${option}`, 'x'])).toThrow(
      `--${option} is no option with yo: yo gitlab-runner-docker:${option} does that.`,
    );
  });

  it('refuses --terminal on the command line: programs say it, not people', () => {
    expect(() => read({ terminal: 'x' }, [], ['--terminal', 'x'])).toThrow('There is no option --terminal.');
  });

  it.each(['defaults', 'force', 'dry-run'])(
    'refuses a directory that yo took for the value of --%s',
    option => {
      expect(() => read({ [option]: 'my-runner' }, [], [`--${option}`, 'my-runner'])).toThrow(
        `--${option}: write --${option} or --no-${option} (or --${option}=yes, --${option}=no), and the directory before it.`,
      );
    },
  );

  it.each([
    ['concurrent', 0],
    ['runUntagged', 'maybe'],
    ['builder', 'magic'],
  ] satisfies [AnswerName, unknown][])(
    'refuses a bad %s in one line that begins with the option',
    (name, bad) => {
      const { option } = questions[name];
      expect(() => read({ [option]: bad })).toThrow(Refusal);
      expect(() => read({ [option]: bad })).toThrow(new RegExp(`^--${option}: .+\\.$`));
    },
  );
});
