import { type ChildProcess, spawn } from 'node:child_process';

/** One test after the other, in a suite of those that run side by side. */
export const sequential = { concurrent: false, sequential: true };

/** Where a program runs, and as whom. */
export interface Place {
  cwd: string;
  env: NodeJS.ProcessEnv;
  uid?: number;
  gid?: number;
  input?: string;
}

export interface Outcome {
  /** Exit code; 128 and the signal's number where a signal ended it. */
  code: number;
  stdout: string;
  stderr: string;
  /** Both, in the order in which they arrived. */
  output: string;
}

export interface Running {
  child: ChildProcess;
  ended: Promise<Outcome>;
  /** Resolves once the output so far matches; rejects if the program ends before. */
  shows(pattern: RegExp): Promise<void>;
}

/** Starts a program without a terminal, in a process group of its own, as a shell with job control would. */
export function start(command: readonly string[], options: Place): Running {
  const [program = '', ...words] = command;
  const input = options.input === undefined ? 'ignore' : 'pipe';
  const child = spawn(program, words, { ...options, detached: true, stdio: [input, 'pipe', 'pipe'] });
  child.stdin?.end(options.input);
  const outcome: Outcome = { code: 0, stdout: '', stderr: '', output: '' };
  const watchers = new Set<() => void>();
  const take = (stream: 'stdout' | 'stderr') => (text: string) => {
    outcome[stream] += text;
    outcome.output += text;
    for (const watcher of watchers) watcher();
  };
  child.stdout!.setEncoding('utf8').on('data', take('stdout'));
  child.stderr!.setEncoding('utf8').on('data', take('stderr'));
  const ended = new Promise<Outcome>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => {
      outcome.code = code ?? 128 + (signal === 'SIGINT' ? 2 : 15);
      resolve(outcome);
    });
  });
  const shows = (pattern: RegExp) =>
    new Promise<void>((resolve, reject) => {
      const look = () => {
        if (!pattern.test(outcome.output)) return;
        watchers.delete(look);
        resolve();
      };
      watchers.add(look);
      look();
      ended.then(() => reject(new Error(`ended without showing ${pattern}:\n${outcome.output}`)), reject);
    });
  return { child, ended, shows };
}

/** Sends a signal to the program and all that it started, as Ctrl-C in a terminal does. */
export function signalGroup({ child }: Running, signal: NodeJS.Signals): void {
  if (child.pid !== undefined) process.kill(-child.pid, signal);
}

export function run(command: readonly string[], options: Place): Promise<Outcome> {
  return start(command, options).ended;
}

/** Runs a program that must succeed, and gives its standard output. */
export async function output(command: readonly string[], options: Place): Promise<string> {
  const outcome = await run(command, options);
  if (outcome.code !== 0)
    throw new Error(`${command.join(' ')} ended with ${outcome.code}:\n${outcome.output}`);
  return outcome.stdout;
}

/** Asks again and again, until the answer is there; the last failure is told after the given seconds. */
export async function eventually<T>(ask: () => Promise<T> | T, seconds = 30, pause = 250): Promise<T> {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (Date.now() > end) throw error;
      await new Promise(resolve => setTimeout(resolve, pause));
    }
  }
}
