// What doctor checks of the way to build images here: jobs have the Docker socket of the host.

import type { Inside, Note } from './doctor.ts';

export const how = 'builds with the engine of the host';
const engineName = 'the engine of the host';

/** What jobs have beside the volumes of settings.ts. */
export const options: string[] = [];

/** Whether the pipeline asks for what this runner does not have. */
export function checkPipeline(text: string, check: string, note: Note): void {
  if (/docker:[\w.-]*dind|name:\s*\S*dind/.test(text)) {
    note(
      'failed',
      check,
      "it starts a dind service, but jobs have the host's Docker socket: the two exclude each other.",
      'Take the service out: docker talks to the host already.',
    );
  }
  if (/DOCKER_HOST:|tcp:\/\/docker:237[56]/.test(text)) {
    note(
      'failed',
      check,
      'it sets DOCKER_HOST, but there is no daemon at that address: jobs have the Docker socket of the host.',
      'Take DOCKER_HOST, DOCKER_TLS_CERTDIR and their like out.',
    );
  }
  const folder = String.raw`(\$\{?PWD|\$\{?CI_PROJECT_DIR|\$\(pwd\)|\.\/)`;
  if (new RegExp(String.raw`docker (run|create)\b.*(-v|--volume|--mount)[ =]\S*${folder}`).test(text)) {
    note(
      'warning',
      check,
      'it mounts a folder of the job with docker run: the engine looks for that path on the host, where it is not.',
      'Copy files in with docker build or docker cp, or mount a named volume.',
    );
  }
}

<%- include('/_parts/scripts/client-of-host.ts') -%>

/** What it means that no engine answers a job, and what to do. */
function unreachable(refusal: string): [detail: string, remedy: string] {
  if (/permission denied/i.test(refusal)) {
    return [
      'a job container may not use the Docker socket, though this host may: SELinux, or a rootless engine.',
      'With SELinux add "label:disable" to the list security_opt in config/template.toml, then: make apply;\n' +
        'with a rootless engine put the path of its socket into docker-compose.yml and scripts/settings.ts; then: make apply',
    ];
  }
  return [
    `no engine answers inside a job container: ${refusal}`,
    'Check volumes in scripts/settings.ts: /var/run/docker.sock must be mounted.',
  ];
}

<%- include('/_parts/scripts/client.ts') -%>
