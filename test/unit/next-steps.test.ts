import { describe, expect, it } from 'vitest';
import { engineWarning, nextSteps } from '../../generators/app/next-steps.ts';

describe('nextSteps', () => {
  it('leads to a running runner', () => {
    expect(nextSteps('')).toEqual(['make doctor', 'make register', 'make up']);
  });

  it.each([
    ['my-runner', 'cd my-runner'],
    ['../my runner', `cd '../my runner'`],
    ["it's", String.raw`cd 'it'\''s'`],
    ['-x', 'cd ./-x'],
  ])('begins where the repository is: %s', (directory, command) => {
    expect(nextSteps(directory)[0]).toBe(command);
  });
});

describe('engineWarning', () => {
  const engine = (minApiVersion: string) => ({ version: '29.1.0', apiVersion: '1.52', minApiVersion });

  it('says what is refused and what to do', () => {
    const warning = engineWarning(engine('1.44'), 'docker:stable');
    for (const fact of [
      '29.1.0',
      '1.44',
      'docker:stable',
      '1.40',
      '--docker-image docker:cli',
      'make doctor',
    ]) {
      expect(warning).toContain(fact);
    }
  });

  it('says nothing about an image that the engine takes', () => {
    expect(engineWarning(engine('1.40'), 'docker:stable')).toBeUndefined();
    expect(engineWarning(engine('1.44'), 'docker:cli')).toBeUndefined();
  });
});
