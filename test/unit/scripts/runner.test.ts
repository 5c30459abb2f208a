import { rmSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Result, Run, RunOptions, World } from '../../../templates/scripts/host.ts';
import { checks, main, patience, status, up, upgrade } from '../../../templates/scripts/runner.ts';
import { captureOutput, Folder, fakeNote } from './folder.ts';

const aToken = `${'gl'}rt-t1_abcdefgh12345678`;
const image = 'gitlab/gitlab-runner:alpine';
const config = 'config/config.toml';
const plain = `concurrent = 2

[[runners]]
  name = "My Docker Runner"
  url = "\${GITLAB_URL}"
  token = "\${RUNNER_TOKEN}"
  [runners.docker]
    name = "inner"
`;

type Answer = Partial<Result> | ((command: string, options?: RunOptions) => Partial<Result>);

/** An engine on which the runner works; a test overrides answers by the beginnings of commands. */
function engine(overrides: Record<string, Answer> = {}): Run & { commands: string[] } {
  const answers: Record<string, Answer> = {
    'docker version': { stdout: '{"Version":"28.5.2","ApiVersion":"1.51","MinAPIVersion":"1.24"}' },
    'docker compose version': {},
    'docker compose ps -q runner': { stdout: 'c1\n' },
    'docker inspect': { stdout: inspected() },
    'docker run --rm --network none --entrypoint gitlab-runner': { stdout: 'Version:      19.3.0\n' },
    'docker exec c1 gitlab-runner verify': { stderr: 'Verifying runner... is valid   runner=t1_abcdef\n' },
    'docker exec c1 sh': { stdout: 'Version:      19.3.0\nFilesystem Size\noverlay 100G 20G\n' },
    'docker image inspect --format': { stdout: 'sha256:new\n' },
    'docker ps': { stdout: '' },
    docker: {},
  };
  const commands: string[] = [];
  const run: Run = async (words, options) => {
    const command = words.join(' ');
    commands.push(command);
    const [, found] =
      [...Object.entries(overrides), ...Object.entries(answers)].find(([start]) =>
        command.startsWith(start),
      ) ?? [];
    const answer = typeof found === 'function' ? found(command, options) : found;
    return { status: answer ? 0 : 127, stdout: '', stderr: '', ...answer };
  };
  return Object.assign(run, { commands });
}

const inspected = (more: Record<string, string> = {}) =>
  JSON.stringify({
    ...{
      state: 'running',
      image: 'sha256:old',
      project: 'p',
      startedAt: '2026-11-28',
      restarts: '0',
      health: 'healthy',
    },
    ...more,
  });

/** An image that is GitLab Runner of that version. */
const version = (number: string): Record<string, Answer> => ({
  'docker run --rm --network none --entrypoint gitlab-runner': { stdout: `Version:      ${number}\n` },
});

/** Another answer at each call; the last one for all that follow. */
const inTurn = (...answers: Partial<Result>[]): Answer => {
  let call = 0;
  return () => answers[Math.min(call++, answers.length - 1)]!;
};

const notValid = { stderr: 'ERROR: Verifying runner... is not valid   runner=t1_abcdef\n', status: 1 };
const valid = { stderr: 'Verifying runner... is alive   runner=t1_abcdef\n' };
const runningJob = { stdout: '7 t1_abcdef\n7 t1_abcdef\n8 t1_zzzzzz\n' };

let folder: Folder;
let printed: () => string;

/** A repository with those values in .env. */
function repository(env = `GITLAB_URL=https://gitlab.example.com\nRUNNER_TOKEN=${aToken}\n`): void {
  folder = new Folder(env);
  folder.mkdir('config');
  folder.mkdir('scripts');
  folder.write(config, plain);
  folder.write(
    'docker-compose.yml',
    `services:\n  runner:\n    # why\n    image: "\${RUNNER_IMAGE:-${image}}"\n  other:\n    image: x\n`,
  );
}

beforeEach(() => {
  repository();
  printed = captureOutput();
  Object.assign(patience, { tries: 2 });
});

afterEach(() => {
  // An upgrade goes on listening until its process ends.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.removeAllListeners(signal);
});

