import type { OtherRunner } from '../plan/plan.ts';
import { completeAnswers, reconsider } from './answers.ts';
import { checkProject, checkRunnerName } from './checks.ts';
import {
  type AnswerName,
  type Answers,
  asTyped,
  type Question,
  questions,
  type TypedAnswers,
  typedAnswers,
} from './questions.ts';
import { Refusal } from './refusal.ts';

/** The answers that a further runner has of its own; all others are those of the repository. */
export const ownNames = [
  'tags',
  'runUntagged',
  'builder',
  'dindCache',
  'instanceGroup',
  'hardening',
  'dockerImage',
] as const;

export type OwnName = (typeof ownNames)[number] & AnswerName;

/** What only a further runner is asked. */
export const projectQuestion: Question<string | undefined> = {
  option: 'project',
  group: 'runner',
  message: 'Project to create it for, path or number ("none": as .env says)',
  help: 'the project that an access token creates it for, as path or number; "none": as .env says',
  default: 'none',
  check: checkProject,
};

/** Everything that a further runner is asked, by names, in that order. */
export const runnerQuestions = {
  project: projectQuestion,
  tags: questions.tags,
  runUntagged: questions.runUntagged,
  builder: questions.builder,
  dindCache: questions.dindCache,
  instanceGroup: questions.instanceGroup,
  hardening: questions.hardening,
  dockerImage: questions.dockerImage,
} satisfies { readonly [Name in OwnName | 'project']: Question<unknown> };

export type RunnerAnswerName = keyof typeof runnerQuestions;

export const runnerAnswerNames = Object.keys(runnerQuestions) as readonly RunnerAnswerName[];

/** The default of such a question, in the words of the help. */
export function runnerDefaultInWords(name: RunnerAnswerName): string {
  if (name === 'tags') return 'its name';
  if (name === 'project' || name === 'runUntagged') return runnerQuestions[name].default;
  return 'as the first runner';
}

/** Answers of a further runner as they are typed. */
export type TypedRunner = { [Name in RunnerAnswerName]?: string };

/** All further runners, by name. */
export type TypedRunners = Readonly<Record<string, TypedRunner>>;

/** The answers of the repository as typed, with those in their place that a new runner starts from. */
export function startingPoint(name: string, answers: Answers): TypedAnswers {
  const { runUntagged: _, ...typed } = typedAnswers(answers);
  return { ...typed, description: name, tags: name };
}

/**
 * The further runners of a repository, in full.
 *
 * @throws Refusal if one of them has no valid answers, or does not go with another
 */
export function completeRunners(answers: Answers, typed: TypedRunners): OtherRunner[] {
  if (answers.executor === 'kubernetes' && Object.keys(typed).length > 0) {
    throw new Refusal(
      "With --executor kubernetes a repository has one runner, as a release of GitLab's chart has: write another repository, with a --namespace of its own.",
    );
  }
  const others = Object.entries(typed).map(([name, own]) => completeRunner(name, answers, own));
  for (const other of others) refuseBeside(answers, other.answers);
  for (const [at, one] of others.entries())
    for (const other of others.slice(at + 1)) refuseBeside(one.answers, other.answers);
  return others;
}

/**
 * A further runner: what it does not say itself is as in the first, or the default where its builder needs another.
 *
 * @throws Refusal if that is nothing valid
 */
export function completeRunner(
  name: string,
  answers: Answers,
  { project: forProject = projectQuestion.default, ...own }: TypedRunner,
): OtherRunner {
  try {
    checkRunnerName(name);
    const start = reconsider(startingPoint(name, answers), own.builder);
    return { answers: completeAnswers({ ...start, ...own }), project: projectQuestion.check(forProject) };
  } catch (error) {
    throw new Refusal(`Runner "${name}": ${(error as Error).message}`);
  }
}

/** The answers of a further runner, all of them, as they are typed. */
export function typedRunner({ answers, project: forProject }: OtherRunner): TypedRunner {
  return {
    project: forProject ?? 'none',
    ...Object.fromEntries(ownNames.map(name => [name, asTyped(name, answers[name])])),
  };
}

/** @throws Refusal if the two runners cannot be in one repository */
function refuseBeside(one: Answers, other: Answers): void {
  if (one.description === other.description) {
    throw new Refusal(`Two runners are called "${other.description}": give one of them another name.`);
  }
  if (one.executor === 'docker-autoscaler' && one.instanceGroup === other.instanceGroup) {
    throw new Refusal(
      `Two runners with one group of instances would remove each other's: give "${other.description}" another one by --instance-group.`,
    );
  }
  const pair = [one, other];
  const engines = pair.filter(({ builder }) => builder === 'dind');
  if (engines.length === 2 && one.dindCache !== other.dindCache) {
    throw new Refusal(
      `Runners with dind keep layers the same way in one repository: choose --dind-cache ${one.dindCache}.`,
    );
  }
  const isForAll = engines.some(({ dindCache }) => dindCache === 'volume');
  if (isForAll && pair.some(({ builder }) => builder === 'buildkit')) {
    throw new Refusal(
      'BuildKit and one engine for all (dind with --dind-cache volume) have one volume for the certificates of jobs: choose one of the two, or a repository of its own.',
    );
  }
}
