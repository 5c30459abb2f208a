import type { RunnerRepository } from '../plan/plan.ts';
import { type Difference, runnerOf } from './carry.ts';
import type { MovedIn } from './move-in.ts';

/**
 * What was taken over and what was not, in lines for a screen; no secret is among them.
 *
 * @param from what was taken over, by its path
 * @param unknown variables of .env that the new one has no place for
 */
export function report(
  from: string,
  moved: MovedIn,
  repository: RunnerRepository,
  differences: readonly Difference[],
  unknown: readonly string[],
): string[] {
  const { hints, notUnderstood, carried, secrets } = moved;
  const count = carried.runners.filter(({ token }) => token !== undefined).length;
  const keysOf = (why: Difference['why']) =>
    [...new Set(differences.filter(one => one.why === why).map(({ key }) => key))].join(', ');
  const listed = (before: string, keys: string) => (keys === '' ? [] : [`${before}: ${keys}.`]);
  const missed = [...new Set(notUnderstood), ...unknown.map(name => `${name} of .env`)];
  return [
    `Taken over from ${from}: ${counted(carried.runners.length, count)}`,
    ...listed('Left out, as they say what is so anyway', keysOf('default')),
    ...listed('Left out, as the builder or the cache decides them', keysOf('decided')),
    ...listed('New in config/config.toml, with its reason there', keysOf('new')),
    ...privileges(moved, repository),
    ...address(moved, repository),
    ...registration(moved, count),
    ...new Set(hints),
    ...(missed.length === 0
      ? []
      : ['Not taken over, for it was not understood or has no place:', ...missed.map(one => `  - ${one}`)]),
    ...(missed.some(one => one.includes('a secret'))
      ? ['Secrets that jobs need are for the CI/CD variables of GitLab.']
      : []),
    ...(count > 0 ? ['"make up" starts it. Stop the older one then: until that both take jobs.'] : []),
  ].map(line => secrets.masked(line));
}

function counted(runners: number, tokens: number): string {
  if (runners === 0) return 'what its container is started with. No [[runners]] was there.';
  if (tokens === 0) return `${runners} [[runners]], none with a token of its own.`;
  return `${runners} [[runners]], ${tokens} with a token, which goes to .env (0600).`;
}

/** What jobs and services may not do any more. */
function privileges({ carried }: MovedIn, repository: RunnerRepository): string[] {
  return repository.runners.flatMap(runner => {
    const { docker = {} } = (runnerOf(repository, runner, carried.runners)?.table ?? {}) as {
      docker?: {
        privileged?: boolean;
        services_privileged?: boolean;
        allowed_privileged_services?: string[];
      };
    };
    const its = (key: string) => runner.config.docker.find(entry => entry.key === key)?.value;
    const [allowed] = [its('allowed_privileged_services') ?? []].flat().map(String);
    const lostOwn = docker.privileged === true && its('privileged') !== true;
    const wereFree = docker.services_privileged ?? docker.privileged;
    const lostServices = wereFree === true && String(docker.allowed_privileged_services) !== allowed;
    const who = repository.runners.length > 1 ? ` of ${runner.description}` : '';
    return [
      ...(lostOwn
        ? [
            `Jobs${who} are not privileged any more. Where one needs that, write "privileged = true" into [runners.docker].`,
          ]
        : []),
      ...(lostServices && allowed !== undefined
        ? [
            `Of services${who} only ${allowed} is privileged: add those of your pipelines to allowed_privileged_services.`,
          ]
        : []),
      ...(lostServices &&
      allowed === undefined &&
      its('services_privileged') !== true &&
      its('privileged') !== true
        ? [`Services${who} are not privileged any more.`]
        : []),
    ];
  });
}

/** Where nothing said where GitLab is. */
function address({ answers }: MovedIn, { gitlabUrl }: RunnerRepository): string[] {
  if (answers.gitlabUrl !== undefined || gitlabUrl !== 'https://gitlab.com') return [];
  return ["GitLab's address was not there, so https://gitlab.com was taken: --gitlab-url says another."];
}

/** A token that makes runners is no token of one. */
function registration({ environment }: MovedIn, tokens: number): string[] {
  if (!environment.REGISTRATION_TOKEN) return [];
  const use =
    tokens > 0
      ? 'It is not needed any more: delete it.'
      : '"make register" makes one with it; delete it then.';
  return [`A registration token, which makes runners and is no runner's own, is in .env. ${use}`];
}
