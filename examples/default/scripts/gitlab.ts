// GitLab's REST API, as far as a runner needs it: https://docs.gitlab.com/api/runners/

import { type Check, type Environment, Failure, mask, type Note, type World } from './host.ts';
import { type Runner, runners } from './settings.ts';

export interface Answer {
  readonly status: number;
  /** The parsed object or list; an empty object where the answer is not JSON. */
  readonly body: Record<string, unknown>;
  readonly isJson: boolean;
  /** Where a redirect leads; empty where there is none. */
  readonly location: string;
}

/**
 * One call of the API. Tokens travel in a header or in the body, never in the address.
 * @throws Failure if GitLab cannot be reached; an HTTP error is an answer
 */
export async function callGitLab(
  gitlabUrl: string,
  method: string,
  path: string,
  { token = '', body }: { token?: string; body?: object } = {},
): Promise<Answer> {
  try {
    const response = await fetch(`${gitlabUrl}/api/v4${path}`, {
      method,
      redirect: 'manual',
      // It counts until the last byte: an answer that drips in ends too.
      signal: AbortSignal.timeout(10_000),
      headers: { 'Content-Type': 'application/json', ...(token && { 'PRIVATE-TOKEN': token }) },
      ...(body && { body: JSON.stringify(body) }),
    });
    const [parsed, location] = [parseJson(await response.text()), response.headers.get('location') ?? ''];
    return { status: response.status, body: parsed ?? {}, isJson: parsed !== undefined, location };
  } catch (error) {
    throw unreachable(new URL(gitlabUrl).host, error as Error);
  }
}

function parseJson(text: string): Record<string, unknown> | undefined {
  try {
    const value = JSON.parse(text);
    return typeof value === 'object' ? (value ?? undefined) : undefined;
  } catch {
    return undefined;
  }
}

const signer = 'the authority that signed its TLS certificate is not known here.';
const patience = 'no answer within 10 seconds.';

/** Why there was no answer: codes of Node.js and OpenSSL, what they mean (the message completes it), and what helps. */
const causes: [RegExp, string, string][] = [
  [/ENOTFOUND|EAI_/, 'its name is not known (DNS).', 'Check GITLAB_URL in .env, and the DNS of this host.'],
  [/REFUSED/, 'connection refused.', 'Check host and port of GITLAB_URL in .env, and that GitLab runs.'],
  [/EXPIRED/, 'its TLS certificate has expired.', 'Renew it on the GitLab server.'],
  [/ALTNAME/, 'its TLS certificate is for another name.', 'Write that name into GITLAB_URL in .env.'],
  [/SELF_SIGNED|UNABLE_TO_|UNTRUSTED/, signer, 'Put its certificate, as PEM, in config/certs/ca.crt.'],
  [/CERT|TLS|SSL|EPROTO/, 'TLS fails: ', 'Check http or https, and the port, of GITLAB_URL in .env.'],
  [/TIMEOUT|TIMEDOUT|UNREACH/i, patience, 'Check network, firewall and proxy between here and GitLab.'],
];

function unreachable(host: string, error: Error): Failure {
  const { code = '', message } = (error.cause ?? error) as NodeJS.ErrnoException;
  const cause = causes.find(([codes]) => codes.test(`${error.name} ${code}`));
  const said = cause?.[1].endsWith('.') ? cause[1] : `${cause?.[1] ?? ''}${message}`;
  const problem = `${host} cannot be reached: ${mask(said)}`;
  return new Failure(problem, cause?.[2] ?? 'Check GITLAB_URL in .env.');
}

/** GitLab's own words, without secrets. */
export function reason(body: Record<string, unknown>): string {
  const words = (said: unknown): string => {
    if (Array.isArray(said)) return said.map(words).join('; ');
    if (typeof said !== 'object' || said === null) return String(said);
    return words(Object.entries(said).map(([name, fault]) => `${name}: ${words(fault)}`));
  };
  return mask(words(body.error_description ?? body.message ?? body.error ?? 'no reason given'));
}

/**
 * A refusal as a failure: what GitLab does not do, in its own words, and what helps. The scope is the one that
 * GITLAB_ACCESS_TOKEN needs, where that was sent.
 */
