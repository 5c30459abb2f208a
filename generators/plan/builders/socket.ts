import type { Builder } from '../builder.ts';

/** Jobs have the host's Docker socket. */
export const socket: Builder = ({ executor }) => ({
  volumes: ['/var/run/docker.sock:/var/run/docker.sock'],
  volumesWhy:
    executor === 'docker'
      ? "The host's Docker socket: jobs build with the host's engine, and find its layers again."
      : "The instance's Docker socket: jobs build with its engine.",
  config: [],
  pipeline: {
    program: 'docker',
    services: [],
    variables: [],
  },
  compose: { volumes: [] },
});
