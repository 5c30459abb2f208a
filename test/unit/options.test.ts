import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { goneOptions } from '../../generators/ask/gone.ts';
import { refuseUnknownOptions, switchOption, typedOption } from '../../generators/ask/options.ts';

describe('typedOption', () => {
  it.each([
    ['description', 1000, ['--description', '1e3'], '1e3'],
    ['description', 1000, ['--description=1e3'], '1e3'],
    ['concurrent', 7, ['--concurrent', '007'], '007'],
    ['concurrent', -1, ['--concurrent', '-1'], '-1'],
    ['tags', true, ['--tags', 'true'], 'true'],
    ['tags', 'true', ['--tags', 'true'], 'true'],
    ['tags', '', ['--tags', ''], ''],
    ['tags', '', ['--tags='], ''],
    ['description', 'quoted', ['--description="quoted"'], '"quoted"'],
    ['description', '--dashes', ['--description=--dashes'], '--dashes'],
  ])('reads --%s (%j to Yeoman) as it was typed: %j', (option, value, words, typed) => {
    expect(typedOption(option, value, words)).toBe(typed);
  });

  it('takes the value of a program that gives options without a command line', () => {
    expect(typedOption('tags', 'a,b', [])).toBe('a,b');
    expect(typedOption('concurrent', 4, [])).toBe('4');
  });

  it('does not look behind --, where only arguments stand', () => {
    expect(typedOption('tags', 'a', ['--', '--tags', 'b'])).toBe('a');
  });

  it.each([
    ['twice', ['a', 'b'], ['--tags', 'a', '--tags', 'b']],
    ['twice, of which Yeoman kept one', 'b', ['--tags', 'a', '--tags', 'b']],
  ])('refuses an option given %s', (_, value, words) => {
    expect(() => typedOption('tags', value, words)).toThrow('give it once.');
  });

  it.each([
    ['at the end', true, ['--tags']],
    ['before another option', true, ['--tags', '--defaults']],
    ['as --no-tags', false, ['--no-tags']],
    ['by a program, as null', null, []],
  ])('refuses an option without a value %s', (_, value, words) => {
    expect(() => typedOption('tags', value, words)).toThrow('it needs a value.');
  });
});

describe('switchOption', () => {
  it('is on with --option and off with --no-option', () => {
    expect(switchOption('run-untagged', true, ['--run-untagged'])).toBe(true);
    expect(switchOption('run-untagged', false, ['--no-run-untagged'])).toBe(false);
    expect(switchOption('run-untagged', true, [])).toBe(true);
    expect(switchOption('run-untagged', false, ['yes'])).toBe(false);
  });

  it.each([
    ['yes', true],
    ['no', false],
    ['TRUE', true],
    ['false', false],
  ])('is said by =%s too, whatever yo makes of that', (said, on) => {
    for (const value of [said, true, false])
      expect(switchOption('run-untagged', value, [`--run-untagged=${said}`])).toBe(on);
    expect(() => switchOption('run-untagged', 'maybe', ['--run-untagged=maybe'])).toThrow(/^write /);
  });

  it.each([
    ['the directory, which yo takes for its value', 'my-runner', ['--run-untagged', 'my-runner']],
    ['no, which yo takes for its value', 'no', ['--run-untagged', 'no']],
    ['no, which would be the directory elsewhere', true, ['--run-untagged', 'no']],
    ['False', true, ['--defaults', '--run-untagged', 'False']],
  ])('refuses a value behind it: %s', (_, value, words) => {
    expect(() => switchOption('run-untagged', value, words)).toThrow(
      /^write --run-untagged or --no-run-untagged \(or .*\), and the directory before it\.$/,
    );
  });

  it.each([
    [['--force', '--no-force']],
    [['--no-force', '--force']],
    [['--force', '--force=no']],
    [['--force', '--force']],
  ])('refuses to be said twice: %j', words => {
    for (const value of [true, false])
      expect(() => switchOption('force', value, words)).toThrow('give it once.');
  });

  it('does not look behind --, where only arguments stand', () => {
    expect(switchOption('force', true, ['--force', '--', '--no-force', '--force=no'])).toBe(true);
  });

  it('refuses to be on and off', () => {
    expect(() => switchOption('force', [true, false], ['--force', '--no-force'])).toThrow('give it once.');
  });
});

