/**
 * A stand-in for the parts of GitLab's REST API v4 that a runner repository meets.
 * It is strict on purpose: a request that passes here must not be refused by a real GitLab.
 */
import { randomBytes } from 'node:crypto';
import * as http from 'node:http';
import * as https from 'node:https';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

const BODY_LIMIT = 1024 * 1024;
const ONLINE_FOR_MS = 2 * 60 * 60 * 1000;
const RUNNER_TYPES = ['instance_type', 'group_type', 'project_type'] as const;
const ACCESS_LEVELS = ['not_protected', 'ref_protected'] as const;
const JOB_STATES = ['running', 'success', 'failed'] as const;
// Real GitLab takes `private_token` in the query, where it ends in access logs: our product must never do that.
const QUERY_CREDENTIALS = ['private_token', 'access_token', 'job_token'];

export interface GitLabOptions {
  /** Address to listen on, 127.0.0.1 unless told. */
  host?: string;
  /** Port to listen on; 0, the default, takes any free one. */
  port?: number;
  /** `''` or for example `/gitlab`, a sub-path installation. */
  basePath?: string;
  /** PEM text; the server speaks HTTPS when given. */
  tls?: { key: string; cert: string };
  /** Off by default, as since GitLab 17: registering with a registration token answers 410. */
  allowRegistrationToken?: boolean;
  version?: string;
}

interface RunnerAttributes {
  description: string;
  tagList: string[];
  runUntagged: boolean;
  locked: boolean;
  accessLevel: (typeof ACCESS_LEVELS)[number];
  maximumTimeout: number | null;
  paused: boolean;
}

export interface RunnerRecord extends RunnerAttributes {
  id: number;
  token: string;
  runnerType: (typeof RUNNER_TYPES)[number];
  projectId?: number | undefined;
  groupId?: number | undefined;
  tokenExpiresAt: string | null;
  /** The runner managers that used the token, by their system ids, and when each did so last. */
  managers: Map<string, string>;
  contactedAt: string | null;
  createdBy: 'api' | 'ui' | 'registration-token';
}

export interface JobRecord {
  id: number;
  seconds: number;
  state: 'pending' | 'running' | 'success' | 'failed';
  log: string;
  token: string;
  runnerId?: number;
  /** Of the runner manager that took it. */
  systemId?: string | undefined;
}

/** What GitLab says of a project's pipeline: lib/api/entities/ci/lint/result.rb and lib/gitlab/ci/lint.rb of its source. */
export interface LintResult {
  valid: boolean;
  errors: string[];
  warnings: string[];
  merged_yaml: string | null;
  includes: unknown[];
  jobs: { name: string; stage: string; tag_list: string[]; script: string[]; [key: string]: unknown }[];
}

export interface RequestRecord {
  method: string;
  /** Path as sent, sub-path included, without the query. */
  path: string;
  query: URLSearchParams;
  headers: http.IncomingHttpHeaders;
  /** The parsed fields, or the text where there are none. */
  body: unknown;
  /** Status answered; 0 until the answer is sent. */
  status: number;
}

interface RequestMatch {
  method?: string;
  path: RegExp;
}

type Kind = 'Project' | 'Group';
type Visibility = 'public' | 'private';
type Values = Record<string, unknown>;
type Reply = { status: number; body?: unknown; headers?: Record<string, string> };
type Intervention = {
  match: RequestMatch;
  left: number;
  milliseconds?: number;
  reply?: Reply;
  hold?: () => Promise<void>;
};
type Call = { id: string; fields: Fields; text: string; query: Values; headers: http.IncomingHttpHeaders };

const random = (): string => randomBytes(10).toString('hex');
const html = (title: string): string => `<!DOCTYPE html><html><head><title>${title}</title></head></html>`;

/** A reply that ends the handling of a request at any depth. */
class Refusal extends Error implements Reply {
  readonly status: number;
  readonly body: unknown;
  readonly headers: Record<string, string>;

