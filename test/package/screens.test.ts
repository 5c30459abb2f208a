import { describe, expect, test } from 'vitest';
import { restChoices } from '../../generators/ask/prompts.ts';
import { groups, questions } from '../../generators/ask/questions.ts';
import { projectQuestion } from '../../generators/ask/runners.ts';
import { consentQuestion } from '../../generators/write/repository-writer.ts';
import { needs } from '../support/needs.ts';
import { hasTerminals } from '../support/terminal.ts';
import { runnerTokenOf } from '../support/tokens.ts';
import type { FakeEngine } from './support/engine.ts';
import { Screens } from './support/screens.ts';
import { Dialogue } from './support/terminal.ts';
import { own, realYo, type Way, Workplace } from './support/workplace.ts';

// What a user sees at 80 by 24, whole, as screens/*.txt have it:  npm run screens  writes these anew. Look at each
// before it is committed.

const tmux = needs(hasTerminals(), 'tmux');
const ways: [string, Way][] = [
  ['own', own],
  ...(needs(realYo.exists, 'yo, by npm ci in test/tools') ? [['yo', realYo] as [string, Way]] : []),
];

/** A place for a terminal of 80 by 24, whose path is as long on any machine. */
function workplaceOf(way: Way, engine?: FakeEngine): Workplace {
  const workplace = new Workplace(way, engine, '/tmp');
  workplace.terminalSize = { columns: 80, rows: 24 };
  return workplace;
}

/** The same, with a repository in `runner` that is committed: all ways write the same, and this one soonest. */
async function scaffolded(way: Way): Promise<Workplace> {
  const workplace = workplaceOf(way);
  expect((await workplace.run(own, 'runner', '--defaults')).code).toBe(0);
  workplace.commit('runner');
  return workplace;
}

const escaped = (text: string) => text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
/** A question that waits for its answer, as far as its first words are sure to stand in one line. */
const asks = (message: string) => new RegExp(`\\? ${escaped(message.slice(0, 30))}`);
const ended = (code: number) => new RegExp(`^ended with ${code}$`, 'm');

/** Moves the pointer of a list, from its first choice on, over these. */
async function choose(terminal: Dialogue, ...choices: string[]): Promise<void> {
  for (const [at, choice] of choices.entries()) {
    if (at > 0) terminal.press('Down');
    await terminal.shows(new RegExp(`❯[◯◉]? ?${escaped(choice)}$`, 'm'));
  }
}

/** Types an answer in place of the default. */
function answer(terminal: Dialogue, text = ''): void {
  if (text !== '') terminal.type(text);
  terminal.press('Enter');
}

describe.skipIf(!tmux).each(ways)('the screens of %s', (name, way) => {
  test('in a first run: a bad answer, the three questions, and what is chosen to change', async () => {
    const screens = new Screens(`${name}-first-run`);
    const workplace = workplaceOf(way, { version: '28.5.2', minApiVersion: '1.24' });
    const terminal = new Dialogue(workplace, way, 'runner');

    await screens.see(terminal, 'the first question', asks(questions.gitlabUrl.message));
    answer(terminal, 'ftp://gitlab.example.com');
    await screens.see(terminal, 'a bad answer', /must start with/);
    terminal.press('C-u');
    answer(terminal, 'gitlab.example.com');
    await choose(terminal, 'socket', 'dind', 'buildkit');
    await screens.see(terminal, 'how jobs build', /❯ buildkit$/m);
    answer(terminal);
    await screens.see(terminal, 'how many at once', asks(questions.concurrent.message));
    answer(terminal, '4');
    await screens.see(terminal, 'what becomes of the rest', /❯ take the usual ones$/m);
    await choose(terminal, restChoices.usual, restChoices.change);
    await screens.see(terminal, 'to choose what to change', /❯ choose what to change$/m);
    answer(terminal);
    await choose(terminal, groups.executor, groups.runner);
    terminal.press('Space');
    await screens.see(terminal, 'what to change', /❯◉/);
    answer(terminal);
    await screens.see(terminal, 'the tags', asks(questions.tags.message));
    answer(terminal, 'docker,big');
    await screens.see(terminal, 'jobs without a tag', asks(questions.runUntagged.message));
    answer(terminal, 'y');
    await screens.see(terminal, 'the description', asks(questions.description.message));
    answer(terminal);
    await screens.see(terminal, 'all that it is about to do', asks(consentQuestion));
    answer(terminal);
    await screens.see(terminal, 'the doctor is offered', asks('Run "make doctor"'));
    answer(terminal, 'n');
    await screens.see(terminal, 'its end', ended(0));
    screens.end();
  });

  test('in a second run: nothing is to change, and then the builder', async () => {
    const screens = new Screens(`${name}-second-run`);
    const workplace = await scaffolded(way);
    const same = new Dialogue(workplace, way, 'runner');
    await screens.see(same, 'the one question', /❯ keep those of last time$/m);
    answer(same);
    await screens.see(same, 'nothing changes', ended(0));

    workplace.edit('runner/README.md', '\nOurs.\n');
    const other = new Dialogue(workplace, way, 'runner');
    await choose(other, restChoices.last, restChoices.change, restChoices.usual);
    await screens.see(other, 'to begin again', /❯ take the usual ones$/m);
    other.press('Up');
    await choose(other, restChoices.change);
    answer(other);
    await choose(other, groups.basics);
    other.press('Space');
    await screens.see(other, 'what to change', /❯◉/);
    answer(other);
    await other.shows(asks(questions.gitlabUrl.message));
    answer(other);
    await choose(other, 'socket', 'dind', 'buildkit');
    answer(other);
    await other.shows(asks(questions.concurrent.message));
    answer(other);
    await screens.see(other, 'all that it is about to do', asks(consentQuestion));
    answer(other);
    await screens.see(other, 'its end', ended(0));
    screens.end();
  });
});

