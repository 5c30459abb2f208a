import { type AnswerName, type Question, questions } from './questions.ts';

/** What the job of a pipeline depends on, by names: where an option gives none, what the repository has counts. */
export const ciQuestions = {
  registry: questions.registry,
  tags: questions.tags,
  builder: questions.builder,
  dindCache: questions.dindCache,
  dockerImage: questions.dockerImage,
  platforms: questions.platforms,
  mirror: questions.mirror,
  privateCa: questions.privateCa,
  httpProxy: questions.httpProxy,
  insecureRegistry: questions.insecureRegistry,
} satisfies { readonly [Name in AnswerName]?: Question<unknown> };

export type CiName = keyof typeof ciQuestions;
