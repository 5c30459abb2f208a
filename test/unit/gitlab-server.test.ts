import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import * as https from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type GitLabOptions, GitLabServer } from '../support/gitlab-server.ts';

interface Answer {
  status: number;
  // biome-ignore lint/suspicious/noExplicitAny: the tests look into bodies of every shape.
  body: any;
  headers: Headers;
}

interface Sent {
  token?: string;
  headers?: Record<string, string>;
  json?: unknown;
  form?: Record<string, string> | [string, string][] | FormData;
  text?: string;
}

let gitlab: GitLabServer;
const extra: GitLabServer[] = [];

async function call(method: string, path: string, sent: Sent = {}, server = gitlab): Promise<Answer> {
  const headers = new Headers(sent.headers);
  if (sent.token) headers.set('PRIVATE-TOKEN', sent.token);
  if (sent.json !== undefined) headers.set('content-type', 'application/json');
  const form = sent.form && (sent.form instanceof FormData ? sent.form : new URLSearchParams(sent.form));
  const body = sent.json === undefined ? (form ?? sent.text ?? null) : JSON.stringify(sent.json);
  const response = await fetch(`${server.url}${path}`, { method, headers, body });
  const text = await response.text();
  const isJson = response.headers.get('content-type') === 'application/json';
  return { status: response.status, body: isJson ? JSON.parse(text) : text, headers: response.headers };
}

const api = (method: string, path: string, sent?: Sent, server?: GitLabServer): Promise<Answer> =>
  call(method, `/api/v4/${path}`, sent, server);

async function start(options: GitLabOptions): Promise<GitLabServer> {
  const server = await GitLabServer.start(options);
  extra.push(server);
  return server;
}

beforeEach(async () => {
  gitlab = await GitLabServer.start();
});

afterEach(async () => {
  await Promise.all([gitlab, ...extra.splice(0)].map(server => server.stop()));
});

const insufficient = (scope: string): unknown => ({
  error: 'insufficient_scope',
  error_description: 'The request requires higher privileges than provided by the access token.',
  scope,
});

describe('POST /user/runners, who may', () => {
  const json = { runner_type: 'instance_type' };

  it('refuses a request without a token with 401', async () => {
    const { status, body } = await api('POST', 'user/runners', { json });
    expect([status, body]).toEqual([401, { message: '401 Unauthorized' }]);
  });

  it.each([
    ['unknown', () => 'glpat-x', 'Token was revoked. You have to re-authorize from the user.'],
    [
      'revoked',
      () => gitlab.addAccessToken(['api'], { revoked: true }),
      'Token was revoked. You have to re-authorize from the user.',
    ],
    [
      'expired',
      () => gitlab.addAccessToken(['api'], { expired: true }),
      'Token is expired. You can either do re-authorization or token refresh.',
    ],
  ])('refuses a token that is %s with 401 invalid_token', async (_, token, error_description) => {
    const { status, body } = await api('POST', 'user/runners', { json, token: token() });
    expect([status, body]).toEqual([401, { error: 'invalid_token', error_description }]);
  });

  it('refuses a token without the scope create_runner or api with 403', async () => {
    const token = gitlab.addAccessToken(['read_api', 'manage_runner']);
    const { status, body } = await api('POST', 'user/runners', { json, token });
    expect([status, body]).toEqual([403, insufficient('api create_runner')]);
  });

  it.each(['create_runner', 'api'])('takes a token with the scope %s', async scope => {
    const token = gitlab.addAccessToken([scope]);
    expect((await api('POST', 'user/runners', { json, token })).status).toBe(201);
  });

  it('takes the token as Authorization: Bearer too', async () => {
    const headers = { Authorization: `Bearer ${gitlab.addAccessToken(['create_runner'])}` };
    expect((await api('POST', 'user/runners', { json, headers })).status).toBe(201);
  });

  it('judges the token before the body', async () => {
    expect((await api('POST', 'user/runners', { json: {} })).status).toBe(401);
  });

  it('refuses a token in the query with 400 and records the request', async () => {
    const token = gitlab.addAccessToken(['api']);
    const { status, body } = await api('POST', `user/runners?private_token=${token}`, { json });
    expect([status, body]).toEqual([400, { error: 'private_token must not be sent in the URL' }]);
    expect(gitlab.requests[0]).toMatchObject({ path: '/api/v4/user/runners', status: 400 });
    expect(gitlab.requests[0]?.query.get('private_token')).toBe(token);
    expect(gitlab.runners.size).toBe(0);
  });
});

