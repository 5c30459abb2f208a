import { spawn } from 'node:child_process';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { main, type Terminal } from '../../../templates/scripts/register.ts';
import { type GitLabOptions, GitLabServer, type RequestRecord } from '../../support/gitlab-server.ts';
import { needs } from '../../support/needs.ts';
import { hasTerminals, Terminal as Screen } from '../../support/terminal.ts';
import { captureOutput, Folder, node } from './folder.ts';

let gitlab: GitLabServer;
let folder: Folder;
let output: () => string;

const asSettings = {
  description: 'My Docker Runner',
  tagList: ['docker'],
  runUntagged: false,
  maximumTimeout: 3600,
};

/** A GitLab, and a folder whose .env names it. */
async function begin(lines: Record<string, string> = {}, options: GitLabOptions = {}): Promise<void> {
  gitlab = await GitLabServer.start(options);
  folder = new Folder('');
  writeEnv(lines);
  output = captureOutput();
}

function writeEnv(lines: Record<string, string>): void {
  const all = Object.entries({ GITLAB_URL: gitlab.url, ...lines });
  folder.write('.env', all.map(([name, value]) => `${name}=${value}\n`).join(''));
}

const nobody: Terminal = { isThere: false, ask: () => Promise.reject(new Error('nobody is there')) };

/** Somebody who gives these answers, one after the other. */
function somebody(...answers: string[]): Terminal & { asked: [string, boolean][] } {
  const asked: [string, boolean][] = [];
  const ask: Terminal['ask'] = async (question, isHidden = false) => {
    asked.push([question, isHidden]);
    return answers.shift() ?? '';
  };
  return { isThere: true, ask, asked };
}

const register = (words: string[] = [], terminal = nobody) => main(words, terminal);
const sent = (method: string, path: string): RequestRecord[] =>
  gitlab.requests.filter(one => one.method === method && one.path === `/api/v4${path}`);
const onlyRunner = () => {
  expect(gitlab.runners.size).toBe(1);
  return [...gitlab.runners.values()][0]!;
};

/** Something stands in the way of .env from that request on. */
function blockEnvAfter(path: RegExp): void {
  const real = globalThis.fetch;
  vi.stubGlobal('fetch', async (url: string, init: RequestInit) => {
    const response = await real(url, init);
    if (path.test(url)) folder.mkdir('.env.new');
    return response;
  });
}

beforeEach(() => {
  for (const name of ['GITLAB_URL', 'RUNNER_TOKEN', 'GITLAB_ACCESS_TOKEN', 'REGISTRATION_TOKEN', 'YES'])
    vi.stubEnv(name, '');
});

afterEach(async () => {
  // No secret of GitLab's is ever shown, nor sent in an address.
  for (const { token } of gitlab.runners.values()) expect(output()).not.toContain(token);
  expect(gitlab.requests.every(({ query }) => query.size === 0)).toBe(true);
  await gitlab.stop();
});

