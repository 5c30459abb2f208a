import { cpSync, existsSync, mkdirSync, mkdtempSync, realpathSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { needs } from '../support/needs.ts';
import { type Engine, engine } from './support/engines.ts';
import {
  ColdHost,
  canRunPipelines,
  jobToken,
  onBranch,
  onTag,
  ownRegistry,
  Project,
  page,
  steps,
} from './support/pipeline.ts';
import { type Outcome, output } from './support/program.ts';
import { Repository } from './support/repository.ts';

const modern = engine('modern');
const old = engine('old');
const able =
  needs(modern !== undefined, 'a Docker Engine (E2E_ENGINES)') &&
  needs(await canRunPipelines(), 'rsync, and gitlab-ci-local in test/tools');
const hasOld = needs(old !== undefined, 'an old Docker Engine (E2E_ENGINES)');

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

/** docker:stable is Docker 19.03. */
const asStable = { DOCKER_API_VERSION: '1.40' };

/** A project made with `--registry HOST/images`. */
const otherRegistry =
  ({ registry, user, password }: Engine) =>
  (path: string) => ({
    image: `${registry}/images/${path}`,
    variables: { REGISTRY_USER: user, REGISTRY_PASSWORD: password, CI_JOB_TOKEN: jobToken },
  });

describe.skipIf(!able)('the sample .gitlab-ci.yml', () => {
  const projects: Project[] = [];
  let project: Project;
  /** Pipelines, and what the registry had after each: from tag to digest. */
  let main: Outcome;
  let version: Outcome;
  let branch: Outcome;
  let afterMain: Record<string, string>;
  let afterVersion: Record<string, string>;
  let afterBranch: Record<string, string>;
  let mainCommit: string;
  let branchCommit: string;

  const create = async (...words: Parameters<typeof Project.create>): Promise<Project> => {
    const created = await Project.create(...words);
    projects.push(created);
    return created;
  };

  /** Another repository, with files of the generated one. */
  const copy = async (on: Engine, paths: readonly string[]): Promise<Repository> => {
    const folder = mkdtempSync(join(tmpdir(), 'copy-'));
    for (const path of paths) {
      cpSync(join(project.repository.folder, path), join(folder, path), { recursive: true });
    }
    await output(['git', 'init', '--quiet', '--initial-branch=main'], { cwd: folder, env: on.env });
    return new Repository(on, folder);
  };

  const expectSuccess = ({ code, output }: Outcome): void => {
    expect(output).not.toContain('FAIL');
    expect(code).toBe(0);
  };

  beforeAll(async () => {
    project = await create(await Repository.scaffold(modern!), ownRegistry(modern!));
    mainCommit = await project.branch('first');
    await project.merge();
    main = await project.pipeline({}, { schema: true });
    afterMain = await project.pushed();
    version = await project.pipeline(onTag('v1.2.3', 'v1-2-3'));
    afterVersion = await project.pushed();
    branchCommit = await project.branch('feature/Second_Try');
    branch = await project.pipeline(asStable);
    afterBranch = await project.pushed();
  });

  afterAll(async () => {
    for (const created of projects) await created.dispose();
  });

  it('builds two pipelines of one commit at once, of which neither disturbs the other', async () => {
    const commit = await project.branch('at-once');
    const both = [onBranch('at-once'), onTag('v2.0.0', 'v2-0-0')];
    for (const outcome of await Promise.all(both.map(variables => project.pipeline(variables)))) {
      expectSuccess(outcome);
    }
    const pushed = await project.pushed();
    for (const name of [commit, 'at-once', 'v2.0.0']) expect(pushed).toHaveProperty(name);
    expect(await project.names()).toEqual([]);
  });

  it('leaves no name of an image on the engine, also where the build fails', async () => {
    const { code } = await project.pipeline({ BUILD_TARGET: 'none' });
    expect(code).not.toBe(0);
    expect(await project.names()).toEqual([]);
  });

  it("is valid by GitLab's own schema", () => {
    expect(main.output).toContain('json schema validated');
  });

  it('logs in, builds, and pushes an image by the SHA of its commit', () => {
    expectSuccess(main);
    expect(main.output).toContain('Login Succeeded');
    expect(afterMain).toHaveProperty(mainCommit);
  });

  it("names the default branch's image by the branch and latest", () => {
    const digest = afterMain[mainCommit];
    expect(afterMain).toEqual({ [mainCommit]: digest, main: digest, latest: digest });
  });

  it('names the image of a Git tag by the version, and by nothing else', () => {
    expectSuccess(version);
    expect(afterVersion).toEqual({ ...afterMain, 'v1.2.3': afterMain[mainCommit] });
  });

  it("names another branch's image by the branch's slug, and leaves latest as it is", () => {
    expectSuccess(branch);
    const digest = afterBranch[branchCommit];
    expect(digest).not.toBe(afterMain[mainCommit]);
    expect(afterBranch).toEqual({
      ...afterVersion,
      [branchCommit]: digest,
      'feature-second-try': digest,
    });
  });

  it('gives the same image back under each of its tags, and it serves the example page', async () => {
    await project.forget();
    const ids: Record<string, string> = {};
    for (const [tag, digest] of Object.entries(afterBranch)) {
      const image = `${project.image}:${tag}`;
      const pulled = await project.repository.docker('pull', image);
      expect(pulled).toContain(`Digest: ${digest}\nStatus: Downloaded newer image`);
      ids[tag] = await project.repository.docker('image', 'inspect', '--format', '{{.Id}}', image);
    }
    expect(ids).toEqual({
      [mainCommit]: ids.main,
      main: ids.main,
      latest: ids.main,
      'v1.2.3': ids.main,
      [branchCommit]: ids['feature-second-try'],
      'feature-second-try': ids['feature-second-try'],
    });
    expect(ids.main).not.toBe(ids['feature-second-try']);
    await project.checkout('main');
    expect(await page(project.repository, `${project.image}:v1.2.3`)).toContain('our own GitLab Runner');
    const changed = await page(project.repository, `${project.image}:feature-second-try`, 'note.txt');
    expect(changed).toMatch(/^feature\/Second_Try /);
  });

  describe('where a build has been before', () => {
    it("takes the host's layers up to the first that changed", async () => {
      await project.branch('warm');
      // Nothing is in this registry path: what is reused is on the host.
      const CI_REGISTRY_IMAGE = `${project.image}/empty`;
      const { code, output } = await project.pipeline({ CI_REGISTRY_IMAGE });
      expect(code).toBe(0);
      expect(output).toMatch(/empty:latest: not found/);
      expect(steps(output)).toMatchObject({ RUN: 'CACHED', COPY: 'DONE' });
    });

    it('lets a cold host take the layers from the registry, by --cache-from', async () => {
      const host = await ColdHost.start(modern!);
      try {
        await project.branch('cold');
        const example = join(project.repository.folder, 'example');
        await expect(host.docker('build', example)).rejects.toThrow(/RUN .*\n?.*network bridge not found/);
        const image = project.image.replace(modern!.registry, host.registry);
        const registry = { CI_REGISTRY: host.registry, CI_REGISTRY_IMAGE: image };
        const { code, output } = await project.pipeline(registry, { socket: host.socket });
        expect(code).toBe(0);
        expect(output).toContain(`importing cache manifest from ${image}:latest`);
        expect(steps(output)).toMatchObject({ RUN: 'CACHED', COPY: 'DONE' });
      } finally {
        await host.stop();
      }
    });
  });

  describe('where it cannot push', () => {
    const failing = async (variables: Record<string, string>): Promise<string> => {
      const { code, output } = await project.pipeline(variables);
      expect(code).not.toBe(0);
      expect(output).not.toContain('docker build');
      return output;
    };

    it('fails with a wrong password, and does not show it', async () => {
      const password = 'wrong %s"\'`\\password';
      const output = await failing({ CI_REGISTRY_PASSWORD: password });
      expect(output).toContain('401 Unauthorized');
      expect(output).not.toContain(password);
    });
  });

  describe('for a registry of the choice of the user', () => {
    let elsewhere: Project;

    beforeAll(async () => {
      const options = ['--registry', `${modern!.registry}/images`];
      elsewhere = await create(await Repository.scaffold(modern!, options), otherRegistry(modern!));
    });

    it('builds and pushes as for that of the project', async () => {
      const other = await elsewhere.branch('elsewhere');
      await elsewhere.merge();
      expectSuccess(await elsewhere.pipeline());
      const pushed = await elsewhere.pushed();
      expect(pushed).toEqual({ [other]: pushed.latest, main: pushed.latest, latest: pushed.latest });
      await elsewhere.forget();
      expect(await page(elsewhere.repository, `${elsewhere.image}:latest`, 'note.txt')).toMatch(
        /^elsewhere /,
      );
    });
  });

  it("works in a user's own project, with BUILD_CONTEXT changed to its top level", async () => {
    const repository = await copy(modern!, ['.gitlab-ci.yml']);
    repository.edit('.gitlab-ci.yml', 'BUILD_CONTEXT: example', 'BUILD_CONTEXT: .');
    repository.write(
      'Dockerfile',
      'FROM busybox:latest\nCOPY site /site\nCMD ["httpd", "-f", "-p", "8080", "-h", "/site"]\n',
    );
    mkdirSync(join(repository.folder, 'site'));
    repository.write('site/index.html', `<html>${repository.folder}</html>`);
    const own = await create(repository, ownRegistry(modern!));
    expectSuccess(await own.pipeline({}));
    const [commit] = Object.keys(await own.pushed());
    await own.forget();
    expect(await page(repository, `${own.image}:${commit}`)).toBe(`<html>${repository.folder}</html>`);
  });

  it("works with a client that speaks API 1.40, as docker:stable's", () => {
    expectSuccess(branch);
  });

  it.skipIf(!hasOld)('works with a client that has no buildx, as that of docker:stable', async () => {
    const client = old!.env
      .PATH!.split(delimiter)
      .map(folder => join(folder, 'docker'))
      .find(existsSync)!;
    const volumes = [`${realpathSync(client)}:/usr/local/bin/docker:ro`];
    await project.branch('old-client');
    const { code, output } = await project.pipeline(asStable, { volumes });
    expect(code).toBe(0);
    // What buildx says first.
    expect(output).not.toContain('building with');
    expect(steps(output)).toMatchObject({ RUN: 'CACHED', COPY: 'DONE' });
  });

  it.skipIf(!hasOld)('works on Docker Engine 20.10', async () => {
    const repository = await copy(old!, ['.gitlab-ci.yml', 'example']);
    const onOld = await create(repository, ownRegistry(old!));
    expectSuccess(await onOld.pipeline());
    await onOld.forget();
    expect(await page(repository, `${onOld.image}:latest`)).toContain('our own GitLab Runner');
  });

  it('has shown no password and no token in all of this', () => {
    const outputs = projects.flatMap(({ outputs }) => outputs);
    expect(outputs.length).toBeGreaterThan(8);
    for (const secret of [modern!.password, jobToken]) {
      expect(outputs.filter(text => text.includes(secret))).toEqual([]);
    }
  });
});