describe('POST /user/runners, what it takes', () => {
  let token: string;
  const create = (json: unknown): Promise<Answer> => api('POST', 'user/runners', { json, token });
  const instance = { runner_type: 'instance_type' };

  beforeEach(() => {
    token = gitlab.addAccessToken(['create_runner']);
  });

  it('answers 201 with the id and a glrt- token, and keeps the attributes', async () => {
    const projectId = gitlab.addProject('group/name');
    const { status, body } = await create({
      runner_type: 'project_type',
      project_id: projectId,
      description: 'box',
      tag_list: ['docker', 'linux'],
      run_untagged: false,
      locked: true,
      paused: true,
      access_level: 'ref_protected',
      maximum_timeout: 600,
      maintenance_note: 'n'.repeat(1024),
      no_such_key: 1,
    });
    expect(status).toBe(201);
    expect(body).toEqual({
      id: expect.any(Number),
      token: expect.stringMatching(/^glrt-\w{20,}$/),
      token_expires_at: null,
    });
    expect(gitlab.runners.get(body.id)).toMatchObject({
      token: body.token,
      runnerType: 'project_type',
      projectId,
      description: 'box',
      tagList: ['docker', 'linux'],
      runUntagged: false,
      locked: true,
      paused: true,
      accessLevel: 'ref_protected',
      maximumTimeout: 600,
      createdBy: 'api',
    });
  });

  it('gives the documented defaults to what is not said', async () => {
    const { body } = await create(instance);
    expect(gitlab.runners.get(body.id)).toMatchObject({
      description: '',
      tagList: [],
      runUntagged: true,
      locked: false,
      paused: false,
      accessLevel: 'not_protected',
      maximumTimeout: null,
    });
  });

  it('reads URL-encoded forms, lists included', async () => {
    const groupId = gitlab.addGroup('team');
    const form: [string, string][] = [
      ['runner_type', 'group_type'],
      ['group_id', `${groupId}`],
      ['tag_list[]', 'a'],
      ['tag_list[]', 'b'],
      ['run_untagged', 'false'],
    ];
    const { status, body } = await api('POST', 'user/runners', { form, token });
    expect(status).toBe(201);
    expect(gitlab.runners.get(body.id)).toMatchObject({ groupId, tagList: ['a', 'b'], runUntagged: false });
  });

  it('reads multipart forms, as curl --form sends them', async () => {
    const form = new FormData();
    form.set('runner_type', 'instance_type');
    form.set('tag_list', 'a,b');
    const { body } = await api('POST', 'user/runners', { form, token });
    expect(gitlab.runners.get(body.id)?.tagList).toEqual(['a', 'b']);
  });

  it('splits a comma-separated tag list, and drops blanks and doubles', async () => {
    const { body } = await create({ ...instance, tag_list: ' a, b,,a ' });
    expect(gitlab.runners.get(body.id)?.tagList).toEqual(['a', 'b']);
  });

  it.each([
    ['no runner_type', {}, 'runner_type is missing'],
    ['an unknown runner_type', { runner_type: 'x' }, 'runner_type does not have a valid value'],
    ['a project runner without project_id', { runner_type: 'project_type' }, 'project_id is missing'],
    ['a group runner without group_id', { runner_type: 'group_type' }, 'group_id is missing'],
    ['a path for project_id', { runner_type: 'project_type', project_id: 'a/b' }, 'project_id is invalid'],
    ['a path for group_id', { runner_type: 'group_type', group_id: 'a' }, 'group_id is invalid'],
    ['a fraction for project_id', { runner_type: 'project_type', project_id: 1.5 }, 'project_id is invalid'],
    [
      'project_id on another type',
      { ...instance, project_id: 1 },
      'project_id is not allowed for instance_type',
    ],
    ['group_id on another type', { ...instance, group_id: 1 }, 'group_id is not allowed for instance_type'],
    ['a locked that is no boolean', { ...instance, locked: 'maybe' }, 'locked is invalid'],
    ['a paused that is no boolean', { ...instance, paused: 2 }, 'paused is invalid'],
    ['a run_untagged that is no boolean', { ...instance, run_untagged: {} }, 'run_untagged is invalid'],
    [
      'an unknown access_level',
      { ...instance, access_level: 'x' },
      'access_level does not have a valid value',
    ],
    ['a maximum_timeout with a unit', { ...instance, maximum_timeout: '1h' }, 'maximum_timeout is invalid'],
    ['a tag_list of objects', { ...instance, tag_list: [{}] }, 'tag_list is invalid'],
    ['two faults, both named', { locked: 'x' }, 'runner_type is missing, locked is invalid'],
  ])('refuses %s with 400', async (_, json, error) => {
    const { status, body } = await create(json);
    expect([status, body]).toEqual([400, { error }]);
    expect(gitlab.runners.size).toBe(0);
  });

  it.each([
    ['project', 'Project'],
    ['group', 'Group'],
  ])('answers 404 for a %s id that does not exist', async (kind, name) => {
    const { status, body } = await create({ runner_type: `${kind}_type`, [`${kind}_id`]: 99_999 });
    expect([status, body]).toEqual([404, { message: `404 ${name} Not Found` }]);
  });

  it('does not take the id of a group for a project', async () => {
    const project_id = gitlab.addGroup('team');
    expect((await create({ runner_type: 'project_type', project_id })).status).toBe(404);
  });

  it('refuses a timeout below ten minutes with 400', async () => {
    const { status, body } = await create({ ...instance, maximum_timeout: 599 });
    const message = 'Failed to create runner: Maximum timeout needs to be at least 10 minutes';
    expect([status, body]).toEqual([400, { message }]);
  });

  it('refuses a maintenance note of more than 1024 characters with 400', async () => {
    const { status, body } = await create({ ...instance, maintenance_note: 'n'.repeat(1025) });
    const message = 'Failed to create runner: Maintenance note is too long (maximum is 1024 characters)';
    expect([status, body]).toEqual([400, { message }]);
  });

  it('refuses a runner that could pick no job at all with 400', async () => {
    const { status, body } = await create({ ...instance, run_untagged: false, tag_list: ' , ' });
    const message = ['Tags list can not be empty when runner is not allowed to pick untagged jobs'];
    expect([status, body]).toEqual([400, { message }]);
  });
});

