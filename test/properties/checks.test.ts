import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { answerNames, asTyped, questions } from '../../generators/ask/questions.ts';
import { planRepository } from '../../generators/plan/plan.ts';
import { answersWith } from '../support/answers.ts';
import { awkwardText, refusalOf, typedAnswer } from '../support/arbitrary-answers.ts';

// Thousands of cases; a busy machine takes its time for them.
vi.setConfig({ testTimeout: 120_000 });

describe.each(answerNames)('whatever is typed for %s', name => {
  it('is refused by a sentence on one line, or is an answer that stays what it is when it is saved', () => {
    const count = { accepted: 0, refused: 0 };
    fc.assert(
      fc.property(typedAnswer(name), typed => {
        const refusal = refusalOf(name, typed);
        if (refusal) {
          count.refused += 1;
          expect(refusal.message).toMatch(/^[A-Z][^\p{Cc}]*\.$/u);
          expect(refusal.message.length).toBeLessThan(200);
        } else {
          count.accepted += 1;
          const answer = questions[name].check(typed);
          expect(questions[name].check(asTyped(name, answer))).toEqual(answer);
        }
      }),
      { numRuns: 2000 },
    );
    // Both ways are really gone.
    expect(Math.min(count.accepted, count.refused)).toBeGreaterThan(100);
  });
});

it('a description is kept character by character, but for spaces around it', () => {
  fc.assert(
    fc.property(awkwardText, typed => {
      if (!refusalOf('description', typed)) expect(questions.description.check(typed)).toBe(typed.trim());
    }),
    { numRuns: 5000 },
  );
});

it('tags are kept character by character, in their order, but for spaces around them and repetitions', () => {
  fc.assert(
    fc.property(typedAnswer('tags'), typed => {
      if (refusalOf('tags', typed)) return;
      const all = typed.split(',').map(tag => tag.trim());
      expect(questions.tags.check(typed)).toEqual(
        all.filter((tag, at) => tag !== '' && all.indexOf(tag) === at),
      );
    }),
    { numRuns: 5000 },
  );
});

it('a URL of GitLab is one that every program reads the same: parsed and printed it does not change', () => {
  fc.assert(
    fc.property(typedAnswer('gitlabUrl'), typed => {
      if (refusalOf('gitlabUrl', typed)) return;
      const answer = questions.gitlabUrl.check(typed);
      expect(new URL(answer).href.replace(/\/$/, '')).toBe(answer);
      const whole = typed.includes('://') ? typed.trim() : `https://${typed.trim()}`;
      expect(new URL(answer).href.replace(/\/+$/, '')).toBe(new URL(whole).href.replace(/\/+$/, ''));
    }),
    { numRuns: 5000 },
  );
});

it('a folder of any name gives a valid name for the Compose project', () => {
  const answers = answersWith();
  fc.assert(
    fc.property(fc.oneof(awkwardText, fc.string({ unit: 'binary' })), folder => {
      const { composeProject } = planRepository(answers, folder);
      // https://github.com/compose-spec/compose-spec/blob/main/04-version-and-name.md
      expect(composeProject).toMatch(/^[a-z0-9][a-z0-9_-]*$/);
      if (/^[a-z0-9][a-z0-9_-]*[a-z0-9]$/.test(folder)) expect(composeProject).toBe(folder);
    }),
    { numRuns: 5000 },
  );
});
