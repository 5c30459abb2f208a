import { randomBytes, randomInt, randomUUID } from 'node:crypto';
import { appendFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Engine } from './engines.ts';
import { node24 } from './global-setup.ts';
import { eventually, type Outcome, output, run } from './program.ts';
import type { Repository } from './repository.ts';

const gitlabCiLocal = join(node24, '../../gitlab-ci-local/dist/index.js');

/** What runs a `.gitlab-ci.yml` without GitLab; it copies the work tree by rsync. */
export async function canRunPipelines(): Promise<boolean> {
  const { code } = await run(['sh', '-c', 'command -v rsync'], { cwd: '/', env: process.env });
  return code === 0 && existsSync(gitlabCiLocal);
}

/** Variables of a pipeline; those that are undefined are taken away. */
export type Variables = Readonly<Record<string, string | undefined>>;

export const onBranch = (name: string, slug = name): Variables => ({
  CI_COMMIT_BRANCH: name,
  CI_COMMIT_REF_NAME: name,
  CI_COMMIT_REF_SLUG: slug,
});

export const onTag = (name: string, slug: string): Variables => ({
  CI_COMMIT_BRANCH: undefined,
  CI_COMMIT_TAG: name,
  CI_COMMIT_REF_NAME: name,
  CI_COMMIT_REF_SLUG: slug,
});

/** A token that every pipeline gets from GitLab. */
export const jobToken = 'glcbt-64_not-to-be-seen';

/** A project whose images go to its own container registry, as GitLab tells it to each job. */
export const ownRegistry =
  ({ registry, user, password }: Engine) =>
  (path: string) => ({
    image: `${registry}/${path}`,
    variables: {
      CI_REGISTRY: registry,
      CI_REGISTRY_IMAGE: `${registry}/${path}`,
      CI_REGISTRY_USER: user,
      CI_REGISTRY_PASSWORD: password,
      CI_JOB_TOKEN: jobToken,
    },
  });

interface Options {
  /** Options of gitlab-ci-local that give jobs what config.toml does, in place of the mounts below. */
  asRunner?: readonly string[];
  /** Where another engine's socket takes the place of the host's. */
  socket?: string;
  /** Mounts beside those of the runner. */
  volumes?: readonly string[];
  /** Jobs to run, where not the whole pipeline. */
  jobs?: readonly string[];
  /** Whether GitLab's schema is looked at as well, which takes its time. */
  schema?: boolean;
}

/** A repository as a project of GitLab's: gitlab-ci-local runs its `.gitlab-ci.yml` as it is, on a real engine. */
export class Project {
  readonly repository: Repository;
  /** Its image's name, without a tag. */
  readonly image: string;
  /** Everything that its pipelines printed. */
  readonly outputs: string[] = [];
  readonly #variables: Variables;
  /** The numbers of its jobs, one for each pipeline. */
  readonly #ids: string[] = [];

  private constructor(repository: Repository, image: string, variables: Variables) {
    this.repository = repository;
    this.image = image;
    this.#variables = variables;
  }

  /** @param settings from the project's path to where its image is pushed to and the variables for that */
  static async create(
    repository: Repository,
    settings: (path: string) => { image: string; variables: Variables },
  ): Promise<Project> {
    const name = `pipeline-${randomBytes(4).toString('hex')}`;
    const { image, variables } = settings(`team/${name}`);
    const project = new Project(repository, image, variables);
    await project.#git('config', 'user.name', 'Test');
    await project.#git('config', 'user.email', 'test@gitlab.test');
    await project.#git('remote', 'add', 'origin', `https://gitlab.test/team/${name}.git`);
    appendFileSync(join(repository.folder, '.git/info/exclude'), '/.gitlab-ci-local/\n');
    await project.commit();
    await project.#git('update-ref', 'refs/remotes/origin/main', 'HEAD');
    await project.#git('symbolic-ref', 'refs/remotes/origin/HEAD', 'refs/remotes/origin/main');
    return project;
  }

