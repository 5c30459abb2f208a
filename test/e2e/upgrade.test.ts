import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { GitLabServer } from '../support/gitlab-server.ts';
import { needs } from '../support/needs.ts';
import { type Engine, engine } from './support/engines.ts';
import { eventually, output } from './support/program.ts';
import { Repository } from './support/repository.ts';

const modern = engine('modern');
const able = needs(modern !== undefined, 'a Docker Engine (E2E_ENGINES)');

vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 });

describe.skipIf(!able)('make upgrade', () => {
  const { registry, user, password, hostAddress } = modern ?? ({} as Engine);
  const image = `${registry}/upgrades/gitlab-runner`;
  let gitlab: GitLabServer;
  let repository: Repository;

  const imageLine = () => /^ {4}image: (.*)$/m.exec(repository.read('docker-compose.yml'))?.[1];
  const version = async () =>
    (await repository.make('status')).output.match(/^version +(\S+)/m)?.[1]?.replace(';', '');
  const startJob = async (seconds: number) => {
    const id = gitlab.queueJob({ seconds });
    await eventually(() => expect(gitlab.jobs.get(id)?.state).toBe('running'));
    return () => gitlab.jobs.get(id)?.state;
  };

  beforeAll(async () => {
    gitlab = await GitLabServer.start({ host: '0.0.0.0' });
    const url = gitlab.url.replace('127.0.0.1', hostAddress);
    const options = ['--gitlab-url', url, '--runner-image', `${image}:alpine-v19.2.0`];
    repository = await Repository.scaffold(modern!, options, 'upgrade-');
    await output(['docker', 'login', '--username', user, '--password-stdin', registry], {
      ...repository.at(),
      input: password,
    });
    for (const [tag, from] of [
      ['alpine-v19.2.0', 'alpine-v19.2.0'],
      ['alpine-v19.3.0', 'alpine'],
    ]) {
      await repository.docker('tag', `gitlab/gitlab-runner:${from}`, `${image}:${tag}`);
      await repository.docker('push', '--quiet', `${image}:${tag}`);
    }
    // A version that does not start.
    const broken = `FROM gitlab/gitlab-runner:alpine\nRUN printf '#!/bin/sh\\ncase $1 in --version) echo "Version: 19.9.0";; *) exit 3;; esac\\n' >/usr/bin/gitlab-runner\n`;
    await output(['docker', 'build', '--quiet', '--tag', `${image}:broken`, '-'], {
      ...repository.at(),
      input: broken,
    });
    await repository.docker('push', '--quiet', `${image}:broken`);
    repository.writeEnv({ RUNNER_TOKEN: gitlab.addRunner({ tagList: ['docker'] }).token });
    for (const target of ['register', 'up']) {
      const { code, output: text } = await repository.make(target);
      expect(code, text).toBe(0);
    }
  });

  afterAll(async () => {
    await repository?.dispose();
    await gitlab?.stop();
  });

  it('changes nothing where there is nothing newer, or nothing of that name', async () => {
    const before = repository.read('docker-compose.yml');
    const same = await repository.make('upgrade');
    expect([same.code, same.output]).toEqual([0, expect.stringContaining('Nothing was changed.')]);
    const missing = await repository.make('upgrade TO=alpine-v0.0.1');
    expect([missing.code === 0, missing.output]).toEqual([
      false,
      expect.stringContaining('cannot be pulled'),
    ]);
    expect(repository.read('docker-compose.yml')).toBe(before);
  });

  it('goes back by itself where the new version does not become healthy', async () => {
    const before = repository.read('docker-compose.yml');
    repository.edit('scripts/upgrade.ts', 'const patience = 90', 'const patience = 6');
    const { code, output: text } = await repository.make('upgrade TO=broken');
    expect(code).not.toBe(0);
    expect(text).toMatch(/from: 19\.2\.0[\s\S]*to: +19\.9\.0[\s\S]*Going back to 19\.2\.0/);
    expect(text).toMatch(/does not become healthy: .*Version 19\.2\.0 runs again/);
    expect(repository.read('docker-compose.yml')).toBe(before);
    expect(await version()).toBe('19.2.0');
    repository.edit('scripts/upgrade.ts', 'const patience = 6', 'const patience = 90');
  });

  it('lets a job of a minute end, takes no new one meanwhile, and pins what it started', async () => {
    const runs = await startJob(60);
    const upgrade = repository.startMake('upgrade TO=alpine-v19.3.0');
    await upgrade.shows(/Waiting for running jobs to end/);
    // The signal takes its time on a busy machine.
    await eventually(async () =>
      expect(
        (await repository.docker('compose', 'logs', 'runner')).replace(/^.*Configuration loaded/s, ''),
      ).toContain('graceful shutdown'),
    );
    const later = gitlab.queueJob({ seconds: 1 });
    await new Promise(resolve => setTimeout(resolve, 8000));
    expect([runs(), gitlab.jobs.get(later)?.state]).toEqual(['running', 'pending']);
    const { code, output: text } = await upgrade.ended;
    expect(code, text).toBe(0);
    expect(runs()).toBe('success');
    expect(text).toMatch(/from: 19\.2\.0[\s\S]*to: +19\.3\.0/);
    expect(imageLine()).toMatch(/gitlab-runner:alpine-v19\.3\.0@sha256:[0-9a-f]{64}"?$/);
    expect(await version()).toBe('19.3.0');
    // The new one takes what waited.
    await eventually(() => expect(gitlab.jobs.get(later)?.state).toBe('success'), 20);
    expect((await repository.make('validate')).code).toBe(0);
  });

  it('ends what takes longer than it was told to wait', async () => {
    const runs = await startJob(40);
    const started = Date.now();
    const { code, output: text } = await repository.make('upgrade TO=alpine-v19.2.0 WAIT=3');
    expect(code, text).toBe(0);
    expect(Date.now() - started).toBeLessThan(30_000);
    expect(runs()).not.toBe('success');
    expect(await version()).toBe('19.2.0');
  });

  it('can be interrupted while it waits, and then says how to go on', async () => {
    const runs = await startJob(6);
    const upgrade = repository.startMake('upgrade TO=alpine-v19.3.0');
    await upgrade.shows(/Waiting for running jobs to end/);
    process.kill(-upgrade.child.pid!, 'SIGINT');
    const { code, output: text } = await upgrade.ended;
    expect([code === 0, text]).toEqual([false, expect.stringContaining('Start the runner again: make up')]);
    expect(imageLine()).toContain('alpine-v19.2.0@');
    await eventually(() => expect(runs()).toBe('success'), 20);
    await eventually(async () => {
      expect((await repository.make('up')).code).toBe(0);
      expect(await version()).toBe('19.2.0');
    }, 20);
  });
});
