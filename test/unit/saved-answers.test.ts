import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { completeAnswers } from '../../generators/ask/answers.ts';
import { Refusal } from '../../generators/ask/refusal.ts';
import { loadAnswers, saveAnswers } from '../../generators/write/saved-answers.ts';
import { answersWith, scenarios } from '../support/answers.ts';

const section = 'generator-gitlab-runner-docker';
const nothing = { answers: {}, runners: {}, version: undefined, gone: [] };
let folder: string;
const store = (): string => join(folder, '.yo-rc.json');
const stored = () => JSON.parse(readFileSync(store(), 'utf8'));

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

describe('saveAnswers', () => {
  it.each(Object.entries(scenarios))('saves what loads again as the same answers: %s', (_, typed) => {
    const answers = answersWith(typed);
    saveAnswers(folder, answers);
    expect(completeAnswers(loadAnswers(folder).answers)).toEqual(answers);
  });

  it('keeps what other generators saved', () => {
    writeFileSync(store(), JSON.stringify({ 'generator-other': { a: [1] }, [section]: { tags: 'old' } }));
    saveAnswers(folder, answersWith({ tags: 'new' }));
    expect(stored()['generator-other']).toEqual({ a: [1] });
    expect(stored()[section].tags).toBe('new');
  });

  it('leaves a file alone that shows the answers already, however it is laid out', () => {
    saveAnswers(folder, answersWith());
    const laidOut = JSON.stringify(stored());
    writeFileSync(store(), laidOut);
    const before = statSync(store()).ino;
    saveAnswers(folder, answersWith());
    expect(readFileSync(store(), 'utf8')).toBe(laidOut);
    expect(statSync(store()).ino).toBe(before);
  });
});
