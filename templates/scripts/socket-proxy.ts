// What doctor checks of the way to build images here: jobs reach the engine of the host through a proxy.

import type { Inside, Note } from './doctor.ts';

export const how = 'builds with the engine of the host, through the proxy';
const engineName = 'the engine of the host, through the proxy';

/** The address of the proxy on the network of the jobs, as .gitlab-ci.yml has it. */
const address = 'tcp://docker-proxy:2375';

/** What jobs have beside the volumes of settings.ts. */
export const options = ['--env', `DOCKER_HOST=${address}`];

/** Whether the pipeline asks for what this runner does not have. */
export function checkPipeline(text: string, check: string, note: Note): void {
  if (!new RegExp(`DOCKER_HOST: *["']?${address}`).test(text)) {
    note(
      'failed',
      check,
      'it does not set DOCKER_HOST to the proxy: docker finds no engine in a job.',
      `Write DOCKER_HOST: ${address} under variables.`,
    );
  }
  const [, command] = /\bdocker(?: container)? (run|create|exec|cp|start|commit)\b|\bdocker compose up\b/.exec(text) ?? [];
  if (command !== undefined) {
    note(
      'warning',
      check,
      `it has "docker ${command}", which the proxy refuses: it lets only builds, pulls and pushes through.`,
      'Run that as a job of its own, with "image:", or as a "service:" of the job.',
    );
  }
}

<%- include('/_parts/scripts/client-of-host.ts') -%>

/** What it means that no engine answers a job, and what to do. */
function unreachable(refusal: string): [detail: string, remedy: string] {
  return [
    `the proxy does not answer inside a job container: ${refusal}`,
    'See whether it runs: docker compose logs docker-proxy; then: make up',
  ];
}

<%- include('/_parts/scripts/client.ts') -%>
