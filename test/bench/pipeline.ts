import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';
import { median, type Row } from './table.ts';

const rounds = 5;
const branch = 'bench';

interface Pipeline {
  readonly variables: Readonly<Record<string, string>>;
  readonly build: { readonly script: readonly string[] };
}

/** What is built: the example app as it is, and the same with dependencies in a layer of their own. */
const apps = [
  { name: 'the example app', layer: '' },
  { name: 'with 50 MB of dependencies', layer: 'RUN head -c 52428800 /dev/urandom >/dependencies\n' },
];

/**
 * Builds images as the generated pipeline does, on the engine that E2E_DOCKER_HOST names: with the build cache
 * emptied before, and again with one line of the app changed. The cache of that engine is gone then, whoever
 * it was for; images of others stay.
 *
 * @param command the generator's own command
 */
export function pipelineRows(command: string): Row[] {
  const host = process.env.E2E_DOCKER_HOST;
  if (host === undefined) return [];
  const folder = mkdtempSync(join(tmpdir(), 'pipeline-'));
  try {
    sh(folder, `'${command}' . --defaults`, {});
    return apps.flatMap(({ name, layer }) => {
      const seconds = buildTimes(folder, host, layer);
      const ratio = median(seconds.warm.map((value, index) => value / seconds.cold[index]!));
      return [
        { what: `${name}, cold build`, value: median(seconds.cold), unit: 's' },
        { what: `${name}, warm build`, value: median(seconds.warm), unit: 's', ratio, goal: 0.3 },
      ];
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Seconds of each cold and each warm build; a layer that is not empty follows the base image's. */
function buildTimes(folder: string, host: string, layer: string): Record<'cold' | 'warm', number[]> {
  const { variables, build } = parse(readFileSync(join(folder, '.gitlab-ci.yml'), 'utf8')) as Pipeline;
  const line = build.script.find(text => text.startsWith('docker build'));
  if (line === undefined) throw new Error('The job "build" has no line that starts with "docker build".');

  // Where nothing is pushed, caches in a registry are looked for at a closed port, and not found.
  const environment = {
    ...variables,
    IMAGE: `${process.env.E2E_REGISTRY ?? '127.0.0.1:1'}/bench/example`,
    CI_COMMIT_REF_SLUG: branch,
    DOCKERFILE: `${variables.BUILD_CONTEXT}/Dockerfile`,
    DOCKER_HOST: host,
  };
  const context = join(folder, variables.BUILD_CONTEXT ?? '');
  const dockerfile = readFileSync(join(context, 'Dockerfile'), 'utf8');
  writeFileSync(
    join(context, 'Dockerfile'),
    `${dockerfile.replace(/^FROM .*\n/, from => from + layer)}COPY page /srv/page\n`,
  );
  const page = join(context, 'page');
  const seconds = { cold: [] as number[], warm: [] as number[] };
  for (let round = 0; round < rounds; round += 1) {
    sh(folder, 'docker builder prune --all --force', environment);
    for (const state of ['cold', 'warm'] as const) {
      const commit = `${state}-${round}`;
      writeFileSync(page, `${commit}\n`);
      const started = performance.now();
      sh(folder, line, { ...environment, CI_COMMIT_SHA: commit, CI_JOB_ID: commit });
      seconds[state].push((performance.now() - started) / 1000);
    }
    sh(folder, `docker image rm --force build-cold-${round} build-warm-${round}`, environment);
  }
  return seconds;
}

function sh(cwd: string, command: string, variables: Readonly<Record<string, string>>): void {
  const { status, stdout, stderr } = spawnSync('sh', ['-ec', command], {
    cwd,
    env: { ...process.env, ...variables },
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`${command}\nended with ${status}:\n${stdout}${stderr}`);
}
