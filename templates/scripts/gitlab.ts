// GitLab's REST API, as far as a runner needs it: https://docs.gitlab.com/api/runners/

import { readFile } from 'node:fs/promises';
import { type Check, during, env, Failure, gitlabUrl, mask, type Note, type Run, root } from './host.ts';
import { type Runner, runners } from './settings.ts';

/** The body is an object or a list, empty where the answer is no JSON; the location is where a redirect leads. */
export type Answer = Readonly<{ status: number; body: Tree; isJson: boolean; location: string }>;
type Tree = Record<string, unknown>;

/** An access token, and what is sent. */
export type Request = Readonly<{ token?: string; body?: object }>;

/** One call of the API; an HTTP error is an answer. @throws Failure if GitLab cannot be reached */
export async function callGitLab(method: string, path: string, request: Request = {}): Promise<Answer> {
  const { token = '', body } = request;
  const url = gitlabUrl();
  try {
    const call = fetch(`${url}/api/v4${path}`, {
      method,
      redirect: 'manual',
      // It counts until the last byte: an answer that drips in ends too.
      signal: AbortSignal.timeout(10_000),
      // Tokens travel here or in the body, never in the address.
      headers: { 'Content-Type': 'application/json', ...(token && { 'PRIVATE-TOKEN': token }) },
      ...(body && { body: JSON.stringify(body) }),
    });
    const response = await during(`Asking ${url}`, call);
    const { status, headers } = response;
    const [text, isJson] = [await response.text(), /json/.test(headers.get('content-type') ?? '')];
    const parsed = isJson && text !== '' ? (JSON.parse(text) ?? {}) : {};
    return { status, body: parsed, isJson, location: headers.get('location') ?? '' };
  } catch (error) {
    const { code = '', message } = ((error as Error).cause ?? error) as NodeJS.ErrnoException;
    const [, remedy] = remedies.find(([codes]) => codes.test(`${code}`))!;
    throw new Failure(`${new URL(url).host} cannot be reached: ${mask(`${message || code}`)}`, remedy);
  }
}

/** What helps where there was no answer, by codes of Node.js and OpenSSL. */
const remedies: [RegExp, string][] = [
  [/EXPIRED/, 'Renew its certificate on the GitLab server.'],
  [/ALTNAME/, 'Write the name in its certificate into GITLAB_URL in .env.'],
  [/SELF_|UNABLE_TO_|UNTRUSTED/, 'Put its authority, as PEM, in config/certs/ca.crt.'],
  [/CERT|TLS|SSL|EPROTO/, 'Check http or https, and the port, of GITLAB_URL in .env.'],
  [/^/, 'Check GITLAB_URL in .env, DNS, firewall and proxy, and that GitLab runs.'],
];

/** GitLab's own words, without secrets. */
export function reason({ error_description: words, message, error }: Tree): string {
  const said = words ?? message ?? error ?? 'no reason given';
  return mask(typeof said === 'string' ? said : JSON.stringify(said));
}

/** What GitLab does not do, in its own words, and what helps. @param scope of an access token, where one was sent */
export function refusal(answer: Answer, what: string, remedy: string, scope = ''): Failure {
  const { status, body, isJson, location } = answer;
  if (status >= 300 && status < 400) {
    const target = mask(location.replace(/\/(api\/v4|users\/sign_in).*$/, ''));
    return new Failure(`GITLAB_URL redirects to ${mask(location)}.`, `Write into .env: GITLAB_URL=${target}`);
  }
  const words = isJson ? reason(body) : 'the answer is a web page, as of a proxy or another server';
  let helps = remedy;
  if (status === 429 || status >= 500) helps = 'Run the same command again in some minutes.';
  // A page with 401 or 403 is not GitLab's word.
  if (scope !== '' && isJson && (status === 401 || status === 403))
    helps = `GITLAB_ACCESS_TOKEN needs the scope ${scope}, and to be of a maintainer of the project, an owner of the group, or an administrator.`;
  return new Failure(`GitLab does not ${what}: ${words} (HTTP ${status})`, helps);
}

/** @throws Failure unless GitLab's API answers at this address */
export async function requireGitLab(): Promise<void> {
  const answer = await callGitLab('GET', '/version');
  // Without a token GitLab refuses this call, in JSON; a page of some other server would be HTML.
  if (answer.isJson && [200, 401, 403].includes(answer.status)) return;
  const remedy = 'Check GITLAB_URL in .env: take /ci off it; a GitLab below a sub-path needs that path.';
  throw refusal(answer, `show its API at ${gitlabUrl()}`, remedy);
}

