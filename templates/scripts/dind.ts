// What doctor checks of the way to build images here: jobs have a Docker Engine in a container.

import type { Inside, Note } from './doctor.ts';
import { explainContainer, run } from './engine.ts';

export const how = 'builds with an engine in a container, by TLS';
const engineName = 'the engine in a container';

/** How a client finds the engine: one set, as .gitlab-ci.yml has it. */
const variables = {
  DOCKER_HOST: 'tcp://docker:2376',
  DOCKER_TLS_CERTDIR: '/certs',
  DOCKER_CERT_PATH: '/certs/client',
  DOCKER_TLS_VERIFY: '1',
};

/** What jobs have beside the volumes of settings.ts. */
export const options = Object.entries(variables).flatMap(([name, value]) => ['--env', `${name}=${value}`]);

/** The image of the engine beside each job; empty where one engine is there for all. */
function serviceIn(pipeline: string): string {
  return /^ *- *(?:name: *)?["']?(\S*dind[\w.-]*(?:@\S+)?)["']? *$/m.exec(pipeline)?.[1] ?? '';
}

/** Whether the pipeline asks for what this runner does not have. */
export function checkPipeline(text: string, check: string, note: Note): void {
  const wrong = Object.entries(variables).filter(
    ([name, value]) => !new RegExp(`^ *${name}: *["']?${value}["']? *$`, 'm').test(text),
  );
  if (wrong.length > 0) {
    note(
      'failed',
      check,
      `it does not set ${wrong.map(([name]) => name).join(', ')} as the engine needs it: docker would not find it, or not trust it.`,
      `Write under variables: ${wrong.map(([name, value]) => `${name}: "${value}"`).join(', ')}`,
    );
  }
  const serviceImage = serviceIn(text);
  if (/:(stable|edge|test|1[89]\.\d+|20\.0\d)[\w.-]*$/.test(serviceImage)) {
    note(
      'failed',
      check,
      `${serviceImage} is Docker 19.03 or older, which does not start on hosts with cgroup v2.`,
      'Name a current one, for example docker:29.10.0-dind, here and in config/template.toml; then: make apply',
    );
  }
  if (/\btcp:\/\/docker:2375\b|DOCKER_TLS_CERTDIR: *["']{2}/.test(text)) {
    note(
      'failed',
      check,
      'it reaches the engine without TLS (port 2375): whoever reaches that port is root in it.',
      'Use port 2376 and DOCKER_TLS_CERTDIR: "/certs".',
    );
  }
}

<%- include('/_parts/scripts/client-probe.ts') -%>

/** @param seen what the probe found */
export async function checkInside(inside: Inside, note: Note): Promise<void> {
  const { seen, image, pipeline } = inside;
  const serviceImage = serviceIn(pipeline);
  if (serviceImage === '') {
    checkClient(inside, note, { takes: `the engine answers "${seen('refusal')}"`, ways: 'an older engine.' });
    return;
  }
  if (/docker.*not found/i.test(seen('refusal'))) noteNoClient(image, note);
  // Without a job there is no service; so one is started, to see whether it may.
  const container = ['docker', 'run', '--rm', '--privileged', '--entrypoint', 'sh', serviceImage];
  const { status, stdout, stderr } = await run([...container, '-c', 'mount -t tmpfs none /mnt && dockerd --version']);
  if (status === 0) note('ok', 'dind', `${serviceImage} may run privileged; ${stdout.trim()}`);
  else {
    const remedy = `Try it: docker run --rm --privileged ${serviceImage} dockerd --version`;
    note('failed', 'dind', `${serviceImage} does not start: ${explainContainer(stderr)}`, remedy);
  }
}

/** What it means that no engine answers a job, and what to do. */
function unreachable(refusal: string): [detail: string, remedy: string] {
  return [
    `the engine does not answer inside a job container: ${refusal}`,
    'See whether it runs: docker compose logs docker; then: make up',
  ];
}

<%- include('/_parts/scripts/client.ts') -%>
