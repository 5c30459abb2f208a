import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createEnv } from 'yeoman-environment';
import GitLabRunnerDocker from '../../generators/app/index.ts';
import { sources, switches } from '../../generators/ask/command-line.ts';
import { nameOfChanges, nameOfRest } from '../../generators/ask/prompts.ts';
import {
  type AnswerName,
  answerNames,
  defaultFor,
  groups,
  questions,
  typedAnswers,
} from '../../generators/ask/questions.ts';
import { defaultsInWords } from '../../generators/ask/usage.ts';
import { allTogether, answersWith } from '../support/answers.ts';
import { newFolder, runGenerator, textsBelow } from '../support/run-generator.ts';

/** The questions that come up by themselves, and the prompt for the rest. */
const basics = answerNames.filter(name => questions[name].group === 'basics' && !questions[name].matters);
const all = { [nameOfRest]: 'change', [nameOfChanges]: Object.keys(groups) };
const terminal = { terminal: true };
const saved = (folder: string): Record<string, string> =>
  JSON.parse(readFileSync(join(folder, '.yo-rc.json'), 'utf8'))['generator-gitlab-runner-docker'];

describe('in a terminal', () => {
  it('asks every question that matters, and writes what the same options would write', async () => {
    const asking = newFolder();
    const answers = Object.fromEntries(
      answerNames.map(name => [name, questions[name].yesNo ? true : allTogether[name]]),
    );
    const { asked } = await runGenerator(asking, {
      options: terminal,
      args: ['x'],
      answers: { ...answers, ...all },
    });
    const mattering = answerNames.filter(name => questions[name].matters?.(answersWith(allTogether)) ?? true);
    const isBasic = (name: AnswerName) => questions[name].group === 'basics';
    expect(asked).toEqual([
      ...mattering.filter(isBasic),
      ...[nameOfRest, nameOfChanges],
      ...mattering.filter(name => !isBasic(name)),
      'write',
    ]);
    const telling = newFolder();
    const told = Object.fromEntries(mattering.map(name => [questions[name].option, answers[name]]));
    await runGenerator(telling, { options: told, args: ['x'] });
    expect(textsBelow(asking)).toEqual(textsBelow(telling));
  });

  it('asks three questions and what becomes of the rest, which is left at its defaults', async () => {
    const folder = newFolder();
    const { asked } = await runGenerator(folder, { options: terminal });
    expect(asked).toEqual([...basics, nameOfRest, 'write']);
    expect(saved(folder)).toMatchObject(typedAnswers(answersWith()));
  });

  it('forgets the rest of the answers of the run before only where it is to be as it is', async () => {
    const folder = newFolder();
    await runGenerator(folder, { options: { tags: 'linux', concurrent: '7' } });
    const answers = { [nameOfRest]: 'usual' };
    expect((await runGenerator(folder, { options: terminal, answers })).asked).toEqual([
      nameOfRest,
      ...basics,
      'write',
    ]);
    expect(saved(folder)).toMatchObject({ tags: 'docker', concurrent: '7' });
  });

  it('keeps answers of the run before where nobody asks for them', async () => {
    const folder = newFolder();
    await runGenerator(folder, { options: { 'extra-hosts': 'git.local:10.0.0.5', 'private-ca': true } });
    const { refusal } = await runGenerator(folder, { options: terminal });
    expect(refusal).toBeUndefined();
    expect(saved(folder)).toMatchObject({ extraHosts: 'git.local:10.0.0.5', privateCa: 'yes' });
  });

  it.each([
    ['dind', ['dindCache']],
    ['buildkit', []],
    ['buildah', []],
  ])('asks what the builder %s needs, and offers an image for it', async (builder, names) => {
    const folder = newFolder();
    const { asked } = await runGenerator(folder, { options: terminal, answers: { builder } });
    expect(asked).toEqual([
      ...answerNames.filter(name => basics.includes(name) || (names as string[]).includes(name)),
      ...[nameOfRest, 'write'],
    ]);
    expect(saved(folder)).toMatchObject({ builder, dockerImage: defaultFor('dockerImage', builder) });
  });

  it('offers the image of the new builder where the run before had another', async () => {
    const folder = newFolder();
    await runGenerator(folder, { options: { builder: 'buildah' } });
    const { refusal } = await runGenerator(folder, {
      options: { ...terminal, force: true },
      answers: { [nameOfRest]: 'change', [nameOfChanges]: ['basics'], builder: 'buildkit' },
    });
    expect(refusal).toBeUndefined();
    expect(saved(folder)).toMatchObject({ builder: 'buildkit', dockerImage: 'docker:29.10.0-cli' });
  });

  it('does not ask for what an option gave', async () => {
    const { asked } = await runGenerator(newFolder(), {
      options: { ...terminal, concurrent: '1', tags: 'a', 'run-untagged': false },
      answers: { [nameOfRest]: 'change', [nameOfChanges]: ['runner'] },
    });
    expect(asked).toEqual(['gitlabUrl', 'builder', nameOfRest, nameOfChanges, 'description', 'write']);
  });

  it('takes no tags for untagged jobs, also where a run before was not for these', async () => {
    const folder = newFolder();
    await runGenerator(folder, { options: { 'run-untagged': false } });
    const { asked, refusal } = await runGenerator(folder, {
      options: terminal,
      answers: { [nameOfRest]: 'change', [nameOfChanges]: ['runner'], tags: ',' },
    });
    expect({ asked, refusal }).toEqual({
      asked: [nameOfRest, nameOfChanges, 'tags', 'description', 'write'],
      refusal: undefined,
    });
    expect(saved(folder)).toMatchObject({ tags: ',', runUntagged: 'yes' });
  });

  it('asks nothing with --defaults', async () => {
    const folder = newFolder();
    const { asked } = await runGenerator(folder, {
      options: { ...terminal, defaults: true, concurrent: '9' },
    });
    expect(asked).toEqual([]);
    expect(saved(folder)).toMatchObject({ concurrent: '9', tags: questions.tags.default });
  });

  it('asks one question in a second run, which is like the first unless something is to change', async () => {
    const folder = newFolder();
    await runGenerator(folder, { options: { tags: 'linux', 'run-untagged': true } });
    const { asked, refusal } = await runGenerator(folder, { options: terminal });
    expect(asked).toEqual([nameOfRest]);
    expect(refusal).toBeUndefined();
    expect(saved(folder)).toMatchObject({ tags: 'linux', runUntagged: 'yes' });
  });

  it('says which engine it found', async () => {
    const { printed } = await runGenerator(newFolder(), { options: terminal, engine: '28.5.2 1.51 1.24' });
    expect(printed).toContain('The local Docker Engine is 28.5.2; it speaks API 1.24 to 1.51.');
  });

  it('takes another image by default where the engine refuses docker:stable', async () => {
    const folder = newFolder();
    const { printed } = await runGenerator(folder, { options: terminal, engine: '29.1.0 1.52 1.44' });
    expect(saved(folder).dockerImage).toBe('docker:cli');
    expect(printed).not.toContain('will be refused');
  });
});