/** The runner of a token, undefined if GitLab does not accept it. @throws Failure if GitLab does not say */
export async function verifyRunner(token: string) {
  if (token === '') return undefined;
  const answer = await callGitLab('POST', '/runners/verify', { body: { token } });
  const { status, body, isJson } = answer;
  if (isJson && (status === 403 || status === 401)) return undefined;
  if (!isJson || status !== 200) throw refusal(answer, 'check the token', 'Check GITLAB_URL in .env.');
  return { id: String(body.id), expiresAt: String(body.token_expires_at ?? '') };
}

/** When a token ends, in words. */
export const expiry = (at: string) => (at === '' ? 'does not expire' : `expires on ${at}`);

/** What GitLab is to keep of a runner: what settings.ts has by the API's names. Only runners of projects can be locked. */
export function runnerAttributes(runner: Runner, type: unknown): Record<string, unknown> {
  const { tokenVariable, builder, pipeline, project, locked, ...attributes } = runner;
  return { ...attributes, ...(type === 'project_type' && { locked }) };
}

/** In words: how GitLab has a runner otherwise than settings.ts, and its hosts. @throws Failure if it does not show it */
export async function compare(runner: Runner, id: string) {
  const token = env('GITLAB_ACCESS_TOKEN');
  const remedy = 'To compare them: GITLAB_ACCESS_TOKEN (scope manage_runner) in .env, make register';
  if (token === '')
    throw new Failure('GitLab shows tags, limits and hosts of runners only to an access token.', remedy);
  const answer = await callGitLab('GET', `/runners/${id}`, { token });
  if (answer.status !== 200) throw refusal(answer, 'show the runner', remedy, 'manage_runner');
  const wanted = runnerAttributes(runner, answer.body.runner_type);
  // GitLab keeps tags in an order of its own.
  const inOrder = (value: unknown) => JSON.stringify(Array.isArray(value) ? [...value].sort() : value);
  const differences = Object.keys(wanted)
    .map(key => [key, inOrder(answer.body[key]), inOrder(wanted[key])])
    .filter(([, is, to]) => is !== to)
    .map(([key, is, to]) => `${key} is ${is} in GitLab, and ${to} in settings.ts`);
  const { body } = await callGitLab('GET', `/runners/${id}/managers`, { token });
  const own = await readFile(new URL('config/.runner_system_id', root), 'utf8').catch(() => '');
  const name = ({ system_id: its }: Tree) => (its === own.trim() ? `${its} (this host)` : its);
  const hosts = (Array.isArray(body) ? body : []).map(one => `${name(one)}, last seen ${one.contacted_at}`);
  return { differences, wanted, hosts };
}

export const checks: Check[] = [
  {
    name: 'GitLab',
    needs: [],
    run: (_, note) => requireGitLab().then(() => note('ok', `${gitlabUrl()} answers this host`)),
  },
  { name: 'registered', needs: ['GitLab'], run: checkRunners },
];

async function checkRunners(_: Run, note: Note): Promise<void> {
  for (const runner of runners) await checkRunner(runner, note);
}

/** Whether GitLab accepts the token of a runner, and for how long, and has what settings.ts says of it. */
async function checkRunner(runner: Runner, note: Note): Promise<void> {
  const { description, tokenVariable } = runner;
  const words = runners.length > 1 ? ` RUNNER='${description}'` : '';
  const remedy = `Run: make register${words}`;
  const token = env(tokenVariable);
  if (token === '') return note('warning', `"${description}" has no ${tokenVariable} yet.`, remedy);
  const known = await verifyRunner(token);
  if (!known) return note('failed', `GitLab does not accept ${tokenVariable}.`, remedy);
  const expiresAt = known.expiresAt || env(`${tokenVariable}_EXPIRES`);
  const detail = `"${description}" is runner #${known.id}; its token ${expiry(expiresAt)}`;
  const isSoon = Date.parse(expiresAt) - Date.now() < 14 * 86_400_000;
  note(isSoon ? 'warning' : 'ok', detail, isSoon ? `Run: make register ARGS=--rotate${words}` : '');
  try {
    const { differences, hosts } = await compare(runner, known.id);
    for (const one of differences)
      note(one.startsWith('paused is true') ? 'failed' : 'warning', `"${description}": ${one}`, remedy);
    if (differences.length === 0) note('ok', `"${description}" is in GitLab as settings.ts says`);
    note(hosts[0] ? 'ok' : 'unknown', `hosts of "${description}": ${hosts.join('; ') || 'none is shown'}`);
  } catch (error) {
    note('unknown', (error as Failure).message, (error as Failure).remedy);
  }
}
