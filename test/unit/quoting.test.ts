import { execFileSync } from 'node:child_process';
import { parse as parseToml } from 'smol-toml';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { markdown, shell, toml, typescript, yaml } from '../../generators/write/quoting.ts';

const awkward = [
  `it's "quoted" \\ and \${{ more }}`,
  ...['on', 'oN', 'y', 'No', 'true', 'null', '~', '', ' outer '],
  ...[
    '0',
    '007',
    '0o17',
    '0x1F',
    '1e3',
    'e0',
    'E7',
    '1_000',
    '1,000',
    '.5',
    '.inf',
    '12:30',
    '2026-01-31',
    '10.0.0.1:5000',
  ],
  ...[
    '# no comment',
    'a # b',
    'a: b',
    'a:',
    ':a',
    '- a',
    '-a',
    '? a',
    '!tag',
    '&anchor',
    '*alias',
    '%a',
    '@a',
  ],
  ...['[a]', '{a}', 'a, b', ']', '}', '|', '>', '`a`', '---', '...', '<<', '=', '<%= 1 %>', '$HOME'],
  ...['two\nlines', 'a\ttab', '\u0007', '👩‍👩‍👧', 'שלום', '\ud83d', 'x'.repeat(5000)],
];

describe('yaml', () => {
  it.each(awkward)('writes %j so that YAML 1.1 and 1.2 read it back', text => {
    for (const version of ['1.1', '1.2'] as const) {
      expect(parse(`key: ${yaml(text)}\nlist: ${yaml([text, 'x', text])}\nnext: 1`, { version })).toEqual({
        key: text,
        list: [text, 'x', text],
        next: 1,
      });
    }
  });

  it('leaves plain what every reader takes for text', () => {
    for (const text of [
      'docker:stable',
      'registry.example.com:5000/team/$CI_PROJECT_PATH_SLUG',
      'two words',
    ]) {
      expect(yaml(text)).toBe(text);
    }
    expect(yaml(['docker', 'linux-arm64'])).toBe('[docker, linux-arm64]');
    expect(yaml([])).toBe('[]');
  });

  it('quotes letters that are not of ASCII, rather than to know all of them', () => {
    expect(yaml(['docker', 'größe'])).toBe('[docker, "größe"]');
  });

  it('quotes what only the YAML reader of GitLab, written in Ruby, takes for something else', () => {
    for (const text of ['oN', 'yEs', ':symbol', '1,000', '190:20:30']) expect(yaml(text)).toBe(`"${text}"`);
    // The same reader fails on these in a list, plain.
    expect(yaml(['a:', 'a:b'])).toBe('["a:", "a:b"]');
  });
});

describe('toml', () => {
  it.each(awkward.filter(text => !/\p{Cs}/u.test(text)))('writes %j so that it is read back', text => {
    expect(parseToml(`key = ${toml(text)}\nlist = ${toml([text, 'x', text])}\nnext = 1`)).toEqual({
      key: text,
      list: [text, 'x', text],
      next: 1,
    });
  });

  it('writes booleans and numbers as they are, and lists on one line', () => {
    expect(toml(true)).toBe('true');
    expect(toml(500)).toBe('500');
    expect(toml(['a', 'b "c"'])).toBe('["a", "b \\"c\\""]');
    expect(toml([])).toBe('[]');
  });
});

describe('typescript', () => {
  it.each(awkward)('writes %j as a literal that has this value', text => {
    expect(new Function(`return ${typescript(text)}`)()).toBe(text);
    expect(new Function(`return ${typescript([text, text])}`)()).toEqual([text, text]);
  });

  it('writes numbers and booleans as they are, and strings in single quotes where these do', () => {
    expect(typescript(12)).toBe('12');
    expect(typescript(false)).toBe('false');
    expect(typescript('My "Docker" Runner')).toBe(`'My "Docker" Runner'`);
    expect(typescript("it's")).toBe(`"it's"`);
    expect(typescript([])).toBe('[]');
  });
});

describe('shell', () => {
  it.each(awkward)('writes %j as one word of a shell command', text => {
    expect(
      execFileSync('sh', ['-c', `printf %s ${shell(text)}; printf "|$#"`, 'sh'], { encoding: 'utf8' }),
    ).toBe(`${Buffer.from(text).toString()}|0`);
  });

  it('leaves unquoted what needs no quotes', () => {
    expect(shell('../my-runner/x_1')).toBe('../my-runner/x_1');
    expect(shell('my runner')).toBe(`'my runner'`);
  });
});

describe('markdown', () => {
  it('escapes what would be mark-up, and nothing else', () => {
    expect(markdown('*a* _b_ `c` [d](e) <f> &amp; #1 !x a|b ~~g~~ $h$ :tada: @me')).toBe(
      '\\*a\\* \\_b\\_ \\`c\\` \\[d\\](e) \\<f\\> \\&amp; \\#1 \\!x a\\|b \\~\\~g\\~\\~ \\$h\\$ \\:tada\\: \\@me',
    );
    expect(markdown('see www.example.com')).toBe('see www\\.example.com');
    expect(markdown('1. first')).toBe('1\\. first');
    expect(markdown('- item')).toBe('\\- item');
    expect(markdown('My Docker Runner, v1.2 (x-y)')).toBe('My Docker Runner, v1.2 (x-y)');
  });
});
