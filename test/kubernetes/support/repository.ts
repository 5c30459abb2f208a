import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { TypedAnswers } from '../../../generators/ask/questions.ts';
import { standInChart } from '../../support/chart.ts';
import { planWith, writeAll } from '../../support/rendered.ts';
import { type Ended, runProgram } from './programs.ts';

/** Node.js 24, by which scripts/run starts the scripts. */
const tools = fileURLToPath(new URL('../../tools/node_modules/.bin', import.meta.url));

/** A written repository for a cluster, whose chart is the stand-in. */
export class ClusterRepository {
  readonly folder: string;
  readonly release: string;
  readonly namespace: string;

  constructor(typed: TypedAnswers) {
    this.folder = writeAll(typed);
    const { kubernetes } = planWith(typed);
    this.release = kubernetes!.release;
    this.namespace = kubernetes!.namespace;
    this.setRelease({});
  }

  /** Writes helm/release.json. */
  setRelease(changes: object): void {
    const { release, namespace } = this;
    const all = { release, namespace, chart: standInChart(), repository: '', version: '0.86.0', ...changes };
    writeFileSync(join(this.folder, 'helm/release.json'), JSON.stringify(all, null, 2));
  }

  env(values: Record<string, string>): void {
    const lines = Object.entries(values).map(([name, value]) => `${name}=${value}\n`);
    writeFileSync(join(this.folder, '.env'), lines.join(''), { mode: 0o600 });
  }

  /** Runs `make` as the owner does. */
  make(...words: string[]): Promise<Ended> {
    return runProgram('make', words, {
      cwd: this.folder,
      env: { PATH: `${tools}:${process.env.PATH}`, WAIT: '20' },
    });
  }

  /** kubectl, in the namespace of the repository. */
  kubectl(...words: string[]): Promise<Ended> {
    return runProgram('kubectl', [...words, '--namespace', this.namespace]);
  }
}

/** Whether the runner's account may do that with a resource, such as pods/log. */
export async function may(
  repository: ClusterRepository,
  verb: string,
  resource: string,
  ...options: string[]
): Promise<boolean> {
  // "pods/log" would be a pod of that name.
  const [kind = '', subresource] = resource.split('/');
  const words = [verb, kind, ...(subresource ? [`--subresource=${subresource}`] : []), ...options];
  const account = `--as=system:serviceaccount:${repository.namespace}:${repository.release}`;
  const { stdout, stderr } = await runProgram('kubectl', ['auth', 'can-i', ...words, account]);
  if (!/^(yes|no)/.test(stdout)) throw new Error(stdout + stderr);
  return stdout.startsWith('yes');
}

/** Says of each pod in a namespace that it is ready, as a kubelet would; there is none here. */
export function readyPods(namespace: string): { end: () => Promise<void> } {
  let isOver = false;
  const status = { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] };
  const work = async () => {
    while (!isOver) {
      const { stdout } = await runProgram('kubectl', ['get', 'pods', '-n', namespace, '-o', 'name']);
      for (const pod of stdout.split('\n').filter(Boolean)) {
        const patch = ['patch', pod, '-n', namespace, '--subresource=status', '--type=merge'];
        await runProgram('kubectl', [...patch, '-p', JSON.stringify({ status })]);
      }
      await new Promise(resolve => setTimeout(resolve, 200));
    }
  };
  const done = work();
  return {
    async end() {
      isOver = true;
      await done;
    },
  };
}