describe('with an access token', () => {
  it('creates the runner as settings.ts says, for the project found by its path, and keeps its token', async () => {
    await begin();
    const projectId = gitlab.addProject('team/app');
    const token = gitlab.addAccessToken(['create_runner', 'read_api']);
    writeEnv({ GITLAB_ACCESS_TOKEN: token, GITLAB_PROJECT_ID: '/team/app/' });
    await register();
    const runner = onlyRunner();
    expect(runner).toMatchObject({ ...asSettings, locked: true, projectId, accessLevel: 'not_protected' });
    expect(folder.env).toContain(`RUNNER_TOKEN=${runner.token}\n`);
    expect(folder.mode('.env')).toBe(0o600);
    expect(output()).toContain(`Created "My Docker Runner" as runner #${runner.id}`);
    expect(output()).toContain('Now delete GITLAB_ACCESS_TOKEN from .env');
    expect(output()).not.toContain(token);
  });

  it('keeps the expiry that GitLab gives beside the token', async () => {
    await begin();
    writeEnv({ GITLAB_ACCESS_TOKEN: gitlab.addAccessToken(['api']), RUNNER_TYPE: 'instance_type' });
    const token_expires_at = '2999-01-01T00:00:00.000Z';
    gitlab.failNext({ path: /user\/runners$/ }, 201, { id: 7, token: 'new-token', token_expires_at });
    await register();
    expect(folder.env).toContain(`RUNNER_TOKEN=new-token\nRUNNER_TOKEN_EXPIRES=${token_expires_at}\n`);
  });

  it.each([
    ['a group, by number', { RUNNER_TYPE: 'group_type' }, 'GITLAB_GROUP_ID', 'group_type'],
    ['a project, by number', {}, 'GITLAB_PROJECT_ID', 'project_type'],
  ])('creates it for %s', async (_, lines, variable, runnerType) => {
    await begin();
    const id = variable === 'GITLAB_GROUP_ID' ? gitlab.addGroup('team') : gitlab.addProject('team/app');
    writeEnv({
      ...lines,
      [variable]: `${id}`,
      GITLAB_ACCESS_TOKEN: gitlab.addAccessToken(['create_runner']),
    });
    await register();
    expect(onlyRunner()).toMatchObject({ runnerType });
  });

  it.each([
    [{ GITLAB_PROJECT_ID: 'no/such' }, 'does not show the project no/such: 404', 'Write its number'],
    [
      { GITLAB_PROJECT_ID: '99999' },
      '404 Project Not Found (HTTP 404)',
      'Change scripts/settings.ts or .env',
    ],
    [{}, 'needs GITLAB_PROJECT_ID', 'GITLAB_PROJECT_ID=team/app'],
    [{ GITLAB_GROUP_ID: '7' }, 'needs GITLAB_PROJECT_ID', 'RUNNER_TYPE'],
    [{ RUNNER_TYPE: 'group_type' }, 'needs GITLAB_GROUP_ID', 'GITLAB_GROUP_ID=team/app'],
    [{ RUNNER_TYPE: 'shared' }, 'runner_type', 'Change scripts/settings.ts or .env'],
  ])('creates nothing for %j', async (lines, message, remedy) => {
    await begin();
    writeEnv({ ...lines, GITLAB_ACCESS_TOKEN: gitlab.addAccessToken(['create_runner', 'read_api']) });
    await expect(register()).rejects.toMatchObject({
      message: expect.stringContaining(message),
      remedy: expect.stringContaining(remedy),
    });
    expect(gitlab.runners.size).toBe(0);
  });

  it.each([
    [400, { message: 'Tags list too long' }, 'Tags list too long (HTTP 400)', 'settings.ts'],
    [401, { error_description: 'Token is expired.' }, 'Token is expired.', 'scope create_runner'],
    [403, { error: 'insufficient_scope' }, 'insufficient_scope (HTTP 403)', 'scope create_runner'],
    [429, { message: 'Retry later' }, 'Retry later (HTTP 429)', 'some minutes'],
    [500, { message: '500 Internal Server Error' }, '(HTTP 500)', 'in some minutes'],
    [502, '<html>', 'a web page', 'in some minutes'],
  ])('tells %s in the words of GitLab', async (status, body, message, remedy) => {
    await begin();
    writeEnv({ GITLAB_ACCESS_TOKEN: gitlab.addAccessToken(['api']), RUNNER_TYPE: 'instance_type' });
    gitlab.failNext({ path: /user\/runners$/ }, status, body);
    await expect(register()).rejects.toMatchObject({
      message: expect.stringContaining(message),
      remedy: expect.stringContaining(remedy),
    });
  });

  it('creates nothing where .env cannot be written', async () => {
    await begin();
    writeEnv({ GITLAB_ACCESS_TOKEN: gitlab.addAccessToken(['api']), RUNNER_TYPE: 'instance_type' });
    folder.mkdir('.env.new');
    await expect(register()).rejects.toThrow('.env was not written');
    expect(sent('POST', '/user/runners')).toEqual([]);
  });

  it.each([
    [204, 'was deleted in GitLab again.'],
    [500, 'has to be deleted in GitLab.'],
  ])('takes a runner back whose token it cannot keep (%s)', async (status, words) => {
    await begin();
    writeEnv({ GITLAB_ACCESS_TOKEN: gitlab.addAccessToken(['api']), RUNNER_TYPE: 'instance_type' });
    if (status === 500) gitlab.failNext({ method: 'DELETE', path: /runners$/ }, 500);
    blockEnvAfter(/user\/runners$/);
    await expect(register()).rejects.toThrow(words);
    expect(gitlab.runners.size).toBe(status === 500 ? 1 : 0);
  });

  it('only shows the request with --dry-run', async () => {
    await begin();
    const token = gitlab.addAccessToken(['api']);
    writeEnv({ GITLAB_ACCESS_TOKEN: token, GITLAB_PROJECT_ID: '7' });
    const before = folder.env;
    await register(['--dry-run']);
    expect(output()).toContain('It would send POST /user/runners to GitLab');
    expect(output()).toContain('"project_id": 7');
    expect([gitlab.runners.size, folder.env]).toEqual([0, before]);
  });

  it('makes one runner where two run at once', async () => {
    await begin();
    writeEnv({ GITLAB_ACCESS_TOKEN: gitlab.addAccessToken(['api']), RUNNER_TYPE: 'instance_type' });
    const held = gitlab.holdNext({ path: /user\/runners$/ });
    const first = register();
    await Promise.race([held.arrived, first]);
    await expect(register()).rejects.toThrow('This folder cannot be locked: EEXIST');
    held.release();
    await first;
    expect(folder.env).toContain(onlyRunner().token);
  });

  it('is not ended by Ctrl-C between the end of the runner in GitLab and that of its token in .env', async () => {
    await begin();
    writeEnv({ RUNNER_TOKEN: gitlab.addRunner().token });
    folder.withScripts();
    const held = gitlab.holdNext({ method: 'DELETE', path: /runners$/ });
    const env = { ...process.env, YES: '1' };
    const script = spawn(node, [folder.at('scripts/register.ts'), '--unregister'], { stdio: 'ignore', env });
    const ended = new Promise(resolve => script.on('close', (...how) => resolve(how)));
    await held.arrived;
    script.kill('SIGINT');
    held.release();
    expect(await ended).toEqual([0, null]);
    expect(folder.env).toMatch(/^RUNNER_TOKEN=$/m);
  });

  it.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
    'is not ended by %s before the token is kept',
    async signal => {
      await begin();
      writeEnv({ GITLAB_ACCESS_TOKEN: gitlab.addAccessToken(['api']), RUNNER_TYPE: 'instance_type' });
      folder.withScripts();
      const held = gitlab.holdNext({ path: /user\/runners$/ });
      const script = spawn(node, [folder.at('scripts/register.ts')], { stdio: 'ignore' });
      const ended = new Promise(resolve => script.on('close', (...how) => resolve(how)));
      await held.arrived;
      script.kill(signal);
      held.release();
      expect(await ended).toEqual([0, null]);
      expect(folder.env).toContain(`RUNNER_TOKEN=${onlyRunner().token}\n`);
    },
  );
});

