import type { RunnerRepository } from '../plan/plan.ts';
import { type Difference, runnerOf } from './carry.ts';
import type { MovedIn } from './move-in.ts';
import { unknown as onlyTheScriptKnows } from './shell.ts';

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
    // What is to be copied has a line of its own.
  ].flatMap(line => secrets.masked(line).replaceAll(onlyTheScriptKnows, '…').split('\n'));
}

function counted(runners: number, tokens: number): string {
  if (runners === 0) return 'what its container is started with. No [[runners]] was there.';
  if (tokens === 0) return `${runners} [[runners]], none with a token of its own.`;
  return `${runners} [[runners]], ${tokens} with a token, which goes to .env (0600).`;
}

/** What is privileged in a [runners.docker]: jobs, and their services, all or those of some images. */
interface Privileges {
  readonly privileged?: unknown;
  readonly services_privileged?: unknown;
  readonly allowed_privileged_services?: unknown;
}

/** What jobs and services may not do any more, or may do from now on. */
function privileges({ carried }: MovedIn, repository: RunnerRepository): string[] {
  return repository.runners.flatMap(runner => {
    const found = runnerOf(repository, runner, carried.runners);
    const now = Object.fromEntries(runner.config.docker.map(({ key, value }) => [key, value]));
    const who = repository.runners.length > 1 ? ` of ${runner.description}` : '';
    return found ? changeOfPrivileges((found.table.docker ?? {}) as Privileges, now, who) : [];
  });
}

function changeOfPrivileges(before: Privileges, now: Privileges, who: string): string[] {
  const areServices = ({ privileged, services_privileged = privileged }: Privileges) =>
    services_privileged === true;
  const [allowed, allowedBefore] = [now, before].map(({ allowed_privileged_services: images }) =>
    images === undefined ? undefined : [images].flat().join(', '),
  );
  const lines: string[] = [];
  if (before.privileged === true && now.privileged !== true)
    lines.push(
      `Jobs${who} are not privileged any more. Where one needs that, write "privileged = true" into [runners.docker].`,
    );
  if (areServices(before) && !areServices(now)) lines.push(`Services${who} are not privileged any more.`);
  if (areServices(before) && areServices(now) && allowed !== undefined && allowedBefore === undefined)
    lines.push(
      `Of services${who} only ${allowed} is privileged: add those of your pipelines to allowed_privileged_services.`,
    );
  if (!areServices(before) && areServices(now))
    lines.push(`Services${who} of the image ${allowed} are privileged now.`);
  return lines;
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
