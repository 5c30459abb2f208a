import { resolve } from 'node:path';
import Generator from 'yeoman-generator';
import { completeAnswers, reconsider, refuseIdle } from './answers.ts';
import { type CommandLine, declareOptions, leaveErrorsToCaller, readCommandLine } from './command-line.ts';
import type { RunnerRepository } from './plan.ts';
import { prompts } from './prompts.ts';
import {
  type AnswerName,
  type Answers,
  answerNames,
  asTyped,
  questions,
  type TypedAnswers,
} from './questions.ts';
import { templates } from './render.ts';
import { RepositoryWriter } from './repository-writer.ts';
import { defaultsInWords } from './usage.ts';

/** What Yeoman hands over, beside the options that were typed. */
export interface Options {
  readonly env: { readonly cwd: string };
  readonly help?: boolean;
  readonly destinationRoot?: string;
  readonly [option: string]: unknown;
}

/** Asks what the repository should be, and writes it. */
export default class GitLabRunnerDocker extends Generator {
  readonly #commandLine: CommandLine<AnswerName>;
  readonly #writer: RepositoryWriter;
  #answers!: Answers;
  #repository!: RunnerRepository;

  constructor(args: string[], options: Options) {
    const { help, env, destinationRoot = env.cwd } = options;
    const commandLine = help
      ? readCommandLine(questions, 'directory', [], {}, [])
      : readCommandLine(questions, 'directory', args, options, process.argv.slice(2));
    // Yeoman's own `destinationRoot` would create the folder before anything is checked. It reads .yo-rc.json
    // too, and has less to say where it cannot.
    const writer = new RepositoryWriter(resolve(destinationRoot, commandLine.argument ?? ''));

    super(args, options as never, { customInstallTask: true } as never);
    this.#commandLine = commandLine;
    this.#writer = writer;
    this.description = 'Writes a repository that runs a self-hosted GitLab Runner in a container.';
    this.sourceRoot(templates);
    this.argument('directory', {
      type: String,
      required: false,
      description: 'Where to write it (default: here)',
    });
    declareOptions(this, questions, defaultsInWords);
    if (!help) leaveErrorsToCaller(this);
  }

  initializing(): void {
    void this.#writer.engine;
  }

  async prompting(): Promise<void> {
    const { asks, given } = this.#commandLine;
    const { answers: saved, runners } = this.#writer.saved;
    const typed: TypedAnswers = { ...reconsider(saved, given.builder), ...given };
    if (asks) {
      const engine = await this.#writer.announceEngine(this);
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
    this.#repository = this.#writer.plan(this.#answers, runners);
  }

  writing(): void {
    this.#writer.write(this, this.#repository, this.#commandLine);
  }

  async end(): Promise<void> {
    if (this.#commandLine.dryRun) return;
    const { runners } = this.#writer.saved;
    await this.#writer.finish(this, this.#repository, this.#answers, runners);
  }
}
