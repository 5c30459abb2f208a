import { completeAnswers, reconsider, refuseIdle } from '../ask/answers.ts';
import { prompts } from '../ask/prompts.ts';
import {
  type AnswerName,
  type Answers,
  answerNames,
  asTyped,
  questions,
  type TypedAnswers,
} from '../ask/questions.ts';
import { defaultsInWords } from '../ask/usage.ts';
import { BaseGenerator, type Options } from '../base.ts';

/** Asks what the repository should be, and writes it. */
export default class GitLabRunnerDocker extends BaseGenerator<AnswerName> {
  #answers!: Answers;

  constructor(args: string[], options: Options) {
    super(args, options, {
      description: 'Writes a repository that runs a self-hosted GitLab Runner in a container.',
      questions,
      defaultInWords: defaultsInWords,
      word: 'directory',
      wordHelp: 'Where to write it (default: here)',
    });
  }

  async prompting(): Promise<void> {
    const { asks, given } = this.commandLine;
    const { answers: saved } = this.writer.saved;
    const typed: TypedAnswers = { ...reconsider(saved, given.builder), ...given };
    if (asks) {
      const engine = await this.announceEngine();
      const answered: Partial<Record<AnswerName, string | boolean>> = await this.prompt(
        prompts(saved, given, engine) as never,
      );
      for (const name of answerNames) {
        const value = answered[name];
        if (value !== undefined) typed[name] = asTyped(name, value);
      }
    }
    this.#answers = completeAnswers(typed);
    refuseIdle(given, this.#answers);
  }

  async writing(): Promise<void> {
    await this.writeRepository(this.#answers, this.writer.saved.runners);
  }
}
