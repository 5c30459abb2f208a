import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { parse } from 'yaml';
import { completeAnswers } from '../../generators/ask/answers.ts';
import { type AnswerName, questions, type TypedAnswers } from '../../generators/ask/questions.ts';
import { planRepository } from '../../generators/plan/plan.ts';
import { engine } from '../e2e/support/engines.ts';
import { eventually } from '../e2e/support/program.ts';
import { bridgeAddress, Registry } from '../e2e/support/surroundings.ts';
import { selfSigned } from '../support/certificates.ts';
import { median, type Row } from './table.ts';

const rounds = 3;

/** The ways to build images, and what a warm build may take at most of the socket's. */
const ways: { name: string; typed: TypedAnswers; goal?: number }[] = [
  { name: 'socket', typed: { dockerImage: 'docker:cli' } },
  { name: 'dind, an engine for each job', typed: { builder: 'dind' } },
  { name: 'dind, one engine for all', typed: { builder: 'dind', dindCache: 'volume' }, goal: 2 },
  { name: 'buildkit', typed: { builder: 'buildkit' }, goal: 1.3 },
  { name: 'buildah', typed: { builder: 'buildah' } },
];

/**
 * Times the job `build` of each way's pipeline, from the start of its container to the pushed image: once with
 * nothing built before, and then with one line of the app changed. The app has 300 files and a layer of 50 MB.
 * Needs the engines of `.ci/engines` (E2E_ENGINES) with the images of `.ci/images`.
 */
