import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { questions } from '../../generators/app/questions.ts';
import { scenarios } from '../support/answers.ts';
import { needs } from '../support/needs.ts';
import { composes } from '../support/own-tools.ts';
import { pathsWith, planWith, renderAll, run, writeAll } from '../support/rendered.ts';

describe.each(Object.entries(scenarios))('docker-compose.yml with %s', (_, typed) => {
  const text = renderAll(typed)['docker-compose.yml']!;
  const compose = parse(text);

  it('reads the same as YAML 1.1 and 1.2', () => {
    expect(parse(text, { version: '1.1' })).toEqual(parse(text, { version: '1.2' }));
  });

  it('runs the image of the answers, restarts it always, and mounts the configuration and the socket', () => {
    expect(compose.services.runner).toMatchObject({
      image: typed.runnerImage ?? questions.runnerImage.default,
      restart: 'always',
      stop_signal: 'SIGQUIT',
      volumes: ['./config:/etc/gitlab-runner', '/var/run/docker.sock:/var/run/docker.sock'],
    });
  });

  it('confines the container of the runner as far as was answered, and no further', () => {
    const { security_opt, cap_drop, cap_add, read_only, tmpfs, environment } = compose.services.runner;
    const level = typed.hardening ?? 'recommended';
    const isStrict = level === 'strict';
    expect(security_opt).toEqual(level === 'relaxed' ? undefined : ['no-new-privileges:true']);
    expect({ cap_drop, cap_add, read_only, tmpfs }).toEqual(
      isStrict ? { cap_drop: ['ALL'], cap_add: ['DAC_OVERRIDE'], read_only: true, tmpfs: ['/tmp'] } : {},
    );
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

describe.skipIf(!needs(composes.length > 0, 'docker compose or docker-compose'))('Compose itself', () => {
  for (const { command, env } of composes) {
    it.each(Object.entries(scenarios))(
      `reads it without complaint as ${command.join(' ')}: %s`,
      (_, typed) => {
        const folder = writeAll(typed);
        copyFileSync(join(folder, '.env.example'), join(folder, '.env'));
        const { status, stdout, stderr } = run(folder, [...command, 'config'], '', env);
        expect(stderr).toBe('');
        expect(status).toBe(0);
        const { name, services } = parse(stdout);
        expect(services.runner.image).toBe(typed.runnerImage ?? questions.runnerImage.default);
        // Compose v1 does not show the name.
        if (name !== undefined) expect(name).toBe('my-runner');
      },
    );
  }
});