describe('with the token of a runner', () => {
  it('keeps it with its expiry, and changes nothing the second time', async () => {
    await begin();
    const tokenExpiresAt = '2999-01-01T00:00:00.000Z';
    const { id, token } = gitlab.addRunner({ tokenExpiresAt });
    writeEnv({ RUNNER_TOKEN: token });
    await register();
    const once = folder.env;
    await register();
    expect(once).toContain(`RUNNER_TOKEN_EXPIRES=${tokenExpiresAt}`);
    expect(folder.env).toBe(once);
    expect(output()).toContain(`"My Docker Runner" is runner #${id}`);
    expect(output()).toContain(`expires on ${tokenExpiresAt}`);
    expect(gitlab.runners.size).toBe(1);
  });

  it('writes one of the environment into .env', async () => {
    await begin();
    const { token } = gitlab.addRunner();
    vi.stubEnv('RUNNER_TOKEN', token);
    await register();
    expect(folder.env).toContain(`RUNNER_TOKEN=${token}\n`);
  });

  it('says which tags to give it in GitLab, where it may not look', async () => {
    await begin();
    writeEnv({ RUNNER_TOKEN: gitlab.addRunner().token });
    await register();
    expect(output()).toContain('tags docker; run untagged jobs: no');
  });

  it('brings GitLab in line, shows what was different, and touches no other runner', async () => {
    await begin();
    const other = gitlab.addRunner({ description: 'theirs' });
    const runner = gitlab.addRunner({ runnerType: 'project_type', tagList: ['old'], paused: true });
    const access = gitlab.addAccessToken(['manage_runner']);
    writeEnv({ RUNNER_TOKEN: runner.token, GITLAB_ACCESS_TOKEN: access });
    await register();
    expect(runner).toMatchObject({ ...asSettings, locked: true, paused: false });
    expect(other.description).toBe('theirs');
    expect(output()).toContain('tag_list is ["old"] in GitLab, and ["docker"] in settings.ts');
    await register();
    expect(output()).toContain('GitLab has all its settings as scripts/settings.ts says.');
    expect(sent('PUT', `/runners/${runner.id}`)).toHaveLength(1);
  });

  it('shows the difference and changes neither side with --dry-run', async () => {
    await begin();
    const runner = gitlab.addRunner({
      ...asSettings,
      tagList: ['old'],
      tokenExpiresAt: '2999-01-01T00:00:00Z',
    });
    writeEnv({ RUNNER_TOKEN: runner.token, GITLAB_ACCESS_TOKEN: gitlab.addAccessToken(['manage_runner']) });
    const before = folder.env;
    await register(['--dry-run']);
    expect(output()).toContain('tag_list is ["old"] in GitLab');
    expect([runner.tagList, folder.env]).toEqual([['old'], before]);
  });

  it.each([
    [['create_runner'], 'were not compared: GitLab does not show the runner: '],
    [[], 'were not compared: GitLab does not show the runner: '],
  ])('is content with an access token of %j, and says what it did not compare', async (scopes, words) => {
    await begin();
    writeEnv({ RUNNER_TOKEN: gitlab.addRunner().token, GITLAB_ACCESS_TOKEN: gitlab.addAccessToken(scopes) });
    await register();
    expect(output()).toContain(words);
  });

  it('fails where GitLab refuses the change', async () => {
    await begin();
    const runner = gitlab.addRunner();
    writeEnv({ RUNNER_TOKEN: runner.token, GITLAB_ACCESS_TOKEN: gitlab.addAccessToken(['api']) });
    gitlab.failNext({ method: 'PUT', path: /runners/ }, 400, { message: { tag_list: ['is odd'] } });
    await expect(register()).rejects.toThrow('{"tag_list":["is odd"]} (HTTP 400)');
  });

  it('names the scope where the access token may show the runner, but not change it', async () => {
    await begin();
    const runner = gitlab.addRunner();
    writeEnv({ RUNNER_TOKEN: runner.token, GITLAB_ACCESS_TOKEN: gitlab.addAccessToken(['api']) });
    gitlab.failNext({ method: 'PUT', path: /runners/ }, 403, { error: 'insufficient_scope' });
    await expect(register()).rejects.toMatchObject({
      message: 'GitLab does not change that: insufficient_scope (HTTP 403)',
      remedy: expect.stringContaining('scope manage_runner'),
    });
  });

  it('takes a new runner in the place of one that was deleted in GitLab', async () => {
    await begin();
    const access = gitlab.addAccessToken(['api']);
    writeEnv({ RUNNER_TOKEN: 'deleted', GITLAB_ACCESS_TOKEN: access, RUNNER_TYPE: 'instance_type' });
    await register();
    expect(output()).toContain('GitLab does not accept RUNNER_TOKEN.');
    expect(folder.env).toContain(`RUNNER_TOKEN=${onlyRunner().token}\n`);
    expect(folder.env).not.toContain('deleted');
  });

  it('does not take an outage for a deleted runner', async () => {
    await begin();
    writeEnv({
      RUNNER_TOKEN: 'x',
      GITLAB_ACCESS_TOKEN: gitlab.addAccessToken(['api']),
      RUNNER_TYPE: 'instance_type',
    });
    gitlab.failNext({ path: /verify/ }, 503);
    await expect(register()).rejects.toThrow('HTTP 503');
    expect(gitlab.runners.size).toBe(0);
  });
});

