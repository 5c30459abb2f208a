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
  const folders = [openFolder('package'), openFolder('tools')] as const;
  const remove = () => {
    for (const folder of folders) rmSync(folder, { recursive: true, force: true });
  };
  try {
    project.provide('package', { ...packAndInstall(checkout, folders[0]), yo: yoForEverybody(folders[1]) });
    return remove;
  } catch (error) {
    remove();
    throw error;
  }
}
