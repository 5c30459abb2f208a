// Writes the repositories of examples/, which show in each diff what a change does to a user:  npm run examples
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { completeAnswers } from '../../dist/generators/ask/answers.js';
import { completeRunners } from '../../dist/generators/ask/runners.js';
import { planRepository } from '../../dist/generators/plan/plan.js';
import { filesOf } from '../../dist/generators/write/files.js';
import { render } from '../../dist/generators/write/render.js';

const examples = new URL('../../examples/', import.meta.url);
const all = JSON.parse(readFileSync(new URL('examples.json', import.meta.url), 'utf8'));
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
