import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { completeAnswers } from '../../generators/ask/answers.ts';
import { restChoices } from '../../generators/ask/prompts.ts';
import {
  answerNames,
  asTyped,
  builders,
  type Group,
  groups,
  questions,
} from '../../generators/ask/questions.ts';
import { projectQuestion } from '../../generators/ask/runners.ts';
import { consentQuestion } from '../../generators/write/repository-writer.ts';
import { generatorVersion } from '../../generators/write/saved-answers.ts';
import { needs } from '../support/needs.ts';
import { hasTerminals } from '../support/terminal.ts';
import { Dialogue } from './support/terminal.ts';
import { own, realYo, type Way, Workplace } from './support/workplace.ts';

const tmux = needs(hasTerminals(), 'tmux');
const node24 = fileURLToPath(new URL('../tools/node_modules/.bin', import.meta.url));
const ways = [own, ...(needs(realYo.exists, 'yo, by npm ci in test/tools') ? [realYo] : [])];

const messages = Object.fromEntries(answerNames.map(name => [name, questions[name].message])) as Record<
  keyof typeof questions,
  string
>;

/** What becomes of the rest of the answers, by the arrow keys. */
async function rest(terminal: Dialogue, ...choices: (keyof typeof restChoices)[]): Promise<void> {
  for (const [at, choice] of choices.entries()) {
    if (at > 0) terminal.press('Down');
    await terminal.chooses('The other answers', restChoices[choice]);
  }
  terminal.press('Enter');
}

/** Ticks groups of questions that are to change, of those that a first run offers. */
async function change(terminal: Dialogue, ...wanted: Group[]): Promise<void> {
  for (const group of Object.keys(groups).slice(1) as Group[]) {
    await terminal.shows(new RegExp(`❯[◯◉] ${groups[group]}$`, 'm'));
    if (wanted.includes(group)) {
      terminal.press('Space');
      await terminal.shows(new RegExp(`❯◉ ${groups[group]}$`, 'm'));
    }
    if (group !== 'network') terminal.press('Down');
  }
  terminal.press('Enter');
}

/** Every answer as it is saved where the user takes the default. */
const defaults = Object.fromEntries(
  answerNames.map(name => [name, asTyped(name, questions[name].check(questions[name].default))]),
);

/** An option with the default for each question that matters. */
const every = answerNames
  .filter(name => questions[name].matters?.(completeAnswers({})) ?? true)
  .map(name => {
    const { option, yesNo, default: byDefault } = questions[name];
    return yesNo ? `--no-${option}` : `--${option}=${byDefault}`;
  });

/** Scaffolds `runner` with the defaults, before the terminal is opened: all ways write the same, and this one soonest. */
async function scaffolded(way: Way): Promise<Workplace> {
  const workplace = new Workplace(way);
  expect((await workplace.run(own, 'runner', '--defaults')).code).toBe(0);
  return workplace;
}

