/** `gitlab-runner run`: asks for jobs, pretends to run them, and obeys signals as the real one does. */
import { existsSync, statSync } from 'node:fs';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { signedAddress } from './cache.ts';
import { type Config, loadConfig, type Table } from './config.ts';
import { CLIENT_ERROR, NO_ANSWER, runnerFields, runnerInfo } from './gitlab.ts';
import type { Context } from './gitlab-runner.ts';
import { Exit, messageOf, shortToken } from './log.ts';
import { type Measured, serveMetrics } from './metrics.ts';

interface Job {
  id: number;
  token: string;
  seconds: number;
  runner: Table;
  /** The length of its log so far. */
  sent: number;
  /** Whether GitLab wants no more of it. */
  isGone: boolean;
}

const LABEL = 'com.gitlab.gitlab-runner';
const UNHEALTHY_INTERVAL = '1h0m0s';
const UNHEALTHY_REQUESTS = 3;

/** A duration as Go writes it, such as 1m0s, in milliseconds. */
function milliseconds(duration: string): number {
  const units: Record<string, number> = { h: 3_600_000, m: 60_000, s: 1000 };
  const parts = [...duration.matchAll(/(\d+(?:\.\d+)?)([hms])/g)];
  return parts.reduce((sum, [, count, unit = '']) => sum + Number(count) * (units[unit] ?? 0), 0);
}

/** Runs until a signal ends it. */
export function run(context: Context, configPath: string): Promise<void> {
  return new MultiRunner(context, configPath).run();
}

class MultiRunner {
  readonly #context: Context;
  readonly #path: string;
  readonly #tick: number;
  readonly #jobs = new Map<Job, Promise<void>>();
  readonly #requests = new Map<Table, Promise<void>>();
  /** How many requests of each runner were refused one after the other, and when it was last healthy. */
  readonly #health = new Map<string, { failures: number; last: number }>();
  readonly #waking = new AbortController();
  #config: Config;
  #handled = 0;
  #turn = 0;
  #loadedFrom = '';
  #shutdown: 'none' | 'graceful' | 'forceful' = 'none';

  constructor(context: Context, path: string) {
    this.#context = context;
    this.#path = path;
    this.#tick = context.io.tick ?? 1000;
    this.#config = { path, globals: {}, runners: [], systemId: '' };
  }

