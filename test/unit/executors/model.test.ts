import { describe, expect, it } from 'vitest';
import {
  DAY,
  type Executor,
  type Job,
  type Manager,
  type Policy,
  type Pool,
  percentile,
  simulate,
} from '../../bench/executors/model.ts';
import { exponential, hours, randomNumbers, workingDay } from '../../bench/executors/workload.ts';

const manager: Manager = {
  concurrent: 1,
  limit: 0,
  requestConcurrency: Number.POSITIVE_INFINITY,
  requestSeconds: 0,
  checkInterval: 0,
};
const host = (changes: Partial<Manager> = {}, rest: Partial<Executor> = {}): Executor => ({
  managers: [{ ...manager, ...changes }],
  prepareSeconds: 0,
  pollSeconds: 0,
  ...rest,
});
const nothingIdle: Policy = {
  ...{ from: 0, to: 24, idleCount: 0, scaleFactor: 0, scaleFactorLimit: 0, idleTime: 600 },
};
const poolOf = (changes: Partial<Pool> = {}, policy: Partial<Policy> = {}): Executor => {
  const pool: Pool = {
    ...{ capacityPerInstance: 1, maxUseCount: 0, minInstances: 0, maxInstances: 10 },
    ...{ startSeconds: 60, scanSeconds: 0, policies: [{ ...nothingIdle, ...policy }] },
    ...changes,
  };
  return host({ concurrent: 100 }, { pool });
};
/** So many jobs at once. */
const together = (count: number, seconds = 100, at = 3600): Job[] =>
  Array.from({ length: count }, () => ({ at, seconds }));

/** The mean wait in a queue of M/M/c, by the formula that A. K. Erlang published in 1917. */
function erlangWait(arrivals: number, service: number, servers: number): number {
  const load = arrivals / service;
  // From the blocking probability (Erlang B), whose recursion stays in range.
  let blocked = 1;
  for (let one = 1; one <= servers; one += 1) blocked = (load * blocked) / (one + load * blocked);
  const waits = blocked / (1 - (load / servers) * (1 - blocked));
  return waits / (servers * service - arrivals);
}

describe('queueing theory', () => {
  it('has known values for the formula that the model is held to', () => {
    // M/M/1: the mean wait is the load over (service rate - arrival rate).
    expect(erlangWait(0.5, 1, 1)).toBeCloseTo(1);
    // Two servers at a load of 1.5: a job waits with a probability of 9/14.
    expect(erlangWait(1.5, 1, 2) * 0.5).toBeCloseTo(9 / 14);
  });

  it.each([
    [1, 0.5],
    [1, 0.8],
    [3, 0.7],
    [8, 0.8],
  ])('gives the mean wait of M/M/%i at a utilization of %d, which the model has too', (servers, share) => {
    const random = randomNumbers(servers);
    const mean = 240;
    const jobs: Job[] = [];
    for (let at = 0; jobs.length < 150_000; ) {
      at += exponential(random, mean / (servers * share));
      jobs.push({ at, seconds: exponential(random, mean) });
    }
    const { waits, mostRunning } = simulate(jobs, host({ concurrent: servers }));
    const average = waits.reduce((sum, one) => sum + one, 0) / waits.length;
    const wanted = erlangWait((servers * share) / mean, 1 / mean, servers);
    expect(average / wanted).toBeGreaterThan(0.93);
    expect(average / wanted).toBeLessThan(1.07);
    expect(mostRunning).toBe(servers);
  });
});

describe('a runner on a host', () => {
  it('lets no job wait where nothing is to be waited for', () => {
    expect(simulate([], host())).toMatchObject({ waits: [], left: 0, mostRunning: 0 });
    expect(simulate(together(5), host({ concurrent: 5 })).waits).toEqual([0, 0, 0, 0, 0]);
  });

  it.each([
    ['concurrent', { concurrent: 2 }],
    ['limit', { concurrent: 10, limit: 2 }],
  ])('holds no more jobs than "%s" says, first come, first served', (_, changes) => {
    const { waits, mostRunning } = simulate(together(5), host(changes));
    expect(waits).toEqual([0, 0, 100, 100, 200]);
    expect(mostRunning).toBe(2);
  });

  it('looks for jobs at its interval only, also after a job has ended', () => {
    const jobs = [
      { at: 4, seconds: 100 },
      { at: 5, seconds: 100 },
    ];
    // Looks at 6, and again at 108: the first one ends at 106.
    expect(simulate(jobs, host({ checkInterval: 3 })).waits).toEqual([2, 103]);
  });

  it.each([
    [1, [1, 2, 3, 4]],
    [2, [1, 2, 2, 3]],
  ])('has no more requests under way than request_concurrency: %i', (requestConcurrency, waits) => {
    // Each answer takes a second; a received job is followed by a request at once, further ones begin at the next look.
    const changes = { concurrent: 10, requestConcurrency, requestSeconds: 1, checkInterval: 1 };
    const found = simulate(together(4), host(changes));
    expect(found.waits.map(one => Math.round(one))).toEqual(waits);
  });

  it('counts the preparation, as far as the runner has seen it', () => {
    expect(simulate(together(1), host({}, { prepareSeconds: 8 })).waits).toEqual([8]);
    expect(simulate(together(1), host({}, { prepareSeconds: 8, pollSeconds: 3 })).waits).toEqual([9]);
    // And the place is taken meanwhile.
    expect(simulate(together(2), host({}, { prepareSeconds: 8 })).waits).toEqual([8, 116]);
  });

  it('shares the queue with a second manager, which looks at other moments', () => {
    const managers = [manager, manager].map(one => ({ ...one, checkInterval: 4 }));
    const { waits, mostRunning } = simulate(together(2, 100, 3601), host({}, { managers }));
    expect([...waits].sort()).toEqual([1, 3]);
    expect(mostRunning).toBe(2);
  });

  it('says how many jobs are not done at midnight, and goes on until all are', () => {
    const { waits, left } = simulate(together(3, 3600, DAY - 5400), host());
    expect(left).toBe(2);
    expect(waits).toEqual([0, 3600, 7200]);
  });

  it('is refused where it could never take a job', () => {
    expect(() => simulate(together(1), host({ concurrent: 0 }))).toThrow('No manager may take a job.');
    expect(() => simulate(together(1), poolOf({ maxInstances: 0 }))).toThrow('No instance may take a job.');
  });
});

