import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { needs } from '../support/needs.ts';
import { engine } from './support/engines.ts';
import { InnerEngine } from './support/inner-engine.ts';
import { eventually, output, run } from './support/program.ts';
import { Repository } from './support/repository.ts';

const modern = engine('modern');

vi.setConfig({ testTimeout: 60_000, hookTimeout: 120_000 });

/** On an engine of its own with a disk of 2200 MB, in a container: what is removed there, nobody misses. */
describe.skipIf(!needs(modern !== undefined, 'a Docker Engine (E2E_ENGINES)'))('the clean-up', () => {
  let repository: Repository;
  let inner: InnerEngine;

  const at = (env: NodeJS.ProcessEnv = {}) => repository.at({ ...inner.env, ...env });
  const docker = (...words: string[]) => output(['docker', ...words], at());
  const names = async (...words: string[]) =>
    (await docker(...words)).trim().split('\n').filter(Boolean).sort();
  const images = () => names('image', 'ls', '--format', '{{.Repository}}');
  const volumes = () => names('volume', 'ls', '--format', '{{.Name}}');
  const containers = () => names('ps', '--all', '--format', '{{.Names}}');
  /** The script, in a container as docker-compose.yml starts it. */
  const cleanUp = async (words: string, env: Record<string, string> = {}): Promise<string> => {
    const settings = Object.entries({ KEEP_DAYS: '7', FREE_GB: '0', KEEP_MINUTES: '60', ...env });
    const options = settings.flatMap(([key, value]) => ['--env', `${key}=${value}`]);
    const socket = ['--volume', '/var/run/docker.sock:/var/run/docker.sock', '--network', 'none'];
    const script = [
      '--volume',
      '/clean-up.sh:/clean-up.sh:ro',
      '--volume',
      'clean-up-state:/state',
      '--entrypoint',
      'sh',
    ];
    return docker(
      'run',
      '--rm',
      ...options,
      ...socket,
      ...script,
      'docker:28-cli',
      '/clean-up.sh',
      ...words.split(' '),
    );
  };
  /** Lets what the script remembers be that old. */
  const age = async (days: number, pattern = '*/*') => {
    const touch = `touch -d "@$(($(date +%s) - ${days * 86_400}))" /state/${pattern}`;
    await docker('run', '--rm', '--volume', 'clean-up-state:/state', 'busybox', 'sh', '-c', touch);
  };
  const build = (tag: string, megabytes: number, label = '') =>
    output(['docker', 'build', '--quiet', '--tag', tag, ...(label ? ['--label', label] : []), '-'], {
      ...at(),
      input: `FROM busybox\nRUN head -c ${megabytes}000000 /dev/urandom > /file # ${tag}\n`,
    });
  const free = async () => {
    return Number(/(\d+) +\d+%/.exec(await inner.shell('df -Pm /var/lib/docker'))?.[1]);
  };

  const job = (id: number) => [
    ...['--label', 'com.gitlab.gitlab-runner.managed=true'],
    ...['--label', `com.gitlab.gitlab-runner.job.id=${id}`],
  ];
  const cache = (letter: string) => `runner-abc123-project-1-concurrent-0-cache-${letter.repeat(32)}`;

  beforeAll(async () => {
    repository = await Repository.scaffold(modern!, [], 'clean-up-');
    inner = await InnerEngine.start(repository, ['busybox:latest', 'docker:28-cli'], {
      container: [
        ...['--tmpfs', '/var/lib/docker:rw,exec,size=2200m'],
        ...['--volume', `${repository.folder}/scripts/clean-up.sh:/clean-up.sh:ro`],
      ],
      dockerd: ['--feature=containerd-snapshotter=false'],
    });

    // A job that runs, with its helper, which stands still between two stages.
    await build('of-a-job', 20);
    await docker(
      'run',
      '--detach',
      '--name',
      'job',
      ...job(1),
      '--volume',
      `${cache('a')}:/cache`,
      'of-a-job',
      'sleep',
      '600',
    );
    await docker('run', '--name', 'helper-of-the-job', ...job(1), 'busybox', 'true');
    // What jobs left behind.
    await docker('run', '--name', 'ended-job', ...job(2), 'busybox', 'true');
    await docker('volume', 'create', cache('b'));
    await docker('volume', 'create', ...job(3).slice(0, 2), 'labelled-cache');
    await build('unused', 30);
    await build('unused-too', 30);
    await docker('tag', 'unused-too', 'registry.example.org/unused-too:1');
    // What is somebody's.
    await build('kept', 10, 'keep');
    await docker('volume', 'create', '--label', 'keep', cache('c'));
    await docker('volume', 'create', 'database');
    await docker('run', '--name', 'of-the-user', 'busybox', 'true');
    await cleanUp('now --dry-run');
  });

  afterAll(async () => {
    if (!repository) return;
    await inner?.remove();
    await repository.dispose();
  });

  const everything = async () => [await images(), await volumes(), await containers()];

  it('removes nothing that it sees for the first time, and nothing that was used within the days', async () => {
    const before = await everything();
    await cleanUp('now');
    await age(6);
    await cleanUp('now');
    expect(await everything()).toEqual(before);
  });

  it('lists by a dry run exactly what goes then, and removes nothing by that', async () => {
    await age(8);
    const before = await everything();
    const would = (await cleanUp('now --dry-run')).match(/(?<=would remove ).*(?=, unused for)/g)!.sort();
    expect(await everything()).toEqual(before);
    const removed = (await cleanUp('now')).match(/(?<=removed ).*(?=, unused for 8 days)/g)!.sort();
    expect(removed).toEqual(would);
    expect(removed).toEqual([
      expect.stringMatching(/^container [0-9a-f]{64}$/),
      expect.stringMatching(
        /^image (unused-too:latest registry.example.org\/unused-too:1|registry.example.org\/unused-too:1 unused-too:latest) ?$/,
      ),
      expect.stringMatching(/^image unused:latest ?$/),
      'volume labelled-cache',
      `volume ${cache('b')}`,
    ]);
  });

  it('leaves alone a job that runs, what has the label keep, and what is not of jobs', async () => {
    expect(await images()).toEqual(['busybox', 'docker', 'kept', 'of-a-job']);
    expect(await volumes()).toEqual(['clean-up-state', cache('a'), cache('c'), 'database'].sort());
    expect(await containers()).toEqual(['helper-of-the-job', 'job', 'of-the-user']);
    expect(await docker('exec', 'job', 'ls', '/cache')).toBe('');
  });

  it('removes nothing the second time', async () => {
    const before = await everything();
    expect(await cleanUp('now')).not.toMatch(/removed|left/);
    expect(await everything()).toEqual(before);
  });

  it('reaches the wanted free space again on a full disk, the longest unused first, and no further', async () => {
    const all = ['one', 'two', 'three', 'four', 'five', 'six', 'seven'];
    for (const tag of all) await build(tag, 100);
    // A job may be between two stages of its pipeline: what is that young stays.
    await cleanUp('now', { FREE_GB: '1' });
    expect(await images()).toEqual(expect.arrayContaining(all));
    for (const [at, tag] of all.entries()) {
      const id = (await docker('image', 'inspect', '--format', '{{.Id}}', tag)).trim();
      await age(5 - at * 0.5, `images/${id}`);
    }
    const before = await free();
    expect(before).toBeLessThan(1024);
    const said = await cleanUp('now', { FREE_GB: '1', KEEP_MINUTES: '0' });
    expect(await free()).toBeGreaterThanOrEqual(1024);
    expect(said).toMatch(/only 0 GB free; 1 are wanted/);
    const left = await images();
    expect(left).toEqual(expect.arrayContaining(['busybox', 'docker', 'kept', 'of-a-job']));
    expect(await containers()).toEqual(['helper-of-the-job', 'job', 'of-the-user']);
    expect(await volumes()).toEqual(['clean-up-state', cache('a'), cache('c'), 'database'].sort());
    const gone = all.filter(tag => !left.includes(tag));
    expect(gone).toEqual(all.slice(0, gone.length));
  });

  it('says so where nothing more may go, and removes nothing of a running job even then', async () => {
    const said = await cleanUp('now', { FREE_GB: '100', KEEP_MINUTES: '0' });
    expect(said).toMatch(/still only \d GB free, and nothing more may go/);
    expect(await images()).toEqual(['busybox', 'docker', 'kept', 'of-a-job']);
    expect(await containers()).toEqual(['helper-of-the-job', 'job', 'of-the-user']);
  });
});

