import type { Builder, ConfigEntry } from '../builder.ts';
import { inPod } from '../pods.ts';

/** Buildah builds in the job's own container; no daemon, nothing that lasts. */
export const buildah: Builder = ({ executor }) => ({
  volumes: [],
  volumesWhy: 'Buildah needs nothing of the host.',
  ...(executor === 'kubernetes' ? inPod.buildah : { config: [openProfiles] }),
  pipeline: {
    program: 'buildah',
    before: 'buildah',
    services: [],
    variables: [],
  },
  compose: { volumes: [] },
});

const openProfiles: ConfigEntry = {
  key: 'security_opt',
  value: ['seccomp=unconfined', 'apparmor=unconfined'],
  why: [
    'Buildah makes user namespaces and mounts of its own, which the default profiles of Docker forbid.',
    'The container stays unprivileged: it has no more capabilities than any other.',
  ],
};