describe('instances that come and go', () => {
  it('are asked for when a job comes, where none is kept idle, and it waits for their start', () => {
    expect(simulate(together(1), poolOf()).waits).toEqual([60]);
    // The look at what is needed comes first.
    expect(simulate(together(1, 100, 3601), poolOf({ scanSeconds: 10 })).waits).toEqual([69]);
  });

  it('stay for idle_time, and are paid from the request to the end', () => {
    const at = (time: number) => ({ at: time, seconds: 100 });
    const { waits, instanceSeconds, mostInstances } = simulate([at(0), at(700), at(2000)], poolOf());
    // The first starts at 60 and ends at 160; the second finds it; the third comes 600 s after it has gone.
    expect(waits).toEqual([60, 0, 60]);
    expect(mostInstances).toBe(1);
    expect(instanceSeconds).toBe(700 + 100 + 600 + (60 + 100 + 600));
  });

  it('take no more jobs than max_use_count', () => {
    const jobs = [0, 300, 600].map(at => ({ at, seconds: 100 }));
    expect(simulate(jobs, poolOf({ maxUseCount: 1 })).waits).toEqual([60, 60, 60]);
    expect(simulate(jobs, poolOf({ maxUseCount: 2 })).waits).toEqual([60, 0, 60]);
    // One that is used up is not kept for idle_time.
    expect(simulate(jobs, poolOf({ maxUseCount: 1 })).instanceSeconds).toBe(3 * 160);
  });

  it('are no more than max_instances, and the jobs beyond wait', () => {
    const { waits, mostInstances } = simulate(together(3), poolOf({ maxInstances: 2 }));
    expect(waits).toEqual([60, 60, 160]);
    expect(mostInstances).toBe(2);
  });

  it('take as many jobs at once as capacity_per_instance', () => {
    const { waits, mostInstances } = simulate(together(4), poolOf({ capacityPerInstance: 4 }));
    expect(waits).toEqual([60, 60, 60, 60]);
    expect(mostInstances).toBe(1);
  });

  it('are kept idle as idle_count says, for as many jobs as that', () => {
    const { waits } = simulate(together(3), poolOf({}, { idleCount: 2 }));
    expect(waits).toEqual([0, 0, 60]);
  });

  it.each([
    [0, 4],
    [1, 5],
  ])(
    'are kept beside by scale_factor, as a share of those in use, up to scale_factor_limit %i',
    (limit, most) => {
      const policy = { idleCount: 1, scaleFactor: 0.5, scaleFactorLimit: limit };
      // Three in use: one idle, and two more; or one more.
      expect(simulate(together(3, 1000), poolOf({}, policy)).mostInstances).toBe(limit === 0 ? 6 : most);
    },
  );

  it('are of another number where another policy begins', () => {
    const day = { ...nothingIdle, from: 8, to: 18, idleCount: 3, idleTime: 0 };
    const policies = [{ ...nothingIdle, to: 8 }, day, { ...nothingIdle, from: 18 }];
    const { instanceSeconds, mostInstances } = simulate([], poolOf({ policies }));
    expect(mostInstances).toBe(3);
    // They have been idle for longer than idle_time when the evening begins.
    expect(instanceSeconds).toBe(3 * 10 * 3600);
  });

  it('are never fewer than the least, as the one node of a cluster that stays', () => {
    const { instanceSeconds } = simulate([], poolOf({ minInstances: 1 }));
    expect(instanceSeconds).toBe(DAY);
  });
});

describe('a working day', () => {
  const workload = { jobsPerHour: 200, mostAtOnce: 5, meanSeconds: 240, longestSeconds: 3600 };
  const days = Array.from({ length: 20 }, (_, day) => workingDay(workload, day));

  it('is the same for the same seed, another for another, and in the order of its times', () => {
    expect(workingDay(workload, 1)).toEqual(days[1]);
    expect(workingDay(workload, 2)).not.toEqual(days[1]);
    expect(days[1]).toEqual([...days[1]!].sort((one, other) => one.at - other.at));
  });

  it('has as many jobs an hour as asked for from 8 to 18, and their mean length', () => {
    expect(hours).toHaveLength(24);
    expect(hours.slice(8, 18).reduce((sum, one) => sum + one, 0)).toBeCloseTo(10);
    const jobs = days.flat();
    const atWork = jobs.filter(({ at }) => at >= 8 * 3600 && at < 18 * 3600).length;
    expect(atWork / (10 * days.length) / 200).toBeCloseTo(1, 1);
    const mean = jobs.reduce((sum, { seconds }) => sum + seconds, 0) / jobs.length;
    expect(mean / 240).toBeCloseTo(1, 1);
    expect(Math.max(...jobs.map(({ seconds }) => seconds))).toBeLessThanOrEqual(3600);
  });
});

describe('percentile', () => {
  it('is the value that a share does not exceed', () => {
    expect([0, 0.5, 0.75, 1].map(share => percentile([3, 1, 4, 2], share))).toEqual([1, 2, 3, 4]);
    expect(percentile([], 0.5)).toBe(0);
  });
});