  constructor(status: number, body: unknown, headers: Record<string, string> = {}) {
    super(`refused with ${status}`);
    this.status = status;
    this.body = body;
    this.headers = headers;
  }
}

/** Reads fields as Grape does: coerces, collects every fault, and reports them together. */
class Fields {
  readonly values: Values;
  readonly #faults: string[] = [];

  constructor(values: Values) {
    this.values = values;
  }

  refuse(name: string, fault: string): undefined {
    this.#faults.push(`${name} ${fault}`);
  }

  string(name: string, required = false): string | undefined {
    const value = this.values[name] ?? undefined;
    if (value === undefined) return required ? this.refuse(name, 'is missing') : undefined;
    return typeof value === 'object' ? this.refuse(name, 'is invalid') : String(value);
  }

  oneOf<T extends string>(name: string, allowed: readonly T[], required = false): T | undefined {
    const value = this.string(name, required);
    const found = allowed.find(one => one === value);
    return value === undefined || found ? found : this.refuse(name, 'does not have a valid value');
  }

  boolean(name: string): boolean | undefined {
    const value = this.string(name);
    if (value === 'true' || value === '1') return true;
    if (value === 'false' || value === '0') return false;
    return value ? this.refuse(name, 'is invalid') : undefined;
  }

  integer(name: string, required = false): number | undefined {
    const value = this.string(name, required);
    if (value === undefined || (value === '' && !required)) return undefined;
    return /^-?\d+$/.test(value) ? Number(value) : this.refuse(name, 'is invalid');
  }

  tags(name: string): string[] {
    const items: unknown[] = [this.values[name] ?? []].flat();
    if (items.some(item => typeof item === 'object')) this.refuse(name, 'is invalid');
    const tags = items.flatMap(item => String(item).split(',')).map(tag => tag.trim());
    return [...new Set(tags.filter(tag => tag !== ''))];
  }

  /** Throws one 400 with all faults met so far. */
  check(): void {
    if (this.#faults.length > 0) throw new Refusal(400, { error: this.#faults.join(', ') });
  }
}

/** The attributes both ways of making a runner share, and what the runner model has against them. */
function readAttributes(fields: Fields): { attributes: RunnerAttributes; faults: Record<string, string[]> } {
  const attributes: RunnerAttributes = {
    description: fields.string('description') ?? '',
    tagList: fields.tags('tag_list'),
    runUntagged: fields.boolean('run_untagged') ?? true,
    locked: fields.boolean('locked') ?? false,
    accessLevel: fields.oneOf('access_level', ACCESS_LEVELS) ?? 'not_protected',
    maximumTimeout: fields.integer('maximum_timeout') ?? null,
    paused: fields.boolean('paused') ?? false,
  };
  const note = fields.string('maintenance_note') ?? '';
  fields.check();
  const faults: Record<string, string[]> = {};
  if (!attributes.runUntagged && attributes.tagList.length === 0)
    faults.tags_list = ['can not be empty when runner is not allowed to pick untagged jobs'];
  if ((attributes.maximumTimeout ?? 600) < 600) faults.maximum_timeout = ['needs to be at least 10 minutes'];
  if (note.length > 1024) faults.maintenance_note = ['is too long (maximum is 1024 characters)'];
  return { attributes, faults };
}

/** The fields of a JSON or form body, the text of any other; undefined when malformed. */
async function parseBody(raw: Buffer, contentType = ''): Promise<Values | string | undefined> {
  if (raw.length === 0) return {};
  try {
    if (/^application\/json\b/i.test(contentType)) {
      const value: unknown = JSON.parse(raw.toString());
      const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
      return isObject ? (value as Values) : undefined;
    }
    if (!/^(application\/x-www-form-urlencoded|multipart\/form-data)\b/i.test(contentType)) return `${raw}`;
    const headers = { 'content-type': contentType };
    const form = await new Response(new Uint8Array(raw), { headers }).formData();
    const values: Values = {};
    // Rails reads `name[]` as a list; of a plain name sent twice the last one counts.
    for (const [name, value] of form)
      values[name.replace(/\[\]$/, '')] = name.endsWith('[]') ? form.getAll(name) : value;
    return values;
  } catch {
    return undefined;
  }
}

/** The running stand-in; its state is open to tests, which may read and change it. */
export class GitLabServer {
  readonly requests: RequestRecord[] = [];
  readonly runners = new Map<number, RunnerRecord>();
  readonly jobs = new Map<number, JobRecord>();
  /** What `ci/lint` says of a project's pipeline, by the project's id; a project without one has an empty repository. */
  readonly lintResults = new Map<number, LintResult>();
  // In two parts, so that secret scanners do not take this source for a leak.
  registrationToken = `${'GR13'}${'48941'}${random()}`;