export function refusal(answer: Answer, what: string, remedy: string, scope = ''): Failure {
  const { status, body, isJson, location } = answer;
  if (status >= 300 && status < 400) {
    const target = mask(location.replace(/\/(api\/v4|users\/sign_in).*$/, ''));
    return new Failure(`GITLAB_URL redirects to ${mask(location)}.`, `Write into .env: GITLAB_URL=${target}`);
  }
  // A page with 401 or 403 is not GitLab's word.
  if (scope !== '' && isJson && (status === 401 || status === 403)) {
    const lacks = status === 403 && body.error === 'insufficient_scope';
    const refused =
      status === 401
        ? 'GitLab does not accept GITLAB_ACCESS_TOKEN'
        : 'The owner of GITLAB_ACCESS_TOKEN may not do this';
    return new Failure(
      lacks ? `GITLAB_ACCESS_TOKEN lacks the scope ${scope}.` : `${refused}: ${reason(body)}`,
      `Make a new one with the scope ${scope}, of a maintainer of the project, an owner of the group, or an administrator.`,
    );
  }
  const words = isJson ? reason(body) : 'the answer is a web page, as of a proxy or another server';
  const helps =
    status === 429
      ? 'It limits calls: run the same command again in some minutes.'
      : status >= 500
        ? 'Run the same command again when GitLab is well.'
        : remedy;
  return new Failure(`GitLab does not ${what}: ${words} (HTTP ${status})`, helps);
}

/** @throws Failure unless GitLab's API answers at this address */
export async function requireGitLab(gitlabUrl: string): Promise<void> {
  const answer = await callGitLab(gitlabUrl, 'GET', '/version');
  // Without a token GitLab refuses this call, in JSON; a page of some other server would be HTML.
  if (answer.isJson && [200, 401, 403].includes(answer.status)) return;
  const remedy = gitlabUrl.endsWith('/ci')
    ? `Take /ci off GITLAB_URL in .env: GITLAB_URL=${gitlabUrl.slice(0, -3)}`
    : 'Check GITLAB_URL in .env; a GitLab below a sub-path needs that path too.';
  throw refusal(answer, `show its API at ${gitlabUrl}`, remedy);
}

/**
 * What GitLab says of a runner's token; `expiresAt` is empty where it does not expire.
 * @returns undefined if there is no token, or GitLab does not accept it
 * @throws Failure if GitLab does not say
 */
export async function verifyRunner(gitlabUrl: string, token: string) {
  if (token === '') return undefined;
  const answer = await callGitLab(gitlabUrl, 'POST', '/runners/verify', { body: { token } });
  const { status, body, isJson } = answer;
  // A page with 403 is not GitLab's word.
  if (isJson && (status === 403 || status === 401)) return undefined;
  if (!isJson || status !== 200)
    throw refusal(answer, "say whether it accepts the runner's token", 'Check GITLAB_URL in .env.');
  return { id: String(body.id), expiresAt: String(body.token_expires_at ?? '') };
}

/** When a token ends, in words. */
export const expiry = (at: string) => (at === '' ? 'does not expire' : `expires on ${at}`);

/** What GitLab shows to GITLAB_ACCESS_TOKEN; undefined where there is none, or it may not look. */
async function show({ gitlabUrl, value }: Environment, path: string): Promise<Answer['body'] | undefined> {
  const token = value('GITLAB_ACCESS_TOKEN');
  const answer = token === '' ? undefined : await callGitLab(gitlabUrl, 'GET', path, { token });
  return answer?.status === 200 ? answer.body : undefined;
}

/** GitLab's version, such as 19.3.0; undefined where it does not tell. */
export async function gitlabVersion(environment: Environment): Promise<string | undefined> {
  return (await show(environment, '/version'))?.version as string | undefined;
}

/** How many hosts use the token of that runner; undefined where GitLab does not tell. */
export async function countManagers(environment: Environment, id: string): Promise<number | undefined> {
  return (await show(environment, `/runners/${id}/managers`))?.length as number | undefined;
}

/** What GitLab keeps of a runner, as settings.ts wants it; the names are those of the API. */
export function runnerAttributes(runner: Runner, runnerType: unknown): Record<string, unknown> {
  return {
    description: runner.description,
    tag_list: [...runner.tags].sort(),
    run_untagged: runner.runUntagged,
    ...(runnerType === 'project_type' && { locked: runner.locked }),
    access_level: runner.accessLevel,
    maximum_timeout: runner.maximumTimeout,
    paused: runner.paused,
  };
}

