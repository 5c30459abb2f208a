import { frozenClientApi, isOfficialDocker, isOlderRunner } from '../plan/engine.ts';
import {
  type AnswerName,
  type Answers,
  answerNames,
  defaultFor,
  isNone,
  questions,
  type TypedAnswers,
} from './questions.ts';
import { Refusal } from './refusal.ts';

/**
 * What an earlier run saved, seen from the options of this one: where the builder or the executor changes, an answer
 * that was the default of the old one becomes the default of the new one.
 */
export function reconsider(
  saved: TypedAnswers,
  builder: string | undefined,
  executor?: string | undefined,
): TypedAnswers {
  const executorBefore = saved.executor ?? questions.executor.default;
  const before = saved.builder ?? defaultFor('builder', '', undefined, executorBefore);
  const isMoved = executor !== undefined && executor !== executorBefore;
  if ((builder === undefined || builder === before) && !isMoved) return saved;
  const depends = ({ defaultOf, defaultInCluster }: (typeof questions)[AnswerName]) =>
    defaultOf !== undefined || (isMoved && defaultInCluster !== undefined);
  return Object.fromEntries(
    answerNames
      .filter(name => saved[name] !== undefined)
      .filter(
        name =>
          !depends(questions[name]) || saved[name] !== defaultFor(name, before, undefined, executorBefore),
      )
      .map(name => [name, saved[name]]),
  );
}

