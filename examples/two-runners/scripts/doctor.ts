// Says what would fail, before it does: scripts/run doctor [--json]. The exit code is 1 if something failed.
// What each check looks at is in the file of its subject.

import { parseArgs } from 'node:util';
import * as gitlab from './gitlab.ts';
import * as host from './host.ts';
import * as jobs from './jobs.ts';
import * as runner from './runner.ts';
import { parts } from './settings.ts';

const titles = { ok: 'ok', warning: 'warning', failed: 'FAILED', unknown: 'cannot tell' };
const unseen = 'not looked at';
const load = (file: string): Promise<{ checks: host.Check[] }> => import(file);

/** What a check found; `remedy` is empty where there is nothing to do. */
export type Finding = Record<'check' | 'detail' | 'remedy', string> & { readonly verdict: host.Verdict };

/**
 * Runs the checks at the same time, each after those that it needs, and yields what they found in the table's order.
 * @param limit ends all of it: what is not done then cannot be told
 */
export async function* examine(table: readonly host.Check[], world: host.World, limit: Promise<unknown>) {
  const done = new Map<string, Promise<Finding[]>>();
  for (const check of table) done.set(check.name, runCheck(check, world, limit, done));
  for (const findings of done.values()) yield* await findings;
}

async function runCheck(
  { name, needs, run }: host.Check,
  world: host.World,
  limit: Promise<unknown>,
  done: ReadonlyMap<string, Promise<Finding[]>>,
): Promise<Finding[]> {
  const found: Finding[] = [];
  const note: host.Note = (verdict, detail, remedy = '') =>
    void found.push({ check: name, verdict, detail: host.mask(detail), remedy: host.mask(remedy) });
  const isMissing = ({ verdict, detail }: Finding) => verdict === 'failed' || detail.startsWith(unseen);
  const all = async () => {
    for (const need of needs)
      if ((await done.get(need))?.some(isMissing))
        return note('unknown', `${unseen}, by reason of "${need}".`);
    await run(world, note);
  };
  try {
    const isLate = await Promise.race([all(), limit.then(() => true)]);
    if (isLate) note('unknown', `${unseen} to the end: time ran out.`);
  } catch (error) {
    if (error instanceof host.Failure) note('failed', error.message, error.remedy);
    else note('unknown', `${unseen}: ${(error as Error).message.split('\n')[0]}`);
  }
  // What comes later is dropped.
  return [...found];
}

/** @param seconds after which it ends, whatever is not done */
export async function main(words: string[] = process.argv.slice(2), seconds = 18): Promise<void> {
  const { json } = parseArgs({ args: words, options: { json: { type: 'boolean' } } }).values;
  const limit = new Promise(resolve => setTimeout(resolve, seconds * 1000).unref());
  const modules = await Promise.all(parts.map(part => load(`./${part}.ts`)));
  const table = [host, gitlab, jobs, runner, ...modules].flatMap(({ checks }) => checks);
  const findings: Finding[] = [];
  for await (const finding of examine(table, { run: host.run, environment: host.readEnvironment() }, limit)) {
    findings.push(finding);
    if (json) continue;
    console.log(`${titles[finding.verdict].padEnd(11)}  ${finding.check.padEnd(11)}  ${finding.detail}`);
    if (finding.remedy) console.log(finding.remedy.replace(/^/gm, ' '.repeat(26)));
  }
  const count = (wanted: string) => findings.filter(({ verdict }) => verdict === wanted).length;
  const counts = Object.entries(titles).map(([verdict, title]) => `${count(verdict)} ${title}`);
  const ok = count('failed') === 0;
  console.log(json ? JSON.stringify({ ok, findings }, null, 2) : counts.join(', '));
  process.exitCode = ok ? 0 : 1;
}

if (host.isMain(import.meta)) {
  await host.start('doctor', main);
  // What did not answer in time is not waited for.
  process.exit();
}
