// Says what would fail, before it does: scripts/run doctor [--json] [NAME of a check...]. Exit code 1: something failed.

import { parseArgs } from 'node:util';
import * as gitlab from './gitlab.ts';
import * as host from './host.ts';
import { parts } from './settings.ts';

const titles = { ok: 'ok', warning: 'warning', failed: 'FAILED', unknown: 'cannot tell' };

/** What a check found; `remedy` is empty where there is nothing to do. */
export type Finding = Record<'check' | 'detail' | 'remedy', string> & { readonly verdict: host.Verdict };

/** Runs each check once those that it needs have ended, and yields in their order what they found; at the limit all end. */
export async function* examine(table: readonly host.Check[], programs: host.Run, limit: Promise<void>) {
  const [missing, ends] = [new Set<string>(), new Map<string, Promise<Finding[]>>()];
  const examineOne = async ({ name, needs, run }: host.Check) => {
    const found: Finding[] = [];
    const note: host.Note = (verdict, detail, remedy = '') =>
      void found.push({ check: name, verdict, detail: host.mask(detail), remedy: host.mask(remedy) });
    const skip = (why: string) => missing.add(name) && note('unknown', `not looked at: ${why}`);
    await Promise.all(needs.map(one => ends.get(one)));
    const need = needs.find(one => missing.has(one));
    try {
      if (need) skip(`see "${need}".`);
      else if (await Promise.race([run(programs, note), limit.then(() => true)])) skip('time ran out.');
    } catch (error) {
      if (error instanceof host.Failure) note('failed', error.message, error.remedy);
      else skip((error as Error).message.split('\n')[0]!);
    }
    if (found.some(({ verdict }) => verdict === 'failed')) missing.add(name);
    return [...found]; // what comes later is dropped
  };
  for (const check of table) ends.set(check.name, examineOne(check));
  for (const [name, found] of ends) yield* await host.during(`checking ${name}`, found);
}

/** @param seconds after which it ends, whatever is not done */
export async function main(words: string[] = process.argv.slice(2), seconds = 18): Promise<void> {
  const options = { json: { type: 'boolean' } } as const;
  const { values, positionals } = parseArgs({ args: words, options, allowPositionals: true });
  const limit = new Promise<void>(resolve => setTimeout(resolve, seconds * 1000).unref());
  const modules = await Promise.all(parts.map(part => import(`./${part}.ts`)));
  const table: host.Check[] = [host, gitlab, ...modules].flatMap(({ checks }) => checks);
  const names = table.map(({ name }) => name);
  const wrong = positionals.find(name => !names.includes(name));
  if (wrong) throw new host.Failure(`There is no check "${wrong}".`, `There are: ${names.join(', ')}.`);
  const wanted = new Set(positionals.length > 0 ? positionals : names);
  for (const { name, needs } of table.toReversed()) if (wanted.has(name)) needs.map(one => wanted.add(one));
  const [asked, findings] = [table.filter(({ name }) => wanted.has(name)), [] as Finding[]];
  for await (const finding of examine(asked, host.run, limit)) {
    findings.push(finding);
    if (values.json) continue;
    console.log(`${titles[finding.verdict].padEnd(11)}  ${finding.check.padEnd(11)}  ${finding.detail}`);
    if (finding.remedy) console.log(finding.remedy.replace(/^/gm, ' '.repeat(26)));
  }
  const count = (wanted: string) => findings.filter(({ verdict }) => verdict === wanted).length;
  const counts = Object.entries(titles).map(([verdict, title]) => `${count(verdict)} ${title}`);
  const ok = count('failed') === 0;
  console.log(values.json ? JSON.stringify({ ok, findings }, null, 2) : counts.join(', '));
  process.exitCode = ok ? 0 : 1;
}

await host.start(import.meta, () => main().then(() => process.exit())); // what hangs is not waited for
