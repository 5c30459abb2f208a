// Says what would fail, before it does:  make doctor
//
//   scripts/run doctor [--json]
//
// What each check looks at is in the file of its subject. The exit code is 1 if something failed.

import { parseArgs } from 'node:util';
import { checks as ofGitLab } from './gitlab.ts';
import {
  type Check,
  Failure,
  isMain,
  mask,
  checks as ofHost,
  readEnvironment,
  run,
  start,
  type Verdict,
  type World,
} from './host.ts';
import { checks as ofJobs } from './jobs.ts';
import { checks as ofRunner } from './runner.ts';
import { parts } from './settings.ts';

const titles = { ok: 'ok', warning: 'warning', failed: 'FAILED', unknown: 'cannot tell' };

export interface Finding {
  readonly check: string;
  readonly verdict: Verdict;
  readonly detail: string;
  /** What to do; empty where there is nothing. */
  readonly remedy: string;
}

/**
 * Runs the checks at the same time, each after those that it needs, and yields what they found in the table's order.
 * @param limit ends all of it: what is not done then cannot be told
 */
export async function* examine(
  table: readonly Check[],
  world: World,
  limit: Promise<unknown>,
): AsyncGenerator<Finding> {
  const done = new Map<string, Promise<Finding[]>>();
  for (const check of table) done.set(check.name, runCheck(check, world, limit, done));
  for (const findings of done.values()) yield* await findings;
}

async function runCheck(
  { name, needs, run: look }: Check,
  world: World,
  limit: Promise<unknown>,
  done: ReadonlyMap<string, Promise<Finding[]>>,
): Promise<Finding[]> {
  const found: Finding[] = [];
  let isOver = false;
  const note = (verdict: Verdict, detail: string, remedy = ''): void => {
    if (!isOver) found.push({ check: name, verdict, detail: mask(detail), remedy: mask(remedy) });
  };
  const all = async () => {
    for (const need of needs) {
      const isMissing = (await done.get(need))?.some(
        ({ verdict, detail }) => verdict === 'failed' || detail.startsWith(unseen),
      );
      if (isMissing) return note('unknown', `${unseen}, by reason of "${need}".`);
    }
    await look(world, note);
  };
  try {
    const isLate = await Promise.race([all(), limit.then(() => true)]);
    if (isLate) note('unknown', `${unseen} to the end: time ran out.`);
  } catch (error) {
    const { message, remedy } = error as Failure;
    if (error instanceof Failure) note('failed', message, remedy);
    else note('unknown', `${unseen}: ${message.split('\n')[0]}`);
  }
  isOver = true;
  return found;
}

const unseen = 'not looked at';

const importChecks = (file: string): Promise<{ checks: Check[] }> => import(file);

/** The table of checks, and what they work with. @throws Failure where .env cannot be read */
async function prepare(): Promise<[Check[], World]> {
  const modules = await Promise.all(parts.map(part => importChecks(`./${part}.ts`)));
  const table = [...ofHost, ...ofGitLab, ...ofJobs, ...ofRunner, ...modules.flatMap(({ checks }) => checks)];
  return [table, { run, environment: readEnvironment() }];
}

/** @param seconds after which it ends, whatever is not done */
export async function main(words: string[] = process.argv.slice(2), seconds = 18): Promise<void> {
  const {
    values: { json },
  } = parseArgs({ args: words, options: { json: { type: 'boolean' } } });
  const limit = new Promise(resolve => setTimeout(resolve, seconds * 1000).unref());
  const findings: Finding[] = [];
  const [table, world] = await prepare();
  for await (const finding of examine(table, world, limit)) {
    findings.push(finding);
    const { check, verdict, detail, remedy } = finding;
    if (json) continue;
    console.log(`${titles[verdict].padEnd(11)}  ${check.padEnd(11)}  ${detail}`);
    if (remedy) console.log(remedy.replace(/^/gm, ' '.repeat(26)));
  }
  const count = (wanted: Verdict) => findings.filter(({ verdict }) => verdict === wanted).length;
  const counts = Object.entries(titles).map(([verdict, title]) => `${count(verdict as Verdict)} ${title}`);
  const ok = count('failed') === 0;
  console.log(json ? JSON.stringify({ ok, findings }, null, 2) : counts.join(', '));
  process.exitCode = ok ? 0 : 1;
}

if (isMain(import.meta)) {
  await start('doctor', main);
  // What did not answer in time is not waited for.
  process.exit();
}
