import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

/** The scripts of templates/ import settings.ts, which only a rendered repository has. */
const settings = {
  name: 'settings-of-an-example',
  enforce: 'pre' as const,
  resolveId(source: string, importer = '') {
    if (source !== './settings.ts' || !importer.includes('/templates/scripts/')) return undefined;
    return fileURLToPath(new URL('examples/default/scripts/settings.ts', import.meta.url));
  },
};

export default defineConfig({
  test: {
    // The slowest tests wait for containers and terminals more than they compute.
    minWorkers: 1,
    maxWorkers: 2,
    reporters: ['default', './test/support/summary-reporter.ts'],
    projects: [
      {
        plugins: [settings],
        test: {
          name: 'sources',
          include: ['test/**/*.test.ts'],
          exclude: ['test/package/**', 'test/e2e/**', 'test/kubernetes/**', 'test/tools/**'],
          testTimeout: 30_000,
        },
      },
      {
        test: {
          name: 'package',
          include: ['test/package/**/*.test.ts'],
          globalSetup: './test/package/support/global-setup.ts',
          testTimeout: 120_000,
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          globalSetup: './test/e2e/support/global-setup.ts',
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});
