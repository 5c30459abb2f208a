import type { TomlTable } from 'smol-toml';
import {
  type AnswerName,
  type BuilderName,
  defaultFor,
  questions,
  type TypedAnswers,
} from '../ask/questions.ts';
import { ownNames, type TypedRunner, type TypedRunners } from '../ask/runners.ts';
import { secretKeyOf, sharedCache, takeCache } from './caches.ts';
import { type Carried, type CarriedRunner, isSocket } from './carry.ts';
import { Collected } from './collected.ts';
import { expand, usableRunners } from './executors.ts';
import type { Found } from './found.ts';
import { takeInstances } from './instances.ts';
import type { FoundRunner } from './register-command.ts';
import { isRegistrationToken, Secrets } from './secrets.ts';
import { takeAuthority, takeContainers, takeSurroundings } from './surroundings.ts';

/** An older runner as answers, and what no answer knows. */
export interface MovedIn {
  readonly answers: TypedAnswers;
  /** Those of the runners beside the first. */
  readonly further: TypedRunners;
  readonly carried: Carried<TakenRunner>;
  /** Other variables for .env. */
  readonly environment: Readonly<Record<string, string>>;
  /** What is not taken over, in words; no secret is among them. */
  readonly notUnderstood: readonly string[];
  /** What the owner has to know of what was taken over. */
  readonly hints: readonly string[];
  /** What must not be in a message, or in Git. */
  readonly secrets: Secrets;
}

/** A runner by its name in the new repository, and its token, which may expire. */
interface TakenRunner extends CarriedRunner {
  readonly token: string | undefined;
  readonly expires: string | undefined;
}

/** What was saved by a repository of this generator, if it is one; and its .env. */
interface SavedThere {
  readonly answers: TypedAnswers;
  readonly runners: TypedRunners;
  readonly environment: Readonly<Record<string, string>>;
  /** Names of answers to questions that there are no more. */
  readonly gone: readonly string[];
}

/**
 * Decides what becomes of what was found.
 * @throws Refusal if none of it is a runner that a repository of this generator could run
 */
export function moveIn(found: Found, saved: SavedThere): MovedIn {
  const all = new Collected(secretsIn(found, saved.environment));
  all.notUnderstood.push(...found.notUnderstood);
  takeSaved(saved, all);
  if (saved.answers.builder === undefined) takeContainers(found, all);
  else takeImage(found, saved, all);
  if (saved.answers.builder === undefined && found.certificates.length > 0)
    takeAuthority(found.certificates.join(', '), all);
  const global = takeGlobal(found.global, all);
  const usable = usableRunners(found.runners, saved.environment, all);
  const cache = sharedCache(usable, saved.answers, all);
  const url = usable.find(({ table }) => table.url !== '')?.table.url;
  if (url) all.take('gitlabUrl', String(url));
  const [first, ...others] = usable;
  const runners = first ? [takeFirst(first, saved, all)] : [];
  const further: Record<string, TypedRunner> = {};
  for (const other of others) {
    const names = [...Object.keys(further), String(first?.table.name ?? '')];
    const [typed, taken] = takeFurther(other, saved, all, names);
    further[taken.name] = typed;
    runners.push(taken);
  }
  takeBackUnfit(all);
  if (saved.answers.builder === undefined) hint(usable, all);
  takeRegistrationTokens(found, all);
  return {
    answers: all.answers,
    further: { ...saved.runners, ...further },
    carried: { global, runners, cache },
    environment: { ...saved.environment, ...all.environment },
    notUnderstood: all.notUnderstood,
    hints: all.hints,
    secrets: all.secrets,
  };
}

/** All that is known to be a secret there. */
function secretsIn(
  { runners, registrationTokens }: Found,
  environment: Readonly<Record<string, string>>,
): Secrets {
  const tokens = runners.flatMap(({ table: { token } }) => (token === undefined ? [] : [String(token)]));
  const keys = runners.map(({ table }, at) => [`secret${at}`, String(secretKeyOf(table) ?? '')]);
  return new Secrets([...tokens, ...registrationTokens], { ...environment, ...Object.fromEntries(keys) });
}

/** That of .env, or of a script, for `make register`; one in the place of a runner's token is one too. */
function takeRegistrationTokens({ runners, registrationTokens }: Found, all: Collected): void {
  const misplaced = runners.map(({ table }) => String(table.token)).filter(isRegistrationToken);
  const [token, ...others] = new Set([...registrationTokens, ...misplaced]);
  if (token) all.environment.REGISTRATION_TOKEN = token;
  if (others.length > 0) all.notUnderstood.push(`registration tokens beside the first: ${others.length}`);
}

