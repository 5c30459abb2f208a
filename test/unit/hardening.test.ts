import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { builders, hardenings, type TypedAnswers } from '../../generators/ask/questions.ts';
import { planWith } from '../support/rendered.ts';

const plan = (typed: TypedAnswers) => {
  const repository = planWith(typed);
  return { ...repository.runners[0], ...repository };
};

const levels = Object.keys(hardenings) as (keyof typeof hardenings)[];
const ways: TypedAnswers[] = [
  ...Object.keys(builders).map(builder => ({ builder })),
  { builder: 'dind', dindCache: 'volume' },
];
/** Each way to build images at each level. */
const cases = ways.flatMap(way => levels.map(hardening => ({ ...way, hardening })));

/** Whether GitLab Runner's patterns (github.com/bmatcuk/doublestar) match; of its signs these have * and \\ only. */
const allows = (patterns: string[], image: string): boolean =>
  patterns.some(pattern => {
    const expression = pattern.replace(/\\.|[*.[\]]/g, part => (part === '*' ? '[^/]*' : `\\${part.at(-1)}`));
    return new RegExp(`^${expression}$`).test(image);
  });

/** The entries of [runners.docker]. */
const docker = (typed: TypedAnswers): Record<string, unknown> =>
  Object.fromEntries(plan(typed).config.docker.map(({ key, value }) => [key, value]));

const added = [
  ...['allowed_images', 'allowed_services', 'cap_add', 'cap_drop', 'cpus', 'memory', 'memory_swap'],
  ...['oom_score_adjust', 'service_cpus', 'service_memory', 'services_security_opt'],
];