describe('with a registration token', () => {
  it('registers the old way, and keeps the token that GitLab gives', async () => {
    await begin({}, { allowRegistrationToken: true });
    writeEnv({ REGISTRATION_TOKEN: gitlab.registrationToken });
    await register();
    const runner = onlyRunner();
    expect(runner).toMatchObject({ ...asSettings, locked: true, createdBy: 'registration-token' });
    expect(folder.env).toContain(`RUNNER_TOKEN=${runner.token}\n`);
    expect(output()).toContain('go in GitLab 20');
    expect(output()).not.toContain(gitlab.registrationToken);
  });

  it.each([
    [false, '410 Gone - runner registration disallowed'],
    [true, '403 Forbidden - invalid token supplied'],
  ])('says why GitLab does not take it (allowed: %s)', async (allowRegistrationToken, words) => {
    await begin({ REGISTRATION_TOKEN: 'wrong' }, { allowRegistrationToken });
    await expect(register()).rejects.toMatchObject({
      message: expect.stringContaining(words),
      remedy: expect.stringContaining('New runner'),
    });
  });

  it('shows the request without the token with --dry-run', async () => {
    await begin({ REGISTRATION_TOKEN: 'wrong-but-secret' });
    await register(['--dry-run']);
    expect(output()).toContain('It would send POST /runners to GitLab');
    expect(output()).not.toContain('wrong-but-secret');
    expect(sent('POST', '/runners')).toEqual([]);
  });
});

