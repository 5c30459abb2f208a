// What doctor checks of the way to build images here: Buildah, in the job's own container.

import type { Inside, Note } from './doctor.ts';

export const how = 'builds with Buildah';

/** What jobs have beside the volumes of settings.ts. */
export const options: string[] = [];

/** Whether the pipeline asks for what this runner does not have. */
export function checkPipeline(text: string, check: string, note: Note): void {
  const [, command] = /(?:^|[\s;&|])docker (build|run|pull|push|login|compose)\b/m.exec(text) ?? [];
  if (command !== undefined) {
    note(
      'warning',
      check,
      `it has "docker ${command}", but jobs have no Docker Engine.`,
      'Use buildah, which has commands of the same names.',
    );
  }
}

/** What a job container finds, one `key=value` a line; the container itself is removed, and what is built with it. */
export const probe = `
  export BUILDAH_ISOLATION=chroot STORAGE_DRIVER=overlay STORAGE_OPTS=overlay.mountopt=nodev
  echo "buildah=$(buildah --version 2>&1 | tail -n 1)"
  echo "storage=$(buildah images --quiet 2>&1 | head -n 1)"`;

/** @param seen what the probe found */
export function checkInside({ seen, image }: Inside, note: Note): void {
  const check = 'Buildah';
  const trouble = seen('storage');
  if (!/^buildah version/.test(seen('buildah'))) {
    note(
      'failed',
      check,
      `there is no buildah in ${image}: ${seen('buildah')}`,
      'Name an image that has it, such as quay.io/buildah/stable, in scripts/settings.ts (then: make apply) and .gitlab-ci.yml.',
    );
  } else if (/CLONE_NEWUSER.*(not permitted|denied)/i.test(trouble)) {
    note(
      'failed',
      check,
      `a job container may not make a user namespace: ${trouble}`,
      'On Ubuntu 23.10 and later: sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0;\n' +
        'elsewhere see: sysctl user.max_user_namespaces kernel.unprivileged_userns_clone',
    );
  } else if (/CLONE_NEWUSER.*no space/i.test(trouble)) {
    note(
      'failed',
      check,
      'this host lets nobody make user namespaces (user.max_user_namespaces is 0).',
      'Run: sudo sysctl -w user.max_user_namespaces=28633',
    );
  } else if (trouble !== '') {
    note(
      'failed',
      check,
      `it cannot keep layers in a job container: ${trouble}`,
      'On a kernel before 5.11 set STORAGE_DRIVER: vfs in .gitlab-ci.yml, and leave STORAGE_OPTS out.',
    );
  } else {
    note('ok', check, `${seen('buildah')}, in an unprivileged container`);
  }
}
