import fc from 'fast-check';
import { completeAnswers } from '../../generators/ask/answers.ts';
import {
  type AnswerName,
  answerNames,
  questions,
  type TypedAnswers,
} from '../../generators/ask/questions.ts';
import type { Refusal } from '../../generators/ask/refusal.ts';
import { refusalIn } from './refusals.ts';

// Whatever means something in YAML, TypeScript, a shell, a dotenv file, make, TOML, Markdown or a template.
const fragments = [
  ...[
    `'`,
    '"',
    '`',
    '\\',
    '\\n',
    '\\u0000',
    '$',
    '$$',
    '$(x)',
    '$HOME',
    '${X:-y}',
    '${{ x }}',
    '{{',
    '}}',
    '%',
    '%%',
  ],
  ...[
    '#',
    ' #',
    ': ',
    ':',
    ' - ',
    '-',
    '--',
    '*',
    '&',
    '!',
    '!!str ',
    '|',
    '>',
    '@',
    '?',
    '? ',
    ',',
    ';',
    '~',
    '^',
    '=',
  ],
  ...[
    '[',
    ']',
    '{',
    '}',
    '(',
    ')',
    '<',
    '<%',
    '<%= 1 %>',
    '<%- x',
    '%>',
    '<!--',
    '<b>',
    '&amp;',
    '&#39;',
    '/',
    '//',
    '*/',
    '/*',
  ],
  ...[
    'a',
    'docker',
    'Z',
    '0',
    '7',
    '1e3',
    '0o17',
    ' ',
    '  ',
    '.',
    '..',
    '_',
    '__',
    'é',
    'e\u0301',
    '名',
    'שלום',
    '\u200f',
    '👩‍👩‍👧',
    '🏳️‍🌈',
  ],
  ...[
    '\u00a0',
    '\u200b',
    '\u00ad',
    '\ufffd',
    '\u{10ffff}',
    '\u{1fffe}',
    '*b*',
    '_i_',
    '![x](y)',
    '[x](y)',
    'www.a.b',
    'a@b.c',
    ':tada:',
  ],
];

const invisible = [
  '\n',
  '\r\n',
  '\t',
  '\0',
  '\u0007',
  '\u001b[31m',
  '\u007f',
  '\u0085',
  '\u2028',
  '\u202e',
  '\u2066',
  '\ufeff',
  '\ufffe',
  '\ud83d',
  '\udc00',
];

const words = [
  ...[
    'on',
    'oN',
    'off',
    'yes',
    'No',
    'y',
    'n',
    'true',
    'False',
    'null',
    'Null',
    '~',
    '',
    ' ',
    'undefined',
    'NaN',
    '=',
    '<<',
  ],
  ...[
    '0',
    '007',
    '0o17',
    '0x1F',
    '0b11',
    '1e3',
    '1E-3',
    '1_000',
    '1,000',
    '.5',
    '5.',
    '.inf',
    '-.INF',
    '.nan',
    '+1',
    '-1',
    '2.0',
    '０',
    '２',
    '9'.repeat(400),
  ],
  ...[
    '12:30',
    '190:20:30.15',
    '2026-01-31',
    '2026-01-31T12:00:00Z',
    '2001-12-14 21:59:43 +0100',
    '10.0.0.1',
    '1.2.3',
  ],
  ...[
    '---',
    '...',
    '- a',
    '? a',
    ': a',
    '%YAML 1.2',
    '@a',
    '`a`',
    '|',
    '>-',
    '!a',
    '&a',
    '*a',
    ':symbol',
    '__proto__',
    'constructor',
  ],
];

/** Text that something or other trips over, on one line and visible for the most part. */
export const awkwardText: fc.Arbitrary<string> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.array(fc.constantFrom(...fragments), { maxLength: 12 }).map(parts => parts.join('')),
  },
  { weight: 2, arbitrary: fc.constantFrom(...words) },
  { weight: 2, arbitrary: fc.string({ unit: 'grapheme', maxLength: 20 }) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 20 }) },
  {
    weight: 1,
    arbitrary: fc
      .array(fc.constantFrom(...fragments, ...invisible), { maxLength: 8 })
      .map(parts => parts.join('')),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.constantFrom(...fragments), fc.integer({ min: 100, max: 5000 }))
      .map(([part, times]) => part.repeat(times)),
  },
);