describe('POST /runners, the legacy registration', () => {
  it('answers 410 by default, whatever the token', async () => {
    for (const token of [gitlab.registrationToken, 'wrong']) {
      const { status, body } = await api('POST', 'runners', { json: { token } });
      expect([status, body]).toEqual([410, { message: '410 Gone - runner registration disallowed' }]);
    }
  });

  it('makes an instance runner with a glrtr- token when the server allows it', async () => {
    const old = await start({ allowRegistrationToken: true });
    const json = {
      token: old.registrationToken,
      description: 'old',
      tag_list: 'a,b',
      locked: true,
      info: { name: 'x' },
    };
    const { status, body } = await api('POST', 'runners', { json }, old);
    expect(status).toBe(201);
    expect(body).toEqual({
      id: expect.any(Number),
      token: expect.stringMatching(/^glrtr-\w{20}$/),
      token_expires_at: null,
    });
    const createdBy = 'registration-token';
    expect(old.runners.get(body.id)).toMatchObject({
      description: 'old',
      tagList: ['a', 'b'],
      locked: true,
      createdBy,
    });
  });

  it('generates a registration token with the legacy prefix, another one for each server', async () => {
    expect(gitlab.registrationToken).toMatch(/^GR13\d{5}\w{20}$/);
    expect((await start({})).registrationToken).not.toBe(gitlab.registrationToken);
  });

  it('refuses a wrong token with 403', async () => {
    const old = await start({ allowRegistrationToken: true });
    const { status, body } = await api('POST', 'runners', { json: { token: 'wrong' } }, old);
    expect([status, body]).toEqual([403, { message: '403 Forbidden - invalid token supplied' }]);
  });

  it('refuses a missing token with 400', async () => {
    const { status, body } = await api('POST', 'runners', { json: {} });
    expect([status, body]).toEqual([400, { error: 'token is missing' }]);
  });

  it('refuses attributes the runner model refuses with 400, by field', async () => {
    const old = await start({ allowRegistrationToken: true });
    const json = { token: old.registrationToken, maximum_timeout: 60 };
    const { status, body } = await api('POST', 'runners', { json }, old);
    expect([status, body]).toEqual([
      400,
      { message: { maximum_timeout: ['needs to be at least 10 minutes'] } },
    ]);
  });
});