describe.skipIf(!tmux).each(ways)('$name, in a terminal', way => {
  test('asks the likeliest question first, refuses a bad answer until it is mended, and writes the answers', async () => {
    const workplace = new Workplace(way);
    const terminal = new Dialogue(workplace, way, 'runner');

    await terminal.answer(`${messages.gitlabUrl} (https://gitlab.com)`, 'ftp://gitlab.example.com');
    await terminal.shows(/> The GitLab URL must start with https:\/\/ or http:\/\/, .*\.$/);
    terminal.press('C-u');
    await terminal.answer(messages.gitlabUrl, 'gitlab.example.com');
    await terminal.chooses(messages.builder, 'socket');
    terminal.press('Enter');
    await terminal.answer(`${messages.concurrent} (2)`, '0');
    await terminal.shows(/> The number of concurrent jobs must be a whole number from 1\b.*\.$/);
    terminal.press('C-u');
    await terminal.answer(messages.concurrent, '4');
    await rest(terminal, 'usual', 'change');
    await change(terminal, 'runner', 'images');
    await terminal.answer(`${messages.tags} (docker)`, 'docker,big');
    await terminal.answer(`${messages.runUntagged} (y/N)`, 'y');
    await terminal.answer(`${messages.description} (My Docker Runner)`, 'Ours');
    await terminal.answer(`${messages.registry} (gitlab)`, 'registry.example.com:5000');
    await terminal.answer(`${messages.dockerImage} (docker:stable)`);
    await terminal.answer(`${messages.runnerImage} (gitlab/gitlab-runner:alpine)`);
    await terminal.answer(`${messages.platforms} (host)`);
    await terminal.answer(`${consentQuestion} (Y/n)`);

    expect(await terminal.exitCode()).toBe(0);
    expect(terminal.text()).toMatch(
      /\n\nNext:\n {2}cd runner\n {2}git init\n {2}make doctor\n {2}make register .*\n.*\/-\/runners\/new\n.*# with .*\n {2}make up\nended with 0$/,
    );
    expect(JSON.parse(workplace.read('runner/.yo-rc.json'))).toEqual({
      'generator-gitlab-runner-docker': {
        version: generatorVersion,
        name: 'runner',
        files: expect.anything(),
        ...defaults,
        gitlabUrl: 'https://gitlab.example.com',
        registry: 'registry.example.com:5000',
        tags: 'docker,big',
        runUntagged: 'yes',
        description: 'Ours',
        concurrent: '4',
      },
    });
    expect(workplace.read('runner/.env.example')).toContain('https://gitlab.example.com');
    expect(workplace.read('runner/.gitlab-ci.yml')).toContain('tags: [docker, big]');
  });

  test('offers what a builder chosen by arrow keys needs, and asks the other questions where they are wanted', async () => {
    const workplace = new Workplace(way);
    const terminal = new Dialogue(workplace, way, 'runner');

    await terminal.answer(messages.gitlabUrl);
    await terminal.chooses(messages.builder, 'socket');
    for (const next of Object.keys(builders).slice(1)) {
      terminal.press('Down');
      await terminal.chooses(messages.builder, next);
    }
    terminal.press('Enter');
    await terminal.answer(messages.concurrent);
    await rest(terminal, 'usual', 'change');
    await change(terminal, 'images', 'cache', 'network');
    await terminal.answer(messages.registry);
    await terminal.answer(`${messages.dockerImage} (quay.io/buildah/stable:latest)`);
    await terminal.answer(messages.runnerImage);
    await terminal.answer(`${messages.platforms} (host)`, 'amd64');
    await terminal.shows(/> .*amd64.*\.$/);
    terminal.press('C-u');
    await terminal.answer(messages.platforms, 'linux/amd64,linux/arm64');
    await terminal.chooses(messages.cache, 'local');
    terminal.press('Down');
    await terminal.chooses(messages.cache, 's3');
    terminal.press('Enter');
    await terminal.answer(`${messages.cacheServer} (here)`, 'http://s3.example.org');
    await terminal.shows(/> .*must speak TLS.*\.$/);
    terminal.press('C-u');
    await terminal.answer(messages.cacheServer, 'https://s3.example.org');
    await terminal.answer(`${messages.cacheBucket} (runner-cache)`);
    await terminal.answer(`${messages.mirror} (y/N)`);
    await terminal.answer(`${messages.privateCa} (y/N)`);
    // Without a proxy there is nothing to except from it.
    await terminal.answer(`${messages.httpProxy} (none)`);
    await terminal.answer(`${messages.insecureRegistry} (none)`);
    await terminal.answer(`${messages.extraHosts} (none)`, 'git.example.org:10.0.0.5');
    await terminal.answer(`${messages.dockerNetwork} (none)`);
    await terminal.answer(`${consentQuestion} (Y/n)`);

    expect(await terminal.exitCode()).toBe(0);
    expect(terminal.text()).not.toContain(messages.proxyExceptions);
    expect(JSON.parse(workplace.read('runner/.yo-rc.json'))).toEqual({
      'generator-gitlab-runner-docker': {
        version: generatorVersion,
        name: 'runner',
        files: expect.anything(),
        ...defaults,
        builder: 'buildah',
        dockerImage: 'quay.io/buildah/stable:latest',
        platforms: 'linux/amd64,linux/arm64',
        cache: 's3',
        cacheServer: 'https://s3.example.org',
        extraHosts: 'git.example.org:10.0.0.5',
      },
    });
    expect(workplace.read('runner/.gitlab-ci.yml')).toContain('image: quay.io/buildah/stable:latest\n');
    expect(workplace.paths()).toContain('runner/scripts/buildah.ts');
  });

  test('asks nothing with --defaults', async () => {
    const workplace = new Workplace(way);
    const terminal = new Dialogue(workplace, way, 'runner', '--defaults');
    expect(await terminal.exitCode()).toBe(0);
    expect(terminal.text()).not.toContain('?');
    expect(workplace.read('runner/Makefile')).not.toBe('');
  });

  test.each([
    ['n', 1],
    ['y', 0],
  ])(
    'asks once for files that are not of this generator, and does as is answered: %s',
    async (said, code) => {
      const workplace = await scaffolded(way);
      workplace.remove('runner/.yo-rc.json');
      for (const path of ['runner/Makefile', 'runner/README.md']) workplace.edit(path, 'mine\n');
      const before = workplace.texts();
      const terminal = new Dialogue(workplace, way, 'runner', ...every);
      await terminal.answer(`${consentQuestion} (y/N)`, said);
      expect(await terminal.exitCode()).toBe(code);
      expect(workplace.read('runner/Makefile').includes('mine')).toBe(said === 'n');
      if (said === 'n') expect(workplace.texts()).toEqual(before);
    },
  );

  test('shows what it is about to do before it asks for the one yes, and writes nothing at Ctrl-C there', async () => {
    const workplace = new Workplace(way);
    const terminal = new Dialogue(workplace, way, 'runner', ...every);
    await terminal.asks(`${consentQuestion} (Y/n)`);
    expect(terminal.text()).toMatch(
      /^In \S+\/runner:\n {2}create [\s\S]*, scripts\/settings\.ts\nWith the builder socket, whoever can push can start any/m,
    );
    terminal.press('C-c');
    expect(await terminal.exitCode()).not.toBe(0);
    expect(workplace.paths()).toEqual([]);
  });

  test.each([0, 1])('writes nothing when interrupted after %i answers, not even a folder', async answered => {
    const workplace = new Workplace(way);
    const terminal = new Dialogue(workplace, way, 'runner');
    await terminal.asks(messages.gitlabUrl);
    if (answered > 0) {
      terminal.press('Enter');
      await terminal.chooses(messages.builder, 'socket');
    }
    terminal.press('C-c');
    expect(await terminal.exitCode()).toBe(way === own ? 130 : 1);
    expect(workplace.paths()).toEqual([]);
  });
});

