import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { needs } from '../support/needs.ts';
import { engine } from './support/engines.ts';
import { InnerEngine } from './support/inner-engine.ts';
import { output } from './support/program.ts';
import { Repository } from './support/repository.ts';

const modern = engine('modern');

/** On an engine of its own, in a container: what is removed there, nobody misses. */
describe.skipIf(!needs(modern !== undefined, 'a Docker Engine (E2E_ENGINES)'))('the clean-up', () => {
  let repository: Repository;
  let inner: InnerEngine;
  const at = () => repository.at(inner.env);
  const docker = (...words: string[]) => output(['docker', ...words], at());
  const names = async (...words: string[]) =>
    (await docker(...words)).trim().split('\n').filter(Boolean).sort();
  const images = () => names('image', 'ls', '--format', '{{.Repository}}');
  const volumes = () => names('volume', 'ls', '--format', '{{.Name}}');
  const networks = () => names('network', 'ls', '--format', '{{.Name}}');
  const containers = () => names('ps', '--all', '--format', '{{.Names}}');
  const cache = (letter: string) => `runner-abc123-project-1-concurrent-0-cache-${letter.repeat(32)}`;
  const job = (id: number) => [
    ...['--label', 'com.gitlab.gitlab-runner.managed=true'],
    ...['--label', `com.gitlab.gitlab-runner.job.id=${id}`],
  ];
  const build = (tag: string, ...words: string[]) =>
    output(['docker', 'build', '--quiet', '--tag', tag, ...words, '-'], {
      ...at(),
      input: `FROM busybox\nRUN echo ${tag} >/file\n`,
    });
  /** The script, in a container as docker-compose.yml starts it. */
  const cleanUp = (freeGb: number, policy = '["always"]', keepDays = 7) =>
    docker(
      ...['run', '--rm', '--network', 'none', '--entrypoint', 'sh'],
      ...[
        '--env',
        `KEEP_DAYS=${keepDays}`,
        '--env',
        `FREE_GB=${freeGb}`,
        '--env',
        'KEEP_IMAGES=docker:28-cli busybox:latest',
      ],
      ...[
        '--volume',
        '/var/run/docker.sock:/var/run/docker.sock',
        '--volume',
        '/clean-up.sh:/clean-up.sh:ro',
      ],
      'docker:28-cli',
      '-c',
      `mkdir /config && echo 'pull_policy = ${policy}' >/config/config.toml && sh /clean-up.sh now`,
    );

  beforeAll(async () => {
    repository = await Repository.scaffold(modern!, [], 'clean-up-');
    inner = await InnerEngine.start(repository, ['busybox:latest', 'docker:28-cli'], {
      container: ['--volume', `${repository.folder}/scripts/clean-up.sh:/clean-up.sh:ro`],
    });
    for (const tag of ['tagged', 'of-a-job']) await build(tag);
    await build('kept', '--label', 'keep');
    const running = ['run', '--detach', '--name', 'job', ...job(1), '--volume', `${cache('a')}:/cache`];
    await docker(...running, 'of-a-job', 'sleep', '600');
    for (const volume of [cache('b'), 'database']) await docker('volume', 'create', volume);
    await docker('volume', 'create', '--label', 'keep', cache('c'));
    await docker('network', 'create', 'owners_default');
    await docker('network', 'create', ...job(2), 'of-job-2');
    await docker('run', '--name', 'of-the-owner', 'busybox', 'true');
    await docker('run', '--name', 'ended', ...job(2), 'busybox', 'true');
    await docker('run', '--name', 'kept', ...job(2), '--label', 'keep', 'busybox', 'true');
  });
  afterAll(async () => {
    await inner?.remove();
    await repository?.dispose();
  });

  const all = async () => [await images(), await volumes(), await networks(), await containers()];

  it('leaves all that is tagged, and whatever is young, while there is room', async () => {
    const before = await all();
    await cleanUp(0);
    expect(await all()).toEqual(before);
  });

  it('removes what jobs left longer ago than KEEP_DAYS, and nothing of the owner or of a running job', async () => {
    const [imagesBefore, volumesBefore] = await all();
    await cleanUp(0, '["always"]', 0);
    expect(await containers()).toEqual(['job', 'kept', 'of-the-owner']);
    expect(await networks()).toEqual(['bridge', 'host', 'none', 'owners_default']);
    expect([await images(), await volumes()]).toEqual([imagesBefore, volumesBefore]);
  });

  it('removes the caches of jobs on a full disk, and leaves images while a job runs', async () => {
    expect(await cleanUp(999_999)).toContain('images stay while jobs run');
    expect(await volumes()).toEqual([cache('a'), cache('c'), 'database'].sort());
    expect(await images()).toContain('tagged');
    expect(await docker('exec', 'job', 'ls', '/cache')).toBe('');
  });

  it('removes images then only where config.toml lets them come back', async () => {
    await docker('rm', '--force', 'job');
    await cleanUp(999_999, '["if-not-present"]');
    expect(await images()).toContain('tagged');
    await cleanUp(999_999);
    expect(await images()).toEqual(['busybox', 'docker', 'kept']);
    expect(await containers()).toEqual(['kept', 'of-the-owner']);
    expect(await networks()).toContain('owners_default');
  });
});
