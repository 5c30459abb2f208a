import { afterEach, expect, it, vi } from 'vitest';
import { needs } from '../support/needs.ts';

afterEach(() => {
  vi.unstubAllEnvs();
});

it('needs lets a test be skipped on a machine that lacks something', () => {
  vi.stubEnv('E2E', '');
  expect(needs(false, 'make')).toBe(false);
  expect(needs(true, 'make')).toBe(true);
});

it('needs lets nothing be skipped where E2E=required, and names what is missing', () => {
  vi.stubEnv('E2E', 'required');
  expect(() => needs(false, 'make')).toThrow('E2E=required, and this is missing: make.');
  expect(needs(true, 'make')).toBe(true);
});
