import { copyFileSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RunnerRecord } from '../support/gitlab-server.ts';
import { needs } from '../support/needs.ts';
import { Bench } from './support/bench.ts';
import { engine } from './support/engines.ts';
import { InnerEngine } from './support/inner-engine.ts';
import { eventually, output } from './support/program.ts';
import { Repository } from './support/repository.ts';

const [modern, strict] = [engine('modern'), engine('strict')];
const isReady = modern !== undefined && strict !== undefined;

/** Two engines, each in a network of its own, stand for the engines of two hosts. */
describe.skipIf(!needs(isReady, 'two Docker Engines (E2E_ENGINES)'))('one runner on two hosts', () => {
  let bench: Bench;
  let second: Repository;
  let runner: RunnerRecord;

  /** As somebody does who copies the file; GitLab is at another address in each of the two networks. */
  const copyEnv = () => {
    copyFileSync(join(bench.repository.folder, '.env'), join(second.folder, '.env'));
    second.edit('.env', modern!.hostAddress, strict!.hostAddress);
  };
  const idOf = (host: Repository) => host.read('config/.runner_system_id');
  const succeed = async (host: Repository, words: string, env: NodeJS.ProcessEnv = {}) => {
    const { code, output: text } = await host.make(words, env);
    expect(code, text).toBe(0);
    return text;
  };
  /** Two jobs at once, where each host takes one at a time. */
  const bothTakeJobs = async () => {
    const ids = [1, 2].map(() => bench.gitlab.queueJob({ seconds: 10 }));
    const jobs = ids.map(id => bench.gitlab.jobs.get(id)!);
    await eventually(() => expect(jobs.map(({ state }) => state)).toEqual(['success', 'success']), 90);
    const hosts = [bench.repository, second].map(idOf).sort();
    expect(jobs.map(({ systemId }) => systemId).sort()).toEqual(hosts);
  };

  beforeAll(async () => {
    bench = await Bench.open(modern!, ['--concurrent', '1', '--clean-up', 'none']);
    const { repository, gitlab } = bench;
    runner = gitlab.addRunner({ tagList: ['docker'], description: 'My Docker Runner' });
    repository.writeEnv({
      RUNNER_TOKEN: runner.token,
      GITLAB_ACCESS_TOKEN: gitlab.addAccessToken(['manage_runner']),
    });
    await output(['git', 'add', '--all'], repository.at());
    const author = ['-c', 'user.name=Test', '-c', 'user.email=test@gitlab.test'];
    await output(['git', ...author, 'commit', '--quiet', '--message', 'A runner'], repository.at());
    const folder = mkdtempSync(join(tmpdir(), 'second-host-'));
    await output(['git', 'clone', '--quiet', repository.folder, folder], repository.at());
    second = new Repository(strict!, folder);
    copyEnv();
  });
  afterAll(async () => {
    await second?.dispose();
    await bench?.close();
  });

  it('a clone with the same .env is a second manager, and takes jobs beside the first', async () => {
    for (const host of [bench.repository, second]) await succeed(host, 'up');
    expect(idOf(second)).not.toBe(idOf(bench.repository));
    await bothTakeJobs();
    expect([...runner.managers.keys()].sort()).toEqual([bench.repository, second].map(idOf).sort());
  });

  it('doctor and status name both on each, with their last contact', async () => {
    for (const [here, there] of [
      [bench.repository, second],
      [second, bench.repository],
    ] as const) {
      const line = (text: string) => /^ok +registered +hosts of .*$/m.exec(text)?.[0] ?? text;
      for (const command of ['status', 'doctor']) {
        const shown = line((await here.make(command)).output);
        expect(shown).toMatch(new RegExp(`${idOf(here)} \\(this host\\), last seen \\d{4}-\\d\\d-\\d\\dT`));
        expect(shown).toMatch(new RegExp(`${idOf(there)}, last seen \\d{4}-\\d\\d-\\d\\dT`));
      }
    }
  });

  it('a new token is void on the other host, as --rotate warns, until its .env and its container have it', async () => {
    const warned = await bench.succeed('register ARGS=--rotate', { YES: '1' });
    expect(warned).toMatch(/^The old token is void at once, wherever it is in use:$/m);
    expect(warned).toMatch(new RegExp(`^  ${idOf(second)}, last seen`, 'm'));
    const { code, output: text } = await second.make('status');
    expect(code, text).not.toBe(0);
    expect(text).toMatch(/^FAILED +registered +GitLab does not accept RUNNER_TOKEN\./m);
    copyEnv();
    for (const host of [bench.repository, second]) await succeed(host, 'up');
    await bothTakeJobs();
  });

  it('doctor fails where the engine does not see this folder, and make up starts nothing there', async () => {
    const inner = await InnerEngine.start(bench.repository, ['gitlab/gitlab-runner:alpine']);
    try {
      const findings = await bench.fail('doctor', inner.env);
      const elsewhere = `bind source path does not exist: ${bench.repository.folder}/config`;
      expect(findings).toMatch(new RegExp(`^FAILED +config\\.toml .*${elsewhere}`, 'm'));
      expect(await bench.fail('up', inner.env)).toContain(elsewhere);
      expect(await inner.docker('ps', '--all', '--quiet')).toBe('');
    } finally {
      await inner.remove();
    }
  });
});
