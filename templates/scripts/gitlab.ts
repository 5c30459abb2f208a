// GitLab's REST API, as far as a runner needs it: https://docs.gitlab.com/api/runners/

import { existsSync, readFileSync<%- privateCa ? ', statSync' : '' %> } from 'node:fs';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { rootCertificates } from 'node:tls';
import { type Environment, Failure, mask, root } from './env.ts';
<% if (hasRoute) { -%>
import { routeTo } from './route.ts';
<% } -%>
import type { Runner } from './settings.ts';

export interface Answer {
  status: number;
  /** Parsed JSON; an empty object where the body is not JSON. */
  body: Record<string, unknown>;
  isJson: boolean;
  location: string;
}

/** Seconds that GitLab has for an answer. */
const patience = 20;

/**
 * One call of the API. Tokens travel in headers or in the body, never in the address.
 * @throws Failure if GitLab cannot be reached; an HTTP error is an answer
 */
export async function callGitLab(
  gitlabUrl: string,
  method: string,
  path: string,
  options: { token?: string; body?: object } = {},
): Promise<Answer> {
  const url = new URL(`${gitlabUrl}/api/v4${path}`);
  const text = options.body ? JSON.stringify(options.body) : undefined;
  const ca = trustedCertificates();
  try {
<% if (hasRoute) { -%>
    const route = await routeTo(url);
<% } -%>
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const request = (url.protocol === 'https:' ? httpsRequest : httpRequest)(url, {
<% if (hasRoute) { -%>
        ...route,
<% } -%>
        method,
        ca,
        timeout: patience * 1000,
        headers: {
<% if (hasRoute) { -%>
          ...route.headers,
<% } -%>
          ...(options.token ? { 'PRIVATE-TOKEN': options.token } : {}),
          ...(text ? { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text) } : {}),
        },
      });
      request.on('response', resolve);
      request.on('timeout', () =>
        request.destroy(Object.assign(new Error('timeout'), { code: 'ETIMEDOUT' })),
      );
      request.on('error', reject);
      request.end(text);
    });
    let received = '';
    for await (const chunk of response.setEncoding('utf8')) received += chunk;
    const json = parseObject(received);
    return {
      status: response.statusCode ?? 0,
      body: json ?? {},
      isJson: json !== undefined,
      location: response.headers.location ?? '',
    };
  } catch (error) {
    throw unreachable(gitlabUrl, error as NodeJS.ErrnoException);
  }
}

<% if (privateCa) { -%>
/**
 * The certificate authorities to trust: the usual ones, and the private one.
 * @throws Failure if its certificate is missing or none
 */
export function trustedCertificates(): string[] {
  const file = new URL('config/certs/ca.crt', root);
  if (!existsSync(file)) {
    throw new Failure(
      'The certificate of your private authority, config/certs/ca.crt, is not there.',
      'Put it there, in PEM form: mkdir -p config/certs && cp YOUR-CA.pem config/certs/ca.crt',
    );
  }
  const text = statSync(file).isFile() ? readFileSync(file, 'utf8') : '';
  if (!text.includes('-----BEGIN CERTIFICATE-----')) {
    throw new Failure(
      'config/certs/ca.crt is no certificate in PEM form.',
      'From DER form: openssl x509 -inform der -in YOUR-CA.der -out config/certs/ca.crt',
    );
  }
  return [...rootCertificates, text];
}
<% } else { -%>
/** The certificate authorities to trust: the usual ones, and the one in config/certs/ca.crt if it is there. */
function trustedCertificates(): string[] | undefined {
  const file = new URL('config/certs/ca.crt', root);
  return existsSync(file) ? [...rootCertificates, readFileSync(file, 'utf8')] : undefined;
}
<% } -%>

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

/** Tells apart why GitLab did not answer. */
function unreachable(gitlabUrl: string, { code = '', message }: NodeJS.ErrnoException): Failure {
  const { hostname, host } = new URL(gitlabUrl);
  if (/ENOTFOUND|EAI_AGAIN|EAI_NODATA/.test(code)) {
    return new Failure(
      `The name ${hostname} is not known (DNS).`,
      'Check GITLAB_URL in .env, and the DNS of this host.',
    );
  }
  if (code === 'ECONNREFUSED') {
    return new Failure(
      `Nothing listens at ${host} (connection refused).`,
      'Check the host and port of GITLAB_URL in .env, and that GitLab runs.',
    );
  }
  if (/SELF_SIGNED|UNABLE_TO_(VERIFY|GET_ISSUER)|CERT_UNTRUSTED/.test(code)) {
    return new Failure(
      `The TLS certificate of ${host} is signed by an authority that this host does not know.`,
      'Put the certificate of that authority, in PEM form, in config/certs/ca.crt; the runner reads it there too.',
    );
  }
  if (/CERT_|ERR_TLS|EPROTO|ERR_SSL/.test(code)) {
    return new Failure(
      `TLS with ${host} fails: ${mask(message)}`,
      'Check that GITLAB_URL has the name that the certificate was made for, and http or https as the server speaks it.',
    );
  }
  if (/ETIMEDOUT|EHOSTUNREACH|ENETUNREACH/.test(code)) {
    return new Failure(
      `${host} does not answer (${code}).`,
      'Check the network and the firewall between this host and GitLab.',
    );
  }
  return new Failure(`${host} cannot be reached: ${mask(message)}`, 'Check GITLAB_URL in .env.');
}

