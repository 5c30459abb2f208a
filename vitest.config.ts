import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
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

const top = fileURLToPath(new URL('.', import.meta.url));
const sources = ['test/unit', 'test/generated', 'test/generator', 'test/properties'];

/**
 * Tests that replace modules, or that run the generator, which changes the folder of its process, or the scripts, which
 * have one folder, or that are somebody else for a while: each file has a process for itself. The others share one
 * thread, and so what they import.
 */
const apart = sources
  .flatMap(folder =>
    readdirSync(join(top, folder), { recursive: true, encoding: 'utf8' }).map(path => `${folder}/${path}`),
  )
  .filter(path => path.endsWith('.test.ts'))
  .filter(path =>
    /vi\.mock\(|(run-generator|nobody)\.ts'|\.\/folder\.ts'/.test(readFileSync(join(top, path), 'utf8')),
  );

export default defineConfig({
  test: {
    // The slowest tests wait for containers and terminals more than they compute.
    minWorkers: 1,
    maxWorkers: 2,
    poolOptions: { threads: { isolate: false, maxThreads: 1, minThreads: 1 } },
    reporters: ['default', './test/support/summary-reporter.ts'],
    projects: [
      {
        plugins: [settings],
        test: {
          name: 'sources',
          include: sources.map(folder => `${folder}/**/*.test.ts`),
          exclude: apart,
          setupFiles: './test/support/set-up.ts',
          testTimeout: 30_000,
          pool: 'threads',
          isolate: false,
        },
      },
      {
        plugins: [settings],
        test: {
          name: 'sources-apart',
          include: apart,
          setupFiles: './test/support/set-up.ts',
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
