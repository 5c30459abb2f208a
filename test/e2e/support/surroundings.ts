import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Engine } from './engines.ts';
import { eventually, output } from './program.ts';

/** Whether the images of `.ci/images` are there, or on their way: `E2E_IMAGES` is a file that says when. */
export async function hasImages(on: Engine | undefined): Promise<boolean> {
  if (!on || process.env.E2E_IMAGES) return on !== undefined;
  // The last that `.ci/images load` makes.
  const names = ['docker', 'image', 'ls', '--quiet', 'moby/buildkit'];
  return (await output(names, { cwd: '/', env: on.env })).trim() !== '';
}

/** Waits until those images are there. */
export async function imagesLoaded(): Promise<void> {
  const ready = process.env.E2E_IMAGES;
  while (ready && !existsSync(ready)) {
    if (existsSync(`${ready}.failed`)) throw new Error('.ci/images failed.');
    await new Promise(resolve => setTimeout(resolve, 500));
  }
}

/** Where containers of an engine, and the engine itself, reach ports that it publishes. */
export const bridgeAddress = '10.213.0.1';

/** A registry of an engine's own, as a container: with TLS, a password, or neither as a hub is. */
export class Registry {
  /** The same for the engine, for containers and for builders. */
  readonly address: string;
  readonly #engine: Engine;
  readonly #name = `registry-${randomBytes(4).toString('hex')}`;
  readonly #folder = mkdtempSync(join(tmpdir(), 'registry-'));

  private constructor(engine: Engine, port: number) {
    this.#engine = engine;
    this.address = `${bridgeAddress}:${port}`;
  }

  /**
   * @param tls the certificate that it shows, and that the engine trusts from then on
   * @param isLocked whether it asks for the user and the password of the engine's own registry
   */
  static async start(
    engine: Engine,
    port: number,
    tls?: { key: string; cert: string },
    isLocked = tls !== undefined,
  ): Promise<Registry> {
    const registry = new Registry(engine, port);
    const folder = registry.#folder;
    const options = ['--volume', `${folder}:/e2e:ro`, '--publish', `${port}:5000`];
    if (tls) {
      writeFileSync(join(folder, 'key.pem'), tls.key);
      writeFileSync(join(folder, 'cert.pem'), tls.cert);
      const trusted = join(engine.trust, registry.address);
      mkdirSync(trusted, { recursive: true });
      writeFileSync(join(trusted, 'ca.crt'), tls.cert);
      options.push(
        '--env',
        'REGISTRY_HTTP_TLS_KEY=/e2e/key.pem',
        '--env',
        'REGISTRY_HTTP_TLS_CERTIFICATE=/e2e/cert.pem',
      );
    }
    if (isLocked) {
      options.push('--volume', `${join(process.env.E2E_ENGINES ?? '', 'modern/htpasswd')}:/htpasswd:ro`);
      options.push('--env', 'REGISTRY_AUTH=htpasswd', '--env', 'REGISTRY_AUTH_HTPASSWD_REALM=test');
      options.push('--env', 'REGISTRY_AUTH_HTPASSWD_PATH=/htpasswd');
    }
    await registry.docker('run', '--detach', '--name', registry.#name, ...options, 'registry:2');
    return registry;
  }

  /** Gives it a name on a network of the engine, where it listens on port 5000. */
  async join(network: string, name: string): Promise<void> {
    await this.docker('network', 'connect', '--alias', name, network, this.#name);
  }

  docker(...words: string[]): Promise<string> {
    return output(['docker', ...words], { cwd: '/', env: this.#engine.env });
  }

  logs(): Promise<string> {
    return output(['sh', '-c', 'docker logs "$0" 2>&1', this.#name], { cwd: '/', env: this.#engine.env });
  }

  async stop(): Promise<void> {
    await this.docker('rm', '--force', '--volumes', this.#name);
    rmSync(this.#folder, { recursive: true, force: true });
    rmSync(join(this.#engine.trust, this.address), { recursive: true, force: true });
  }
}

/** Fills a hub with what the example is built from, for both platforms that the emulator knows. */
export async function fillHub(engine: Engine, hub: Registry): Promise<void> {
  const port = hub.address.split(':')[1];
  for (const [image, tag] of [
    ['busybox:latest', 'amd64'],
    ['busybox:arm64', 'arm64'],
  ]) {
    // The engine trusts what is on its own loopback.
    const name = `127.0.0.1:${port}/library/busybox:${tag}`;
    await hub.docker('tag', image!, name);
    await eventually(() => hub.docker('push', '--quiet', name));
    await hub.docker('rmi', name);
  }
  const outside = `${engine.engineAddress}:${port}/library/busybox`;
  const parts = [`${outside}:amd64`, `${outside}:arm64`];
  await hub.docker('manifest', 'create', '--insecure', '--amend', `${outside}:latest`, ...parts);
  await hub.docker('manifest', 'annotate', `${outside}:latest`, `${outside}:arm64`, '--arch', 'arm64');
  await hub.docker('manifest', 'push', '--insecure', '--purge', `${outside}:latest`);
}
