import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  type Answer,
  callGitLab,
  checks,
  compare,
  reason,
  refusal,
  requireGitLab,
  runnerAttributes,
  verifyRunner,
} from '../../../templates/scripts/gitlab.ts';
import { keepSecret } from '../../../templates/scripts/host.ts';
import { GitLabServer } from '../../support/gitlab-server.ts';
import { Folder, fakeNote, fakeRun } from './folder.ts';

let gitlab: GitLabServer;

beforeEach(async () => {
  gitlab = await GitLabServer.start();
  asks(gitlab.url);
});

afterEach(() => gitlab.stop());

/** From here on the scripts ask that GitLab, with those values in the environment. */
function asks(url: string, values: Record<string, string> = {}): void {
  const none = { RUNNER_TOKEN: '', RUNNER_TOKEN_EXPIRES: '', GITLAB_ACCESS_TOKEN: '' };
  for (const [name, value] of Object.entries({ ...none, GITLAB_URL: url, ...values }))
    vi.stubEnv(name, value);
}

const runner = {
  description: 'My Docker Runner',
  tag_list: ['linux', 'docker'],
  run_untagged: false,
  locked: true,
  access_level: 'not_protected',
  maximum_timeout: 3600,
  paused: false,
  tokenVariable: 'RUNNER_TOKEN',
  builder: 'socket',
  pipeline: '.gitlab-ci.yml',
} as const;
const ours = { ...runner, tag_list: [...runner.tag_list] };

describe('callGitLab', () => {
  it('sends an access token in a header and a body as JSON, and nothing of either in the address', async () => {
    const token = gitlab.addAccessToken(['api']);
    const body = { runner_type: 'instance_type', tag_list: ['a'] };
    const answer = await callGitLab('POST', '/user/runners', { token, body });
    expect(answer).toMatchObject({ status: 201, isJson: true, location: '' });
    const [request] = gitlab.requests;
    expect(request).toMatchObject({ path: '/api/v4/user/runners', body });
    expect([request?.headers['private-token'], request?.query.size]).toEqual([token, 0]);
  });

  it('takes an HTTP error and a list for answers, and a page for one without a body', async () => {
    gitlab.failNext({ path: /a/ }, 500, [1]);
    gitlab.failNext({ path: /b/ }, 200, '<html>');
    expect(await callGitLab('GET', '/a')).toMatchObject({ status: 500, body: [1], isJson: true });
    expect(await callGitLab('GET', '/b')).toMatchObject({ status: 200, body: {}, isJson: false });
  });

  it('follows no redirect, which could lead a token elsewhere', async () => {
    gitlab.failNext({ path: /version/ }, 302, undefined, 1, { location: `${gitlab.url}/elsewhere` });
    const answer = await callGitLab('GET', '/version', { token: 'x' });
    expect(answer).toMatchObject({ status: 302, location: `${gitlab.url}/elsewhere` });
    expect(gitlab.requests).toHaveLength(1);
  });

  it('gives a whole answer ten seconds, however steadily it drips in', async () => {
    const limit = new AbortController();
    const timeout = vi.spyOn(AbortSignal, 'timeout').mockReturnValue(limit.signal);
    const server = createServer((_, response) => {
      // The first byte is there; the last one never comes.
      response.write('{', () => limit.abort(new DOMException('aborted due to timeout', 'TimeoutError')));
    });
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    asks(url);
    await expect(callGitLab('GET', '/version')).rejects.toMatchObject({
      message: expect.stringContaining('cannot be reached: aborted due to timeout'),
      remedy: expect.stringContaining('firewall'),
    });
    expect(timeout).toHaveBeenCalledWith(10_000);
    server.closeAllConnections();
    await new Promise(resolve => server.close(resolve));
  });

  it('says that nothing listens', async () => {
    const { url } = gitlab;
    await gitlab.stop();
    await expect(callGitLab('GET', '/version')).rejects.toMatchObject({
      message: `${new URL(url).host} cannot be reached: connect ECONNREFUSED ${new URL(url).host}`,
      remedy: expect.stringContaining('that GitLab runs'),
    });
  });

  it.each([
    ['ENOTFOUND', 'DNS'],
    ['EAI_AGAIN', 'DNS'],
    ['CERT_HAS_EXPIRED', 'Renew its certificate'],
    ['ERR_TLS_CERT_ALTNAME_INVALID', 'Write the name in its certificate'],
    ['SELF_SIGNED_CERT_IN_CHAIN', 'config/certs/ca.crt.'],
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'config/certs/ca.crt'],
    ['DEPTH_ZERO_SELF_SIGNED_CERT', 'config/certs/ca.crt'],
    ['ERR_SSL_WRONG_VERSION_NUMBER', 'http or https'],
    ['UND_ERR_CONNECT_TIMEOUT', 'firewall'],
    ['EHOSTUNREACH', 'firewall'],
    ['UND_ERR_SOCKET', 'GITLAB_URL'],
  ])('has a remedy for %s beside the words of Node.js', async (code, remedy) => {
    const cause = Object.assign(new Error('the message'), { code });
    vi.stubGlobal('fetch', () => Promise.reject(new TypeError('fetch failed', { cause })));
    asks('https://gitlab.example.com');
    await expect(callGitLab('GET', '/x')).rejects.toMatchObject({
      message: 'gitlab.example.com cannot be reached: the message',
      remedy: expect.stringContaining(remedy),
    });
  });

  it('names the code of an error without words, as of a host with two addresses', async () => {
    const cause = Object.assign(new Error(''), { code: 'ECONNREFUSED' });
    vi.stubGlobal('fetch', () => Promise.reject(new TypeError('fetch failed', { cause })));
    asks('https://x');
    await expect(callGitLab('GET', '/x')).rejects.toThrow('x cannot be reached: ECONNREFUSED');
  });

  it('shows no token that Node.js cannot send', async () => {
    const token = keepSecret('a\nb');
    await expect(callGitLab('GET', '/x', { token })).rejects.not.toThrow('a\nb');
  });
});