describe.skipIf(!tmux)('the question for the image of the jobs', () => {
  const given = ['--gitlab-url=https://gitlab.com', '--registry=gitlab', '--concurrent=1'];
  const open = (workplace: Workplace, builder = 'socket') =>
    new Dialogue(workplace, own, 'runner', ...given, `--builder=${builder}`);
  const openIt = async (workplace: Workplace, builder?: string) => {
    const terminal = open(workplace, builder);
    await rest(terminal, 'usual', 'change');
    await change(terminal, 'images');
    return terminal;
  };

  test('comes by itself where an engine asks for API 1.44 and refuses docker:stable; then the doctor may look', async () => {
    const workplace = new Workplace(own, { version: '29.1.0', minApiVersion: '1.44' });
    // A Node.js that runs the scripts.
    workplace.environment.PATH = `${node24}:${workplace.environment.PATH}`;
    const terminal = open(workplace);
    await rest(terminal, 'usual');
    await terminal.shows(/ \(docker:cli\)$/);
    // The question is longer than a line.
    expect(terminal.text().replaceAll('\n', '')).toContain(
      `${messages.dockerImage} (docker:stable is refused by this engine: its client is older than API 1.44)`,
    );
    expect(terminal.text()).toContain('The local Docker Engine is 29.1.0; it speaks API 1.44 to 1.51.');
    terminal.press('Enter');
    await terminal.answer(`${consentQuestion} (Y/n)`);
    // An engine is here that the doctor could look at.
    await terminal.answer('Run "make doctor", which says what would fail here? (Y/n)');
    expect(await terminal.exitCode()).toBe(0);
    expect(terminal.text()).toMatch(
      /^(ok|FAILED|warning|cannot tell) +\.env [\s\S]*\n\nNext:\n {2}cd runner\n {2}git init\n {2}make register/m,
    );
    expect(workplace.read('runner/.gitlab-ci.yml')).toMatch(/image: docker:cli\b/);
  });

  test('offers docker:stable where the engine still takes API 1.40', async () => {
    const terminal = await openIt(new Workplace(own, { version: '29.3.0', minApiVersion: '1.40' }));
    await terminal.asks(`${messages.dockerImage} (docker:stable)`);
    expect(terminal.text()).toContain('The local Docker Engine is 29.3.0; it speaks API 1.40 to 1.51.');
  });

  test('offers what the builder needs where jobs do not talk to that engine', async () => {
    const terminal = await openIt(
      new Workplace(own, { version: '29.1.0', minApiVersion: '1.44' }),
      'buildkit',
    );
    await terminal.asks(`${messages.dockerImage} (${questions.dockerImage.defaultOf?.buildkit})`);
    expect(terminal.text()).not.toContain('refused');
  });

  test('comes without an engine, and where one does not answer', async () => {
    const question = `${messages.dockerImage} (docker:stable)`;
    await (await openIt(new Workplace(own))).asks(question);
    await (await openIt(new Workplace(own, 'silent'))).asks(question);
  });
});

