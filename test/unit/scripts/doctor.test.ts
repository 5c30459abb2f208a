import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { examine, type Finding, main } from '../../../templates/scripts/doctor.ts';
import { type Check, Failure, keepSecret, type Run } from '../../../templates/scripts/host.ts';
import { outputTo, signal } from './folder.ts';

const run = undefined as unknown as Run;
const never = new Promise<never>(() => undefined);

async function findings(table: Check[], limit: Promise<void> = never): Promise<Finding[]> {
  const found: Finding[] = [];
  for await (const finding of examine(table, run, limit)) found.push(finding);
  return found;
}

const check = (name: string, run: Check['run'], needs: string[] = []): Check => ({ name, needs, run });

describe('examine', () => {
  it('begins all checks that need no other at once, and yields what each found in the order of the table', async () => {
    const [first, second] = [signal(), signal()];
    const of = (name: string, end: Promise<void>) =>
      check(name, async (_, note) => {
        await end;
        note('ok', name);
        first.resolve();
      });
    // The first one ends only because the second one has ended.
    const found = examine([of('one', first.promise), of('two', second.promise)], run, never);
    const next = found.next();
    second.resolve();
    expect((await next).value).toMatchObject({ check: 'one' });
    expect((await found.next()).value).toMatchObject({ check: 'two' });
  });

  it('yields what was found as soon as all before it is known', async () => {
    const found = examine(
      [check('one', (_, note) => note('ok', 'one')), check('two', () => never)],
      run,
      never,
    );
    expect((await found.next()).value).toMatchObject({ check: 'one' });
  });

  it('says on a terminal what it looks at, and takes that away before what is known', async () => {
    const written = outputTo(true);
    const looked = signal();
    const found = findings([check('engine', () => looked.promise)]);
    vi.advanceTimersByTime(100);
    expect(written.splice(0).join('')).toContain(' checking engine...');
    looked.resolve();
    await found;
    expect(written.join('')).toBe('\r\x1b[K\r');
  });

  it('leaves alone what needs a check that failed, and what needs that, and says so', async () => {
    const run = vi.fn();
    const found = await findings([
      check('engine', (_, note) => note('failed', 'none')),
      check('compose', run, ['engine']),
      check('container', run, ['compose']),
      check('other', (_, note) => note('ok', 'fine')),
    ]);
    expect(run).not.toHaveBeenCalled();
    expect(found.map(({ check, verdict, detail }) => [check, verdict, detail])).toEqual([
      ['engine', 'failed', 'none'],
      ['compose', 'unknown', 'not looked at: see "engine".'],
      ['container', 'unknown', 'not looked at: see "compose".'],
      ['other', 'ok', 'fine'],
    ]);
  });

  it('waits for what a check needs, and runs it after a warning too', async () => {
    const order: string[] = [];
    await findings([
      check('engine', async (_, note) => {
        await new Promise(resolve => setImmediate(resolve));
        order.push('engine');
        note('warning', 'old');
      }),
      check('compose', () => void order.push('compose'), ['engine']),
    ]);
    expect(order).toEqual(['engine', 'compose']);
  });

  it('takes a Failure for its finding, and any other error for one that cannot be told, by its first line', async () => {
    const found = await findings([
      check('one', () => {
        throw new Failure('no file', 'Make one.');
      }),
      check('two', () => {
        throw new Error('broken\n    at line 3');
      }),
    ]);
    expect(found).toEqual([
      { check: 'one', verdict: 'failed', detail: 'no file', remedy: 'Make one.' },
      { check: 'two', verdict: 'unknown', detail: 'not looked at: broken', remedy: '' },
    ]);
  });

  it('ends at the limit: what hangs cannot be told, what was found before is kept, what comes later is dropped', async () => {
    const limit = signal();
    const late = signal();
    const examined = examine(
      [
        check('quick', (_, note) => note('ok', 'fine')),
        check('slow', async (_, note) => {
          note('warning', 'seen');
          await late.promise;
          note('ok', 'too late');
        }),
        check('after', (_, note) => note('ok', 'never'), ['slow']),
      ],
      run,
      limit.promise,
    );
    limit.resolve();
    const found: Finding[] = [];
    for await (const finding of examined) {
      found.push(finding);
      if (finding.detail !== 'seen') continue;
      late.resolve();
      await new Promise(resolve => setImmediate(resolve));
    }
    expect(found.map(({ check, verdict, detail }) => `${check} ${verdict} ${detail}`)).toEqual([
      'quick ok fine',
      'slow warning seen',
      'slow unknown not looked at: time ran out.',
      'after unknown not looked at: see "slow".',
    ]);
  });

  it('shows no secret in what was found, nor in what to do', async () => {
    const token = keepSecret(['glrt', 't1_doctor-secret'].join('-'));
    const found = await findings([check('one', (_, note) => note('failed', `has ${token}`, `use ${token}`))]);
    expect(JSON.stringify(found)).not.toContain('doctor-secret');
    expect(found[0]!.detail).toBe('has [masked]');
  });
});

