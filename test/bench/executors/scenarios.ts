// One host, several hosts, docker-autoscaler and Kubernetes: what is assumed of them, and what comes out.

import { type Executor, type Manager, type Outcome, type Policy, percentile, simulate } from './model.ts';
import { type Workload, workingDay } from './workload.ts';

/** What the figures are based on: each is an option of `npm run simulate`, and a row of the page. */
export const assumptions = {
  days: [3, 'working days that are simulated, each with jobs of its own'],
  'at-once': [5, 'a pipeline starts from one job to as many at once'],
  'job-minutes': [4, 'minutes that a job runs, on average; log-normal, with a deviation as large'],
  'longest-minutes': [60, 'minutes after which a job ends, as by `maximum_timeout`'],
  request: [0.2, 'seconds that GitLab takes to answer a request for a job'],
  'request-concurrency': [2, '`request_concurrency` of each runner'],
  'check-interval': [3, "seconds of `check_interval`: GitLab Runner's default"],
  'host-jobs': [4, '`concurrent` of a host, which has 2 CPUs for each'],
  hosts: [4, 'hosts of "several hosts"'],
  prepare: [3, 'seconds from taking a job to its script on a host that has the images'],
  boot: [60, 'seconds until an instance of docker-autoscaler takes its first job'],
  'prepare-fresh': [20, 'seconds from an instance to the script on it: a fresh one pulls every image'],
  'max-instances': [
    200,
    '`max_instances` of docker-autoscaler; each takes one job (`capacity_per_instance`, `max_use_count` = 1)',
  ],
  'idle-count': [2, '`idle_count` of docker-autoscaler from 7 to 19; none at night'],
  'scale-factor': [
    0.2,
    '`scale_factor` from 7 to 19: so many idle instances more, as a share of those in use',
  ],
  'scale-factor-limit': [20, '`scale_factor_limit`'],
  'idle-minutes': [20, '`idle_time` in minutes'],
  'node-jobs': [4, 'pods of jobs that fit on a node of the cluster'],
  'max-nodes': [50, 'nodes of the cluster at most; one is always there'],
  'node-boot': [90, 'seconds until a new node takes pods'],
  'node-idle-minutes': [10, "minutes after which an empty node goes: the cluster autoscaler's default"],
  'node-scan': [10, 'seconds between its looks at what is needed: its default'],
  pod: [8, 'seconds until a pod runs whose node has room'],
  poll: [3, "seconds between the runner's looks at a pod: `poll_interval`, its default"],
  'price-host': [0.4, 'price of a host for an hour; it runs day and night'],
  'price-instance': [0.1, 'price of an instance of docker-autoscaler for an hour'],
  'price-node': [0.4, 'price of a node for an hour'],
  'price-manager': [0.02, 'price of the machine with the manager of docker-autoscaler for an hour'],
  'price-cluster': [0.1, "price of the cluster's control plane for an hour"],
} as const satisfies Record<string, readonly [number, string]>;

export type Assumptions = Readonly<Record<keyof typeof assumptions, number>>;

export const defaults = Object.fromEntries(
  Object.entries(assumptions).map(([name, [value]]) => [name, value]),
) as Assumptions;

/** A way to run jobs, with its name and what it costs on a day. */
export interface Way {
  readonly name: string;
  readonly executor: Executor;
  readonly cost: (outcome: Outcome) => number;
}

const manager = (given: Assumptions, concurrent: number): Manager => ({
  concurrent,
  limit: 0,
  requestConcurrency: given['request-concurrency'],
  requestSeconds: given.request,
  checkInterval: given['check-interval'],
});

/** So many hosts, each a manager of one runner. */
export function hosts(given: Assumptions, count: number): Way {
  return {
    name: count === 1 ? 'one host' : `${count} hosts`,
    executor: {
      managers: Array.from({ length: count }, () => manager(given, given['host-jobs'])),
      prepareSeconds: given.prepare,
      pollSeconds: 0,
    },
    cost: () => count * 24 * given['price-host'],
  };
}

const nothingIdle = (idleTime: number): Policy => ({
  ...{ from: 0, to: 24, idleCount: 0, scaleFactor: 0, scaleFactorLimit: 0, idleTime },
});

