import { type Builder, clientCertificateMount, clientCertificateVolume, onNetwork } from '../builder.ts';

/** Rootless BuildKit, beside the runner; jobs reach it by TLS, each side with a certificate. */
export const buildkit: Builder = (_, names) => ({
  volumes: [clientCertificateMount(names)],
  volumesWhy: 'The certificate by which jobs show themselves to BuildKit.',
  config: [onNetwork(names, 'BuildKit')],
  pipeline: {
    program: 'buildx',
    before: 'buildkit',
    services: [],
    variables: [
      {
        name: 'DOCKER_HOST',
        value: 'unix:///var/run/docker.sock',
        why: 'none: without this docker waits for one in the network',
      },
    ],
  },
  compose: {
    service: 'buildkit',
    volumes: [
      { key: 'buildkit-cache', why: 'Layers, kept between jobs; buildkit/buildkitd.toml limits its size.' },
      { key: 'buildkit-certs', why: 'Keys of the authority and of BuildKit; jobs never see them.' },
      clientCertificateVolume(names),
    ],
  },
});
