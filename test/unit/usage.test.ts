import { readFileSync } from 'node:fs';
import { marked } from 'marked';
import { describe, expect, it } from 'vitest';
import { answerNames, questions } from '../../generators/app/questions.ts';
import { optionsTable, usage } from '../../generators/app/usage.ts';

describe('usage', () => {
  const lines = usage().split('\n');

  it.each(answerNames)('has one line for %s, with its option, its help and its default', name => {
    const { option, help, default: byDefault, yesNo } = questions[name];
    const [line, ...more] = lines.filter(text => text.startsWith(`  --${option} `));
    expect(more).toEqual([]);
    expect(line).toContain(help);
    expect(line).toContain(`(default: ${byDefault})`);
    // A yes-or-no question takes no value.
    expect(line?.includes('<value>')).toBe(!yesNo);
  });

  it('names both ways to run the generator, and the options that are no questions', () => {
    expect(usage()).toContain('generator-gitlab-runner-docker [directory]');
    expect(usage()).toContain('yo gitlab-runner-docker [directory]');
    for (const option of ['--defaults', '--force', '--dry-run', '--help', '--version']) {
      expect(usage()).toContain(option);
    }
  });

  it('fits into a terminal of 120 columns', () => {
    expect(Math.max(...lines.map(line => line.length))).toBeLessThanOrEqual(120);
  });
});

describe('optionsTable', () => {
  it('is a Markdown table with one row for each question', () => {
    const [table] = marked.lexer(optionsTable());
    expect(table?.type).toBe('table');
    const rows = (table as unknown as { rows: { text: string }[][] }).rows.map(cells =>
      cells.map(({ text }) => text),
    );
    expect(rows).toEqual(
      answerNames.map(name => [
        `\`--${questions[name].option}\``,
        `\`${questions[name].default}\``,
        questions[name].help,
      ]),
    );
  });

  it('stands in README.md as it is (npm run docs)', () => {
    expect(readFileSync('README.md', 'utf8')).toContain(`\n${optionsTable()}\n`);
  });
});
