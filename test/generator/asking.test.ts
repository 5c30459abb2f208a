import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createEnv } from 'yeoman-environment';
import GitLabRunnerDocker from '../../generators/app/index.ts';
import { answerNames, questions } from '../../generators/app/questions.ts';
import { otherAnswers } from '../support/answers.ts';
import { newFolder, runGenerator, textsBelow } from '../support/run-generator.ts';

const open = answerNames.filter(name => questions[name].choices?.length !== 1);
const terminal = { terminal: true };
const saved = (folder: string): Record<string, string> =>
  JSON.parse(readFileSync(join(folder, '.yo-rc.json'), 'utf8'))['generator-gitlab-runner-docker'];

describe('in a terminal', () => {
  it('asks every open question, and writes what the same options would write', async () => {
    const asking = newFolder();
    const { asked } = await runGenerator(asking, {
      options: terminal,
      args: ['x'],
      answers: { ...otherAnswers, runUntagged: true },
    });
    expect(asked).toEqual(open);
    const telling = newFolder();
    const told = Object.fromEntries(
      open.map(name => [questions[name].option, questions[name].yesNo ? true : otherAnswers[name]]),
    );
    await runGenerator(telling, { options: told, args: ['x'] });
    expect(textsBelow(asking)).toEqual(textsBelow(telling));
  });

  it('does not ask for what an option gave', async () => {
    const { asked } = await runGenerator(newFolder(), {
      options: { ...terminal, tags: 'a', 'run-untagged': false },
    });
    expect(asked).toEqual(open.filter(name => name !== 'tags' && name !== 'runUntagged'));
  });

  it('asks nothing with --defaults', async () => {
    const folder = newFolder();
    const { asked } = await runGenerator(folder, {
      options: { ...terminal, defaults: true, concurrent: '9' },
    });
    expect(asked).toEqual([]);
    expect(saved(folder)).toMatchObject({ concurrent: '9', tags: questions.tags.default });
  });

  it('offers the answers of the run before', async () => {
    const folder = newFolder();
    await runGenerator(folder, { options: { tags: 'linux', 'run-untagged': true } });
    const { asked, announced } = await runGenerator(folder, { options: terminal });
    expect(asked).toEqual(open);
    expect(announced.conflict).toEqual([]);
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

  it('writes the same on every machine', async () => {
    const [one, other] = [newFolder(), newFolder()];
    await runGenerator(one, { args: ['x'], engine: '29.1.0 1.52 1.44' });
    await runGenerator(other, { args: ['x'] });
    expect(textsBelow(one)).toEqual(textsBelow(other));
  });
});

describe('--help', () => {
  it('shows every option with its default', async () => {
    const environment = createEnv({ skipInstall: true } as never);
    environment.register(GitLabRunnerDocker as never, {
      namespace: 'gitlab-runner-docker:app',
      resolved: import.meta.filename,
    });
    const generator = await environment.create('gitlab-runner-docker:app', {
      generatorOptions: { help: true } as never,
    });
    const help = (generator as GitLabRunnerDocker).help();
    for (const { option, help: what, default: byDefault } of Object.values(questions)) {
      expect(help).toMatch(new RegExp(`--${option} `));
      expect(help).toContain(`${what} (default: ${byDefault})`);
    }
    expect(help).toContain('--defaults');
  });
});
