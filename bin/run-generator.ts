import { TerminalAdapter } from '@yeoman/adapter';
import { create } from 'mem-fs';
import type GitLabRunnerDocker from '../generators/app/index.ts';
import type GitLabRunnerDockerRunner from '../generators/runner/index.ts';

type OneOf = typeof GitLabRunnerDocker | typeof GitLabRunnerDockerRunner;

/**
 * Runs a generator as `yo` does: its phases in their order.
 *
 * `yeoman-environment` could do this too. It brings npm itself, as two hundred packages, to find and install
 * generators; this command has the one it runs, and without them it starts in half the time.
 */
export async function runGenerator(
  Which: OneOf,
  args: string[],
  options: Record<string, unknown>,
): Promise<void> {
  const generator = new Which(args, {
    ...options,
    // What yeoman-generator asks of its environment; the version checks itself against yeoman-environment.
    env: {
      cwd: process.cwd(),
      adapter: new TerminalAdapter(),
      sharedFs: create(),
      getVersion: () => undefined,
    },
    namespace: 'gitlab-runner-docker:app',
    resolved: import.meta.filename,
  } as never);
  await generator.prompting();
  await generator.writing();
}
