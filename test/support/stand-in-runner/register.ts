/** `gitlab-runner register`. */
import { hostname } from 'node:os';
import { createInterface, type Interface } from 'node:readline';
import { TomlDate } from 'smol-toml';
import { type Config, isTable, loadConfig, readConfigTable, saveConfig, type Table } from './config.ts';
import type { Context } from './context.ts';
import type { FlagValues } from './flags.ts';
import { isCreatedRunnerToken, runnerInfo } from './gitlab.ts';
import { messageOf, Panic } from './log.ts';

const EXECUTORS = [
  ...['custom', 'docker', 'docker+machine', 'docker-autoscaler', 'docker-windows', 'instance'],
  ...['kubernetes', 'parallels', 'shell', 'ssh', 'virtualbox'],
];
const DOCKER_EXECUTORS = ['docker', 'docker+machine', 'docker-autoscaler'];
const WORKFLOW_PAGE =
  'https://docs.gitlab.com/ci/runners/new_creation_workflow/#changes-to-the-gitlab-runner-register-command-syntax';
const RESERVED =
  'Runner configuration other than name and executor configuration is reserved (specifically --locked, ' +
  '--access-level, --run-untagged, --maximum-timeout, --paused, --tag-list, and --maintenance-note) ' +
  'and cannot be specified when registering with a runner authentication token. ' +
  'This configuration is specified on the GitLab server. ' +
  'Please try again without specifying any of those arguments. ' +
  `For more information, see ${WORKFLOW_PAGE}`;
const IGNORED =
  'You have specified an authentication token in the legacy parameter --registration-token. ' +
  "This has triggered the 'legacy-compatible registration process' which has resulted in the " +
  'following command line parameters being ignored: --locked, --access-level, --run-untagged, ' +
  '--maximum-timeout, --paused, --tag-list, and --maintenance-note. ' +
  `For more information, see ${WORKFLOW_PAGE} ` +
  'These parameters and the legacy-compatible registration process will be removed in a future GitLab Runner release.';
const DEPRECATED =
  "Support for registration tokens and runner parameters in the 'register' command has been deprecated in " +
  'GitLab Runner 15.6 and will be replaced with support for authentication tokens. ' +
  'For more information, see https://docs.gitlab.com/ci/runners/new_creation_workflow/';

/** Registers a runner and appends it to config.toml. */
export async function register(context: Context, values: FlagValues, configPath: string): Promise<void> {
  await new Registration(context, values).execute(configPath);
}

class Registration {
  readonly #context: Context;
  readonly #values: FlagValues;
  /** The `[[runners]]` entry in the making. */
  readonly #runner: Table;
  #systemId = '';
  /** GitLab knows the runner, so a panic from here on takes it back. */
  #registered = false;
  #input: Interface | undefined;
  #lines: AsyncIterator<string> | undefined;

  constructor(context: Context, values: FlagValues) {
    this.#context = context;
    this.#values = values;
    this.#runner = { name: values.has('description') ? '' : hostname(), ...values.runnerTable() };
  }

