// What jobs ask for and find where they build with a Docker Engine in a container.

import { type Finding, lastLine, whyNoImage } from './host.ts';
import { type Builder, type Inside, judgeClient } from './jobs.ts';

/** How a client finds the engine, as .gitlab-ci.yml has it. */
const variables = {
  DOCKER_HOST: 'tcp://docker:2376',
  DOCKER_TLS_CERTDIR: '/certs',
  DOCKER_CERT_PATH: '/certs/client',
  DOCKER_TLS_VERIFY: '1',
};

const ownEngine = (services: string): string => /[^\s"',[\]]*dind[^\s"',[\]]*/.exec(services)?.[0] ?? '';

export const builder: Builder = {
  options: Object.entries(variables).flatMap(([name, value]) => ['--env', `${name}=${value}`]),
  rules({ services, host, script }) {
    const findings: Finding[] = [];
    const image = ownEngine(services);
    if (/:(stable|edge|test|1[89]\.\d+|20\.0\d)[\w.-]*$/.test(image)) {
      const detail = `its service ${image} is Docker 19.03 or older, which does not start on hosts with cgroup v2.`;
      findings.push(['failed', detail, 'Name a current one, such as docker:29-dind.']);
    }
    // Only what its variables say: a job may set them in its script.
    const usesDocker = /\bdocker\b/.test(script) && !/DOCKER_HOST/.test(script);
    if (usesDocker && host === '') {
      const wanted = Object.entries(variables).map(([name, value]) => `${name}: "${value}"`);
      const detail = 'it calls docker, but has no DOCKER_HOST among its variables.';
      findings.push(['failed', detail, `Write under variables: ${wanted.join(', ')}`]);
    }
    if (usesDocker && /^tcp:\/\/docker:2375\b/.test(host)) {
      const detail =
        'it reaches the engine without TLS (port 2375): whoever reaches that port is root in it.';
      findings.push(['warning', detail, 'Use port 2376 and DOCKER_TLS_CERTDIR: "/certs".']);
    }
    return findings;
  },
  probe: `
    echo "client=$(docker version --format '{{.Client.APIVersion}}' 2>/tmp/refusal | tail -n 1)"
    echo "refusal=$(tail -n 1 /tmp/refusal)"`,
  judge,
};

async function judge(inside: Inside): Promise<Finding[]> {
  const services = inside.jobs.map(({ services }) => ownEngine(services)).filter(Boolean);
  const [service] = services;
  if (service === undefined) return [judgeClient(inside)];
  // Without a job there is no service to answer; so one is started, to see whether it may.
  const command = ['docker', 'run', '--rm', '--privileged', '--entrypoint', 'sh', service];
  const missing = await whyNoImage(inside.run, service);
  if (missing) return [missing];
  const { status, stdout, stderr } = await inside.run([
    ...command,
    '-c',
    'mount -t tmpfs none /mnt && dockerd --version',
  ]);
  if (status === 124) return [['unknown', `${service} did not answer in time.`]];
  if (status !== 0)
    return [['failed', `${service} does not start: ${lastLine(stderr)}`, `Try it: ${command.join(' ')}`]];
  return [['ok', `${service} may run privileged; ${lastLine(stdout)}`]];
}
