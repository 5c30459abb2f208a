import { execFile } from 'node:child_process';
import { closeSync, openSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { describe, expect, it, vi } from 'vitest';
import {
  checks,
  compose,
  during,
  engineChecks,
  env,
  Failure,
  gitlabUrl,
  keepSecret,
  lastLine,
  mask,
  requireEngine,
  run,
  start,
  whyNoImage,
  withLock,
  writeEnvironment,
} from '../../../templates/scripts/host.ts';
import { captureOutput, Folder, fakeNote, fakeRun, node, outputTo, signal } from './folder.ts';

// Only watched: it runs programs as ever.
vi.mock('node:child_process', async original => {
  const all = await original<typeof import('node:child_process')>();
  return { ...all, execFile: vi.fn(all.execFile) };
});

// In two parts, so that secret scanners do not take this source for a leak.
const aToken = `${'gl'}rt-t1_abcdefgh12345678`;

describe('mask', () => {
  it('hides each secret that it was told of, the longer before the shorter', () => {
    keepSecret('hunter2');
    keepSecret('hunter2-and-more');
    keepSecret('');
    expect(mask('a hunter2-and-more b hunter2')).toBe('a [masked] b [masked]');
  });

  it.each([
    aToken,
    `acme-${aToken}`,
    `${'gl'}rtr-abcdefgh12`,
    `${'gl'}pat-a.01.bcdefgh`,
    `${'GR13'}48941abc`,
  ])('hides %s by its form alone', token => {
    expect(mask(`before ${token} after`)).toBe('before [masked] after');
  });

  it('is what the last line of a program passes through', () => {
    expect(lastLine(`one\n ${aToken} two \n\n`)).toBe('[masked] two');
    expect(lastLine('\n')).toBe('it printed nothing.');
    const advice = ["\nRun 'docker run --help' for more information", "See 'docker run --help'."];
    for (const line of advice)
      expect(lastLine(`docker: no such path\n${line}\n`)).toBe('docker: no such path');
  });
});

describe('env and gitlabUrl', () => {
  it('take the environment before .env, and mask what either calls a token, a secret or a key', () => {
    new Folder("GITLAB_URL=https://gitlab.example.com/\nRUNNER_TOKEN=from-file\nS3_SECRET='a$b#c'\n");
    vi.stubEnv('RUNNER_TOKEN', 'from-shell');
    vi.stubEnv('GITLAB_URL', '');
    expect([gitlabUrl(), env('RUNNER_TOKEN'), env('S3_SECRET'), env('NOT_THERE')]).toEqual([
      'https://gitlab.example.com',
      'from-shell',
      'a$b#c',
      '',
    ]);
    expect(mask('from-shell a$b#c')).toBe('[masked] [masked]');
  });

  it.each([
    ['', 'GITLAB_URL is no address: "".'],
    ['GITLAB_URL=gitlab', 'GITLAB_URL is no address: "gitlab".'],
    ['GITLAB_URL=ftp://gitlab', 'GITLAB_URL is no address: "ftp://gitlab".'],
  ])('refuse the .env "%s"', (text, problem) => {
    vi.stubEnv('GITLAB_URL', '');
    new Folder(text);
    expect(gitlabUrl).toThrow(problem);
  });

  it('say that .env cannot be read, and whose it may be', () => {
    new Folder().mkdir('.env');
    expect(gitlabUrl).toThrow(expect.objectContaining({ remedy: expect.stringContaining('ls -l .env') }));
    expect(gitlabUrl).toThrow('.env cannot be read: ');
  });
});

describe('writeEnvironment', () => {
  it('puts a value in the place of the old one, drops doubles, and keeps every other line', () => {
    const folder = new Folder('# mine\nRUNNER_TOKEN=old\n\nTZ=UTC # here\nexport RUNNER_TOKEN=older\nA=1\n');
    writeEnvironment({ RUNNER_TOKEN: 'new', B: '2' });
    expect(folder.env).toBe('# mine\nRUNNER_TOKEN=new\n\nTZ=UTC # here\nA=1\nB=2\n');
  });

  it('adds to a last line without an end, and never glues a token to it', () => {
    const folder = new Folder('TZ=UTC');
    writeEnvironment({ RUNNER_TOKEN: 'new' });
    expect(folder.env).toBe('TZ=UTC\nRUNNER_TOKEN=new\n');
  });

  it('does not take a variable for another whose name begins with its own', () => {
    const folder = new Folder('RUNNER_TOKEN_DEPLOY=theirs\n');
    writeEnvironment({ RUNNER_TOKEN: 'mine' });
    expect(folder.env).toBe('RUNNER_TOKEN_DEPLOY=theirs\nRUNNER_TOKEN=mine\n');
  });

  it('makes a .env that only its owner may read, whatever mode the old one had', () => {
    const folder = new Folder('A=1\n');
    folder.write('.env', 'A=1\n', 0o644);
    folder.write('.env.new', 'left behind', 0o644);
    writeEnvironment({ A: '2' });
    expect([folder.mode('.env'), readdirSync(folder.path)]).toEqual([0o600, ['.env']]);
    expect(readFileSync(folder.at('.env'), 'utf8')).toBe('A=2\n');
  });

  it('puts a new file in the place of the old one: whoever has that open reads no half of it', () => {
    const folder = new Folder('A=1\n');
    const open = openSync(folder.at('.env'), 'r');
    writeEnvironment({ A: '2' });
    expect([readFileSync(open, 'utf8'), folder.env]).toEqual(['A=1\n', 'A=2\n']);
    closeSync(open);
  });

  it('quotes # and $, so that Node.js and Compose read the same, and refuses what no quotes can hold', () => {
    const folder = new Folder('');
    writeEnvironment({ KEY: 'a$b#c d' });
    expect(folder.env).toBe("KEY='a$b#c d'\n");
    expect(() => writeEnvironment({ KEY: "it's" })).toThrow('KEY has a quote');
    expect(() => writeEnvironment({ KEY: 'a\nb' })).toThrow('KEY has a quote or a line end');
  });

  it('clears a value, and adds no empty line for one that is not there', () => {
    const folder = new Folder('A=1\n');
    writeEnvironment({ A: '', B: '' });
    expect(folder.env).toBe('A=\n');
  });

  it('reads back what it wrote: a quote that is open before it leaves .env as it was', () => {
    const text = "NOTE='first line\nRUNNER_TOKEN=old\nlast line'\n";
    const folder = new Folder(text);
    expect(() => writeEnvironment({ RUNNER_TOKEN: 'new' })).toThrow('RUNNER_TOKEN would not be read back');
    expect(folder.env).toBe(text);
  });

  it('says what is in the way where .env.new is a folder, and leaves .env as it was', () => {
    const folder = new Folder('A=1\n');
    folder.mkdir('.env.new');
    expect(() => writeEnvironment({ A: '2' })).toThrow(
      expect.objectContaining({
        message: expect.stringMatching(/^\.env was not written: .*\.env\.new/),
        remedy: expect.stringContaining('df -h .'),
      }),
    );
    expect(folder.env).toBe('A=1\n');
  });

  it('leaves the .env of another user alone, and says how to take it over', () => {
    const folder = new Folder('A=1\n');
    const owner = process.getuid?.() ?? 0;
    vi.spyOn(process as { getuid: () => number }, 'getuid').mockReturnValue(owner + 4321);
    expect(() => writeEnvironment({ A: '2' })).toThrow(
      expect.objectContaining({
        message: `.env belongs to another user (${owner}), so it was not written.`,
        remedy: expect.stringContaining('sudo chown'),
      }),
    );
    expect(folder.env).toBe('A=1\n');
  });
});

describe('withLock', () => {
  it('lets one at a time work, and the next after it', async () => {
    const folder = new Folder();
    await withLock(async () => {
      await expect(withLock(async () => 'second')).rejects.toThrow('This folder cannot be locked: EEXIST');
    });
    const listeners = process.listenerCount('exit');
    expect(await withLock(async () => 'third')).toBe('third');
    expect(process.listenerCount('exit')).toBe(listeners);
    expect(readdirSync(folder.path)).toEqual([]);
  });

  it('is given back when what it guards fails', async () => {
    const folder = new Folder();
    await expect(withLock(() => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(readdirSync(folder.path)).toEqual([]);
  });

  it('says how to remove the lock of a script that was killed, and leaves it', async () => {
    const folder = new Folder();
    folder.mkdir('.env.lock');
    await expect(withLock(async () => undefined)).rejects.toMatchObject({
      remedy: expect.stringContaining('If none does: rmdir .env.lock'),
    });
    expect(readdirSync(folder.path)).toEqual(['.env.lock']);
  });

  it.each([
    ['SIGINT', 'ends the script and gives the lock back', '', [130, '']],
    ['SIGTERM', 'ends the script and gives the lock back', '', [130, '']],
    ['SIGHUP', 'ends the script and gives the lock back', '', [130, '']],
    [
      'SIGINT',
      'waits for what was begun, once it is held',
      'host.interruptions.areHeld = true;',
      [0, 'done\n'],
    ],
    [
      'SIGHUP',
      'waits for what was begun, once it is held',
      'host.interruptions.areHeld = true;',
      [0, 'done\n'],
    ],
  ])('after %s %s', async (signal, _, hold, [code, printed]) => {
    const folder = new Folder('').withScripts();
    folder.write(
      'scripts/wait.ts',
      `import * as host from './host.ts';
      await host.start(import.meta, () => host.withLock(async () => {
        ${hold}
        process.kill(process.pid, '${signal}');
        await new Promise(resolve => setTimeout(resolve, 200));
        console.log('done');
      }));`,
    );
    const { status, stdout } = await run([node, 'scripts/wait.ts'], { seconds: 0 });
    expect([status, stdout]).toEqual([code, printed]);
    expect(readdirSync(folder.path)).toEqual(['.env', 'scripts']);
  });

  it('says so where the folder cannot be written', async () => {
    const folder = new Folder();
    const { root } = await import('../../../templates/scripts/host.ts');
    root.pathname = `${folder.path}/none/`;
    await expect(withLock(async () => undefined)).rejects.toThrow('This folder cannot be locked: ENOENT');
  });
});

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

describe('run', () => {
  it('gives output without colours, input, the variables and the exit code, without a shell', async () => {
    new Folder();
    const script = 'read line; printf "\\033[31m%s %s %s\\033[0m" "$line" "$WHO" "$1"; echo no >&2; exit 3';
    const result = await run(['sh', '-c', script, 'sh', '$HOME'], {
      input: 'in\n',
      environment: { WHO: 'me' },
    });
    expect(result).toEqual({ status: 3, stdout: 'in me $HOME', stderr: 'no\n' });
  });

  it('gives all that a program prints, also more than a megabyte', async () => {
    new Folder();
    const { status, stdout } = await run(['sh', '-c', 'head -c 3000000 /dev/zero | tr "\\0" x']);
    expect([status, stdout.length]).toEqual([0, 3_000_000]);
  });

  it('gives 127 for a program that is not there, and 130 for one that a signal ended', async () => {
    new Folder();
    expect(await run(['no-such-program'])).toMatchObject({ status: 127 });
    expect(await run(['sh', '-c', 'kill -TERM $$'])).toMatchObject({ status: 130 });
  });

  it('gives a program ten seconds, unless it is told otherwise', async () => {
    new Folder();
    vi.mocked(execFile).mockClear();
    for (const options of [{}, { seconds: 60 }, { seconds: 0 }]) await run(['true'], options);
    const given = vi.mocked(execFile).mock.calls.map(([, , options]) => options);
    expect(given).toMatchObject([{ timeout: 10_000 }, { timeout: 60_000 }, { timeout: 0 }]);
  });

  it('ends a program that ignores signals and whose child holds its output open', async () => {
    new Folder();
    const script = 'trap "" TERM; sleep 600 & echo $$ $!; wait';
    const { status, stdout, stderr } = await run(['sh', '-c', script], { seconds: 0.3 });
    const [program = 0, child = 0] = stdout.split(' ').map(Number);
    expect([status, stderr]).toEqual([124, '\nno answer within 0.3 seconds']);
    await expect.poll(() => isAlive(program)).toBe(false);
    process.kill(child, 'SIGKILL');
  });

  it('does not blame a program that has ended for a child that holds its output open', async () => {
    new Folder();
    const { status, stdout } = await run(['sh', '-c', 'sleep 600 & echo $!; exit 0'], { seconds: 0.5 });
    process.kill(Number(stdout), 'SIGKILL');
    expect(status).toBe(0);
  });
});

describe('during', () => {
  const line = (text: string) => `\r\x1b[K${text}\r`;

  it('turns a bar on a terminal, as wide as that is just now, and takes it away in the end', async () => {
    const written = outputTo(true);
    const { promise: awaited, resolve: end } = signal<number>();
    const shown = () => written.splice(0).join('').replace('\r\x1b[K', '');
    const waiting = during('docker pull', awaited);
    vi.advanceTimersByTime(100);
    expect(shown()).toMatch(/^[|/\\-] docker pull\.\.\.\r$/);
    process.stdout.columns = 10;
    vi.advanceTimersByTime(100);
    expect(shown()).toMatch(/^[|/\\-] docker \r$/);
    end(1);
    expect(await waiting).toBe(1);
    expect(written).toEqual([line('')]);
  });

  it('turns one bar at a time, that of what came first', async () => {
    const written = outputTo(true);
    const { promise: first, resolve: endFirst } = signal<number>();
    const { promise: second, resolve: endSecond } = signal<number>();
    const both = [during('first', first), during('second', second)];
    vi.advanceTimersByTime(100);
    expect(written.splice(0).join('')).toMatch(/first\.\.\.\r$/);
    endSecond(2);
    await second;
    vi.advanceTimersByTime(100);
    expect(written.splice(0).join('')).toMatch(/first\.\.\.\r$/);
    endFirst(1);
    expect(await Promise.all(both)).toEqual([1, 2]);
    expect(written).toEqual([line('')]);
  });

  it('takes the bar away also where it fails', async () => {
    const written = outputTo(true);
    await expect(during('Pulling', Promise.reject(new Error('gone')))).rejects.toThrow('gone');
    expect([written, vi.getTimerCount()]).toEqual([[line('')], 0]);
  });

  it.each<[string, () => void]>([
    ['where this is no terminal', () => Object.assign(process.stdout, { isTTY: false })],
    ['on a terminal that moves no cursor', () => vi.stubEnv('TERM', 'dumb')],
    ['beside JSON', () => vi.spyOn(process, 'argv', 'get').mockReturnValue(['node', 'doctor.ts', '--json'])],
  ])('writes nothing %s', async (_, prepare) => {
    const written = outputTo(true);
    prepare();
    const { promise: awaited, resolve: end } = signal<number>();
    const waiting = during('docker pull', awaited);
    vi.advanceTimersByTime(200);
    end(1);
    expect([await waiting, written]).toEqual([1, []]);
  });
});

describe('requireEngine', () => {
  const server = { Version: '28.2.2', ApiVersion: '1.50', MinAPIVersion: '1.24' };
  const engines = (answer: object) => requireEngine(fakeRun({ 'docker version': answer }));

  it('gives what the engine says of itself', async () => {
    expect(await engines({ stdout: JSON.stringify(server) })).toEqual(server);
  });

  it.each([
    [{ status: 127 }, 'Docker is not installed.', 'docs.docker.com'],
    [{ status: 124 }, 'The Docker Engine does not answer.', 'systemctl restart docker'],
    [{ status: 1, stderr: 'dial unix: permission denied' }, 'You may not use the Docker Engine', 'usermod'],
    [
      { status: 1, stdout: 'null', stderr: 'Cannot connect' },
      'No Docker Engine answers: Cannot connect',
      'Start',
    ],
    [{ status: 0, stdout: 'null', stderr: '' }, 'No Docker Engine answers', 'Start it'],
    [{ status: 1, stdout: '{}', stderr: 'too new' }, 'No Docker Engine answers: too new', 'Start it'],
  ])('explains %j', async (answer, message, remedy) => {
    await expect(engines(answer)).rejects.toMatchObject({
      message: expect.stringContaining(message),
      remedy: expect.stringContaining(remedy),
    });
  });
});

describe('compose', () => {
  it('runs the plugin, or else the program, or says that neither is there', async () => {
    const plugin = fakeRun({ 'docker compose version': {}, 'docker compose ps': { stdout: 'new' } });
    expect(await compose(plugin, ['ps'])).toMatchObject({ stdout: 'new' });
    const old = {
      ...{ 'docker compose': { status: 1 }, 'docker-compose version': {} },
      'docker-compose ps': { stdout: 'old' },
    };
    expect(await compose(fakeRun(old), ['ps'])).toMatchObject({ stdout: 'old' });
    await expect(compose(fakeRun({}), ['ps'])).rejects.toThrow('Docker Compose is not installed.');
  });
});

describe('whyNoImage', () => {
  it('finds nothing wrong with an image that is here, and asks no registry', async () => {
    const docker = fakeRun({ 'docker image inspect me/x:1': {} });
    expect(await whyNoImage(docker, 'me/x:1')).toBeUndefined();
    expect(docker.commands).toHaveLength(1);
  });

  it.each([
    [{ stdout: '{}' }, 'unknown', 'me/x is not on this host yet.'],
    [{ stdout: '{}', stderr: 'manifest commands are experimental' }, 'unknown', 'not on this host yet.'],
    [{ status: 1, stderr: 'no such manifest: docker.io/me/x:1' }, 'failed', 'no such manifest'],
    [{ status: 1, stderr: 'denied: requested access to the resource is denied' }, 'failed', 'denied: '],
    [{ status: 1, stderr: 'received unexpected HTTP status: 503 Service Unavailable' }, 'failed', '503'],
    [{ status: 1, stderr: "invalid character '<' looking for beginning of value" }, 'failed', "'<'"],
    [{ status: 1, stderr: 'toomanyrequests: You have reached your pull rate limit' }, 'failed', 'toomany'],
    [{ status: 1, stderr: 'x509: certificate signed by unknown authority' }, 'unknown', 'not on this host'],
    [{ status: 1, stderr: 'dial tcp: lookup registry: no such host' }, 'unknown', 'not on this host'],
    [{ status: 124 }, 'unknown', 'not on this host'],
  ])('asks the registry of one that is not here, and says %j', async (answer, verdict, detail) => {
    const docker = fakeRun({ 'docker image inspect': { status: 1 }, 'docker manifest inspect me/x': answer });
    expect(await whyNoImage(docker, 'me/x')).toEqual([
      verdict,
      expect.stringContaining(detail),
      expect.stringMatching(/^Check its name; see: docker login$|^docker pull me\/x$/),
    ]);
    expect(docker.commands.join()).not.toMatch(/pull/);
  });
});

describe('start', () => {
  it('prints a failure with its remedy and without secrets, and the exit code is 1', async () => {
    const output = captureOutput();
    const { exitCode: before, argv } = process;
    try {
      process.argv = ['node', import.meta.filename];
      await start(import.meta, () => Promise.reject(new Failure(`It has ${aToken}.`, `Take ${aToken} out.`)));
      expect([output(), process.exitCode]).toEqual(['It has [masked].\n  Take [masked] out.', 1]);
    } finally {
      Object.assign(process, { exitCode: before, argv });
    }
  });
});

describe('a script', () => {
  it.each(['scripts', 'a-link'])('in %s/ runs, and ends with 1 where it fails', async place => {
    const folder = new Folder('GITLAB_URL=nonsense\n').withScripts();
    symlinkSync('scripts', folder.at('a-link'));
    vi.stubEnv('GITLAB_URL', '');
    const { status, stderr } = await run([node, `${place}/register.ts`], { seconds: 0 });
    expect([status, stderr]).toEqual([1, expect.stringContaining('GITLAB_URL is no address: "nonsense".')]);
  });

  it.each([
    ['--bogus', "Unknown option '--bogus'."],
    ['--rotate=yes', "Option '--rotate' does not take an argument"],
  ])(
    'refuses an option that it does not know, or not so, and says where they stand: %s',
    async (option, line) => {
      new Folder('').withScripts();
      const { status, stderr } = await run([node, 'scripts/register.ts', option], { seconds: 0 });
      expect([status, stderr]).toEqual([1, `${line}\n  See: make help\n`]);
    },
  );

  it('shows no secret of .env, also one that it does not read itself', async () => {
    new Folder('GITLAB_URL=a-password\nS3_PASSWORD=a-password\n').withScripts();
    vi.stubEnv('GITLAB_URL', '');
    const { stderr } = await run([node, 'scripts/register.ts'], { seconds: 0 });
    expect(stderr).toContain('GITLAB_URL is no address: "[masked]".');
  });
});

describe('the check of .env', () => {
  const check = checks.find(({ name }) => name === '.env')!;
  const kept = { 'git check-ignore': {} };
  const look = async (answers: Parameters<typeof fakeRun>[0]) => {
    const note = fakeNote();
    await check.run(fakeRun(answers), note);
    return note.notes;
  };

  it('is satisfied with one that only its owner may read and git ignores', async () => {
    new Folder('A=1\n');
    expect(await look(kept)).toMatchObject([{ verdict: 'ok', detail: 'git ignores it' }]);
  });

  it('fails one that others can read, and says how to close it', async () => {
    const folder = new Folder();
    folder.write('.env', 'A=1\n', 0o640);
    expect((await look(kept))[0]).toMatchObject({
      verdict: 'failed',
      remedy: expect.stringContaining('chmod 600 .env'),
    });
  });

  it.each([
    ['tracked, or not ignored', { 'git check-ignore': { status: 1 } }, 'failed', 'git has it, or does not'],
    ['git is missing', {}, 'unknown', 'whether git keeps it'],
    [
      'the folder is no repository',
      { 'git check-ignore': { status: 128, stderr: 'fatal: not a git repository' } },
      'ok',
      'not in git yet',
    ],
    [
      'git refuses',
      { 'git check-ignore': { status: 128, stderr: 'fatal: dubious ownership' } },
      'unknown',
      'dubious ownership',
    ],
  ])('says what it is where .env or git is so: %s', async (_, answers, verdict, detail) => {
    new Folder('A=1\n');
    expect(await look(answers)).toMatchObject([{ verdict, detail: expect.stringContaining(detail) }]);
  });

  it('warns where there is none', async () => {
    new Folder();
    expect(await look(kept)).toMatchObject([{ verdict: 'warning', detail: 'there is none yet.' }]);
  });
});

describe('the checks of the engine and of Compose', () => {
  it('say what they found', async () => {
    const server = { Version: '28.2.2', ApiVersion: '1.50', MinAPIVersion: '1.24' };
    const stdout = JSON.stringify({ ...server, Components: [{ Name: 'Podman Engine' }] });
    const run = fakeRun({ 'docker version': { stdout }, 'docker compose version': { stdout: '2.40.3\n' } });
    const note = fakeNote();
    for (const name of ['engine', 'compose'])
      await engineChecks.find(one => one.name === name)?.run(run, note);
    expect(note.notes.map(({ verdict, detail }) => [verdict, detail])).toEqual([
      ['ok', 'Podman Engine 28.2.2, API 1.24 to 1.50'],
      ['ok', '2.40.3'],
    ]);
  });
});
