import { completeAnswers, impliedBy, reconsider, refuseIdle } from './ask/answers.ts';
import { checkRunnerName } from './ask/checks.ts';
import { prompts } from './ask/prompts.ts';
import { typedFrom } from './ask/questions.ts';
import { Refusal } from './ask/refusal.ts';
import {
  completeRunner,
  type OwnName,
  ownNames,
  projectQuestion,
  type RunnerAnswerName,
  runnerDefaultInWords,
  runnerQuestions,
  startingPoint,
  type TypedRunner,
  typedRunner,
} from './ask/runners.ts';
import type { Decision, Door, Scaffold } from './scaffold.ts';

/** Adds a runner to a repository, beside the one that it began with; or changes one that was added so. */
export const runnerDoor: Door<RunnerAnswerName> = {
  description: 'Adds a runner to the container of a repository that yo gitlab-runner-docker wrote.',
  questions: runnerQuestions,
  defaultInWords: runnerDefaultInWords,
  word: 'name',
  wordHelp: 'What it is called, here and in GitLab',
  decide,
};

async function decide(scaffold: Scaffold<RunnerAnswerName>): Promise<Decision> {
  const { folder, isNew, saved } = scaffold.writer;
  const { commands } = scaffold;
  if (isNew) {
    throw new Refusal(
      `No repository was written in ${folder} (its answers would be in .yo-rc.json): go to its folder, or write one first: ${commands.repository} my-runner`,
    );
  }
  const { asks } = scaffold.commandLine;
  const { project: forProject, ...given } = scaffold.commandLine.given;
  const answers = completeAnswers(saved.answers);
  const name = await nameFor(scaffold);
  const { project: savedProject = projectQuestion.default, ...own } = saved.runners[name] ?? {};
  const known = { ...startingPoint(name, answers), ...own };
  const typed: TypedRunner = { ...only(reconsider(known, given.builder)), ...given };
  typed.project = forProject ?? savedProject;
  if (asks) {
    const engine = await scaffold.announceEngine();
    if (forProject === undefined) {
      typed.project = await scaffold.askText(
        'project',
        projectQuestion.message,
        savedProject,
        projectQuestion.check,
      );
    }
    const answered = await scaffold.ask(prompts({ saved: known, given, engine }, ownNames));
    Object.assign(typed, impliedBy(answered, given), typedFrom(ownNames, answered));
  }
  const runner = completeRunner(name, answers, typed);
  refuseIdle(given, runner.answers);
  // What was left to a default is saved too: it must not change with the first runner's.
  return [answers, { ...saved.runners, [name]: typedRunner(runner) }];
}

/** @throws Refusal if it is no name, or if there is none and nobody to ask */
async function nameFor(scaffold: Scaffold<RunnerAnswerName>): Promise<string> {
  const { commands } = scaffold;
  const { argument, asks } = scaffold.commandLine;
  if (argument !== undefined) return checkRunnerName(argument);
  if (!asks) throw new Refusal(`Give the runner a name: ${commands.runner} deploy`);
  return checkRunnerName(await scaffold.askText('name', 'Name of the runner', undefined, checkRunnerName));
}

/** Of those answers, the ones that are a runner's own. */
function only(typed: { [Name in OwnName]?: string }): TypedRunner {
  return Object.fromEntries(
    ownNames.flatMap(name => (typed[name] === undefined ? [] : [[name, typed[name]]])),
  );
}