describe('reason', () => {
  it.each([
    [{ error: 'insufficient_scope', error_description: 'Higher privileges' }, 'Higher privileges'],
    [{ message: '403 Forbidden' }, '403 Forbidden'],
    [{ message: ['one', 'two'] }, '["one","two"]'],
    [{ message: { maximum_timeout: ['is too short'] } }, '{"maximum_timeout":["is too short"]}'],
    [{ error: 'a is missing' }, 'a is missing'],
    [{}, 'no reason given'],
  ])('reads %j', (body, words) => {
    expect(reason(body)).toBe(words);
  });

  it('hides a secret that GitLab repeats', () => {
    const secret = keepSecret('acme-repeated');
    expect(reason({ message: { token: [`${secret} is bad`] } })).toBe('{"token":["[masked] is bad"]}');
  });
});

const answer = (status: number, body: Answer['body'] = {}, more: Partial<Answer> = {}): Answer => ({
  status,
  body,
  isJson: true,
  location: '',
  ...more,
});

describe('refusal', () => {
  it.each([
    [answer(400, { message: 'bad' }), 'GitLab does not do it: bad (HTTP 400)', 'mend it'],
    [answer(404, { message: '404 Not found' }), 'GitLab does not do it: 404 Not found (HTTP 404)', 'mend it'],
    [answer(429, { message: 'Retry later' }), 'Retry later (HTTP 429)', 'in some minutes'],
    [answer(502, {}, { isJson: false }), 'a web page, as of a proxy', 'in some minutes'],
    [
      answer(302, {}, { location: 'https://new.example.com/users/sign_in?x' }),
      'GITLAB_URL redirects to https://new.example.com/users/sign_in?x.',
      'Write into .env: GITLAB_URL=https://new.example.com',
    ],
  ])('has a sentence for %j', (given, message, remedy) => {
    expect(refusal(given, 'do it', 'mend it')).toMatchObject({
      message: expect.stringContaining(message),
      remedy: expect.stringContaining(remedy),
    });
  });
});

it('hides a secret in the address of a redirect', () => {
  const location = `https://new.example.com/${keepSecret('acme-redirected')}`;
  const { message, remedy } = refusal(answer(302, {}, { location }), 'do it', 'mend it');
  expect(message).toBe('GITLAB_URL redirects to https://new.example.com/[masked].');
  expect(remedy).not.toContain('acme-redirected');
});

describe('requireGitLab', () => {
  it.each([200, 401, 403])('takes %s in JSON for the API', async status => {
    gitlab.failNext({ path: /version/ }, status);
    await expect(requireGitLab()).resolves.toBeUndefined();
  });

  it.each([
    [200, '<html>', 'a web page'],
    [403, '<html>', 'a web page'],
    [404, { error: '404 Not Found' }, '404 Not Found'],
    [503, '<html>', 'HTTP 503'],
  ])('refuses %s with %j', async (status, body, words) => {
    gitlab.failNext({ path: /version/ }, status, body);
    await expect(requireGitLab()).rejects.toThrow(words);
  });

  it('says to take /ci off, and that a sub-path is needed', async () => {
    asks(`${gitlab.url}/ci`);
    await expect(requireGitLab()).rejects.toMatchObject({
      remedy: expect.stringMatching(/take \/ci off.*sub-path/),
    });
  });
});

