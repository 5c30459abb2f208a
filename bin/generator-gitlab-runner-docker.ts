#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { parseArgs } from 'node:util';
import { createEnv } from 'yeoman-environment';
import GitLabRunnerDocker from '../generators/app/index.ts';
import { answerNames, questions } from '../generators/app/questions.ts';
import { usage } from '../generators/app/usage.ts';

/** Runs the generator without `yo`: as root in a container too, where `yo` itself cannot run. */
async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      ...Object.fromEntries(
        answerNames.map(name => [
          questions[name].option,
          { type: questions[name].yesNo ? 'boolean' : 'string' } as const,
        ]),
      ),
      defaults: { type: 'boolean' },
      force: { type: 'boolean' },
      'dry-run': { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
      version: { type: 'boolean' },
    },
  });
  if (values.help) return console.log(usage());
  if (values.version) return console.log(version());
  if (positionals.length > 1) throw new Error(`Give one directory, not ${positionals.length}.`);

  const environment = createEnv();
  // Yeoman announces each error before it throws it; here it is printed once, below.
  environment.adapter.log.error = () => environment.adapter.log;
  const namespace = 'gitlab-runner-docker:app';
  environment.register(GitLabRunnerDocker as never, { namespace, resolved: import.meta.filename });
  await environment.run([namespace, ...positionals], { ...values, dryRun: values['dry-run'] } as never);
}

function version(): string {
  const file = createRequire(import.meta.url).resolve('generator-gitlab-runner-docker/package.json');
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}

try {
  await main();
} catch (error) {
  console.error(`generator-gitlab-runner-docker: ${(error as Error).message}`);
  process.exitCode = 1;
}
