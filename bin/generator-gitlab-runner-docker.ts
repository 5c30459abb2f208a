#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { outliveReaders, switches } from '../generators/ask/command-line.ts';
import { refuseUnknownOptions } from '../generators/ask/options.ts';
import { type Question, questions } from '../generators/ask/questions.ts';
import { runnerQuestions } from '../generators/ask/runners.ts';
import { usage } from '../generators/ask/usage.ts';

/** With --runner the options are those of the generator that adds one. */
const isRunner = process.argv.some(word => /^--runner(=|$)/.test(word));
const asked: Readonly<Record<string, Question<unknown>>> = isRunner ? runnerQuestions : questions;

const options = {
  ...Object.fromEntries(
    Object.values(asked).map(({ option, yesNo }) => [
      option,
      { type: yesNo ? 'boolean' : 'string' } as const,
    ]),
  ),
  runner: { type: 'string' },
  ...Object.fromEntries(Object.keys(switches).map(name => [name, { type: 'boolean' } as const])),
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean' },
} as const;

const yesNoOptions = new Set(
  Object.entries(options).flatMap(([name, { type }]) => (type === 'boolean' ? [name] : [])),
);

/** Runs the generator without `yo`: as root in a container too, where `yo` itself cannot run. */
async function main(): Promise<void> {
  outliveReaders();
  refuseUnknownOptions(process.argv.slice(2), Object.keys(options));
  // As a word of its own a yes would be the directory; after = it is none that parseArgs takes.
  const args = process.argv
    .slice(2)
    .map(word =>
      word.replace(/^--([^=]+)=(yes|no)$/i, (whole, name: string, said: string) =>
        yesNoOptions.has(name) ? `--${said.toLowerCase() === 'no' ? 'no-' : ''}${name}` : whole,
      ),
    );
  const { values, positionals } = parseArgs({ args, options, allowPositionals: true, allowNegative: true });
  if (values.help) return console.log(usage());
  if (values.version) return console.log(version());

  // Yeoman takes a second to load: nobody waits for it who only wants help.
  const { runGenerator } = await import('./run-generator.ts');
  if (isRunner) {
    const [directory = '.', ...more] = positionals;
    if (directory === '') throw new Error('The directory is an empty text: leave it out, or name one.');
    if (more.length > 0) throw new Error(`Give one directory, not ${positionals.length}.`);
    const { default: Runner } = await import('../generators/runner/index.ts');
    await runGenerator(Runner, [String(values.runner)], { ...values, destinationRoot: resolve(directory) });
  } else {
    const { default: Repository } = await import('../generators/app/index.ts');
    await runGenerator(Repository, positionals, { ...values });
  }
}

function version(): string {
  const file = createRequire(import.meta.url).resolve('generator-gitlab-runner-docker/package.json');
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}

try {
  await main();
} catch (error) {
  const { name, message } = error as Error;
  // Inquirer's name for Ctrl-C at a question; a program that it ends has this exit code.
  const stopped = name === 'ExitPromptError';
  // A refusal of ours may have lines; the message of anything else is made one sentence.
  const sentence = stopped ? 'stopped.' : name === 'Refusal' ? message : message.replace(/\s*\n\s*/g, ' ');
  console.error(`generator-gitlab-runner-docker: ${sentence}`);
  process.exitCode = stopped ? 130 : 1;
}