  /** Commits all that was changed. */
  async commit(): Promise<string> {
    await this.#git('add', '--all');
    await this.#git('commit', '--quiet', '--message', 'Change the example');
    return (await this.#git('rev-parse', 'HEAD')).trim();
  }

  /** Makes a branch of main, with a file in the image that no build has had before. */
  async branch(name: string): Promise<string> {
    await this.#git('checkout', '--quiet', '-b', name, 'main');
    const dockerfile = this.repository.read('example/Dockerfile');
    const copy = 'COPY note.txt /srv/\n';
    if (!dockerfile.endsWith(copy)) this.repository.write('example/Dockerfile', dockerfile + copy);
    this.repository.write('example/note.txt', `${name} ${randomUUID()}\n`);
    return this.commit();
  }

  async checkout(branch: string): Promise<void> {
    await this.#git('checkout', '--quiet', branch);
  }

  /** Brings main to where the branch is, and leaves the branch. */
  async merge(): Promise<void> {
    await this.#git('checkout', '--quiet', '-B', 'main');
  }

  /** A pipeline of what is checked out; its jobs get the mounts that the runner gives them. */
  async pipeline(variables: Variables = {}, options: Options = {}): Promise<Outcome> {
    const { socket = '/var/run/docker.sock', volumes = [], jobs = [], schema = false, asRunner } = options;
    const words = ['--pull-policy', 'if-not-present', schema ? [] : '--no-json-schema-validation'];
    if (asRunner) words.push(...asRunner);
    else {
      for (const volume of [`${socket}:/var/run/docker.sock`, '/cache', ...volumes]) {
        words.push('--volume', volume);
      }
    }
    const CI_JOB_ID = String(randomInt(1e12));
    this.#ids.push(CI_JOB_ID);
    const outcome = await this.#gitlabCiLocal({ CI_JOB_ID, ...this.#variables, ...variables }, [
      ...words.flat(),
      ...jobs,
    ]);
    this.outputs.push(outcome.output);
    return outcome;
  }

  /** From each tag that the registry has for this project to its image's digest. */
  async pushed(): Promise<Record<string, string>> {
    const { tags } = (await (await this.#registry('tags/list')).json()) as { tags: string[] | null };
    const digests: Record<string, string> = {};
    for (const tag of tags ?? []) {
      const { headers } = await this.#registry(`manifests/${tag}`);
      digests[tag] = headers.get('docker-content-digest') ?? '';
    }
    return digests;
  }

  /** The names on the engine that its pipelines may have given. */
  async names(): Promise<string[]> {
    const builds = this.#ids.map(id => `build-${id}`);
    const names = [...builds, this.image, `${this.image}/*`].flatMap(name => [
      '--filter',
      `reference=${name}`,
    ]);
    const format = ['--format', '{{.Repository}}:{{.Tag}}'];
    return (await this.repository.docker('images', ...format, ...names)).split('\n').filter(Boolean);
  }

  /** Takes all images that were pulled from its registry off the engine. */
  async forget(): Promise<void> {
    const images = (await this.names()).filter(name => name.startsWith(this.image));
    if (images.length > 0) await this.repository.docker('rmi', ...images);
  }

  async dispose(): Promise<void> {
    await this.forget();
    rmSync(this.repository.folder, { recursive: true, force: true });
  }

  #git(...words: string[]): Promise<string> {
    return output(['git', ...words], this.repository.at());
  }

  #gitlabCiLocal(variables: Variables, words: readonly string[]): Promise<Outcome> {
    const options = ['--no-color', '--ignore-predefined-vars', Object.keys(variables).join(',')];
    for (const [name, value] of Object.entries(variables)) {
      if (value === undefined) options.push('--unset-variable', name);
      else options.push('--variable', `${name}=${value}`);
    }
    return run([join(node24, 'node'), gitlabCiLocal, ...words, ...options], this.repository.at());
  }

  async #registry(path: string): Promise<Response> {
    const { registry, user, password } = this.repository.engine;
    const name = this.image.slice(registry.length + 1);
    const response = await fetch(`http://${registry}/v2/${name}/${path}`, {
      headers: {
        accept: 'application/vnd.docker.distribution.manifest.v2+json, application/json',
        authorization: `Basic ${btoa(`${user}:${password}`)}`,
      },
    });
    if (!response.ok && response.status !== 404) throw new Error(`${path}: HTTP ${response.status}`);
    return response;
  }
}

