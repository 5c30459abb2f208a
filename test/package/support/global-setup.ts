import { rmSync } from 'node:fs';
import type { TestProject } from 'vitest/node';
import { checkout, openFolder, packAndInstall, yoForEverybody } from './install.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** The packed tarball, where it is installed, and the real `yo`; empty where there is none. */
    package: { readonly tarball: string; readonly prefix: string; readonly yo: string };
  }
}

/** Packs the generator and installs the tarball, once for all tests on the package. */
export default function setup(project: TestProject): () => void {
  const folder = openFolder('package');
  const tools = openFolder('tools');
  project.provide('package', { ...packAndInstall(checkout, folder), yo: yoForEverybody(tools) });
  return () => {
    for (const made of [folder, tools]) rmSync(made, { recursive: true, force: true });
  };
}
