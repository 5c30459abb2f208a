/** The calls the runner makes to GitLab. */
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import * as http from 'node:http';
import * as https from 'node:https';
import { join } from 'node:path';
import { rootCertificates } from 'node:tls';
import type { Table } from './config.ts';
import { type Fields, type Log, shortToken } from './log.ts';

/** In place of an HTTP status: no answer at all, and no client for such an address. */
export const NO_ANSWER = -1;
export const CLIENT_ERROR = -100;

export interface Answer {
  status: number;
  /** What a log line says of the answer. */
  statusText: string;
  body: Table;
  headers: http.IncomingHttpHeaders;
  correlationId: string;
}

interface Call {
  json?: Table;
  text?: string;
  headers?: Record<string, string>;
}

export const isCreatedRunnerToken = (token: string): boolean => token.startsWith('glrt-');

const text = (runner: Table, key: string): string => String(runner[key] ?? '');

/** The fields that every log line about a runner carries. */
export function runnerFields(runner: Table, answer?: Answer): Fields {
  return {
    runner: shortToken(text(runner, 'token')),
    runner_name: text(runner, 'name'),
    ...(answer ? { correlation_id: answer.correlationId } : {}),
  };
}

/** What the runner tells about itself. */
export function runnerInfo(version: string, executor?: string): Table {
  return {
    name: 'gitlab-runner',
    version,
    revision: 'stand-in',
    platform: 'linux',
    architecture: process.arch === 'x64' ? 'amd64' : process.arch,
    ...(executor ? { executor } : {}),
  };
}

export class GitLabClient {
  readonly #log: Log;
  readonly #env: NodeJS.ProcessEnv;
  readonly #certificateDirectory: string;

  constructor(log: Log, env: NodeJS.ProcessEnv, certificateDirectory: string) {
    this.#log = log;
    this.#env = env;
    this.#certificateDirectory = certificateDirectory;
  }

  /** The answer to a verification, or `undefined` when GitLab refuses the token; no answer is no refusal. */
  async verifyRunner(runner: Table, systemId: string): Promise<Table | undefined> {
    const json = { token: runner.token, system_id: systemId };
    const answer = await this.call(runner, 'POST', 'runners/verify', { json });
    const fields = runnerFields(runner, answer);
    const failed = { ...fields, status: answer.statusText };
    const created = isCreatedRunnerToken(text(runner, 'token'));
    switch (answer.status) {
      case 200:
        this.#log.info(`Verifying runner... ${created ? 'is valid' : 'is alive'}`, fields);
        return answer.body;
      case 403:
        if (created) this.#log.info('Verifying runner... is not valid', fields);
        else this.#log.error('Verifying runner... is removed', failed);
        return undefined;
      case CLIENT_ERROR:
        this.#log.error('Verifying runner... client error', failed);
        return {};
      default:
        this.#log.error('Verifying runner... failed', failed);
        return {};
    }
  }

  /** Registers with a registration token. */
  async registerRunner(runner: Table, parameters: Table): Promise<Table | undefined> {
    const answer = await this.call(runner, 'POST', 'runners', {
      json: { ...parameters, token: runner.token },
    });
    const fields = runnerFields(runner, answer);
    if (answer.status === 201) {
      this.#log.info('Registering runner... succeeded', fields);
      return answer.body;
    }
    const outcomes: Record<number, string> = {
      403: 'forbidden (check registration token)',
      [CLIENT_ERROR]: 'client error',
    };
    const outcome = outcomes[answer.status] ?? 'failed';
    this.#log.error(`Registering runner... ${outcome}`, { ...fields, status: answer.statusText });
    return undefined;
  }

