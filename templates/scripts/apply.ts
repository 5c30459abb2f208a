// Shows what differs from settings.ts and the templates in config/:  make plan
// Brings it in line, without registering anew:                     make apply
//
//   scripts/run apply [--dry-run]
//
// In config/config.toml, and in GitLab where .env has a GITLAB_ACCESS_TOKEN that may manage runners.

import { parseArgs } from 'node:util';
<% if (cache) { -%>
import { cacheKeys, requireCacheKeys } from './cache.ts';
<% } -%>
import { bringInLine, type RegisteredRunner, requireRegistered, settingsOf, writeConfig } from './config.ts';
import { holdInterruptions, isInterrupted, requireCompose, requireEngine, sayPatience, start } from './engine.ts';
import { Failure, mask, readEnvironment } from './env.ts';
import { accessTokenFailure, callGitLab, reason, runnerChanges } from './gitlab.ts';
import { runners } from './settings.ts';

async function main(): Promise<void> {
  const { values: options } = parseArgs({ options: { 'dry-run': { type: 'boolean' } } });
  const isDryRun = options['dry-run'] === true;
  await requireEngine();
  await requireCompose();
  sayPatience("Starting the runner's container");
  const config = await requireRegistered();

<% if (cache) { -%>
  const environment = readEnvironment();
  if (!isDryRun) requireCacheKeys(environment);
  const { text, changes } = bringInLine(config.text, cacheKeys(environment));
<% } else { -%>
  const { text, changes } = bringInLine(config.text);
<% } -%>
  // From the first word on: somebody may read it, and press Ctrl-C.
  if (!isDryRun) holdInterruptions();
  const templates = new Set(runners.map(({ template }) => `config/${template}`));
  for (const { runner, key, from, to } of changes) show(runner && `"${runner}"`, key, from, to);
  if (changes.length === 0)
    console.log(`config/config.toml is as settings.ts and ${[...templates].join(', ')} want it.`);
  if (changes.length > 0 && !isDryRun) {
    await writeConfig(config.text, text, 'Run: make apply');
    console.log('Changed. The runner reads it within seconds, for the jobs that it takes from then on.');
<% if (monitoring) { -%>
    if (changes.some(({ key }) => key === 'listen_address'))
      console.log('listen_address is read at its start only: run "make restart".');
<% } -%>
  }
  const { accessToken } = readEnvironment();
  if (accessToken === '') {
    console.log(
      'Not compared: what GitLab keeps of a runner, such as its tags. That takes a GITLAB_ACCESS_TOKEN in .env with the scope manage_runner.',
    );
    return;
  }
  for (const registered of config.runners) await bringGitLabInLine(registered, isDryRun);
}

function show(place: string, key: string, from: string, to: string): void {
  console.log(
    mask(`${place && `${place}: `}${key}\n  - ${from || '(not there)'}\n  + ${to || '(not there)'}`),
  );
}

/** What GitLab itself keeps of a runner: its name, tags, lock, access level, timeout, and whether it is paused. */
async function bringGitLabInLine({ name, id, url }: RegisteredRunner, isDryRun: boolean): Promise<void> {
  const { gitlabUrl, accessToken } = readEnvironment();
  const without = `Not compared: what GitLab keeps of "${name}", such as its tags.`;
  const runner = settingsOf(name);
  if (!runner || url !== gitlabUrl) {
    const why = runner ? `GITLAB_URL is ${gitlabUrl}, and this a runner of ${url}` : 'settings.ts knows none of that name';
    console.log(`${without} ${why}.`);
    return;
  }
  const path = `/runners/${id}`;
  const seen = await callGitLab(gitlabUrl, 'GET', path, { token: accessToken });
  if (seen.status !== 200) {
    const refused = accessTokenFailure(seen, 'manage_runner');
    console.log(`${without} ${refused ? `${refused.message} ${refused.remedy}` : reason(seen.body)}`);
    return;
  }
  const changes = runnerChanges(runner, seen.body);
  const text = (value: unknown) => (Array.isArray(value) ? value.join(', ') : String(value ?? ''));
  for (const { key, from, to } of changes) show(`"${name}" in GitLab`, key, text(from), text(to));
  if (changes.length === 0) console.log(`GitLab has "${name}" (#${id}) as settings.ts wants it.`);
  if (changes.length === 0 || isDryRun) return;
  if (isInterrupted()) throw new Failure('Interrupted.', `GitLab has "${name}" as it was.`);
  const body = Object.fromEntries(changes.map(({ key, to }) => [key, to]));
  const changed = await callGitLab(gitlabUrl, 'PUT', path, { token: accessToken, body });
  if (changed.status === 200) {
    console.log('Changed in GitLab, for the jobs that it gives out from then on.');
    return;
  }
  throw (
    accessTokenFailure(changed, 'manage_runner') ??
    new Failure(
      `GitLab does not change "${name}" (#${id}, HTTP ${changed.status}): ${reason(changed.body)}`,
      'Correct scripts/settings.ts, and run: make apply',
    )
  );
}

await start('apply', main);