describe('a runner with its own token', () => {
  it('is verified with 200, and the manager and the contact are noted', async () => {
    const { id, token } = gitlab.addRunner();
    const { status, body } = await api('POST', 'runners/verify', { json: { token, system_id: 's_1' } });
    expect([status, body]).toEqual([200, { id, token, token_expires_at: null }]);
    expect([...gitlab.runners.get(id)!.managers.keys()]).toEqual(['s_1']);
    expect(Date.parse(gitlab.runners.get(id)!.contactedAt!)).toBeGreaterThan(Date.now() - 10_000);
  });

  it('is verified without a system id too', async () => {
    const { token, managers } = gitlab.addRunner({ paused: true });
    expect((await api('POST', 'runners/verify', { form: { token } })).status).toBe(200);
    expect(managers.size).toBe(0);
  });

  it('is not verified with an unknown token: 403', async () => {
    const { status, body } = await api('POST', 'runners/verify', { json: { token: 'glrt-x' } });
    expect([status, body]).toEqual([403, { message: '403 Forbidden' }]);
  });

  it('is not verified without a token, nor with one in the query: 400', async () => {
    const { token } = gitlab.addRunner();
    for (const path of ['runners/verify', `runners/verify?token=${token}`]) {
      const { status, body } = await api('POST', path, { json: {} });
      expect([status, body]).toEqual([400, { error: 'token is missing' }]);
    }
  });

  it('is not verified once the token has expired, and is told the expiry before', async () => {
    const soon = new Date(Date.now() + 60_000).toISOString();
    const live = gitlab.addRunner({ tokenExpiresAt: soon });
    expect((await api('POST', 'runners/verify', { json: { token: live.token } })).body.token_expires_at).toBe(
      soon,
    );
    live.tokenExpiresAt = new Date(Date.now() - 1000).toISOString();
    expect((await api('POST', 'runners/verify', { json: { token: live.token } })).status).toBe(403);
  });

  it.each(['body', 'query'])(
    'deletes itself with the token in the %s, and is unknown from then on',
    async place => {
      const { id, token } = gitlab.addRunner();
      const deleted = await api('DELETE', place === 'body' ? 'runners' : `runners?token=${token}`, {
        ...(place === 'body' ? { json: { token } } : {}),
      });
      expect([deleted.status, deleted.body]).toEqual([204, '']);
      expect(gitlab.runners.has(id)).toBe(false);
      expect((await api('POST', 'runners/verify', { json: { token } })).status).toBe(403);
      expect((await api('DELETE', 'runners', { json: { token } })).status).toBe(403);
    },
  );

  it('deletes one manager and stays', async () => {
    const { id, token } = gitlab.addRunner({
      managers: new Map([
        ['s_1', '2026-11-28'],
        ['s_2', '2026-11-28'],
      ]),
    });
    expect((await api('DELETE', 'runners/managers', { json: { token, system_id: 's_1' } })).status).toBe(204);
    expect([...gitlab.runners.get(id)!.managers.keys()]).toEqual(['s_2']);
  });

  it('cannot delete a manager without a system id (400), an unknown one (404), or with a wrong token (403)', async () => {
    const { token } = gitlab.addRunner();
    const remove = (json: unknown): Promise<Answer> => api('DELETE', 'runners/managers', { json });
    const missing = await remove({ token });
    expect([missing.status, missing.body]).toEqual([400, { error: 'system_id is missing' }]);
    expect((await remove({ token, system_id: 's_9' })).status).toBe(404);
    expect((await remove({ token: 'glrt-x', system_id: 's_9' })).status).toBe(403);
  });

  it('gets a new token of the same kind for the old one, which dies', async () => {
    const { id, token } = gitlab.addRunner({ runnerType: 'group_type' });
    const reset = await api('POST', 'runners/reset_authentication_token', { json: { token } });
    expect(reset.status).toBe(201);
    expect(reset.body).toEqual({ token: expect.stringMatching(/^glrt-t2_\w{20}$/), token_expires_at: null });
    expect(gitlab.runners.get(id)?.token).toBe(reset.body.token);
    expect((await api('POST', 'runners/verify', { json: { token } })).status).toBe(403);
    expect((await api('POST', 'runners/verify', { json: { token: reset.body.token } })).status).toBe(200);
  });

  it('made in the UI runs untagged jobs only when it has no tags', () => {
    expect(gitlab.addRunner()).toMatchObject({ runUntagged: true, createdBy: 'ui' });
    expect(gitlab.addRunner({ tagList: ['a'] }).runUntagged).toBe(false);
    expect(gitlab.addRunner({ tagList: ['a'], runUntagged: true }).runUntagged).toBe(true);
  });
});

