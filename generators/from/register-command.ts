import type { TomlTable } from 'smol-toml';
import { isKnown, type Variables } from './shell.ts';

/** What GitLab keeps of a runner, and not config.toml; undefined where nothing says. */
export interface Reserved {
  readonly tags?: readonly string[];
  readonly runUntagged?: boolean;
  readonly locked?: boolean;
  readonly accessLevel?: 'not_protected' | 'ref_protected';
  /** In seconds. */
  readonly maximumTimeout?: number;
  readonly paused?: boolean;
}

/** A runner as it was found. */
export interface FoundRunner {
  /** In the shape of one [[runners]] of config.toml. */
  readonly table: TomlTable;
  readonly reserved: Reserved;
}

/** A runner as `gitlab-runner register` describes it, in the shape that config.toml has. */
export interface Registered extends FoundRunner {
  readonly registrationToken: string | undefined;
  /** Options that mean nothing here, by their names. */
  readonly notUnderstood: readonly string[];
}

// Options of `gitlab-runner register` by what they take, of all its versions.
const yesNo = new Set(
  'run-untagged locked paused non-interactive leave-runner strict-check-interval proxy-exec debug-trace-disabled safe-directory-checkout clean-git-config custom-build-dir-enabled use-slot-cgroups docker-privileged docker-services-privileged docker-disable-entrypoint-overwrite docker-oom-kill-disable docker-disable-cache docker-volume-keep docker-enable-ipv6 docker-tls-verify cache-shared cache-s3-insecure'.split(
    ' ',
  ),
);
const numbers = new Set(
  'maximum-timeout limit output-limit request-concurrency unhealthy-requests-limit job-status-final-update-retry-limit docker-cpu-shares docker-service-cpu-shares docker-oom-score-adjust docker-services-limit docker-wait-for-services-timeout docker-shm-size docker-network-mtu cache-max-uploaded-archive-size'.split(
    ' ',
  ),
);
const lists = new Set(
  'env docker-dns docker-dns-search docker-allowed-users docker-group-add docker-cap-add docker-cap-drop docker-security-opt docker-services-security-opt docker-devices docker-device-cgroup-rules docker-volumes docker-extra-hosts docker-volumes-from docker-links docker-allowed-images docker-allowed-privileged-images docker-allowed-privileged-services docker-allowed-pull-policies docker-allowed-services docker-pull-policy'.split(
    ' ',
  ),
);
const texts = new Set(
  'tag-list registration-token access-level description unhealthy-interval url token tls-ca-file tls-cert-file tls-key-file executor builds-dir cache-dir clone-url config pre-get-sources-script post-get-sources-script pre-build-script post-build-script prepare-timeout get-sources-timeout shell slot-cgroup-template step-runner-image docker-host docker-cert-path docker-hostname docker-image docker-runtime docker-memory docker-memory-swap docker-memory-reservation docker-cgroup-parent docker-cpuset-cpus docker-cpuset-mems docker-cpus docker-user docker-userns docker-gpus docker-volume-driver docker-cache-dir docker-network-mode docker-pid-mode docker-ipcmode docker-mac-address docker-service-memory docker-service-memory-swap docker-service-memory-reservation docker-service-cgroup-parent docker-service-slot-cgroup-template docker-service-cpuset-cpus docker-service-cpus docker-service-gpus docker-isolation docker-helper-image docker-helper-image-flavor cache-type cache-path cache-s3-server-address cache-s3-access-key cache-s3-secret-key cache-s3-session-token cache-s3-bucket-name cache-s3-bucket-location cache-s3-authentication-type cache-s3-server-side-encryption'.split(
    ' ',
  ),
);
const isOption = (name: string): boolean => [yesNo, numbers, lists, texts].some(all => all.has(name));
/** Without a place in config.toml that text could take: parts of tables, and files that were not read. */
const noPlace =
  /^(template-config|maintenance-note|feature-flags|runner-monitoring|docker-(name|alias|command|entrypoint|env|services|.*tmpfs|services-devices|volume-driver-ops|sysctls|container-labels|ulimit|log-options)|(docker-machine|machine|kubernetes|ssh|custom-(config|prepare|run|cleanup)|parallels|virtualbox|autoscaler|instance|cache-(gcs|azure))-.*)$/;
