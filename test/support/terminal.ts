import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';

/** Milliseconds between two looks at the screen: most keys are answered at once, and a start takes its time. */
const [shortestPause, longestPause] = [10, 100];

/** A program in a real terminal, kept by a tmux server of its own. */
export class Terminal {
  readonly #socket = `test-${randomBytes(4).toString('hex')}`;

  /** @param command what a shell runs; the terminal stays open after its end */
  constructor(
    command: string,
    options: { cwd: string; env: NodeJS.ProcessEnv },
    { columns, rows } = { columns: 120, rows: 50 },
  ) {
    const size = ['-x', String(columns), '-y', String(rows)];
    const shell = `${command}; echo "ended with $?"; exec sleep 600`;
    // A server takes its environment from the client that starts it.
    execFileSync('tmux', ['-L', this.#socket, 'new-session', '-d', ...size, 'sh', '-c', shell], options);
    this.#tmux('set-option', '-g', 'history-limit', '5000');
  }

  /** All that is, and was, on the screen. */
  text(): string {
    return this.#tmux('capture-pane', '-p', '-J', '-S', '-');
  }

  /** What is on the screen now, line by line, with what is too long for a line broken there. */
  screen(): string {
    return this.#tmux('capture-pane', '-p');
  }

  /** The same, with the escape sequences that give it colours. */
  painted(): string {
    return this.#tmux('capture-pane', '-p', '-e');
  }

  /** The escape sequences by which what is on the screen was given colours. */
  colours(): string[] {
    const screen = this.#tmux('capture-pane', '-p', '-e', '-S', '-');
    return screen
      .split('\u001b[')
      .flatMap(part => /^([\d;:]+)m/.exec(part)?.[1] ?? [])
      .filter(codes => codes.split(';').some(code => /^([349][0-7]|10[0-7]|[34]8.*)$/.test(code)));
  }

  /** Types text as it is. */
  type(text: string): void {
    this.#tmux('send-keys', '-l', text);
  }

  /** Presses a key, by tmux's name: Enter, C-c, Down. */
  press(key: string): void {
    this.#tmux('send-keys', key);
  }

  /** Waits until the screen shows it; throws with what is there instead after the given seconds. */
  async shows(pattern: RegExp, seconds = 30): Promise<string> {
    const end = Date.now() + seconds * 1000;
    for (let pause = shortestPause; ; pause = Math.min(2 * pause, longestPause)) {
      const text = this.text();
      if (pattern.test(text)) return text;
      if (Date.now() > end) throw new Error(`The terminal does not show ${pattern}, but:\n${text}`);
      await new Promise(resolve => setTimeout(resolve, pause));
    }
  }

  close(): void {
    this.#tmux('kill-server');
  }

  #tmux(...words: string[]): string {
    return execFileSync('tmux', ['-L', this.#socket, ...words], { encoding: 'utf8' });
  }
}

/** Whether tmux is installed. */
export function hasTerminals(): boolean {
  try {
    execFileSync('tmux', ['-V'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
