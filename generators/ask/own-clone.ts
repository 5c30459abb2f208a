import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Refusal } from './refusal.ts';

/** @throws Refusal if the folder is in a clone of this generator: `npm run scaffold` runs there, whatever is meant */
export function refuseOwnClone(folder: string): void {
  for (let at = folder; ; at = dirname(at)) {
    if (isOwnClone(at)) {
      throw new Refusal(
        `That is in ${at}, the generator itself: name a folder outside of it, as by npm run scaffold -- ../my-runner`,
      );
    }
    if (at === dirname(at)) return;
  }
}

function isOwnClone(folder: string): boolean {
  try {
    const text = readFileSync(join(folder, 'package.json'), 'utf8');
    return JSON.parse(text)?.name === 'generator-gitlab-runner-docker';
  } catch {
    // None is there, or it is of somebody else.
    return false;
  }
}
