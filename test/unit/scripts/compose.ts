import { parse, YAMLParseError } from 'yaml';
import type { Result, Run } from '../../../templates/scripts/host.ts';

const reads = 'docker compose -f - config --no-interpolate --format json';

/** What Compose 2 answers to that command: the file with its aliases and merges resolved, or what is wrong in it. */
export function composeConfig(
  [...command]: Parameters<Run>[0],
  { input = '' }: Parameters<Run>[1] = {},
): Result {
  const refuse = (status: number, stderr: string) => ({ status, stdout: '', stderr: `${stderr}\n` });
  if (command.join(' ') === 'docker compose version') return { status: 0, stdout: '', stderr: '' };
  if (command.join(' ') !== reads) return refuse(1, `unknown command: ${command.join(' ')}`);
  try {
    return { status: 0, stdout: JSON.stringify(parse(input, { merge: true })), stderr: '' };
  } catch (error) {
    if (!(error instanceof YAMLParseError)) throw error;
    return refuse(15, `yaml: line ${error.linePos?.[0].line}: ${error.message.split(/ at line|\n/)[0]}`);
  }
}
