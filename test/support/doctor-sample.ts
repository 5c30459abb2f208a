import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { shell } from '../../generators/write/quoting.ts';
import { runnerToken } from './tokens.ts';

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** Node.js 24, which runs the scripts as they are. */
export const node24 = here('../tools/node_modules/.bin/node');

/**
 * What `make doctor` of examples/default prints beside a stand-in for Docker and for GitLab (`sample-*.ts`): the
 * scripts are the real ones, run as a program.
 *
 * @throws Error if it does not end as a doctor that found something does
 */
export function doctorSample(): string {
  const top = mkdtempSync(join(tmpdir(), 'sample-'));
  try {
    const [repository, programs] = [join(top, 'my-runner'), join(top, 'bin')];
    cpSync(here('../../examples/default'), repository, { recursive: true });
    const env = readFileSync(join(repository, '.env.example'), 'utf8');
    const registered = env.replace(/^RUNNER_TOKEN=$/m, `RUNNER_TOKEN=${runnerToken}`);
    writeFileSync(join(repository, '.env'), registered, { mode: 0o600 });
    spawnSync('git', ['init', '--quiet', repository]);
    mkdirSync(programs);
    const docker = [node24, here('sample-docker.ts')].map(shell).join(' ');
    writeFileSync(join(programs, 'docker'), `#!/bin/sh\nexec ${docker} "$@"\n`, { mode: 0o755 });
    const environment = { PATH: [programs, process.env.PATH].join(delimiter), HOME: top };
    const words = ['--import', here('sample-gitlab.ts'), 'scripts/doctor.ts'];
    const { status, stdout, stderr } = spawnSync(node24, words, {
      cwd: repository,
      env: environment,
      encoding: 'utf8',
    });
    if (status !== 1 || stderr !== '') throw new Error(`doctor ended with ${status}:\n${stdout}${stderr}`);
    return stdout;
  } finally {
    rmSync(top, { recursive: true });
  }
}
