import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'smol-toml';
import { describe, expect, it } from 'vitest';
import { scenarios } from '../support/answers.ts';
import { needs } from '../support/needs.ts';
import { unknownKeys } from '../support/own-tools.ts';
import { planWith, renderAll } from '../support/rendered.ts';

const templateWith = (typed = {}) => parse(renderAll(typed)['config/template.toml']!);

describe.each(Object.entries(scenarios))('config/template.toml with %s', (_, typed) => {
  const template = templateWith(typed);

  it('is TOML, and describes one runner, as register --template-config asks for', () => {
    expect(Object.keys(template)).toEqual(['runners']);
    expect(template.runners).toHaveLength(1);
  });

  it('has what the plan says, and nothing else', () => {
    const { runner, docker, cache, s3 } = planWith(typed).config;
    const table = (entries: typeof runner) =>
      Object.fromEntries(entries.map(({ key, value }) => [key, value]));
    const kept = cache.length > 0 ? { cache: { ...table(cache), s3: table(s3) } } : {};
    expect(template.runners).toEqual([{ ...table(runner), docker: table(docker), ...kept }]);
    for (const { key, why } of [...runner, ...docker, ...cache, ...s3])
      expect(why.length, key).toBeGreaterThan(0);
  });
});

it('config/template.toml asks the registry for a newer image first, and takes the one on this host where that fails', () => {
  const pull_policy = ['always', 'if-not-present'];
  expect(templateWith({ hardening: 'relaxed' }).runners).toEqual([
    { unhealthy_interval: '1m0s', docker: { pull_policy } },
  ]);
  expect(templateWith().runners).toMatchObject([{ docker: { pull_policy } }]);
});

const facts = process.env.FACTS_DIR;

describe.skipIf(!needs(facts !== undefined, 'FACTS_DIR, the folder with config-toml-keys.json'))(
  'the configuration that GitLab Runner reads',
  () => {
    const known = () => JSON.parse(readFileSync(join(facts!, 'config-toml-keys.json'), 'utf8')).keys;

    it.each(Object.entries(scenarios))('has every key of config/template.toml with %s', (_, typed) => {
      expect(unknownKeys(templateWith(typed), known())).toEqual([]);
    });

    it('has no key that is misspelt', () => {
      expect(unknownKeys({ runners: [{ docker: { pull_polici: [] } }] }, known())).toEqual([
        'runners.docker.pull_polici',
      ]);
    });
  },
);
