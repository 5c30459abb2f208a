import type { Builder } from '../builder.ts';

/** Jobs have the host's Docker socket. */
export const socket: Builder = () => ({
  volumes: ['/var/run/docker.sock:/var/run/docker.sock'],
  volumesWhy: "The host's Docker socket: jobs build with the host's engine, and find its layers again.",
  config: [],
  pipeline: {
    program: 'docker',
    services: [],
    variables: [],
  },
  compose: { volumes: [] },
});
