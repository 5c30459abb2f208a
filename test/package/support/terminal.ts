import { onTestFinished } from 'vitest';
import { shell } from '../../../generators/write/quoting.ts';
import { Terminal } from '../../support/terminal.ts';
import type { Way, Workplace } from './workplace.ts';

/** The generator in a real terminal, with somebody at the keyboard. */
export class Dialogue extends Terminal {
  constructor(workplace: Workplace, way: Way, ...words: readonly string[]) {
    const command = [...way.command, ...words].map(shell).join(' ');
    super(command, { cwd: workplace.folder, env: workplace.environment }, workplace.terminalSize);
    onTestFinished(() => this.close());
  }

  /** All that is, and was, on the screen, without what is blank at the ends of lines and at its own. */
  override text(): string {
    return super.text().replace(/ +$/gm, '').trimEnd();
  }

  /** Waits for a question as it stands before anything is typed, with its default or without naming that. */
  async asks(question: string): Promise<void> {
    const escaped = question.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
    await this.shows(new RegExp(`\\? ${escaped}( \\(.*\\))?$`));
  }

  /** Waits for the question, and answers it; without an answer its default is taken. */
  async answer(question: string, answer = ''): Promise<void> {
    await this.asks(question);
    if (answer) this.type(answer);
    this.press('Enter');
  }

  /** Waits for the question with a list, and for the pointer to be at that choice; nothing is pressed. */
  async chooses(question: string, choice: string): Promise<void> {
    const escaped = question.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
    await this.shows(new RegExp(`\\? ${escaped}\\n(?:.*\\n)*?❯ ${choice}$`, 'm'));
  }

  /** Waits for the program's end, and gives its exit code. */
  async exitCode(): Promise<number> {
    const text = await this.shows(/^ended with \d+$/m);
    return Number(/^ended with (\d+)$/m.exec(text)?.[1]);
  }
}
