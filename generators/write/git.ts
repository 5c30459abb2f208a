import { hash } from 'node:crypto';

/** What Git calls a file of these bytes: its blob id (https://git-scm.com/book/en/v2/Git-Internals-Git-Objects). */
export function blobId(content: string | Uint8Array): string {
  const bytes = Buffer.from(content as string);
  return hash('sha1', Buffer.concat([Buffer.from(`blob ${bytes.length}\0`), bytes]));
}

/**
 * A text that is, or was, in the Git repository around the folder; undefined where it is not there, or there is no Git.
 * Nothing is fetched for it.
 */
export function textInGit(folder: string, id: string): string | undefined {
  return git(folder, 'cat-file', 'blob', id);
}

/** The files of the folder that are not committed as they are, by their paths in it; none where there is no Git. */
export function uncommitted(folder: string): string[] {
  const prefix = git(folder, 'rev-parse', '--show-prefix')?.trimEnd();
  if (prefix === undefined) return [];
  const words = ['--porcelain', '-z', '--untracked-files=all', '--no-renames', '--', '.'];
  const lines = git(folder, '--no-optional-locks', 'status', ...words)?.split('\0') ?? [];
  return lines.filter(line => line !== '').map(line => line.slice('XY '.length + prefix.length));
}

/** Those of the files that the last commit has as they are now. */
export function committed(folder: string, paths: readonly string[]): string[] {
  const there = git(folder, 'ls-tree', '-r', '-z', '--name-only', 'HEAD', '--', ...paths)?.split('\0') ?? [];
  const dirty = uncommitted(folder);
  return paths.filter(path => there.includes(path) && !dirty.includes(path));
}

function git(folder: string, ...words: string[]): string | undefined {
  // Loaded here, for it takes milliseconds, and a new repository asks nothing of Git.
  const { spawnSync } = process.getBuiltinModule('node:child_process');
  const { status, stdout } = spawnSync('git', words, {
    cwd: folder,
    encoding: 'utf8',
    maxBuffer: Number.POSITIVE_INFINITY,
    env: { ...process.env, GIT_NO_LAZY_FETCH: '1' },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  return status === 0 ? stdout : undefined;
}
