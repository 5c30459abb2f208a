#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { type Question, questions } from '../generators/app/questions.ts';
import { runnerQuestions } from '../generators/app/runners.ts';
import { usage } from '../generators/app/usage.ts';
import { refuseUnknownOptions } from '../generators/common/options.ts';

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
  defaults: { type: 'boolean' },
  force: { type: 'boolean' },
  'dry-run': { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean' },
} as const;

/** Runs the generator without `yo`: as root in a container too, where `yo` itself cannot run. */
async function main(): Promise<void> {
  refuseUnknownOptions(process.argv.slice(2), Object.keys(options));
  const { values, positionals } = parseArgs({ options, allowPositionals: true, allowNegative: true });
  if (values.help) return console.log(usage());
  if (values.version) return console.log(version());

  // Yeoman takes a second to load: nobody waits for it who only wants help.
  const { runGenerator } = await import('./run-generator.ts');
  const given = { ...values, dryRun: values['dry-run'] };
  if (isRunner) {
    const [directory = '.', ...more] = positionals;
    if (more.length > 0) throw new Error(`Give one directory, not ${positionals.length}.`);
    const { default: Runner } = await import('../generators/runner/index.ts');
    await runGenerator(Runner, [String(values.runner)], { ...given, destinationRoot: resolve(directory) });
  } else {
    const { default: Repository } = await import('../generators/app/index.ts');
    await runGenerator(Repository, positionals, given);
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
  const sentence = stopped ? 'stopped.' : message.replace(/\s*\n\s*/g, ' ');
  console.error(`generator-gitlab-runner-docker: ${sentence}`);
  process.exitCode = stopped ? 130 : 1;
}
