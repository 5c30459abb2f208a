import { chmodSync, existsSync, mkdirSync, readdirSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { needs } from '../support/needs.ts';
import { isInstalled, run, temporaryFolder, writeAll } from '../support/rendered.ts';

/** What is on an engine: two images, of which a container uses one; the container of a job that has ended; a cache. */
const docker = `#!/bin/sh
case "$*" in
  $FAILS) echo 'the engine is away' >&2; exit 1 ;;
  'ps --filter '*) ;;
  'ps --all --filter '*) echo 'ended 7' ;;
  'ps --all --quiet --no-trunc --filter label=keep') ;;
  'ps --all --quiet'*) echo ended ;;
  'image ls '*keep) echo kept ;;
  'image ls '*) printf '%s\\n' used kept one two ;;
  'volume ls --quiet --filter label=keep') ;;
  'volume ls --quiet --filter'*) ;;
  'volume ls --quiet') printf '%s\\n' database runner-x-cache-0123456789abcdef0123456789abcdef ;;
  'container inspect --format {{.Image}} ended') echo used ;;
  'image inspect '*) echo "name-of-$5 " ;;
  'rm '*|'image rm '*|'volume rm '*) echo "$*" >>removed ;;
esac
`;

describe.skipIf(!needs(isInstalled('busybox', 'true'), 'busybox'))(
  "the clean-up, by the programs of its image's system",
  () => {
    let folder: string;
    let state: string;

    const cleanUp = (words: string, settings: Record<string, string> = {}) => {
      const env = { KEEP_DAYS: '7', FREE_GB: '0', KEEP_MINUTES: '60', FAILS: 'nothing', ...settings };
      return run(folder, [join(folder, 'bin/sh'), 'clean-up.sh', ...words.split(' ')], '', {
        ...env,
        STATE: state,
        PATH: join(folder, 'bin'),
      });
    };
    const removed = () =>
      run(folder, ['sh', '-c', 'sort removed 2>/dev/null']).stdout.trim().split('\n').filter(Boolean);
    const age = (days: number) => {
      const then = Date.now() / 1000 - days * 86_400;
      for (const kind of ['containers', 'images', 'volumes']) {
        for (const name of readdirSync(join(state, kind))) utimesSync(join(state, kind, name), then, then);
      }
    };

    beforeEach(() => {
      folder = temporaryFolder();
      state = join(folder, 'state');
      const bin = join(folder, 'bin');
      mkdirSync(bin);
      mkdirSync(state);
      run(folder, ['busybox', '--install', '-s', bin]);
      writeFileSync(join(bin, 'docker'), docker);
      chmodSync(join(bin, 'docker'), 0o755);
      const [script = ''] = [join(writeAll(), 'scripts/clean-up.sh')];
      run(folder, ['cp', script, 'clean-up.sh']);
      expect(cleanUp('now')).toMatchObject({ status: 0, stderr: '' });
    });

    it('removes what is old and unused, and nothing else', () => {
      expect(removed()).toEqual([]);
      age(8);
      expect(cleanUp('now')).toMatchObject({ status: 0, stderr: '' });
      expect(removed()).toEqual([
        'image rm name-of-one',
        'image rm name-of-two',
        'rm --volumes ended',
        'volume rm runner-x-cache-0123456789abcdef0123456789abcdef',
      ]);
    });

    it.each([
      'image ls --all --quiet --no-trunc --filter label=keep',
      'image ls --all --quiet --no-trunc',
      'ps --all --quiet --no-trunc',
      'volume ls --quiet --filter label=keep',
      'volume ls --quiet',
    ])('removes nothing where Docker does not answer "%s"', query => {
      age(8);
      expect(cleanUp('now', { FAILS: query }).status).not.toBe(0);
      expect(removed()).toEqual([]);
      expect(existsSync(join(state, 'images/one'))).toBe(true);
    });

    it('lists each but once in a dry run on a full disk: first what is old, then what would follow', () => {
      age(8);
      const now = Date.now() / 1000 - 3 * 86_400;
      utimesSync(join(state, 'images/two'), now, now);
      const { status, stdout } = cleanUp('now --dry-run', { FREE_GB: '99999' });
      expect(status).toBe(0);
      const [old = '', then = ''] = stdout.split('and then, in this order, until that is free:\n');
      expect(old).toContain('would remove image name-of-one , unused for 8 days');
      expect(then).toBe(
        'would remove build cache unused for 60 minutes\nwould remove image name-of-two , unused for 3 days\n',
      );
      expect(stdout).not.toContain('nothing more may go');
      expect(removed()).toEqual([]);
    });
  },
);
