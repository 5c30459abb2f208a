// Writes the repositories of examples/, which show in each diff what a change does to a user:  npm run examples
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { completeAnswers } from '../../generators/ask/answers.ts';
import type { TypedAnswers } from '../../generators/ask/questions.ts';
import { completeRunners, type TypedRunners } from '../../generators/ask/runners.ts';
import { planRepository } from '../../generators/plan/plan.ts';
import { filesOf } from '../../generators/write/files.ts';
import { render } from '../../generators/write/render.ts';

const examples = new URL('../../examples/', import.meta.url);
const all: Record<string, TypedAnswers & { runners?: TypedRunners }> = JSON.parse(
  readFileSync(new URL('examples.json', import.meta.url), 'utf8'),
);
const texts = Object.entries(all).flatMap(([name, typed]) => {
  const answers = completeAnswers(typed);
  const repository = planRepository(answers, 'my-runner', completeRunners(answers, typed.runners ?? {}));
  return filesOf(repository).map(file => ({
    file: new URL(`${name}/${file.path}`, examples),
    text: render(file, repository),
    mode: file.executable ? 0o755 : 0o644,
  }));
});
rmSync(examples, { recursive: true, force: true });
for (const { file, text, mode } of texts) {
  mkdirSync(dirname(file.pathname), { recursive: true });
  writeFileSync(file, text, { mode });
}