const label = fc.stringMatching(/^[a-zA-Z0-9]([a-zA-Z0-9-]{0,8}[a-zA-Z0-9])?$/);
const port = fc.oneof(
  fc.constant(''),
  fc.integer({ min: 0, max: 99_999 }).map(number => `:${number}`),
);
const hostName = fc.oneof(
  fc.array(label, { minLength: 1, maxLength: 4 }).map(labels => labels.join('.')),
  fc.ipV4(),
  fc.ipV6().map(address => `[${address}]`),
  fc.constantFrom('localhost', 'bücher.example', 'gitlab.com.', 'a_b.example'),
);
const pathPart = fc.oneof(
  fc.stringMatching(/^[\w.~-]{1,10}$/),
  fc.constantFrom('..', '.', '', '-', '%20', 'a b', '$x'),
);
const imagePart = fc.stringMatching(/^[a-z0-9]{1,6}((\.|_|__|-{1,3})[a-z0-9]{1,4}){0,2}$/);
const lowerPath = fc.array(imagePart, { maxLength: 3 }).map(parts => parts.map(part => `/${part}`).join(''));

/** For questions that are neither a choice nor answered by yes or no. */
const mostlyValid: { readonly [Name in AnswerName]?: fc.Arbitrary<string> } = {
  dockerNetwork: fc.oneof(fc.constantFrom('none', 'host', 'gitlab_default'), label),
  gitlabUrl: fc
    .tuple(
      fc.constantFrom('https://', 'http://', 'HTTPS://'),
      hostName,
      port,
      fc.array(pathPart, { maxLength: 4 }),
    )
    .map(
      ([scheme, host, number, parts]) => `${scheme}${host}${number}${parts.map(part => `/${part}`).join('')}`,
    ),
  registry: fc.oneof(
    fc.constant('gitlab'),
    fc.tuple(hostName, port, lowerPath).map(parts => parts.join('')),
  ),
  tags: fc
    .array(
      awkwardText.map(text => text.replaceAll('$', '')),
      { maxLength: 6 },
    )
    .map(tags => tags.join(',')),
  description: awkwardText,
  concurrent: wholeNumber(),
  instanceGroup: fc
    .array(
      fc.oneof(
        { weight: 6, arbitrary: fc.stringMatching(/^[\w.-]{1,12}$/) },
        { weight: 1, arbitrary: awkwardText },
      ),
      {
        minLength: 1,
        maxLength: 4,
      },
    )
    .map(parts => parts.join('/')),
  instanceJobs: wholeNumber(),
  namespace: fc.oneof(label, fc.constantFrom('default', 'kube-system', 'CI', 'gitlab-runner')),
  nodeSelector: listOf(
    fc
      .tuple(
        fc.oneof(
          label,
          hostName.map(host => `${host}/pool`),
        ),
        fc.constantFrom('=', '', '=='),
        label,
      )
      .map(parts => parts.join('')),
    'none',
  ),
  instanceUses: wholeNumber(),
  idleJobs: fc.oneof(wholeNumber(), fc.constant('0')),
  cleanUp: fc.oneof(wholeNumber(), fc.constantFrom('none', 'NONE', 'never')),
  dockerImage: image(),
  runnerImage: image(),
  platforms: listOf(
    fc.constantFrom(
      ...['linux/amd64', 'linux/amd64/v3', 'linux/arm64', 'linux/arm64/v8', 'linux/arm/v7', 'linux/riscv64'],
      ...['linux/s390x', 'linux/arm64', 'host', 'windows/amd64', 'linux', 'LINUX/AMD64'],
    ),
    'host',
  ),
  cacheServer: fc.oneof(
    fc.constant('here'),
    fc
      .tuple(fc.constantFrom('https://', 'https://', 'HTTPS://', 'http://', ''), hostName, port)
      .map(parts => parts.join('')),
  ),
  cacheBucket: fc.oneof(
    fc.stringMatching(/^[a-z0-9.-]{1,20}$/),
    fc.constantFrom('10.0.0.1', 'a..b', 'xn--cache', 'cache-s3alias', 'Cache', 'runner-cache'),
  ),
  httpProxy: fc.oneof(
    fc.constant('none'),
    fc
      .tuple(fc.constantFrom('http://', 'http://', 'HTTP://', 'https://', ''), hostName, port)
      .map(parts => parts.join('')),
  ),
  proxyExceptions: listOf(
    fc.oneof(
      hostName,
      label.map(name => `.${name}.example`),
      fc.tuple(fc.ipV4(), fc.integer({ min: 0, max: 40 })).map(([address, bits]) => `${address}/${bits}`),
      fc.tuple(fc.ipV6(), fc.integer({ min: 0, max: 140 })).map(([address, bits]) => `${address}/${bits}`),
      fc.ipV6(),
    ),
    'none',
  ),
  insecureRegistry: fc.oneof(
    fc.constant('none'),
    fc.tuple(hostName, port, fc.constantFrom('', '', '', '/team')).map(parts => parts.join('')),
  ),
  extraHosts: listOf(
    fc
      .tuple(hostName, fc.oneof(fc.ipV4(), fc.ipV6(), fc.constantFrom('host-gateway', 'somewhere', '')))
      .map(([name, address]) => `${name}:${address}`),
    'none',
  ),
};

