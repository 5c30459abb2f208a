#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { ciQuestions } from '../generators/ask/ci.ts';
import {
  namingOption,
  optionsElsewhere,
  outliveReaders,
  refuseWords,
  sources,
  switches,
} from '../generators/ask/command-line.ts';
import { ownCommands } from '../generators/ask/commands.ts';
import { refuseUnknownOptions, typedOption } from '../generators/ask/options.ts';
import { type Question, questions } from '../generators/ask/questions.ts';
import { Refusal } from '../generators/ask/refusal.ts';
import { runnerQuestions } from '../generators/ask/runners.ts';
import { usage } from '../generators/ask/usage.ts';
import type { Door, Request } from '../generators/scaffold.ts';
import { columnsOf, fitted } from '../generators/write/wrapped.ts';

const words = process.argv.slice(2);

/** With --runner and with --ci the options are those of what they do. */
const isGiven = (option: string) =>
  words.some(word => word === `--${option}` || word.startsWith(`--${option}=`));
const [isRunner, isCi] = ['runner', 'ci'].map(isGiven);
const asked: Readonly<Record<string, Question<unknown>>> = isRunner
  ? runnerQuestions
  : isCi
    ? ciQuestions
    : questions;

const options = {
  ...Object.fromEntries(
    Object.values(asked).map(({ option, yesNo }) => [
      option,
      { type: yesNo ? 'boolean' : 'string' } as const,
    ]),
  ),
  runner: { type: 'string' },
  ci: { type: 'string' },
  ...(isRunner || isCi
    ? {}
    : {
        ...Object.fromEntries(Object.keys(sources).map(name => [name, { type: 'string' } as const])),
        'print-answers': { type: 'boolean' } as const,
      }),
  ...Object.fromEntries(Object.keys(switches).map(name => [name, { type: 'boolean' } as const])),
  completion: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean' },
} as const;

/** Runs the generator without `yo`, and without Yeoman. */
async function main(): Promise<void> {
  outliveReaders();
  const elsewhere = optionsElsewhere(isRunner ? 'name' : isCi ? 'project' : 'directory');
  refuseUnknownOptions(words, Object.keys(options), elsewhere);
  // Not strict, for its own sentences have no remedy: what is wrong is said where each option is read.
  const { values, positionals } = parseArgs({
    ...{ args: [...words], options, allowPositionals: true, allowNegative: true, strict: false },
  });
  if (values.help) return console.log(usage());
  if (values.version) return console.log(version());
  if (values.completion !== undefined) return printCompletion(textOf('completion', values.completion));

  const commands = ownCommands(process.argv[1] ?? '', process.env);
  const request = { args: positionals, options: values, words, cwd: here(), commands };
  if (isRunner && isCi) throw new Refusal('Give --runner or --ci, not both.');
  if (isRunner || isCi) {
    refuseWords('directory', positionals);
    const at = { ...request, destinationRoot: resolve(positionals[0] ?? '.') };
    if (isCi) {
      const { ciDoor } = await import('../generators/scaffold-ci.ts');
      return run(ciDoor, { ...at, args: [textOf('ci', values.ci)] });
    }
    const { runnerDoor } = await import('../generators/scaffold-runner.ts');
    await run(runnerDoor, { ...at, args: [textOf('runner', values.runner)] });
  } else {
    const { repositoryDoor } = await import('../generators/scaffold-repository.ts');
    await run(repositoryDoor, request);
  }
}

/** @throws Refusal if the folder in which the command was given was removed meanwhile */
function here(): string {
  try {
    return process.cwd();
  } catch {
    throw new Refusal('The folder that you are in is gone: go to another one.');
  }
}

const textOf = (option: string, value: unknown) =>
  namingOption(option, () => typedOption(option, value, words));

/** What only a run needs is loaded here: nobody waits for it who wants help. */
async function run<Name extends string>(door: Door<Name>, request: Request): Promise<void> {
  const { Scaffold } = await import('../generators/scaffold.ts');
  const scaffold = new Scaffold(door, request, {
    ask: async prompts => (await import('./prompts.ts')).ask(prompts),
    print: line => console.error(line),
  });
  await scaffold.decide();
  await scaffold.write();
}

async function printCompletion(shell: string): Promise<void> {
  const { completion } = await import('./completion.ts');
  console.log(completion(shell));
}

function version(): string {
  const file = createRequire(import.meta.url).resolve('generator-gitlab-runner-docker/package.json');
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}

// No await here: the command is built as CommonJS.
main().catch((error: unknown) => {
  const { name, message, code } = error as Error & { code?: unknown };
  // Inquirer's name for Ctrl-C at a question; a program that it ends has this exit code.
  const stopped = name === 'ExitPromptError';
  // A refusal of ours may have lines; the message of anything else is made one sentence.
  const isOurs = name === 'Refusal' || name === 'Stopped';
  const sentence = stopped ? 'stopped.' : isOurs ? message : message.replace(/\s*\n\s*/g, ' ');
  const lines = `generator-gitlab-runner-docker: ${sentence}`.split('\n');
  for (const line of lines.flatMap(line => fitted(line, columnsOf(process.stderr)))) console.error(line);
  process.exitCode = stopped ? 130 : name === 'Stopped' ? Number(code) : 1;
});
