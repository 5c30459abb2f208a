import { checkChoice } from './checks.ts';
import type { TypedAnswers } from './questions.ts';

/** What `--preset` names: several answers at once, each for a way of working. */
export const presets: Readonly<Record<string, { readonly means: string; readonly answers: TypedAnswers }>> = {
  article: {
    means: "as the article of 2019 has it: the host's engine, nothing taken from jobs, nothing removed",
    answers: { builder: 'socket', hardening: 'relaxed', cleanUp: 'none' },
  },
  hardened: {
    means: 'rootless BuildKit, the strict hardening, and protected branches only',
    answers: { builder: 'buildkit', hardening: 'strict' },
  },
  team: {
    means:
      'for many jobs of several people: rootless BuildKit, four jobs at once, monitoring, a mirror, Renovate',
    answers: { builder: 'buildkit', concurrent: '4', monitoring: 'yes', mirror: 'yes', renovate: 'yes' },
  },
};

/** @throws Refusal if there is no such preset */
export function presetNamed(name: string): TypedAnswers {
  return presets[checkChoice(presets, name)]!.answers;
}
