import { completeAnswers, reconsider, refuseIdle } from '../ask/answers.ts';
import { checkRunnerName } from '../ask/checks.ts';
import { prompts } from '../ask/prompts.ts';
import { type Answers, asTyped } from '../ask/questions.ts';
import { Refusal } from '../ask/refusal.ts';
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
} from '../ask/runners.ts';
import { BaseGenerator, type Options } from '../base.ts';

/** Adds a runner to a repository, beside the one that it began with; or changes one that was added so. */
export default class GitLabRunnerDockerRunner extends BaseGenerator<RunnerAnswerName> {
  #answers!: Answers;
  #runners!: TypedRunners;

  constructor(args: string[], options: Options) {
    super(args, options, {
      description: 'Adds a runner to the container of a repository that yo gitlab-runner-docker wrote.',
      questions: runnerQuestions,
      defaultInWords: runnerDefaultInWords,
      word: 'name',
      wordHelp: 'What it is called, here and in GitLab',
    });
    if (!options.help && this.writer.isNew) {
      throw new Refusal(
        `No repository was written in ${this.writer.folder} (its answers would be in .yo-rc.json): go to its folder, or run "yo gitlab-runner-docker" first.`,
      );
    }
  }

  async prompting(): Promise<void> {
    const { asks } = this.commandLine;
    const { project: forProject, ...given } = this.commandLine.given;
    const { saved } = this.writer;
    this.#answers = completeAnswers(saved.answers);
    const name = await this.#name();
    const { project: savedProject = project.default, ...own } = saved.runners[name] ?? {};
    const known = { ...startingPoint(name, this.#answers), ...own };
    const typed: TypedRunner = { ...only(reconsider(known, given.builder)), ...given };
    typed.project = forProject ?? savedProject;
    if (asks) {
      const engine = await this.announceEngine();
      if (forProject === undefined) {
        typed.project = await this.askText('project', project.message, savedProject, project.check);
      }
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
  }

  async writing(): Promise<void> {
    await this.writeRepository(this.#answers, this.#runners);
  }

  /** @throws Refusal if it is no name, or if there is none and nobody to ask */
  async #name(): Promise<string> {
    const { argument, asks } = this.commandLine;
    if (argument !== undefined) return checkRunnerName(argument);
    if (!asks) throw new Refusal('Give the runner a name: yo gitlab-runner-docker:runner deploy');
    return checkRunnerName(await this.askText('name', 'Name of the runner', undefined, checkRunnerName));
  }
}

/** Of those answers, the ones that are a runner's own. */
function only(typed: { [Name in OwnName]?: string }): TypedRunner {
  return Object.fromEntries(
    ownNames.flatMap(name => (typed[name] === undefined ? [] : [[name, typed[name]]])),
  );
}