export interface Change {
  readonly key: string;
  readonly from: unknown;
  readonly to: unknown;
}

/** What is not as settings.ts wants it in GitLab's answer to GET /runners/:id. */
export function runnerChanges(runner: Runner, body: Answer['body']): Change[] {
  const is: Answer['body'] = { ...body, tag_list: [body.tag_list ?? []].flat().map(String).sort() };
  return Object.entries(runnerAttributes(runner, body.runner_type))
    .filter(([key, to]) => JSON.stringify(is[key]) !== JSON.stringify(to))
    .map(([key, to]) => ({ key, from: is[key], to }));
}

/** A difference in words. */
export function describeChange({ key, from, to }: Change): string {
  return `${key} is ${JSON.stringify(from)} in GitLab, and ${JSON.stringify(to)} in settings.ts`;
}

/** Compares settings.ts with GitLab. @throws Failure if that does not show the runner to GITLAB_ACCESS_TOKEN */
export async function compare({ gitlabUrl, value }: Environment, runner: Runner, id: string) {
  const token = value('GITLAB_ACCESS_TOKEN');
  const remedy = 'To compare them: GITLAB_ACCESS_TOKEN (scope manage_runner) in .env, make register';
  if (token === '')
    throw new Failure('GitLab shows the tags and limits of runners only to an access token.', remedy);
  const answer = await callGitLab(gitlabUrl, 'GET', `/runners/${id}`, { token });
  if (answer.status !== 200) throw refusal(answer, 'show the runner', remedy, 'manage_runner');
  return runnerChanges(runner, answer.body);
}

export const checks: Check[] = [
  {
    name: 'GitLab',
    needs: [],
    async run({ environment: { gitlabUrl } }, note) {
      await requireGitLab(gitlabUrl);
      note('ok', `${gitlabUrl} answers this host`);
    },
  },
  { name: 'token', needs: ['GitLab'], run: checkTokens },
  { name: 'settings', needs: ['token'], run: checkSettings },
];

/** Whether GitLab accepts the token of each runner, and for how long. */
async function checkTokens({ environment: { gitlabUrl, value } }: World, note: Note): Promise<void> {
  for (const { description, tokenVariable } of runners) {
    const words = runners.length > 1 ? ` RUNNER='${description}'` : '';
    const remedy = `Run: make register${words}`;
    const token = value(tokenVariable);
    const verified = await verifyRunner(gitlabUrl, token);
    const expiresAt = verified?.expiresAt || value(`${tokenVariable}_EXPIRES`);
    const days = Math.floor((Date.parse(expiresAt) - Date.now()) / 86_400_000);
    const ends = `expires in ${days} days, on ${expiresAt}.`;
    if (token === '')
      note('warning', `"${description}" is not registered: ${tokenVariable} is empty.`, remedy);
    else if (!verified)
      note('failed', `GitLab does not accept ${tokenVariable}: deleted or expired.`, remedy);
    else if (days < 14)
      note('warning', `${tokenVariable} ${ends}`, `Run: make register ARGS=--rotate${words}`);
    else note('ok', `"${description}" is runner #${verified.id}; its token ${expiry(expiresAt)}`);
  }
}

/** Whether GitLab keeps of each runner what settings.ts says. Other runners are none of our business. */
async function checkSettings({ environment }: World, note: Note): Promise<void> {
  const { gitlabUrl, value } = environment;
  for (const runner of runners) {
    const verified = await verifyRunner(gitlabUrl, value(runner.tokenVariable));
    if (!verified) continue;
    try {
      const changes = await compare(environment, runner, verified.id);
      for (const change of changes) {
        const verdict = change.key === 'paused' && change.from === true ? 'failed' : 'warning';
        note(verdict, `"${runner.description}": ${describeChange(change)}`, 'Run: make register');
      }
      if (changes.length === 0) note('ok', `"${runner.description}" is in GitLab as settings.ts says`);
    } catch (error) {
      note('unknown', (error as Failure).message, (error as Failure).remedy);
    }
  }
}