function wholeNumber(): fc.Arbitrary<string> {
  return fc.oneof(
    fc.integer({ min: -5, max: 200_000 }).map(String),
    fc.constantFrom('1.5', '1e3', '007', ' 3 '),
  );
}

/** A comma-separated list; sometimes the word that stands for an empty one. */
function listOf(item: fc.Arbitrary<string>, word: string): fc.Arbitrary<string> {
  return fc.oneof(
    { weight: 1, arbitrary: fc.constant(word) },
    {
      weight: 4,
      arbitrary: fc
        .tuple(fc.array(item, { maxLength: 4 }), fc.constantFrom(',', ', '))
        .map(([items, separator]) => items.join(separator)),
    },
  );
}

function image(): fc.Arbitrary<string> {
  const digest = fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: 64, maxLength: 64 });
  return fc
    .tuple(
      fc.oneof(
        fc.constant(''),
        fc.tuple(hostName, port).map(([host, number]) => `${host}${number}/`),
      ),
      imagePart,
      lowerPath,
      fc.oneof(fc.constant(''), fc.stringMatching(/^:[\w][\w.-]{0,20}$/)),
      fc.oneof(
        { weight: 4, arbitrary: fc.constant('') },
        { weight: 1, arbitrary: digest.map(hex => `@sha256:${hex}`) },
      ),
    )
    .map(parts => parts.join(''));
}

/** What somebody might type as the answer to a question: often an answer, sometimes anything at all. */
export function typedAnswer(name: AnswerName): fc.Arbitrary<string> {
  const { choices, yesNo } = questions[name];
  const likely =
    mostlyValid[name] ??
    fc.constantFrom(...(yesNo ? ['yes', 'no', 'TRUE', 'n', 'maybe'] : [...Object.keys(choices!), 'magic']));
  return fc.oneof({ weight: 4, arbitrary: likely }, { weight: 1, arbitrary: awkwardText });
}

/**
 * Answers to all questions, as typed, which go together. One that would be refused is left out, so that its
 * default holds; in the place of an image that does not go with the other answers stands one that does.
 */
export const acceptedAnswers: fc.Arbitrary<TypedAnswers> = fc
  .record(
    Object.fromEntries(answerNames.map(name => [name, typedAnswer(name)])) as Record<
      AnswerName,
      fc.Arbitrary<string>
    >,
  )
  .map((typed): TypedAnswers => {
    const accepted = Object.fromEntries(
      answerNames.filter(name => !refusalOf(name, typed[name])).map(name => [name, typed[name]]),
    ) as TypedAnswers;
    if (!refusalIn(() => completeAnswers(accepted))) return accepted;
    const dockerImage = accepted.builder === 'buildah' ? 'team/builder' : 'docker:cli';
    return { ...accepted, executor: 'docker', dockerImage, dockerNetwork: 'none', cache: 'local' };
  });

/** Why this text is no answer to this question; undefined if it is one. */
export function refusalOf(name: AnswerName, typed: string): Refusal | undefined {
  return refusalIn(() => questions[name].check(typed));
}
