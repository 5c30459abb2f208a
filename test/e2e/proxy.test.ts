import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { GitLabServer } from '../support/gitlab-server.ts';
import { needs } from '../support/needs.ts';
import { asRunner } from './support/as-runner.ts';
import { engine } from './support/engines.ts';
import { canRunPipelines, Project } from './support/pipeline.ts';
import { eventually, output } from './support/program.ts';
import { Repository } from './support/repository.ts';
import { bridgeAddress, fillHub, hasImages, imagesLoaded, Registry } from './support/surroundings.ts';

const modern = engine('modern');
const able =
  needs(modern !== undefined, 'a Docker Engine (E2E_ENGINES)') &&
  needs(await canRunPipelines(), 'rsync, and gitlab-ci-local in test/tools') &&
  needs(await hasImages(modern), 'the images of .ci/images');

vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });

const name = 'gitlab.e2e.test';
const port = { proxy: 3128, registry: 5445 };

/** Only the proxy knows GitLab's name, the registry speaks plain HTTP, and most is taken from jobs. */
describe.skipIf(!able)('BuildKit behind an HTTP proxy, with an insecure registry and strict', () => {
  const proxy = `e2e-proxy-${process.pid}`;
  let gitlab: GitLabServer;
  let registry: Registry;
  let repository: Repository;
  const docker = (...words: string[]) => output(['docker', ...words], { cwd: '/', env: modern!.env });
  /** What the proxy was asked for since it started. */
  const asked = () => output(['sh', '-c', 'docker logs "$0" 2>&1', proxy], { cwd: '/', env: modern!.env });
  const make = async (words: string) => {
    const { code, output: text } = await repository.make(words);
    expect(code, text).toBe(0);
    return text;
  };

  beforeAll(imagesLoaded, 900_000);
  beforeAll(async () => {
    gitlab = await GitLabServer.start({ host: '0.0.0.0' });
    const hosts = ['--add-host', `${name}:${modern!.hostAddress}`];
    const published = ['--publish', `${port.proxy}:3128`];
    await docker('run', '--detach', '--name', proxy, ...hosts, ...published, 'e2e/tinyproxy');
    registry = await Registry.start(modern!, port.registry);
    await fillHub(modern!, registry);
    const places = [
      ...['--gitlab-url', `http://${name}:${new URL(gitlab.url).port}`],
      ...[
        '--http-proxy',
        `http://${modern!.engineAddress}:${port.proxy}`,
        '--proxy-exceptions',
        bridgeAddress,
      ],
      ...['--registry', `${registry.address}/images`, '--insecure-registry', registry.address],
    ];
    const options = [...places, '--builder', 'buildkit', '--hardening', 'strict', '--clean-up', 'none'];
    repository = await Repository.scaffold(modern!, options, 'proxy-');
    // Docker Hub is not to be had here.
    repository.edit('example/Dockerfile', 'FROM busybox', `FROM ${registry.address}/library/busybox`);
    repository.writeEnv({ RUNNER_TOKEN: gitlab.addRunner({ tagList: ['docker'] }).token });
  });
  afterAll(async () => {
    await repository?.make('down');
    await repository?.removeVolumes();
    await repository?.dispose();
    await registry?.stop();
    await docker('rm', '--force', proxy);
    await gitlab?.stop();
  });

  it('registers, looks and takes jobs through the proxy', async () => {
    await make('register');
    await make('up');
    const job = gitlab.jobs.get(gitlab.queueJob({ seconds: 1 }))!;
    await eventually(() => expect(job.state).toBe('success'), 60);
    const report = await eventually(() => make('doctor'), 60);
    expect(report).toMatch(/^ok +GitLab /m);
    expect(report).toMatch(/^ok +job .*answers a job/m);
    expect(await asked()).toContain(name);
  });

  it('builds and pushes to the registry by plain HTTP, in a job from which most was taken', async () => {
    const project = await Project.create(repository, path => ({
      image: `${registry.address}/images/${path}`,
      variables: { REGISTRY_USER: modern!.user, REGISTRY_PASSWORD: modern!.password },
    }));
    const { code, output: text } = await project.pipeline({}, { asRunner: asRunner(repository) });
    expect(code, text).toBe(0);
    expect(await registry.logs()).toMatch(/PUT \/v2\/images\/\S+\/manifests\/latest/);
  });
});
