// Whether this host can run programs of each platform that its pipelines build images for.

import { readFileSync } from 'node:fs';
import { type Check, lastLine, root, whyNoImage } from './host.ts';
import { runners } from './settings.ts';

/** The platforms that `--platform` names in a pipeline's text. */
export const platformsIn = (text: string): string[] => [
  ...new Set(
    [...text.matchAll(/--platform[ =]["']?([a-z\d/,]+)/g)].flatMap(([, list = '']) => list.split(',')),
  ),
];

export const checks: Check[] = [
  {
    name: 'platforms',
    needs: ['engine'],
    async run(run, note) {
      const wanted = new Set<string>();
      for (const { pipeline } of runners)
        for (const one of pipeline ? platformsIn(readFileSync(new URL(pipeline, root), 'utf8')) : [])
          wanted.add(one);
      if (wanted.size === 0)
        return note('unknown', 'no pipeline here names its platforms plainly (--platform).');
      if (wanted.size > 1 && runners.some(({ builder }) => builder === 'socket')) {
        const { status, stdout } = await run(['docker', 'info', '--format', '{{json .DriverStatus}}']);
        if (status === 0 && !stdout.includes('io.containerd.snapshotter'))
          note(
            'failed',
            'the engine keeps images in its old store, where one has one platform only.',
            'Add "features": { "containerd-snapshotter": true } to /etc/docker/daemon.json, then: sudo systemctl restart docker\n(images that it has now are not shown then; they are pulled or built again)',
          );
      }
      const noImage = await whyNoImage(run, 'tonistiigi/binfmt');
      if (noImage) return note(...noImage);
      const { status, stdout, stderr } = await run([
        'docker',
        'run',
        '--rm',
        '--privileged',
        'tonistiigi/binfmt',
      ]);
      if (status !== 0) return note('unknown', `emulators cannot be listed: ${lastLine(stderr)}`);
      const missing = [...wanted].filter(platform => !stdout.includes(`"${platform}"`)).join(', ');
      const install = 'Run: make binfmt';
      if (missing) note('failed', `this host cannot run programs of ${missing}.`, install);
      else note('ok', [...wanted].join(', '));
    },
  },
];