export async function builderRows(command: string): Promise<Row[]> {
  const modern = engine('modern');
  if (!modern) return [];
  const certificate = selfSigned(bridgeAddress, modern.engineAddress);
  const registry = await Registry.start(modern, 5445, certificate);
  try {
    const login = ['login', '--username', modern.user, '--password-stdin', registry.address];
    await eventually(() => docker(login, { input: modern.password }));
    docker(['tag', 'busybox:latest', `${registry.address}/base:latest`]);
    docker(['push', '--quiet', `${registry.address}/base:latest`]);
    const rows: Row[] = [];
    let socket: number | undefined;
    for (const { name, typed, goal } of ways) {
      const seconds = times(
        command,
        { ...typed, registry: `${registry.address}/bench`, privateCa: 'yes' },
        certificate.cert,
      );
      const warm = median(seconds.warm);
      socket ??= warm;
      rows.push({ what: `${name}, cold`, value: median(seconds.cold), unit: 's' });
      const ratio = warm / socket;
      rows.push({ what: `${name}, warm`, value: warm, unit: 's', ratio, ...(goal ? { goal } : {}) });
    }
    return rows;
  } finally {
    await registry.stop();
  }

  function times(command: string, typed: TypedAnswers, ca: string): Record<'cold' | 'warm', number[]> {
    const folder = mkdtempSync(join(tmpdir(), 'bench-'));
    const { runners, compose } = planRepository(completeAnswers(typed), basename(folder));
    const [{ executor, config, pipeline }] = runners;
    const options = Object.entries(typed).flatMap(([key, value]) => {
      const option = `--${questions[key as AnswerName].option}`;
      return value === 'yes' ? [option] : [option, value];
    });
    sh([command, folder, '--defaults', ...options], folder);
    mkdirSync(join(folder, 'config/certs'));
    writeFileSync(join(folder, 'config/certs/ca.crt'), ca);
    writeFileSync(join(folder, '.env'), readFileSync(join(folder, '.env.example')));
    const context = join(folder, 'app');
    mkdirSync(join(context, 'files'), { recursive: true });
    for (let file = 0; file < 300; file += 1)
      writeFileSync(join(context, `files/${file}.txt`), `${file}\n`.repeat(100));
    writeFileSync(
      join(context, 'Dockerfile'),
      `FROM ${registry.address}/base:latest\nRUN head -c 52428800 /dev/urandom >/dependencies\nCOPY files /files\n`,
    );
    const { variables, build } = parse(readFileSync(join(folder, '.gitlab-ci.yml'), 'utf8'));
    const script = [...(build.before_script ?? []), ...build.script].join('\n');
    const entry = (key: string) => config.docker.find(found => found.key === key)?.value;
    const list = (value: unknown) =>
      Array.isArray(value) ? value : value === undefined ? [] : [String(value)];
    const network = `${basename(folder)}-bench`;
    const joined = entry('network_mode') ?? network;
    const certificates = '/etc/gitlab-runner/certs';
    // The authorities are those of the folder here, and not those that a service copies for jobs.
    const mounts = [
      ...executor.volumes.filter(volume => !volume.includes(`:${certificates}`)),
      `${folder}/config/certs:${certificates}:ro`,
    ].map(volume => (volume.includes(':') ? volume : `${basename(folder)}-slot:${volume}`));
    const common = [
      ...mounts.flatMap(one => ['--volume', one]),
      ...Object.entries(variables).flatMap(([key, value]) => [
        '--env',
        `${key}=${String(value).replace('$CI_PROJECT_PATH', 'app')}`,
      ]),
      ...config.runner
        .filter(({ key }) => key === 'environment')
        .flatMap(({ value }) => list(value))
        .flatMap(one => ['--env', one]),
    ];
    const job = (commit: string): number => {
      const started = performance.now();
      const [service] = pipeline.services;
      if (service) {
        const entrypoint = ['--entrypoint', 'dockerd-entrypoint.sh'];
        docker([
          'run',
          '--detach',
          '--privileged',
          '--name',
          `${network}-docker`,
          '--network',
          network,
          '--network-alias',
          service.alias,
          ...common,
          ...entrypoint,
          service.image,
        ]);
      }
      const own = {
        REGISTRY_USER: modern!.user,
        REGISTRY_PASSWORD: modern!.password,
        CI_JOB_ID: '1',
        CI_COMMIT_SHA: commit,
        CI_COMMIT_REF_SLUG: 'main',
        BUILD_CONTEXT: '/app',
        DOCKERFILE: '/app/Dockerfile',
      };
      const more = [
        ...Object.entries(own).flatMap(([key, value]) => ['--env', `${key}=${value}`]),
        ...list(entry('security_opt')).flatMap(one => ['--security-opt', one]),
      ];
      docker([
        'run',
        '--rm',
        '--network',
        String(joined),
        ...common,
        ...more,
        '--volume',
        `${context}:/app:ro`,
        '--entrypoint',
        'sh',
        executor.image,
        '-ec',
        script,
      ]);
      if (service) docker(['rm', '--force', '--volumes', `${network}-docker`]);
      return (performance.now() - started) / 1000;
    };
    const seconds = { cold: [] as number[], warm: [] as number[] };
    docker(['network', 'create', network]);
    try {
      if (compose.services.length > 0)
        sh(['docker', 'compose', 'up', '--detach', '--wait', ...compose.services], folder);
      seconds.cold.push(job('main'));
      for (let round = 0; round < rounds; round += 1) {
        // Pushed under the branch's name, as the pipeline before this one did.
        writeFileSync(join(context, 'files/7.txt'), `round ${round}\n`);
        seconds.warm.push(job('main'));
      }
    } finally {
      if (compose.services.length > 0) sh(['docker', 'compose', 'down', '--volumes'], folder);
      docker(['network', 'rm', network]);
      rmSync(folder, { recursive: true, force: true });
    }
    return seconds;
  }

  function docker(words: readonly string[], { input = '' } = {}): void {
    sh(['docker', ...words], '/', input);
  }

  function sh([program = '', ...words]: readonly string[], cwd: string, input = ''): void {
    const { status, stdout, stderr } = spawnSync(program, words, {
      cwd,
      env: modern!.env,
      input,
      encoding: 'utf8',
    });
    if (status !== 0)
      throw new Error(`${program} ${words.join(' ')}\nended with ${status}:\n${stdout}${stderr}`);
  }
}
