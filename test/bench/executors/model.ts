// Jobs that wait for a runner: a discrete-event model by the rules of GitLab Runner. Times are seconds.
// https://docs.gitlab.com/runner/configuration/advanced-configuration/

export const DAY = 86_400;

/** A job, by when it is created and how long it runs. */
export type Job = Readonly<{ at: number; seconds: number }>;

/** A GitLab Runner process. */
export interface Manager {
  /** Jobs that it holds at most, of all runners; `limit` is that of one runner, 0 for none. */
  readonly concurrent: number;
  readonly limit: number;
  /** Requests for jobs that may be under way at once, and how long GitLab takes to answer one. */
  readonly requestConcurrency: number;
  readonly requestSeconds: number;
  /** Between two looks for jobs; after a job was received it asks again at once. 0: it asks whenever there is one. */
  readonly checkInterval: number;
}

/** What is kept ready between two hours of the day: the policy of docker-autoscaler, or that of a cluster. */
export interface Policy {
  readonly from: number;
  readonly to: number;
  /** Places for jobs that are to be free, and beside those a share of the ones in use, up to a limit (0 for none). */
  readonly idleCount: number;
  readonly scaleFactor: number;
  readonly scaleFactorLimit: number;
  /** After so long without a job an instance goes, if the rest still has what is to be free. */
  readonly idleTime: number;
}

/** Instances that come and go: of a cloud, or nodes of a cluster. */
export interface Pool {
  readonly capacityPerInstance: number;
  /** Jobs after which an instance goes; 0 for no limit. */
  readonly maxUseCount: number;
  readonly minInstances: number;
  readonly maxInstances: number;
  readonly startSeconds: number;
  /** Between two looks at what is needed. */
  readonly scanSeconds: number;
  /** The first that has the hour counts. */
  readonly policies: readonly Policy[];
}

export interface Executor {
  readonly managers: readonly Manager[];
  /** Where jobs run, if not on the hosts of the managers. */
  readonly pool?: Pool;
  /** What a job waits for before its script starts: images, a container or pod; seen at each so many seconds. */
  readonly prepareSeconds: number;
  readonly pollSeconds: number;
}

export interface Outcome {
  /** From the creation of each job to the start of its script, in the order of jobs. */
  readonly waits: readonly number[];
  /** All instances of the pool together, from when they were asked for; never less than a day is looked at. */
  readonly instanceSeconds: number;
  readonly mostInstances: number;
  /** The most jobs that were on instances or hosts at once. */
  readonly mostRunning: number;
  /** How many jobs of the day had not ended at midnight. */
  readonly left: number;
}

interface Instance {
  readonly since: number;
  readonly readyAt: number;
  inUse: number;
  used: number;
  idleSince: number;
}

type Task = Readonly<{ job: number; manager: number }>;

/** One run of the model. */
class Run {
  readonly #jobs: readonly Job[];
  readonly #executor: Executor;
  readonly #waits: number[];
  readonly #events: { at: number; act: () => void }[];
  readonly #queue: number[] = [];
  readonly #held: number[];
  readonly #requests: number[];
  readonly #feeds = new Set<string>();
  readonly #scans = new Set<number>();
  readonly #unplaced: Task[] = [];
  #instances: Instance[] = [];
  #now = 0;
  #done = 0;
  #running = 0;
  #instanceSeconds = 0;
  #mostInstances = 0;
  #mostRunning = 0;
  #left = 0;

  constructor(jobs: readonly Job[], executor: Executor) {
    this.#jobs = jobs;
    this.#executor = executor;
    this.#waits = jobs.map(() => Number.NaN);
    this.#events = jobs.map(({ at }, job) => ({ at, act: () => this.#arrive(job) })).reverse();
    this.#held = executor.managers.map(() => 0);
    this.#requests = executor.managers.map(() => 0);
  }

