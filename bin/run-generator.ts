import { QueuedAdapter } from '@yeoman/adapter';
import { createConflicterTransform, createYoResolveTransform } from '@yeoman/conflicter';
import { create } from 'mem-fs';
import type { MemFsEditorFile } from 'mem-fs-editor';
import { isFilePending } from 'mem-fs-editor/state';
import { createCommitTransform } from 'mem-fs-editor/transform';
import type GitLabRunnerDocker from '../generators/app/index.ts';
import type GitLabRunnerDockerRunner from '../generators/runner/index.ts';

type ConflictAdapter = Parameters<typeof createConflicterTransform>[0];

type OneOf = typeof GitLabRunnerDocker | typeof GitLabRunnerDockerRunner;

/**
 * Runs a generator as `yo` does: its phases in their order, and Yeoman's own view of each conflict.
 *
 * `yeoman-environment` could do this too. It brings npm itself, as two hundred packages, to find and install
 * generators; this command has the one it runs, and without them it starts in half the time.
 */
export async function runGenerator(
  Which: OneOf,
  args: string[],
  options: Record<string, unknown>,
): Promise<void> {
  const cwd = process.cwd();
  // Queued, so that a question about one file waits for what is printed about others.
  const adapter = new QueuedAdapter();
  const memFs = create<MemFsEditorFile>();
  const generator = new Which(args, {
    ...options,
    // What yeoman-generator asks of its environment; the version checks itself against yeoman-environment.
    env: { cwd, adapter, sharedFs: memFs, getVersion: () => undefined },
    namespace: 'gitlab-runner-docker:app',
    resolved: import.meta.filename,
  } as never);

  await generator.initializing();
  await generator.prompting();
  await generator.writing();
  await memFs.pipeline(
    { filter: file => isFilePending(file) || file.path.endsWith('.yo-resolve') },
    createYoResolveTransform(),
    createConflicterTransform(adapter as ConflictAdapter, { cwd, ...options }),
    createCommitTransform(),
  );
  await generator.end();
  await adapter.onIdle();
}
