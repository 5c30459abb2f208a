import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parse } from 'smol-toml';
import { completeAnswers } from '../../generators/ask/answers.ts';
import type { TypedAnswers } from '../../generators/ask/questions.ts';
import { completeRunners } from '../../generators/ask/runners.ts';
import { additions, readOldRunner } from '../../generators/from/old-runner.ts';
import { planRepository } from '../../generators/plan/plan.ts';
import { filesOf } from '../../generators/write/files.ts';
import { render } from '../../generators/write/render.ts';
import { temporaryFolder } from './rendered.ts';

type Read = Readonly<Record<string, unknown>>;

/** An older runner in a folder, and the repository that it becomes. */
export function movedIn(files: Readonly<Record<string, string>>, given: TypedAnswers = {}, path = '') {
  const folder = temporaryFolder();
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  const moved = readOldRunner(join(folder, path));
  const answers = completeAnswers({ ...moved.answers, ...given });
  const planned = planRepository(answers, 'my-runner', completeRunners(answers, moved.further));
  const added = additions(planned, moved, 'an older runner');
  const texts = Object.fromEntries(
    filesOf(planned).map(file => [file.path, added.texts.get(file.path) ?? render(file, planned)]),
  );
  const config = texts['config/config.toml']!;
  const global = parse(config) as Read & { readonly runners: readonly (Read & { readonly docker: Read })[] };
  return {
    answers,
    moved,
    texts,
    config,
    global,
    runners: global.runners,
    environment: added.environment,
    said: added.lines.join('\n'),
  };
}
