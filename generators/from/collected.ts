import { type AnswerName, asTyped, questions, type TypedAnswers } from '../ask/questions.ts';
import type { Secrets } from './secrets.ts';

/** The answers of a run, as they come together; what is wrong is noted, and not taken. */
export class Collected {
  readonly answers: TypedAnswers = {};
  readonly environment: Record<string, string> = {};
  readonly notUnderstood: string[] = [];
  readonly hints: string[] = [];
  readonly secrets: Secrets;

  constructor(secrets: Secrets) {
    this.secrets = secrets;
  }

  /**
   * Whether the answer could be taken. Answers are in Git, so that no secret may be in one.
   *
   * @param where the place that has it, where the option does not say so
   * @param found what stands there, where that is not the answer itself
   */
  take(name: AnswerName, text: string | undefined, where?: string, found = text): boolean {
    if (text === undefined) return false;
    const option = `--${questions[name].option}`;
    try {
      const answer = asTyped(name, questions[name].check(text));
      if (this.secrets.holds(answer)) {
        this.notUnderstood.push(`${option}: a secret is in it, which may not be in Git`);
        return false;
      }
      this.answers[name] = answer;
      return true;
    } catch (error) {
      const shown = this.secrets.masked(String(found)).replace(/^(.{60}).+$/s, '$1…');
      const place = where === undefined ? '' : ` of ${where}`;
      this.notUnderstood.push(
        `${option}, "${shown}"${place}: ${this.secrets.masked((error as Error).message)}`,
      );
      return false;
    }
  }

  /** A name without secrets. */
  takeName(name: string): string {
    const masked = this.secrets.masked(name);
    if (masked !== name) this.hints.push(`A secret was in the name of a runner: it is "${masked}" now.`);
    return masked;
  }
}
