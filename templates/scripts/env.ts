// What both scripts share: the values of .env and the environment, secrets kept out of sight, and failures.

import {
  chmodSync,
  chownSync,
  existsSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { parseEnv } from 'node:util';

/** The repository's folder. */
export const root = new URL('..', import.meta.url);

/** Something that went wrong, in one sentence, and what to do about it. */
export class Failure extends Error {
  readonly remedy: string;

  constructor(problem: string, remedy: string) {
    super(problem);
    this.remedy = remedy;
  }
}

const secrets = new Set<string>();

/** From now on `mask` hides this value. */
export function keepSecret(value: string): string {
  if (value !== '') secrets.add(value);
  return value;
}

/** The text with every known secret replaced. */
export function mask(text: string): string {
  for (const secret of secrets) text = text.replaceAll(secret, '[masked]');
  return text;
}

export interface Environment {
  gitlabUrl: string;
  runnerToken: string;
  accessToken: string;
  runnerType: string;
  projectId: string;
  groupId: string;
  registrationToken: string;
<% if (cache) { -%>
  cacheAccessKey: string;
  cacheSecretKey: string;
<% } -%>
}

/**
 * Reads .env and the environment; where both have a value, the environment's counts.
 * A .env that others could read is closed to them first.
 * @throws Failure if GITLAB_URL is missing or no address
 */
export function readEnvironment(): Environment {
  const file = new URL('.env', root);
  const fromFile = existsSync(file) ? parseEnv(readFileSync(file, 'utf8')) : {};
  if (existsSync(file) && (statSync(file).mode & 0o077) !== 0) {
    chmodSync(file, 0o600);
    console.error('.env holds tokens and could be read by others: its mode is 0600 now.');
  }
  const value = (name: string) => (process.env[name] || fromFile[name] || '').trim();
  const gitlabUrl = value('GITLAB_URL').replace(/\/+$/, '');
  if (!URL.canParse(gitlabUrl) || !/^https?:/.test(gitlabUrl)) {
    throw new Failure(
      gitlabUrl === '' ? 'GITLAB_URL is not set.' : `GITLAB_URL is not an address: ${gitlabUrl}`,
      'Write it in .env, for example GITLAB_URL=https://gitlab.example.com',
    );
  }
  return {
    gitlabUrl,
    runnerToken: keepSecret(value('RUNNER_TOKEN')),
    accessToken: keepSecret(value('GITLAB_ACCESS_TOKEN')),
    runnerType: value('RUNNER_TYPE'),
    projectId: value('GITLAB_PROJECT_ID'),
    groupId: value('GITLAB_GROUP_ID'),
    registrationToken: keepSecret(value('REGISTRATION_TOKEN')),
<% if (cache) { -%>
    cacheAccessKey: keepSecret(value('CACHE_S3_ACCESS_KEY')),
    cacheSecretKey: keepSecret(value('CACHE_S3_SECRET_KEY')),
<% } -%>
  };
}

/** Writes a value into .env, in one step; only its owner may read it. */
export function keepInEnvironment(name: string, value: string): void {
  const file = new URL('.env', root);
  const text = existsSync(file) ? readFileSync(file, 'utf8') : '';
  const line = `${name}=${value}`;
  const present = new RegExp(`^${name}=.*$`, 'gm');
  replaceFile('.env', present.test(text) ? text.replace(present, () => line) : `${text}${line}\n`, 0o600);
}

/** Writes a file of this folder anew, in one step: it is the old one or the new one, and keeps its owner. */
export function replaceFile(name: string, text: string, mode: number): void {
  const file = new URL(name, root);
  const copy = new URL(`${name}.new`, root);
  // One that was left behind would keep its mode.
  rmSync(copy, { force: true });
  writeFileSync(copy, text, { mode });
  if (existsSync(file)) chownSync(copy, statSync(file).uid, statSync(file).gid);
  renameSync(copy, file);
}