  /** One call under `/api/v4/`; it never throws. */
  async call(runner: Table, method: string, path: string, call: Call = {}): Promise<Answer> {
    const correlationId = randomBytes(16).toString('hex');
    // The real one drops a trailing `/ci` too, a left-over of very old GitLab.
    const base = text(runner, 'url').replace(/\/+$/, '').replace(/\/ci$/, '');
    const url = `${base}/api/v4/${path}`;
    const failed = (status: number, statusText: string): Answer => ({
      status,
      statusText,
      body: {},
      headers: {},
      correlationId,
    });
    // The real one never sends a request without a token.
    if (text(runner, 'token') === '') return failed(NO_ANSWER, `couldn't execute ${method} against ${url}`);
    if (!/^https?:\/\/./.test(url) || !URL.canParse(url))
      return failed(CLIENT_ERROR, 'get client: new client: only http or https scheme supported');
    const payload = call.json ? JSON.stringify(call.json) : (call.text ?? '');
    const headers = {
      accept: 'application/json',
      'content-type': call.json ? 'application/json' : 'text/plain',
      'content-length': String(Buffer.byteLength(payload)),
      'user-agent': 'gitlab-runner (stand-in)',
      'x-request-id': correlationId,
      ...call.headers,
    };
    try {
      const send = () => this.#send(runner, method, new URL(url), headers, payload);
      // As the real one it tries again where a proxy has closed the connection meanwhile.
      const isClosed = (error: NodeJS.ErrnoException) => error.code === 'ECONNRESET';
      const { response, body } = await send().catch(error =>
        isClosed(error) ? send() : Promise.reject(error),
      );
      const status = response.statusCode ?? 0;
      const message = body.message ?? body.error;
      const reason = typeof message === 'string' ? ` (${message})` : '';
      return {
        status,
        statusText: `${method} ${url}: ${status} ${response.statusMessage}${reason}`,
        body,
        headers: response.headers,
        correlationId: response.headers['x-request-id']?.toString() ?? correlationId,
      };
    } catch (error) {
      const operation = method.charAt(0) + method.slice(1).toLowerCase();
      const cause = goError(error as NodeJS.ErrnoException, new URL(url));
      return failed(NO_ANSWER, `couldn't execute ${method} against ${url}: ${operation} "${url}": ${cause}`);
    }
  }

  async #send(
    runner: Table,
    method: string,
    url: URL,
    headers: http.OutgoingHttpHeaders,
    payload: string,
  ): Promise<{ response: http.IncomingMessage; body: Table }> {
    const secure = url.protocol === 'https:';
    // Without it, an answer that got lost on the way would keep the runner from asking ever again.
    const signal = AbortSignal.timeout(15_000);
    const trust = secure ? this.#trust(runner, url) : {};
    const options: https.RequestOptions = { method, headers, signal, ...trust };
    const response = await new Promise<http.IncomingMessage>((resolve, reject) => {
      const request = (secure ? https : http).request(url, options, resolve);
      request.on('error', reject);
      request.end(payload);
    });
    const chunks: Buffer[] = [];
    for await (const chunk of response) chunks.push(chunk as Buffer);
    return { response, body: parseJson(Buffer.concat(chunks).toString()) };
  }

  /** The public authorities, and those of NODE_EXTRA_CA_CERTS, `tls-ca-file` or `certs/<hostname>.crt`. */
  #trust(runner: Table, url: URL): https.RequestOptions {
    const read = (path: string): string[] => (path && existsSync(path) ? [readFileSync(path, 'utf8')] : []);
    const given = text(runner, 'tls-ca-file');
    const file = given || join(this.#certificateDirectory, `${url.hostname}.crt`);
    const [cert] = read(text(runner, 'tls-cert-file'));
    const [key] = read(text(runner, 'tls-key-file'));
    if (given && !existsSync(given)) throw new Error(`open ${given}: no such file or directory`);
    return {
      ca: [...rootCertificates, ...read(this.#env.NODE_EXTRA_CA_CERTS ?? ''), ...read(file)],
      ...(cert && key ? { cert, key } : {}),
    };
  }
}

function parseJson(body: string): Table {
  try {
    const value: unknown = JSON.parse(body);
    return typeof value === 'object' && value !== null ? (value as Table) : {};
  } catch {
    return {};
  }
}

/** A failed connection in the words of Go, which are what people search for. */
function goError(error: NodeJS.ErrnoException, url: URL): string {
  const port = url.port || (url.protocol === 'https:' ? '443' : '80');
  switch (error.code) {
    case 'ECONNREFUSED':
      return `dial tcp ${url.hostname}:${port}: connect: connection refused`;
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `dial tcp: lookup ${url.hostname}: no such host`;
    case 'ETIMEDOUT':
    case 'ABORT_ERR':
      return `dial tcp ${url.hostname}:${port}: i/o timeout`;
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
    case 'SELF_SIGNED_CERT_IN_CHAIN':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
      return 'tls: failed to verify certificate: x509: certificate signed by unknown authority';
    case 'CERT_HAS_EXPIRED':
      return 'tls: failed to verify certificate: x509: certificate has expired or is not yet valid';
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return `tls: failed to verify certificate: x509: certificate is not valid for ${url.hostname}`;
    case 'EPROTO':
      return 'http: server gave HTTP response to HTTPS client';
    case 'ECONNRESET':
      return 'EOF';
    default:
      return error.message;
  }
}