describe('runner up', () => {
  it('asks the image for its version, gives this host an id, and starts everything', async () => {
    const run = engine();
    await up(run);
    expect(folder.read('config/.runner_system_id')).toMatch(/^r_[A-Za-z0-9]{12}$/);
    expect(run.commands.at(-1)).toBe('docker compose up -d');
    expect(run.commands.join('\n')).not.toContain(aToken);
  });

  it('keeps the id that this host has', async () => {
    folder.write('config/.runner_system_id', 'r_abcdefghijkl');
    await up(engine());
    expect(folder.read('config/.runner_system_id')).toBe('r_abcdefghijkl');
  });

  it('starts nothing without a token', async () => {
    repository('GITLAB_URL=https://gitlab.example.com\n');
    const run = engine();
    const remedy = { message: 'There is no RUNNER_TOKEN yet.', remedy: 'Run: make register' };
    await expect(up(run)).rejects.toMatchObject(remedy);
    expect(run.commands).not.toContain('docker compose up -d');
  });

  it.each(['18.9.3', '17.11.0', '9.0.0'])(
    'refuses GitLab Runner %s, which does not fill in variables',
    async number => {
      await expect(up(engine(version(number)))).rejects.toThrow(`${image} is GitLab Runner ${number}`);
      folder.write('scripts/expand-config.sh', '');
      await up(engine(version(number)));
    },
  );

  it.each(['18.10.0', '19.0.0', 'unknown'])('starts GitLab Runner %s', async number => {
    await up(engine(version(number)));
    expect(printed()).toContain('Started.');
  });

  it('says that the image cannot be had, in words of its own', async () => {
    const stderr = 'docker: Error response: pull access denied for x\n';
    const run = engine({ 'docker run --rm --network none': { status: 125, stderr } });
    await expect(up(run)).rejects.toThrow(`${image} cannot be run: the image does not exist`);
  });

  it('says why Compose does not start it', async () => {
    const run = engine({ 'docker compose up': { status: 1, stderr: 'one\nport is taken\n' } });
    await expect(up(run)).rejects.toThrow('It does not start: port is taken');
  });

  it('says that Docker is not installed, and nothing of Compose', async () => {
    await expect(up(engine({ docker: { status: 127 } }))).rejects.toThrow('Docker is not installed.');
  });

  it('names the image of RUNNER_IMAGE where .env has one', async () => {
    repository(`GITLAB_URL=https://gitlab.example.com\nRUNNER_TOKEN=${aToken}\nRUNNER_IMAGE=mine:1\n`);
    await up(engine());
    expect(printed()).toContain('Starting mine:1;');
  });

  it('refuses a config.toml without a runner, and a repository without one', async () => {
    folder.write(config, 'concurrent = 1\n');
    await expect(up(engine())).rejects.toThrow('config/config.toml has no [[runners]].');
    rmSync(folder.at(config));
    await expect(up(engine())).rejects.toThrow('config/config.toml has no [[runners]].');
  });

  it('refuses a docker-compose.yml in which the image cannot be found', async () => {
    folder.write('docker-compose.yml', 'services:\n  runner:\n    build: .\n  other:\n    image: x\n');
    await expect(up(engine())).rejects.toThrow('does not name the image of the service "runner"');
  });
});