  async execute(configPath: string): Promise<void> {
    const { log } = this.#context;
    if (!['', 'not_protected', 'ref_protected'].includes(this.#values.string('access-level')))
      log.panic(
        'Given access-level is not valid. Refer to gitlab-runner register -h for the correct options.',
      );
    this.#mergeTemplate();
    const config = this.#load(configPath);
    this.#systemId = config.systemId;
    try {
      await this.#askRunner(config);
      await this.#untilInterrupted(() => this.#askExecutor());
    } finally {
      this.#input?.close();
    }
    config.runners.push(this.#entry());
    try {
      saveConfig(config);
    } catch (error) {
      log.panic(messageOf(error));
    }
    this.#warnOfConcurrency(Number(config.globals.concurrent ?? 1));
    log.info(
      "Runner registered successfully. Feel free to start it, but if it's running already the config should be automatically reloaded!",
    );
    log.info(`Configuration (with the authentication token) was saved in ${JSON.stringify(config.path)}`);
  }

  #load(path: string): Config {
    try {
      return loadConfig(path, this.#context.facts.keys, this.#context.env);
    } catch (error) {
      return this.#context.log.panic(messageOf(error));
    }
  }

  #mergeTemplate(): void {
    const path = this.#values.string('template-config');
    if (!path) return;
    const { log, facts, env } = this.#context;
    log.info(`Merging configuration from template file ${JSON.stringify(path)}`);
    try {
      const runners = (readConfigTable(path, facts.keys, env).runners ?? []) as Table[];
      if (runners.length !== 1)
        throw new Error('configuration template must contain exactly one [[runners]] entry');
      const { token: _ignored, ...template } = runners[0]!;
      mergeIntoEmpty(this.#runner, template);
    } catch (error) {
      log.fatal('Could not handle configuration merging from template file', { error: messageOf(error) });
    }
  }

  async #askRunner(config: Config): Promise<void> {
    const { log, client } = this.#context;
    this.#runner.url = await this.#ask(
      'url',
      'Enter the GitLab instance URL (for example, https://gitlab.com/):',
      { known: this.#runner.url },
    );
    if (this.#token && !isCreatedRunnerToken(this.#token)) {
      log.info('Token specified trying to verify runner...');
      log.warning("If you want to register use the '-r' instead of '-t'.");
      if (!(await client.verifyRunner(this.#runner, this.#systemId)))
        log.panic('Failed to verify the runner. You may be having network problems.');
      return;
    }
    if (!this.#token) {
      this.#runner.token = await this.#ask('registration-token', 'Enter the registration token:', {
        known: this.#values.string('registration-token'),
      });
    }
    if (!isCreatedRunnerToken(this.#token)) {
      this.#runner.name = await this.#ask('name', 'Enter a description for the runner:', {
        known: this.#runner.name,
      });
      await this.#registerWithRegistrationToken();
      return;
    }
    if (config.runners.some(({ token }) => token === this.#token))
      log.warning('A runner with this system ID and token has already been registered.');
    this.#refuseServerConfiguration();
    const answer = await client.verifyRunner(this.#runner, this.#systemId);
    if (!answer?.id) log.panic('Failed to verify the runner.');
    this.#keepAnswer(answer as Table);
    this.#runner.name = await this.#ask(
      'name',
      'Enter a name for the runner. This is stored only in the local config.toml file:',
      { known: this.#runner.name },
    );
  }

  get #token(): string {
    return String(this.#runner.token ?? '');
  }

  /** Goes by values, not by presence: `--locked=true` and `--run-untagged=false` say nothing. */
  #refuseServerConfiguration(): void {
    const values = this.#values;
    const given =
      !values.boolean('locked', true) ||
      values.boolean('run-untagged') ||
      values.boolean('paused') ||
      values.integer('maximum-timeout') !== 0 ||
      ['access-level', 'tag-list', 'maintenance-note'].some(name => values.string(name) !== '');
    if (!given) return;
    if (values.string('registration-token') !== this.#token) this.#context.log.fatal(RESERVED);
    this.#context.log.warning(IGNORED);
  }

  async #registerWithRegistrationToken(): Promise<void> {
    const { log, client, version } = this.#context;
    const values = this.#values;
    const optional = { allowEmpty: true };
    const tags = await this.#ask('tag-list', 'Enter tags for the runner (comma-separated):', {
      known: values.string('tag-list'),
      ...optional,
    });
    const note = await this.#ask('maintenance-note', 'Enter optional maintenance note for the runner:', {
      known: values.string('maintenance-note'),
      ...optional,
    });
    log.warning(DEPRECATED);
    const parameters = {
      description: this.#runner.name,
      maintenance_note: note,
      tag_list: tags,
      run_untagged: tags === '' || values.boolean('run-untagged'),
      locked: values.boolean('locked', true),
      access_level: values.string('access-level'),
      maximum_timeout: values.integer('maximum-timeout'),
      paused: values.boolean('paused'),
      info: runnerInfo(version),
    };
    const sent = Object.entries(parameters).filter(([, value]) => value !== '' && value !== 0);
    const answer = await client.registerRunner(this.#runner, Object.fromEntries(sent));
    if (!answer) return log.panic('Failed to register the runner.');
    this.#runner.token = answer.token;
    this.#keepAnswer(answer);
  }

  #keepAnswer({ id, token_expires_at }: Table): void {
    this.#runner.id = id;
    this.#runner.token_obtained_at = tomlDate(new Date().toISOString());
    if (token_expires_at) this.#runner.token_expires_at = tomlDate(String(token_expires_at));
    this.#registered = true;
  }