/** What became of each kind of instruction in a build, by BuildKit's own words. */
export function steps(output: string): Record<string, string> {
  const names = new Map<string, string>();
  const found: Record<string, string> = {};
  for (const [, id = '', text = ''] of output.matchAll(/> (#\d+) (.*)$/gm)) {
    const instruction = /^\[(?:linux\S* )?\d+\/\d+\] (\w+)/.exec(text)?.[1];
    if (instruction) names.set(id, instruction);
    const name = names.get(id);
    const state = /^(CACHED|DONE)/.exec(text)?.[1];
    if (name && state && found[name] !== 'CACHED') found[name] = state;
  }
  return found;
}

/**
 * A host that has nothing but the base image, and no network for `RUN`: such a step fails there, so that a
 * build shows that it took the step's layer from elsewhere. It reaches the other engine's registry.
 */
export class ColdHost {
  readonly socket: string;
  /** That registry's address here: a port of the container whose network this host shares. */
  readonly registry = '127.0.0.1:5000';
  readonly #engine: Engine;
  readonly #folder = mkdtempSync(join(tmpdir(), 'cold-host-'));
  readonly #name = `cold-host-${randomBytes(4).toString('hex')}`;

  private constructor(engine: Engine) {
    this.#engine = engine;
    this.socket = join(this.#folder, 'docker.sock');
  }

  static async start(engine: Engine): Promise<ColdHost> {
    const host = new ColdHost(engine);
    const at = { cwd: '/', env: engine.env };
    const port = engine.registry.split(':')[1];
    const registry = (await output(['docker', 'ps', '--quiet', '--filter', `publish=${port}`], at)).trim();
    const container = ['--detach', '--name', host.#name, '--privileged'];
    const shared = ['--network', `container:${registry}`, '--volume', `${host.#folder}:${host.#folder}`];
    const dockerd = ['--entrypoint', 'dockerd', 'docker:dind', '--host', `unix://${host.socket}`];
    // A daemon without a bridge removes docker0: never give it the network of the engine's own host.
    const network = ['--bridge=none', '--iptables=false', '--ip6tables=false'];
    await output(['docker', 'run', ...container, ...shared, ...dockerd, ...network], at);
    try {
      await eventually(() => host.docker('version'));
      const copy = 'docker save busybox:latest | docker --host "$0" load';
      await output(['sh', '-c', copy, `unix://${host.socket}`], at);
    } catch (error) {
      await host.stop();
      throw error;
    }
    return host;
  }

  docker(...words: string[]): Promise<string> {
    return output(['docker', '--host', `unix://${this.socket}`, ...words], {
      cwd: '/',
      env: this.#engine.env,
    });
  }

  async stop(): Promise<void> {
    await output(['docker', 'rm', '--force', '--volumes', this.#name], { cwd: '/', env: this.#engine.env });
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** What a container of the image answers to a browser that asks for this path. */
export async function page(repository: Repository, image: string, path = ''): Promise<string> {
  const name = `page-${randomBytes(4).toString('hex')}`;
  await repository.docker('run', '--detach', '--name', name, '--publish', '8080', image);
  try {
    const port = /:(\d+)$/m.exec(await repository.docker('port', name, '8080'))?.[1];
    const url = `http://${repository.engine.engineAddress}:${port}/${path}`;
    return await eventually(async () => (await fetch(url)).text());
  } finally {
    await repository.docker('rm', '--force', '--volumes', name);
  }
}