describe('runner upgrade', () => {
  const position = (run: { commands: string[] }, start: string) =>
    run.commands.findIndex(command => command.startsWith(start));

  it('keeps the old image, lets jobs end, starts the new one, and asks GitLab', async () => {
    const run = engine({ 'docker wait': inTurn({ status: 124 }, {}), 'docker ps': runningJob });
    await upgrade(run, 3600);
    const order = [
      `docker pull --quiet ${image}`,
      'docker tag sha256:old p-runner:previous',
      'docker kill --signal QUIT c1',
      'docker wait c1',
      'docker compose up -d --no-deps runner',
    ].map(start => position(run, start));
    expect(order).toEqual([...order].sort((one, other) => one - other));
    expect(order).not.toContain(-1);
    expect(printed()).toContain('Waiting for running jobs to end: 1 left.');
    expect(printed()).toContain('Upgraded to GitLab Runner 19.3.0');
    expect(run.commands.join('\n')).not.toMatch(/--signal (TERM|KILL)|--wait/);
    expect(folder.env).not.toContain('RUNNER_IMAGE');
  });

  it('ends jobs by SIGTERM where the wait runs out, and says how many', async () => {
    const run = engine({ 'docker ps': runningJob });
    await upgrade(run, 0);
    expect(printed()).toContain('After 0 s the jobs that still run (1) are ended as failed.');
    expect(position(run, 'docker kill --signal TERM c1')).toBeGreaterThan(
      position(run, 'docker kill --signal QUIT'),
    );
    expect(run.commands).not.toContain('docker kill --signal KILL c1');
  });

  it('kills a runner that SIGTERM does not end', async () => {
    const run = engine({ 'docker wait': { status: 124 } });
    await upgrade(run, 0);
    expect(run.commands).toContain('docker kill --signal KILL c1');
  });

  it('goes back to the old image where GitLab does not know the new runner, and says so', async () => {
    const verify = inTurn(valid, notValid, notValid, valid);
    const images: (string | undefined)[] = [];
    const run = engine({
      'docker exec c1 gitlab-runner verify': verify,
      'docker wait': inTurn({}, { status: 124 }),
      'docker compose up': (_, options) => {
        images.push(options?.environment?.RUNNER_IMAGE);
        return {};
      },
    });
    const said = { message: expect.stringContaining('The version before runs again.') };
    await expect(upgrade(run, 60)).rejects.toMatchObject(said);
    expect(images).toEqual(['', 'p-runner:previous']);
    expect(folder.env).toContain('RUNNER_IMAGE=p-runner:previous\n');
  });

  it.each([
    [
      'verify says nothing of a runner, with exit code 0',
      {
        'docker exec c1 gitlab-runner verify': inTurn(valid, {}),
        'docker wait': inTurn({}, { status: 124 }),
      },
    ],
    [
      'the container was started again',
      { 'docker inspect': inTurn({ stdout: inspected() }, { stdout: inspected({ restarts: '1' }) }) },
    ],
    [
      'the container is not up',
      { 'docker inspect': inTurn({ stdout: inspected() }, { stdout: inspected({ state: 'restarting' }) }) },
    ],
    ['Compose does not start it', { 'docker compose up': { status: 1, stderr: 'no space left on device' } }],
  ])('does not succeed where %s', async (_, overrides: Record<string, Answer>) => {
    await expect(upgrade(engine(overrides), 60)).rejects.toThrow('Neither version works.');
    expect(folder.env).toContain('RUNNER_IMAGE=p-runner:previous\n');
  });

  it('tries what docker-compose.yml names after it went back, and forgets the old image where that works', async () => {
    folder.write('.env', `${folder.env}RUNNER_IMAGE=p-runner:previous\n`);
    const run = engine();
    await upgrade(run, 60);
    expect(run.commands).toContain(`docker pull --quiet ${image}`);
    expect(folder.env).toMatch(/^RUNNER_IMAGE=$/m);
  });

  it('changes nothing where the newest image runs already', async () => {
    const run = engine({ 'docker image inspect --format': { stdout: 'sha256:old\n' } });
    await upgrade(run, 60);
    expect(printed()).toContain('Nothing was changed.');
    expect(run.commands.join('\n')).not.toMatch(/docker (kill|tag|compose up)/);
  });

  it.each([
    [
      'the image cannot be pulled',
      { 'docker pull': { status: 1, stderr: 'toomanyrequests' } },
      'cannot be pulled',
    ],
    ['no runner runs', { 'docker compose ps -q runner': {} }, 'it does not run.'],
    [
      'GitLab does not know the old one',
      { 'docker exec c1 gitlab-runner verify': notValid },
      'GitLab knows 0 of 1 runners',
    ],
    [
      'the old image cannot be kept',
      { 'docker tag': { status: 1, stderr: 'disk full' } },
      'cannot be kept: disk full',
    ],
  ])('leaves the runner alone where %s', async (_, overrides: Record<string, Answer>, message) => {
    const run = engine(overrides);
    await expect(upgrade(run, 60)).rejects.toThrow(message);
    expect(run.commands.join('\n')).not.toMatch(/docker (kill|compose up)/);
  });

  it('asks no further once the new container has ended', async () => {
    patience.tries = 1000;
    const run = engine({ 'docker exec c1 gitlab-runner verify': inTurn(valid, notValid) });
    await expect(upgrade(run, 60)).rejects.toThrow('The one before: its container has ended.');
    expect(run.commands.filter(command => command.includes('verify'))).toHaveLength(3);
  });

  it.each([['ten'], ['-1'], ['1.5']])('takes no "%s" for a number of seconds', async seconds => {
    await expect(main(['upgrade', seconds])).rejects.toThrow(`Not known: upgrade ${seconds}`);
  });

  it('names its words where it is given another', async () => {
    await expect(main(['start'])).rejects.toMatchObject({
      remedy: 'Say: scripts/run runner up | upgrade [SECONDS] | status',
    });
  });
});

