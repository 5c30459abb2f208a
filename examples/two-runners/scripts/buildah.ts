// What jobs ask for and find where they build with Buildah, each in its own container.

import { type Builder, explain, type Meanings } from './jobs.ts';

const troubles: Meanings = [
  [
    /CLONE_NEWUSER.*(not permitted|denied)/i,
    'failed',
    'a job may not make a user namespace.',
    'On Ubuntu 23.10 and later: sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0;\nelsewhere see: sysctl user.max_user_namespaces kernel.unprivileged_userns_clone',
  ],
  [
    /CLONE_NEWUSER.*no space/i,
    'failed',
    'this host lets nobody make user namespaces (user.max_user_namespaces is 0).',
    'Run: sudo sysctl -w user.max_user_namespaces=28633',
  ],
  [
    /./,
    'failed',
    'Buildah cannot keep layers in a job.',
    'On a kernel before 5.11 set STORAGE_DRIVER: vfs in .gitlab-ci.yml, and leave STORAGE_OPTS out.',
  ],
];

export const builder: Builder = {
  rules({ script, host }) {
    const [, command] = /(?:^|[\s;&|(])docker (build|run|pull|push|login|compose)\b/m.exec(script) ?? [];
    // A job that names an engine of its own has one.
    if (command === undefined || host !== '' || /DOCKER_HOST/.test(script)) return [];
    const detail = `it has "docker ${command}", but jobs have no Docker Engine.`;
    return [['warning', detail, 'Use buildah, which has commands of the same names.']];
  },
  probe: `
    export BUILDAH_ISOLATION=chroot STORAGE_DRIVER=overlay STORAGE_OPTS=overlay.mountopt=nodev
    echo "buildah=$(buildah --version 2>&1 | tail -n 1)"
    echo "storage=$(buildah images --quiet 2>&1 | head -n 1)"`,
  judge({ seen, image }) {
    const [version, storage] = [seen('buildah'), seen('storage')];
    if (!version.startsWith('buildah version')) {
      const remedy = 'Name an image that has it, such as quay.io/buildah/stable, in config/config.toml.';
      return [['failed', `there is no buildah in ${image}.`, remedy]];
    }
    const [verdict, detail, remedy] = explain(storage, troubles) ?? [
      'ok',
      `${version}, in an unprivileged container`,
    ];
    return [[verdict, verdict === 'ok' ? detail : `${detail} (${storage})`, remedy ?? '']];
  },
};
