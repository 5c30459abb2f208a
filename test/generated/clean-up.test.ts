import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { needs } from '../support/needs.ts';
import { isInstalled, renderAll, run, temporaryFolder, writeAll } from '../support/rendered.ts';

const cache = (letter: string) => `runner-x-project-1-concurrent-0-cache-${letter.repeat(32)}`;

/** What is on an engine, by the beginnings of questions; a job runs where RUNS is set, and $FAILS gets no answer. */
const docker = `#!/bin/sh
case "$*" in
  $FAILS) echo 'the engine is away' >&2; exit 1 ;;
  'ps --quiet --filter '*) [ -z "\${RUNS:-}" ] || echo job ;;
  'volume ls --quiet --filter label=keep') echo ${cache('c')} ;;
  'volume ls --quiet --filter '*) printf '%s\\n' labelled ${cache('a')} ;;
  'volume ls --quiet') printf '%s\\n' database labelled ${cache('a')} ${cache('b')}-protected ${cache('c')} ;;
  'image ls --filter label=keep '*) echo kept:1 ;;
  'image ls '*) printf '%s\\n' newer:1 older:1 kept:1 gitlab/gitlab-runner:alpine p-runner:previous \
    registry.gitlab.com/gitlab-org/gitlab-runner/gitlab-runner-helper:x86_64-v19 team/app:'<none>' ;;
  'image rm used:1') echo 'conflict: a container uses it' >&2; exit 1 ;;
  *prune*|'volume rm '*|'image rm '*) echo "$*" >>removed; echo 'Total: 1GB' ;;
  *) echo "not expected: $*" >&2; exit 2 ;;
esac
`;

const ofJobs = '--filter label=com.gitlab.gitlab-runner.managed=true';
const daily = [
  `container prune --force ${ofJobs} --filter label!=keep --filter until=168h`,
  `network prune --force ${ofJobs} --filter label!=keep --filter until=168h`,
  'image prune --force --filter label!=keep --filter until=24h',
  'builder prune --force --filter until=168h',
];
const caches = [
  'builder prune --force --filter until=1h',
  'volume rm labelled',
  `volume rm ${cache('a')}`,
  `volume rm ${cache('b')}-protected`,
];

