import { existsSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { Result, Run, RunOptions } from '../../../templates/scripts/host.ts';
import * as host from '../../../templates/scripts/host.ts';
import { checks, main, patience, readConfig, up, upgrade } from '../../../templates/scripts/runner.ts';
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
function engine(overrides: Record<string, Answer> = {}): Run & { commands: string[]; limits: string[] } {
  const answers: Record<string, Answer> = {
    'docker version': { stdout: '{"Version":"28.5.2","ApiVersion":"1.51","MinAPIVersion":"1.24"}' },
    'docker compose version': {},
    'docker compose ps -q runner': { stdout: 'c1\n' },
    'docker inspect': { stdout: inspected() },
    'docker compose config --hash runner': { stdout: 'runner ab12\n' },
    'docker compose config': (_, options) => ({ stdout: composed(options?.environment?.RUNNER_IMAGE) }),
    'docker run --rm --network none --mount': { stdout: 'Version:      19.3.0\n' },
    'docker exec c1 gitlab-runner verify': { stderr: 'Verifying runner... is valid   runner=t1_abcdef\n' },
    'docker exec c1 sh': { stdout: 'Version:      19.3.0\nFilesystem Size\noverlay 100G 20G\n' },
    'docker image inspect --format': { stdout: 'sha256:new\n' },
    'docker ps': { stdout: '' },
    docker: {},
  };
  const commands: string[] = [];
  const limits: string[] = [];
  const run: Run = async (words, options) => {
    const command = words.join(' ');
    commands.push(command);
    limits.push(`${command}: ${options?.seconds ?? 10} s`);
    const [, found] =
      [...Object.entries(overrides), ...Object.entries(answers)].find(([start]) =>
        command.startsWith(start),
      ) ?? [];
    const answer = typeof found === 'function' ? found(command, options) : found;
    return { status: answer ? 0 : 127, stdout: '', stderr: '', ...answer };
  };
  return Object.assign(run, { commands, limits });
}

const labels = {
  'com.docker.compose.project': 'p',
  'com.docker.compose.project.working_dir': '/a/p',
  'com.docker.compose.config-hash': 'ab12',
};

const inspected = (more: object = {}) =>
  JSON.stringify([
    {
      ...{ Image: 'sha256:old', RestartCount: 0, Config: { Labels: labels } },
      State: { Status: 'running', StartedAt: '2026-11-28', Health: { Status: 'healthy' } },
      ...more,
    },
  ]);

/** What Compose makes of docker-compose.yml and .env, where the environment does not name another image. */
const composed = (named?: string) => {
  const inFile = /^RUNNER_IMAGE=(.*)$/m.exec(folder.env)?.[1];
  const runner = `    command: run\n    image: ${(named ?? inFile) || image}\n`;
  return `name: p\nservices:\n  clean-up:\n    image: other\n  runner:\n${runner}`;
};

/** An image that is GitLab Runner of that version. */
const version = (number: string): Record<string, Answer> => ({
  'docker run --rm --network none --mount': { stdout: `Version:      ${number}\n` },
});

/** Another answer at each call; the last one for all that follow. */
const inTurn = (...answers: Partial<Result>[]): Answer => {
  let call = 0;
  return () => answers[Math.min(call++, answers.length - 1)]!;
};

const notValid = { stderr: 'ERROR: Verifying runner... is not valid   runner=t1_abcdef\n', status: 1 };
const valid = { stderr: 'Verifying runner... is alive   runner=t1_abcdef\n' };
const refused: Answer = {
  status: 1,
  stdout: 'Version: 19.3.0\nFATAL: decoding /etc/gitlab-runner/config.toml\n',
};
const runningJob = { stdout: '7 t1_abcdef\n7 t1_abcdef\n8 t1_zzzzzz\n' };

let folder: Folder;
let printed: () => string;

/** A repository with those values in .env. */
function repository(env = `GITLAB_URL=https://gitlab.example.com\nRUNNER_TOKEN=${aToken}\n`): void {
  folder = new Folder(env);
  folder.mkdir('config');
  folder.mkdir('scripts');
  folder.write(config, plain);
}

beforeEach(() => {
  repository();
  printed = captureOutput();
  Object.assign(patience, { tries: 2 });
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

  it.each(['18.10.0', '19.0.0', 'dev'])('starts GitLab Runner %s', async number => {
    await up(engine(version(number)));
    expect(printed()).toContain('Started.');
  });

  it('says that the image cannot be had, in words of its own', async () => {
    const stderr = 'docker: Error response: pull access denied for x\n';
    const run = engine({ 'docker run --rm --network none': { status: 125, stderr } });
    await expect(up(run)).rejects.toThrow(
      `${image} cannot be run: docker: Error response: pull access denied`,
    );
  });

  it('starts nothing where the engine has no such folder, as one on another host', async () => {
    const stderr = 'docker: Error response from daemon: bind source path does not exist: /a/config\n';
    const run = engine({ 'docker run --rm --network none': { status: 125, stderr } });
    await expect(up(run)).rejects.toMatchObject({
      message: expect.stringContaining('bind source path does not exist: /a/config'),
      remedy: expect.stringContaining('docker context ls'),
    });
    expect(run.commands).not.toContain('docker compose up -d');
  });

  it('waits for a runner that ends with its last job, as after a "make down" that was left, and then starts it', async () => {
    const run = engine({ 'docker events': { stdout: '1\n3\n' } });
    await up(run);
    const order = run.commands.filter(command => /docker (wait|compose up)/.test(command));
    expect(order).toEqual(['docker wait c1', 'docker compose up -d']);
    expect(run.limits).toContain('docker wait c1: 0 s');
    const other = engine({ 'docker events': { stdout: '1\n' } });
    await up(other);
    expect(other.commands).not.toContain('docker wait c1');
  });

  it('takes no container over that is of another folder of that name, and one of this folder before it was moved', async () => {
    const of = (path: string) => ({
      'docker inspect': {
        stdout: inspected({
          Config: { Labels: { ...labels, 'com.docker.compose.project.working_dir': path } },
        }),
      },
    });
    const other = tmpdir();
    const run = engine(of(other));
    await expect(up(run)).rejects.toMatchObject({
      message: `The container of this name is that of ${other}.`,
      remedy: expect.stringContaining('COMPOSE_PROJECT_NAME in .env'),
    });
    expect(run.commands).not.toContain('docker compose up -d');
    for (const path of ['/no/longer/there', folder.path]) await up(engine(of(path)));
  });

  it('starts nothing with a config.toml that the image refuses', async () => {
    const run = engine({ 'docker run --rm --network none --mount': refused });
    await expect(up(run)).rejects.toThrow('GitLab Runner 19.3.0 refuses it: decoding config/config.toml');
    expect(run.commands).not.toContain('docker compose up -d');
  });

  it('gives a pull half an hour, and Compose the time that it takes', async () => {
    const run = engine();
    await up(run);
    expect(run.limits.find(one => one.startsWith('docker run'))).toMatch(/: 1800 s$/);
    expect(run.limits.at(-1)).toBe('docker compose up -d: 0 s');
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
    const stdout = 'services:\n  runner:\n    build: .\n  other:\n    image: x\n';
    await expect(up(engine({ 'docker compose config': { stdout, stderr: 'no such file' } }))).rejects.toThrow(
      'names no image for "runner": no such file',
    );
  });
});

describe('runner upgrade', () => {
  const position = (run: { commands: string[] }, start: string) =>
    run.commands.findIndex(command => command.startsWith(start));

  it('keeps the old image, lets jobs end, starts the new one, and asks GitLab', async () => {
    const run = engine({ 'docker ps': runningJob });
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
    expect(printed()).toContain('Waiting for 1 running jobs to end, 3600 s at most.');
    expect(printed()).toContain('Upgraded; GitLab knows each runner. GitLab Runner 19.3.0');
    expect(run.commands.join('\n')).not.toMatch(/--signal (TERM|KILL)|--wait/);
    expect(folder.env).not.toContain('RUNNER_IMAGE=p');
  });

  it('gives jobs the seconds that it was told, then one minute after SIGTERM, then none', async () => {
    const run = engine({ 'docker wait': { status: 124 } });
    await upgrade(run, 90);
    const draining = run.limits.filter(one => /^docker (kill|wait)/.test(one));
    expect(draining).toEqual([
      'docker kill --signal QUIT c1: 10 s',
      'docker wait c1: 90 s',
      'docker kill --signal TERM c1: 10 s',
      'docker wait c1: 60 s',
      'docker kill --signal KILL c1: 10 s',
    ]);
    expect(run.limits).toContain(`docker pull --quiet ${image}: 1800 s`);
    expect(run.limits).toContain('docker compose up -d --no-deps runner: 0 s');
  });

  it('can be interrupted until the jobs have ended, and not from then on', async () => {
    host.interruptions.areHeld = false;
    const isHeld: Record<string, boolean> = {};
    const look: Answer = command => {
      isHeld[command] = host.interruptions.areHeld;
      return {};
    };
    await upgrade(engine({ 'docker wait': look, 'docker compose up': look }), 60);
    expect(isHeld).toEqual({ 'docker wait c1': false, 'docker compose up -d --no-deps runner': true });
    expect(printed()).toContain(
      'After Ctrl-C the runner ends with its last job; to start it again, as it was: make up',
    );
  });

  it('leaves .env as it was until the jobs have ended, for whoever interrupts it', async () => {
    folder.write('.env', `${folder.env}RUNNER_IMAGE=p-runner:previous\n`);
    const seen: string[] = [];
    const look: Answer = () => {
      seen.push(folder.env);
      return {};
    };
    await upgrade(engine({ 'docker wait': look }), 60);
    expect(seen).toEqual([expect.stringContaining('RUNNER_IMAGE=p-runner:previous\n')]);
  });

  it('ends jobs by SIGTERM where there is no time for them, and says how many', async () => {
    const run = engine({ 'docker ps': runningJob });
    await upgrade(run, 0);
    expect(printed()).toContain('After 0 s 1 jobs still run; they are ended as failed.');
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
      'docker compose up': () => {
        images.push(/^RUNNER_IMAGE=(.*)$/m.exec(folder.env)?.[1]);
        return {};
      },
    });
    const said = {
      message: expect.stringMatching(/GitLab knows 0 of 1 runners: .* The one before runs again\.$/),
      remedy: 'RUNNER_IMAGE in .env names it: p-runner:previous. Try again later: make upgrade',
    };
    await expect(upgrade(run, 60)).rejects.toMatchObject(said);
    expect(images).toEqual(['', 'p-runner:previous']);
    expect(folder.env).toContain('RUNNER_IMAGE=p-runner:previous\n');
  });

  it('names the old image while it waits for jobs: whatever ends it there, make up starts that one', async () => {
    let named: string | undefined;
    const run = engine({
      'docker kill': () => {
        named = /^RUNNER_IMAGE=(.*)$/m.exec(folder.env)?.[1];
        return {};
      },
    });
    await upgrade(run, 60);
    expect(named).toBe('p-runner:previous');
    expect(folder.env).toMatch(/^RUNNER_IMAGE=$/m);
  });

  it('asks GitLab again, after a while, where it does not know the new runner at once', async () => {
    const run = engine({ 'docker exec c1 gitlab-runner verify': inTurn(valid, notValid, valid) });
    await upgrade(run, 60);
    const asked = run.limits.slice(position(run, 'docker compose up')).filter(one => /verify|wait/.test(one));
    expect(asked).toEqual([
      'docker exec c1 gitlab-runner verify: 30 s',
      `docker wait c1: ${patience.seconds} s`,
      'docker exec c1 gitlab-runner verify: 30 s',
    ]);
    expect(printed()).toContain('Upgraded;');
  });

  it('says of a container that was started again that it was', async () => {
    const again = inspected({ RestartCount: 1 });
    const run = engine({ 'docker inspect': inTurn({ stdout: inspected() }, { stdout: again }) });
    const { message } = await upgrade(run, 60).then(
      () => new Error('upgraded'),
      (error: Error) => error,
    );
    expect(message).toContain('Neither version works.');
    expect(message).not.toContain('its container is running.');
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
      { 'docker inspect': inTurn({ stdout: inspected() }, { stdout: inspected({ RestartCount: 1 }) }) },
    ],
    [
      'the container is not up',
      {
        'docker inspect': inTurn(
          { stdout: inspected() },
          { stdout: inspected({ State: { Status: 'restarting' } }) },
        ),
      },
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

  it('brings an image that .env names to what that name stands for now, and leaves the name', async () => {
    folder.write('.env', `${folder.env}RUNNER_IMAGE=mine:1\n`);
    const run = engine();
    await upgrade(run, 60);
    expect(run.commands).toContain('docker pull --quiet mine:1');
    expect(folder.env).toContain('RUNNER_IMAGE=mine:1\n');
  });

  it('tries the image that .env named also after an upgrade that was left while it waited for jobs', async () => {
    folder.write('.env', `${folder.env}RUNNER_IMAGE=mine:1\n`);
    const left = () => {
      throw new Error('left');
    };
    await expect(upgrade(engine({ 'docker kill': left }), 60)).rejects.toThrow('left');
    expect(folder.env).toContain('RUNNER_IMAGE=p-runner:previous\n');
    const run = engine();
    await upgrade(run, 60);
    expect(run.commands).toContain('docker pull --quiet mine:1');
    expect(folder.env).toContain('RUNNER_IMAGE=mine:1\n');
  });

  it('starts the new version again where Ctrl-C ended Compose while it did, and does not take it for one that fails', async () => {
    const up = inTurn({ status: 130, stderr: 'Container p-runner-1  Recreate' }, {});
    const run = engine({ 'docker compose up': up });
    await upgrade(run, 60);
    expect(run.commands.filter(command => command.startsWith('docker compose up'))).toHaveLength(2);
    expect(folder.env).toMatch(/^RUNNER_IMAGE=$/m);
  });

  it('goes back to the old image also where the shell names another one', async () => {
    vi.stubEnv('RUNNER_IMAGE', 'mine:2');
    const started: (string | undefined)[] = [];
    // Compose takes a variable from .env only where the environment has none.
    const start: Answer = (_, options) => {
      const inFile = /^RUNNER_IMAGE=(.*)$/m.exec(folder.env)?.[1];
      started.push({ ...process.env, ...options?.environment }.RUNNER_IMAGE ?? inFile);
      return started.length === 1 ? { status: 1, stderr: 'no' } : {};
    };
    await expect(upgrade(engine({ 'docker compose up': start }), 60)).rejects.toThrow('The one before');
    expect(started).toEqual(['mine:2', 'p-runner:previous']);
  });

  it('does not stop the runner where .env cannot be written', async () => {
    folder.mkdir('.env.new');
    const run = engine();
    await expect(upgrade(run, 60)).rejects.toThrow('.env was not written');
    expect(run.commands.join('\n')).not.toMatch(/docker (kill|compose up)/);
  });

  it('does not begin without a token', async () => {
    repository('GITLAB_URL=https://gitlab.example.com\n');
    const run = engine();
    const said = { message: 'There is no RUNNER_TOKEN yet.', remedy: 'Run: make register' };
    await expect(upgrade(run, 60)).rejects.toMatchObject(said);
    expect(run.commands.join('\n')).not.toMatch(/docker (pull|kill|compose up)/);
  });

  it('wants GitLab to know each runner, not one of them', async () => {
    folder.write(config, `${plain}\n[[runners]]\n  name = "another"\n`);
    await expect(upgrade(engine(), 60)).rejects.toThrow('GitLab knows 1 of 2 runners');
  });

  it('says that nothing was changed where Docker refuses a step', async () => {
    const run = engine({ 'docker pull': { status: 1 } });
    await expect(upgrade(run, 60)).rejects.toMatchObject({ remedy: 'Nothing was changed.' });
  });

  it('gives jobs an hour unless told, and keeps other scripts from .env meanwhile', async () => {
    let isLocked = false;
    const look: Answer = () => {
      isLocked = existsSync(folder.at('.env.lock'));
      return {};
    };
    const run = engine({ 'docker wait': look });
    vi.spyOn(host, 'run').mockImplementation(run);
    await main(['upgrade']);
    expect(run.limits).toContain('docker wait c1: 3600 s');
    expect([isLocked, existsSync(folder.at('.env.lock'))]).toEqual([true, false]);
  });

  it('changes nothing where the newest image runs already', async () => {
    const run = engine({ 'docker image inspect --format': { stdout: 'sha256:old\n' } });
    await upgrade(run, 60);
    expect(printed()).toContain('is what runs already, and nothing was changed');
    expect(run.commands.join('\n')).not.toMatch(/docker (kill|tag|compose up)/);
  });

  it.each([
    [
      'the image cannot be pulled',
      { 'docker pull': { status: 1, stderr: 'toomanyrequests' } },
      'docker pull --quiet gitlab/gitlab-runner:alpine: toomanyrequests',
    ],
    ['no runner runs', { 'docker compose ps -q runner': {} }, 'it does not run.'],
    [
      'GitLab does not know the old one',
      { 'docker exec c1 gitlab-runner verify': notValid },
      'GitLab knows 0 of 1 runners',
    ],
    [
      'the new one refuses config.toml',
      { 'docker run --rm --network none --mount': refused },
      'refuses it: decoding config/config.toml',
    ],
    [
      'the old image cannot be kept',
      { 'docker tag': { status: 1, stderr: 'disk full' } },
      'p-runner:previous: disk full',
    ],
  ])('leaves the runner alone where %s', async (_, overrides: Record<string, Answer>, message) => {
    const run = engine(overrides);
    await expect(upgrade(run, 60)).rejects.toThrow(message);
    expect(run.commands.join('\n')).not.toMatch(/docker (kill|compose up)/);
  });

  it.each([['ten'], ['-1'], ['1.5']])('takes no "%s" for a number of seconds', async seconds => {
    await expect(main(['upgrade', seconds])).rejects.toThrow(`Not known: upgrade ${seconds}`);
  });

  it('names its words where it is given another', async () => {
    await expect(main(['start'])).rejects.toMatchObject({
      remedy: 'Say: scripts/run runner up | upgrade [SECONDS]',
    });
  });
});

describe('the check of', () => {
  const find = async (name: string, run: Run = engine(), more: Record<string, string> = {}) => {
    const note = fakeNote();
    for (const [key, value] of Object.entries(more)) vi.stubEnv(key, value);
    await checks.find(check => check.name === name)?.run(run, note);
    return note.notes;
  };

  describe('config.toml', () => {
    it('is content with what the generator wrote, and gives lint placeholders', async () => {
      const run = engine();
      expect(await find('config.toml', run, { RUNNER_TOKEN: aToken })).toMatchObject([{ verdict: 'ok' }]);
      const lint = run.commands.find(command => command.includes('lint')) ?? '';
      expect(lint).toContain(
        '--env GITLAB_URL=https://placeholder.example.com --env RUNNER_TOKEN=https://placeholder',
      );
      expect(lint).toContain(
        `--mount type=bind,"source=${folder.at('config')}",target=/etc/gitlab-runner,readonly`,
      );
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

    const lint = (answer: Partial<Result>) => engine({ 'docker run --rm --network none --mount': answer });

    it('says in one line what GitLab Runner cannot read', async () => {
      const fatal =
        'Version: 19.3.0\nRuntime platform  arch=amd64\nFATAL: decoding config: /etc/gitlab-runner/config.toml: toml: line 1 (last key "concurrent"): incompatible types\n';
      await expect(find('config.toml', lint({ status: 1, stdout: fatal }))).rejects.toThrow(
        'GitLab Runner 19.3.0 refuses it: decoding config: config/config.toml: toml: line 1 (last key "concurrent"): incompatible types',
      );
    });

    it('names the keys that GitLab Runner does not know, wherever its line breaks', async () => {
      const fatal =
        'Version: 19.3.0\nFATAL: 1 unknown key(s) found in /etc/gitlab-runner/config.toml:\n  unknown key: runners.no_such_key\n';
      await expect(find('config.toml', lint({ status: 1, stdout: fatal }))).rejects.toThrow(
        'in config/config.toml: unknown key: runners.no_such_key',
      );
    });

    it.each<[string, Run]>([
      [
        'an image without lint',
        lint({ status: 1, stdout: 'Version: 19.1.0\nFATAL: Command lint not found.' }),
      ],
      [
        'an image that is not here',
        engine({ 'docker image inspect': { status: 1 }, 'docker manifest': { status: 1 } }),
      ],
    ])('cannot tell with %s', async (_, run) => {
      expect(await find('config.toml', run)).toMatchObject([{ verdict: 'unknown' }]);
    });

    it('fails for a file that is none of TOML, by a sentence', async () => {
      folder.write(config, '<html>\n');
      await expect(find('config.toml')).rejects.toThrow('config/config.toml has no [[runners]].');
    });
  });

  it.each<[string, Record<string, Answer>, string, string]>([
    ['runs', { 'docker ps': runningJob }, 'ok', 'running since 2026-11-28, healthy; jobs: 1'],
    ['does not run', { 'docker compose ps': {} }, 'warning', 'the runner does not run.'],
    [
      'is restarted',
      { 'docker inspect': { stdout: inspected({ State: { Status: 'restarting' } }) } },
      'failed',
      'it is restarting.',
    ],
    [
      'is unhealthy',
      {
        'docker inspect': {
          stdout: inspected({ State: { Status: 'running', Health: { Status: 'unhealthy' } } }),
        },
      },
      'failed',
      'GitLab does not know',
    ],
  ])('the container that %s', async (_, overrides, verdict, detail) => {
    const found = await find('container', engine(overrides), { RUNNER_TOKEN: aToken });
    expect(found[0]).toMatchObject({ verdict, detail: expect.stringContaining(detail) });
  });

  it('the container shows version and disk, and cannot tell where it does not answer', async () => {
    const [, seen] = await find('container');
    expect(seen).toMatchObject({ verdict: 'ok', detail: 'GitLab Runner 19.3.0; disk: overlay 100G 20G' });
    const [, silent] = await find('container', engine({ 'docker exec c1 sh': { status: 1, stderr: 'no' } }));
    expect(silent).toMatchObject({ verdict: 'unknown', detail: 'its version: no' });
  });

  it.each<[string, Record<string, Answer>, string]>([
    [
      'ends with its last job',
      { 'docker events': { stdout: '3\n' } },
      'it ends with its last job, as it was told.',
    ],
    [
      // Another token in .env, a changed or moved docker-compose.yml, a folder of the same name.
      'was started from other files than are here',
      { 'docker compose config --hash runner': { stdout: 'runner cd34\n' } },
      'it was started in /a/p with another docker-compose.yml or .env.',
    ],
  ])('the container that %s is warned of, with what helps', async (_, overrides, detail) => {
    const [found] = await find('container', engine(overrides), { RUNNER_TOKEN: aToken });
    expect(found).toMatchObject({ verdict: 'warning', detail, remedy: expect.stringContaining('make up') });
  });

  it('the container is not compared where Compose has no word for it', async () => {
    const run = engine({ 'docker compose config --hash': { status: 1 } });
    expect((await find('container', run))[0]?.verdict).toBe('ok');
  });

  it('the container counts the jobs of its own runners once each, and no part of a token is an argument', async () => {
    const stdout = '7 t1_abcde\n7 t1_abcde\n8 abcdefgh\n9 otherone\n10 \n';
    const run = engine({ 'docker ps': { stdout } });
    const [{ detail } = { detail: '' }] = await find('container', run, { RUNNER_TOKEN: aToken });
    expect(detail).toMatch(/jobs: 2$/);
    expect(run.commands.join()).not.toContain('abcde');
    const [unknown] = await find('container', engine({ 'docker ps': { status: 1 } }));
    expect(unknown?.detail).toMatch(/jobs: unknown$/);
  });

  it('names no check of its own command as a remedy', async () => {
    folder.write(config, plain.replace(/token = .*/, 'token = "x"'));
    for (const { remedy } of await find('config.toml')) expect(remedy).not.toContain('make doctor');
  });
});

describe('readConfig', () => {
  const read = (lines: string) => {
    folder.write(
      config,
      `concurrent = 1\n[[runners]]\n  name = "one"\n${lines}\n[[runners]]\n  name = "two"\n`,
    );
    return readConfig();
  };

  it('reads texts, numbers, switches and lists of a table, on one line or several, with remarks', () => {
    const [one, two] = read(`  limit = 3 # jobs
  clone_url = 'http://one#1'
  [runners.docker]
    image = "a#b" # not the tag
    privileged = false
    volumes = [
      "/a:/a", # first
      "/cache",
    ]
  [runners.cache.s3]
    ServerAddress = "s3:9000"`);
    expect([one?.('name'), one?.('limit'), one?.('clone_url')]).toEqual([['one'], ['3'], ['http://one#1']]);
    expect(one?.('image', 'runners.docker')).toEqual(['a#b']);
    expect(one?.('privileged', 'runners.docker')).toEqual(['false']);
    expect(one?.('volumes', 'runners.docker')).toEqual(['/a:/a', '/cache']);
    expect(one?.('ServerAddress', 'runners.cache.s3')).toEqual(['s3:9000']);
    expect([one?.('image'), two?.('name'), two?.('image', 'runners.docker')]).toEqual([[], ['two'], []]);
  });

  it('leaves the quotes in a text alone, and reads a list in single ones', () => {
    const [one] = read(`  description = "it's 'mine' \\"here\\""\n  shells = ['sh', '#1']`);
    expect(one?.('description')).toEqual([`it's 'mine' "here"`]);
    expect(one?.('shells')).toEqual(['sh', '#1']);
  });

  it('finds no runner in a remark', () => {
    folder.write(config, '# [[runners]]\n');
    expect(readConfig).toThrow(host.Failure);
  });

  it('refuses a value that it does not understand, by the name of its key', () => {
    const [one] = read('  environment = """x"""');
    expect(() => one?.('environment')).toThrow(
      'config/config.toml: environment has a value that is not read',
    );
  });
});
