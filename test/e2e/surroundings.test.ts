import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { selfSigned } from '../support/certificates.ts';
import { GitLabServer } from '../support/gitlab-server.ts';
import { needs } from '../support/needs.ts';
import { asRunner } from './support/as-runner.ts';
import { engine } from './support/engines.ts';
import { canRunPipelines, Project } from './support/pipeline.ts';
import { eventually, output } from './support/program.ts';
import { Repository } from './support/repository.ts';
import { fillHub, hasImages, imagesLoaded, Registry } from './support/surroundings.ts';

const modern = engine('modern');
const able = needs(modern !== undefined, 'a Docker Engine (E2E_ENGINES)');
const docker = (...words: string[]) => output(['docker', ...words], { cwd: '/', env: modern!.env });

/** Runs make, which must end well. */
async function succeed(repository: Repository, words: string): Promise<string> {
  const { code, output: text } = await repository.make(words);
  expect(code, text).toBe(0);
  return text;
}

/** Registers and starts the runner, and lets it do a job. */
async function isOfUse(repository: Repository, gitlab: GitLabServer): Promise<void> {
  repository.writeEnv({ RUNNER_TOKEN: gitlab.addRunner({ tagList: ['docker'] }).token });
  await succeed(repository, 'register');
  expect(await succeed(repository, 'doctor')).toMatch(/^ok +GitLab /m);
  await succeed(repository, 'up');
  const job = gitlab.jobs.get(gitlab.queueJob({ seconds: 1 }))!;
  await eventually(() => expect(job.state).toBe('success'), 60);
}

describe.skipIf(!able)('where GitLab has a private authority, and a name that DNS does not know', () => {
  const name = 'gitlab.e2e.test';
  const certificate = selfSigned(name);
  let gitlab: GitLabServer;
  let repository: Repository;

  beforeAll(async () => {
    gitlab = await GitLabServer.start({ host: '0.0.0.0', tls: certificate });
    const places = ['--gitlab-url', `https://${name}:${new URL(gitlab.url).port}`, '--private-ca'];
    const hosts = ['--extra-hosts', `${name}:${modern!.hostAddress}`, '--clean-up', 'none'];
    repository = await Repository.scaffold(modern!, [...places, ...hosts], 'surroundings-');
  });
  afterAll(async () => {
    await repository?.make('down');
    await repository?.removeVolumes();
    await repository?.dispose();
    await gitlab?.stop();
  });

  it('says that the certificate is not trusted, and registers nothing', async () => {
    repository.writeEnv({ RUNNER_TOKEN: gitlab.addRunner({ tagList: ['docker'] }).token });
    const { code, output: text } = await repository.make('register');
    expect([code === 0, text]).toEqual([false, expect.stringContaining('config/certs/ca.crt')]);
  });

  it('works once its certificate is there', async () => {
    mkdirSync(join(repository.folder, 'config/certs'), { recursive: true });
    repository.write('config/certs/ca.crt', certificate.cert);
    await isOfUse(repository, gitlab);
  });
});

const withPipelines =
  able &&
  needs(await canRunPipelines(), 'rsync, and gitlab-ci-local in test/tools') &&
  needs(await hasImages(modern), 'the images of .ci/images');

describe.skipIf(!withPipelines)('where GitLab and the registry are known only on a network of Docker', () => {
  const network = `e2e-gitlab-${process.pid}`;
  const name = 'registry:5000';
  let gitlab: GitLabServer;
  let registry: Registry;
  let repository: Repository;

  beforeAll(imagesLoaded, 900_000);
  beforeAll(async () => {
    gitlab = await GitLabServer.start({ host: '0.0.0.0' });
    await docker('network', 'create', network);
    registry = await Registry.start(modern!, 5446);
    await registry.join(network, 'registry');
    await fillHub(modern!, registry);
    const [host, port] = [modern!.hostAddress, new URL(gitlab.url).port];
    const forward = `const net = require('node:net');
      net.createServer(one => { const other = net.connect(${port}, '${host}'); one.pipe(other).pipe(one);
        for (const end of [one, other]) end.on('error', () => { one.destroy(); other.destroy(); }); }).listen(80);`;
    await docker(
      ...['run', '--detach', '--name', network, '--network', network, '--network-alias', 'gitlab'],
      ...['--entrypoint', 'node', 'gitlab/gitlab-runner:alpine', '--eval', forward],
    );
    const options = ['--gitlab-url', 'http://gitlab', '--docker-network', network, '--clean-up', 'none'];
    // The host's engine knows no names of that network; Buildah is in the job, which does.
    const builds = ['--builder', 'buildah', '--registry', `${name}/images`, '--insecure-registry', name];
    repository = await Repository.scaffold(modern!, [...options, ...builds], 'network-');
    repository.edit('example/Dockerfile', 'FROM busybox', `FROM ${name}/library/busybox`);
  });
  afterAll(async () => {
    await repository?.make('down');
    await docker('rm', '--force', network);
    await repository?.dispose();
    await registry?.stop();
    await docker('network', 'rm', network);
    await gitlab?.stop();
  });

  it('registers, looks and works from containers on that network', () => isOfUse(repository, gitlab));

  it('builds and pushes in a job on that network', async () => {
    const project = await Project.create(repository, path => ({
      image: `${name}/images/${path}`,
      variables: { REGISTRY_USER: modern!.user, REGISTRY_PASSWORD: modern!.password },
    }));
    const { code, output: text } = await project.pipeline({}, { asRunner: asRunner(repository) });
    expect(code, text).toBe(0);
    expect(await registry.logs()).toMatch(/PUT \/v2\/images\/\S+\/manifests\/latest/);
  });
});
