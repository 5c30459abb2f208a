/** `gitlab-runner run`: asks for jobs, pretends to run them, and obeys signals as the real one does. */
import { existsSync, statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Config, loadConfig, type Table } from './config.ts';
import type { Context } from './context.ts';
import { runnerFields, runnerInfo } from './gitlab.ts';
import { Exit, messageOf } from './log.ts';
import { serveMetrics } from './metrics.ts';

interface Job {
  id: number;
  token: string;
  seconds: number;
  runner: Table;
}

/** A duration as Go writes it, such as 1m0s, in milliseconds. */
function milliseconds(duration: unknown): number {
  const units: Record<string, number> = { h: 3_600_000, m: 60_000, s: 1000 };
  const parts = [...String(duration).matchAll(/(\d+(?:\.\d+)?)([hms])/g)];
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
  /** The last failure of each runner, so that a dead GitLab does not flood the log. */
  readonly #failures = new Map<string, string>();
  /** How many requests of each runner failed one after the other, and when the last did. */
  readonly #health = new Map<string, { failures: number; last: number }>();
  readonly #waking = new AbortController();
  #config: Config | undefined;
  #handled = 0;
  #turn = 0;
  #loadedFrom = '';
  #shutdown: 'none' | 'graceful' | 'forceful' = 'none';

  constructor(context: Context, path: string) {
    this.#context = context;
    this.#path = path;
    this.#tick = context.io.tick ?? 1000;
  }

  async run(): Promise<void> {
    const { log, io } = this.#context;
    log.info(`Starting multi-runner from ${this.#path}...`, { builds: 0, max_builds: 0 });
    this.#loadFirst();
    const metrics = this.#listen();
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

  /** Its address is read at the start only. */
  #listen(): ReturnType<typeof serveMetrics> | undefined {
    const address = this.#config?.globals.listen_address;
    if (!address) return undefined;
    return serveMetrics(String(address), () => ({
      version: this.#context.version,
      concurrent: this.#concurrent,
      running: this.#jobs.size,
      handled: this.#handled,
    }));
  }

  // Behind a getter, as the compiler does not see signals change the field between two reads.
  get #forced(): boolean {
    return this.#shutdown === 'forceful';
  }

  #counts(): { builds: number; max_builds: number } {
    return { builds: this.#jobs.size, max_builds: this.#concurrent };
  }

  get #concurrent(): number {
    return Number(this.#config?.globals.concurrent ?? 1);
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
    const { log, facts, env } = this.#context;
    this.#loadedFrom = this.#fileState();
    const config = loadConfig(this.#path, facts.keys, env);
    if (Number(config.globals.concurrent ?? 1) < 1) throw new Error('concurrent must be at least 1');
    this.#config = config;
    this.#failures.clear();
    log.info('Configuration loaded', this.#counts());
    if (!config.globals.listen_address)
      log.info('listen_address not defined, metrics & debug endpoints disabled', this.#counts());
  }

  /** A broken file leaves the old configuration in force. */
  #reload(): void {
    try {
      this.#load();
    } catch (error) {
      this.#context.log.error('Failed to load config', { error: messageOf(error), ...this.#counts() });
    }
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
    const runners = this.#config?.runners ?? [];
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

  /** A runner whose requests failed is disabled for a while, an hour unless its configuration says otherwise. */
  #isHealthy(runner: Table): boolean {
    const token = String(runner.token ?? '');
    const health = this.#health.get(token);
    const limit = Number(runner.unhealthy_requests_limit ?? 3);
    if (!health || health.failures < limit) return true;
    if (Date.now() - health.last < milliseconds(runner.unhealthy_interval ?? '1h0m0s')) return false;
    this.#health.delete(token);
    return true;
  }

  #noteFailure(runner: Table, token: string): void {
    const failures = (this.#health.get(token)?.failures ?? 0) + 1;
    this.#health.set(token, { failures, last: Date.now() });
    if (failures !== Number(runner.unhealthy_requests_limit ?? 3)) return;
    const interval = String(runner.unhealthy_interval ?? '1h0m0s');
    this.#context.log.warning(
      `Runner is unhealthy and will be disabled for ${interval}`,
      runnerFields(runner),
    );
  }

  async #requestJob(runner: Table): Promise<void> {
    const { client, log, version } = this.#context;
    const token = String(runner.token ?? '');
    const answer = await client.call(runner, 'POST', 'jobs/request', {
      json: {
        info: runnerInfo(version, String(runner.executor)),
        token,
        system_id: this.#config?.systemId,
      },
      headers: { 'runner-token': token },
    });
    if (answer.status === 201 || answer.status === 204) this.#health.delete(token);
    else this.#noteFailure(runner, token);
    if (answer.status === 201) {
      this.#failures.delete(token);
      const job: Job = {
        id: Number(answer.body.id),
        token: String(answer.body.token),
        seconds: Number(answer.body.seconds ?? 0),
        runner,
      };
      log.info('Checking for jobs... received', { ...runnerFields(runner, answer), job: job.id });
      const done = this.#runJob(job).finally(() => this.#jobs.delete(job));
      this.#handled += 1;
      this.#jobs.set(job, done);
    } else if (answer.status === 204) this.#failures.delete(token);
    else this.#reportFailure(runner, token, answer.status, answer.statusText);
  }

  #reportFailure(runner: Table, token: string, status: number, statusText: string): void {
    if (this.#failures.get(token) === statusText) return;
    this.#failures.set(token, statusText);
    const { log } = this.#context;
    const fields = { ...runnerFields(runner), status: statusText };
    if (status === 403) log.error('Checking for jobs... forbidden', fields);
    else if (status < 0) log.error('Checking for jobs... client error', fields);
    else log.warning('Checking for jobs... failed', fields);
  }

  async #runJob(job: Job): Promise<void> {
    const { log } = this.#context;
    const started = Date.now();
    const fields = () => ({
      ...runnerFields(job.runner),
      job: job.id,
      duration_s: (Date.now() - started) / 1000,
    });
    const greeting = `Running with gitlab-runner ${this.#context.version} (stand-in)\n`;
    let sent = (await this.#trace(job, greeting, 0)) ?? Number.NaN;
    for (let second = 1; second <= job.seconds && !this.#forced && !Number.isNaN(sent); second += 1) {
      await this.#jobSecond();
      if (!this.#forced) sent = (await this.#trace(job, `second ${second}\n`, sent)) ?? Number.NaN;
    }
    if (Number.isNaN(sent)) {
      log.error('Job failed: canceled or unknown to GitLab', fields());
      return;
    }
    if (this.#forced) {
      await this.#update(job, { state: 'failed', failure_reason: 'runner_system_failure' });
      log.error('Job failed (system failure): aborted: terminated', fields());
      return;
    }
    await this.#trace(job, 'Job succeeded\n', sent);
    await this.#update(job, { state: 'success' });
    log.info('Job succeeded', fields());
  }

  /** A second of a job, cut short when the jobs are to be aborted. */
  async #jobSecond(): Promise<void> {
    const end = Date.now() + this.#tick;
    while (Date.now() < end && !this.#forced) await sleep(Math.min(50, this.#tick));
  }

  /** Appends to the job's log; gives the new length, or `undefined` when GitLab does not want the job any more. */
  async #trace(job: Job, text: string, offset: number): Promise<number | undefined> {
    const end = offset + Buffer.byteLength(text);
    const answer = await this.#context.client.call(
      job.runner,
      'PATCH',
      `jobs/${job.id}/trace?debug_trace=false`,
      { text, headers: { 'job-token': job.token, 'content-range': `${offset}-${end - 1}` } },
    );
    if (answer.status === 403 || answer.status === 404) return undefined;
    return answer.status === 202 ? end : offset;
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