describe('/runners/:id', () => {
  it.each(['api', 'read_api', 'manage_runner'])(
    'shows a runner, without its token, to the scope %s',
    async scope => {
      const { id } = gitlab.addRunner({ description: 'box', tagList: ['a'], maximumTimeout: 3600 });
      const { status, body } = await api('GET', `runners/${id}`, { token: gitlab.addAccessToken([scope]) });
      expect(status).toBe(200);
      expect(body).toMatchObject({
        id,
        description: 'box',
        runner_type: 'instance_type',
        tag_list: ['a'],
        run_untagged: false,
        locked: false,
        access_level: 'not_protected',
        maximum_timeout: 3600,
        paused: false,
        active: true,
        online: false,
        status: 'never_contacted',
        contacted_at: null,
      });
      expect(body).not.toHaveProperty('token');
    },
  );

  it('is online after a contact and offline a long time later', async () => {
    const runner = gitlab.addRunner();
    const token = gitlab.addAccessToken(['read_api']);
    await api('POST', 'runners/verify', { json: { token: runner.token } });
    expect((await api('GET', `runners/${runner.id}`, { token })).body).toMatchObject({
      online: true,
      status: 'online',
    });
    runner.contactedAt = new Date(Date.now() - 86_400_000).toISOString();
    expect((await api('GET', `runners/${runner.id}`, { token })).body).toMatchObject({
      online: false,
      status: 'offline',
    });
  });

  it('is hidden from a token that may only create runners: 403', async () => {
    const { id } = gitlab.addRunner();
    const { status, body } = await api('GET', `runners/${id}`, {
      token: gitlab.addAccessToken(['create_runner']),
    });
    expect([status, body]).toEqual([403, insufficient('api read_api manage_runner')]);
  });

  it('is 404 for an unknown id and 400 for an id that is no number', async () => {
    const token = gitlab.addAccessToken(['api']);
    const unknown = await api('GET', 'runners/99999', { token });
    expect([unknown.status, unknown.body]).toEqual([404, { message: '404 Not found' }]);
    const invalid = await api('GET', 'runners/box', { token });
    expect([invalid.status, invalid.body]).toEqual([400, { error: 'id is invalid' }]);
  });

  it('deletes a runner for the scope manage_runner and for no lesser one', async () => {
    const { id } = gitlab.addRunner();
    const remove = (scope: string): Promise<Answer> =>
      api('DELETE', `runners/${id}`, { token: gitlab.addAccessToken([scope]) });
    const refused = await remove('read_api');
    expect([refused.status, refused.body]).toEqual([403, insufficient('api manage_runner')]);
    expect((await remove('manage_runner')).status).toBe(204);
    expect(gitlab.runners.size).toBe(0);
    expect((await remove('manage_runner')).status).toBe(404);
  });
});

describe('the managers of a runner', () => {
  it('are shown to an access token, one for each system id', async () => {
    const { id, token } = gitlab.addRunner();
    for (const system_id of ['r_1', 'r_2', 'r_1'])
      await api('POST', 'runners/verify', { json: { token, system_id } });
    const access = gitlab.addAccessToken(['manage_runner']);
    const { status, body } = await api('GET', `runners/${id}/managers`, { token: access });
    expect([status, body.map((one: { system_id: string }) => one.system_id)]).toEqual([200, ['r_1', 'r_2']]);
    expect((await api('GET', `runners/${id}/managers`)).status).toBe(401);
  });
});

