import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { checkout, openFolder, pack, packAndInstall, yoForEverybody } from './install.ts';

declare module 'vitest' {
  interface ProvidedContext {
    package: {
      /** The packed generator. */
      readonly tarball: string;
      /** Where that is installed. */
      readonly prefix: string;
      /** The packed package for `npm create`. */
      readonly createTarball: string;
      /** The real `yo`; empty where there is none. */
      readonly yo: string;
    };
  }
}

/** Packs both packages and installs the generator, once for all tests on the package. */
export default function setup(project: TestProject): () => void {
  const folders = [openFolder('package'), openFolder('tools')] as const;
  const remove = () => {
    for (const folder of folders) rmSync(folder, { recursive: true, force: true });
  };
  try {
    project.provide('package', {
      ...packAndInstall(checkout, folders[0]),
      createTarball: pack(join(checkout, 'create'), folders[0]),
      yo: yoForEverybody(folders[1]),
    });
    return remove;
  } catch (error) {
    remove();
    throw error;
  }
}
