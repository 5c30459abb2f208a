import {
  type Builder,
  type BuilderPlan,
  clientCertificateMount,
  clientCertificateVolume,
  type Names,
  onNetwork,
} from '../builder.ts';
import { inPod } from '../pods.ts';

/** Rootless BuildKit: beside the runner, or in the pod of each job, where nothing is shared. */
export const buildkit: Builder = ({ executor }, names) =>
  executor === 'kubernetes' ? inJob : besideRunner(names);

/** Without a daemon that lasts: https://docs.gitlab.com/ci/docker/using_buildkit/#buildkit-rootless */
const inJob: BuilderPlan = {
  volumes: [],
  volumesWhy: '',
  ...inPod.buildkit,
  pipeline: {
    program: 'buildctl',
    before: 'buildctl',
    services: [],
    variables: [
      {
        name: 'BUILDKITD_FLAGS',
        value: '--oci-worker-no-process-sandbox',
        why: 'a container without privileges makes no namespace for processes',
      },
    ],
  },
  compose: { volumes: [] },
};

/** Jobs reach it by TLS, each side with a certificate. */
const besideRunner = (names: Names): BuilderPlan => ({
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
