// A working day of jobs, the same for the same seed.

import { DAY, type Job } from './model.ts';

/** Random numbers from 0 to below 1, the same for the same seed: mulberry32. */
export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export const exponential = (random: () => number, mean: number): number => -mean * Math.log(1 - random());

/** How busy each hour of the day is; the ten from 8 to 18 are 1 on average. Nights have scheduled pipelines. */
export const hours: readonly number[] = [
  ...[0.1, 0.1, 0.2, 0.1, 0.1, 0.1, 0.1, 0.3],
  ...[0.7, 1.1, 1.3, 1.2, 0.7, 0.9, 1.2, 1.2, 1.0, 0.7],
  ...[0.4, 0.2, 0.2, 0.1, 0.1, 0.1],
];

export interface Workload {
  /** Jobs an hour, on average from 8 to 18. */
  readonly jobsPerHour: number;
  /** A pipeline starts from one job to as many at once, all numbers alike. */
  readonly mostAtOnce: number;
  /** Log-normal, with a deviation as large as the mean; the longest is cut. */
  readonly meanSeconds: number;
  readonly longestSeconds: number;
}

/** Pipelines come by chance (a Poisson process), as often as the hour of the day says. */
export function workingDay(workload: Workload, seed: number): Job[] {
  const { jobsPerHour, mostAtOnce, meanSeconds, longestSeconds } = workload;
  const random = randomNumbers(seed);
  const sigma = Math.sqrt(Math.log(2));
  const busiest = Math.max(...hours);
  const atOnce = (1 + mostAtOnce) / 2;
  const gap = (3600 * atOnce) / (jobsPerHour * busiest);
  const jobs: Job[] = [];
  for (let at = exponential(random, gap); at < DAY; at += exponential(random, gap)) {
    // As many as in the busiest hour, of which a share is dropped in others.
    if (random() * busiest > hours[Math.floor(at / 3600)]!) continue;
    const count = 1 + Math.floor(random() * mostAtOnce);
    for (let one = 0; one < count; one += 1) {
      const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
      const seconds = meanSeconds * Math.exp(sigma * normal - sigma ** 2 / 2);
      jobs.push({ at, seconds: Math.min(seconds, longestSeconds) });
    }
  }
  return jobs;
}
