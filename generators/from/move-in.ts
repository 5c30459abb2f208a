import type { TomlTable } from 'smol-toml';
import {
  type AnswerName,
  asTyped,
  type BuilderName,
  defaultFor,
  questions,
  type TypedAnswers,
} from '../ask/questions.ts';
import { Refusal } from '../ask/refusal.ts';
import { ownNames, type TypedRunner, type TypedRunners } from '../ask/runners.ts';
import { type Carried, type CarriedRunner, isSocket } from './carry.ts';
import { type Found, isRegistering } from './found.ts';
import type { FoundRunner } from './register-command.ts';
import { takeSecrets } from './secrets.ts';

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

/** The answers of a run, as they come together; what is wrong is noted, and not taken. */
class Collected {
  readonly answers: TypedAnswers = {};
  readonly environment: Record<string, string> = {};
  readonly notUnderstood: string[] = [];
  readonly hints: string[] = [];

  /** Whether the answer could be taken. */
  take(name: AnswerName, text: string | undefined): boolean {
    if (text === undefined) return false;
    try {
      this.answers[name] = asTyped(name, questions[name].check(text));
      return true;
    } catch (error) {
      this.notUnderstood.push(`${questions[name].option}: ${(error as Error).message}`);
      return false;
    }
  }
}

/**
 * Decides what becomes of what was found.
 * @throws Refusal if none of it is a runner that a repository of this generator could run
 */
export function moveIn(found: Found, saved: SavedThere): MovedIn {
  const all = new Collected();
  all.notUnderstood.push(...found.notUnderstood);
  takeSaved(saved, all);
  if (saved.answers.builder === undefined) takeContainers(found, all);
  else takeImage(found, saved, all);
  const global = takeGlobal(found.global, all);
  const [first, ...others] = usableRunners(found.runners, saved, all);
  const runners = first ? [takeFirst(first, saved, all)] : [];
  const further: Record<string, TypedRunner> = {};
  for (const other of others) {
    const [typed, taken] = takeFurther(other, saved, all, [
      ...Object.keys(further),
      String(first?.table.name ?? ''),
    ]);
    further[taken.name] = typed;
    runners.push(taken);
  }
  takeBackUnfit(all);
  if (saved.answers.builder === undefined) hint(found.runners, all);
  if (found.registrationToken) all.environment.REGISTRATION_TOKEN = found.registrationToken;
  return {
    answers: all.answers,
    further: { ...saved.runners, ...further },
    carried: { global, runners },
    environment: { ...saved.environment, ...all.environment },
    notUnderstood: all.notUnderstood,
    hints: all.hints,
  };
}

