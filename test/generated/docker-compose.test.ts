import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { questions } from '../../generators/ask/questions.ts';
import { scenarios } from '../support/answers.ts';
import { needs } from '../support/needs.ts';
import { composes } from '../support/own-tools.ts';
import {
  isInstalled,
  pathsWith,
  planWith,
  renderAll,
  run,
  temporaryFolder,
  writeAll,
} from '../support/rendered.ts';

describe.each(Object.entries(scenarios))('docker-compose.yml with %s', (_, typed) => {
  const text = renderAll(typed)['docker-compose.yml']!;
  const compose = parse(text);

  it('reads the same as YAML 1.1 and 1.2', () => {
    expect(parse(text, { version: '1.1' })).toEqual(parse(text, { version: '1.2' }));
  });

  it('runs the image of the answers, restarts it always, and mounts the configuration and the socket', () => {
    expect(compose.services.runner).toMatchObject({
      image: `\${RUNNER_IMAGE:-${typed.runnerImage ?? questions.runnerImage.default}}`,
      restart: 'always',
      stop_signal: 'SIGQUIT',
      stop_grace_period: '1h',
    });
    const { volumes } = compose.services.runner;
    expect(volumes).toContain('./config:/etc/gitlab-runner:ro');
    const isHere = typed.executor !== 'docker-autoscaler';
    expect(volumes.includes('/var/run/docker.sock:/var/run/docker.sock')).toBe(isHere);
  });

  it('hands the runner its address and tokens of .env, and nothing else of it', () => {
    const { runners, cache } = planWith(typed);
    const { environment } = compose.services.runner;
    const handed = Object.entries<string>(environment).filter(([, value]) => value.startsWith('$'));
    expect(Object.fromEntries(handed)).toEqual({
      GITLAB_URL: '${GITLAB_URL:-}',
      ...Object.fromEntries(runners.map(({ tokenVariable }) => [tokenVariable, `\${${tokenVariable}:-}`])),
      ...(cache && {
        AWS_ACCESS_KEY_ID: '${CACHE_S3_ACCESS_KEY:-}',
        AWS_SECRET_ACCESS_KEY: '${CACHE_S3_SECRET_KEY:-}',
      }),
      ...Object.fromEntries(
        (runners[0].config.autoscaler?.environment ?? []).map(({ name }) => [name, `\${${name}:-}`]),
      ),
      TZ: '${TZ:-UTC}',
    });
    expect(text).not.toMatch(/env_file|GITLAB_ACCESS_TOKEN|REGISTRATION_TOKEN|:\?/);
  });

  it('confines the container of the runner as far as was answered, and no further', () => {
    const { security_opt, cap_drop, cap_add, read_only, tmpfs = [], environment } = compose.services.runner;
    const level = typed.hardening ?? 'recommended';
    const isStrict = level === 'strict';
    expect(security_opt).toEqual(level === 'relaxed' ? undefined : ['no-new-privileges:true']);
    expect({ cap_drop, cap_add, read_only }).toEqual(
      isStrict ? { cap_drop: ['ALL'], cap_add: ['DAC_OVERRIDE'], read_only: true } : {},
    );
    expect(tmpfs).toEqual([
      ...(isStrict ? ['/tmp'] : []),
      ...(planWith(typed).expandsConfig ? ['/run/gitlab-runner'] : []),
    ]);
    // What cannot be written into the image is read where it is mounted.
    expect(environment.SSL_CERT_DIR).toBe(isStrict ? '/etc/gitlab-runner/certs' : undefined);
  });

  it('has the services of the plan beside the runner, which starts after the one that jobs build with', () => {
    const { compose: planned, mirror, cleanUp, cache, monitoring } = planWith(typed);
    expect(Object.keys(compose.services)).toEqual([
      'runner',
      ...(planned.services.includes('buildkit') ? ['buildkit-certs'] : []),
      ...planned.services,
      ...(cleanUp === undefined ? [] : ['clean-up']),
      ...(mirror ? ['mirror'] : []),
      ...(cache?.service ? ['job-cache'] : []),
      ...(monitoring ? ['prometheus', 'grafana', 'node-exporter', 'token-metrics'] : []),
    ]);
    expect(compose.services.runner.depends_on).toEqual(
      planned.services.length > 0 ? planned.services : undefined,
    );
  });

  it('declares every network and volume that it uses, and no other', () => {
    const services: { networks?: string[]; volumes?: string[] }[] = Object.values(compose.services);
    const sources = services.flatMap(({ volumes = [] }) => volumes.map(volume => volume.split(':')[0]!));
    const named = sources.filter(source => !/^[./]/.test(source));
    expect(Object.keys(compose.volumes ?? {}).sort()).toEqual([...new Set(named)].sort());
    const networks = services
      .flatMap(({ networks = [] }) => networks)
      .filter(network => network !== 'default');
    expect(Object.keys(compose.networks ?? {}).sort()).toEqual([...new Set(networks)].sort());
  });

  it('mounts only files that the repository has', () => {
    const services: { volumes?: string[] }[] = Object.values(compose.services);
    const sources = services.flatMap(({ volumes = [] }) => volumes.map(volume => volume.split(':')[0]!));
    const paths = pathsWith(typed);
    for (const source of sources.filter(one => one.startsWith('./') && one !== './config/certs')) {
      const path = source.slice(2);
      expect(
        paths.some(one => one === path || one.startsWith(`${path}/`)),
        source,
      ).toBe(true);
    }
  });

  it('has no version, which Compose warns about', () => {
    expect(compose).not.toHaveProperty('version');
  });
});