describe.skipIf(!needs(isInstalled('busybox', 'true'), 'busybox'))(
  "the clean-up, by the programs of its image's system",
  () => {
    let folder: string;

    const cleanUp = (words = 'now', settings: Record<string, string> = {}) =>
      run(folder, [join(folder, 'bin/sh'), 'clean-up.sh', ...words.split(' ')], '', {
        ...{ KEEP_DAYS: '7', FREE_GB: '0', FAILS: 'nothing', CONFIG: 'config.toml', TZ: 'UTC' },
        KEEP_IMAGES: 'gitlab/gitlab-runner:alpine p-runner:previous tools:latest',
        ...settings,
        PATH: join(folder, 'bin'),
      });
    const putBefore = (line: string) => {
      const script = join(folder, 'clean-up.sh');
      writeFileSync(script, `${line}\n${readFileSync(script, 'utf8')}`);
    };
    /** The first two rounds, without the five minutes between them. */
    const watch = (settings: Record<string, string> = {}) => {
      rmSync(join(folder, 'slept'), { force: true });
      putBefore('sleep() { if [ -e slept ]; then kill $$; fi; touch slept; }');
      return cleanUp('', settings);
    };
    const full = { FREE_GB: '99999999' };
    const removed = () =>
      existsSync(join(folder, 'removed')) ? run(folder, ['cat', 'removed']).stdout.trim().split('\n') : [];
    const policies = (...lines: string[]) =>
      writeFileSync(join(folder, 'config.toml'), lines.map(line => `    pull_policy = ${line}\n`).join(''));

    beforeEach(() => {
      folder = temporaryFolder();
      const bin = join(folder, 'bin');
      mkdirSync(bin);
      run(folder, ['busybox', '--install', '-s', bin]);
      writeFileSync(join(bin, 'docker'), docker);
      chmodSync(join(bin, 'docker'), 0o755);
      run(folder, ['cp', join(writeAll(), 'scripts/clean-up.sh'), '.']);
      policies('["always", "if-not-present"]');
    });

    it('removes what jobs that ended have left, and no tagged image and no cache while there is room', () => {
      const { status, stdout, stderr } = cleanUp();
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      expect(removed()).toEqual(daily);
      expect(stdout).toMatch(/^[\d: -]{19} builder prune --force --filter until=168h: Total: 1GB$/m);
    });

    it('removes caches of jobs and images too on a full disk, and nothing of this repository', () => {
      expect(cleanUp('now', full)).toMatchObject({ status: 0, stderr: '' });
      expect(removed()).toEqual([...daily, ...caches, 'image rm older:1', 'image rm newer:1']);
    });

    it.each([
      ['one runner never pulls them', ['["always"]', '["never"]']],
      ['they are pulled only where they are missing', ['"if-not-present"']],
      ['config.toml does not say', []],
    ])('keeps images on a full disk where %s', (_, lines) => {
      policies(...lines);
      expect(cleanUp('now', full).stdout).toContain('images stay: not all are always pulled');
      expect(removed()).toEqual([...daily, ...caches]);
    });

    it('keeps images on a full disk while jobs run: between stages no container may have one', () => {
      expect(cleanUp('now', { ...full, RUNS: 'yes' }).stdout).toContain('images stay while jobs run');
      expect(removed().join('\n')).not.toContain('image rm');
    });

    it('says what Docker refuses, and goes on', () => {
      writeFileSync(join(folder, 'bin/docker'), docker.replaceAll('older:1', 'used:1'));
      const { status, stdout } = cleanUp('now', full);
      expect(status).toBe(0);
      expect(stdout).toContain('image rm used:1: left: conflict: a container uses it');
      expect(removed().at(-1)).toBe('image rm newer:1');
    });

    it.each([
      ['volume ls --quiet', []],
      ['volume ls --quiet --filter label=com*', []],
      ['volume ls --quiet --filter label=keep', []],
      ['ps --quiet *', caches],
      ['image ls --filter label=keep *', caches],
      ['image ls --filter dangling=false *', caches],
    ])('removes nothing that "%s" would have kept, where Docker does not answer that', (query, then) => {
      const byNeed = ['builder prune --force --filter until=1h', ...then.slice(1)];
      expect(cleanUp('now', { ...full, FAILS: query }).status).not.toBe(0);
      expect(removed()).toEqual([...daily, ...byNeed]);
      // There a failure ends nothing by itself, as Docker may answer the next time.
      rmSync(join(folder, 'removed'));
      expect(watch({ ...full, FAILS: query }).stdout).toContain('Docker does not answer');
      expect(removed()).toEqual([...byNeed, ...daily, ...byNeed]);
    });

    it('looks at the disk at once, and at what is old after five minutes', () => {
      expect(watch()).toMatchObject({ status: 0, stderr: '' });
      expect(removed()).toEqual(daily);
      rmSync(join(folder, 'removed'));
      expect(watch({ ...full, RUNS: 'yes' })).toMatchObject({ status: 0, stderr: '' });
      expect(removed()).toEqual([...caches, ...daily, ...caches]);
    });

    it('says what Docker refuses to prune, and removes the rest', () => {
      const { status, stdout } = cleanUp('now', { FAILS: 'container prune *' });
      expect(status).toBe(0);
      expect(stdout).toMatch(/container prune .*: left: the engine is away$/m);
      expect(removed()).toEqual(daily.slice(1));
    });

    it.each(['', 'week', '1.5', '7d', '010', '-1'])('removes nothing where KEEP_DAYS is "%s"', days => {
      const { status, stderr } = cleanUp('now', { ...full, KEEP_DAYS: days });
      expect(status).not.toBe(0);
      expect(stderr).toContain('KEEP_DAYS');
      expect(removed()).toEqual([]);
    });

    it('keeps every image where KEEP_IMAGES is not set', () => {
      putBefore('unset KEEP_IMAGES');
      expect(cleanUp('now', full).status).not.toBe(0);
      expect(removed()).toEqual([...daily, ...caches]);
    });

    it('keeps the images of this repository where no image has the label keep', () => {
      writeFileSync(join(folder, 'bin/docker'), docker.replace('echo kept:1', ':'));
      expect(cleanUp('now', { ...full, KEEP_IMAGES: 'newer:1 kept:1' }).status).toBe(0);
      const images = removed().filter(one => one.startsWith('image rm'));
      expect(images).toEqual(
        ['p-runner:previous', 'gitlab/gitlab-runner:alpine', 'older:1'].map(one => `image rm ${one}`),
      );
    });
  },
);

it('the images of this repository are among those that the clean-up keeps', () => {
  const { services } = parse(renderAll({ runnerImage: 'mine/runner:1' })['docker-compose.yml']!);
  expect(services['clean-up'].environment.KEEP_IMAGES.split(' ')).toEqual(
    expect.arrayContaining([
      '${RUNNER_IMAGE:-mine/runner:1}',
      '${COMPOSE_PROJECT_NAME:-my-runner}-runner:previous',
    ]),
  );
  expect(services['clean-up']).toMatchObject({ network_mode: 'none' });
});
