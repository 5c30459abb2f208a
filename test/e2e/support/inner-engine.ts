import { randomBytes } from 'node:crypto';
import { eventually, output } from './program.ts';
import type { Repository } from './repository.ts';

/** An engine in a container, for tests that stop, fill or empty one as none that others use may be. */
export class InnerEngine {
  readonly name = `inner-${randomBytes(4).toString('hex')}`;
  readonly #repository: Repository;
  #address = '';

  private constructor(repository: Repository) {
    this.#repository = repository;
  }

  /**
   * Starts one, and waits until it answers.
   *
   * @param images those of the outer engine that it has too
   * @param options of `docker run`, and of dockerd
   */
  static async start(
    repository: Repository,
    images: readonly string[],
    { container = [], dockerd = [] }: { container?: readonly string[]; dockerd?: readonly string[] } = {},
  ): Promise<InnerEngine> {
    const inner = new InnerEngine(repository);
    const open = ['--env', 'DOCKER_TLS_CERTDIR=', '--publish', '0.0.0.0::2375'];
    const options = ['--detach', '--privileged', '--name', inner.name, ...open, ...container];
    await repository.docker('run', ...options, 'docker:dind', ...dockerd);
    await inner.find();
    const copy = `docker save ${images.join(' ')} | DOCKER_HOST=${inner.env.DOCKER_HOST} docker load`;
    await output(['sh', '-c', copy], repository.at());
    return inner;
  }

  /** The environment in which docker is this engine's. */
  get env(): { DOCKER_HOST: string } {
    return { DOCKER_HOST: this.#address };
  }

  /** Looks for its port, which changes when the container is restarted, and waits until it answers. */
  async find(): Promise<void> {
    const ports = await this.#repository.docker('port', this.name, '2375');
    const port = ports.trim().split('\n')[0]?.split(':').at(-1);
    this.#address = `tcp://${this.#repository.engine.engineAddress}:${port}`;
    await eventually(() => this.docker('version'), 60);
  }

  docker(...words: string[]): Promise<string> {
    return output(['docker', ...words], this.#repository.at(this.env));
  }

  /** Runs a script in its container. */
  shell(script: string): Promise<string> {
    return this.#repository.docker('exec', this.name, 'sh', '-c', script);
  }

  async remove(): Promise<void> {
    await this.#repository.docker('rm', '--force', '--volumes', this.name);
  }
}
