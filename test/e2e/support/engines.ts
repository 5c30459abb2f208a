import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

/**
 * `modern` is Docker 28 with compose 2, `strict` refuses clients below API 1.44, `old` is 20.10 with compose 1.29,
 * `rootless` is Docker 28 as an ordinary user's, and `podman` is Podman 5 where Docker's socket is.
 */
export const engineNames = ['modern', 'strict', 'old', 'rootless', 'podman'] as const;
export type EngineName = (typeof engineNames)[number];

/** A real engine that `.ci/engines up` started, with a registry beside it. */
export interface Engine {
  /** This process's environment, in which `docker` and its compose are that engine's. */
  readonly env: NodeJS.ProcessEnv;
  /** The same, to build an image in as whoever runs the tests. */
  readonly forBuilds: NodeJS.ProcessEnv;
  /** The user who works with it, where that is not the one who runs the tests; for `spawn`. */
  readonly runAs: { readonly uid?: number; readonly gid?: number };
  /** The path of its socket on this host. */
  readonly socket: string;
  /** A folder with Node.js 24 that its user may read; the tests' own unless it says so. */
  readonly node: string | undefined;
  /** Where containers reach servers on this host; a server must listen there or on all addresses. */
  readonly hostAddress: string;
  /** Where this host reaches ports that containers publish. */
  readonly engineAddress: string;
  /** The engine's folder of trusted certificates: `HOST:PORT/ca.crt`. */
  readonly trust: string;
  /** The registry's host and port, the same for this host, the engine and jobs that use its socket. */
  readonly registry: string;
  readonly user: string;
  readonly password: string;
}

/** The engine of that name, or undefined where `E2E_ENGINES` names no folder that has it. */
export function engine(name: EngineName): Engine | undefined {
  const folder = process.env.E2E_ENGINES;
  if (!folder) return undefined;

  const file = join(folder, `${name}.env`);
  if (!existsSync(file)) return undefined;
  const output = execFileSync('sh', ['-c', '. "$0" && env -0', file], { encoding: 'utf8' });
  const env = Object.fromEntries(
    output
      .split('\0')
      .filter(Boolean)
      .map(entry => [entry.slice(0, entry.indexOf('=')), entry.slice(entry.indexOf('=') + 1)]),
  );
  const value = (key: string): string => {
    const found = env[key];
    if (!found) throw new Error(`${file} sets no ${key}.`);
    return found;
  };
  const owner = env.E2E_OWNER ? Number(env.E2E_OWNER) : undefined;
  // Podman has no BuildKit, and what that would leave in a user's folder would be root's.
  const isPlain = name === 'podman' || owner !== undefined;
  return {
    env,
    forBuilds: isPlain ? { ...env, DOCKER_BUILDKIT: '0' } : env,
    runAs: owner === undefined ? {} : { uid: owner, gid: owner },
    socket: value('DOCKER_HOST').replace('unix://', ''),
    node: env.E2E_NODE,
    hostAddress: value('E2E_HOST_ADDRESS'),
    engineAddress: value('E2E_ENGINE_ADDRESS'),
    trust: value('E2E_TRUST'),
    registry: value('E2E_REGISTRY'),
    user: value('E2E_REGISTRY_USER'),
    password: value('E2E_REGISTRY_PASSWORD'),
  };
}