  async #askExecutor(): Promise<void> {
    const { log } = this.#context;
    for (;;) {
      const prompt = `Enter an executor: ${EXECUTORS.join(', ')}:`;
      const options = { known: this.#runner.executor, allowEmpty: true };
      this.#runner.executor = await this.#ask('executor', prompt, options);
      if (EXECUTORS.includes(String(this.#runner.executor))) break;
      if (this.#unattended) log.panic('Invalid executor specified');
      log.error('Invalid executor specified');
    }
    if (!DOCKER_EXECUTORS.includes(String(this.#runner.executor))) {
      delete this.#runner.docker;
      return;
    }
    const docker = (this.#runner.docker ?? {}) as Table;
    const prompt = 'Enter the default Docker image (for example, ruby:2.7):';
    const image = await this.#ask('docker-image', prompt, { known: docker.image });
    const volumes = (docker.volumes ?? []) as string[];
    const cached = docker.disable_cache === true || volumes.some(one => one.split(':').at(-1) === '/cache');
    this.#runner.docker = { ...docker, image, volumes: cached ? volumes : [...volumes, '/cache'] };
  }

  /** The entry in the order, and with the zero values, of the real one. */
  #entry(): Table {
    const { name, limit, output_limit, request_concurrency, url, id, token, ...rest } = this.#runner;
    const { token_obtained_at, token_expires_at, executor, cache, docker, ...others } = rest;
    const never = tomlDate('0001-01-01T00:00:00Z');
    const entry = {
      ...{ name, limit, output_limit, request_concurrency, url, id: id ?? 0, token },
      token_obtained_at: token_obtained_at ?? never,
      token_expires_at: token_expires_at ?? never,
      executor,
      ...others,
      cache: {
        MaxUploadedArchiveSize: 0,
        ...{ s3: {}, gcs: {}, azure: {} },
        ...((cache ?? {}) as Table),
      },
      docker: docker && {
        tls_verify: false,
        image: '',
        privileged: false,
        disable_entrypoint_overwrite: false,
        oom_kill_disable: false,
        disable_cache: false,
        volumes: [],
        shm_size: 0,
        network_mtu: 0,
        ...(docker as Table),
      },
    };
    return Object.fromEntries(Object.entries(entry).filter(([, value]) => value !== undefined));
  }

  #warnOfConcurrency(concurrent: number): void {
    for (const [key, words] of [
      ['limit', 'runner job concurrency limit (%d) is larger than current'],
      ['request_concurrency', 'runner request concurrency (%d) is larger than the current'],
    ] as const) {
      const value = Number(this.#runner[key] ?? 0);
      const scope = key === 'limit' ? 'concurrency' : 'concurrent';
      if (concurrent < value)
        this.#context.log.warning(
          `The specified ${words.replace('%d', String(value))} global ${scope} limit (${concurrent}). ` +
            'The global concurrent limit will not be increased and takes precedence.',
        );
    }
  }

  /** Takes the runner back when the rest of the registration panics or is interrupted. */
  async #untilInterrupted(work: () => Promise<void>): Promise<void> {
    if (this.#values.boolean('leave-runner')) return work();
    const { client, log, io } = this.#context;
    const unregister = () => client.unregisterRunner(this.#runner, this.#systemId);
    let interrupt: (() => void) | undefined;
    const interrupted = new Promise<never>((_resolve, reject) => {
      interrupt = () => {
        const end = async (): Promise<never> => {
          await unregister();
          return log.fatal('RECEIVED SIGNAL: interrupt');
        };
        end().catch(reject);
      };
      io.signals.once('SIGINT', interrupt);
    });
    try {
      await Promise.race([work(), interrupted]);
    } catch (error) {
      if (error instanceof Panic && this.#registered) await unregister();
      throw error;
    } finally {
      io.signals.off('SIGINT', interrupt!);
    }
  }

  get #unattended(): boolean {
    return this.#values.boolean('non-interactive');
  }

  /** The known value when unattended, else what the user enters; an empty line keeps the known value. */
  async #ask(
    key: string,
    prompt: string,
    options: { known?: unknown; allowEmpty?: boolean } = {},
  ): Promise<string> {
    const { log, io } = this.#context;
    const known = String(options.known ?? '').trim();
    if (this.#unattended) {
      if (known === '' && !options.allowEmpty) log.panic(`The ${key} needs to be entered`);
      return known;
    }
    for (;;) {
      io.stderr.write(`${prompt}\n`);
      if (known) io.stderr.write(`[${known}]: `);
      this.#input ??= createInterface({ input: io.stdin });
      this.#lines ??= this.#input[Symbol.asyncIterator]();
      const line = await this.#lines.next();
      if (line.done) log.panic('Unexpected EOF. Did you mean to use --non-interactive?');
      const entered = (line.value as string).trim() || known;
      if (entered || options.allowEmpty) return entered;
    }
  }
}

function tomlDate(text: string): TomlDate {
  const date = new Date(text);
  date.setUTCMilliseconds(0);
  return new TomlDate(date);
}

const isZero = (value: unknown): boolean =>
  value === undefined || value === '' || value === 0 || value === false || (value as unknown[]).length === 0;

/** Fills what is empty in the target, at any depth: a given `false` loses to a template's `true`. */
function mergeIntoEmpty(target: Table, source: Table): void {
  for (const [key, value] of Object.entries(source)) {
    const own = target[key];
    if (isTable(own) && isTable(value)) mergeIntoEmpty(own, value);
    else if (isZero(own)) target[key] = value;
  }
}
