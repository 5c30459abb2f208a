import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** How a `docker` on the PATH behaves. */
export type FakeEngine = 'absent' | 'silent' | { readonly version: string; readonly minApiVersion: string };

const answers = ({ version, minApiVersion }: Exclude<FakeEngine, string>) =>
  `printf '%s\\n' "$3" | sed 's/{{.Server.Version}}/${version}/; s/{{.Server.APIVersion}}/1.51/; s/{{.Server.MinAPIVersion}}/${minApiVersion}/'`;

/**
 * Makes a folder with a `docker` that answers `docker version --format FORMAT`, or cannot reach an engine
 * (`absent`), or waits for one that never answers (`silent`).
 *
 * @returns the folder, for the front of PATH
 */
export function fakeDocker(folder: string, engine: FakeEngine): string {
  const body =
    engine === 'absent'
      ? 'echo "Cannot connect to the Docker daemon." >&2; exit 1'
      : engine === 'silent'
        ? 'sleep 60; exit 1' // in a process of its own, as ssh is where DOCKER_HOST is ssh://
        : `test "$1 $2" = 'version --format' && ${answers(engine)}`;
  mkdirSync(folder, { recursive: true });
  const program = join(folder, 'docker');
  writeFileSync(program, `#!/bin/sh\n${body}\n`);
  chmodSync(program, 0o755);
  return folder;
}