function takeSaved({ answers, gone, environment }: SavedThere, all: Collected): void {
  for (const [name, text] of Object.entries(answers) as [AnswerName, string][]) {
    if (all.take(name, text) || name !== 'builder') continue;
    all.answers.builder = 'buildkit';
    all.hints.push(`Instead of the builder ${text}, buildkit was taken.`);
  }
  if (gone.length > 0)
    all.hints.push(
      `Answers to what is not asked any more: ${gone.join(', ')}. README.md says what there is instead.`,
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

/** The runners with the docker executor, of the GitLab of the first; addresses are put in for variables. */
function usableRunners(
  runners: readonly FoundRunner[],
  { environment, answers }: SavedThere,
  all: Collected,
): FoundRunner[] {
  const resolved = runners.map(({ table, reserved }): FoundRunner => {
    const url = expand(String(table.url ?? ''), environment) ?? '';
    return { table: { ...table, url: url.replace(/\/+$/, '') }, reserved };
  });
  const taken = resolved.filter(({ table: { executor = 'docker' } }) => executor === 'docker');
  const url = taken[0]?.table.url;
  for (const { table } of resolved) {
    const { name = 'without a name', executor = 'docker' } = table;
    if (executor !== 'docker')
      all.notUnderstood.push(`the runner ${name}: its executor is ${executor}, and not docker`);
    else if (table.url !== url)
      all.notUnderstood.push(
        `the runner ${name}: it is one of another GitLab, which needs a repository of its own`,
      );
  }
  if (runners.length > 0 && taken.length === 0) {
    throw new Refusal(
      `No runner there has the executor docker: nothing could be taken over, and nothing was written.`,
    );
  }
  // The first of a repository of this generator stays the first.
  const isLater = ({ table }: FoundRunner) => Number(table.name !== answers.description);
  return taken.filter(({ table }) => table.url === url).sort((one, other) => isLater(one) - isLater(other));
}

/** A text in which config.toml may name variables; undefined where one is not known. */
function expand(text: string, environment: Readonly<Record<string, string>>): string | undefined {
  let isKnown = true;
  const expanded = text.replace(/\$\{?(\w+)\}?/g, (_, name: string) => {
    isKnown &&= Boolean(environment[name]);
    return environment[name] ?? '';
  });
  return isKnown ? expanded : undefined;
}

function tokenOf({ token, token_expires_at }: TomlTable, environment: Readonly<Record<string, string>>) {
  const expires = token_expires_at instanceof Date ? token_expires_at : undefined;
  return {
    token: token === undefined ? undefined : expand(String(token), environment) || undefined,
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

/** What the container of the runner says. */
function takeContainers({ containers, services }: Found, all: Collected): void {
  all.notUnderstood.push(...services.map(name => `the service ${name} of docker-compose.yml`));
  const running = containers.filter(container => !isRegistering(container));
  const [container, ...more] = running.length > 0 ? running : containers;
  if (!container) return;
  if (more.length > 0)
    all.notUnderstood.push(`${more.length} more containers of GitLab Runner: only the first counts`);
  all.take('runnerImage', container.image);
  if (container.extraHosts.length > 0) all.take('extraHosts', container.extraHosts.join(','));
  const [network, ...networks] = container.networks;
  all.take('dockerNetwork', network);
  if (networks.length > 0) all.notUnderstood.push(`networks of the container: ${networks.join(', ')}`);
  const isUsual = (volume: string) =>
    isSocket(volume) || /:\/etc\/gitlab-runner(\/?|\/config\.toml)(:|$)/.test(volume);
  const certificates = container.volumes.filter(volume =>
    /:\/etc\/gitlab-runner\/certs(\/|:|$)/.test(volume),
  );
  if (certificates.length > 0) takeAuthority(`the mount ${certificates.join(', ')}`, all);
  const mounts = container.volumes.filter(volume => !isUsual(volume) && !certificates.includes(volume));
  if (mounts.length > 0) all.notUnderstood.push(`mounts of the container: ${mounts.join(', ')}`);
  const { TZ, ...variables } = container.environment;
  if (TZ) all.environment.TZ = TZ;
  const proxies = takeProxies(
    Object.entries(variables).map(([name, value]) => `${name}=${value}`),
    all,
  );
  const names = proxies
    .map(entry => entry.replace(/=.*$/s, ''))
    .filter(
      // What tells `register` is taken where that is what the container does.
      name => !(isRegistering(container) && /^(REGISTER|RUNNER|CI_SERVER)_/.test(name)),
    );
  if (names.length > 0) all.notUnderstood.push(`variables of the container: ${names.join(', ')}`);
  // Those have their own words in the new one.
  const others = container.others.filter(name => !/^(--)?(restart|name|container_name)$/.test(name));
  if (others.length > 0)
    all.hints.push(`docker-compose.yml is new, so look whether it needs these too: ${others.join(', ')}.`);
}

function takeAuthority(what: string, all: Collected): void {
  all.answers.privateCa = 'yes';
  all.hints.push(`Copy the certificate of your authority to config/certs/ca.crt: it was ${what}.`);
}

/** Takes the proxy out of variables; those that are none stay. */
function takeProxies(variables: readonly string[], all: Collected): string[] {
  const isProxy = (entry: string) => /^(https?_proxy|no_proxy)=/i.test(entry);
  const found = new Map(
    variables
      .filter(isProxy)
      .map(entry => [entry.slice(0, entry.indexOf('=')).toLowerCase(), entry.slice(entry.indexOf('=') + 1)]),
  );
  const [plain, tls, except] = ['http_proxy', 'https_proxy', 'no_proxy'].map(name => found.get(name));
  const url = plain || tls;
  if (plain && tls && plain !== tls) all.notUnderstood.push('https_proxy: it is another than http_proxy');
  if (url && all.take('httpProxy', url) && except) all.take('proxyExceptions', except);
  return variables.filter(entry => !isProxy(entry));
}

/** What stands above the first runner. */
function takeGlobal({ concurrent, log_level, ...rest }: TomlTable, all: Collected): TomlTable {
  if (concurrent !== undefined) all.take('concurrent', String(concurrent));
  // GitLab Runner takes both words for it.
  if (log_level !== undefined) all.take('logLevel', String(log_level).replace(/^warning$/, 'warn'));
  return takeSecrets(rest, all.notUnderstood);
}

/** The first runner: what of it is an answer of the repository. */
function takeFirst(runner: FoundRunner, saved: SavedThere, all: Collected): TakenRunner {
  const { url, name } = runner.table;
  if (url) all.take('gitlabUrl', String(url));
  all.take('description', name === undefined ? undefined : String(name));
  const { cache = {}, ...table } = runner.table;
  const rest = takeOwn({ ...runner, table }, saved.answers.builder, all);
  if ((table.docker as TomlTable | undefined)?.disable_cache === true) all.take('cache', 'none');
  return {
    ...rest,
    ...tokenOf(runner.table, saved.environment),
    name: String(name ?? ''),
    table: { ...rest.table, cache: takeCache(cache as TomlTable, all) },
  };
}

/** A runner beside the first: its name, what is its own, and the rest. */
function takeFurther(
  runner: FoundRunner,
  { runners: saved, environment }: SavedThere,
  all: Collected,
  taken: readonly string[],
): [typed: TypedRunner, taken: TakenRunner] {
  const called = String(runner.table.name ?? 'runner');
  const slug =
    called
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, '-')
      .slice(0, 36)
      .replace(/^-+|-+$/g, '') || 'runner';
  let name = slug;
  for (let number = 2; taken.includes(name); number += 1) name = `${slug}-${number}`;
  if (name !== called) all.hints.push(`The runner "${called}" is called ${name} here, as part of paths.`);
  const own = new Collected();
  const shared = ['extraHosts', 'privateCa', 'httpProxy', 'proxyExceptions', 'dockerNetwork'] as const;
  const before = pick(all.answers, shared);
  Object.assign(own.answers, before, saved[name] ?? {});
  const rest = takeOwn(withoutKeysOf(runner, all.environment), saved[name]?.builder, own);
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

/** Without the keys of the cache, where those are in .env already. */
function withoutKeysOf(
  { table, reserved }: FoundRunner,
  environment: Readonly<Record<string, string>>,
): FoundRunner {
  const { s3, ...cache } = (table.cache ?? {}) as Record<string, TomlTable>;
  if (!s3) return { table, reserved };
  const known = [environment.CACHE_S3_ACCESS_KEY, environment.CACHE_S3_SECRET_KEY];
  const left = Object.entries(s3).filter(
    ([key, value]) => !/^(Access|Secret)Key$/.test(key) || !known.includes(String(value)),
  );
  return { table: { ...table, cache: { ...cache, s3: Object.fromEntries(left) } }, reserved };
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
    all.answers.builder = builderOf((own.docker ?? {}) as TomlTable, all);
    // What it never had taken away is not taken away by moving.
    all.answers.hardening ??= 'relaxed';
  }
  // Where answers were saved, they say this already.
  const { docker = {}, ...rest } = savedBuilder === undefined ? takeSurroundings(own, all) : own;
  const { image, ...keys } = docker as TomlTable;
  const isKnown = image === undefined || takeJobImage(String(image), all);
  const left = { ...rest, docker: { ...(isKnown ? {} : { image }), ...keys } };
  return { table: takeSecrets(left, all.notUnderstood), reserved: others };
}

/** Takes hosts, the network, the authority and the proxy, as far as they are answers; what is none remains. */
function takeSurroundings(table: TomlTable, all: Collected): TomlTable {
  const { docker = {}, environment, 'tls-ca-file': authority, ...rest } = table;
  const { extra_hosts, network_mode, ...keys } = docker as TomlTable;
  const { answers } = all;
  const hosts = [extra_hosts ?? []].flat().map(String);
  const allHosts = [...hosts, ...(answers.extraHosts?.split(',') ?? [])].join(',');
  const isKnown = hosts.length === 0 || all.take('extraHosts', allHosts);
  if (authority) takeAuthority(`tls-ca-file, ${authority}`, all);
  const variables = takeProxies([environment ?? []].flat().map(String), all);
  return {
    ...rest,
    ...(variables.length > 0 ? { environment: variables } : {}),
    docker: {
      ...(isKnown ? {} : { extra_hosts: hosts }),
      ...(network_mode === undefined || network_mode === answers.dockerNetwork ? {} : { network_mode }),
      ...keys,
    },
  };
}

/** Without what is in .env, or in GitLab only. */
function withoutIdentity(table: TomlTable): TomlTable {
  const isIdentity = /^(name|url|token|executor|id|token_obtained_at|token_expires_at)$/;
  return Object.fromEntries(Object.entries(table).filter(([key]) => !isIdentity.test(key)));
}

/** How jobs have built images so far. */
function builderOf(docker: TomlTable, all: Collected): BuilderName {
  const volumes = [docker.volumes ?? []].flat().map(String);
  if (volumes.some(isSocket)) return 'socket';
  if (docker.privileged === true || docker.services_privileged === true) return 'dind';
  all.hints.push(
    'How jobs build images could not be told, since they have neither a socket nor privileges: buildah was taken, which gives them no engine. --builder says another.',
  );
  return 'buildah';
}

/** Whether the image of jobs is one that the sample pipeline can build in, and an answer so. */
function takeJobImage(image: string, all: Collected): boolean {
  const { builder = '', dockerImage = defaultFor('dockerImage', builder) } = all.answers;
  const builds = builder === 'buildah' ? /(^|\/)buildah/ : /(^|\/)docker(:|@|$)/;
  return image === dockerImage || (builds.test(image) && all.take('dockerImage', image));
}

/** The cache on an S3 server as answers; its keys are for .env. */
function takeCache(cache: TomlTable, all: Collected): TomlTable {
  const { Type, s3 = {}, ...rest } = cache;
  const { AccessKey, SecretKey, ServerAddress = 's3.amazonaws.com', BucketName, ...ofS3 } = s3 as TomlTable;
  if (Type !== 's3') return takeSecrets(cache, all.notUnderstood);
  all.take('cache', 's3');
  if (all.answers.cacheServer !== 'here') all.take('cacheServer', `https://${ServerAddress}`);
  if (BucketName !== undefined) all.take('cacheBucket', String(BucketName));
  if (AccessKey) all.environment.CACHE_S3_ACCESS_KEY = String(AccessKey);
  if (SecretKey) all.environment.CACHE_S3_SECRET_KEY = String(SecretKey);
  if (!AccessKey)
    all.hints.push('The keys of the cache are not in config.toml: put them into .env (CACHE_S3_ACCESS_KEY).');
  return takeSecrets({ ...rest, s3: ofS3 }, all.notUnderstood);
}

/** What the owner of a runner has to know that no repository of this generator was. */
function hint(runners: readonly FoundRunner[], all: Collected): void {
  if (runners.length === 0) return;
  all.hints.push(
    'Nothing is taken from jobs, as before: --hardening recommended takes what builds do without.',
  );
  if (runners.some(({ reserved }) => reserved.tags === undefined)) {
    all.hints.push(
      'GitLab keeps tags, protection and limits of a runner, and config.toml does not: look them up there, and write them into scripts/settings.ts before "make register" with an access token brings GitLab in line.',
    );
  }
  if (runners.some(({ reserved: { maximumTimeout = 0 } }) => maximumTimeout > 3600))
    all.hints.push(
      'Jobs may run for longer than an hour: let stop_grace_period in docker-compose.yml be as long.',
    );
}
