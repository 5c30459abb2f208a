import { type Builder, onNetwork } from '../builder.ts';

/** A proxy in front of the host's Docker socket lets pass what a build needs, and nothing else. */
export const socketProxy: Builder = ({ platforms }, names) => ({
  volumes: [],
  volumesWhy: 'None: jobs have no Docker socket, only the proxy of docker-compose.yml.',
  config: [onNetwork(names, 'the proxy')],
  pipeline: {
    program: platforms.length > 0 ? 'buildx' : 'docker',
    services: [],
    variables: [
      {
        name: 'DOCKER_HOST',
        value: 'tcp://docker-proxy:2375',
        why: "The proxy in front of the host's Docker Engine: it lets builds, pulls and pushes through.",
      },
    ],
  },
  compose: { service: 'docker-proxy', volumes: [] },
});
