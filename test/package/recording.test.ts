import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { expect, inject, onTestFinished, test } from 'vitest';
import { restChoices } from '../../generators/ask/prompts.ts';
import { questions } from '../../generators/ask/questions.ts';
import { shell } from '../../generators/write/quoting.ts';
import { consentQuestion } from '../../generators/write/repository-writer.ts';
import { needs } from '../support/needs.ts';
import { type Frame, rowsOf, svgOf } from '../support/recording.ts';
import { hasTerminals, Terminal } from '../support/terminal.ts';
import { withoutChance } from './support/screens.ts';
import { asNormalUser } from './support/users.ts';
import { own, Workplace } from './support/workplace.ts';

// The session that README.md shows, in docs/recording.svg:  npm run recording  records it anew. Look at it before it
// is committed.

const file = new URL('../../docs/recording.svg', import.meta.url);
const records = process.env.RECORDING === 'record';
const recorded = existsSync(file) ? readFileSync(file, 'utf8') : '';
const size = { columns: 80, rows: 27 };
const title = 'A terminal in which the command writes a repository after three questions';

/** Waits until the screen is one of those recorded; where it is recorded, until it has not changed for a second. */
async function settled(terminal: Terminal): Promise<string> {
  const end = Date.now() + 30_000;
  let [screen, since] = [withoutChance(terminal.painted()), Date.now()];
  while (Date.now() < end) {
    if (records ? Date.now() - since > 1000 : recorded.includes(`>\n${rowsOf(screen)}\n</g>`)) break;
    await new Promise(resolve => setTimeout(resolve, 100));
    const now = withoutChance(terminal.painted());
    if (now !== screen) [screen, since] = [now, Date.now()];
  }
  return screen;
}

const escaped = (text: string) => text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');

/** What is typed or pressed, what the screen shows then, and for how many seconds the recording does. */
type Step = readonly [input: string, shown: RegExp, seconds: number];
const keys = ['Enter', 'Down', 'Up'];
const asks = (message: string) => new RegExp(`\\? ${escaped(message.slice(0, 30))}`);
const points = (choice: string) => new RegExp(`❯ ${escaped(choice)}$`, 'm');
const session: readonly Step[] = [
  ['generator-gitlab-runner-docker my-runner', /my-runner$/m, 1.5],
  ['Enter', asks(questions.gitlabUrl.message), 1.5],
  ['gitlab.example.com', /gitlab\.example\.com$/m, 1.5],
  ['Enter', points('socket'), 2.5],
  ['Down', points('dind'), 2.5],
  ['Down', points('buildkit'), 2.5],
  ['Up', points('dind'), 0.4],
  ['Up', points('socket'), 1],
  ['Enter', asks(questions.concurrent.message), 1.2],
  ['4', /\b4$/m, 1],
  ['Enter', points(restChoices.usual), 3],
  ['Enter', asks(consentQuestion), 5],
  ['Enter', asks('Run "make doctor"'), 2],
  ['n', /\bn$/m, 0.6],
  ['Enter', /^ {2}make up\n\$ /m, 5],
  ['cd my-runner && git init --quiet && ls -A', /-A$/m, 1.2],
  ['Enter', /scripts\n\$ /, 6],
];

test.skipIf(!needs(hasTerminals(), 'tmux'))(
  'docs/recording.svg shows what the command prints today (npm run recording)',
  async () => {
    const workplace = new Workplace(own, { version: '28.5.2', minApiVersion: '1.24' }, '/tmp');
    const { environment } = workplace;
    const PATH = [join(inject('package').prefix, 'bin'), environment.PATH].join(delimiter);
    const env = { ...environment, PATH, PS1: '$ ' };
    const command = asNormalUser(['sh']).map(shell).join(' ');
    const terminal = new Terminal(command, { cwd: workplace.folder, env }, size);
    onTestFinished(() => terminal.close());
    await terminal.shows(/^\$/m);
    const frames: Frame[] = [];
    for (const [input, shown, seconds] of session) {
      if (keys.includes(input)) terminal.press(input);
      else terminal.type(input);
      await terminal.shows(shown);
      frames.push({ screen: await settled(terminal), seconds });
    }
    const svg = svgOf(frames, size, title);
    if (records) writeFileSync(file, svg);
    else expect(recorded).toBe(svg);
  },
);

test('docs/recording.svg is a small picture', () => {
  expect(recorded.length).toBeLessThan(150_000);
});
