import { type Answers, completeAnswers } from '../../generators/app/questions.ts';
import type { TypedAnswers } from '../../generators/app/saved-answers.ts';

/** Complete answers, of which some are given as a user would type them; the others have their defaults. */
export function answersWith(typed: TypedAnswers = {}): Answers {
  return completeAnswers(typed);
}

/** Answers that differ from the defaults in everything that has more than one answer. */
export const otherAnswers: TypedAnswers = {
  gitlabUrl: 'http://git.example.org:8080/tools/gitlab',
  registry: 'registry.example.org:5000/team',
  tags: 'linux,on,1e3,a: b',
  runUntagged: 'yes',
  description: `Build & "test" #2, it's \${{ 50% }} <%= 1 %>`,
  concurrent: '7',
  dockerImage: 'mirror.example.org/library/docker:28-cli',
  runnerImage: 'gitlab/gitlab-runner:alpine-v19.3.0',
};

/** Sets of answers that between them reach every decision of the plan. */
export const scenarios: Record<string, TypedAnswers> = {
  'the defaults': {},
  'other answers everywhere': otherAnswers,
  'no tags': { tags: ',' },
  'GitLab at an IPv6 address, registry on this host': {
    gitlabUrl: 'http://[2001:db8::1]',
    registry: 'localhost:5000',
  },
};
