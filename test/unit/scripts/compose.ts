import { parse } from 'yaml';
import type { Result } from '../../../templates/scripts/host.ts';

/** What Compose 2 answers to `config --format json`: the file with its aliases and merges resolved, or what is wrong in it. */
export function composeConfig(input = ''): Result {
  try {
    return { status: 0, stdout: JSON.stringify(parse(input, { merge: true })), stderr: '' };
  } catch (error) {
    return { status: 15, stdout: '', stderr: `yaml: ${(error as Error).message.split('\n')[0]}\n` };
  }
}