describe('verifyRunner', () => {
  it('gives the id and the expiry of a runner that GitLab knows, whatever its token looks like', async () => {
    const tokenExpiresAt = '2999-01-01T00:00:00.000Z';
    const { id, token } = gitlab.addRunner({ token: 'acme-anything', tokenExpiresAt });
    expect(await verifyRunner(token)).toEqual({ id: `${id}`, expiresAt: tokenExpiresAt });
    const { id: other, token: forever } = gitlab.addRunner();
    expect(await verifyRunner(forever)).toEqual({ id: `${other}`, expiresAt: '' });
    expect(gitlab.requests[0]).toMatchObject({ path: '/api/v4/runners/verify', body: { token } });
  });

  it('gives nothing for one that it does not know', async () => {
    expect(await verifyRunner('unknown')).toBeUndefined();
  });

  it.each([
    [403, '<html>'],
    [500, undefined],
    [429, undefined],
  ])('does not take %s with %j for a word on the token', async (status, body) => {
    gitlab.failNext({ path: /verify/ }, status, body);
    await expect(verifyRunner('x')).rejects.toThrow(`HTTP ${status}`);
  });
});

describe('a refusal of the access token', () => {
  it.each([
    [answer(401, { error_description: 'Token is expired.' }), 'Token is expired. (HTTP 401)'],
    [answer(403, { error: 'insufficient_scope' }), 'insufficient_scope (HTTP 403)'],
    [answer(403, { message: '403 Forbidden' }), 'GitLab does not do it: 403 Forbidden'],
  ])('is explained for %j', (given, message) => {
    expect(refusal(given, 'do it', 'mend it', 'manage_runner')).toMatchObject({
      message: expect.stringContaining(message),
      remedy: expect.stringContaining('scope manage_runner'),
    });
  });

  it.each([answer(404), answer(403, {}, { isJson: false })])('is not what %j is', given => {
    expect(refusal(given, 'do it', 'mend it', 'x').remedy).toBe('mend it');
  });

  it.each([401, 403])('is not what %i is where no access token was sent', status => {
    expect(refusal(answer(status), 'do it', 'mend it').remedy).toBe('mend it');
  });
});

describe('compare', () => {
  const asWanted = { id: 7, runner_type: 'project_type', ...runnerAttributes(ours, 'project_type') };
  const differences = async (more: object) => {
    gitlab.failNext({ path: /runners\/7$/ }, 200, { ...asWanted, ...more });
    asks(gitlab.url, { GITLAB_ACCESS_TOKEN: 'x' });
    return (await compare(ours, '7')).differences;
  };

  it('finds none where GitLab has all as settings.ts wants it, the tags in whatever order', async () => {
    expect(await differences({})).toEqual([]);
    expect(await differences({ tag_list: ['linux', 'docker'] })).toEqual([]);
  });

  it.each([
    ['tag_list', ['docker'], ['docker', 'linux']],
    ['locked', false, true],
    ['access_level', 'ref_protected', 'not_protected'],
    ['maximum_timeout', null, 3600],
    ['paused', true, false],
    ['description', 'Theirs', 'My Docker Runner'],
    ['run_untagged', true, false],
  ])('finds that %s is another', async (key, from, to) => {
    const words = `${key} is ${JSON.stringify(from)} in GitLab, and ${JSON.stringify(to)} in settings.ts`;
    expect(await differences({ [key]: from })).toEqual([words]);
  });

  it('leaves the lock alone of a runner that belongs to no project', async () => {
    expect(await differences({ runner_type: 'group_type', locked: false })).toEqual([]);
  });
});

