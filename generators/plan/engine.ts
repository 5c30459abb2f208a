import { execFile } from 'node:child_process';

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
 */
export function lookAtEngine(): Promise<Engine | undefined> {
  return new Promise(resolve => {
    const format = '{{.Server.Version}} {{.Server.APIVersion}} {{.Server.MinAPIVersion}}';
    execFile('docker', ['version', '--format', format], { timeout: 2000 }, (error, stdout) => {
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

function isBelow(one: string, other: string): boolean {
  const [major = 0, minor = 0] = one.split('.').map(Number);
  const [otherMajor = 0, otherMinor = 0] = other.split('.').map(Number);
  return major < otherMajor || (major === otherMajor && minor < otherMinor);
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