describe.skipIf(!tmux)('the screens of the own command', () => {
  test('where it and the owner changed one line: before, after, and with --force', async () => {
    const screens = new Screens('own-conflict');
    const workplace = await scaffolded(own);
    workplace.replace('runner/config/config.toml', 'concurrent = 2', 'concurrent = 8');
    const terminal = new Dialogue(workplace, own, 'runner', '--concurrent', '7');
    await choose(terminal, restChoices.last);
    answer(terminal);
    await screens.see(terminal, 'it asks', asks(consentQuestion));
    answer(terminal, 'y');
    await screens.see(terminal, 'its end', ended(1));
    const again = new Dialogue(workplace, own, 'runner', '--concurrent', '6', '--defaults');
    await screens.see(again, 'the marks still stand', ended(1));
    const forced = new Dialogue(workplace, own, 'runner', '--concurrent', '6', '--defaults', '--force');
    await screens.see(forced, 'the new lines are taken', ended(0));
    screens.end();
  });

  test('in a dry run', async () => {
    const screens = new Screens('own-dry-run');
    const terminal = new Dialogue(
      await scaffolded(own),
      own,
      'runner',
      '--log-level=debug',
      '--defaults',
      '--dry-run',
    );
    await screens.see(terminal, 'its end', ended(0));
    screens.end();
  });

  test('for a project of two Dockerfiles, and for none', async () => {
    const screens = new Screens('own-ci');
    const workplace = await scaffolded(own);
    const files = { '.gitlab-ci.yml': 'image: node:24\ntest:\n  script: [npm test]\n', Dockerfile: '' };
    workplace.project('app', { ...files, 'Dockerfile.worker': '' });
    const terminal = new Dialogue(workplace, own, 'runner', '--ci', 'app');
    await screens.see(terminal, 'the job is added', ended(0));
    const gone = new Dialogue(workplace, own, 'runner', '--ci', '../app');
    await screens.see(gone, 'there is no project', ended(1));
    screens.end();
  });

  test('for a further runner', async () => {
    const screens = new Screens('own-runner');
    const terminal = new Dialogue(await scaffolded(own), own, 'runner', '--runner', 'deploy');
    await screens.see(terminal, 'its project', asks(projectQuestion.message));
    answer(terminal);
    await screens.see(terminal, 'its tags', asks(questions.tags.message));
    answer(terminal, ',');
    await choose(terminal, 'socket', 'dind');
    await screens.see(terminal, 'how its jobs build', /❯ dind$/m);
    answer(terminal);
    await choose(terminal, 'registry');
    await screens.see(terminal, 'where layers stay', /❯ registry$/m);
    answer(terminal);
    await choose(terminal, 'recommended');
    await screens.see(terminal, 'what is taken from jobs', /❯ recommended$/m);
    answer(terminal);
    await screens.see(terminal, 'the image', asks(questions.dockerImage.message));
    answer(terminal);
    await screens.see(terminal, 'all that it is about to do', asks(consentQuestion));
    answer(terminal);
    await screens.see(terminal, 'its end', ended(0));
    screens.end();
  });

  test('where an older runner moves in, with more than there is a place for', async () => {
    const screens = new Screens('own-from');
    const workplace = workplaceOf(own);
    const runner = (name: string, executor: string) =>
      `[[runners]]\n  name = "${name}"\n  url = "https://gitlab.example.com"\n  token = "${runnerTokenOf(name)}"\n  executor = "${executor}"\n`;
    workplace.project('old', {
      'config.toml': `concurrent = 3\n${runner('builds', 'docker')}  [runners.docker]\n    image = "docker:stable"\n    volumes = ["/var/run/docker.sock:/var/run/docker.sock"]\n${runner('deploys', 'shell')}`,
      'docker-compose.yml':
        'services:\n  runner:\n    image: gitlab/gitlab-runner:alpine\n    env_file: /etc/sysconfig/gitlab-runner-of-this-host\n    volumes: [ "./config.toml:/etc/gitlab-runner/config.toml", "/srv/cache:/home/gitlab-runner/cache" ]\n',
      'README.md': '',
      'playbook.yml': '',
    });
    const terminal = new Dialogue(workplace, own, 'runner', '--from', 'old');
    await screens.see(terminal, 'the one question', /❯ keep those of the older runner$/m);
    answer(terminal);
    await screens.see(terminal, 'what comes along, and all that it is about to do', asks(consentQuestion));
    answer(terminal, 'n');
    await screens.see(terminal, 'its end', ended(1));
    screens.end();
  });

  test('where an option is refused, and at Ctrl-C', async () => {
    const screens = new Screens('own-refusals');
    const workplace = workplaceOf(own);
    const words = [
      '--concurrent=many',
      '--no-tags',
      '--bulder=dind',
      '--builder=dnd',
      '--run-untagged=maybe',
    ];
    for (const word of words) await screens.see(new Dialogue(workplace, own, 'runner', word), word, ended(1));
    const idle = ['--dind-cache', 'volume', '--defaults'];
    await screens.see(new Dialogue(workplace, own, 'runner', ...idle), idle.join(' '), ended(1));
    const none = ['--tags', ',', '--no-run-untagged', '--defaults'];
    await screens.see(new Dialogue(workplace, own, 'runner', ...none), none.join(' '), ended(1));
    const terminal = new Dialogue(workplace, own, 'runner');
    await terminal.asks(questions.gitlabUrl.message);
    terminal.press('C-c');
    await screens.see(terminal, 'Ctrl-C', ended(130));
    expect(workplace.paths()).toEqual([]);
    screens.end();
  });
});
