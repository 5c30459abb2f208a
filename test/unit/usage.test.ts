import { readFileSync } from 'node:fs';
import { marked } from 'marked';
import { describe, expect, it } from 'vitest';
import { ciQuestions } from '../../generators/ask/ci.ts';
import { presets } from '../../generators/ask/presets.ts';
import {
  type AnswerName,
  answerNames,
  builders,
  hardenings,
  questions,
} from '../../generators/ask/questions.ts';
import { runnerAnswerNames, runnerDefaultInWords, runnerQuestions } from '../../generators/ask/runners.ts';
import { defaultsInWords, exitCodes, optionsTable, usage } from '../../generators/ask/usage.ts';

describe('defaultsInWords', () => {
  it('names the default, and the builders that have another', () => {
    expect(defaultsInWords('tags')).toBe('docker');
    expect(defaultsInWords('dockerImage')).toBe(
      'docker:stable; docker:29.10.0-cli for dind; docker:29.10.0-cli for buildkit; quay.io/buildah/stable:latest for buildah; moby/buildkit:v0.34.2-rootless for buildkit on kubernetes',
    );
  });
});

describe('usage', () => {
  const lines = usage().split('\n');
  /** The entries of its lists, each on one line. */
  const entries = usage()
    .replace(/\n {10,}/g, ' ')
    .split('\n');

  it.each(answerNames)('has one entry for %s, with its option, its help and its default', name => {
    const { option, help, yesNo } = questions[name];
    const [line, ...more] = entries.filter(text => text.startsWith(`  --${option} `));
    expect(more).toEqual([]);
    expect(line).toContain(help);
    expect(line).toContain(`(default: ${defaultsInWords(name)})`);
    // A yes-or-no question takes no value.
    expect(line?.includes('<value>')).toBe(!yesNo);
  });

  it.each(Object.entries(builders))('says what the builder %s means', (name, sentence) => {
    const after = entries.slice(entries.indexOf('The builders:') + 1);
    expect(after.filter(entry => entry.startsWith(`  ${name} `)).map(entry => entry.trim())).toEqual([
      expect.stringContaining(` ${sentence}`),
    ]);
  });

  it.each(Object.entries(hardenings))('says what the hardening %s means', (name, sentence) => {
    const after = entries.slice(entries.indexOf('What --hardening takes away:') + 1);
    expect(after.filter(entry => entry.startsWith(`  ${name} `)).map(entry => entry.trim())).toEqual([
      expect.stringContaining(` ${sentence}`),
    ]);
  });

  it('names both ways to run the generator, and the options that are no questions', () => {
    expect(usage()).toContain('generator-gitlab-runner-docker [directory]');
    expect(usage()).toContain('yo gitlab-runner-docker [directory]');
    for (const option of ['--defaults', '--force', '--dry-run', '--completion', '--help', '--version']) {
      expect(usage()).toContain(option);
    }
  });

  it('says what the exit codes mean, as docs/options.md does', () => {
    const page = readFileSync(new URL('../../docs/options.md', import.meta.url), 'utf8').replace(/\s+/g, ' ');
    for (const [code, sentence] of Object.entries(exitCodes)) {
      expect(entries.some(entry => new RegExp(`^  ${code} +${sentence}$`).test(entry))).toBe(true);
      expect(page).toContain(`${code} ${sentence.replace(',', '')}`);
    }
  });

  it('says how a further runner is added, and with which options', () => {
    expect(usage()).toContain('yo gitlab-runner-docker:runner <name>');
    expect(usage()).toContain('--runner <name>');
    for (const { option } of Object.values(runnerQuestions)) {
      expect(usage().slice(usage().indexOf('To add a runner'))).toContain(`--${option}`);
    }
  });

  it('says how a project gains the job, and with which options', () => {
    expect(usage()).toContain('yo gitlab-runner-docker:ci <project>');
    const after = entries.slice(entries.findIndex(entry => entry.includes('--ci <project>'))).join(' ');
    for (const { option } of Object.values(ciQuestions)) expect(after).toContain(`--${option}`);
  });

  it('fits into a terminal of 120 columns', () => {
    expect(Math.max(...lines.map(line => line.length))).toBeLessThanOrEqual(120);
  });
});

describe('optionsTable', () => {
  const tables = marked.lexer(optionsTable()).filter(({ type }) => type !== 'space');
  const rowsOf = (table: unknown) =>
    (table as { rows: { text: string }[][] }).rows.map(cells => cells.map(({ text }) => text));

  it('is a Markdown table with one row for each question, and one for the builders, the levels of hardening, and the presets', () => {
    expect(tables.map(({ type }) => type)).toEqual(Array(5).fill('table'));
    expect(rowsOf(tables[0])).toEqual(
      answerNames.map(name => [
        `\`--${questions[name].option}\``,
        expect.stringContaining(`\`${questions[name].default}\``),
        questions[name].help,
      ]),
    );
    for (const [number, choices] of [builders, hardenings].entries()) {
      expect(rowsOf(tables[number + 2])).toEqual(
        Object.entries(choices).map(([name, sentence]) => [`\`${name}\``, sentence]),
      );
    }
  });

  it('has a table of presets, with the options that each stands for', () => {
    for (const [at, [name, { means, answers }]] of Object.entries(presets).entries()) {
      const [shown, words = ''] = rowsOf(tables[4])[at] ?? [];
      expect([shown, words]).toEqual([`\`${name}\``, expect.stringContaining(means)]);
      const typed = [...words.matchAll(/`--(\S+?)(?: (\S+))?`/g)].map(([, option, value = 'yes']) => [
        option,
        value,
      ]);
      expect(typed.sort()).toEqual(
        Object.entries(answers)
          .map(([one, value]) => [questions[one as AnswerName].option, value])
          .sort(),
      );
    }
  });

  it('has a table of what a further runner is asked', () => {
    expect(rowsOf(tables[1])).toEqual(
      runnerAnswerNames.map(name => [
        `\`--${runnerQuestions[name].option}\``,
        runnerDefaultInWords(name),
        runnerQuestions[name].help,
      ]),
    );
  });

  it('names the defaults of builders that have others', () => {
    const row = rowsOf(tables[0]).find(([option]) => option === '`--docker-image`');
    expect(row?.[1]).toBe(
      '`docker:stable`; dind: `docker:29.10.0-cli`; buildkit: `docker:29.10.0-cli`; buildah: `quay.io/buildah/stable:latest`; buildkit on kubernetes: `moby/buildkit:v0.34.2-rootless`',
    );
  });

  it('stands in docs/options.md as it is (npm run docs)', () => {
    expect(readFileSync('docs/options.md', 'utf8')).toContain(`\n${optionsTable()}\n`);
  });
});