describe('projects and groups', () => {
  it('finds a public project without a token, by id and by encoded path', async () => {
    const id = gitlab.addProject('team/sub/app', { visibility: 'public' });
    for (const key of [id, 'team%2Fsub%2Fapp']) {
      const { status, body } = await api('GET', `projects/${key}`);
      expect(status).toBe(200);
      expect(body).toMatchObject({ id, path_with_namespace: 'team/sub/app', path: 'app' });
    }
  });

  it('does not find a project by a path that is not encoded', async () => {
    gitlab.addProject('team/app', { visibility: 'public' });
    expect((await api('GET', 'projects/team/app')).status).toBe(404);
  });

  it('hides a private project from the anonymous, and shows it to a token with read_api', async () => {
    gitlab.addProject('team/app');
    const hidden = await api('GET', 'projects/team%2Fapp');
    expect([hidden.status, hidden.body]).toEqual([404, { message: '404 Project Not Found' }]);
    const token = gitlab.addAccessToken(['read_api']);
    expect((await api('GET', 'projects/team%2Fapp', { token })).status).toBe(200);
  });

  it('refuses a token that lacks the scope even for a public project', async () => {
    const id = gitlab.addProject('team/app', { visibility: 'public' });
    const { status, body } = await api('GET', `projects/${id}`, {
      token: gitlab.addAccessToken(['create_runner']),
    });
    expect([status, body]).toEqual([403, insufficient('api read_api')]);
    expect((await api('GET', `projects/${id}`, { token: 'glpat-x' })).status).toBe(401);
  });

  it('finds a group by id and by encoded path, and hides a private one', async () => {
    const id = gitlab.addGroup('team/sub', { visibility: 'public' });
    gitlab.addGroup('secret');
    for (const key of [id, 'team%2Fsub'])
      expect((await api('GET', `groups/${key}`)).body).toMatchObject({ id, full_path: 'team/sub' });
    const hidden = await api('GET', 'groups/secret');
    expect([hidden.status, hidden.body]).toEqual([404, { message: '404 Group Not Found' }]);
  });

  it('answers 400 to a path with broken %-encoding', async () => {
    expect((await api('GET', 'projects/%E0%A4')).status).toBe(400);
  });
});

describe('version', () => {
  it.each(['version', 'metadata'])(
    'GET /%s tells the version to a token and 401 to the anonymous',
    async path => {
      expect((await api('GET', path)).status).toBe(401);
      const { status, body } = await api('GET', path, { token: gitlab.addAccessToken(['read_api']) });
      expect([status, body]).toEqual([200, { version: '19.3.0', revision: expect.any(String) }]);
    },
  );
});