  readonly #options: Required<Omit<GitLabOptions, 'tls'>>;
  readonly #server: http.Server;
  readonly #accessTokens = new Map<string, { scopes: string[]; expired?: boolean; revoked?: boolean }>();
  readonly #namespaces = new Map<number, { kind: Kind; path: string; visibility: Visibility }>();
  readonly #interventions: Intervention[] = [];
  readonly #stopping = new AbortController();
  #lastId = 100;

  readonly #routes: Record<string, (call: Call) => Reply> = {
    'POST user/runners': call => this.#createRunner(call),
    'POST runners': call => this.#registerRunner(call),
    'POST runners/verify': call => ({ status: 200, body: credentials(this.#requireRunner(call)) }),
    'POST runners/reset_authentication_token': call => this.#resetToken(call),
    'DELETE runners': call => this.#unregister(call),
    'DELETE runners/managers': call => this.#unregisterManager(call),
    'GET runners/:id': call => this.#showRunner(call),
    'GET runners/:id/managers': call => this.#showManagers(call),
    'PUT runners/:id': call => this.#changeRunner(call),
    'DELETE runners/:id': call => this.#deleteRunner(call),
    'GET projects/:id': call => this.#showNamespace(call, 'Project'),
    'GET projects/:id/ci/lint': call => this.#lintPipeline(call),
    'GET groups/:id': call => this.#showNamespace(call, 'Group'),
    'GET version': call => this.#showVersion(call),
    'GET metadata': call => this.#showVersion(call),
    'POST jobs/request': call => this.#requestJob(call),
    'PUT jobs/:id': call => this.#updateJob(call),
    'PATCH jobs/:id/trace': call => this.#appendTrace(call),
  };

  private constructor({ tls, ...options }: GitLabOptions) {
    const listening = { host: '127.0.0.1', port: 0, basePath: '' };
    this.#options = { ...listening, allowRegistrationToken: false, version: '19.3.0', ...options };
    if (!/^(\/[\w.-]+)*$/.test(this.#options.basePath)) throw new Error('basePath: empty or like /gitlab');
    const listener: http.RequestListener = (request, response) => void this.#handle(request, response);
    this.#server = tls ? https.createServer(tls, listener) : http.createServer(listener);
  }

  /** Starts a server; resolves once it listens. */
  static async start(options: GitLabOptions = {}): Promise<GitLabServer> {
    const gitlab = new GitLabServer(options);
    await new Promise<void>((resolve, reject) => {
      gitlab.#server.once('error', reject);
      gitlab.#server.listen(gitlab.#options.port, gitlab.#options.host, resolve);
    });
    // Taken now: the address is gone once the server stops, the URL must not be.
    const { port } = gitlab.#server.address() as AddressInfo;
    gitlab.#options.port = port;
    return gitlab;
  }

  /** The base URL with the sub-path and no trailing slash. */
  get url(): string {
    const { host, port, basePath } = this.#options;
    const scheme = this.#server instanceof https.Server ? 'https' : 'http';
    // Nobody can connect to the "any address" itself.
    const reachable = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host;
    return `${scheme}://${reachable.includes(':') ? `[${reachable}]` : reachable}:${port}${basePath}`;
  }

  /** Makes a personal access token with the scopes given. */
  addAccessToken(scopes: string[], options: { expired?: boolean; revoked?: boolean } = {}): string {
    const token = `glpat-${random()}`;
    this.#accessTokens.set(token, { scopes, ...options });
    return token;
  }

  /** Makes a project, private unless told, and gives its id. */
  addProject(pathWithNamespace: string, options: { visibility?: Visibility } = {}): number {
    return this.#addNamespace('Project', pathWithNamespace, options.visibility);
  }

  /** Makes a group, private unless told, and gives its id. */
  addGroup(fullPath: string, options: { visibility?: Visibility } = {}): number {
    return this.#addNamespace('Group', fullPath, options.visibility);
  }

  /** Makes a runner as the web page does; with tags it does not run untagged jobs unless told. */
  addRunner(partial: Partial<RunnerRecord> = {}): RunnerRecord {
    const runnerType = partial.runnerType ?? 'instance_type';
    const runner: RunnerRecord = {
      id: this.#newId(),
      // As in today's GitLab the runner type is part of the token: t1 instance, t2 group, t3 project.
      token: `glrt-t${RUNNER_TYPES.indexOf(runnerType) + 1}_${random()}`,
      description: '',
      runnerType,
      tagList: [],
      runUntagged: !partial.tagList?.length,
      locked: false,
      accessLevel: 'not_protected',
      maximumTimeout: null,
      paused: false,
      tokenExpiresAt: null,
      managers: new Map(),
      contactedAt: null,
      createdBy: 'ui',
      ...partial,
    };
    this.runners.set(runner.id, runner);
    return runner;
  }

  /** Makes the next matching requests (one unless told) fail without effect; a text body is sent as HTML. */
  failNext(
    match: RequestMatch,
    status: number,
    body?: unknown,
    times = 1,
    headers: Record<string, string> = {},
  ): void {
    const message = `${status} ${http.STATUS_CODES[status] ?? 'Unknown'}`;
    const reply = { status, body: body ?? { message }, headers };
    this.#interventions.push({ match, left: times, reply });
  }

  /** Holds the next matching request for some time before it is answered. */
  delayNext(match: RequestMatch, milliseconds: number): void {
    this.#interventions.push({ match, left: 1, milliseconds });
  }

  /** Holds the next matching request until it is released; `arrived` says that it is here. */
  holdNext(match: RequestMatch): { arrived: Promise<void>; release: () => void } {
    let [arrive, release] = [() => {}, () => {}];
    const arrived = new Promise<void>(resolve => {
      arrive = resolve;
    });
    const released = new Promise<void>(resolve => {
      release = resolve;
    });
    this.#stopping.signal.addEventListener('abort', release);
    const hold = (): Promise<void> => {
      arrive();
      return released;
    };
    this.#interventions.push({ match, left: 1, hold });
    return { arrived, release };
  }

  /** Queues a job for the first runner that asks, or for one runner, and gives its id. */
  queueJob(job: { runnerId?: number; seconds: number }): number {
    const id = this.#newId();
    this.jobs.set(id, { ...job, id, state: 'pending', log: '', token: `glcbt-${random()}` });
    return id;
  }

  /** Stops listening and drops open connections; stopping twice is harmless. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    const closed = new Promise<unknown>(resolve => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }

  async #handle(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const { method = 'GET', url = '/', headers } = request;
    const [path = '', search] = url.split(/\?(.*)/s);
    const query = new URLSearchParams(search);
    const record: RequestRecord = { method, path, query, headers, body: {}, status: 0 };
    this.requests.push(record);
    try {
      const reply = await this.#answer(request, record).catch((error: unknown): Reply => {
        if (error instanceof Refusal) return error;
        throw error;
      });
      record.status = reply.status;
      const text = typeof reply.body === 'string' ? reply.body : JSON.stringify(reply.body);
      const type = text === reply.body ? 'text/html; charset=utf-8' : 'application/json';
      response.writeHead(reply.status, { ...(text && { 'content-type': type }), ...reply.headers }).end(text);
    } catch {
      // The client went away, or the server is stopping: there is nobody to answer.
      response.destroy();
    }
  }

  async #answer(request: http.IncomingMessage, record: RequestRecord): Promise<Reply> {
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of request as AsyncIterable<Buffer>) {
      size += chunk.length;
      // The rest is read and dropped: a client still sending would see a reset instead of the answer.
      if (size <= BODY_LIMIT) chunks.push(chunk);
    }
    const raw = Buffer.concat(chunks);
    // A trace is text even when the client labels it as a form, as curl does.
    const type = record.path.endsWith('/trace') ? 'text/plain' : record.headers['content-type'];
    const body = await parseBody(raw, type);
    record.body = body ?? raw.toString();

    const delay = this.#intervene(record, one => one.milliseconds !== undefined);
    if (delay) await sleep(delay.milliseconds, undefined, { signal: this.#stopping.signal });
    await this.#intervene(record, one => one.hold !== undefined)?.hold?.();
    const fault = this.#intervene(record, one => one.reply !== undefined);
    if (fault?.reply) return fault.reply;
    if (size > BODY_LIMIT) throw new Refusal(413, { error: '413 Request Entity Too Large' });
    if (body === undefined) throw new Refusal(400, { error: 'message body does not match declared format' });
    const credential = QUERY_CREDENTIALS.find(name => record.query.has(name));
    if (credential) throw new Refusal(400, { error: `${credential} must not be sent in the URL` });
    return this.#route(record, body);
  }

  /** The first planned intervention of a kind that fits the request; it is used up. */
  #intervene(record: RequestRecord, wanted: (one: Intervention) => boolean): Intervention | undefined {
    const fits = ({ match }: Intervention): boolean =>
      // `search`, unlike `test`, does not depend on the state of a /g expression.
      (match.method ?? record.method) === record.method && record.path.search(match.path) >= 0;
    const found = this.#interventions.find(one => one.left > 0 && wanted(one) && fits(one));
    if (found) found.left -= 1;
    return found;
  }

  #route({ method, path, query, headers }: RequestRecord, body: Values | string): Reply {
    const { basePath } = this.#options;
    const local = `${path}/`.startsWith(`${basePath}/`) ? path.slice(basePath.length) : undefined;
    if (!local?.startsWith('/api/v4/')) return showPage(method === 'GET' ? local : undefined);
    const parts = local.slice('/api/v4/'.length).replace(/\/$/, '').split('/');
    const route = [parts, parts.with(parts.length > 1 ? 1 : 0, ':id')]
      .map(candidate => `${method} ${candidate.join('/')}`)
      .find(candidate => Object.hasOwn(this.#routes, candidate));
    if (!route) throw new Refusal(404, { error: '404 Not Found' });
    if (typeof body === 'string' && !route.endsWith('/trace'))
      throw new Refusal(415, {
        error: `The provided content-type '${headers['content-type']}' is not supported.`,
      });
    const [values, text] = typeof body === 'string' ? [{}, body] : [body, ''];
    // Decoded after the split: a project path is one segment, its slashes sent as %2F.
    const id = decode(parts[1] ?? '');
    const call = { id, fields: new Fields(values), text, query: Object.fromEntries(query), headers };
    return this.#routes[route]!(call);
  }

  #newId(): number {
    this.#lastId += 1;
    return this.#lastId;
  }

  #addNamespace(kind: Kind, path: string, visibility: Visibility = 'private'): number {
    const id = this.#newId();
    this.#namespaces.set(id, { kind, path, visibility });
    return id;
  }

  /** Refuses a call whose access token is missing, dead, or without one of the scopes. */
  #requireAccess({ headers }: Call, scopes: string[]): void {
    const bearer = /^Bearer\s+(\S+)$/i.exec(headers.authorization ?? '')?.[1];
    const sent = headers['private-token']?.toString() || bearer;
    if (!sent) throw new Refusal(401, { message: '401 Unauthorized' });
    const token = this.#accessTokens.get(sent);
    if (!token || token.revoked || token.expired) {
      const description = token?.expired
        ? 'Token is expired. You can either do re-authorization or token refresh.'
        : 'Token was revoked. You have to re-authorize from the user.';
      throw new Refusal(401, { error: 'invalid_token', error_description: description });
    }
    if (scopes.some(scope => token.scopes.includes(scope))) return;
    throw new Refusal(403, {
      error: 'insufficient_scope',
      error_description: 'The request requires higher privileges than provided by the access token.',
      scope: scopes.join(' '),
    });
  }

  /** The runner whose authentication token is in the fields; as in GitLab the contact is noted. */
  #requireRunner({ fields }: Call, contact = true): RunnerRecord {
    const token = fields.string('token', true);
    const systemId = fields.string('system_id');
    fields.check();
    const runner = [...this.runners.values()].find(one => one.token === token);
    const isExpired = runner?.tokenExpiresAt && Date.parse(runner.tokenExpiresAt) <= Date.now();
    if (!runner || isExpired) throw new Refusal(403, { message: '403 Forbidden' });
    const now = new Date().toISOString();
    if (contact) runner.contactedAt = now;
    if (contact && systemId) runner.managers.set(systemId, now);
    return runner;
  }

