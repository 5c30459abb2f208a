// What doctor checks of the way to build images here: jobs send their builds to BuildKit, by TLS.

import type { Inside, Note } from './doctor.ts';

export const how = 'builds with BuildKit';

/** What jobs have beside the volumes of settings.ts. */
export const options: string[] = [];

/** Whether the pipeline asks for what this runner does not have. */
export function checkPipeline(text: string, check: string, note: Note): void {
  if (!/tcp:\/\/buildkit:1234/.test(text)) {
    note(
      'failed',
      check,
      'it does not send its builds to BuildKit.',
      'See "docker buildx create" in the .gitlab-ci.yml that came with this repository.',
    );
  }
  const [, command] = /\bdocker(?: container)? (run|exec|pull|push|compose)\b/.exec(text) ?? [];
  if (command !== undefined) {
    note(
      'warning',
      check,
      `it has "docker ${command}", but jobs have no engine: BuildKit builds and pushes, and does nothing else.`,
      'Run containers as jobs of their own, with "image:", or as "services:"; push with docker buildx build --push.',
    );
  }
}

/** What a job container finds, one `key=value` a line. */
export const probe = `
  echo "buildx=$(docker buildx version 2>&1 | tail -n 1)"
  for name in ca cert key; do [ -r /certs/client/$name.pem ] || echo "missing=/certs/client/$name.pem"; done
  keys=cacert=/certs/client/ca.pem,cert=/certs/client/cert.pem,key=/certs/client/key.pem
  docker buildx create --name probe --driver remote --driver-opt $keys tcp://buildkit:1234 >/dev/null 2>&1
  echo "builder=$(docker buildx inspect --bootstrap probe 2>&1 | grep -E '^(ERROR|Error|Status|BuildKit version)' | tail -n 1)"`;

/** @param seen what the probe found */
export function checkInside({ seen, image }: Inside, note: Note): void {
  const check = 'BuildKit';
  if (!/buildx/.test(seen('buildx'))) {
    note(
      'failed',
      check,
      `there is no "docker buildx" in ${image}: ${seen('buildx')}`,
      'Name an image that has it, such as docker:cli, in scripts/settings.ts (then: make apply) and .gitlab-ci.yml.',
    );
  } else if (seen('missing') !== '') {
    note(
      'failed',
      check,
      `a job container finds no certificate at ${seen('missing')}.`,
      'Check volumes in scripts/settings.ts, and: docker compose logs buildkit-certs',
    );
  } else if (!/running|version/i.test(seen('builder'))) {
    note(
      'failed',
      check,
      `BuildKit does not answer inside a job container: ${seen('builder') || 'no answer'}`,
      'See whether it runs: docker compose logs buildkit; then: make up',
    );
  } else {
    note('ok', check, `answers a job container, which shows its certificate (${seen('builder')})`);
  }
}
