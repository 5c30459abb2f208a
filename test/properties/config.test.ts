import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import fc from 'fast-check';
import { parse as parseToml } from 'smol-toml';
import { describe, expect, it, vi } from 'vitest';
import type { TypedAnswers } from '../../generators/app/questions.ts';
import { toml } from '../../generators/common/quoting.ts';
import { scenarios } from '../support/answers.ts';
import { awkwardText } from '../support/arbitrary-answers.ts';
import { planWith, writeAll } from '../support/rendered.ts';

// Thousands of cases; a busy machine takes its time for them.
vi.setConfig({ testTimeout: 120_000 });

type Value = string | number | boolean | readonly string[];

/** What one part of a config.toml is: noise, or a key that `make apply` looks after, with its value. */
interface Part {
  /** Its lines, without the last line break. */
  readonly text: string;
  readonly key?: string;
  readonly value?: Value;
  /** What stands before the value, and behind it. */
  readonly around?: readonly [before: string, behind: string];
}

interface Table {
  readonly header: string;
  readonly parts: readonly Part[];
}

/** A [[runners]] with its tables. */
interface Runner {
  readonly executor: string;
  readonly own: Table;
  readonly docker: Table | undefined;
  readonly others: readonly Table[];
}

const visible = awkwardText.map(text =>
  [...text.replace(/[\p{Cc}\p{Cs}\u2028\u2029]/gu, '')].slice(0, 40).join(''),
);
const indent = fc.constantFrom('', '  ', '    ', '\t');
const comment = visible.map(text => `# ${text}`);
const behind = fc.oneof(
  { weight: 3, arbitrary: fc.constant('') },
  { weight: 1, arbitrary: comment.map(text => ` ${text}`) },
  { weight: 1, arbitrary: fc.constantFrom(' ', '\t', '# [runners.docker]', ' # "]') },
);

const text = fc.oneof(
  visible.map(value => JSON.stringify(value)),
  visible.map(value => `'${value.replaceAll("'", '')}'`),
  fc.constantFrom('"a # b"', '"[[runners]]"', "'c ] d'", '"\\"x\\" # ["', '"\\\\"', '"\\U0001F600"', '""'),
);

