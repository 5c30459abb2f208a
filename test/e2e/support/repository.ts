import { chownSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { parseEnv } from 'node:util';
import { parse } from 'smol-toml';
import { inject } from 'vitest';
import type { Engine } from './engines.ts';
import { node24 } from './global-setup.ts';
import { type Outcome, output, type Place, type Running, run, start } from './program.ts';

// biome-ignore lint/suspicious/noExplicitAny: the tests look into documents of every shape.
export type Document = any;

/** A generated repository, and the ways in which a user works with it. */
export class Repository {
  readonly folder: string;
  readonly engine: Engine;
  readonly env: NodeJS.ProcessEnv;

  constructor(engine: Engine, folder: string) {
    this.engine = engine;
    this.folder = folder;
    // Node 24, which runs the scripts as they are; one test does without.
    this.env = { ...engine.env, PATH: [engine.node ?? node24, engine.env.PATH].join(delimiter) };
  }

  /** Scaffolds with the packed and installed generator, into a new folder whose name starts as given. */
  static async scaffold(
    engine: Engine,
    options: readonly string[] = [],
    name = 'runner-',
  ): Promise<Repository> {
    const folder = mkdtempSync(join(tmpdir(), name));
    const repository = new Repository(engine, folder);
    repository.#handOver(folder);
    const { env, runAs } = engine;
    await output([inject('command'), folder, '--defaults', ...options], { cwd: folder, env, ...runAs });
    await output(['git', 'init', '--quiet', '--initial-branch=main'], repository.at());
    return repository;
  }

  at(env: NodeJS.ProcessEnv = {}): Place {
    return { cwd: this.folder, env: { ...this.env, ...env }, ...this.engine.runAs };
  }

  /** Makes a file the user's, where the tests run as another one. */
  #handOver(path: string): void {
    const { uid, gid } = this.engine.runAs;
    if (uid !== undefined && gid !== undefined) chownSync(path, uid, gid);
  }

  make(words: string, env: NodeJS.ProcessEnv = {}): Promise<Outcome> {
    return run(['make', '--no-print-directory', ...words.split(' ')], this.at(env));
  }

  /** As `make`, without waiting for its end. */
  startMake(words: string, env: NodeJS.ProcessEnv = {}): Running {
    return start(['make', '--no-print-directory', ...words.split(' ')], this.at(env));
  }

  docker(...words: string[]): Promise<string> {
    return output(['docker', ...words], this.at());
  }

  /** Fills in .env, as a user does by hand. */
  writeEnv(values: Record<string, string>): void {
    let text = readFileSync(join(this.folder, '.env.example'), 'utf8');
    for (const [name, value] of Object.entries(values)) {
      const line = new RegExp(`^${name}=.*$`, 'm');
      text = line.test(text) ? text.replace(line, `${name}=${value}`) : `${text}${name}=${value}\n`;
    }
    writeFileSync(join(this.folder, '.env'), text, { mode: 0o600 });
    this.#handOver(join(this.folder, '.env'));
  }

  /** What .env says now. */
  environment(): Record<string, string | undefined> {
    return parseEnv(this.read('.env'));
  }

  /** The id of a service's container; empty where none runs. */
  async container(service = 'runner'): Promise<string> {
    const labels = [`project.working_dir=${this.folder}`, `service=${service}`];
    const filters = labels.flatMap(label => ['--filter', `label=com.docker.compose.${label}`]);
    return (await this.docker('ps', '--quiet', ...filters)).trim();
  }

  read(path: string): string {
    return readFileSync(join(this.folder, path), 'utf8');
  }

  write(path: string, text: string): void {
    writeFileSync(join(this.folder, path), text);
    this.#handOver(join(this.folder, path));
  }

  /** Names the engine's own socket where the files name Docker's usual one, as doctor tells an owner to do. */
  useSocket(): void {
    for (const path of ['docker-compose.yml', 'config/config.toml'])
      this.edit(path, '/var/run/docker.sock:', `${this.engine.socket}:`);
  }

  /** Changes a file, as a user does in an editor. */
  edit(path: string, from: string, to: string): void {
    const text = this.read(path);
    if (!text.includes(from)) throw new Error(`${path} has no ${from}`);
    this.write(path, text.replaceAll(from, to));
  }

  config(): Document {
    return parse(this.read('config/config.toml'));
  }

  /** Takes the volumes off the engine that its containers have made. */
  async removeVolumes(): Promise<void> {
    const volumes = await this.#listed('volume', 'ls');
    if (volumes.length > 0) await this.docker('volume', 'rm', '--force', ...volumes);
  }

  async dispose(): Promise<void> {
    const containers = await this.#listed('ps', '--all');
    if (containers.length > 0) await this.docker('rm', '--force', '--volumes', ...containers);
    const networks = await this.#listed('network', 'ls');
    if (networks.length > 0) await this.docker('network', 'rm', ...networks);
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** What such a list of docker's holds of this repository's Compose project. */
  async #listed(...words: string[]): Promise<string[]> {
    const project = /^COMPOSE_PROJECT_NAME=(.*)$/m.exec(this.read('.env.example'))?.[1];
    const filter = ['--filter', `label=com.docker.compose.project=${project}`];
    return (await this.docker(...words, '--quiet', ...filter)).trim().split('\n').filter(Boolean);
  }
}
