// Shows what differs from settings.ts and config/template.toml:  make plan
// Brings it in line, without registering anew:                    make apply
//
//   scripts/run apply [--dry-run]
//
// In config/config.toml, and in GitLab where .env has a GITLAB_ACCESS_TOKEN that may manage runners.

import { parseArgs } from 'node:util';
<% if (cache) { -%>
import { cacheKeys, requireCacheKeys } from './cache.ts';
<% } -%>
import { bringInLine, type RegisteredRunner, requireRegistered, writeConfig } from './config.ts';
import { holdInterruptions, requireCompose, requireEngine, sayPatience, start } from './engine.ts';
import { Failure, mask, readEnvironment } from './env.ts';
import { accessTokenFailure, callGitLab, reason, runnerChanges } from './gitlab.ts';

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
  for (const { runner, key, from, to } of changes) show(runner && `"${runner}"`, key, from, to);
  if (changes.length === 0)
    console.log('config/config.toml is as settings.ts and config/template.toml want it.');
  if (changes.length > 0 && !isDryRun) {
    holdInterruptions();
    await writeConfig(config.text, text, 'Run: make apply');
    console.log('Changed. The runner reads it within seconds, for the jobs that it takes from then on.');
<% if (monitoring) { -%>
    if (changes.some(({ key }) => key === 'listen_address'))
      console.log('listen_address is read at its start only: run "make restart".');
<% } -%>
  }
  await bringGitLabInLine(config.runners, isDryRun);
}

function show(place: string, key: string, from: string, to: string): void {
  console.log(
    mask(`${place && `${place}: `}${key}\n  - ${from || '(not there)'}\n  + ${to || '(not there)'}`),
  );
}

/** What GitLab itself keeps of the runner: its name, tags, lock, access level, timeout, and whether it is paused. */
async function bringGitLabInLine(runners: RegisteredRunner[], isDryRun: boolean): Promise<void> {
  const { gitlabUrl, accessToken } = readEnvironment();
  const [first] = runners;
  const without = 'Not compared: what GitLab keeps of the runner, such as its tags.';
  if (accessToken === '') {
    console.log(`${without} That takes a GITLAB_ACCESS_TOKEN in .env with the scope manage_runner.`);
    return;
  }
  if (runners.length > 1 || first?.url.replace(/\/+$/, '') !== gitlabUrl) {
    const why = runners.length > 1 ? 'config.toml has several runners' : `the runner is one of ${first?.url}`;
    console.log(`${without} settings.ts describes one runner of ${gitlabUrl}, and ${why}.`);
    return;
  }
  const path = `/runners/${first.id}`;
  const seen = await callGitLab(gitlabUrl, 'GET', path, { token: accessToken });
  if (seen.status !== 200) {
    const refused = accessTokenFailure(seen, 'manage_runner');
    console.log(`${without} ${refused ? `${refused.message} ${refused.remedy}` : reason(seen.body)}`);
    return;
  }
  const changes = runnerChanges(seen.body);
  const text = (value: unknown) => (Array.isArray(value) ? value.join(', ') : String(value ?? ''));
  for (const { key, from, to } of changes) show('In GitLab', key, text(from), text(to));
  if (changes.length === 0) console.log(`GitLab has the runner #${first.id} as settings.ts wants it.`);
  if (changes.length === 0 || isDryRun) return;
  const body = Object.fromEntries(changes.map(({ key, to }) => [key, to]));
  const changed = await callGitLab(gitlabUrl, 'PUT', path, { token: accessToken, body });
  if (changed.status === 200) {
    console.log('Changed in GitLab, for the jobs that it gives out from then on.');
    return;
  }
  throw (
    accessTokenFailure(changed, 'manage_runner') ??
    new Failure(
      `GitLab does not change the runner #${first.id} (HTTP ${changed.status}): ${reason(changed.body)}`,
      'Correct scripts/settings.ts, and run: make apply',
    )
  );
}

await start('apply', main);