const table = vi.hoisted(() => ({ checks: [] as unknown[] }));
vi.mock('../../../templates/scripts/gitlab.ts', () => ({ checks: [] }));
vi.mock('../../../templates/scripts/runner.ts', () => ({ checks: [] }));
vi.mock('../../../templates/scripts/jobs.ts', () => table);
vi.mock('../../../templates/scripts/host.ts', async original => ({
  ...(await original<object>()),
  checks: [],
}));

describe('scripts/run doctor', () => {
  const lines: string[] = [];
  beforeEach(() => {
    lines.length = 0;
    process.env.GITLAB_URL = 'https://gitlab.example.com';
    vi.spyOn(console, 'log').mockImplementation(line => void lines.push(line));
  });
  afterEach(() => {
    vi.restoreAllMocks();
    delete process.env.GITLAB_URL;
    process.exitCode = undefined;
  });
  const run = async (checks: Check[], words: string[] = [], seconds?: number) => {
    table.checks.splice(0, table.checks.length, ...checks);
    await main(words, seconds);
    return process.exitCode;
  };
  const all = check('all', (_, note) => {
    note('ok', 'fine');
    note('warning', 'old', 'One thing,\nor another.');
    note('unknown', 'dark');
  });
  const failing = check('bad', (_, note) => note('failed', 'broken', 'Mend it.'));

  it('prints a line for each finding, the remedy below, and the counts last', async () => {
    await run([all, failing]);
    expect(lines.join('\n')).toBe(
      [
        'ok           all          fine',
        'warning      all          old',
        '                          One thing,',
        '                          or another.',
        'cannot tell  all          dark',
        'FAILED       bad          broken',
        '                          Mend it.',
        '1 ok, 1 warning, 1 FAILED, 1 cannot tell',
      ].join('\n'),
    );
  });

  it('ends with 1 only where something failed', async () => {
    expect(await run([all])).toBe(0);
    expect(await run([all, failing])).toBe(1);
  });

  it('prints one JSON object, and nothing else, with --json', async () => {
    expect(await run([all, failing], ['--json'])).toBe(1);
    const { ok, findings: found } = JSON.parse(lines.join('\n'));
    expect([ok, found.length]).toEqual([false, 4]);
    expect(found[3]).toEqual({ check: 'bad', verdict: 'failed', detail: 'broken', remedy: 'Mend it.' });
  });

  it('runs what a check needs before it, and refuses a name that no check has', async () => {
    const order: string[] = [];
    const of = (name: string, needs: string[] = []) => check(name, () => void order.push(name), needs);
    await run(
      [of('engine'), of('compose', ['engine']), of('other'), of('container', ['compose'])],
      ['container'],
    );
    expect(order).toEqual(['engine', 'compose', 'container']);
    await expect(run([all], ['typo'])).rejects.toMatchObject({ remedy: 'There are: all.' });
  });

  it('runs only the checks that it is given by name', async () => {
    await run([all, failing], ['bad']);
    expect(lines.join('\n')).toMatch(/^FAILED {7}bad {10}broken\n +Mend it\.\n0 ok, .*1 FAILED/);
  });

  it('ends whatever hangs', async () => {
    expect(await run([check('hung', () => never)], [], 0)).toBe(0);
    expect(lines.join()).toMatch(/cannot tell {2}hung .*time ran out/);
  });
});