export function autoscaler(given: Assumptions): Way {
  const idleTime = given['idle-minutes'] * 60;
  const atWork: Policy = {
    ...{ from: 7, to: 19, idleTime },
    idleCount: given['idle-count'],
    scaleFactor: given['scale-factor'],
    scaleFactorLimit: given['scale-factor-limit'],
  };
  const pool = {
    ...{ capacityPerInstance: 1, maxUseCount: 1, minInstances: 0, scanSeconds: 1 },
    maxInstances: given['max-instances'],
    startSeconds: given.boot,
    policies: [{ ...nothingIdle(idleTime), to: 7 }, atWork, { ...nothingIdle(idleTime), from: 19 }],
  };
  const managers = [manager(given, given['max-instances'])];
  return {
    name: 'docker-autoscaler',
    executor: { managers, pool, prepareSeconds: given['prepare-fresh'], pollSeconds: 0 },
    cost: ({ instanceSeconds }) =>
      (instanceSeconds / 3600) * given['price-instance'] + 24 * given['price-manager'],
  };
}

export function kubernetes(given: Assumptions): Way {
  const pool = {
    ...{ maxUseCount: 0, minInstances: 1 },
    capacityPerInstance: given['node-jobs'],
    maxInstances: given['max-nodes'],
    startSeconds: given['node-boot'],
    scanSeconds: given['node-scan'],
    policies: [nothingIdle(given['node-idle-minutes'] * 60)],
  };
  const managers = [manager(given, given['node-jobs'] * given['max-nodes'])];
  return {
    name: 'Kubernetes',
    executor: { managers, pool, prepareSeconds: given.pod, pollSeconds: given.poll },
    cost: ({ instanceSeconds }) =>
      (instanceSeconds / 3600) * given['price-node'] + 24 * given['price-cluster'],
  };
}

export interface Figures {
  readonly jobs: number;
  /** Seconds from the creation of a job to its script: half of the jobs, and 95 %, wait no longer. */
  readonly half: number;
  readonly most: number;
  readonly cost: number;
  /** Hosts of the pool at once, at most; and jobs not done at midnight. Both of the worst day. */
  readonly instances: number;
  readonly left: number;
}

/** What jobs wait and a day costs with so many jobs an hour, over all days. */
export function figures(given: Assumptions, way: Way, jobsPerHour: number): Figures {
  const workload: Workload = {
    jobsPerHour,
    mostAtOnce: given['at-once'],
    meanSeconds: given['job-minutes'] * 60,
    longestSeconds: given['longest-minutes'] * 60,
  };
  const days = Array.from({ length: given.days }, (_, day) => workingDay(workload, day + 1));
  const outcomes = days.map(jobs => simulate(jobs, way.executor));
  const waits = outcomes.flatMap(outcome => outcome.waits);
  const worst = (of: (outcome: Outcome) => number) => Math.max(...outcomes.map(of));
  return {
    jobs: waits.length / days.length,
    half: percentile(waits, 0.5),
    most: percentile(waits, 0.95),
    cost: outcomes.reduce((sum, outcome) => sum + way.cost(outcome), 0) / days.length,
    instances: worst(outcome => outcome.mostInstances),
    left: worst(outcome => outcome.left),
  };
}

/** The fewest hosts, two at least, with which 95 % of the jobs wait for no longer than so many seconds. */
export function enoughHosts(given: Assumptions, jobsPerHour: number, seconds: number): Way {
  const most = (count: number) => figures(given, hosts(given, count), jobsPerHour).most;
  // With fewer, hosts would be busier than they can be from 8 to 18.
  const least = (jobsPerHour * given['job-minutes']) / 60 / given['host-jobs'];
  let [low, high] = [Math.max(2, Math.floor(least)), Math.max(2, Math.floor(least))];
  while (most(high) > seconds) [low, high] = [high + 1, high * 2];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (most(middle) <= seconds) high = middle;
    else low = middle + 1;
  }
  return hosts(given, high);
}

/** What a day costs, shared by its jobs. */
export const perJob = ({ cost, jobs }: Figures): number => cost / jobs;
