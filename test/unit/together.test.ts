import { parse } from 'smol-toml';
import { describe, expect, it } from 'vitest';
import { parse as parseYaml } from 'yaml';
import { merge } from '../../generators/write/merge.ts';
import { togetherFor, togetherIn } from '../../generators/write/together.ts';
import { renderAll } from '../support/rendered.ts';

const config = 'config/config.toml';
const base = renderAll()[config]!;

type Table = Record<string, unknown>;
const read = (text: string) => parse(text) as { runners: Table[] } & Table;

/** What the owner appends, and where it is to be found afterwards. */
const additions: Record<string, [text: string, isThere: (config: ReturnType<typeof read>) => unknown]> = {
  'a runner by hand': [
    '\n[[runners]]\n  name = "by hand"\n  executor = "docker"\n  [runners.docker]\n    image = "alpine"\n',
    ({ runners }) => runners.find(({ name }) => name === 'by hand'),
  ],
  'a table of the first runner': [
    '    [runners.docker.sysctls]\n      "net.core.somaxconn" = "1"\n',
    ({ runners }) => (runners[0]!.docker as Table).sysctls,
  ],
  'a table of the whole file': ['\n[session_server]\n  session_timeout = 1800\n', one => one.session_server],
  'a key of the first runner': [
    '    shm_size = 300000000\n',
    ({ runners }) => (runners[0]!.docker as Table).shm_size,
  ],
  'a remark': ['    # Ours.\n', () => true],
};

/** Other answers, each of which adds to the end of the first runner or of the file. */
const others = {
  strict: { hardening: 'strict' },
  's3 cache': { cache: 's3' },
  'extra hosts': { extraHosts: 'git.example.org:10.0.0.5' },
  instances: { executor: 'docker-autoscaler' },
  'a further runner': { runners: { second: { builder: 'buildah' } } },
  'buildkit and strict': { builder: 'buildkit', hardening: 'strict' },
};

describe.each(Object.entries(additions))(
  'what the owner appends to config.toml, %s,',
  (_, [addition, its]) => {
    it.each(Object.entries(others))(
      'stays as it is, and takes nothing of what new answers add: %s',
      (_, typed) => {
        const owner = base + addition;
        const generated = renderAll(typed)[config]!;
        const { marked, conflicts } = merge(base, owner, generated, togetherIn[config]);
        // Where it cannot be told, it is a conflict.
        if (conflicts.length > 0) return expect(marked).toContain('>>>>>>> new');
        const [merged, alone, wanted] = [read(marked), read(owner), read(generated)];
        expect(its(merged)).toEqual(its(alone));
        for (const runner of wanted.runners) {
          const now = merged.runners.find(({ name }) => name === runner.name)!;
          const { sysctls: _s, shm_size: _h, ...docker } = now.docker as Table;
          expect({ ...now, docker }).toEqual(runner);
        }
        expect(merged.runners.length).toBe(
          wanted.runners.length + (addition.includes('[[runners]]') ? 1 : 0),
        );
      },
    );
  },
);

it('goes together in most of these cases', () => {
  const pairs = Object.values(additions).flatMap(([addition]) =>
    Object.values(others).map(typed =>
      merge(base, base + addition, renderAll(typed)[config]!, togetherIn[config]),
    ),
  );
  expect(pairs.filter(({ conflicts }) => conflicts.length > 0).length).toBeLessThan(pairs.length / 4);
});

it('keeps the keys that the one added beside those that the other changed, or took away', () => {
  const [a, b] = ['[t]\na = 1\nb = 1\n', '[t]\na = 1\nb = 2\n'];
  const more = `${a}mine = 1\n`;
  expect(merge(a, more, b, togetherIn[config])).toMatchObject({
    marked: '[t]\na = 1\nmine = 1\nb = 2\n',
    conflicts: [],
  });
  expect(merge(a, more, '[t]\na = 1\n', togetherIn[config])).toMatchObject({
    marked: '[t]\na = 1\nmine = 1\n',
    conflicts: [],
  });
  expect(merge(a, b, `${a}new = 1\n`, togetherIn[config])).toMatchObject({
    marked: `${b}new = 1\n`,
    conflicts: [],
  });
  expect(merge(a, more, '[t]\na = 1\nb = 2\nmine = 2\n', togetherIn[config]).conflicts).toHaveLength(1);
  const changed = '[t]\na = 2\nmine = 1\nb = 1\n';
  expect(merge(a, changed, '[t]\na = 1\n', togetherIn[config])).toMatchObject({
    marked: '[t]\na = 2\nmine = 1\n',
    conflicts: [],
  });
  expect(merge(a, '[t]\na = 2\nb = 3\n', '[t]\na = 1\n', togetherIn[config]).conflicts).toHaveLength(1);
  const table = '[t]\na = 1\n[u]\nb = 1\n';
  expect(merge(table, `${table}mine = 1\n`, '[t]\na = 1\n', togetherIn[config]).conflicts).toHaveLength(1);
});

