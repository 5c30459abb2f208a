import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, inject, onTestFinished, test } from 'vitest';
import { presets } from '../../generators/ask/presets.ts';
import { builders } from '../../generators/ask/questions.ts';
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

  there('lists the builders', async () => {
    const terminal = await prompt(shell);
    terminal.type(`${command} --builder `);
    await terminal.shows(/--builder\s*$/m);
    terminal.press('Tab');
    terminal.press('Tab');
    for (const name of Object.keys(builders)) await terminal.shows(new RegExp(`^(.* )?${name}\\b`, 'm'));
    expect(terminal.text()).not.toMatch(/error|not found|my-folder/);
  });
});

test('there is no completion for another shell, which is said in a sentence', () => {
  const program = join(prefix, 'bin', command);
  const run = () => execFileSync(program, ['--completion', 'tcsh'], { encoding: 'utf8', stdio: 'pipe' });
  expect(run).toThrow('--completion: There is no "tcsh" here: choose one of bash, zsh, fish.');
});