describe.skipIf(!needs(modern !== undefined, 'a Docker Engine (E2E_ENGINES)'))(
  'the container clean-up',
  () => {
    let repository: Repository;

    beforeAll(async () => {
      repository = await Repository.scaffold(modern!, [], 'clean-up-');
      // Two marks that nothing in this engine reaches.
      repository.edit('docker-compose.yml', 'FREE_GB: "10"', 'FREE_GB: "0"');
      repository.edit('docker-compose.yml', 'KEEP_DAYS: "7"', 'KEEP_DAYS: "9999"');
      repository.writeEnv({});
      await repository.docker('compose', 'up', '--detach', 'clean-up');
    });

    afterAll(async () => {
      await repository?.removeVolumes();
      await repository?.dispose();
    });

    it('runs, remembers what it saw, has no network, and ends at once when it is told to', async () => {
      const id = (await repository.docker('compose', 'ps', '--quiet', 'clean-up')).trim();
      await eventually(
        async () => expect(await repository.docker('exec', id, 'ls', '/state/images')).toContain('sha256:'),
        20,
      );
      expect(
        await repository.docker('inspect', '--format', '{{.HostConfig.NetworkMode}} {{.RestartCount}}', id),
      ).toBe('none 0\n');
      const dry = await repository.make('prune ARGS=--dry-run');
      expect([dry.code, dry.stdout]).toEqual([0, expect.stringContaining('would remove build cache')]);
      const started = Date.now();
      await run(['docker', 'compose', 'stop', 'clean-up'], repository.at());
      expect(Date.now() - started).toBeLessThan(5000);
      await repository.docker('compose', 'rm', '--force', 'clean-up');
    });
  },
);