describe('without a terminal', () => {
  it('asks nothing, and takes saved answers before defaults', async () => {
    const folder = newFolder();
    await runGenerator(folder, { options: { tags: 'linux' } });
    const { asked, refusal } = await runGenerator(folder);
    expect(asked).toEqual([]);
    expect(refusal).toBeUndefined();
    expect(saved(folder).tags).toBe('linux');
  });

  it('keeps the documented default where the engine refuses it, and warns', async () => {
    const folder = newFolder();
    const { printed } = await runGenerator(folder, { engine: '29.1.0 1.52 1.44' });
    expect(saved(folder).dockerImage).toBe(questions.dockerImage.default);
    expect(printed).toContain('docker:stable speaks 1.40 and will be refused');
  });

  it('takes the image of the new builder where the one saved was the default of the old one', async () => {
    const folder = newFolder();
    await runGenerator(folder, { options: { 'dind-cache': 'volume', builder: 'dind' } });
    const { refusal } = await runGenerator(folder, { options: { builder: 'buildah', force: true } });
    expect(refusal).toBeUndefined();
    expect(saved(folder)).toMatchObject({
      builder: 'buildah',
      dockerImage: 'quay.io/buildah/stable:latest',
      // For the day on which the builder changes back.
      dindCache: 'volume',
    });
  });

  it('writes the same on every machine', async () => {
    const [one, other] = [newFolder(), newFolder()];
    await runGenerator(one, { args: ['x'], engine: '29.1.0 1.52 1.44' });
    await runGenerator(other, { args: ['x'] });
    expect(textsBelow(one)).toEqual(textsBelow(other));
  });
});

describe('--help', () => {
  it("shows every option with its default, ours first and Yeoman's last", async () => {
    const environment = createEnv({ skipInstall: true } as never);
    environment.register(GitLabRunnerDocker as never, {
      namespace: 'gitlab-runner-docker:app',
      resolved: import.meta.filename,
    });
    const generator = await environment.create('gitlab-runner-docker:app', {
      generatorOptions: { help: true } as never,
    });
    const help = (generator as GitLabRunnerDocker).help();
    for (const name of answerNames) {
      const { option, help: what } = questions[name];
      expect(help).toMatch(new RegExp(`--${option} `));
      expect(help).toContain(`${what} (default: ${defaultsInWords(name)})`);
    }
    const options = [...help.matchAll(/^ +(?:-h, +)?--([\w-]+)/gm)].map(([, option]) => option);
    const ours = [
      ...answerNames.map(name => questions[name].option),
      ...[...Object.keys(sources), 'print-answers', ...Object.keys(switches)],
    ];
    expect(options.slice(0, ours.length)).toEqual(ours);
  });
});