describe('the check', () => {
  const look = async (name: string, values: Record<string, string> = {}) => {
    const note = fakeNote();
    asks(gitlab.url, values);
    await checks.find(one => one.name === name)?.run(fakeRun({}), note);
    return note.notes;
  };
  const inDays = (days: number) => new Date(Date.now() + days * 86_400_000 + 60_000).toISOString();

  it('of GitLab says that it answers, and fails where it does not', async () => {
    expect(await look('GitLab')).toMatchObject([
      { verdict: 'ok', detail: `${gitlab.url} answers this host` },
    ]);
    gitlab.failNext({ path: /version/ }, 500);
    await expect(look('GitLab')).rejects.toThrow('HTTP 500');
  });

  it('of the runner waits for that of GitLab', () => {
    expect(checks.find(({ name }) => name === 'registered')?.needs).toEqual(['GitLab']);
  });

  it('of the runner is satisfied with a token that GitLab accepts, and cannot tell of the settings without an access token', async () => {
    const { id, token } = gitlab.addRunner();
    const detail = `"My Docker Runner" is runner #${id}; its token does not expire`;
    expect(await look('registered', { RUNNER_TOKEN: token })).toMatchObject([
      { verdict: 'ok', detail },
      { verdict: 'unknown', remedy: expect.stringContaining('GITLAB_ACCESS_TOKEN') },
    ]);
  });

  it('of the runner warns where there is no token, and fails where GitLab does not accept it', async () => {
    expect(await look('registered')).toMatchObject([{ verdict: 'warning', remedy: 'Run: make register' }]);
    expect(await look('registered', { RUNNER_TOKEN: 'gone' })).toMatchObject([
      { verdict: 'failed', remedy: 'Run: make register' },
    ]);
  });

  it.each([
    ['GitLab', 13, 'warning'],
    ['GitLab', 14, 'ok'],
    ['.env', 13, 'warning'],
    ['.env', 14, 'ok'],
  ])('of the runner believes %s that its token expires in %i days: %s', async (source, days, verdict) => {
    const { token } = gitlab.addRunner({ tokenExpiresAt: source === 'GitLab' ? inDays(days) : null });
    const values = { RUNNER_TOKEN: token, RUNNER_TOKEN_EXPIRES: source === '.env' ? inDays(days) : '' };
    expect((await look('registered', values))[0]).toMatchObject({ verdict });
  });

  it('of the runner cannot tell of the settings by an access token that may not look, in the words of GitLab', async () => {
    const { token } = gitlab.addRunner();
    const values = { RUNNER_TOKEN: token, GITLAB_ACCESS_TOKEN: gitlab.addAccessToken(['create_runner']) };
    expect((await look('registered', values))[1]).toMatchObject({
      verdict: 'unknown',
      detail: expect.stringContaining('(HTTP 403)'),
      remedy: expect.stringContaining('scope manage_runner'),
    });
  });

  it('of the settings names each difference, and fails for a runner that is paused', async () => {
    const asSettings = { description: 'My Docker Runner', tagList: ['docker'], maximumTimeout: 3600 };
    const { token } = gitlab.addRunner({ ...asSettings, paused: true, runUntagged: true });
    gitlab.addRunner({ description: 'of somebody else', paused: true });
    const values = { RUNNER_TOKEN: token, GITLAB_ACCESS_TOKEN: gitlab.addAccessToken(['manage_runner']) };
    const notes = await look('registered', values);
    expect(notes.slice(1).map(({ verdict, detail }) => [verdict, detail])).toEqual([
      ['warning', '"My Docker Runner": run_untagged is true in GitLab, and false in settings.ts'],
      ['failed', '"My Docker Runner": paused is true in GitLab, and false in settings.ts'],
      ['unknown', 'hosts of "My Docker Runner": none is shown'],
    ]);
  });

  it('of the settings is satisfied where all is as it should be', async () => {
    const asSettings = { description: 'My Docker Runner', tagList: ['docker'], maximumTimeout: 3600 };
    const { token } = gitlab.addRunner(asSettings);
    const values = { RUNNER_TOKEN: token, GITLAB_ACCESS_TOKEN: gitlab.addAccessToken(['manage_runner']) };
    const detail = '"My Docker Runner" is in GitLab as settings.ts says';
    expect((await look('registered', values))[1]).toMatchObject({ verdict: 'ok', detail });
  });

  it('of the runner names the hosts that GitLab knows of it with their last contact, and which is this one', async () => {
    const folder = new Folder();
    folder.mkdir('config');
    folder.write('config/.runner_system_id', 'r_second\n');
    const managers = new Map([
      ['r_first', '2026-11-27T08:00:00.000Z'],
      ['r_second', '2026-11-28T09:30:00.000Z'],
    ]);
    const { token } = gitlab.addRunner({ managers });
    const values = { RUNNER_TOKEN: token, GITLAB_ACCESS_TOKEN: gitlab.addAccessToken(['manage_runner']) };
    const first = 'r_first, last seen 2026-11-27T08:00:00.000Z';
    const second = 'r_second (this host), last seen 2026-11-28T09:30:00.000Z';
    expect((await look('registered', values)).at(-1)).toMatchObject({
      verdict: 'ok',
      detail: `hosts of "My Docker Runner": ${first}; ${second}`,
    });
  });

  it('of the runner cannot tell of its hosts where GitLab shows the settings, but not those', async () => {
    const { token } = gitlab.addRunner({ managers: new Map([['r_first', '2026-11-27T08:00:00.000Z']]) });
    gitlab.failNext({ path: /managers$/ }, 404);
    const values = { RUNNER_TOKEN: token, GITLAB_ACCESS_TOKEN: gitlab.addAccessToken(['manage_runner']) };
    const notes = await look('registered', values);
    expect(notes.map(({ verdict }) => verdict)).toContain('warning');
    expect(notes.at(-1)).toMatchObject({
      verdict: 'unknown',
      detail: expect.stringMatching(/none is shown$/),
    });
  });
});
