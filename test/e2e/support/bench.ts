import { expect } from 'vitest';
import { GitLabServer, type JobRecord } from '../../support/gitlab-server.ts';
import type { Engine } from './engines.ts';
import { eventually } from './program.ts';
import { Repository } from './repository.ts';

/** A generated repository with the GitLab that it is for: on this host, where the engine's containers reach it. */
export class Bench {
  gitlab: GitLabServer;
  readonly repository: Repository;

  private constructor(gitlab: GitLabServer, repository: Repository) {
    this.gitlab = gitlab;
    this.repository = repository;
  }

  static async open(
    engine: Engine,
    options: readonly string[] = [],
    { allowRegistrationToken = false, name = 'runner-' } = {},
  ): Promise<Bench> {
    const gitlab = await GitLabServer.start({ host: '0.0.0.0', allowRegistrationToken });
    const url = gitlab.url.replace('127.0.0.1', engine.hostAddress);
    const repository = await Repository.scaffold(engine, ['--gitlab-url', url, ...options], name);
    if (engine.runAs.uid !== undefined) repository.useSocket();
    return new Bench(gitlab, repository);
  }

  async close(): Promise<void> {
    await this.repository.dispose();
    await this.gitlab.stop();
  }

  /** Takes GitLab away while the work is done; it is back then at the same address, with the same runners. */
  async withoutGitLab(work: () => Promise<void>): Promise<void> {
    const { runners, url } = this.gitlab;
    await this.gitlab.stop();
    try {
      await work();
    } finally {
      this.gitlab = await GitLabServer.start({ host: '0.0.0.0', port: Number(new URL(url).port) });
      for (const [id, runner] of runners) this.gitlab.runners.set(id, runner);
    }
  }

  /** Runs make, which must end well, and gives what it printed. */
  async succeed(words: string, env: NodeJS.ProcessEnv = {}): Promise<string> {
    const { code, output } = await this.repository.make(words, env);
    expect(code, output).toBe(0);
    return output;
  }

  /** The same, where it must not end well. */
  async fail(words: string, env: NodeJS.ProcessEnv = {}): Promise<string> {
    const { code, output } = await this.repository.make(words, env);
    expect(code, output).not.toBe(0);
    return output;
  }

  /** Gives the runner a job of so many seconds, and waits until it is in that state. */
  async startJob(seconds: number, state: JobRecord['state'] = 'running'): Promise<JobRecord> {
    const job = this.gitlab.jobs.get(this.gitlab.queueJob({ seconds }))!;
    await this.reaches(job, state);
    return job;
  }

  async reaches(job: JobRecord, state: JobRecord['state']): Promise<void> {
    await eventually(() => expect(job.state).toBe(state), 60).catch(async error => {
      const logs = await this.repository.docker('logs', '--tail', '30', await this.repository.container());
      throw new Error(`${error.message}\n${logs}`);
    });
  }
}