function takeSaved({ answers, gone, environment }: SavedThere, all: Collected): void {
  for (const [name, text] of Object.entries(answers) as [AnswerName, string][]) {
    if (all.take(name, text) || name !== 'builder') continue;
    all.answers.builder = 'buildkit';
    all.hints.push(`Instead of the builder ${text}, buildkit was taken.`);
  }
  if (gone.length > 0)
    all.hints.push(
      `Answers to what is not asked any more: ${gone.join(', ')}. CHANGELOG.md of this package says what there is instead.`,
    );
  all.take('gitlabUrl', environment.GITLAB_URL || undefined);
}

/** Takes back what does not go with the way to build. */
function takeBackUnfit({ answers, notUnderstood }: Collected): void {
  const { builder, dockerNetwork, cache, dindCache = questions.dindCache.default } = answers;
  if (
    dockerNetwork !== undefined &&
    dockerNetwork !== 'none' &&
    (builder === 'dind' || builder === 'buildkit')
  ) {
    delete answers.dockerNetwork;
    notUnderstood.push(`the network ${dockerNetwork}: jobs are on that of what ${builder} builds with`);
  }
  if (cache === 'none' && builder === 'dind' && dindCache === 'registry') {
    delete answers.cache;
    notUnderstood.push('disable_cache: without volumes a job shares nothing with an engine of its own');
  }
}

function tokenOf({ token, token_expires_at }: TomlTable, environment: Readonly<Record<string, string>>) {
  const expires = token_expires_at instanceof Date ? token_expires_at : undefined;
  const text = token === undefined ? undefined : expand(String(token), environment) || undefined;
  return {
    token: text !== undefined && isRegistrationToken(text) ? undefined : text,
    // Year 1 is how Go writes: never.
    expires: expires && expires.getFullYear() > 2000 ? new Date(expires).toISOString() : undefined,
  };
}

/** Of a repository of this generator the answers say all that its docker-compose.yml does, but for what was edited. */
function takeImage({ containers: [container] }: Found, { environment }: SavedThere, all: Collected): void {
  if (container && !environment.RUNNER_IMAGE) all.take('runnerImage', container.image);
  all.hints.push(
    'What was edited in docker-compose.yml, Makefile, scripts and pipelines there does not come along: compare the two folders.',
  );
}

/** What stands above the first runner. */
function takeGlobal({ concurrent, log_level, ...rest }: TomlTable, all: Collected): TomlTable {
  if (concurrent !== undefined) all.take('concurrent', String(concurrent));
  // GitLab Runner takes both words for it.
  if (log_level !== undefined) all.take('logLevel', String(log_level).replace(/^warning$/, 'warn'));
  return all.secrets.without(rest, all.notUnderstood);
}

/** The first runner: what of it is an answer of the repository. */
function takeFirst(runner: FoundRunner, saved: SavedThere, all: Collected): TakenRunner {
  const { name } = runner.table;
  const called = name === undefined ? undefined : all.takeName(String(name));
  all.take('description', called);
  const rest = takeOwn(runner, saved.answers.builder, all);
  const isDisabled = (runner.table.docker as TomlTable | undefined)?.disable_cache === true;
  if (isDisabled && all.answers.cache !== 's3') all.take('cache', 'none');
  return { ...rest, ...tokenOf(runner.table, saved.environment), name: called ?? '' };
}

/** A runner beside the first: its name, what is its own, and the rest. */
function takeFurther(
  runner: FoundRunner,
  { runners: saved, environment }: SavedThere,
  all: Collected,
  taken: readonly string[],
): [typed: TypedRunner, taken: TakenRunner] {
  const called = all.takeName(String(runner.table.name ?? 'runner'));
  const slug =
    called
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, '-')
      .slice(0, 36)
      .replace(/^-+|-+$/g, '') || 'runner';
  let name = slug;
  for (let number = 2; taken.includes(name); number += 1) name = `${slug}-${number}`;
  if (name !== called) all.hints.push(`The runner "${called}" is called ${name} here, as part of paths.`);
  const own = new Collected(all.secrets);
  Object.assign(own.environment, all.environment);
  const shared = ['extraHosts', 'privateCa', 'httpProxy', 'proxyExceptions', 'dockerNetwork'] as const;
  const before = pick(all.answers, shared);
  Object.assign(own.answers, before, saved[name] ?? {});
  const rest = takeOwn(runner, saved[name]?.builder, own);
  if (before.httpProxy !== undefined && own.answers.httpProxy !== before.httpProxy)
    own.notUnderstood.push('its proxy, which is another than that of the first');
  Object.assign(
    all.answers,
    pick(own.answers, shared),
    before.httpProxy === undefined ? {} : { httpProxy: before.httpProxy },
  );
  all.notUnderstood.push(...own.notUnderstood.map(text => `the runner ${name}: ${text}`));
  all.hints.push(...own.hints.map(text => `The runner ${name}: ${text}`));
  // That of the first may be for another way to build.
  const dockerImage = defaultFor('dockerImage', own.answers.builder ?? '');
  const typed = { dockerImage, ...saved[name], ...pick(own.answers, ownNames) };
  return [typed, { ...rest, ...tokenOf(runner.table, environment), name }];
}

