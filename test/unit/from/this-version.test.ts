import { expect, it } from 'vitest';
import { typedAnswers } from '../../../generators/ask/questions.ts';
import { completeRunners, type TypedRunners, typedRunner } from '../../../generators/ask/runners.ts';
import { answersWith, type Scenario, scenarios } from '../../support/answers.ts';
import { movedIn } from '../../support/move-in.ts';
import { planWith, renderAll } from '../../support/rendered.ts';
import { runnerToken as token } from '../../support/tokens.ts';

/** What a run saves of the further runners: nothing is left to a default. */
function savedOf({ runners = {}, ...own }: Scenario): TypedRunners {
  const all = completeRunners(answersWith(own), runners);
  return Object.fromEntries(all.map(runner => [runner.answers.description, typedRunner(runner)]));
}

it.each(Object.entries(scenarios))(
  'a repository of this version becomes the same once more: %s',
  (_, typed: Scenario) => {
    const { runners: __, ...own } = typed;
    const texts = renderAll(typed);
    const variables = planWith(typed).runners.map(({ tokenVariable }) => tokenVariable);
    const {
      moved,
      environment,
      texts: now,
    } = movedIn({
      '.yo-rc.json': JSON.stringify({
        'generator-gitlab-runner-docker': { ...typedAnswers(answersWith(own)), runners: savedOf(typed) },
      }),
      '.env': [
        `GITLAB_URL=${answersWith(own).gitlabUrl}`,
        ...variables.map((name, at) => `${name}=${token}${at}`),
      ].join('\n'),
      'docker-compose.yml': texts['docker-compose.yml']!,
      'config/config.toml': texts['config/config.toml']!,
      'scripts/settings.ts': texts['scripts/settings.ts']!,
    });
    expect(moved.notUnderstood).toEqual([]);
    expect(now).toEqual(texts);
    for (const [at, name] of variables.entries()) expect(environment).toContain(`\n${name}=${token}${at}\n`);
  },
);