describe('jobs', () => {
  it('hands a queued job to the first runner that asks, once', async () => {
    const runner = gitlab.addRunner();
    const id = gitlab.queueJob({ seconds: 3 });
    const request = (): Promise<Answer> =>
      api('POST', 'jobs/request', { json: { token: runner.token, system_id: 's_1', info: {} } });
    const given = await request();
    expect([given.status, given.body]).toEqual([201, { id, token: expect.any(String), seconds: 3 }]);
    expect(gitlab.jobs.get(id)?.state).toBe('running');
    expect(runner.contactedAt).not.toBeNull();
    expect([...runner.managers.keys()]).toEqual(['s_1']);
    expect((await request()).status).toBe(204);
  });

  it('keeps a job for the runner it was queued for', async () => {
    const [other, wanted] = [gitlab.addRunner(), gitlab.addRunner()];
    gitlab.queueJob({ runnerId: wanted.id, seconds: 1 });
    expect((await api('POST', 'jobs/request', { json: { token: other.token } })).status).toBe(204);
    expect((await api('POST', 'jobs/request', { json: { token: wanted.token } })).status).toBe(201);
  });

  it('gives no job to a paused runner (204) and refuses an unknown one (403)', async () => {
    const { token } = gitlab.addRunner({ paused: true });
    const id = gitlab.queueJob({ seconds: 1 });
    expect((await api('POST', 'jobs/request', { json: { token } })).status).toBe(204);
    expect((await api('POST', 'jobs/request', { json: { token: 'glrt-x' } })).status).toBe(403);
    expect(gitlab.jobs.get(id)?.state).toBe('pending');
  });

  describe('that runs', () => {
    let id: number;
    let token: string;

    beforeEach(async () => {
      const runner = gitlab.addRunner();
      id = gitlab.queueJob({ seconds: 1 });
      token = (await api('POST', 'jobs/request', { json: { token: runner.token } })).body.token;
    });

    it.each(['success', 'failed'])('ends as %s with its token, and takes nothing more', async state => {
      expect((await api('PUT', `jobs/${id}`, { json: { token, state } })).status).toBe(200);
      expect(gitlab.jobs.get(id)?.state).toBe(state);
      expect((await api('PUT', `jobs/${id}`, { json: { token, state } })).status).toBe(403);
    });

    it('is not ended by another token (403), without one (400), or with an unknown state (400)', async () => {
      const put = (json: unknown): Promise<Answer> => api('PUT', `jobs/${id}`, { json });
      expect((await put({ token: 'x', state: 'success' })).status).toBe(403);
      expect((await put({ state: 'success' })).status).toBe(400);
      expect((await put({ token, state: 'done' })).status).toBe(400);
      expect(gitlab.jobs.get(id)?.state).toBe('running');
    });

    it('collects its log from text, even text sent as a form, under the JOB-TOKEN', async () => {
      const path = `jobs/${id}/trace`;
      const headers = { 'JOB-TOKEN': token };
      const first = await api('PATCH', path, { text: 'one\n', headers });
      expect([first.status, first.headers.get('job-status')]).toEqual([202, 'running']);
      await api('PATCH', path, {
        text: 'a=1&b\n',
        headers: { ...headers, 'content-type': 'application/x-www-form-urlencoded' },
      });
      expect(gitlab.jobs.get(id)?.log).toBe('one\na=1&b\n');
    });

    it('refuses a log without its token (403) or from the wrong place (416)', async () => {
      const path = `jobs/${id}/trace`;
      expect((await api('PATCH', path, { text: 'x' })).status).toBe(403);
      const headers = { 'JOB-TOKEN': token, 'Content-Range': '5-9' };
      const { status, headers: answered } = await api('PATCH', path, { text: 'later', headers });
      expect([status, answered.get('range')]).toEqual([416, '0-0']);
      expect(gitlab.jobs.get(id)?.log).toBe('');
    });
  });
});