describe('the health check of the runner', () => {
  const { runner } = parse(renderAll()['docker-compose.yml']!).services;

  it.each([
    [
      'all are valid',
      2,
      'Verifying runner... is valid   runner=a\nVerifying runner... is alive   runner=b',
      0,
    ],
    [
      'one is not',
      2,
      'Verifying runner... is valid   runner=a\nVerifying runner... is not valid   runner=b',
      1,
    ],
    ['GitLab is away, and verify ends with 0', 1, 'ERROR: Verifying runner... failed   runner=a', 1],
    ['config.toml has none', 0, '', 1],
  ])('says what is so where %s', (_, count, output, status) => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'config.toml'), '[[runners]]\n  [runners.docker]\n'.repeat(count));
    const program = `#!/bin/sh\nprintf '%s\\n' "$SAYS" >&2\n`;
    writeFileSync(join(folder, 'gitlab-runner'), program, { mode: 0o755 });
    const [kind, test] = runner.healthcheck.test;
    expect(kind).toBe('CMD-SHELL');
    const here = test.replaceAll('$$', '$').replace('/etc/gitlab-runner/config.toml', 'config.toml');
    const env = { PATH: `${folder}:/usr/bin:/bin`, SAYS: output };
    expect(run(folder, ['sh', '-c', here], '', env).status).toBe(status);
  });
});

describe('scripts/expand-config.sh', () => {
  const old = { runnerImage: 'gitlab/gitlab-runner:alpine-v18.9.0' };
  const awks = ['mawk', 'gawk', 'busybox awk'].filter(awk =>
    isInstalled(...awk.split(' '), 'BEGIN { exit 0 }'),
  );

  it('is there, and the entry of the container, only where the runner does not expand by itself', () => {
    expect(pathsWith()).not.toContain('scripts/expand-config.sh');
    expect(pathsWith(old)).toContain('scripts/expand-config.sh');
    const { runner } = parse(renderAll(old)['docker-compose.yml']!).services;
    expect(runner).toMatchObject({
      entrypoint: ['sh', '/expand-config.sh'],
      command: ['run', '--user=gitlab-runner', '--working-directory=/home/gitlab-runner'],
      environment: { CONFIG_FILE: '/run/gitlab-runner/config.toml' },
    });
  });

  it.each(awks)('fills in address and tokens by %s, at each start, for nobody else to read', awk => {
    const folder = writeAll(old);
    mkdirSync(join(folder, 'memory'));
    mkdirSync(join(folder, 'bin'));
    writeFileSync(join(folder, 'bin/awk'), `#!/bin/sh\nexec ${awk} "$@"\n`, { mode: 0o755 });
    writeFileSync(join(folder, 'entrypoint'), '#!/bin/sh\nprintf "%s " "$@"\n', { mode: 0o755 });
    writeFileSync(
      join(folder, 'config/config.toml'),
      'name = "${GITLAB_URL}"\n  url = "${GITLAB_URL}"\n  token = "${RUNNER_TOKEN_A_1}${RUNNER_TOKEN}" # ${TZ}\n',
    );
    writeFileSync(join(folder, 'config/.runner_system_id'), 'r_1');
    const env = {
      PATH: `${join(folder, 'bin')}:/usr/bin:/bin`,
      ...{ CONFIG_SOURCE: 'config', CONFIG_FILE: 'memory/config.toml', ENTRYPOINT: './entrypoint' },
      ...{
        GITLAB_URL: 'https://git.example.org/a&b|c',
        RUNNER_TOKEN_A_1: 'one\\1',
        RUNNER_TOKEN: '${GITLAB_URL}',
      },
    };
    for (const _ of [1, 2]) {
      const started = run(folder, ['sh', 'scripts/expand-config.sh', 'run', '--a b'], '', env);
      expect(started).toEqual({ status: 0, stdout: 'run --a b ', stderr: '' });
    }
    expect(run(folder, ['cat', 'memory/config.toml']).stdout.split('\n')).toEqual([
      'name = "${GITLAB_URL}"',
      '  url = "https://git.example.org/a&b|c"',
      '  token = "one\\1${GITLAB_URL}" # ${TZ}',
      '',
    ]);
    expect(
      run(folder, ['sh', '-c', 'stat -c %a memory/config.toml; cat memory/.runner_system_id']).stdout,
    ).toBe('600\nr_1');
  });
});

describe.skipIf(!needs(composes.length > 0, 'docker compose or docker-compose'))('Compose itself', () => {
  for (const { command, env } of composes) {
    it.each(Object.entries(scenarios))(
      `reads it without complaint as ${command.join(' ')}, with a .env that says nothing: %s`,
      (_, typed) => {
        const folder = writeAll(typed);
        writeFileSync(join(folder, '.env'), '');
        const { status, stdout, stderr } = run(folder, [...command, 'config'], '', env);
        expect(stderr).toBe('');
        expect(status).toBe(0);
        expect(parse(stdout).services.runner.image).toBe(typed.runnerImage ?? questions.runnerImage.default);
      },
    );
  }
});
