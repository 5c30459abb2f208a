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

/** Seconds that GitLab has for a whole answer. */
const patience = 10;

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
      signal: AbortSignal.timeout(patience * 1000),
      headers: {
        ...(token && { 'PRIVATE-TOKEN': token }),
        ...(body && { 'Content-Type': 'application/json' }),
      },
      ...(body && { body: JSON.stringify(body) }),
    });
    const parsed = parseJson(await response.text());
    return {
      status: response.status,
      body: parsed ?? {},
      isJson: parsed !== undefined,
      location: response.headers.get('location') ?? '',
    };
  } catch (error) {
    throw unreachable(new URL(gitlabUrl).host, error as Error);
  }
}

function parseJson(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

/** Why there was no answer: what the codes of Node.js and OpenSSL mean, and what helps. */
function unreachable(host: string, error: Error): Failure {
  const { code = '', message } = (error.cause ?? error) as NodeJS.ErrnoException;
  const causes: [RegExp, string, string][] = [
    [/ENOTFOUND|EAI_/, 'its name is not known (DNS).', 'Check GITLAB_URL in .env, and the DNS of this host.'],
    [/REFUSED/, 'connection refused.', 'Check host and port of GITLAB_URL in .env, and that GitLab runs.'],
    [/EXPIRED/, 'its TLS certificate has expired.', 'Renew it on the GitLab server.'],
    [/ALTNAME/, 'its TLS certificate is for another name.', 'Write that name into GITLAB_URL in .env.'],
    [
      /SELF_SIGNED|UNABLE_TO_|UNTRUSTED/,
      'this host does not know the authority that signed its TLS certificate.',
      'Put the certificate of that authority, in PEM form, in config/certs/ca.crt; the runner reads it there too.',
    ],
    [
      /CERT|TLS|SSL|EPROTO/,
      `TLS fails: ${message}`,
      'Check http or https, and the port, of GITLAB_URL in .env.',
    ],
    [
      /TimeoutError|TIMEDOUT|TIMEOUT|UNREACH/,
      `no answer within ${patience} seconds.`,
      'Check the network, the firewall and the proxy between this host and GitLab.',
    ],
    [/(?:)/, message, 'Check GITLAB_URL in .env.'],
  ];
  const [, problem, remedy] = causes.find(([codes]) =>
    codes.test(`${error.name} ${code}`),
  ) as (typeof causes)[0];
  return new Failure(`${host} cannot be reached: ${mask(problem)}`, remedy);
}

/** GitLab's own words, without secrets. */
export function reason(body: Record<string, unknown>): string {
  const words = (said: unknown): string => {
    if (Array.isArray(said)) return said.map(words).join('; ');
    if (typeof said !== 'object' || said === null) return String(said);
    return Object.entries(said)
      .map(([name, fault]) => `${name}: ${words(fault)}`)
      .join('; ');
  };
  return mask(words(body.error_description ?? body.message ?? body.error ?? 'no reason given'));
}

/** A refusal as a failure: what GitLab does not do, in its own words, and what helps. */
export function refusal({ status, body, isJson, location }: Answer, what: string, remedy: string): Failure {
  if (status >= 300 && status < 400) {
    const target = mask(location.replace(/\/(api\/v4|users\/sign_in).*$/, ''));
    return new Failure(`GITLAB_URL redirects to ${mask(location)}.`, `Write into .env: GITLAB_URL=${target}`);
  }
  const words = isJson ? reason(body) : 'the answer is a web page, as of a proxy or another server';
  const problem = `GitLab does not ${what}: ${words} (HTTP ${status})`;
  if (status === 429)
    return new Failure(problem, 'It limits calls: run the same command again in some minutes.');
  if (status >= 500) return new Failure(problem, 'Run the same command again when GitLab is well.');
  return new Failure(problem, remedy);
}

/** @throws Failure unless GitLab's API answers at this address */
export async function requireGitLab(gitlabUrl: string): Promise<void> {
  const answer = await callGitLab(gitlabUrl, 'GET', '/version');
  // Without a token GitLab refuses this call, in JSON; a page of some other server would be HTML.
  if (answer.isJson && [200, 401, 403].includes(answer.status)) return;
  if (gitlabUrl.endsWith('/ci')) {
    const remedy = `Take /ci off GITLAB_URL in .env: GITLAB_URL=${gitlabUrl.replace(/\/ci$/, '')}`;
    throw new Failure(`There is no GitLab API at ${gitlabUrl}.`, remedy);
  }
  throw refusal(
    answer,
    `show its API at ${gitlabUrl}`,
    'Check GITLAB_URL in .env; a GitLab below a sub-path needs that path too.',
  );
}

/**
 * What GitLab says of a runner's token; `expiresAt` is empty where it does not expire.
 * @returns undefined if GitLab does not accept the token
 * @throws Failure if GitLab does not say
 */
export async function verifyRunner(
  gitlabUrl: string,
  token: string,
): Promise<{ id: string; expiresAt: string } | undefined> {
  const answer = await callGitLab(gitlabUrl, 'POST', '/runners/verify', { body: { token } });
  const { status, body, isJson } = answer;
  if (isJson && status === 200)
    return { id: String(body.id), expiresAt: String(body.token_expires_at ?? '') };
  // A page with 403 is not GitLab's word.
  if (isJson && (status === 403 || status === 401)) return undefined;
  throw refusal(answer, "say whether it accepts the runner's token", 'Check GITLAB_URL in .env.');
}

/** GitLab's version, such as 19.3.0; undefined where there is no access token, or it may not ask. */
export async function gitlabVersion({ gitlabUrl, value }: Environment): Promise<string | undefined> {
  const token = value('GITLAB_ACCESS_TOKEN');
  if (token === '') return undefined;
  const { status, body } = await callGitLab(gitlabUrl, 'GET', '/version', { token });
  return status === 200 ? String(body.version ?? '') : undefined;
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

/** What a refusal of the access token means; undefined where the answer is none. */
export function accessTokenFailure(answer: Answer, scope: string): Failure | undefined {
  const { status, body, isJson } = answer;
  // A page with 401 or 403 is not GitLab's word.
  if (!isJson) return undefined;
  if (status === 401) {
    return new Failure(
      `GitLab does not accept GITLAB_ACCESS_TOKEN: ${reason(body)}`,
      `Make a new one with the scope ${scope}: Preferences > Access tokens, or Settings > Access tokens of the group or project.`,
    );
  }
  if (status !== 403) return undefined;
  return new Failure(
    body.error === 'insufficient_scope'
      ? `GITLAB_ACCESS_TOKEN lacks the scope ${scope}.`
      : `The owner of GITLAB_ACCESS_TOKEN may not do this: ${reason(body)}`,
    `Make a token with the scope ${scope}; its owner must be maintainer of the project, owner of the group, or administrator.`,
  );
}

/** How many hosts use the token of that runner; undefined where GitLab does not tell. */
export async function countManagers(
  { gitlabUrl, value }: Environment,
  id: string,
): Promise<number | undefined> {
  const token = value('GITLAB_ACCESS_TOKEN');
  if (token === '') return undefined;
  const { status, body } = await callGitLab(gitlabUrl, 'GET', `/runners/${id}/managers`, { token });
  return status === 200 && Array.isArray(body) ? body.length : undefined;
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
    const ofIt = runners.length > 1 ? ` RUNNER='${description}'` : '';
    const token = value(tokenVariable);
    const verified = token === '' ? undefined : await verifyRunner(gitlabUrl, token);
    const expiresAt = verified?.expiresAt || value(`${tokenVariable}_EXPIRES`);
    const days = Math.floor((Date.parse(expiresAt) - Date.now()) / 86_400_000);
    if (token === '') {
      note(
        'warning',
        `"${description}" is not registered: ${tokenVariable} is empty.`,
        `Run: make register${ofIt}`,
      );
    } else if (!verified) {
      const detail = `GitLab does not accept ${tokenVariable}: its runner was deleted, it has expired, or it is of another GitLab.`;
      note('failed', detail, `Run: make register${ofIt}`);
    } else if (days < 14) {
      const remedy = `Renew it: make register ARGS=--rotate${ofIt}`;
      note('warning', `${tokenVariable} expires in ${days} days, on ${expiresAt}.`, remedy);
    } else {
      note(
        'ok',
        `"${description}" is runner #${verified.id}; its token ${expiresAt ? `expires on ${expiresAt}` : 'does not expire'}`,
      );
    }
  }
}

/** Whether GitLab keeps of each runner what settings.ts says. Other runners are none of our business. */
async function checkSettings({ environment }: World, note: Note): Promise<void> {
  const { gitlabUrl, value } = environment;
  const token = value('GITLAB_ACCESS_TOKEN');
  if (token === '') {
    const detail = 'GitLab shows the tags and limits of runners only to an access token.';
    return note(
      'unknown',
      detail,
      'To compare them: GITLAB_ACCESS_TOKEN (scope manage_runner) in .env, make register',
    );
  }
  for (const runner of runners.filter(({ tokenVariable }) => value(tokenVariable) !== '')) {
    const verified = await verifyRunner(gitlabUrl, value(runner.tokenVariable));
    const answer = await callGitLab(gitlabUrl, 'GET', `/runners/${verified?.id}`, { token });
    if (answer.status !== 200) {
      const { message, remedy } =
        accessTokenFailure(answer, 'manage_runner') ?? refusal(answer, 'show the runner', '');
      note('unknown', message, remedy);
      continue;
    }
    const changes = runnerChanges(runner, answer.body);
    for (const change of changes) {
      const takesNone = change.key === 'paused' && change.from === true;
      note(
        takesNone ? 'failed' : 'warning',
        `"${runner.description}": ${describeChange(change)}`,
        'Bring it in line: make register',
      );
    }
    const hosts = (await countManagers(environment, String(answer.body.id))) ?? 1;
    const shared = hosts > 1 ? `; ${hosts} hosts use its token` : '';
    if (changes.length === 0) note('ok', `"${runner.description}" is in GitLab as settings.ts says${shared}`);
  }
}
