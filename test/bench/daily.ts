import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { engine } from '../e2e/support/engines.ts';
import { makeStandIns } from '../e2e/support/global-setup.ts';
import { output, run } from '../e2e/support/program.ts';
import { GitLabServer, type RequestRecord } from '../support/gitlab-server.ts';
import { median, type Row } from './table.ts';

/** The containers that doctor starts, doing nothing. */
const containers = ['docker:stable', 'gitlab/gitlab-runner:alpine'].map(image => [
  ...['docker', 'run', '--rm', '--network', 'none', '--entrypoint', 'true', image],
]);

/**
 * Compares `make register`, where the runner is registered already, and `make doctor` of the default repository with
 * the bare calls that they need: the same requests to GitLab, by fetch in one process, and for the doctor
 * `docker version` before these, without and with the start of the two containers that it looks from. Needs the engines of `.ci/engines` (E2E_ENGINES).
 */
export async function dailyRows(command: string, rounds: number): Promise<Row[]> {
  const modern = engine('modern');
  if (!modern) return [];
  await makeStandIns(modern);
  const folder = mkdtempSync(join(tmpdir(), 'daily-'));
  const gitlab = await GitLabServer.start({ host: '0.0.0.0' });
  try {
    const env = { ...modern.env, PATH: [dirname(process.execPath), modern.env.PATH].join(delimiter) };
    const place = { cwd: folder, env };
    const url = gitlab.url.replace('127.0.0.1', modern.hostAddress);
    await output([command, folder, '--defaults', '--gitlab-url', url], place);
    await output(['git', 'init', '--quiet'], place);
    const example = readFileSync(join(folder, '.env.example'), 'utf8');
    const filled = example.replace(/^RUNNER_TOKEN=.*$/m, `RUNNER_TOKEN=${gitlab.addRunner().token}`);
    writeFileSync(join(folder, '.env'), filled, { mode: 0o600 });
    const rows: Row[] = [];
    for (const [target, before] of [
      ['register', []],
      ['doctor', [['docker', 'version']]],
      // It looks at the world from a container of a job, and has config.toml read by the runner's own image.
      ['doctor', [['docker', 'version'], ...containers]],
    ] as const) {
      const make = ['make', target];
      // The first one shows what is asked, and fills the caches.
      await output(make, place);
      const calls = callsOf(url, gitlab.requests.splice(0));
      const bare = [...before, [process.execPath, '--input-type=module', '--eval', calls]];
      const seconds = { make: [] as number[], bare: [] as number[] };
      for (let round = 0; round < rounds; round += 1) {
        seconds.bare.push(await secondsOf(bare));
        seconds.make.push(await secondsOf([make]));
      }
      const ratio = median(seconds.make.map((value, index) => value / seconds.bare[index]!));
      const among = before.length > 1 ? ', and its two containers' : '';
      rows.push({ what: `bare calls of make ${target}${among}`, value: median(seconds.bare), unit: 's' });
      rows.push({ what: `make ${target}`, value: median(seconds.make), unit: 's', ratio, goal: 3 });
    }
    return rows;

    async function secondsOf(commands: readonly (readonly string[])[]): Promise<number> {
      const started = performance.now();
      for (const one of commands) {
        const { code, output } = await run(one, place);
        if (code !== 0) throw new Error(`${one.join(' ')} ended with ${code}:\n${output}`);
      }
      return (performance.now() - started) / 1000;
    }
  } finally {
    await gitlab.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A program that sends the same requests, one after the other. */
function callsOf(url: string, requests: readonly RequestRecord[]): string {
  const lines = requests.map(({ method, path, body }) => {
    const isRead = method === 'GET';
    const fields = isRead ? '' : `, body: new URLSearchParams(${JSON.stringify(body)})`;
    return `await (await fetch(${JSON.stringify(url + path)}, { method: '${method}'${fields} })).text();`;
  });
  return lines.join('\n');
}