describe('the server', () => {
  it('answers 404 JSON under the API to anything it does not have', async () => {
    for (const [method, path] of [
      ['GET', 'no/such'],
      ['PUT', 'user/runners'],
      ['GET', 'constructor'],
    ] as const) {
      const { status, body } = await api(method, path);
      expect([status, body]).toEqual([404, { error: '404 Not Found' }]);
    }
  });

  it('shows small pages and its health outside the API', async () => {
    for (const path of ['/', '/users/sign_in']) {
      const { status, body } = await call('GET', path);
      expect([status, body]).toEqual([200, expect.stringContaining('<html>')]);
    }
    const health = await call('GET', '/-/health');
    expect([health.status, health.body]).toEqual([200, 'GitLab OK']);
    expect((await call('GET', '/none')).status).toBe(404);
  });

  it('lives under a sub-path and answers 404 HTML outside it', async () => {
    const server = await start({ basePath: '/gitlab' });
    expect(server.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/gitlab$/);
    const token = server.addAccessToken(['api']);
    expect((await api('GET', 'version', { token }, server)).status).toBe(200);
    expect(server.requests[0]?.path).toBe('/gitlab/api/v4/version');
    for (const path of ['/api/v4/version', '/gitlabber/api/v4/version', '/']) {
      const response = await fetch(new URL(path, server.url), { headers: { 'PRIVATE-TOKEN': token } });
      expect([response.status, await response.text()]).toEqual([404, expect.stringContaining('<html>')]);
    }
  });

  it('refuses to start with a base path that ends in a slash', async () => {
    await expect(GitLabServer.start({ basePath: '/gitlab/' })).rejects.toThrow('basePath');
  });

  it('speaks HTTPS when given a key and a certificate', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'gitlab-server-'));
    try {
      const [keyFile, certFile] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
      const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1'];
      const make = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '1', ...subject];
      execFileSync('openssl', [...make, '-keyout', keyFile, '-out', certFile], { stdio: 'ignore' });
      const cert = readFileSync(certFile, 'utf8');
      const server = await start({ tls: { key: readFileSync(keyFile, 'utf8'), cert } });
      expect(server.url).toMatch(/^https:/);
      const status = await new Promise((resolve, reject) => {
        https
          .get(`${server.url}/-/health`, { ca: cert }, ({ statusCode }) => resolve(statusCode))
          .on('error', reject);
      });
      expect(status).toBe(200);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('refuses bodies that are no JSON object (400), of an unknown type (415) or too large (413)', async () => {
    const token = gitlab.addAccessToken(['api']);
    const send = async (type: string, text: string): Promise<number> =>
      (await api('POST', 'user/runners', { token, text, headers: { 'content-type': type } })).status;
    expect(await send('application/json', '{"runner_type":')).toBe(400);
    expect(await send('application/json', '[]')).toBe(400);
    expect(await send('text/plain', 'runner_type=instance_type')).toBe(415);
    expect(await send('application/json', `{"description":"${'x'.repeat(1024 * 1024)}"}`)).toBe(413);
    expect(gitlab.requests.map(request => request.status)).toEqual([400, 400, 415, 413]);
  });

  it('names the error of a malformed body', async () => {
    const headers = { 'content-type': 'application/json' };
    const { body } = await api('POST', 'runners/verify', { text: '{', headers });
    expect(body).toEqual({ error: 'message body does not match declared format' });
    expect(gitlab.requests[0]?.body).toBe('{');
  });

  it('records method, path, query, headers, body and status of every request', async () => {
    const marker = randomBytes(4).toString('hex');
    await api('POST', `runners/verify?page=2`, { json: { token: marker }, headers: { 'x-marker': marker } });
    const [request] = gitlab.requests;
    expect(request).toMatchObject({
      method: 'POST',
      path: '/api/v4/runners/verify',
      body: { token: marker },
      status: 403,
    });
    expect([request?.query.get('page'), request?.headers['x-marker']]).toEqual(['2', marker]);
  });

  it('fails the next matching requests on demand, without effect, then works again', async () => {
    const { id, token } = gitlab.addRunner();
    gitlab.failNext({ method: 'DELETE', path: /\/runners$/ }, 503, undefined, 2);
    expect((await api('POST', 'runners/verify', { json: { token } })).status).toBe(200);
    const failed = await api('DELETE', 'runners', { json: { token } });
    expect([failed.status, failed.body]).toEqual([503, { message: '503 Service Unavailable' }]);
    expect((await api('DELETE', 'runners', { json: { token } })).status).toBe(503);
    expect(gitlab.runners.has(id)).toBe(true);
    expect((await api('DELETE', 'runners', { json: { token } })).status).toBe(204);
  });

  it('fails with a body of the test, text as HTML', async () => {
    gitlab.failNext({ path: /verify/g }, 502, '<h1>Bad gateway</h1>');
    gitlab.failNext({ path: /verify/g }, 429, { message: 'Retry later' });
    const bad = await api('POST', 'runners/verify', { json: {} });
    expect([bad.status, bad.body]).toEqual([502, '<h1>Bad gateway</h1>']);
    expect(bad.headers.get('content-type')).toContain('text/html');
    const busy = await api('POST', 'runners/verify', { json: {} });
    expect([busy.status, busy.body]).toEqual([429, { message: 'Retry later' }]);
  });

  it('holds the next matching request until it is released', async () => {
    const held = gitlab.holdNext({ path: /health/ });
    const answer = call('GET', '/-/health');
    await held.arrived;
    expect(gitlab.requests[0]?.status).toBe(0);
    held.release();
    expect((await answer).status).toBe(200);
  });

  it('stops at once, also with a request held, and twice without harm', async () => {
    const server = await start({});
    server.delayNext({ path: /health/ }, 60_000);
    const held = expect(call('GET', '/-/health', {}, server)).rejects.toThrow();
    await expect.poll(() => server.requests.length).toBe(1);
    await server.stop();
    await held;
    await server.stop();
    await expect(fetch(server.url)).rejects.toThrow();
  });

  it('fails to start on a port that is taken', async () => {
    const port = Number(new URL(gitlab.url).port);
    await expect(GitLabServer.start({ port })).rejects.toThrow('EADDRINUSE');
  });
});
