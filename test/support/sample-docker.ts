// The `docker` of the sample in README.md: a new engine that refuses the client in docker:stable, and no runner yet.
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';

const command = process.argv.slice(2).join(' ');
const engine = {
  Components: [{ Name: 'Docker Engine - Community' }],
  Version: '29.1.3',
  ApiVersion: '1.52',
  MinAPIVersion: '1.44',
};
const refusal =
  'Error response from daemon: client version 1.40 is too old. Minimum supported API version is 1.44, please upgrade your client to a newer version';
const inJob = ['gitlab=  HTTP/1.1 401 Unauthorized', 'client=1.40', `refusal=${refusal}`];

const answers: [start: string, answer: () => string][] = [
  ['version', () => JSON.stringify(engine)],
  ['context inspect', () => 'unix:///var/run/docker.sock'],
  ['compose version', () => '5.0.1'],
  [
    'compose -f - config',
    () => JSON.stringify(parse(readFileSync(process.stdin.fd, 'utf8'), { merge: true })),
  ],
  ['compose config', () => 'services:\n  runner:\n    image: gitlab/gitlab-runner:alpine'],
  ['compose ps', () => ''],
  ['image inspect', () => '[]'],
  ['manifest inspect', () => '{}'],
  ['run --rm --network none', () => 'Version:      19.3.0'],
  ['run --rm', () => inJob.join('\n')],
];
const found = answers.find(([start]) => command.startsWith(start));
if (found) console.log(found[1]());
else process.exitCode = 1;