  async run(): Promise<void> {
    const { log, io } = this.#context;
    log.info(`Starting multi-runner from ${this.#path}...`, this.#counts());
    this.#loadFirst();
    const address = this.#config.globals.listen_address;
    const metrics = address
      ? serveMetrics(String(address), this.#context, () => this.#measured())
      : undefined;
    const listeners: Record<string, () => void> = {
      SIGQUIT: () => this.#stop('graceful', 'SIGQUIT'),
      SIGTERM: () => this.#stop('forceful', 'SIGTERM'),
      SIGINT: () => this.#stop('forceful', 'SIGINT'),
      SIGHUP: () => this.#reload(),
    };
    for (const [signal, listener] of Object.entries(listeners)) io.signals.on(signal, listener);
    try {
      while (this.#shutdown === 'none') {
        if (this.#fileState() !== this.#loadedFrom) this.#reload();
        this.#requestJobs();
        await sleep(this.#tick, undefined, { signal: this.#waking.signal }).catch(() => undefined);
      }
      // A request under way may still bring a job, and GitLab counts on it being run.
      await Promise.all(this.#requests.values());
      await Promise.all(this.#jobs.values());
    } finally {
      for (const [signal, listener] of Object.entries(listeners)) io.signals.off(signal, listener);
      metrics?.close();
    }
    log.info('All workers stopped.', this.#counts());
    log.info('Can exit now!', this.#counts());
    if (this.#forced) throw new Exit(1);
  }

  // Behind a getter, as the compiler does not see signals change the field between two reads.
  get #forced(): boolean {
    return this.#shutdown === 'forceful';
  }

  #counts(): { builds: number; max_builds: number } {
    return { builds: this.#jobs.size, max_builds: this.#concurrent };
  }

  get #concurrent(): number {
    return Number(this.#config.globals.concurrent ?? 1);
  }

  #measured(): Measured {
    const { log, version } = this.#context;
    const each = (value: (runner: Table) => number) =>
      this.#config.runners.map(runner => ({
        labels: {
          runner: shortToken(String(runner.token)),
          runner_name: String(runner.name),
          system_id: this.#config.systemId,
        },
        value: value(runner),
      }));
    const running = (runner: Table) => [...this.#jobs.keys()].filter(job => job.runner === runner).length;
    return {
      gitlab_runner_version_info: [{ labels: { name: 'gitlab-runner', version }, value: 1 }],
      gitlab_runner_concurrent: [{ value: this.#concurrent }],
      gitlab_runner_jobs: each(running).map(({ labels, value }) => ({
        labels: { ...labels, state: 'running', stage: 'build_script', executor_stage: 'docker_run' },
        value,
      })),
      gitlab_runner_jobs_total: each(() => this.#handled),
      gitlab_runner_errors_total: Object.entries(log.counts).map(([level, value]) => ({
        labels: { level },
        value,
      })),
    };
  }

  #fileState(): string {
    return existsSync(this.#path) ? String(statSync(this.#path).mtimeMs) : 'absent';
  }

  #loadFirst(): void {
    const { log } = this.#context;
    if (!existsSync(this.#path)) log.warning(`open ${this.#path}: no such file or directory`);
    try {
      this.#load();
    } catch (error) {
      log.fatal(`Failed to load config ${this.#path}: ${messageOf(error)}`);
    }
  }

  #load(): void {
    this.#loadedFrom = this.#fileState();
    this.#config = loadConfig(this.#path, this.#context);
    this.#health.clear();
    this.#context.log.info('Configuration loaded', this.#counts());
    this.#warnOfConcurrency();
  }

  /** A broken file leaves the old configuration in force. */
  #reload(): void {
    try {
      this.#load();
    } catch (error) {
      this.#context.log.error('Failed to load config', { error: messageOf(error), ...this.#counts() });
    }
  }

  #warnOfConcurrency(): void {
    const { runners } = this.#config;
    const slow = runners.filter(({ request_concurrency }) => Number(request_concurrency ?? 1) <= 1).length;
    const issues: string[] = [];
    const solutions: string[] = [];
    if (this.#concurrent < runners.length) {
      issues.push(
        `Worker starvation bottleneck: 'concurrent' setting (${this.#concurrent}) is less than number of runners (${runners.length})`,
      );
      solutions.push(`Increase 'concurrent' to at least ${runners.length + 1}`);
    }
    if (slow > 0) {
      issues.push(
        `Request bottleneck: ${slow} runners have request_concurrency=1, causing job delays during long polling`,
      );
      solutions.push(
        `Increase 'request_concurrency' to 2-4 for ${slow} runners currently using request_concurrency=1`,
      );
    }
    if (issues.length === 0) return;
    const lines = [
      'CONFIGURATION: Long polling issues detected.',
      'Issues found:',
      ...issues.map(issue => `  - ${issue}`),
      'Recommended solutions:',
      ...solutions.map((solution, at) => `  ${at + 1}. ${solution}`),
    ];
    this.#context.log.warning(lines.join('\n'), this.#counts());
  }

  #stop(kind: 'graceful' | 'forceful', signal: string): void {
    const { log } = this.#context;
    if (this.#forced) return;
    this.#shutdown = kind;
    log.warning(
      kind === 'graceful'
        ? 'Starting graceful shutdown, waiting for builds to finish'
        : 'Starting forceful shutdown',
      { StopSignal: signal, ...this.#counts() },
    );
    this.#waking.abort();
  }

  #requestJobs(): void {
    const { runners } = this.#config;
    // Another one is first each time, or it would take every free place.
    this.#turn += 1;
    for (const at of runners.keys()) {
      const runner = runners[(at + this.#turn) % runners.length] as Table;
      const running = [...this.#jobs.keys()].filter(job => job.runner.token === runner.token).length;
      const limit = Number(runner.limit ?? 0);
      const full = this.#jobs.size + this.#requests.size >= this.#concurrent;
      if (full || (limit > 0 && running >= limit) || this.#requests.has(runner)) continue;
      if (!this.#isHealthy(runner)) continue;
      this.#requests.set(
        runner,
        this.#requestJob(runner).finally(() => this.#requests.delete(runner)),
      );
    }
  }

  #healthOf(runner: Table): { failures: number; last: number } {
    const id = `${runner.url}${shortToken(String(runner.token))}`;
    const health = this.#health.get(id) ?? { failures: 0, last: Date.now() };
    this.#health.set(id, health);
    return health;
  }

  #isHealthy(runner: Table): boolean {
    const health = this.#healthOf(runner);
    if (health.failures < Number(runner.unhealthy_requests_limit ?? UNHEALTHY_REQUESTS)) return true;
    const interval = String(runner.unhealthy_interval ?? UNHEALTHY_INTERVAL);
    if (Date.now() - health.last <= milliseconds(interval)) return false;
    Object.assign(health, { failures: 0, last: Date.now() });
    return true;
  }

  /** A refusal counts, and a client that cannot be made; a GitLab that is away, or fails, does not. */
  #noteHealth(runner: Table, status: number): void {
    const health = this.#healthOf(runner);
    const limit = Number(runner.unhealthy_requests_limit ?? UNHEALTHY_REQUESTS);
    if (status !== 403 && status !== CLIENT_ERROR) Object.assign(health, { failures: 0, last: Date.now() });
    else health.failures += 1;
    if (health.failures < limit) return;
    const interval = String(runner.unhealthy_interval ?? UNHEALTHY_INTERVAL);
    this.#context.log.error(
      `Runner "${runner.url}${shortToken(String(runner.token))}" is unhealthy and will be disabled for ${interval} seconds!`,
      { unhealthy_requests: health.failures, unhealthy_requests_limit: limit },
    );
  }

  async #requestJob(runner: Table): Promise<void> {
    const { client, log, version } = this.#context;
    const token = String(runner.token ?? '');
    const info = runnerInfo(version, String(runner.executor));
    const answer = await client.call(runner, 'POST', 'jobs/request', {
      json: { info, token, system_id: this.#config.systemId },
      headers: { 'runner-token': token },
    });
    this.#noteHealth(runner, answer.status);
    if (answer.status === 201) {
      const { id, token: jobToken, seconds } = answer.body;
      const job = { id: Number(id), token: String(jobToken), seconds: Number(seconds ?? 0) };
      log.info('Checking for jobs... received', { ...runnerFields(runner, answer), job: job.id });
      this.#handled += 1;
      const started = { ...job, runner, sent: 0, isGone: false };
      this.#jobs.set(
        started,
        this.#runJob(started).finally(() => this.#jobs.delete(started)),
      );
    } else if (answer.status !== 204) {
      const { status, statusText } = answer;
      const request = 'execute JSON request: execute request: ';
      const fields = {
        ...runnerFields(runner),
        status: status === NO_ANSWER ? request + statusText : statusText,
      };
      if (status === 403) log.error('Checking for jobs... forbidden', fields);
      else if (status === CLIENT_ERROR) log.error('Checking for jobs... client error', fields);
      else log.warning('Checking for jobs... failed', fields);
    }
  }

  async #runJob(job: Job): Promise<void> {
    const { log, version } = this.#context;
    const started = Date.now();
    let container = '';
    let failure = '';
    await this.#trace(job, `Running with gitlab-runner ${version} (stand-in)\n`);
    try {
      container = await this.#startContainer(job);
      await this.#askCache(job, container, 'GET');
      for (let second = 1; second <= job.seconds && !this.#forced && !job.isGone; second += 1) {
        await this.#jobSecond();
        if (!this.#forced) await this.#trace(job, `second ${second}\n`);
      }
      if (!this.#forced && !job.isGone) await this.#askCache(job, container, 'PUT');
    } catch (error) {
      failure = messageOf(error);
    }
    if (container) await this.#context.io.docker?.(['rm', '--force', '--volumes', container]);
    if (this.#forced) failure = 'aborted: terminated';
    const fields = {
      ...runnerFields(job.runner),
      job: job.id,
      duration_s: (Date.now() - started) / 1000,
    };
    if (job.isGone) log.error('Job failed: canceled or unknown to GitLab', fields);
    else if (failure) {
      await this.#update(job, { state: 'failed', failure_reason: 'runner_system_failure' });
      log.error(`Job failed (system failure): ${failure}`, fields);
    } else {
      await this.#trace(job, 'Job succeeded\n');
      await this.#update(job, { state: 'success' });
      log.info('Job succeeded', fields);
    }
  }

  /** A second of a job, cut short when the jobs are to be aborted. */
  async #jobSecond(): Promise<void> {
    const end = Date.now() + this.#tick;
    while (Date.now() < end && !this.#forced) await sleep(Math.min(50, this.#tick));
  }

  /** A container with the labels, hosts and network that the real one gives; of our own image, which is always there. */
  async #startContainer(job: Job): Promise<string> {
    const { docker } = this.#context.io;
    const settings = (job.runner.docker ?? {}) as { extra_hosts?: string[]; network_mode?: string };
    if (!docker || job.runner.executor !== 'docker') return '';
    const labels = {
      [`${LABEL}.managed`]: 'true',
      [`${LABEL}.type`]: 'build',
      [`${LABEL}.job.id`]: String(job.id),
      [`${LABEL}.runner.id`]: shortToken(String(job.runner.token)),
      [`${LABEL}.runner.system_id`]: this.#config.systemId,
    };
    const image = await docker(['inspect', '--format', '{{.Image}}', hostname()]);
    return docker([
      'run',
      '--detach',
      '--init',
      ...Object.entries(labels).map(([name, value]) => `--label=${name}=${value}`),
      ...(settings.extra_hosts ?? []).map(host => `--add-host=${host}`),
      ...(settings.network_mode ? [`--network=${settings.network_mode}`] : []),
      '--entrypoint=sleep',
      image,
      '86400',
    ]);
  }

  /** Takes an archive from the S3 cache, or puts one there, from within the job's container as its helper does. */
  async #askCache(job: Job, container: string, method: 'GET' | 'PUT'): Promise<void> {
    const { docker } = this.#context.io;
    const cache = (job.runner.cache ?? {}) as { Type?: string; s3?: Table };
    if (cache.Type !== 's3' || !cache.s3 || !docker || !container) return;
    const address = signedAddress(method, 'project/default', cache.s3, this.#context.env);
    const body = method === 'PUT' ? ", body: 'archive'" : '';
    const script = `fetch('${address}', { method: '${method}'${body} }).then(
      ({ status, statusText }) => console.log(status, statusText), error => console.log(error.cause))`;
    const answer = await docker(['exec', container, 'node', '--eval', script]);
    const [done, failed] =
      method === 'PUT'
        ? ['Created cache', 'uploading cache.zip: received:']
        : ['Successfully extracted cache', 'file does not exist:'];
    await this.#trace(job, answer.startsWith('200') ? `${done}\n` : `WARNING: ${failed} ${answer}\n`);
  }

  /** Appends to the job's log. */
  async #trace(job: Job, text: string): Promise<void> {
    const end = job.sent + Buffer.byteLength(text);
    const answer = await this.#context.client.call(
      job.runner,
      'PATCH',
      `jobs/${job.id}/trace?debug_trace=false`,
      { text, headers: { 'job-token': job.token, 'content-range': `${job.sent}-${end - 1}` } },
    );
    if (answer.status === 403 || answer.status === 404) job.isGone = true;
    if (answer.status === 202) job.sent = end;
  }

  async #update(job: Job, outcome: Table): Promise<void> {
    const json = { info: runnerInfo(this.#context.version), token: job.token, ...outcome };
    const headers = { 'job-token': job.token };
    const answer = await this.#context.client.call(job.runner, 'PUT', `jobs/${job.id}`, { json, headers });
    if (answer.status !== 200)
      this.#context.log.warning('Submitting job to coordinator... failed', {
        ...runnerFields(job.runner),
        job: job.id,
        status: answer.statusText,
      });
  }
}
