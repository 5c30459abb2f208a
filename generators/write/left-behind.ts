import { parseEnv } from 'node:util';
import { isMapping } from '../mapping.ts';
import type { RunnerRepository } from '../plan/plan.ts';
import type { Change } from './changes.ts';
import { shell } from './quoting.ts';

/** What an earlier run described, and this one does not: it goes on where it is, and the repository knows no more of it. */
export interface LeftBehind {
  /** What it is, and how it is stopped, in a sentence that is true before this run and after it. */
  readonly sentence: string;
  /** What stops it after this run, each with what it does. */
  readonly steps: readonly string[];
}

/** A release of Helm. */
interface Release {
  readonly release: string;
  readonly namespace: string;
}

/**
 * What goes on running where this run looks no more. Whether it is up is not looked at.
 *
 * @param changes of all files: the owner may have put another release into one
 * @param environment the text of .env
 */
export function leftBehind(
  before: RunnerRepository | undefined,
  after: RunnerRepository,
  changes: readonly Change[],
  environment: string,
): LeftBehind[] {
  if (!before) return [];
  const { COMPOSE_PROJECT_NAME, KUBE_CONTEXT } = parseEnv(environment);
  const file = changes.find(({ path }) => path === 'helm/release.json');
  const release = before.kubernetes && releaseIn(file?.before, before.kubernetes);
  const next = after.kubernetes && releaseIn(file?.text, after.kubernetes);
  const isSame = release?.release === next?.release && release?.namespace === next?.namespace;
  return [
    ...(!before.kubernetes && after.kubernetes
      ? [containers(COMPOSE_PROJECT_NAME || before.composeProject)]
      : []),
    ...(release && !isSame ? [ofHelm(release, KUBE_CONTEXT ?? '')] : []),
    ...instances(before, after),
  ];
}

/** What helm/release.json says; where it is not to be read, what the templates would have put there. */
function releaseIn(text: string | undefined, { release, namespace }: Release): Release {
  try {
    const read: unknown = JSON.parse(text ?? '');
    if (isMapping(read) && typeof read.release === 'string' && typeof read.namespace === 'string')
      return { release: read.release, namespace: read.namespace };
  } catch {
    // Deleted, or being edited.
  }
  return { release, namespace };
}

const goesOn = (what: string, command: string) =>
  `${what} goes on running. Stop it by "make down" before this is written, or afterwards by: ${command}`;

// By the labels of the containers, which have the time that jobs get to end: https://github.com/docker/compose/pull/8635
function containers(project: string): LeftBehind {
  const command = `docker compose --project-name ${shell(project)} down`;
  return {
    sentence: goesOn('The runner that is up in Docker', command),
    steps: [`${command}   # stops the runner there, once running jobs have ended`],
  };
}

/** As `make down` does it, which stays no longer: the runner needs its rights until its last job has ended. */
function ofHelm({ release, namespace }: Release, context: string): LeftBehind {
  const its = (option: string) =>
    `--namespace ${shell(namespace)}${context === '' ? '' : ` ${option} ${shell(context)}`}`;
  const command = [
    `kubectl scale ${shell(`deployment/${release}`)} --replicas=0 ${its('--context')}`,
    `kubectl wait --for=delete pod --selector=${shell(`app=${release}`)} --timeout=65m ${its('--context')}`,
    `helm uninstall ${shell(release)} --wait ${its('--kube-context')}`,
  ].join(' && ');
  const secret = `kubectl delete secret ${shell(`${release}-token`)} ${its('--context')}`;
  return {
    sentence: goesOn(`The runner of the release ${release} in the namespace ${namespace}`, command),
    steps: [
      `${command}   # stops the runner there, once running jobs have ended`,
      `${secret}   # the token there`,
    ],
  };
}

/** Instances that a runner has started stand idle where no runner is there to remove them. */
function instances(before: RunnerRepository, after: RunnerRepository): LeftBehind[] {
  const [old, now] = [groupOf(before), groupOf(after)];
  if (old === undefined || old === now) return [];
  const sentence = `Instances of ${old} that are up then stay, and cost money, until you set the size of that group to 0.`;
  return [{ sentence, steps: [sentence] }];
}

/** The group of instances that the runner fills, with all that its cloud needs to find it. */
function groupOf({ runners }: RunnerRepository): string | undefined {
  return runners[0].config.autoscaler?.plugin.map(({ value }) => String(value)).join('/');
}