it.each(Object.keys(goneOptions))(
  'CHANGELOG.md says of --%s, and of its name in .yo-rc.json, that it is gone',
  option => {
    const changelog = readFileSync(new URL('../../CHANGELOG.md', import.meta.url), 'utf8');
    const [, removed = ''] = /^## 0\.2\.0[\s\S]*?^### Removed\n([\s\S]*?)^###? /m.exec(changelog) ?? [];
    const saved = option.replace(/-(\w)/g, (_, letter) => letter.toUpperCase());
    expect(removed).toMatch(new RegExp(`\`--${option}\`\\s+\\(\`${saved}\`\\)`));
  },
);

describe('refuseUnknownOptions', () => {
  const known = ['gitlab-url', 'builder', 'http-proxy', 'from', 'tags', 'force', 'help'];

  it.each([
    [[]],
    [['directory', '--tags', 'a', '--gitlab-url=https://x/--y', '--no-force']],
    [['-h']],
    [['--tags', '-1', '-.5', '-']],
    [['--force', '--', '--anything', '-x']],
  ])('passes %j', words => {
    expect(() => refuseUnknownOptions(words, known)).not.toThrow();
  });

  it.each([
    [
      ['--gitlabUrl', 'x'],
      'There is no option --gitlabUrl; did you mean --gitlab-url? See --help for all of them.',
    ],
    [['--frobnicate'], 'There is no option --frobnicate. See --help for all of them.'],
    [['--no-frobnicate=1'], 'There is no option --frobnicate. See --help for all of them.'],
    [
      ['--cache-size=20GB'],
      '--cache-size is gone since version 0.1.0: edit the sizes in buildkit/buildkitd.toml or docker/daemon.json instead.',
    ],
    [['--no-backup'], '--backup is gone since version 0.1.0: nothing is left'],
    [['--BUILDER=x'], 'There is no option --BUILDER; did you mean --builder?'],
    [['--Force'], 'There is no option --Force; did you mean --force?'],
    [['--proxy', 'x'], 'There is no option --proxy; did you mean --http-proxy?'],
    [['--url=x'], 'There is no option --url; did you mean --gitlab-url?'],
    [['-builder', 'dind'], 'There is no option -builder; did you mean --builder?'],
    [['-f'], 'There is no option -f. See --help'],
    [['—builder', 'dind'], 'There is no option —builder; did you mean --builder?'],
    [['–builder=dind'], 'There is no option –builder; did you mean --builder?'],
    [['--\u001b[31mtags'], 'There is no option --?[31mtags. See --help'],
    [
      ['--token', 'x'],
      'There is no option --token: "make register" in the new repository asks for tokens, and keeps them in .env.',
    ],
    [['--registration-token=x'], 'There is no option --registration-token: "make register"'],
    [['a', '-x'], 'There is no option -x. See --help for all of them.'],
    [['--tgas', 'a'], 'There is no option --tgas; did you mean --tags? See --help for all of them.'],
    [
      ['--gitlab', 'a'],
      'There is no option --gitlab; did you mean --gitlab-url? See --help for all of them.',
    ],
  ])('refuses %j and says what there is', (words, sentence) => {
    expect(() => refuseUnknownOptions(words, known)).toThrow(sentence);
  });

  it('shows no more of a name than a line takes', () => {
    const long = `--${'x'.repeat(10_000)}`;
    const sentence = `There is no option --${'x'.repeat(30)}.... See --help for all of them.`;
    expect(() => refuseUnknownOptions([long], known)).toThrow(sentence);
  });
});
