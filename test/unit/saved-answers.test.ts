import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { completeAnswers, usable } from '../../generators/app/answers.ts';
import { filesOf } from '../../generators/app/files.ts';
import { planRepository } from '../../generators/app/plan.ts';
import type { TypedAnswers } from '../../generators/app/questions.ts';
import { filesFollow, loadAnswers, planOf, saveAnswers } from '../../generators/app/saved-answers.ts';
import { Refusal } from '../../generators/common/refusal.ts';
import { answersWith, otherAnswers, scenarios } from '../support/answers.ts';
import { pathsWith } from '../support/rendered.ts';

const section = 'generator-gitlab-runner-docker';
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
    expect(loadAnswers(folder)).toEqual({ answers: {}, runners: {} });
    writeFileSync(store(), '{"generator-other": {"tags": "x"}}');
    expect(loadAnswers(folder)).toEqual({ answers: {}, runners: {} });
  });

  it('gives text for each answer, also where somebody wrote a number or a boolean', () => {
    writeFileSync(store(), JSON.stringify({ [section]: { concurrent: 3, runUntagged: true, tags: 'a,b' } }));
    expect(loadAnswers(folder).answers).toEqual({ concurrent: '3', runUntagged: 'true', tags: 'a,b' });
  });

  it('passes over what is no answer', () => {
    writeFileSync(store(), JSON.stringify({ [section]: { token: 'glrt-x', constructor: 'y' } }));
    expect(loadAnswers(folder)).toEqual({ answers: {}, runners: {} });
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

describe('filesFollow', () => {
  const paths = pathsWith();
  const after = answersWith({ tags: 'new' });
  const before: TypedAnswers = { ...otherAnswers, tags: 'old' };
  const follow = (kept: string[], saved = before, answers = completeAnswers({ ...before, tags: 'new' })) =>
    filesFollow(
      planRepository(answers, 'my-runner'),
      Object.keys(saved).length === 0
        ? 'nothing'
        : planOf({ answers: usable(saved), runners: {} }, 'my-runner'),
      kept,
    );

  it('holds where every file was written', () => {
    expect(follow([])).toBe(true);
    expect(follow([], {})).toBe(true);
  });

  it('holds where the kept files show none of the answers that changed', () => {
    expect(follow(['Makefile', 'docker-compose.yml', '.env.example'])).toBe(true);
  });

  it.each(['.gitlab-ci.yml', 'README.md', 'scripts/settings.ts'])(
    'does not hold where %s, which shows the tags, was kept and the tags changed',
    path => {
      expect(follow([path])).toBe(false);
      expect(follow(['Makefile', path])).toBe(false);
    },
  );

  it('counts the files of the new answers only, where nothing was saved before', () => {
    const buildah = completeAnswers({ builder: 'buildah' });
    const ofBuildah = filesOf(planRepository(buildah, 'my-runner')).map(({ path }) => path);
    expect(follow(ofBuildah.slice(1), {}, buildah)).toBe(true);
    expect(follow(ofBuildah, {}, buildah)).toBe(false);
  });

  it('does not hold where the builder changed, and its file in the pipeline was kept', () => {
    const answers = completeAnswers({ builder: 'buildah' });
    expect(follow(['.gitlab-ci.yml'], {}, answers)).toBe(true);
    expect(follow(['.gitlab-ci.yml'], { builder: 'socket' }, answers)).toBe(false);
    expect(follow(['.env.example'], { builder: 'socket' }, answers)).toBe(true);
  });

  it('holds where nothing was saved before, unless no file was written at all', () => {
    expect(follow(['.gitlab-ci.yml'], {}, after)).toBe(true);
    expect(follow(paths, {}, after)).toBe(false);
  });

  it('compares with defaults where an answer was not saved before', () => {
    expect(follow(['.gitlab-ci.yml'], { concurrent: '2' }, after)).toBe(false);
    expect(follow(['.gitlab-ci.yml'], { concurrent: '2' }, answersWith())).toBe(true);
  });

  it('takes the default for an answer that was saved before and is none', () => {
    expect(follow(['.gitlab-ci.yml'], { concurrent: 'many' }, after)).toBe(false);
    expect(follow(['Makefile'], { concurrent: 'many' }, after)).toBe(true);
  });
});