it('makes a conflict of one key, or one table, that both add', () => {
  const both = (mine: string, theirs: string) =>
    merge('a = 1\n', `a = 1\n${mine}`, `a = 1\n${theirs}`, togetherIn[config]);
  expect(both('b = 1\n', 'b = 2\n').conflicts).toHaveLength(1);
  expect(both('[t]\nx = 1\n', '[t]\ny = 2\n').conflicts).toHaveLength(1);
  expect(both('b = 1\n', 'c = 2\n').conflicts).toEqual([]);
});

describe('a list of config.toml that both changed', () => {
  const at = (before: string, mine: string, theirs: string, key = 'volumes') => {
    const [o, a, b] = [before, mine, theirs].map(list => `# Why.\n    ${key} = [${list}]\n`);
    return merge(o!, a!, b!, togetherIn[config]);
  };
  const socket = '"/var/run/docker.sock:/var/run/docker.sock"';
  const certificates = '"certs:/certs/client:ro"';

  it.each([
    [
      'added to it',
      `${socket}, "/cache"`,
      `${socket}, "/cache", "/srv/npm:/npm"`,
      `${certificates}, "/cache"`,
      `${certificates}, "/cache", "/srv/npm:/npm"`,
    ],
    ['took from it', `${socket}, "/cache"`, socket, `${certificates}, "/cache"`, certificates],
    [
      'put another in the place of one',
      '"/a", "/cache"',
      '"/a", "/srv/cache:/cache"',
      '"/b", "/cache"',
      '"/b", "/srv/cache:/cache"',
    ],
    ['added what is new as well', '"/a"', '"/a", "/b"', '"/b", "/c"', '"/b", "/c"'],
  ])('has what each of them means where the owner %s', (_, before, mine, theirs, both) => {
    expect(at(before, mine, theirs)).toMatchObject({
      marked: `# Why.\n    volumes = [${both}]\n`,
      conflicts: [],
    });
  });

  it.each([
    [
      'the owner changed what goes',
      `${socket}, "/cache"`,
      '"/run/docker.sock:/var/run/docker.sock", "/cache"',
      '"/cache"',
    ],
    ['both mount something at one place', '"/cache"', '"/cache", "/a:/x"', '"/cache", "/b:/x:ro"'],
    ['both set one variable', '"A=1"', '"A=1", "B=1"', '"A=1", "B=2"', 'environment'],
    ['it has an order', '"always", "never"', '"never", "always"', '"always"', 'pull_policy'],
    ['it holds other than text', '1', '1, 2', '3, 1'],
    ['it is not of one line', '"/a"', '"/a",\n"/b"', '"/c"'],
    ['a remark stands in it', '"/a"', '"/a", "/b"] # [mine', '"/c"'],
  ])('is in conflict where %s', (_, before, mine, theirs, key?: string) => {
    expect(at(before, mine, theirs, key).conflicts).toHaveLength(1);
  });

  it('is found beside a remark that is new too', () => {
    const merged = merge(
      '# Old.\nvolumes = ["/a"]\n',
      '# Old.\nvolumes = ["/a", "/b"]\n',
      '# New.\n# Two.\nvolumes = ["/c"]\n',
      togetherIn[config],
    );
    expect(merged).toMatchObject({ marked: '# New.\n# Two.\nvolumes = ["/c", "/b"]\n', conflicts: [] });
  });
});

