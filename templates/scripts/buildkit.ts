// What jobs ask for and find where they send their builds to BuildKit, by TLS.

import type { Finding } from './host.ts';
import { type Builder, explain } from './jobs.ts';

export const builder: Builder = {
  rules({ script, host }) {
    const findings: Finding[] = [];
    const [, command] =
      /(?:^|[\s;&|(])docker(?: container)? (run|exec|pull|push|compose)\b/m.exec(script) ?? [];
    // A job that names an engine of its own has one.
    if (command !== undefined && host === '' && !/DOCKER_HOST/.test(script)) {
      const detail = `it has "docker ${command}", but jobs have no engine: BuildKit builds and pushes, and does nothing else.`;
      const remedy =
        'Run containers by "image:" or "services:" of a job; push by docker buildx build --push.';
      findings.push(['warning', detail, remedy]);
    }
    if (/docker (buildx )?build\b/.test(script) && !/buildkit:1234/.test(script))
      findings.push([
        'warning',
        'it builds, but does not name BuildKit in its own commands (docker buildx create … tcp://buildkit:1234).',
        'See the .gitlab-ci.yml that came with this repository.',
      ]);
    return findings;
  },
  probe: `
    echo "buildx=$(docker buildx version 2>&1 | tail -n 1)"
    for name in ca cert key; do [ -r /certs/client/$name.pem ] || echo "missing=/certs/client/$name.pem"; done
    keys=cacert=/certs/client/ca.pem,cert=/certs/client/cert.pem,key=/certs/client/key.pem
    docker buildx create --name probe --driver remote --driver-opt $keys tcp://buildkit:1234 >/dev/null 2>&1
    echo "builder=$(timeout 8 docker buildx inspect --bootstrap probe 2>&1 | grep -E '^(ERROR|Error|Status|BuildKit version)' | tail -n 1)"`,
  judge({ seen, image }) {
    if (!/buildx/.test(seen('buildx')) || /not a docker command|not found/.test(seen('buildx')))
      return [
        [
          'failed',
          `there is no "docker buildx" in ${image}.`,
          'Name an image that has it, such as docker:cli, in config/config.toml.',
        ],
      ];
    if (seen('missing') !== '')
      return [
        [
          'failed',
          `a job finds no certificate at ${seen('missing')}.`,
          'Check volumes in config/config.toml, and: docker compose logs buildkit-certs',
        ],
      ];
    const answer = seen('builder');
    return [
      explain(answer, [
        [/^(Status: +running|BuildKit version)/, 'ok', 'BuildKit answers a job, which shows its certificate'],
        [
          /./,
          'failed',
          `BuildKit does not answer a job: ${answer}`,
          'See whether it runs: docker compose logs buildkit',
        ],
      ]) ?? [
        'failed',
        'BuildKit does not answer a job.',
        'See whether it runs: docker compose logs buildkit',
      ],
    ];
  },
};
