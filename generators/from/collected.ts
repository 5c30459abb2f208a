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

  /** Whether the answer could be taken. Answers are in Git, so that no secret may be in one. */
  take(name: AnswerName, text: string | undefined): boolean {
    if (text === undefined) return false;
    try {
      const answer = asTyped(name, questions[name].check(text));
      if (this.secrets.holds(answer)) {
        this.notUnderstood.push(`${questions[name].option}: a secret is in it, which may not be in Git`);
        return false;
      }
      this.answers[name] = answer;
      return true;
    } catch (error) {
      this.notUnderstood.push(`${questions[name].option}: ${this.secrets.masked((error as Error).message)}`);
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
