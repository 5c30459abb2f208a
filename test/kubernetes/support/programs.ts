import { execFile } from 'node:child_process';

/** The folder with the programs that .ci/kubernetes compiles. */
export const programs = process.env.KUBERNETES_PROGRAMS ?? '';

/** What a program printed, and how it ended. */
export interface Ended {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs one of those programs, or another, with them first in PATH, on the API server of the tests. */
export function runProgram(
  program: string,
  words: readonly string[],
  { input = '', cwd, env = {} }: { input?: string; cwd?: string; env?: Record<string, string> } = {},
): Promise<Ended> {
  return new Promise(resolve => {
    const options = { cwd, env: { ...process.env, ...env }, maxBuffer: 1e8, timeout: 110_000 };
    const child = execFile(program, words, options, (error, stdout, stderr) => {
      resolve({ status: error ? Number(error.code ?? 1) : 0, stdout, stderr });
    });
    child.stdin?.on('error', () => undefined).end(input);
  });
}

/** The same, for a command that has to succeed; gives what it printed. */
export async function must(
  program: string,
  words: readonly string[],
  options: Parameters<typeof runProgram>[2] = {},
): Promise<string> {
  const { status, stdout, stderr } = await runProgram(program, words, options);
  if (status !== 0) throw new Error(`${program} ${words.join(' ')}: ${stdout}${stderr}`);
  return stdout;
}
