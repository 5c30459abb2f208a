import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { needs } from '../support/needs.ts';
import { Bench } from './support/bench.ts';
import { type Engine, engine } from './support/engines.ts';

// What doctor says in each case is tested without an engine; here it looks at real ones.

const modern = engine('modern');
const strict = engine('strict');

interface Finding {
  check: string;
  verdict: 'ok' | 'warning' | 'failed' | 'unknown';
  detail: string;
}

/** Runs `make doctor`. */
async function examine({ repository }: Bench, env: NodeJS.ProcessEnv = {}) {
  const { code, stdout } = await repository.make('doctor ARGS=--json', env);
  const report = JSON.parse(stdout) as { ok: boolean; findings: Finding[] };
  expect(code === 0).toBe(report.ok);
  return report.findings;
}

const open = (on: Engine) => Bench.open(on, ['--clean-up', 'none']);
const failed = (findings: Finding[]) => findings.filter(({ verdict }) => verdict === 'failed');

describe.skipIf(!needs(modern !== undefined, 'a Docker Engine (E2E_ENGINES)'))('make doctor', () => {
  let bench: Bench;

  beforeAll(async () => {
    bench = await open(modern!);
    bench.repository.writeEnv({ RUNNER_TOKEN: bench.gitlab.addRunner({ tagList: ['docker'] }).token });
    await bench.succeed('register');
    await bench.succeed('up');
  });
  afterAll(() => bench?.close());

  it('finds all well where it is, and says cannot tell only of what it may not ask', async () => {
    const findings = await examine(bench);
    const others = findings.filter(({ verdict }) => verdict !== 'ok');
    expect(others).toMatchObject([{ check: 'registered', verdict: 'unknown' }]);
    const seen = new Set(findings.map(({ check }) => check));
    for (const check of [
      '.env',
      'engine',
      'compose',
      'GitLab',
      'registered',
      'pipeline',
      'job',
      'config.toml',
    ])
      expect(seen).toContain(check);
  });

  it('fails a socket of jobs that is not there', async () => {
    const { repository } = bench;
    repository.edit('config/config.toml', '"/var/run/docker.sock:', '"/var/run/no-such.sock:');
    const findings = await examine(bench);
    repository.edit('config/config.toml', '"/var/run/no-such.sock:', '"/var/run/docker.sock:');
    expect(failed(findings).map(({ check }) => check)).toContain('job');
  });

  it('fails a token that GitLab does not know any more', async () => {
    bench.gitlab.runners.clear();
    expect(failed(await examine(bench)).map(({ check }) => check)).toContain('registered');
  });

  it('says that no engine answers, and looks at nothing that needs one', async () => {
    const findings = await examine(bench, { DOCKER_HOST: 'unix:///var/run/no-such.sock' });
    expect(failed(findings).map(({ check }) => check)).toContain('engine');
    expect(findings.find(({ check }) => check === 'job')?.verdict).toBe('unknown');
  });
});

describe.skipIf(!needs(strict !== undefined, 'a Docker Engine (E2E_ENGINES)'))(
  'make doctor with an engine that refuses API 1.40',
  () => {
    let bench: Bench;
    beforeAll(async () => {
      bench = await open(strict!);
      bench.repository.writeEnv({});
    });
    afterAll(() => bench?.close());

    it('fails docker:stable, before a job does', async () => {
      const [finding] = failed(await examine(bench));
      expect(finding).toMatchObject({ check: 'job', detail: expect.stringContaining('1.40') });
    });
  },
);
