import {
  checkChoice,
  checkConcurrent,
  checkDescription,
  checkGitLabUrl,
  checkImage,
  checkRegistry,
  checkTags,
  checkYesNo,
} from '../common/checks.ts';
import { Refusal } from '../common/refusal.ts';

/** The ways to build images in a job. */
export const builders = ['socket'] as const;

/** What is known once every question is answered. */
export interface Answers {
  readonly gitlabUrl: string;
  readonly registry: string;
  readonly tags: readonly string[];
  readonly runUntagged: boolean;
  readonly description: string;
  readonly concurrent: number;
  readonly dockerImage: string;
  readonly runnerImage: string;
  readonly builder: (typeof builders)[number];
}

export type AnswerName = keyof Answers;

/** One question: its prompt, its option, its help and its check all come from this. */
export interface Question<T> {
  /** The command-line option, without its dashes. */
  readonly option: string;
  readonly message: string;
  /** What the option does, in half a sentence. */
  readonly help: string;
  /** The default, as a user would type it. */
  readonly default: string;
  /** Where given, only these are answers; a single one is never asked for. */
  readonly choices?: readonly string[];
  /** A yes-or-no question; as an option it takes no value. */
  readonly yesNo?: true;
  /**
   * Turns what was typed into an answer.
   * @throws Refusal with a sentence if it cannot be one
   */
  readonly check: (text: string) => T;
}

/** Every question, in the order in which it is asked: the likeliest to be changed first. */
export const questions: { readonly [Name in AnswerName]: Question<Answers[Name]> } = {
  gitlabUrl: {
    option: 'gitlab-url',
    message: 'URL of your GitLab',
    help: 'the GitLab instance that sends the jobs; a sub-path is fine',
    default: 'https://gitlab.com',
    check: checkGitLabUrl,
  },
  registry: {
    option: 'registry',
    message: 'Registry that images are pushed to ("gitlab", or host[:port][/path])',
    help: '"gitlab" for the container registry of the project, or host[:port][/path]',
    default: 'gitlab',
    check: checkRegistry,
  },
  tags: {
    option: 'tags',
    message: 'Tags of the runner, comma-separated (a single comma: none)',
    help: 'comma-separated; a job must ask for tags that the runner has',
    default: 'docker',
    check: checkTags,
  },
  runUntagged: {
    option: 'run-untagged',
    message: 'Also run jobs that ask for no tag?',
    help: 'also run jobs that ask for no tag',
    default: 'no',
    yesNo: true,
    check: checkYesNo,
  },
  description: {
    option: 'description',
    message: 'Description of the runner',
    help: 'the name that GitLab shows for the runner',
    default: 'My Docker Runner',
    check: checkDescription,
  },
  concurrent: {
    option: 'concurrent',
    message: 'Jobs to run at the same time',
    help: 'how many jobs run at the same time, from 1',
    default: '2',
    check: checkConcurrent,
  },
  dockerImage: {
    option: 'docker-image',
    message: 'Image with the Docker client that jobs run in',
    help: 'the image, with a Docker client, that jobs run in',
    default: 'docker:stable',
    check: checkImage,
  },
  runnerImage: {
    option: 'runner-image',
    message: 'Image of GitLab Runner',
    help: 'the image of GitLab Runner itself',
    default: 'gitlab/gitlab-runner:alpine',
    check: checkImage,
  },
  builder: {
    option: 'builder',
    message: 'How jobs build images',
    help: "how jobs build images; socket: with the host's own Docker Engine",
    default: 'socket',
    choices: builders,
    check: text => checkChoice(builders, text),
  },
};

/** The names of all questions, in their order. */
export const answerNames = Object.keys(questions) as readonly AnswerName[];

/** An answer as a user would type it; `check` reads it back. */
export function asTyped(value: Answers[AnswerName]): string {
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  return Array.isArray(value) ? value.join(',') : String(value);
}

/**
 * Checks typed answers, and takes the default of each that is missing.
 *
 * Options and prompts are checked where they are given; what is wrong here was saved by an earlier run.
 *
 * @throws Refusal that says where to mend it
 */
export function completeAnswers(typed: { readonly [Name in AnswerName]?: string }): Answers {
  const answers = Object.fromEntries(
    answerNames.map(name => {
      const { option, check, default: byDefault } = questions[name];
      try {
        return [name, check(typed[name] ?? byDefault)];
      } catch (error) {
        throw new Refusal(
          `"${name}" in .yo-rc.json: ${(error as Error).message} Mend it there, or give --${option}.`,
        );
      }
    }),
  );
  return answers as unknown as Answers;
}