function pick<Name extends AnswerName>(
  answers: TypedAnswers,
  names: readonly Name[],
): { [N in Name]?: string } {
  const given = names.filter(name => answers[name] !== undefined).map(name => [name, answers[name]]);
  return Object.fromEntries(given);
}

/** What each runner has of its own; what is no answer remains. */
function takeOwn(
  { table, reserved }: FoundRunner,
  savedBuilder: string | undefined,
  all: Collected,
): FoundRunner {
  const { tags, runUntagged, ...others } = reserved;
  if (tags) all.take('tags', tags.length > 0 ? tags.join(',') : ',');
  if (runUntagged !== undefined) all.take('runUntagged', runUntagged ? 'yes' : 'no');
  const own = withoutIdentity(table);
  if (savedBuilder === undefined) {
    if (table.executor === 'docker-autoscaler') takeInstances(table, all);
    all.answers.builder = builderOf((own.docker ?? {}) as TomlTable, all);
    // What it never had taken away is not taken away by moving.
    all.answers.hardening ??= 'relaxed';
  }
  // Where answers were saved, they say this already.
  const { docker = {}, ...rest } = savedBuilder === undefined ? takeSurroundings(own, all) : own;
  const { image, ...keys } = docker as TomlTable;
  const isKnown = image === undefined || takeJobImage(String(image), all);
  const cache = takeCache((rest.cache ?? {}) as TomlTable, all);
  const left = { ...rest, cache, docker: { ...(isKnown ? {} : { image }), ...keys } };
  return { table: all.secrets.without(left, all.notUnderstood), reserved: others };
}

/** Without what is in .env, or in GitLab only. */
function withoutIdentity(table: TomlTable): TomlTable {
  const isIdentity = /^(name|url|token|executor|id|token_obtained_at|token_expires_at)$/;
  return Object.fromEntries(Object.entries(table).filter(([key]) => !isIdentity.test(key)));
}

/** How jobs have built images so far. */
function builderOf(docker: TomlTable, all: Collected): BuilderName {
  const volumes = [docker.volumes ?? []].flat().map(String);
  // Each instance has an engine, which its jobs use.
  if (all.answers.executor === 'docker-autoscaler' || volumes.some(isSocket)) return 'socket';
  if (docker.privileged === true || docker.services_privileged === true) return 'dind';
  all.hints.push(
    'How jobs build images could not be told, as they have neither a socket nor privileges: buildah was taken, without an engine, and with an open seccomp and AppArmor profile for jobs. --builder says another.',
  );
  return 'buildah';
}

/** Whether the image of jobs is one that the sample pipeline can build in, and an answer so. */
function takeJobImage(image: string, all: Collected): boolean {
  const { builder = '', dockerImage = defaultFor('dockerImage', builder) } = all.answers;
  const builds = builder === 'buildah' ? /(^|\/)buildah/ : /(^|\/)docker(:|@|$)/;
  return image === dockerImage || (builds.test(image) && all.take('dockerImage', image));
}

/** What the owner of a runner has to know that no repository of this generator was. */
function hint(runners: readonly FoundRunner[], all: Collected): void {
  if (runners.length === 0) return;
  all.hints.push(
    'Nothing is taken from jobs, as before: --hardening recommended takes what builds do without.',
  );
  if (runners.some(({ reserved }) => reserved.tags === undefined))
    all.hints.push(
      'GitLab keeps tags, protection and limits: write what it says into scripts/settings.ts, before "make register" with an access token brings GitLab in line.',
    );
  if (runners.some(({ reserved: { maximumTimeout = 0 } }) => maximumTimeout > 3600))
    all.hints.push(
      'Jobs may run for longer than an hour: let stop_grace_period in docker-compose.yml be as long.',
    );
  const files = JSON.stringify(runners.map(({ table: { 'tls-ca-file': _, ...table } }) => table)).matchAll(
    /"\/etc\/gitlab-runner\/([^":]+)"/g,
  );
  const names = [...new Set([...files].map(([, name = '']) => name))].join(', ');
  if (names !== '')
    all.hints.push(`Copy to config/ what config.toml names, and keep keys out of Git: ${names}.`);
  if (runners.some(({ table }) => /"([a-z]:\\|\\\\\\\\|\/\/\.\/pipe)/i.test(JSON.stringify(table))))
    all.hints.push(
      'Paths of Windows are as they were, and mean nothing on Linux: change them in config/config.toml.',
    );
}
