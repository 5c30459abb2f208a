import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

/** A suite of its own, outside of `npm test`: `npm run test:kubernetes`. */
export default defineConfig({
  root: fileURLToPath(new URL('../..', import.meta.url)),
  test: {
    include: ['test/kubernetes/**/*.test.ts'],
    reporters: ['default', './test/support/summary-reporter.ts'],
    setupFiles: './test/support/set-up.ts',
    globalSetup: './test/kubernetes/support/global-setup.ts',
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // One API server, and namespaces of their own.
    fileParallelism: false,
  },
});