/** What has its place elsewhere. */
const elsewhere: Readonly<Record<string, string>> = {
  name: 'description',
  n: 'non-interactive',
  u: 'url',
  t: 'token',
  r: 'registration-token',
  c: 'config',
  'template-config-file': 'template-config',
  'docker-ipc-mode': 'docker-ipcmode',
  'docker-userns-mode': 'docker-userns',
  'docker-tlsverify': 'docker-tls-verify',
};

/**
 * Reads the words after `gitlab-runner register`.
 * @param environment variables that the command has: each option can be one too
 */
export function readRegister(
  words: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Registered {
  const notUnderstood: string[] = [];
  const given = new Map<string, string[]>();
  for (const [name, value] of [...fromEnvironment(environment), ...optionsIn(words, notUnderstood)]) {
    const isLevel = name !== 'access-level' || /^(not|ref)_protected$/.test(value);
    const isNumber = !numbers.has(name) || /^-?\d+$/.test(value);
    if (noPlace.test(name) || !isOption(name) || !isKnown(value) || !isLevel || !isNumber)
      notUnderstood.push(`--${name}`);
    else given.set(name, [...(given.get(name) ?? []), value]);
  }
  const table: TomlTable = {};
  for (const [name, values] of given) {
    const path = placeOf(name);
    if (path) put(table, path, typedValue(name, values));
  }
  return {
    table,
    reserved: reservedIn(given),
    registrationToken: given.get('registration-token')?.at(-1),
    notUnderstood,
  };
}

function optionsIn(words: readonly string[], notUnderstood: string[]): [name: string, value: string][] {
  const options: [string, string][] = [];
  for (let at = 0; at < words.length; at += 1) {
    const [, typed = '', value] = /^--?([a-zA-Z][\w-]*)(?:=(.*))?$/s.exec(words[at]!) ?? [];
    const name = elsewhere[typed] ?? typed.replaceAll('_', '-');
    // What it is stays unsaid: it may be a token.
    if (name === '') notUnderstood.push('a word that is no option');
    else if (value !== undefined) options.push([name, value]);
    else if (yesNo.has(name)) options.push([name, 'true']);
    // Of an option that nobody knows it is not known either whether a value follows.
    else if (!isOption(name) && !noPlace.test(name) && !isValue(words[at + 1])) options.push([name, '']);
    else {
      at += 1;
      options.push([name, words[at] ?? '']);
    }
  }
  return options;
}

const isValue = (word: string | undefined): boolean => word !== undefined && !word.startsWith('-');

/** The variables of `gitlab-runner register`, by the names that test/facts/register-flags.json has. */
function fromEnvironment(environment: Readonly<Variables>): [name: string, value: string][] {
  return Object.entries(environment).flatMap(([variable, value]) => {
    const option = optionOfVariable(variable);
    return option === undefined ? [] : [[option, value]];
  });
}

/** What might be an option of `register`, by a variable of that name. */
function optionOfVariable(variable: string): string | undefined {
  const [, name = ''] =
    /^(?:CI_SERVER_(URL|TOKEN|TLS_.*)|REGISTER_(.+)|(REGISTRATION_TOKEN|CLONE_URL|FEATURE_FLAGS|TEMPLATE_CONFIG_FILE|STEP_RUNNER_IMAGE|CUSTOM_BUILD_DIR_ENABLED)|RUNNER_(.+)|(DOCKER_.+|CACHE_.+))$/
      .exec(variable)
      ?.filter(Boolean) ?? [];
  const option = name.toLowerCase().replaceAll('_', '-');
  const isNone =
    /^(docker-(host|cert-path|tls-certdir|config))?$/.test(option) ||
    // Each option has one variable: RUNNER_TOKEN is none.
    (/^(RUNNER|REGISTER)_/.test(variable) &&
      /^(.|token|url|description|registration-token|clone-url)$/.test(option));
  return isNone ? undefined : (elsewhere[option] ?? option);
}

/** Those of the variables that are options of `register`. */
export function registerVariables(environment: Readonly<Variables>): Variables {
  const its = ([variable]: [string, string]) => {
    const option = optionOfVariable(variable);
    return option !== undefined && (isOption(option) || noPlace.test(option));
  };
  return Object.fromEntries(Object.entries(environment).filter(its));
}

/** Whether variables say enough to register a runner by them alone. */
export const isRegisteredBy = (environment: Readonly<Variables>): boolean =>
  ['CI_SERVER_URL', 'CI_SERVER_TOKEN', 'REGISTRATION_TOKEN', 'RUNNER_EXECUTOR'].some(
    name => environment[name],
  );

/** Where config.toml has it; undefined for what GitLab keeps, and for what only the command is told. */
function placeOf(name: string): string[] | undefined {
  const none =
    /^(tag-list|run-untagged|locked|access-level|maximum-timeout|paused|registration-token|non-interactive|leave-runner|config)$/;
  if (none.test(name)) return undefined;
  const camel = (text: string) =>
    text.replace(/(^|-)(\w)/g, (_, _dash, letter: string) => letter.toUpperCase());
  const s3 = /^cache-s3-(.+)$/.exec(name)?.[1];
  if (s3) return ['cache', 's3', camel(s3)];
  const cache = /^cache-(type|path|shared|max-uploaded-archive-size)$/.exec(name)?.[1];
  if (cache) return ['cache', camel(cache)];
  if (name === 'custom-build-dir-enabled') return ['custom_build_dir', 'enabled'];
  if (name === 'docker-userns') return ['docker', 'userns_mode'];
  if (name.startsWith('docker-')) return ['docker', name.slice(7).replaceAll('-', '_')];
  if (name === 'description') return ['name'];
  if (name === 'env') return ['environment'];
  return [name.startsWith('tls-') ? name : name.replaceAll('-', '_')];
}

function typedValue(name: string, values: readonly string[]): string | number | boolean | string[] {
  const last = values.at(-1)!;
  if (yesNo.has(name)) return isYes(last);
  if (numbers.has(name)) return Number(last);
  // A list is several options, or one with commas; environment and mounts may have commas of their own.
  if (lists.has(name))
    return values.flatMap(value => (/^(env|docker-volumes)$/.test(name) ? value : value.split(',')));
  return last;
}

const isYes = (value: string): boolean => /^(true|t|1)$/i.test(value);

function put(table: TomlTable, [key = '', ...below]: readonly string[], value: TomlTable[string]): void {
  if (below.length === 0) table[key] = value;
  else {
    table[key] ??= {};
    put(table[key] as TomlTable, below, value);
  }
}

function reservedIn(given: ReadonlyMap<string, readonly string[]>): Reserved {
  const last = (name: string) => given.get(name)?.at(-1);
  const [tags, untagged, locked, level, timeout, paused] = [
    ...['tag-list', 'run-untagged', 'locked', 'access-level', 'maximum-timeout', 'paused'],
  ].map(last);
  return {
    ...(tags === undefined
      ? {}
      : {
          tags: tags
            .split(',')
            .map(tag => tag.trim())
            .filter(Boolean),
        }),
    ...(untagged === undefined ? {} : { runUntagged: isYes(untagged) }),
    ...(locked === undefined ? {} : { locked: isYes(locked) }),
    ...(level === undefined ? {} : { accessLevel: level as 'not_protected' | 'ref_protected' }),
    ...(timeout === undefined ? {} : { maximumTimeout: Number(timeout) }),
    ...(paused === undefined ? {} : { paused: isYes(paused) }),
  };
}