/** A list as somebody may write it: on one line or on several, with comments between. */
const list = (item: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc.oneof(
    fc.array(item, { maxLength: 3 }).map(items => `[${items.join(', ')}]`),
    fc
      .array(fc.tuple(item, fc.oneof(fc.constant(''), comment)), { maxLength: 3 })
      .map(items => `[\n${items.map(([one, after]) => `    ${one}, ${after}\n`).join('')}  ]`),
    fc
      .tuple(fc.array(item, { maxLength: 3 }), comment)
      .map(([items, note]) => `[ ${note}\n${items.join(' ,\n')}\n]`),
  );

const noiseValue = fc.oneof(
  text,
  list(text),
  list(list(text)),
  fc.constantFrom('1', '-0.5', '1e3', '0x1F', 'true', 'false', '2026-11-25T10:00:00Z', '{}'),
  text.map(value => `{ a = ${value}, b = [1, 2] }`),
  fc.constantFrom(
    '"""\n[runners.docker]\nimage = "no" # [\nconcurrent = 1\n"""',
    "'''\n[[runners]]\nvolumes = [\n'''",
    '"""one "quoted" line"""',
  ),
);

/** Lines that are none of apply's business; keys get their numbers later. */
const noise: fc.Arbitrary<Part> = fc.oneof(
  fc.constantFrom('', '   ').map(line => ({ text: line })),
  fc.tuple(indent, comment).map(([before, line]) => ({ text: before + line })),
  fc
    .tuple(indent, fc.constantFrom(' = ', '=', ' =\t'), noiseValue, behind)
    .map(([before, equals, value, after]) => ({ text: `${before}NOISE${equals}${value}${after}` })),
);

/** A key that is looked after, with any value of its kind, written in any way. */
function governed(key: string, value: fc.Arbitrary<Value>): fc.Arbitrary<Part> {
  return fc
    .tuple(indent, fc.constantFrom(' = ', '=', '  =  '), value, behind, fc.boolean(), comment)
    .map(([before, equals, one, after, isLong, note]) => {
      const written =
        typeof one !== 'object' || !isLong
          ? toml(one)
          : `[ ${note}\n${one.map(item => `      ${toml(item)}, # ]\n`).join('')}    ]`;
      const around = [`${before}${key}${equals}`, after] as const;
      return { text: around[0] + written + after, key, value: one, around };
    });
}

const word = fc.constantFrom('', 'a', '/x:/x:ro', 'it\'s "x" # ]', 'always', 'host-gateway');
const words = fc.array(word, { maxLength: 3 });
const policy = fc.oneof(words, fc.constantFrom('always', 'never'), fc.constant(['always', 'if-not-present']));

const ofAll = { concurrent: fc.constantFrom('1', '2', '7', '50') };
const ofRunner = {
  debug_trace_disabled: fc.boolean(),
  environment: fc.array(
    fc.oneof(
      word,
      fc.constantFrom('A=1', 'A=http_proxy=x', 'HTTP_PROXY=http://old:1', 'SSL_CERT_DIR=/x', 'no_proxy='),
    ),
    { maxLength: 4 },
  ),
};
const ofDocker = {
  image: word,
  volumes: words,
  allowed_images: words,
  allowed_privileged_images: words,
  allowed_privileged_services: words,
  allowed_pull_policies: policy,
  cap_add: words,
  cap_drop: words,
  cpus: word,
  extra_hosts: words,
  memory: word,
  network_mode: fc.oneof(word, fc.constant('my-runner-jobs')),
  oom_score_adjust: fc.constantFrom(0, 500, -17),
  privileged: fc.boolean(),
  pull_policy: policy,
  security_opt: words,
  services_privileged: fc.boolean(),
  services_security_opt: words,
};

/** The lines of a table in any order: noise, and some of the keys that are looked after. */
function parts(
  keys: Record<string, fc.Arbitrary<Value>>,
  fixed: readonly string[] = [],
): fc.Arbitrary<Part[]> {
  const entries = Object.entries(keys).map(([key, value]) =>
    fc.option(governed(key, value), { nil: undefined }),
  );
  return fc
    .tuple(fc.tuple(...entries), fc.array(noise, { maxLength: 5 }))
    .map(([known, others]) => [
      ...fixed.map(line => ({ text: line })),
      ...known.filter(part => part !== undefined),
      ...others,
    ])
    .chain(all => fc.shuffledSubarray(all, { minLength: all.length }));
}

const header = (name: string): fc.Arbitrary<string> =>
  fc
    .tuple(indent, fc.constantFrom(name, name.replace(/(\w.*\w)/, ' $1 ')), behind)
    .map(([before, written, after]) => before + written + after);
const table = (name: string, content: fc.Arbitrary<Part[]>): fc.Arbitrary<Table> =>
  fc.record({ header: header(name), parts: content });

const runner: fc.Arbitrary<Runner> = fc
  .constantFrom('docker', 'docker', 'docker', 'shell', 'docker+machine')
  .chain(executor =>
    fc.record({
      executor: fc.constant(executor),
      own: table('[[runners]]', parts(ofRunner, [`  name = "one"`, `  executor = "${executor}" # [`])),
      docker: fc.option(table('[runners.docker]', parts(ofDocker)), { nil: undefined, freq: 5 }),
      others: fc.tuple(
        table('[runners.cache]', parts({})),
        table('[runners.cache.s3]', parts({})),
        table('[[runners.docker.services]]', parts({})),
      ),
    }),
  );

const file = fc.record({
  top: parts(ofAll).map(all => all.map(part => (part.key ? plainNumber(part) : part))),
  session: table('[session_server]', parts({})),
  runners: fc.array(runner, { maxLength: 3 }),
  lineEnd: fc.constantFrom('\n', '\n', '\r\n'),
  hasEnd: fc.boolean(),
});

/** `concurrent` is a number, which stands without quotes. */
function plainNumber({ key = '', value = '', around = ['', ''] }: Part): Part {
  return { key, value, around, text: `${around[0]}${value}${around[1]}` };
}

/** Values that mean the same are equal: what is not there is empty, false, or 0. */
function meaning(value: unknown): unknown[] {
  return [value ?? []]
    .flat()
    .filter(item => item !== '' && item !== false && item !== 0)
    .map(String);
}

describe.each([
  'the defaults',
  'an engine for each job',
  'BuildKit, and all that is rare',
  'the least taken away',
  'other answers everywhere',
])('bringInLine with %s', name => {
  const typed: TypedAnswers = scenarios[name]!;
  const folder = writeAll(typed);
  const plan = planWith(typed);
  const script: Promise<{
    bringInLine(text: string): { text: string; changes: { key: string; from: string; to: string }[] };
  }> = import(pathToFileURL(join(folder, 'scripts/config.ts')).href);

  const authority = `${join(folder, 'config/certs/ca.crt')}:/etc/gitlab-runner/certs/ca.crt:ro`;
  const wanted: Record<string, Record<string, Value>> = {
    '': { concurrent: String(plan.concurrent) },
    '[[runners]]': Object.fromEntries(plan.config.runner.map(({ key, value }) => [key, value])),
    '[runners.docker]': {
      ...Object.fromEntries(plan.config.docker.map(({ key, value }) => [key, value])),
      image: plan.executor.image,
      volumes: [...plan.executor.volumes, ...(plan.privateCa ? [authority] : []), '/cache'],
    },
  };

  /** What a key should be: variables that are somebody's own stay beside those that are looked after. */
  const target = (kind: string, key: string, value: Value | undefined): Value | undefined => {
    const to = wanted[kind]?.[key];
    if (key !== 'environment') return to;
    const ours = [
      'SSL_CERT_DIR',
      'HTTP_PROXY',
      'HTTPS_PROXY',
      'NO_PROXY',
      'http_proxy',
      'https_proxy',
      'no_proxy',
    ];
    const own = meaning(value)
      .map(String)
      .filter(one => !ours.includes(one.replace(/=.*/, '')));
    return own.length > 0 ? [...own, ...meaning(to).map(String)] : to;
  };

  /** The lines of a table as they should be after apply, but for those that it adds. */
  const brought = (all: readonly Part[], kind: string): (string | undefined)[] =>
    all.map(({ text, key, value, around = ['', ''] }) => {
      if (key === undefined) return text;
      const to = target(kind, key, value);
      if (JSON.stringify(meaning(value)) === JSON.stringify(meaning(to))) return text;
      if (to === undefined) return undefined;
      return around[0] + (kind === '' ? String(to) : toml(to)) + around[1];
    });

  it('sets what it looks after, and leaves all else byte for byte, whatever that is', async () => {
    const { bringInLine } = await script;
    let added = 0;
    fc.assert(
      fc.property(file, ({ top, session, runners, lineEnd, hasEnd }) => {
        let count = 0;
        const lines: string[] = [];
        const expected: (string | undefined)[] = [];
        const put = (all: readonly Part[], kind: string | undefined) => {
          const after = kind === undefined ? all.map(part => part.text) : brought(all, kind);
          for (const [at, part] of all.entries()) {
            // No key may be there twice.
            const name = `noise_${count++}`;
            lines.push(part.text.replace(/^(\s*)NOISE/, `$1${name}`));
            expected.push(after[at]?.replace(/^(\s*)NOISE/, `$1${name}`));
          }
        };
        const putTable = ({ header: line, parts: all }: Table, kind: string | undefined) => {
          lines.push(line);
          expected.push(line);
          put(all, kind);
        };
        put(top, '');
        putTable(session, undefined);
        for (const { executor, own, docker, others } of runners) {
          const isDocker = executor === 'docker';
          putTable(own, isDocker ? '[[runners]]' : undefined);
          if (docker) putTable(docker, isDocker ? '[runners.docker]' : undefined);
          for (const other of others.slice(0, docker ? 3 : 2)) putTable(other, undefined);
        }
        const end = (all: string[]) => (all.join('\n') + (hasEnd ? '\n' : '')).replaceAll('\n', lineEnd);
        const before = end(lines);
        parseToml(before);

        const { text: result, changes } = bringInLine(before);
        expect(bringInLine(result)).toEqual({ text: result, changes: [] });

        const addedLines = new Set(
          changes.filter(({ from }) => from === '').map(({ key, to }) => `${key} = ${to}`),
        );
        added += addedLines.size;
        const others = (all: string) => all.split('\n').filter(line => !addedLines.has(line.trim()));
        expect(others(result)).toEqual(others(end(expected.filter(line => line !== undefined))));

        const read = parseToml(result) as {
          concurrent: number;
          runners?: { executor: string; docker?: Record<string, unknown> & { services?: unknown } }[];
        };
        expect(read.concurrent).toBe(plan.concurrent);
        for (const [at, { executor, docker, ...own }] of (read.runners ?? []).entries()) {
          if (executor !== 'docker') continue;
          for (const key of Object.keys(ofRunner)) {
            const present = runners[at]?.own.parts.find(part => part.key === key)?.value;
            expect(meaning((own as Record<string, unknown>)[key])).toEqual(
              meaning(target('[[runners]]', key, present)),
            );
          }
          if (!runners[at]?.docker) continue;
          for (const key of Object.keys(ofDocker)) {
            expect(meaning(docker?.[key]), key).toEqual(meaning(wanted['[runners.docker]']?.[key]));
          }
        }
      }),
      { numRuns: 500 },
    );
    expect(added).toBeGreaterThan(50);
  });
});