describe('runner upgrade that is interrupted', () => {
  // Whoever is interrupted stays so: each of these has modules of its own.
  const fresh = async () => {
    vi.resetModules();
    const script = await import('../../../templates/scripts/runner.ts');
    const host = await import('../../../templates/scripts/host.ts');
    host.root.pathname = `${folder.path}/`;
    return script;
  };
  const interrupt: Answer = () => {
    process.emit('SIGINT');
    return { status: 124 };
  };

  it('says that nothing was changed, where it had only pulled', async () => {
    const run = engine({ 'docker pull': interrupt });
    await expect((await fresh()).upgrade(run, 60)).rejects.toThrow('Interrupted: nothing was changed.');
    expect(run.commands.join('\n')).not.toMatch(/docker (kill|compose up)/);
  });

  it('says that the runner ends with its last job, where it waited', async () => {
    const run = engine({ 'docker wait': interrupt });
    const said = {
      message: 'Interrupted: the runner takes no new job, and ends with its last one.',
      remedy: 'Start it again, as it was: make up',
    };
    await expect((await fresh()).upgrade(run, 60)).rejects.toMatchObject(said);
    expect(run.commands.join('\n')).not.toContain('compose up');
  });
});

/** What GitLab answers to POST /runners/verify. */
function gitlabSays(code: number, body: object): void {
  vi.stubGlobal('fetch', async () => new Response(JSON.stringify(body), { status: code }));
}

