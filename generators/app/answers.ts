import { frozenClientApi, isOfficialDocker } from '../common/engine.ts';
import { Refusal } from '../common/refusal.ts';
import {
  type Answers,
  answerNames,
  type Deciding,
  defaultFor,
  questions,
  type TypedAnswers,
} from './questions.ts';

/**
 * What an earlier run saved, seen from the options of this one: where the builder changes, an answer that
 * was the default of the old builder becomes the default of the new one.
 */
export function reconsider(saved: TypedAnswers, builder: string | undefined): TypedAnswers {
  const before = saved.builder ?? questions.builder.default;
  if (builder === undefined || builder === before) return saved;
  return Object.fromEntries(
    answerNames
      .filter(name => saved[name] !== undefined)
      .filter(name => questions[name].defaultOf === undefined || saved[name] !== defaultFor(name, before))
      .map(name => [name, saved[name]]),
  );
}

/** Saved answers without those that are none: somebody edited the file. */
export function usable(saved: TypedAnswers): TypedAnswers {
  return Object.fromEntries(
    answerNames
      .filter(name => {
        try {
          questions[name].check(saved[name] ?? '');
          return saved[name] !== undefined;
        } catch {
          return false;
        }
      })
      .map(name => [name, saved[name]]),
  );
}

/**
 * Checks typed answers, and takes the default of each that is missing.
 *
 * Options and prompts are checked where they are given; what is wrong here was saved by an earlier run.
 *
 * @throws Refusal that says where to mend it, or which two answers exclude each other
 */
export function completeAnswers(typed: TypedAnswers): Answers {
  const answers = Object.fromEntries(
    answerNames.map(name => {
      const { option, check } = questions[name];
      try {
        return [name, check(typed[name] ?? defaultFor(name, typed.builder ?? ''))];
      } catch (error) {
        throw new Refusal(
          `"${name}" in .yo-rc.json: ${(error as Error).message} Mend it there, or give --${option}.`,
        );
      }
    }),
  ) as unknown as Answers;
  refuseTogether(answers);
  refuseCache(answers);
  return answers;
}

/**
 * @param given the answers that options gave
 * @throws Refusal if one of them says something about what was not chosen
 */
export function refuseIdle(given: TypedAnswers, answers: Answers): void {
  for (const name of answerNames) {
    const { option, matters, mattersFor } = questions[name];
    if (given[name] !== undefined && matters && !matters(answers)) {
      throw new Refusal(`--${option} is for ${mattersFor} only; leave it out, or choose that.`);
    }
  }
}

/**
 * What a job shares with an engine of its own, its certificates, is a volume without a source, and `disable_cache`
 * takes all of those away (executors/docker/internal/volumes of GitLab Runner).
 *
 * @throws Refusal if jobs could not build for want of that volume
 */
export function refuseCache({ builder, dindCache, cache }: Deciding): void {
  if (cache === 'none' && builder === 'dind' && dindCache === 'registry') {
    throw new Refusal(
      'With --cache none a job has no volume to share with an engine of its own: choose --dind-cache volume, or --cache local.',
    );
  }
}

/** The answers that can exclude each other, and of which one is typed. */
export const together = ['builder', 'dockerImage', 'platforms'] as const;

/** @throws Refusal that says which two answers exclude each other, and what to choose instead */
export function refuseTogether({
  builder,
  dockerImage,
  platforms,
}: Pick<Answers, (typeof together)[number]>): void {
  if (builder === 'buildah' && isOfficialDocker(dockerImage)) {
    throw new Refusal(
      `There is no Buildah in ${dockerImage}: leave --docker-image out, or name an image with Buildah.`,
    );
  }
  if (builder !== 'buildah' && /\bbuildah\b/.test(dockerImage)) {
    throw new Refusal(
      `There is no Docker client in ${dockerImage}: choose --builder buildah, or --docker-image docker:cli.`,
    );
  }
  const needsBuildx =
    builder === 'buildkit'
      ? '--builder buildkit needs'
      : platforms.length > 0 && builder !== 'buildah' && '--platforms needs';
  if (needsBuildx && frozenClientApi(dockerImage) !== undefined) {
    throw new Refusal(
      `${needsBuildx} buildx, which ${dockerImage} (Docker 19.03) does not have: choose --docker-image docker:cli.`,
    );
  }
}