describe('without a token', () => {
  it('says where one comes from, where nobody can be asked', async () => {
    await begin();
    await expect(register()).rejects.toMatchObject({ remedy: expect.stringContaining('New runner') });
  });

  it('asks hidden, and takes the token of a runner by the word of GitLab alone', async () => {
    await begin();
    const { token } = gitlab.addRunner({ token: 'acme-of-a-runner' });
    const terminal = somebody(token);
    await register([], terminal);
    expect(terminal.asked).toEqual([['Token (it is not shown): ', true]]);
    expect(folder.env).toContain('RUNNER_TOKEN=acme-of-a-runner\n');
  });

  it.each([
    ['team/app', 'project_type'],
    ['team', 'group_type'],
  ])('takes a pasted access token, and asks what the runner is for: %s', async (place, runnerType) => {
    await begin({ RUNNER_TYPE: runnerType });
    gitlab.addProject('team/app');
    gitlab.addGroup('team');
    const token = gitlab.addAccessToken(['create_runner', 'read_api']);
    await register([], somebody(token, place));
    expect(onlyRunner()).toMatchObject({ runnerType });
    expect(folder.env).not.toContain(token);
  });

  it('creates nothing where no place is given', async () => {
    await begin();
    const terminal = somebody(gitlab.addAccessToken(['create_runner']), '');
    await expect(register([], terminal)).rejects.toThrow('needs GITLAB_PROJECT_ID');
    expect(gitlab.runners.size).toBe(0);
  });

  it('takes what else is pasted for a registration token', async () => {
    await begin({}, { allowRegistrationToken: true });
    await register([], somebody(gitlab.registrationToken));
    expect(onlyRunner()).toMatchObject({ createdBy: 'registration-token' });
  });

  it('does not show what was pasted where GitLab repeats it', async () => {
    await begin();
    gitlab.failNext({ method: 'POST', path: /v4\/runners$/ }, 403, { message: 'acme-pasted is unknown' });
    await expect(register([], somebody('acme-pasted'))).rejects.toThrow('[masked] is unknown (HTTP 403)');
  });

  it('changes nothing where nothing is pasted, and asks nothing with --dry-run', async () => {
    await begin();
    const before = folder.env;
    await expect(register([], somebody(''))).rejects.toThrow('No token was given.');
    const terminal = somebody('x');
    await expect(register(['--dry-run'], terminal)).rejects.toThrow('There is no token to register with.');
    expect([terminal.asked, folder.env]).toEqual([[], before]);
  });

  it('refuses a name that settings.ts does not have, and words that it does not know', async () => {
    await begin();
    await expect(register(['nobody'])).rejects.toMatchObject({ remedy: 'There are: "My Docker Runner".' });
    await expect(register(['--rotat'])).rejects.toThrow('--rotat');
  });
});