/** @throws Failure unless GitLab's API answers at this address */
export async function requireGitLab(gitlabUrl: string): Promise<void> {
  const { status, isJson, location } = await callGitLab(gitlabUrl, 'GET', '/version');
  if (status >= 300 && status < 400 && location !== '') {
    throw new Failure(
      `${gitlabUrl} redirects to ${location}.`,
      `Set GITLAB_URL in .env to the address it leads to: ${location.replace(/\/api\/v4.*$|\/users\/sign_in.*$/, '')}`,
    );
  }
  if (status >= 500)
    throw new Failure(
      `GitLab answers with HTTP ${status}.`,
      'Wait until it is well again; then run the same command.',
    );
  // Without a token GitLab refuses this call, in JSON; a page of some other server would be HTML.
  if (!isJson || ![200, 401, 403].includes(status)) {
    throw new Failure(
      `There is no GitLab API at ${gitlabUrl} (HTTP ${status}).`,
      'Check GITLAB_URL in .env; a GitLab below a sub-path needs that path too.',
    );
  }
}

/** What GitLab says of a runner's token; undefined if it does not accept it. */
export async function verifyRunner(
  gitlabUrl: string,
  token: string,
): Promise<{ id: string; expiresAt: string } | undefined> {
  const { status, body } = await callGitLab(gitlabUrl, 'POST', '/runners/verify', { body: { token } });
  if (status === 200) return { id: String(body.id ?? ''), expiresAt: String(body.token_expires_at ?? '') };
  if (status === 403 || status === 401) return undefined;
  throw new Failure(
    `GitLab answers the check of the runner's token with HTTP ${status}: ${reason(body)}`,
    'Run the same command again in a while.',
  );
}

/** GitLab's version, such as 19.3.0; undefined where the access token may not ask for it. */
export async function gitlabVersion({ gitlabUrl, accessToken }: Environment): Promise<string | undefined> {
  if (accessToken === '') return undefined;
  const { status, body } = await callGitLab(gitlabUrl, 'GET', '/version', { token: accessToken });
  return status === 200 ? String(body.version ?? '') : undefined;
}

/** Why these versions do not go together, if so: https://docs.gitlab.com/runner/#gitlab-runner-versions */
export function versionGap(ofRunner: string, ofGitLab: string | undefined): string | undefined {
  const [one, other] = [ofRunner, ofGitLab ?? ''].map(version => /^\d+\.\d+/.exec(version)?.[0]);
  if (!one || !other || one === other) return undefined;
  return `GitLab Runner is ${ofRunner} and GitLab ${ofGitLab}: the same major and minor version is recommended.`;
}

/** What GitLab keeps of a runner, as settings.ts wants it; the names are those of the API. */
export function runnerAttributes(runner: Runner, runnerType: unknown): Record<string, unknown> {
  return {
    description: runner.description,
    tag_list: [...runner.tags].sort(),
    run_untagged: runner.runUntagged,
    ...(runnerType === 'project_type' ? { locked: runner.locked } : {}),
    access_level: runner.accessLevel,
    maximum_timeout: runner.maximumTimeout,
    paused: runner.paused,
  };
}

/** What is not as settings.ts wants it in GitLab's answer to GET /runners/:id. */
export function runnerChanges(
  runner: Runner,
  body: Answer['body'],
): { key: string; from: unknown; to: unknown }[] {
  const { tag_list, ...kept } = body;
  const is: typeof body = { ...kept, tag_list: [tag_list ?? []].flat().map(String).sort() };
  return Object.entries(runnerAttributes(runner, body.runner_type))
    .filter(([key, to]) => JSON.stringify(is[key]) !== JSON.stringify(to))
    .map(([key, to]) => ({ key, from: is[key], to }));
}

/** What a refusal of an access token means. */
export function accessTokenFailure({ status, body }: Answer, scope: string): Failure | undefined {
  if (status === 401) {
    const expired = /expired/i.test(reason(body));
    return new Failure(
      `GitLab does not accept GITLAB_ACCESS_TOKEN: ${expired ? 'it has expired' : 'it is wrong or was revoked'}.`,
      `Make a new one with the scope ${scope}: Preferences > Access tokens, or Settings > Access tokens of the group or project.`,
    );
  }
  if (status === 403) {
    return new Failure(
      /insufficient_scope/.test(JSON.stringify(body))
        ? `GITLAB_ACCESS_TOKEN lacks the scope ${scope}.`
        : `The owner of GITLAB_ACCESS_TOKEN may not do this: ${reason(body)}`,
      `Make a token with the scope ${scope}; its owner must be maintainer of the project, owner of the group, or administrator.`,
    );
  }
  return undefined;
}

/** GitLab's own words, without secrets. */
export function reason(body: Record<string, unknown>): string {
  const words = body.error_description ?? body.message ?? body.error ?? 'no reason given';
  return mask(typeof words === 'string' ? words : JSON.stringify(words));
}