  /** The running job whose token is in the body or, as for a trace, in the JOB-TOKEN header. */
  #requireJob({ id, fields, headers }: Call): JobRecord {
    const job = this.jobs.get(Number(id));
    const token = fields.string('token') ?? headers['job-token'];
    if (!job || token !== job.token) throw new Refusal(403, { message: '403 Forbidden' });
    if (job.state === 'running') return job;
    throw new Refusal(403, { message: '403 Forbidden - Job is not running' }, { 'Job-Status': job.state });
  }

  #createRunner(call: Call): Reply {
    this.#requireAccess(call, ['api', 'create_runner']);
    const { fields } = call;
    const runnerType = fields.oneOf('runner_type', RUNNER_TYPES, true);
    const ownerId = (kind: Kind): number | undefined => {
      const name = `${kind.toLowerCase()}_id`;
      const isWanted = runnerType === `${kind.toLowerCase()}_type`;
      const id = fields.integer(name, isWanted);
      if (runnerType && id !== undefined && !isWanted)
        fields.refuse(name, `is not allowed for ${runnerType}`);
      return id;
    };
    const [projectId, groupId] = [ownerId('Project'), ownerId('Group')];
    const { attributes, faults } = readAttributes(fields);
    if (projectId !== undefined) this.#requireNamespace('Project', projectId);
    if (groupId !== undefined) this.#requireNamespace('Group', groupId);
    // Rails words the fault of `tags_list` as `Tags list can not be empty`.
    const texts = Object.entries(faults).map(([name, [fault]]) =>
      `${name} ${fault}`.replace(name, `${name[0]!.toUpperCase()}${name.slice(1).replaceAll('_', ' ')}`),
    );
    if (faults.tags_list) throw new Refusal(400, { message: texts });
    if (texts.length > 0)
      throw new Refusal(400, { message: `Failed to create runner: ${texts.join(' and ')}` });
    const owners = { projectId, groupId };
    const runner = this.addRunner({ ...attributes, ...owners, runnerType: runnerType!, createdBy: 'api' });
    return { status: 201, body: credentials(runner) };
  }

  #registerRunner({ fields }: Call): Reply {
    const sent = fields.string('token', true);
    const { attributes, faults } = readAttributes(fields);
    if (!this.#options.allowRegistrationToken)
      throw new Refusal(410, { message: '410 Gone - runner registration disallowed' });
    if (sent !== this.registrationToken)
      throw new Refusal(403, { message: '403 Forbidden - invalid token supplied' });
    if (Object.keys(faults).length > 0) throw new Refusal(400, { message: faults });
    const token = `glrtr-${random()}`;
    const runner = this.addRunner({ ...attributes, token, createdBy: 'registration-token' });
    return { status: 201, body: credentials(runner) };
  }

  #resetToken(call: Call): Reply {
    const runner = this.#requireRunner(call);
    // Keeps the prefix: it tells how the runner was made.
    runner.token = `${/^[a-z]+-(t\d_)?/.exec(runner.token)?.[0] ?? ''}${random()}`;
    return { status: 201, body: { token: runner.token, token_expires_at: runner.tokenExpiresAt } };
  }

  #unregister(call: Call): Reply {
    this.runners.delete(this.#requireRunner(withQuery(call), false).id);
    return { status: 204 };
  }

  #unregisterManager(call: Call): Reply {
    const merged = withQuery(call);
    const systemId = merged.fields.string('system_id', true);
    const isKnown = this.#requireRunner(merged, false).managers.delete(systemId!);
    if (!isKnown) throw new Refusal(404, { message: '404 Runner manager not found Not Found' });
    return { status: 204 };
  }

  /** Takes the attributes that are sent, and answers as GET does. */
  #changeRunner(call: Call): Reply {
    this.#requireAccess(call, ['api', 'manage_runner']);
    const runner = this.#findRunner(call);
    const { tagList, runUntagged, locked, accessLevel, maximumTimeout, paused, description } = runner;
    const present = {
      ...{ tag_list: tagList, run_untagged: runUntagged, locked, access_level: accessLevel },
      ...{ maximum_timeout: maximumTimeout, paused, description },
    };
    const { attributes, faults } = readAttributes(new Fields({ ...present, ...call.fields.values }));
    if (Object.keys(faults).length > 0) throw new Refusal(400, { message: faults });
    Object.assign(runner, attributes);
    return this.#showRunner(call);
  }

  #showRunner(call: Call): Reply {
    this.#requireAccess(call, ['api', 'read_api', 'manage_runner']);
    const { id, description, locked, paused, contactedAt, ...runner } = this.#findRunner(call);
    const online = contactedAt !== null && Date.now() - Date.parse(contactedAt) < ONLINE_FOR_MS;
    const status = contactedAt === null ? 'never_contacted' : online ? 'online' : 'offline';
    const body = {
      ...{ id, description, locked, paused, active: !paused, online, status, contacted_at: contactedAt },
      runner_type: runner.runnerType,
      tag_list: runner.tagList,
      run_untagged: runner.runUntagged,
      access_level: runner.accessLevel,
      maximum_timeout: runner.maximumTimeout,
      version: null,
      projects: runner.projectId === undefined ? [] : [{ id: runner.projectId }],
      groups: runner.groupId === undefined ? [] : [{ id: runner.groupId }],
    };
    return { status: 200, body };
  }

  #showManagers(call: Call): Reply {
    this.#requireAccess(call, ['api', 'read_api', 'manage_runner']);
    const { managers } = this.#findRunner(call);
    const body = [...managers].map(([system_id, contacted_at], index) => {
      return { id: index + 1, system_id, version: '19.3.0', platform: 'linux', contacted_at };
    });
    return { status: 200, body };
  }

  #deleteRunner(call: Call): Reply {
    this.#requireAccess(call, ['api', 'manage_runner']);
    this.runners.delete(this.#findRunner(call).id);
    return { status: 204 };
  }

  #findRunner({ id, fields }: Call): RunnerRecord {
    if (!/^\d+$/.test(id)) fields.refuse('id', 'is invalid');
    fields.check();
    const runner = this.runners.get(Number(id));
    if (!runner) throw new Refusal(404, { message: '404 Not found' });
    return runner;
  }

  #showNamespace(call: Call, kind: Kind): Reply {
    const isAuthenticated = Boolean(call.headers['private-token'] || call.headers.authorization);
    // A token that is sent is judged even where none is needed.
    if (isAuthenticated) this.#requireAccess(call, ['api', 'read_api']);
    const key = /^\d+$/.test(call.id) ? Number(call.id) : call.id;
    return { status: 200, body: this.#requireNamespace(kind, key, isAuthenticated) };
  }

  #lintPipeline(call: Call): Reply {
    this.#requireAccess(call, ['api', 'read_api']);
    const key = /^\d+$/.test(call.id) ? Number(call.id) : call.id;
    const project = this.#requireNamespace('Project', key);
    const result = this.lintResults.get(project.id as number);
    if (!result) throw new Refusal(404, { message: '404 Repository Not Found' });
    const { jobs, ...rest } = result;
    return { status: 200, body: call.query.include_jobs === 'true' ? { ...rest, jobs } : rest };
  }

  /** A project or group by id or path, as the API shows it; a private one is hidden as if it did not exist. */
  #requireNamespace(kind: Kind, key: number | string, isAuthenticated = true): Values {
    for (const [id, { kind: itsKind, path, visibility }] of this.#namespaces) {
      if (itsKind !== kind || (id !== key && path !== key)) continue;
      if (visibility === 'private' && !isAuthenticated) break;
      const name = path.slice(path.lastIndexOf('/') + 1);
      return {
        id,
        name,
        path: name,
        visibility,
        [kind === 'Project' ? 'path_with_namespace' : 'full_path']: path,
      };
    }
    throw new Refusal(404, { message: `404 ${kind} Not Found` });
  }

  #showVersion(call: Call): Reply {
    this.#requireAccess(call, ['api', 'read_api', 'read_user']);
    return { status: 200, body: { version: this.#options.version, revision: 'stand-in' } };
  }

  // A simplification: the real answer is a whole job description, and may be held back for a long poll.
  #requestJob(call: Call): Reply {
    const runner = this.#requireRunner(call);
    const isForRunner = (job: JobRecord): boolean => (job.runnerId ?? runner.id) === runner.id;
    const job = [...this.jobs.values()].find(one => one.state === 'pending' && isForRunner(one));
    if (!job || runner.paused) return { status: 204 };
    job.state = 'running';
    job.runnerId = runner.id;
    job.systemId = call.fields.string('system_id');
    return { status: 201, body: { id: job.id, token: job.token, seconds: job.seconds } };
  }

  #updateJob(call: Call): Reply {
    call.fields.string('token', true);
    const state = call.fields.oneOf('state', JOB_STATES, true);
    call.fields.check();
    this.#requireJob(call).state = state!;
    return { status: 200, body: 200 };
  }

  #appendTrace(call: Call): Reply {
    const job = this.#requireJob(call);
    const range = call.headers['content-range'];
    const length = Buffer.byteLength(job.log);
    // A retried patch must not double the log.
    if (range && !range.startsWith(`${length}-`))
      throw new Refusal(416, { error: '416 Range Not Satisfiable' }, { Range: `0-${length}` });
    job.log += call.text;
    return { status: 202, headers: { 'Job-Status': job.state, Range: `0-${Buffer.byteLength(job.log)}` } };
  }
}

/** The call with the query read as fields: a DELETE may carry its runner token there, as in GitLab. */
function withQuery(call: Call): Call {
  return { ...call, fields: new Fields({ ...call.query, ...call.fields.values }) };
}

function credentials({ id, token, tokenExpiresAt }: RunnerRecord): Values {
  return { id, token, token_expires_at: tokenExpiresAt };
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw new Refusal(400, { error: '400 Bad Request' });
  }
}

/** The few pages outside the API; undefined stands for a page that cannot exist. */
function showPage(path: string | undefined): Reply {
  if (path === '/-/health')
    return { status: 200, body: 'GitLab OK', headers: { 'content-type': 'text/plain' } };
  if (path === '' || path === '/' || path === '/users/sign_in')
    return { status: 200, body: html('Sign in · GitLab') };
  return { status: 404, body: html('Page not found (404)') };
}
