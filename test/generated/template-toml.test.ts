import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'smol-toml';
import { describe, expect, it } from 'vitest';
import { needs } from '../support/needs.ts';
import { renderAll } from '../support/rendered.ts';

const template = parse(renderAll()['config/template.toml']!);

describe('config/template.toml', () => {
  it('is TOML, and describes one runner, as register --template-config asks for', () => {
    expect(Object.keys(template)).toEqual(['runners']);
    expect(template.runners).toHaveLength(1);
  });

  it('asks the registry for a newer image first, and takes the one on this host where that fails', () => {
    expect(template.runners).toEqual([{ docker: { pull_policy: ['always', 'if-not-present'] } }]);
  });
});

const facts = process.env.FACTS_DIR;

describe.skipIf(!needs(facts !== undefined, 'FACTS_DIR, the folder with config-toml-keys.json'))(
  'the configuration that GitLab Runner reads',
  () => {
    it('has every key of config/template.toml', () => {
      const { keys } = JSON.parse(readFileSync(join(facts!, 'config-toml-keys.json'), 'utf8'));
      expect(unknownKeys(template, keys)).toEqual([]);
      expect(unknownKeys({ runners: [{ docker: { pull_polici: [] } }] }, keys)).toEqual([
        'runners.docker.pull_polici',
      ]);
    });
  },
);

/** Paths of the keys that are not among the known ones; a list of tables counts as one table. */
function unknownKeys(value: unknown, known: unknown, path: string[] = []): string[] {
  if (Array.isArray(value)) return value.flatMap(item => unknownKeys(item, known, path));
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => {
    const at = [...path, key];
    if (typeof known !== 'object' || known === null || !Object.hasOwn(known, key)) return [at.join('.')];
    return unknownKeys(inner, (known as Record<string, unknown>)[key], at);
  });
}