describe('runner status', () => {
  const inDays = (days: number) => new Date(Date.now() + days * 86_400_000 + 60_000).toISOString();

  beforeEach(() => {
    process.exitCode = undefined;
  });

  it('shows container, version, disk, jobs of its own and the token, and ends with 0', async () => {
    gitlabSays(200, { id: 7, token_expires_at: inDays(20) });
    await status(engine({ 'docker ps': runningJob }));
    expect(printed()).toMatch(/^container +running since 2026-11-28, healthy$/m);
    expect(printed()).toMatch(/^version +19\.3\.0$/m);
    expect(printed()).toMatch(/^disk +overlay 100G 20G$/m);
    expect(printed()).toMatch(/^jobs +1 running$/m);
    expect(printed()).toMatch(/^token +"My Docker Runner" is runner #7; its token expires on /m);
    expect(printed()).not.toContain(aToken);
    expect(process.exitCode).toBeUndefined();
  });

  it.each<[string, Record<string, Answer>, () => void, RegExp]>([
    [
      'no container',
      { 'docker compose ps -q runner': {} },
      () => gitlabSays(200, { id: 7 }),
      /^container +the runner does not run\..*make up .*look/m,
    ],
    [
      'an unhealthy one',
      { 'docker inspect': { stdout: inspected({ health: 'unhealthy' }) } },
      () => gitlabSays(200, { id: 7 }),
      /unhealthy.*look/,
    ],
    [
      'a token that expires soon',
      {},
      () => gitlabSays(200, { id: 7, token_expires_at: inDays(13) }),
      /in 13 days.*make register ARGS=--rotate .*look/,
    ],
    [
      'a token that GitLab refuses',
      {},
      () => gitlabSays(403, { message: '403 Forbidden' }),
      /does not accept RUNNER_TOKEN.*make register .*look/,
    ],
    ['a GitLab that does not say', {}, () => gitlabSays(500, { message: 'oh' }), /^token .*oh.*look/m],
  ])('ends with 1, and says why, with %s', async (_, overrides, gitlab, line) => {
    gitlab();
    await status(engine(overrides));
    expect(printed()).toMatch(line);
    expect(process.exitCode).toBe(1);
    process.exitCode = undefined;
  });

  it('says that there is no token', async () => {
    repository('GITLAB_URL=https://gitlab.example.com\n');
    await status(engine());
    expect(printed()).toContain('RUNNER_TOKEN is empty.  Run: make register');
    process.exitCode = undefined;
  });
});

describe('the check of', () => {
  const find = async (name: string, run: Run = engine(), more: Record<string, string> = {}) => {
    const note = fakeNote();
    const value = (key: string) => more[key] ?? '';
    const environment = { gitlabUrl: 'https://gitlab.example.com', value };
    const world: World = { run, environment, compose: ['docker', 'compose'] };
    await checks.find(check => check.name === name)?.run(world, note);
    return note.notes;
  };

  describe('config.toml', () => {
    it('is content with what the generator wrote, and gives lint placeholders', async () => {
      const run = engine();
      expect(await find('config.toml', run, { RUNNER_TOKEN: aToken })).toMatchObject([{ verdict: 'ok' }]);
      const lint = run.commands.find(command => command.includes('lint')) ?? '';
      expect(lint).toContain('--env RUNNER_TOKEN=placeholder --env GITLAB_URL=https://gitlab.example.com');
      expect(lint).toContain(`--volume ${folder.at('config')}:/etc/gitlab-runner:ro`);
    });

    it.each([
      [
        'a token in the file',
        `token = "${aToken}"`,
        'failed',
        '"My Docker Runner": its token is in the file',
      ],
      ['such a token in single quotes', `token = '${aToken}'`, 'failed', 'its token is in the file'],
      ['no token', '# none', 'failed', 'or missing'],
    ])('finds %s, and never shows a token', async (_, line, verdict, detail) => {
      folder.write(
        config,
        plain.replace(/token = .*/, () => line),
      );
      const notes = await find('config.toml');
      expect(notes[0]).toMatchObject({ verdict, detail: expect.stringContaining(detail) });
      expect(JSON.stringify(notes)).not.toContain(aToken);
    });

    it('names runners that settings.ts does not describe, and those that are not there', async () => {
      const another = '[[runners]]\n  name = "somebody\'s"\n  token = "${OTHER}"\n';
      folder.write(config, plain + another);
      expect(await find('config.toml')).toMatchObject([
        {
          verdict: 'warning',
          detail: expect.stringContaining('"somebody\'s": scripts/settings.ts does not'),
        },
        { verdict: 'ok' },
      ]);
      folder.write(config, another);
      const [, missing] = await find('config.toml');
      expect(missing?.detail).toContain('has the name "My Docker Runner" of scripts/settings.ts');
    });

    const lint = (answer: Partial<Result>) => engine({ 'docker run --rm --network none --volume': answer });

    it('says in one line what GitLab Runner cannot read', async () => {
      const fatal =
        'Runtime platform  arch=amd64\nFATAL: decoding config: /etc/gitlab-runner/config.toml: toml: line 1 (last key "concurrent"): incompatible types\n';
      expect(await find('config.toml', lint({ status: 1, stderr: fatal }))).toMatchObject([
        {
          verdict: 'failed',
          detail:
            'decoding config: config/config.toml: toml: line 1 (last key "concurrent"): incompatible types',
        },
      ]);
    });

    it.each<[string, Run]>([
      ['an image without lint', lint({ status: 1, stderr: 'FATAL: Command lint not found.' })],
      ['an image that is not here', engine({ 'docker image inspect': { status: 1 } })],
      ['a container that does not start', lint({ status: 125, stderr: 'docker: no such file' })],
    ])('cannot tell with %s', async (_, run) => {
      expect(await find('config.toml', run)).toMatchObject([{ verdict: 'unknown' }]);
    });

    it('fails for a file that is none of TOML, by a sentence', async () => {
      folder.write(config, '<html>\n');
      await expect(find('config.toml')).rejects.toThrow('config/config.toml has no [[runners]].');
    });
  });

  it.each<[string, Record<string, Answer>, string, string]>([
    ['runs', {}, 'ok', 'running since 2026-11-28, healthy'],
    ['does not run', { 'docker compose ps': {} }, 'warning', 'the runner does not run.'],
    [
      'is restarted',
      { 'docker inspect': { stdout: inspected({ state: 'restarting' }) } },
      'failed',
      'it is restarting.',
    ],
    [
      'is unhealthy',
      { 'docker inspect': { stdout: inspected({ health: 'unhealthy' }) } },
      'failed',
      'GitLab does not know',
    ],
  ])('the container that %s', async (_, overrides, verdict, detail) => {
    expect(await find('container', engine(overrides))).toMatchObject([
      { verdict, detail: expect.stringContaining(detail) },
    ]);
  });

  it.each<[string, Record<string, Answer>, string, string]>([
    ['is GitLab’s', {}, 'ok', 'GitLab Runner 19.3.0'],
    ['is another than that', version('19.1.0'), 'warning', 'GitLab Runner is 19.1.0, GitLab 19.3.1-ee.'],
    ['is not here yet', { 'docker image inspect': { status: 1 } }, 'unknown', 'is not here yet'],
  ])('the version that %s', async (_, overrides, verdict, detail) => {
    gitlabSays(200, { version: '19.3.1-ee' });
    const notes = await find('version', engine(overrides), { GITLAB_ACCESS_TOKEN: 'x' });
    expect(notes).toMatchObject([{ verdict, detail: expect.stringContaining(detail) }]);
  });

  it('names no check of its own command as a remedy', async () => {
    folder.write(config, plain.replace(/token = .*/, 'token = "x"'));
    for (const { remedy } of await find('config.toml')) expect(remedy).not.toContain('make doctor');
  });
});