it('keeps whole entries of scripts/settings.ts, and makes a conflict of anything else at one place', () => {
  const list = (...entries: string[]) => `export const runners = [\n${entries.join('')}];\n`;
  const entry = (name: string) => `  {\n    name: '${name}',\n  },\n`;
  const path = 'scripts/settings.ts';
  const at = (mine: string, theirs: string) =>
    merge(list(entry('a')), list(entry('a'), mine), list(entry('a'), theirs), togetherIn[path]);
  expect(at(entry('mine'), entry('new'))).toMatchObject({
    marked: list(entry('a'), entry('mine'), entry('new')),
    conflicts: [],
  });
  expect(at('  // Mine.\n', entry('new')).conflicts).toHaveLength(1);
});

describe('what the owner appends to README.md', () => {
  const together = togetherIn['README.md'];
  const readme = renderAll()['README.md']!;
  const ours = '\n## Ours\n\nCall Ann:\n\n```sh\n# A comment.\nmake ann\n```\n';

  it.each(Object.entries({ ...others, proxy: { httpProxy: 'http://p.example.org:1' } }))(
    'stays a section beside what other answers add, and where that is taken back: %s',
    (_, typed) => {
      const generated = renderAll(typed)['README.md']!;
      const there = merge(readme, readme + ours, generated, together);
      expect(there).toMatchObject({ conflicts: [] });
      expect([generated + ours, generated.replace(/(?<=reason for each line.*\n)(?=\n## )/, ours)]).toContain(
        there.marked,
      );
      expect(merge(generated, there.marked, readme, together)).toMatchObject({
        marked: readme + ours,
        conflicts: [],
      });
    },
  );

  const base = '# A\n\nText.\n';
  const both = (mine: string, theirs: string, end = '') =>
    merge(base + end, base + mine + end, base + theirs + end, together);

  it('goes after text that is of the section above', () => {
    expect(both('## Ours\n', 'More.\n')).toMatchObject({ marked: `${base}More.\n## Ours\n`, conflicts: [] });
    expect(both('More.\n', '## New\n')).toMatchObject({ marked: `${base}More.\n## New\n`, conflicts: [] });
    expect(both('## Ours\n', '### New\n')).toMatchObject({
      marked: `${base}### New\n## Ours\n`,
      conflicts: [],
    });
    expect(both('## Ours\n', '## New\n', '## Last\n').conflicts).toEqual([]);
  });

  it.each([
    ['text of both', 'Mine.\n', 'Theirs.\n', ''],
    ['a section before text of another', '## Ours\n', '## New\n', 'Text.\n'],
    ['an unfinished block of code', '```\n## Ours\n', '## New\n', ''],
  ])('is in conflict as ever: %s', (_, mine, theirs, end) => {
    expect(both(mine, theirs, end).conflicts).toHaveLength(1);
  });
});

it('keeps lines that both added to .gitignore, unless one takes something back', () => {
  const both = (mine: string, theirs: string) =>
    merge('a\n', `a\n${mine}`, `a\n${theirs}`, togetherIn['.gitignore']);
  expect(both('b\n', '\n# New.\nc\n')).toMatchObject({ marked: 'a\nb\n\n# New.\nc\n', conflicts: [] });
  expect(merge('a\nc\n', 'a\nb\nc\n', 'a\n', togetherIn['.gitignore'])).toMatchObject({
    marked: 'a\nb\n',
    conflicts: [],
  });
  expect(both('!b\n', 'c\n').conflicts).toHaveLength(1);
});

describe('what the owner appends to a file of YAML', () => {
  const appended = {
    'docker-compose.yml': {
      'a service': '\n  mine:\n    image: nginx\n    restart: always\n',
      'a service, of which a comment comes first': '  # Ours.\n  mine:\n    image: nginx\n',
      'a service with its volume':
        '\n  mine:\n    image: nginx\n    volumes: ["mine:/data"]\n\nvolumes:\n  # Ours.\n  mine: {}\n',
      'a service, and a network at the top': '\n  mine:\n    image: nginx\n\nx-mine:\n  internal: true\n',
    },
    '.gitlab-ci.yml': {
      'a job': '\ndeploy:\n  script:\n    - |\n      echo a\n      echo b\n',
      'a job that has no line between': 'deploy:\n  script: [echo a]\n',
    },
  };
  /** Each puts lines at the end of one of them, or takes some away. */
  const others: Record<string, Parameters<typeof renderAll>[0]> = {
    monitoring: { monitoring: 'yes' },
    buildkit: { builder: 'buildkit' },
    's3 cache': { cache: 's3' },
    'no clean-up': { cleanUp: 'none' },
    instances: { executor: 'docker-autoscaler' },
    'all of it': { monitoring: 'yes', builder: 'buildkit', cache: 's3' },
  };
  type Keys = Record<string, Record<string, unknown>>;
  const read = (text: string) => parseYaml(text) as Keys;
  const sorted = (text: string) => [...new Set(text.split('\n'))].sort();

  const cases = Object.entries(appended).flatMap(([path, blocks]) =>
    Object.entries(blocks).flatMap(([name, block]) =>
      Object.keys(others).map(other => [path, name, other, block] as const),
    ),
  );

  it.each(cases)(
    '%s, %s, stays beside what other answers add, and where they are taken back: %s',
    async (path, _, other, block) => {
      const together = await togetherFor(path);
      const [base, generated] = [renderAll()[path]!, renderAll(others[other])[path]!];
      const { marked, conflicts } = merge(base, base + block, generated, together);
      expect(conflicts).toEqual([]);
      const [own, wanted] = [read(base + block), read(generated)];
      const volumes = own.volumes ? { volumes: { ...wanted.volumes, ...own.volumes } } : {};
      const mine = path.startsWith('docker')
        ? { services: { ...wanted.services, mine: own.services!.mine }, ...volumes }
        : { deploy: own.deploy };
      const top = own['x-mine'] ? { 'x-mine': own['x-mine'] } : {};
      expect(read(marked)).toEqual({ ...wanted, ...mine, ...top });
      // Comments and blank lines too, but for where blocks stand.
      expect(sorted(marked)).toEqual(sorted(generated + block));
      const back = merge(generated, marked, base, together);
      // Where both have entries under one key, that stays while the owner has some: a conflict.
      if (own.volumes && wanted.volumes) return;
      expect(back.conflicts).toEqual([]);
      expect(read(back.marked)).toEqual(own);
      expect(sorted(back.marked)).toEqual(sorted(base + block));
    },
  );

  it('stays where another answer takes away what is beside a line that the owner changed', async () => {
    const together = await togetherFor('docker-compose.yml');
    const [base, owner, generated] = ['a: 1\nb: 1\n', 'a: 2\nmine: 1\nb: 1\n', 'a: 1\n'];
    expect(merge(base, owner, generated, together)).toMatchObject({
      marked: 'a: 2\nmine: 1\n',
      conflicts: [],
    });
    expect(merge(base, 'a: 2\nb: 2\n', generated, together).conflicts).toHaveLength(1);
  });

  it('leaves a comment above what it was above', async () => {
    const together = await togetherFor('docker-compose.yml');
    const { marked } = merge('a: 1\nb: 1\n', 'a: 1\n# Ours.\nb: 1\n', 'a: 1\nc: 1\nb: 1\n', together);
    expect(marked).toBe('a: 1\nc: 1\n# Ours.\nb: 1\n');
  });

  it('is a conflict where both orders would mean something else, or a key would be there twice', async () => {
    const together = await togetherFor('docker-compose.yml');
    const both = (mine: string, theirs: string) =>
      merge('a:\n  - x\n', `a:\n  - x\n${mine}`, `a:\n  - x\n${theirs}`, together);
    expect(both('b: 1\n', 'c: 1\n').conflicts).toEqual([]);
    for (const [mine, theirs] of [
      ['b: 1\n', 'b: 2\n'],
      ['  - y\n', '  - z\n'],
      ['b:\n  c: 1\n', 'b:\n  d: 1\n'],
      ['volumes:\n  c: {}\n', 'volumes:\n  c: { name: x }\n'],
      ['volumes:\n  c:\n    name: x\n', 'volumes:\n  c:\n    external: true\n'],
      ['volumes: { c: {} }\n', 'volumes:\n  d: {}\n'],
      ['b: &x 1\nc: *x\n', 'd: &x 2\n  # Unfinished: {\n - e\n'],
      ['b: {\n', 'c: 1\n'],
      ['b: |\n  text\n', '  - z\n---\n'],
    ] as const)
      expect(both(mine, theirs).conflicts).toHaveLength(1);
  });
});