describe.skipIf(!needs(hasTerminals(), 'tmux'))('in a terminal', () => {
  const opened: Screen[] = [];
  afterEach(() => {
    for (const screen of opened.splice(0)) screen.close();
  });

  /** The script, where it asks for a token. */
  async function atThePrompt(): Promise<Screen> {
    await begin();
    folder.withScripts();
    const screen = new Screen(`${node} scripts/register.ts`, { cwd: folder.path, env: process.env });
    opened.push(screen);
    await screen.shows(/Token \(it is not shown\): $/m);
    return screen;
  }

  it('shows nothing of a token that is typed, and keeps it', async () => {
    const screen = await atThePrompt();
    const { token } = gitlab.addRunner({ token: 'acme-typed' });
    screen.type(token);
    screen.press('Enter');
    expect(await screen.shows(/ended with 0/)).not.toContain('acme');
    expect(folder.env).toContain(`RUNNER_TOKEN=${token}\n`);
  });

  it('shows the question that it waits for', async () => {
    await begin();
    writeEnv({ RUNNER_TOKEN: gitlab.addRunner().token });
    folder.withScripts();
    const command = `${node} scripts/register.ts --unregister`;
    const screen = new Screen(command, { cwd: folder.path, env: process.env });
    opened.push(screen);
    await screen.shows(/^Delete the runner "My Docker Runner" in GitLab, for all its hosts\? \[y\/N\] $/m);
    screen.type('y');
    screen.press('Enter');
    await screen.shows(/ended with 0/);
    expect(gitlab.runners.size).toBe(0);
  });

  it.each(['C-c', 'C-d'])('fails at %s, and changes nothing', async key => {
    const screen = await atThePrompt();
    const before = folder.env;
    screen.press(key);
    expect(await screen.shows(/ended with \d/)).toMatch(
      /Interrupted\.\s+Nothing was changed\.\s+ended with 1/,
    );
    expect(folder.env).toBe(before);
  });
});

