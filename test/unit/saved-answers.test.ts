import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { completeAnswers } from '../../generators/ask/answers.ts';
import type { Answers } from '../../generators/ask/questions.ts';
import { Refusal } from '../../generators/ask/refusal.ts';
import type { AllWritten } from '../../generators/write/changes.ts';
import { blobId } from '../../generators/write/git.ts';
import { loadAnswers, savedText } from '../../generators/write/saved-answers.ts';
import { allScenarios, answersWith } from '../support/answers.ts';

const section = 'generator-gitlab-runner-docker';
const nothing = {
  answers: {},
  runners: {},
  version: undefined,
  name: undefined,
  gone: [],
  written: undefined,
};
let folder: string;
const store = (): string => join(folder, '.yo-rc.json');
const stored = () => JSON.parse(readFileSync(store(), 'utf8'));

/** Saves the answers, and gives the text that was there before. */
function save(answers: Answers, written: AllWritten = new Map()): string | undefined {
  const { before, after } = savedText(folder, 'my-runner', answers, {}, written);
  writeFileSync(store(), after);
  return before;
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'saved-'));
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

describe('loadAnswers', () => {
  it('finds nothing where nothing was saved', () => {
    expect(loadAnswers(folder)).toEqual(nothing);
    writeFileSync(store(), '{"generator-other": {"tags": "x"}}');
    expect(loadAnswers(folder)).toEqual(nothing);
  });

  it('gives text for each answer, also where somebody wrote a number or a boolean', () => {
    writeFileSync(store(), JSON.stringify({ [section]: { concurrent: 3, runUntagged: true, tags: 'a,b' } }));
    expect(loadAnswers(folder).answers).toEqual({ concurrent: '3', runUntagged: 'true', tags: 'a,b' });
  });

  it('passes over what is no answer, and names it', () => {
    writeFileSync(store(), JSON.stringify({ [section]: { token: 'glrt-x', constructor: 'y' } }));
    expect(loadAnswers(folder)).toEqual({ ...nothing, gone: ['token', 'constructor'] });
  });

  it.each([
    ['broken JSON', '{"a": ', 'it is not valid JSON'],
    ['an empty file', '', 'it is not valid JSON'],
    ['a list', '[]', 'it is not a JSON object'],
    ['null', 'null', 'it is not a JSON object'],
    ['text', '"x"', 'it is not a JSON object'],
    ['answers that are text', `{"${section}": "x"}`, `"${section}" is not an object`],
    ['answers that are a list', `{"${section}": []}`, `"${section}" is not an object`],
    ['tags that are a list', `{"${section}": {"tags": ["a"]}}`, '"tags" is not text'],
    ['a description that is null', `{"${section}": {"description": null}}`, '"description" is not text'],
    ['a description that is an object', `{"${section}": {"description": {}}}`, '"description" is not text'],
  ])('refuses %s, and says what to do', (_, text, why) => {
    writeFileSync(store(), text);
    expect(() => loadAnswers(folder)).toThrow(
      new Refusal(`${store()} cannot be used, for ${why}: mend it, or delete it to answer afresh.`),
    );
  });
});

describe('savedText', () => {
  it.each(Object.entries(allScenarios))('loads again as the same answers: %s', (_, typed) => {
    const answers = answersWith(typed);
    save(answers);
    expect(completeAnswers(loadAnswers(folder).answers)).toEqual(answers);
  });

  it('keeps what other generators saved', () => {
    writeFileSync(store(), JSON.stringify({ 'generator-other': { a: [1] }, [section]: { tags: 'old' } }));
    save(answersWith({ tags: 'new' }));
    expect(stored()['generator-other']).toEqual({ a: [1] });
    expect(stored()[section].tags).toBe('new');
  });

  it('is the same text where the answers stand there already, however it is laid out', () => {
    expect(save(answersWith())).toBeUndefined();
    const laidOut = JSON.stringify(stored());
    writeFileSync(store(), laidOut);
    expect(savedText(folder, 'my-runner', answersWith(), {}, new Map())).toEqual({
      before: laidOut,
      after: laidOut,
    });
  });

  it('loads again as the same files that were written', () => {
    const [id, base] = ['a', 'b'].map(blobId) as [string, string];
    const written = new Map([
      ['Makefile', { id }],
      ['constructor', { id, base }],
      ['x/y', { id, base, movedTo: 'z' }],
    ]);
    save(answersWith(), written);
    expect(loadAnswers(folder).written).toEqual(written);
    expect(loadAnswers(folder).gone).toEqual([]);
  });
});

describe('the files in .yo-rc.json, which a run may replace or remove', () => {
  const id = blobId('');
  it.each<[string, object]>([
    ['are a list', { files: [] }],
    ['have an id that is none', { files: { Makefile: '--help' } }],
    ['have an id that is a number', { files: { Makefile: 1 } }],
    ['lead out of the folder', { files: { '../Makefile': id } }],
    ['lead out of the folder on the way', { files: { 'a/../../Makefile': id } }],
    ['begin at the root', { files: { '/etc/passwd': id } }],
    ["are Git's own", { files: { '.git/config': id } }],
    ['were moved out of the folder', { files: { a: id }, moved: { a: '../a' } }],
  ])('are refused where they %s', (_, lists) => {
    writeFileSync(store(), JSON.stringify({ [section]: lists }));
    expect(() => loadAnswers(folder)).toThrow(
      'is not as a run of this generator leaves it: mend it, or delete',
    );
  });
});