  run(): Outcome {
    this.#at(DAY, () => {
      this.#left = this.#jobs.length - this.#done;
    });
    const { pool } = this.#executor;
    if (pool && pool.maxInstances * pool.capacityPerInstance < 1)
      throw new Error('No instance may take a job.');
    if (pool) this.#scan();
    while (this.#done < this.#jobs.length || this.#now < DAY) {
      const next = this.#events.pop();
      if (!next) throw new Error('No manager may take a job.');
      this.#now = next.at;
      next.act();
    }
    for (const { since } of this.#instances) this.#instanceSeconds += this.#now - since;
    return {
      waits: this.#waits,
      instanceSeconds: this.#instanceSeconds,
      mostInstances: this.#mostInstances,
      mostRunning: this.#mostRunning,
      left: this.#left,
    };
  }

  /** The events are sorted, the next one last; of those at the same time the first told is the first done. */
  #at(at: number, act: () => void): void {
    let [low, high] = [0, this.#events.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#events[middle]!.at > at) low = middle + 1;
      else high = middle;
    }
    this.#events.splice(low, 0, { at, act });
  }

  #arrive(job: number): void {
    this.#queue.push(job);
    for (const manager of this.#held.keys()) this.#feedSoon(manager);
  }

  /** At the manager's next look: managers look one after the other, as those do that were started at any time. */
  #feedSoon(manager: number): void {
    const { checkInterval } = this.#executor.managers[manager]!;
    const phase = (checkInterval * manager) / this.#held.length;
    const turn = Math.ceil((this.#now - phase) / checkInterval);
    const at = checkInterval === 0 ? this.#now : phase + turn * checkInterval;
    const key = `${manager} ${at}`;
    if (this.#feeds.has(key)) return;
    this.#feeds.add(key);
    this.#at(at, () => {
      this.#feeds.delete(key);
      this.#feed(manager);
      // A further request may begin at the next look, while this one is under way.
      if (checkInterval > 0 && this.#mayAsk(manager)) this.#at(at + 1e-6, () => this.#feedSoon(manager));
    });
  }

  #mayAsk(manager: number): boolean {
    const { concurrent, limit, requestConcurrency } = this.#executor.managers[manager]!;
    const { maxInstances = 1, capacityPerInstance = Number.POSITIVE_INFINITY } = this.#executor.pool ?? {};
    const most = Math.min(
      concurrent,
      limit || Number.POSITIVE_INFINITY,
      // What no instance could ever take is not asked for.
      maxInstances * capacityPerInstance,
    );
    const [held, requests] = [this.#held[manager]!, this.#requests[manager]!];
    return this.#queue.length > 0 && held < most && requests < requestConcurrency;
  }

  /** One request for a job, if it may. */
  #feed(manager: number): void {
    if (!this.#mayAsk(manager)) return;
    const job = this.#queue.shift()!;
    this.#held[manager]! += 1;
    this.#requests[manager]! += 1;
    this.#at(this.#now + this.#executor.managers[manager]!.requestSeconds, () => {
      this.#requests[manager]! -= 1;
      if (this.#executor.pool) {
        this.#unplaced.push({ job, manager });
        this.#place();
        this.#scanSoon();
      } else this.#start({ job, manager });
      this.#feed(manager);
    });
  }

  #start({ job, manager }: Task, instance?: Instance): void {
    const { prepareSeconds, pollSeconds } = this.#executor;
    const prepared =
      pollSeconds === 0 ? prepareSeconds : Math.ceil(prepareSeconds / pollSeconds) * pollSeconds;
    const { at, seconds } = this.#jobs[job]!;
    this.#running += 1;
    this.#mostRunning = Math.max(this.#mostRunning, this.#running);
    this.#waits[job] = this.#now + prepared - at;
    this.#at(this.#now + prepared + seconds, () => {
      this.#running -= 1;
      this.#done += 1;
      this.#held[manager]! -= 1;
      if (instance) {
        instance.inUse -= 1;
        if (instance.inUse === 0) instance.idleSince = this.#now;
        this.#place();
        this.#scanSoon();
      }
      this.#feedSoon(manager);
    });
  }

  /** The jobs that an instance can still take. */
  #free({ inUse, used }: Instance): number {
    const { capacityPerInstance, maxUseCount } = this.#executor.pool!;
    const uses = maxUseCount === 0 ? Number.POSITIVE_INFINITY : maxUseCount - used;
    return Math.min(capacityPerInstance - inUse, uses);
  }

  /** Starts jobs that wait for an instance, each on the oldest that is ready and has room. */
  #place(): void {
    while (this.#unplaced.length > 0) {
      const found = this.#instances.find(one => one.readyAt <= this.#now && this.#free(one) > 0);
      if (!found) return;
      found.inUse += 1;
      found.used += 1;
      this.#start(this.#unplaced.shift()!, found);
    }
  }

  #scanSoon(at = this.#now): void {
    const { scanSeconds } = this.#executor.pool!;
    const turn = scanSeconds === 0 ? at : Math.ceil(at / scanSeconds) * scanSeconds;
    if (this.#scans.has(turn)) return;
    this.#scans.add(turn);
    this.#at(turn, () => {
      this.#scans.delete(turn);
      this.#scan();
    });
  }

  #policy(): Policy {
    const hour = (this.#now % DAY) / 3600;
    const found = this.#executor.pool!.policies.find(({ from, to }) => hour >= from && hour < to);
    if (!found) throw new Error(`No policy has the hour ${hour}.`);
    return found;
  }

  /** Asks for instances, or gives some back, so that what is to be free is free. */
  #scan(): void {
    const { capacityPerInstance, maxInstances, minInstances, startSeconds } = this.#executor.pool!;
    const { idleCount, idleTime, scaleFactor, scaleFactorLimit } = this.#policy();
    const inUse = this.#instances.reduce((sum, one) => sum + one.inUse, 0);
    const share = Math.min(Math.ceil(inUse * scaleFactor), scaleFactorLimit || Number.POSITIVE_INFINITY);
    const needed = this.#unplaced.length + idleCount + share;
    const isUsedUp = (one: Instance) => one.inUse === 0 && this.#free(one) <= 0;
    this.#giveBack(isUsedUp);
    let free = this.#instances.reduce((sum, one) => sum + this.#free(one), 0);
    while (
      (free < needed || this.#instances.length < minInstances) &&
      this.#instances.length < maxInstances
    ) {
      const readyAt = this.#now + startSeconds;
      this.#instances.push({ since: this.#now, readyAt, inUse: 0, used: 0, idleSince: readyAt });
      this.#at(readyAt, () => {
        this.#place();
        this.#scanSoon();
      });
      free += capacityPerInstance;
    }
    this.#mostInstances = Math.max(this.#mostInstances, this.#instances.length);
    let count = this.#instances.length;
    this.#giveBack(one => {
      const isIdle = one.inUse === 0 && one.readyAt <= this.#now && one.idleSince + idleTime <= this.#now;
      if (!isIdle || free - this.#free(one) < needed || count <= minInstances) return false;
      free -= this.#free(one);
      count -= 1;
      return true;
    });
    this.#lookAgain(idleTime);
  }

  #giveBack(isUnwanted: (one: Instance) => boolean): void {
    this.#instances = this.#instances.filter(one => {
      if (!isUnwanted(one)) return true;
      this.#instanceSeconds += this.#now - one.since;
      return false;
    });
  }

  /** When next something may change by itself: an instance has been idle for long enough, or another policy begins. */
  #lookAgain(idleTime: number): void {
    const midnight = this.#now - (this.#now % DAY);
    const borders = this.#executor.pool!.policies.map(({ to }) => midnight + to * 3600);
    const ends = this.#instances.filter(({ inUse }) => inUse === 0).map(one => one.idleSince + idleTime);
    this.#scanSoon(Math.min(...[...borders, ...ends].filter(at => at > this.#now), midnight + DAY));
  }
}

/**
 * Runs a day of jobs, and on until the last has ended.
 *
 * @param jobs in the order of their times
 * @throws Error if no job could ever be taken
 */
export function simulate(jobs: readonly Job[], executor: Executor): Outcome {
  return new Run(jobs, executor).run();
}

/** The value that this share of them does not exceed (nearest rank); 0 of none. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((one, other) => one - other);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0;
}
