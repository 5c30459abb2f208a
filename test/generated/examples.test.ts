import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { Scenario } from '../support/answers.ts';
import scenarios from '../support/examples.json' with { type: 'json' };
import { renderAll } from '../support/rendered.ts';

const examples = fileURLToPath(new URL('../../examples', import.meta.url));

function filesIn(folder: string): Record<string, string> {
  const paths = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  const files = paths.filter(path => statSync(join(folder, path)).isFile());
  return Object.fromEntries(files.map(path => [path, readFileSync(join(folder, path), 'utf8')]));
}

describe('the repositories of examples/', () => {
  it('are those of test/support/examples.json', () => {
    expect(readdirSync(examples).sort()).toEqual(Object.keys(scenarios).sort());
  });

  it.each(Object.entries<Scenario>(scenarios))(
    'show what the generator writes: %s (npm run examples)',
    (name, typed) => {
      expect(filesIn(join(examples, name))).toEqual(renderAll(typed));
    },
  );

  // One person is to own it; these limits only ever go down.
  const most = { all: 1693, scripts: 1362, readme: 130 };

  it('hold exactly 18 files by default, and no more lines than one person reads in half an hour', () => {
    const files = Object.entries(filesIn(join(examples, 'default')));
    const lines = (some: [string, string][]) =>
      some.reduce((sum, [, text]) => sum + text.split('\n').length - 1, 0);
    expect(files.map(([path]) => path).sort()).toEqual(
      [
        ...['.env.example', '.gitattributes', '.gitignore', '.gitlab-ci.yml', 'Makefile', 'README.md'],
        ...['config/config.toml', 'docker-compose.yml', 'example/Dockerfile', 'scripts/clean-up.sh'],
        ...['scripts/doctor.ts', 'scripts/gitlab.ts', 'scripts/host.ts', 'scripts/jobs.ts'],
        ...['scripts/register.ts', 'scripts/run', 'scripts/runner.ts', 'scripts/settings.ts'],
      ].sort(),
    );
    expect(lines(files)).toBeLessThanOrEqual(most.all);
    expect(lines(files.filter(([path]) => path.startsWith('scripts/')))).toBeLessThanOrEqual(most.scripts);
    expect(lines(files.filter(([path]) => path === 'README.md'))).toBeLessThanOrEqual(most.readme);
  });
});
