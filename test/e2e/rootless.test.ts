import { statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GitLabServer } from '../support/gitlab-server.ts';
import { needs } from '../support/needs.ts';
import { engine } from './support/engines.ts';
import { canRunPipelines, ownRegistry, Project, page } from './support/pipeline.ts';
import { Repository } from './support/repository.ts';

const rootless = engine('rootless');
const able =
  needs(rootless !== undefined, 'a rootless Docker Engine (E2E_ENGINES)') &&
  needs(await canRunPipelines(), 'rsync, and gitlab-ci-local in test/tools');

// The runner's days there are in lifecycle.test.ts.
describe.skipIf(!able)('on a rootless engine, whose socket is at $XDG_RUNTIME_DIR/docker.sock', () => {
  let gitlab: GitLabServer;
  let repository: Repository;
  const ownerOf = (path: string) => statSync(join(repository.folder, path)).uid;
  const make = async (words: string, env: NodeJS.ProcessEnv = {}) => {
    const { code, output } = await repository.make(words, env);
    expect(code, output).toBe(0);
    return output;
  };

  beforeAll(async () => {
    gitlab = await GitLabServer.start({ host: '0.0.0.0' });
    const url = gitlab.url.replace('127.0.0.1', rootless!.hostAddress);
    repository = await Repository.scaffold(rootless!, ['--gitlab-url', url], 'rootless-');
  });
  afterAll(async () => {
    await repository?.make('down');
    await repository?.dispose();
    await gitlab?.stop();
  });

  it.each([
    ['by Node.js of the host', {}],
    // The engine's own environment has the Node.js of this host, which is another one.
    ['in a container', { PATH: rootless?.env.PATH }],
  ])('registers %s, and .env stays the user’s alone', async (_way, env) => {
    const { token } = gitlab.addRunner({ tagList: ['docker'] });
    repository.writeEnv({ RUNNER_TOKEN: token });
    expect(await make('register', env)).toContain('Next: make up');
    expect(repository.environment().RUNNER_TOKEN).toBe(token);
    expect([ownerOf('.env'), statSync(join(repository.folder, '.env')).mode & 0o777]).toEqual([
      rootless!.runAs.uid,
      0o600,
    ]);
  });

  it('has a doctor that finds no socket where the files name it, before and after make up, and says what tells it', async () => {
    for (const command of ['status', 'up']) {
      await repository.make(command);
      const { code, output } = await repository.make('doctor ARGS=job');
      expect(code).not.toBe(0);
      expect(output).toMatch(/^FAILED +job +.*finds no socket at the path in config\.toml/m);
      expect(output).toContain('docker-compose.yml: docker context ls');
    }
    expect(await repository.docker('context', 'ls')).toContain(rootless!.socket);
  });

  it('has a doctor that finds all well, with and without Node.js, once the files name that path', async () => {
    repository.useSocket();
    await make('up');
    // By itself: all of it may run out of time where the machine is busy.
    expect(await make('doctor ARGS=job')).toMatch(/^ok +job +a job in docker:stable speaks API/m);
    await make('doctor', { PATH: rootless!.env.PATH });
    expect(ownerOf('config/.runner_system_id')).toBe(rootless!.runAs.uid);
  });

  it('runs a pipeline that builds with its engine and pushes', async () => {
    const project = await Project.create(repository, ownRegistry(rootless!));
    const { code, output } = await project.pipeline({}, { socket: rootless!.socket });
    expect(code, output).toBe(0);
    await project.forget();
    expect(await page(repository, `${project.image}:latest`)).toContain('our own GitLab Runner');
  });
});