describe('what is taken away', () => {
  it('is nothing where that was answered', () => {
    for (const way of ways) {
      const typed = { ...way, hardening: 'relaxed' };
      expect(Object.keys(docker(typed)).filter(key => added.includes(key))).toEqual([]);
      expect(plan(typed)).toMatchObject({
        hardening: { isConfined: false, isReadOnly: false },
        accessLevel: 'not_protected',
        config: { runner: [{ key: 'request_concurrency' }] },
      });
    }
  });

  it('is by default what no build needs, the same for each builder but for sudo in Buildah', () => {
    for (const way of ways) {
      const { security_opt: options, ...entries } = docker(way);
      expect(Object.keys(entries).filter(key => added.includes(key))).toEqual([
        'cap_drop',
        'oom_score_adjust',
      ]);
      expect(entries).toMatchObject({ cap_drop: ['NET_RAW', 'MKNOD'], oom_score_adjust: 500 });
      expect(options).toEqual(
        way.builder === 'buildah'
          ? ['seccomp=unconfined', 'apparmor=unconfined']
          : ['no-new-privileges:true'],
      );
    }
  });

  it('is at most all but a few capabilities; Buildah keeps one more, for its user namespace', () => {
    for (const way of ways) {
      const typed = { ...way, hardening: 'strict' };
      const { cap_drop, cap_add, security_opt } = docker(typed);
      expect(cap_drop).toEqual(['ALL']);
      expect(cap_add).toEqual([
        ...['CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'KILL', 'SETGID', 'SETUID'],
        ...(way.builder === 'buildah' ? ['SETFCAP'] : []),
      ]);
      expect(security_opt).toContain('no-new-privileges:true');
      expect(plan(typed).hardening).toEqual({
        level: 'strict',
        isConfined: true,
        isReadOnly: true,
      });
      expect(plan(typed).accessLevel).toBe('ref_protected');
    }
  });

  it('never keeps an engine beside a job from what it needs', () => {
    const { services_security_opt, service_memory, memory } = docker({
      builder: 'dind',
      hardening: 'strict',
    });
    expect(services_security_opt).toBeUndefined();
    expect(service_memory).toBe(memory);
    expect(docker({ builder: 'buildkit', hardening: 'strict' }).services_security_opt).toEqual([
      'no-new-privileges:true',
    ]);
  });

  it.each<[string, TypedAnswers]>([
    ['of Docker Hub', {}],
    ['of a registry', { dockerImage: 'r.example.org/team/cli:1' }],
    ['of a registry at an IPv6 address', { dockerImage: '[fd00::5]:5000/cli' }],
  ])('leaves the images that the sample pipeline uses: %s', (_, images) => {
    for (const way of ways) {
      const typed = { ...way, ...(way.builder === 'dind' ? images : {}), hardening: 'strict' };
      const { executor, pipeline } = plan(typed);
      const entries = docker(typed) as Record<'allowed_images' | 'allowed_services', string[]>;
      expect(allows(entries.allowed_images, executor.image), executor.image).toBe(true);
      for (const { image } of pipeline.services)
        expect(allows(entries.allowed_services, image), image).toBe(true);
      expect(allows(entries.allowed_services, 'postgres:17')).toBe(true);
      for (const other of ['postgres', 'somebody/postgres:17', 'registry.example.org/postgres:17']) {
        expect(allows(entries.allowed_services, other), other).toBe(false);
      }
      expect(allows(entries.allowed_images, 'node:24')).toBe(false);
    }
  });

  it('is said in lines that fit on a screen', () => {
    for (const typed of cases) {
      for (const { why } of plan(typed).config.docker) {
        for (const line of why) expect(line.length, line).toBeLessThanOrEqual(116);
      }
    }
  });
});

it('every key of what is taken away has the type that GitLab Runner reads', () => {
  const facts = readFileSync(new URL('../facts/config-toml-keys.json', import.meta.url), 'utf8');
  const { runners } = JSON.parse(facts).keys;
  const typeOf = (value: unknown) =>
    Array.isArray(value)
      ? '[]string'
      : { number: 'int', boolean: 'bool', string: 'string' }[typeof value as string];
  const seen = new Set<string>();
  for (const typed of cases) {
    const { config } = plan(typed);
    for (const [known, entries] of [
      [runners, config.runner],
      [runners.docker, config.docker.filter(({ key }) => added.includes(key))],
    ] as const) {
      for (const { key, value } of entries) {
        expect(known[key], key).toBe(typeOf(value));
        seen.add(key);
      }
    }
  }
  expect([...seen].sort()).toEqual([...added, 'debug_trace_disabled', 'request_concurrency'].sort());
});

describe('the threats', () => {
  const threats = (typed: TypedAnswers) => plan(typed).threats;

  it('are the same people and accidents for all, each with what they can and what is done, in one table', () => {
    const [first, ...others] = cases.map(typed => threats(typed).map(({ who }) => who));
    for (const other of others) expect(other).toEqual(first);
    for (const { can, against } of cases.flatMap(typed => threats(typed))) {
      // A cell of a table: one line, no full stop, which would make a sentence of a part of one.
      for (const cell of [can, against]) expect(cell).toMatch(/^[^|\n]{8,}[^.\s|]$/);
    }
  });

  it('differ with each builder and with each level', () => {
    const texts = cases.map(typed => JSON.stringify(threats(typed)));
    expect(new Set(texts).size).toBe(cases.length);
  });

  it('say who is root, and promise nothing against them', () => {
    for (const hardening of levels) {
      const { can, against } = threats({ builder: 'socket', hardening }).find(({ who }) => /push/.test(who))!;
      expect(can).toContain('root here');
      expect(against).toMatch(/^nothing stops it/);
      const dind = threats({ builder: 'dind', hardening }).find(({ who }) => /push/.test(who))!;
      expect(dind.can).toContain('privileged container');
    }
  });

  it('say what is spoken without TLS', () => {
    const network = (typed: TypedAnswers) => threats(typed).find(({ who }) => /network/.test(who))?.can;
    expect(network({})).toMatch(/^nothing/);
    expect(network({ gitlabUrl: 'http://git.example.org' })).toContain('without TLS');
    expect(network({ insecureRegistry: 'plain.example.org:5000' })).toContain('`plain.example.org:5000`');
  });
});
