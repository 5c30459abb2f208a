import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { marked, type Tokens } from 'marked';
import { describe, expect, it } from 'vitest';
import { builders, executors } from '../../generators/ask/questions.ts';
import { doctorSample, node24 } from '../support/doctor-sample.ts';
import { needs } from '../support/needs.ts';

const top = fileURLToPath(new URL('../..', import.meta.url));
const read = (path: string) => readFileSync(join(top, path), 'utf8');
const readme = read('README.md');

/** The rows of the table whose first heading is that, each as its cells. */
function table(text: string, first: string): string[][] {
  const found = marked
    .lexer(text)
    .find((token): token is Tokens.Table => token.type === 'table' && token.header[0]?.text === first);
  return found?.rows.map(row => row.map(cell => cell.text)) ?? [];
}

describe('README.md', () => {
  it('has no more lines than one screen or two show', () => {
    expect(readme.split('\n').length - 1).toBeLessThanOrEqual(120);
  });

  const paths = readdirSync(join(top, 'examples/default'), { recursive: true, encoding: 'utf8' }).filter(
    path => statSync(join(top, 'examples/default', path)).isFile(),
  );

  it('shows each file of the default repository, and no other', () => {
    const [, tree = ''] = /```text\nmy-runner\/\n([\s\S]*?)```/.exec(readme) ?? [];
    let folder = '';
    const shown = tree
      .trimEnd()
      .split('\n')
      .flatMap(line => {
        const [, indent = '', path = '', what = ''] = /^([│ ]*)[├└]── (\S+)(?: +(\S.*))?$/.exec(line) ?? [];
        if (indent === '') folder = path.endsWith('/') ? path : '';
        else expect(folder, line).not.toBe('');
        if (path.endsWith('/')) return [];
        expect(what, line).not.toBe('');
        return [`${indent ? folder : ''}${path}`];
      });
    expect(shown.sort()).toEqual(paths.sort());
  });

  it('counts the files and lines that somebody owns', () => {
    const lines = (some: string[]) =>
      some.reduce((sum, path) => sum + read(`examples/default/${path}`).split('\n').length - 1, 0);
    const [all, ofScripts] = [paths, paths.filter(path => path.startsWith('scripts/'))].map(some =>
      lines(some).toLocaleString('en'),
    );
    expect(readme).toContain(
      `**What you own:** ${paths.length} files and ${all} lines, ${ofScripts} of them in \`scripts/\``,
    );
  });

  it('says of each builder what its question says', () => {
    const rows = Object.entries(builders).map(([name, sentence]) => [
      `[\`${name}\`](docs/builders/${name}.md)`,
      sentence,
    ]);
    expect(table(readme, '`--builder`')).toEqual(rows);
  });

  describe('where jobs run', () => {
    const rows = table(readme, 'where');

    it('has a row for each executor', () => {
      for (const name of Object.keys(executors))
        expect(rows.filter(([where]) => where?.includes(`\`--executor ${name}\``))).toHaveLength(1);
    });

    it.each([
      ['one host', 'one host'],
      ['several hosts', '4 hosts'],
      ['docker-autoscaler', 'docker-autoscaler'],
      ['kubernetes', 'Kubernetes'],
    ])('has the figures of docs/executors.md for %s', (name, how) => {
      const figures = table(read('docs/executors.md'), 'jobs an hour');
      const expected = ['10', '100'].map(jobs => {
        const [, , , half = '', wait = '', cost = ''] =
          figures.find(row => row[0] === jobs && row[1] === how) ?? [];
        return half.startsWith('falls behind') ? 'falls behind' : `${cost}; ${wait}`;
      });
      const [, , few, many] = rows.find(([where]) => where?.includes(name)) ?? [];
      expect([few, many]).toEqual(expected);
    });
  });

  it.skipIf(!needs(existsSync(node24), 'Node.js 24, by npm ci in test/tools'))(
    'shows what doctor says today (npm run docs)',
    () => {
      expect(readme).toContain(`\n\`\`\`text\n${doctorSample()}\`\`\`\n`);
    },
  );
});
