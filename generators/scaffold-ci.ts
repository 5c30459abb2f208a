import { resolve } from 'node:path';
import { completeAnswers, reconsider, refuseIdle } from './ask/answers.ts';
import { type CiName, ciQuestions } from './ask/ci.ts';
import { Refusal } from './ask/refusal.ts';
import type { Sample } from './ci/add-job.ts';
import { addToProject } from './ci/project.ts';
import { planRepository } from './plan/plan.ts';
import type { Door, Scaffold } from './scaffold.ts';
import { filesOf } from './write/files.ts';
import { render } from './write/render.ts';

/** Adds the job of the sample pipeline to that of a project. */
export const ciDoor: Door<CiName> = {
  description: "Adds the job that builds and pushes an image to a project's own .gitlab-ci.yml.",
  questions: ciQuestions,
  defaultInWords: () => 'as the repository here',
  word: 'project',
  wordHelp: 'The folder of the project',
  decide,
};

async function decide(scaffold: Scaffold<CiName>): Promise<undefined> {
  const { argument, given, dryRun } = scaffold.commandLine;
  const { folder, isNew, name, saved } = scaffold.writer;
  if (argument === undefined)
    throw new Refusal(`Name the folder of the project: ${scaffold.commands.ci} ../my-app`);
  // The job may have other tags than its runner, or none: which untagged jobs that takes is not asked here.
  const before = { ...reconsider(saved.answers, given.builder), runUntagged: 'yes' };
  const answers = completeAnswers({ ...before, ...given });
  refuseIdle(given, answers);
  const plan = planRepository(answers, name);
  const [runner] = plan.runners;
  const file = filesOf(plan).find(({ path }) => path === runner.pipelinePath)!;
  const sample: Sample = { text: render(file, plan), pipeline: runner.pipeline };
  const report = (line: string) => scaffold.report(line);
  const isAdded = await addToProject(resolve(scaffold.cwd, argument), sample, dryRun, report);
  if (isNew && isAdded) {
    scaffold.report(
      `There is no repository of a runner in ${folder}, so the job is for your options and the defaults: builder ${answers.builder}, tags ${answers.tags.join(', ') || 'none'}.`,
    );
  }
}