test.skipIf(!tmux)('the own command asks for a further runner what is its own, in a terminal', async () => {
  const workplace = await scaffolded(own);
  const terminal = new Dialogue(workplace, own, 'runner', '--runner', 'deploy');

  await terminal.answer(`${projectQuestion.message} (none)`, 'a b');
  await terminal.shows(/> Write the project as its path, such as team\/app, .*\.$/);
  terminal.press('C-u');
  await terminal.answer(projectQuestion.message, 'team/app');
  await terminal.answer(`${messages.tags} (deploy)`);
  await terminal.answer(`${messages.runUntagged} (y/N)`);
  await terminal.chooses(messages.builder, 'socket');
  terminal.press('Down');
  await terminal.chooses(messages.builder, 'dind');
  terminal.press('Enter');
  await terminal.chooses(messages.dindCache, 'registry');
  terminal.press('Enter');
  await terminal.chooses(messages.hardening, 'recommended');
  terminal.press('Enter');
  await terminal.answer(`${messages.dockerImage} (${questions.dockerImage.defaultOf?.dind})`);
  await terminal.answer(`${consentQuestion} (Y/n)`);

  expect(await terminal.exitCode()).toBe(0);
  expect(terminal.text()).toContain('make register RUNNER=deploy');
  expect(workplace.read('runner/config/config.toml')).toContain('name = "deploy"');
  expect(workplace.read('runner/scripts/settings.ts')).toContain("project: 'team/app'");
});

test.skipIf(!tmux).each([
  ['with colours', {}, true],
  ['without colours by NO_COLOR', { NO_COLOR: '1' }, false],
])('the own command asks in a terminal of 80 by 24, %s', async (_, environment, hasColours) => {
  const workplace = new Workplace(own);
  workplace.terminalSize = { columns: 80, rows: 24 };
  Object.assign(workplace.environment, environment);
  const terminal = new Dialogue(workplace, own, 'runner');
  for (const name of answerNames.slice(0, answerNames.indexOf('builder'))) {
    await terminal.shows(new RegExp(`\\? ${messages[name].slice(0, 20).replace(/[()]/g, '\\$&')}`));
    terminal.press('Enter');
  }
  await terminal.chooses(messages.builder, 'socket');
  terminal.press('Down');
  await terminal.chooses(messages.builder, 'dind');
  expect(terminal.colours().length > 0).toBe(hasColours);
  terminal.press('C-c');
  expect(await terminal.exitCode()).toBe(130);
  expect(workplace.paths()).toEqual([]);
});
