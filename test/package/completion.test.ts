import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, inject, onTestFinished, test } from 'vitest';
import { presets } from '../../generators/ask/presets.ts';
import { builders, questions } from '../../generators/ask/questions.ts';
import { needs } from '../support/needs.ts';
import { isInstalled } from '../support/rendered.ts';
import { hasTerminals, Terminal } from '../support/terminal.ts';
import { own, Workplace } from './support/workplace.ts';

const { prefix } = inject('package');
const [preset = ''] = Object.keys(presets);
const command = 'generator-gitlab-runner-docker';

/** How each shell is started with a file of settings of its own, what stands in that, and where it is. */
const shells = [
  {
    name: 'bash',
    start: 'bash --noprofile --rcfile settings -i',
    file: 'settings',
    settings: `PS1='ready> '; bind 'set bell-style none'; eval "$(${command} --completion bash)"`,
  },
  {
    name: 'zsh',
    start: 'ZDOTDIR=. zsh -d -i',
    file: '.zshrc',
    settings: `PS1='ready> '; autoload -Uz compinit; compinit -u -D; eval "$(${command} --completion zsh)"`,
  },
  {
    name: 'fish',
    start: 'XDG_CONFIG_HOME=. fish -i',
    file: 'fish/config.fish',
    settings: `set -g fish_autosuggestion_enabled 0; function fish_prompt; echo -n 'ready> '; end; ${command} --completion fish | source`,
  },
];

/** A shell at its prompt, in a folder with one folder and one file. */
async function prompt({ start, file, settings }: (typeof shells)[number]): Promise<Terminal> {
  const workplace = new Workplace(own);
  for (const folder of ['fish', 'my-folder']) mkdirSync(join(workplace.folder, folder));
  writeFileSync(join(workplace.folder, 'my-file'), '');
  // Without that folder fish reads every manual page of the machine, beside the test and after it.
  const read = join(workplace.environment.HOME ?? '', '.local/share/fish/generated_completions');
  mkdirSync(read, { recursive: true });
  writeFileSync(join(workplace.folder, file), `${settings}\n`);
  const env = { ...workplace.environment, PATH: `${join(prefix, 'bin')}:${workplace.environment.PATH}` };
  const terminal = new Terminal(start, { cwd: workplace.folder, env });
  onTestFinished(() => terminal.close());
  await terminal.shows(/^ready> /m);
  return terminal;
}

describe.each(shells)('completion in $name', shell => {
  const isThere = hasTerminals() && isInstalled(shell.name, '-c', 'true');
  const there = test.skipIf(!needs(isThere, `tmux and ${shell.name}`));

  there.each([
    ['an option', '--gitlab-u', / --gitlab-url/],
    ['a switch', '--dry', / --dry-run\b/],
    ['a builder', '--builder buildk', / --builder buildkit\b/],
    ['a builder behind an equals sign', '--builder=buildk', / --builder=buildkit\b/],
    ['a level of hardening', '--tags a --hardening st', / --hardening strict\b/],
    ['a runner that takes untagged jobs', '--run-untagged=y', / --run-untagged=yes\b/],
    ['a switch that is turned off', '--no-run', / --no-run-untagged\b/],
    ['a level of the log behind an equals sign', '--log-level=deb', / --log-level=debug\b/],
    ['a file of answers behind an equals sign', '--answers=my-fi', / --answers=my-file\b/],
    ['an older runner behind an equals sign', '--from=my-fo', / --from=my-folder\//],
    ['a project', '--ci my-fo', / --ci my-folder\//],
    ['a shell', '--completion zs', / --completion zsh\b/],
    ['a folder after a switch', '--monitoring my-f', / --monitoring my-folder\//],
    ['a preset', `--preset ${preset.slice(0, -1)}`, new RegExp(` --preset ${preset}\\b`)],
    ['a file of answers', '--answers my-fi', / --answers my-file\b/],
    ['a folder, and no file', 'my-f', / my-folder\//],
  ])('completes %s', async (_, typed, completed) => {
    const terminal = await prompt(shell);
    terminal.type(`${command} ${typed}`);
    await terminal.shows(new RegExp(`${typed}\\s*$`, 'm'));
    terminal.press('Tab');
    await terminal.shows(completed);
  });

  const yesNo = Object.values(questions).flatMap(({ option, yesNo }) => (yesNo ? [option] : []));
  const lists: [string, readonly string[]][] = [
    ['--builder ', Object.keys(builders)],
    ['--builder=', Object.keys(builders)],
    ['--no-', yesNo.map(option => `--no-${option}`)],
    ['--monitoring=', ['yes', 'no']],
  ];

  there.each(lists)('lists what follows %j', async (typed, words) => {
    const terminal = await prompt(shell);
    terminal.type(`${command} ${typed}`);
    await terminal.shows(new RegExp(`${typed.trim()}\\s*$`, 'm'));
    terminal.press('Tab');
    terminal.press('Tab');
    // A shell may have put one of them, or what they begin with, into the line.
    for (const word of words) await terminal.shows(new RegExp(`(^|[ =])${word}\\b`, 'm'));
    expect(terminal.text()).not.toMatch(/error|not found|my-folder/);
  });
});

describe('completion in bash, where an equals sign is part of a word', () => {
  const [shell] = shells.filter(({ name }) => name === 'bash');
  const words = { ...shell!, settings: `COMP_WORDBREAKS=\${COMP_WORDBREAKS//=}; ${shell!.settings}` };
  test.skipIf(!needs(hasTerminals(), 'tmux')).each([
    ['--builder=buildk', / --builder=buildkit\b/],
    ['--mirror=y', / --mirror=yes\b/],
    ['--answers=my-fi', / --answers=my-file\b/],
  ])('completes %s', async (typed, completed) => {
    const terminal = await prompt(words);
    terminal.type(`${command} ${typed}`);
    await terminal.shows(new RegExp(`${typed}\\s*$`, 'm'));
    terminal.press('Tab');
    await terminal.shows(completed);
  });
});

test('there is no completion for another shell, which is said in a sentence', () => {
  const program = join(prefix, 'bin', command);
  const run = () => execFileSync(program, ['--completion', 'tcsh'], { encoding: 'utf8', stdio: 'pipe' });
  expect(run).toThrow('--completion: There is no "tcsh" here: choose one of bash, zsh, fish.');
});
