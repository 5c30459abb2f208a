import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** The image of a Docker Engine that jobs build with, in a container. */
export const engineImage = 'docker:29.10.0-dind';

/** What the local Docker Engine says of itself; API versions are written `major.minor`. */
export interface Engine {
  readonly version: string;
  readonly apiVersion: string;
  readonly minApiVersion: string;
}

/**
 * Asks the local engine, if one answers within two seconds.
 *
 * The range of API versions is read from the engine and never guessed from its version: Engine 29.0
 * raised its minimum to 1.44 and 29.3 lowered it to 1.40 again (moby/moby#51186, #52067), and both can be
 * configured.
 *
 * The engine itself is asked where it is known where it listens: the program docker takes several times as long, and
 * is asked where only that knows, as with a context, or an engine on another host.
 */
export async function lookAtEngine(): Promise<Engine | undefined> {
  const socket = localSocket();
  if (socket === undefined) return askProgram();
  return existsSync(socket) ? askSocket(socket) : undefined;
}

/**
 * The socket that docker would use; undefined where it is another way that docker goes.
 *
 * DOCKER_HOST counts before DOCKER_CONTEXT, and that before the context of `docker context use`:
 * https://docs.docker.com/engine/manage-resources/contexts/
 */
function localSocket(): string | undefined {
  const { DOCKER_HOST, DOCKER_CONTEXT, DOCKER_CONFIG = join(homedir(), '.docker') } = process.env;
  if (DOCKER_HOST) return /^unix:\/\/(\/.*)$/.exec(DOCKER_HOST)?.[1];
  if (process.platform === 'win32') return undefined;
  const context = DOCKER_CONTEXT || currentContext(join(DOCKER_CONFIG, 'config.json'));
  return context === 'default' ? '/var/run/docker.sock' : undefined;
}

function currentContext(file: string): string | undefined {
  try {
    return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')).currentContext || 'default' : 'default';
  } catch {
    // docker says what is wrong with it.
    return undefined;
  }
}

/** Milliseconds in which an engine answers, or is taken for none. */
const patience = 2000;

async function askSocket(socketPath: string): Promise<Engine | undefined> {
  const { get } = await import('node:http');
  return new Promise(resolve => {
    const none = () => resolve(undefined);
    const signal = AbortSignal.timeout(patience);
    // https://docs.docker.com/reference/api/engine/version/v1.51/#tag/System/operation/SystemVersion
    const request = get({ socketPath, path: '/version', signal }, response => {
      let text = '';
      response.setEncoding('utf8').on('data', part => {
        text += part;
      });
      response
        .on('error', none)
        .on('end', () => resolve(response.statusCode === 200 ? engineIn(text) : undefined));
    });
    request.on('error', none);
  });
}

function engineIn(text: string): Engine | undefined {
  try {
    const { Version: version, ApiVersion: apiVersion, MinAPIVersion: minApiVersion } = JSON.parse(text);
    return version && apiVersion && minApiVersion ? { version, apiVersion, minApiVersion } : undefined;
  } catch {
    return undefined;
  }
}

async function askProgram(): Promise<Engine | undefined> {
  const { execFile } = await import('node:child_process');
  return new Promise(resolve => {
    const format = '{{.Server.Version}} {{.Server.APIVersion}} {{.Server.MinAPIVersion}}';
    execFile('docker', ['version', '--format', format], { timeout: patience }, (error, stdout) => {
      const [version, apiVersion, minApiVersion] = stdout.trim().split(' ');
      resolve(
        error || !version || !apiVersion || !minApiVersion
          ? undefined
          : { version, apiVersion, minApiVersion },
      );
    });
  });
}

/**
 * The API version that an image's Docker client speaks at most, where it is a fixed fact.
 *
 * `docker:stable` has been frozen at 19.03.14 since December 2020 (docker-library/docker#301); a client of
 * the 19.03 series speaks API 1.40.
 */
export function frozenClientApi(image: string): string | undefined {
  return /^(docker\.io\/)?(library\/)?docker:(stable|19\.03(\.\d+)?)$/.test(image) ? '1.40' : undefined;
}

/** Whether this is the image `docker` of Docker Hub, in one of its versions: it holds a Docker client and little else. */
export function isOfficialDocker(image: string): boolean {
  return /^(docker\.io\/)?(library\/)?docker(:|@|$)/.test(image);
}

/** Whether the engine refuses the Docker client in this image because its API is too old. */
export function refuses(engine: Engine, image: string): boolean {
  const api = frozenClientApi(image);
  return api !== undefined && isBelow(api, engine.minApiVersion);
}

/** Whether the numbers of a version, as in 1.40 or 0.10.2, are below those of the other. By `Intl` it would take 5 milliseconds. */
export function isBelow(one: string, other: string): boolean {
  const [ones = [], others = []] = [one, other].map(text =>
    text.split('.').map(part => Number.parseInt(part, 10)),
  );
  const at = others.findIndex((number, index) => number !== (ones[index] ?? 0));
  return at >= 0 && (ones[at] ?? 0) < others[at]!;
}

/**
 * Whether an image is pinned to a GitLab Runner older than that version; false where its tag does not say.
 *
 * Tags are called v18.9.0, alpine-v18.9.0 or ubuntu-v18.9.0 (https://hub.docker.com/r/gitlab/gitlab-runner/tags).
 */
export function isOlderRunner(image: string, major: number, minor: number): boolean {
  const tag = /:([\w.-]+)(?:@|$)/.exec(image.slice(image.lastIndexOf('/') + 1))?.[1] ?? '';
  const [, ofTag, minorOfTag] = /(?:^|-)v?(\d+)\.(\d+)(?:\.\d+)?$/.exec(tag) ?? [];
  if (ofTag === undefined) return false;
  return Number(ofTag) < major || (Number(ofTag) === major && Number(minorOfTag) < minor);
}