describe('--rotate', () => {
  it('names the hosts that lose the token, asks, and keeps the new one with its expiry', async () => {
    await begin();
    const tokenExpiresAt = '2999-01-01T00:00:00.000Z';
    const seen = ['r_1', 'r_2'].map((id, day) => [id, `2026-11-0${day + 1}`] as const);
    folder.mkdir('config');
    folder.write('config/.runner_system_id', 'r_1');
    const runner = gitlab.addRunner({ managers: new Map(seen), tokenExpiresAt });
    const { token: old } = runner;
    writeEnv({ RUNNER_TOKEN: old, GITLAB_ACCESS_TOKEN: gitlab.addAccessToken(['manage_runner']) });
    const terminal = somebody('y');
    await register(['--rotate'], terminal);
    expect(terminal.asked).toEqual([['Renew RUNNER_TOKEN? [y/N] ', false]]);
    expect(output()).toContain(`The old token is void at once, wherever it is in use:
  r_1 (this host), last seen 2026-11-01
  r_2, last seen 2026-11-02
Each place needs the new one in its .env`);
    expect(runner.token).not.toBe(old);
    expect(folder.env).toContain(`RUNNER_TOKEN=${runner.token}\n`);
    expect(folder.env).toContain(`RUNNER_TOKEN_EXPIRES=${tokenExpiresAt}\n`);
  });

  it('says that other hosts lose the token also where GitLab shows none without an access token', async () => {
    await begin();
    writeEnv({ RUNNER_TOKEN: gitlab.addRunner().token });
    await register(['--rotate', '--dry-run']);
    expect(output()).toMatch(
      /void at once, wherever it is in use:\n.*only to an access token\.\nEach place needs/,
    );
  });

  it('needs a yes: of somebody, or YES=1', async () => {
    await begin();
    const runner = gitlab.addRunner();
    const { token } = runner;
    writeEnv({ RUNNER_TOKEN: token });
    await expect(register(['--rotate'])).rejects.toMatchObject({ remedy: expect.stringContaining('YES=1') });
    await expect(register(['--rotate'], somebody('n'))).rejects.toThrow(
      'Nobody confirmed it; nothing was changed.',
    );
    await register(['--rotate', '--dry-run'], somebody('y'));
    expect(runner.token).toBe(token);
    vi.stubEnv('YES', '1');
    await register(['--rotate']);
    expect(folder.env).toContain(runner.token);
    expect(runner.token).not.toBe(token);
  });

  it('renews nothing where .env cannot be written, or GitLab does not accept the old one', async () => {
    await begin();
    vi.stubEnv('YES', '1');
    const { token } = gitlab.addRunner();
    writeEnv({ RUNNER_TOKEN: 'gone' });
    await expect(register(['--rotate'])).rejects.toMatchObject({ remedy: 'Run: make register' });
    writeEnv({ RUNNER_TOKEN: token });
    folder.mkdir('.env.new');
    await expect(register(['--rotate'])).rejects.toThrow('.env was not written');
    expect(sent('POST', '/runners/reset_authentication_token')).toEqual([]);
  });

  it('deletes the runner whose new token cannot be kept, and says where GitLab does not make one', async () => {
    await begin();
    vi.stubEnv('YES', '1');
    writeEnv({ RUNNER_TOKEN: gitlab.addRunner().token });
    gitlab.failNext({ path: /reset_/ }, 500);
    await expect(register(['--rotate'])).rejects.toThrow('GitLab does not make a token: 500');
    blockEnvAfter(/reset_/);
    await expect(register(['--rotate'])).rejects.toMatchObject({
      message: expect.stringContaining('The runner with that token was deleted in GitLab again.'),
      remedy: expect.stringContaining('then: make register'),
    });
    expect(gitlab.runners.size).toBe(0);
  });
});

describe('--unregister', () => {
  it('asks, deletes the runner, and takes its token and expiry out of .env', async () => {
    await begin();
    const { token } = gitlab.addRunner();
    const other = gitlab.addRunner();
    writeEnv({ RUNNER_TOKEN: token, RUNNER_TOKEN_EXPIRES: '2999-01-01', TZ: 'UTC' });
    await register(['--unregister'], somebody('yes'));
    expect(onlyRunner()).toBe(other);
    expect(folder.env).toBe(`GITLAB_URL=${gitlab.url}\nRUNNER_TOKEN=\nRUNNER_TOKEN_EXPIRES=\nTZ=UTC\n`);
    await register(['--unregister'], nobody);
    expect(output()).toContain('"My Docker Runner" is not registered');
  });

  it('needs a yes, and shows only with --dry-run', async () => {
    await begin();
    writeEnv({ RUNNER_TOKEN: gitlab.addRunner().token });
    await expect(register(['--unregister'])).rejects.toMatchObject({
      remedy: expect.stringContaining('YES=1'),
    });
    await expect(register(['--unregister'], somebody(''))).rejects.toThrow(
      'Nobody confirmed it; nothing was changed.',
    );
    await register(['--unregister', '--dry-run'], somebody('y'));
    expect(gitlab.runners.size).toBe(1);
  });

  it('clears the token of a runner that is gone already, and says so', async () => {
    await begin({ RUNNER_TOKEN: 'gone' });
    vi.stubEnv('YES', '1');
    await register(['--unregister']);
    expect(folder.env).toContain('RUNNER_TOKEN=\n');
    expect(output()).toContain('was gone from GitLab;');
  });

  it.each([
    [403, '<html>'],
    [500, undefined],
  ])('keeps the token where GitLab does not say that it is gone (%s, %j)', async (status, body) => {
    await begin();
    vi.stubEnv('YES', '1');
    const { token } = gitlab.addRunner();
    writeEnv({ RUNNER_TOKEN: token });
    gitlab.failNext({ method: 'DELETE', path: /runners$/ }, status, body);
    await expect(register(['--unregister'])).rejects.toThrow(`HTTP ${status}`);
    expect(folder.env).toContain(token);
  });
});