/** The builder and the executor that stand: as given, else as saved, else the defaults. */
export function standing(
  given: TypedAnswers,
  saved: TypedAnswers = {},
): { readonly builder: string; readonly executor: string } {
  const executor = given.executor ?? saved.executor ?? questions.executor.default;
  const builder = given.builder ?? reconsider(saved, undefined, executor).builder;
  return { executor, builder: builder ?? defaultFor('builder', '', undefined, executor) };
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
  const { builder, executor } = standing(typed);
  const answers = Object.fromEntries(
    answerNames.map(name => {
      const { option, check } = questions[name];
      try {
        return [name, check(typed[name] ?? defaultFor(name, builder, typed.tags, executor))];
      } catch (error) {
        throw new Refusal(
          `"${name}" in .yo-rc.json: ${(error as Error).message} Mend it there, or give --${option}.`,
        );
      }
    }),
  ) as unknown as Answers;
  refuseTogether(answers);
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

/** What answers to prompts say beside themselves: who wants no tags is not asked whether jobs without a tag run. */
export function impliedBy(asked: { readonly tags?: unknown }, given: TypedAnswers): TypedAnswers {
  return isNone(asked.tags) && given.runUntagged === undefined ? { runUntagged: 'yes' } : {};
}

/** The answers that are in force: what does not matter beside the others, as an answer of an earlier run, is not. */
export function inForce(answers: Answers): Answers {
  const idle = answerNames.filter(name => questions[name].matters?.(answers) === false);
  const held = idle.map(name => {
    const { check, otherwise = defaultFor(name, answers.builder, undefined, answers.executor) } =
      questions[name];
    return [name, check(otherwise)];
  });
  return { ...answers, ...Object.fromEntries(held) };
}

/** The answers that can exclude each other. */
export const excludingNames = [
  'tags',
  'runUntagged',
  'builder',
  'dindCache',
  'dockerImage',
  'runnerImage',
  'platforms',
  'cache',
  'extraHosts',
  'dockerNetwork',
  'executor',
  'cloud',
  'instanceGroup',
  'instanceJobs',
  'instanceUses',
  'cacheServer',
] as const;

/** These answers; without a group of instances, nothing is said of that. */
type Excluding = Omit<Pick<Answers, (typeof excludingNames)[number]>, 'instanceGroup'> & {
  readonly instanceGroup: string | undefined;
};

/** @throws Refusal that says which two answers exclude each other, and what to choose instead */
export function refuseTogether(answers: Excluding): void {
  refuseTags(answers);
  if (answers.executor === 'docker-autoscaler') refuseOnInstances(answers);
  else if (answers.executor === 'kubernetes') refuseInCluster(answers);
  else refuseOnHost(answers);
}

function refuseOnHost(answers: Excluding): void {
  refuseImage(answers);
  refuseCache(answers);
  refuseNetwork(answers);
}

/** As GitLab does (`tag_constraints` in its app/models/ci/runner.rb). */
function refuseTags({ tags, runUntagged }: Pick<Answers, 'tags' | 'runUntagged'>): void {
  if (tags.length === 0 && !runUntagged) {
    throw new Refusal(
      'A runner without tags that takes no untagged jobs could run none, and GitLab refuses it: add --run-untagged, or name tags by --tags.',
    );
  }
}

/** What pods do not have, and what GitLab Runner can do there since when. */
function refuseInCluster(answers: Excluding): void {
  const { builder, dindCache, runnerImage, extraHosts } = answers;
  if (builder === 'socket') {
    throw new Refusal(
      'The nodes of a cluster mostly have no Docker Engine, and whoever has the socket of one is root on its node: choose --builder buildkit.',
    );
  }
  refuseImageInCluster(answers);
  // Profiles of seccomp and AppArmor for the containers of jobs (merge request 6512 of GitLab Runner).
  if (isOlderRunner(runnerImage, 18, 11)) {
    throw new Refusal(
      `--executor kubernetes needs GitLab Runner 18.11 or later, which gives jobs the seccomp profile that builds need, and ${runnerImage} is older: choose a newer --runner-image.`,
    );
  }
  if (builder === 'dind' && dindCache === 'volume') {
    throw new Refusal(
      'In a cluster each job has an engine of its own, in its pod: choose --dind-cache registry.',
    );
  }
  refuseCacheInCluster(answers);
  const host = extraHosts.find(entry => entry.endsWith(':host-gateway'));
  if (host !== undefined) {
    throw new Refusal(
      `A pod knows no "host-gateway": give ${host.slice(0, host.indexOf(':'))} its address in --extra-hosts.`,
    );
  }
}

/** As elsewhere, but that BuildKit is in the job itself there, with a program of its own. */
function refuseImageInCluster(answers: Pick<Answers, 'builder' | 'dockerImage' | 'platforms'>): void {
  const { builder, dockerImage } = answers;
  const isOfBuildKit = /(^|\/)moby\/buildkit(:|@|$)/.test(dockerImage);
  if (
    builder === 'buildkit' ? isOfficialDocker(dockerImage) || /\bbuildah\b/.test(dockerImage) : isOfBuildKit
  ) {
    const needed = { buildkit: 'buildctl-daemonless.sh', buildah: 'Buildah' }[builder as string] ?? 'docker';
    throw new Refusal(
      `There is no ${needed} in ${dockerImage}, which --builder ${builder} needs in a cluster: leave --docker-image out, or name an image that has it.`,
    );
  }
  if (builder !== 'buildkit') refuseImage(answers);
}

function refuseCacheInCluster({ cache, cacheServer }: Pick<Answers, 'cache' | 'cacheServer'>): void {
  if (cache === 'local') {
    throw new Refusal(
      'In a cluster a cache "local" goes with the pod of its job, and keeps nothing: choose --cache s3 or --cache none.',
    );
  }
  if (cache === 's3' && cacheServer === 'here') {
    throw new Refusal(
      'A cache server "here" is a service of docker-compose.yml: name one of yours, such as --cache-server https://s3.example.com.',
    );
  }
}

function refuseImage({
  builder,
  dockerImage,
  platforms,
}: Pick<Answers, 'builder' | 'dockerImage' | 'platforms'>): void {
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

/**
 * What a job shares with an engine of its own, its certificates, is a volume without a source, and `disable_cache`
 * takes all of those away (executors/docker/internal/volumes of GitLab Runner). Keys of S3 come from the environment
 * since 17.5.
 */
function refuseCache({
  builder,
  dindCache,
  cache,
  runnerImage,
}: Pick<Answers, 'builder' | 'dindCache' | 'cache' | 'runnerImage'>): void {
  if (cache === 'none' && builder === 'dind' && dindCache === 'registry') {
    throw new Refusal(
      'With --cache none a job has no volume to share with an engine of its own: choose --dind-cache volume, or --cache local.',
    );
  }
  if (cache === 's3' && isOlderRunner(runnerImage, 17, 5)) {
    throw new Refusal(
      `--cache s3 needs GitLab Runner 17.5 or later, which takes the keys from its environment, and ${runnerImage} is older: choose a newer --runner-image, or --cache local.`,
    );
  }
}

/** What cannot be on instances of a cloud, each of which has an engine of its own. */
function refuseOnInstances(answers: Excluding): void {
  const { builder, runnerImage, cloud, instanceGroup, instanceJobs, instanceUses, cache, cacheServer } =
    answers;
  if (builder !== 'socket') {
    throw new Refusal(
      `With --executor docker-autoscaler each instance has a Docker Engine, which its jobs use: choose --builder socket instead of ${builder}.`,
    );
  }
  // That platforms need an emulator on this host is said to those whom it concerns.
  refuseImage({ ...answers, platforms: [] });
  if (isOlderRunner(runnerImage, 18, 10)) {
    throw new Refusal(
      `--executor docker-autoscaler is for GitLab Runner 18.10 or later, and ${runnerImage} is older: choose a newer --runner-image.`,
    );
  }
  const form = groupForms[cloud];
  if (instanceGroup !== undefined && instanceGroup.split('/').length !== form.split('/').length) {
    throw new Refusal(`With --cloud ${cloud} the group of instances is written --instance-group ${form}.`);
  }
  if (instanceUses < instanceJobs) {
    throw new Refusal(
      `An instance that is removed after ${instanceUses === 1 ? 'one job' : `${instanceUses} jobs`} never runs ${instanceJobs} at the same time: raise --instance-uses, or lower --instance-jobs.`,
    );
  }
  if (cache === 's3' && cacheServer === 'here') {
    throw new Refusal(
      'Instances do not reach an S3 server of this host: name one that they reach by --cache-server https://..., or choose --cache local.',
    );
  }
}

/** How a group of instances is written, by the cloud: what its plugin needs to find it. */
const groupForms: { readonly [Name in Answers['cloud']]: string } = {
  aws: 'NAME',
  googlecloud: 'PROJECT/ZONE/NAME',
  azure: 'SUBSCRIPTION/RESOURCE-GROUP/NAME',
};

/** Jobs are on one network: that of GitLab, or that of what they build with. */
function refuseNetwork({ builder, dockerNetwork }: Pick<Answers, 'builder' | 'dockerNetwork'>): void {
  if (dockerNetwork !== undefined && (builder === 'dind' || builder === 'buildkit')) {
    throw new Refusal(
      `With --docker-network jobs are on the network of GitLab, and not on that of what ${builder} builds with: choose --builder socket or buildah, or give GitLab an address that every container reaches.`,
    );
  }
}
