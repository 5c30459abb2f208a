import { resolve } from 'node:path';
import Generator from 'yeoman-generator';
import { completeAnswers, reconsider, refuseIdle } from '../app/answers.ts';
import {
  type CommandLine,
  declareOptions,
  leaveErrorsToCaller,
  readCommandLine,
} from '../app/command-line.ts';
import type { Options } from '../app/index.ts';
import type { RunnerRepository } from '../app/plan.ts';
import { prompts, sentenceAgainst } from '../app/prompts.ts';
import { type Answers, asTyped } from '../app/questions.ts';
import { templates } from '../app/render.ts';
import { RepositoryWriter } from '../app/repository-writer.ts';
import {
  completeRunner,
  type OwnName,
  ownNames,
  project,
  type RunnerAnswerName,
  runnerDefaultInWords,
  runnerQuestions,
  startingPoint,
  type TypedRunner,
  type TypedRunners,
  typedRunner,
} from '../app/runners.ts';
import { checkRunnerName } from '../common/checks.ts';
import { Refusal } from '../common/refusal.ts';

/** Adds a runner to a repository, beside the one that it began with; or changes one that was added so. */
export default class GitLabRunnerDockerRunner extends Generator {
  readonly #commandLine: CommandLine<RunnerAnswerName>;
  readonly #writer: RepositoryWriter;
  #answers!: Answers;
  #runners!: TypedRunners;
  #repository!: RunnerRepository;

  constructor(args: string[], options: Options) {
    const { help, env, destinationRoot = env.cwd } = options;
    const commandLine = help
      ? readCommandLine(runnerQuestions, 'name', [], {}, [])
      : readCommandLine(runnerQuestions, 'name', args, options, process.argv.slice(2));
    const writer = new RepositoryWriter(resolve(destinationRoot));
    if (!help && writer.isNew) {
      throw new Refusal(
        `No repository was written in ${writer.folder} (its answers would be in .yo-rc.json): go to its folder, or run "yo gitlab-runner-docker" first.`,
      );
    }

    super(args, options as never, { customInstallTask: true } as never);
    this.#commandLine = commandLine;
    this.#writer = writer;
    this.description = 'Adds a runner to the container of a repository that yo gitlab-runner-docker wrote.';
    this.sourceRoot(templates);
    this.argument('name', {
      type: String,
      required: false,
      description: 'What it is called, here and in GitLab',
    });
    declareOptions(this, runnerQuestions, runnerDefaultInWords);
    if (!help) leaveErrorsToCaller(this);
  }

  initializing(): void {
    void this.#writer.engine;
  }

  async prompting(): Promise<void> {
    const { asks } = this.#commandLine;
    const { project: forProject, ...given } = this.#commandLine.given;
    const { saved } = this.#writer;
    this.#answers = completeAnswers(saved.answers);
    const name = await this.#name();
    const { project: savedProject = project.default, ...own } = saved.runners[name] ?? {};
    const known = { ...startingPoint(name, this.#answers), ...own };
    const typed: TypedRunner = { ...only(reconsider(known, given.builder)), ...given };
    typed.project = forProject ?? savedProject;
    if (asks) {
      const engine = await this.#writer.announceEngine(this);
      if (forProject === undefined) typed.project = await this.#project(savedProject);
      const answered: Partial<Record<OwnName, string | boolean>> = await this.prompt(
        prompts(known, given, engine, ownNames) as never,
      );
      for (const one of ownNames) {
        const value = answered[one];
        if (value !== undefined) typed[one] = asTyped(one, value);
      }
    }
    const runner = completeRunner(name, this.#answers, typed);
    refuseIdle(given, runner.answers);
    // What was left to a default is saved too: it must not change with the first runner's.
    this.#runners = { ...saved.runners, [name]: typedRunner(runner) };
    this.#repository = this.#writer.plan(this.#answers, this.#runners);
  }

  writing(): void {
    this.#writer.write(this, this.#repository, this.#commandLine);
  }

  async end(): Promise<void> {
    if (this.#commandLine.dryRun) return;
    await this.#writer.finish(this, this.#repository, this.#answers, this.#runners);
  }

  /** @throws Refusal if it is no name, or if there is none and nobody to ask */
  async #name(): Promise<string> {
    const { argument, asks } = this.#commandLine;
    if (argument !== undefined) return checkRunnerName(argument);
    if (!asks) throw new Refusal('Give the runner a name: yo gitlab-runner-docker:runner deploy');
    return checkRunnerName(await this.#ask('name', 'Name of the runner', undefined, checkRunnerName));
  }

  #project(known: string): Promise<string> {
    return this.#ask('project', project.message, known, project.check);
  }

  async #ask(
    name: string,
    message: string,
    byDefault: string | undefined,
    check: (text: string) => unknown,
  ): Promise<string> {
    const validate = (text: string) => sentenceAgainst(check, text);
    const question = { type: 'input', name, message, default: byDefault, validate };
    const answers: Record<string, string> = await this.prompt([question] as never);
    return answers[name] ?? '';
  }
}

/** Of those answers, the ones that are a runner's own. */
function only(typed: { [Name in OwnName]?: string }): TypedRunner {
  return Object.fromEntries(
    ownNames.flatMap(name => (typed[name] === undefined ? [] : [[name, typed[name]]])),
  );
}
