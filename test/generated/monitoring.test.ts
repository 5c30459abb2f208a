import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { metricsIn, runnerMetrics } from '../support/metrics.ts';
import { needs } from '../support/needs.ts';
import { isInstalled, renderAll, run, temporaryFolder, tool, writeAll } from '../support/rendered.ts';

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly labels: Record<string, string>;
  readonly annotations: { readonly summary: string; readonly action: string };
}

interface Panel {
  readonly id: number;
  readonly title: string;
  readonly datasource: { readonly uid: string };
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets: readonly { readonly expr: string }[];
}

const texts = renderAll({ monitoring: 'yes' });
const compose = parse(texts['docker-compose.yml']!);
const rules: Rule[] = parse(texts['prometheus/rules.yml']!).groups.flatMap(
  ({ rules }: { rules: Rule[] }) => rules,
);
const dashboard: { panels: Panel[] } = JSON.parse(texts['grafana/dashboards/runner.json']!);
const dashboardQueries = dashboard.panels.flatMap(({ targets }) => targets.map(({ expr }) => expr));

/** Without its last comparison, a rule's expression has a value whether or not it fires. */
const measured = ({ expr }: Rule): string => expr.replace(/\s(==|>=|>|<)[^<>=]*$/, '');

describe('docker-compose.yml with monitoring', () => {
  it('shows Grafana at 127.0.0.1, and no other port', () => {
    const ports = Object.entries<{ ports?: string[] }>(compose.services).flatMap(([name, service]) =>
      (service.ports ?? []).map(port => [name, port]),
    );
    expect(ports).toEqual([['grafana', '127.0.0.1:3000:3000']]);
  });

  it('puts the runner on the network of Prometheus too, and off no other', () => {
    expect(compose.services.runner.networks).toEqual(['default', 'monitoring']);
    expect(compose.services.prometheus.networks).toEqual(['monitoring']);
  });

  it('lets nobody into Grafana without the password, which is in a file of its own', () => {
    const { environment, secrets } = compose.services.grafana;
    expect(environment).toMatchObject({
      GF_SECURITY_ADMIN_PASSWORD__FILE: '/run/secrets/grafana-password',
      GF_AUTH_ANONYMOUS_ENABLED: 'false',
      GF_USERS_ALLOW_SIGN_UP: 'false',
    });
    expect(Object.keys(environment)).not.toContain('GF_SECURITY_ADMIN_PASSWORD');
    expect(secrets).toEqual(['grafana-password']);
    expect(compose.secrets).toEqual({ 'grafana-password': { file: './config/grafana-password' } });
  });

  it('pins the images that it adds', () => {
    for (const name of ['prometheus', 'grafana', 'node-exporter'])
      expect(compose.services[name].image).toMatch(/:v?\d+\.\d+\.\d+$/);
  });

  it('gives the days on which tokens expire to a container without a network, and no token and no config.toml', () => {
    const own = compose.services['token-metrics'];
    expect(own).toMatchObject({ network_mode: 'none', cap_drop: ['ALL'], read_only: true });
    expect(own.environment).toEqual({ RUNNER_TOKEN_EXPIRES: '${RUNNER_TOKEN_EXPIRES:-}' });
    const added = ['prometheus', 'grafana', 'node-exporter', 'token-metrics'];
    for (const name of added) expect(compose.services[name].volumes.join()).not.toContain('./config');
  });
});

/** What exports each metric: GitLab Runner by what the real one was seen to serve, and the others. */
const facts = readFileSync(new URL('../facts/real-runner-metrics.txt', import.meta.url), 'utf8');
const labelsOf: Readonly<Record<string, readonly string[]>> = {
  ...Object.fromEntries(
    facts.split('\n').flatMap(line => {
      const [, name, labels = ''] = /^(\w+) \w+ ?(\S*)$/.exec(line) ?? [];
      return name ? [[name, labels.split(',')]] : [];
    }),
  ),
  node_filesystem_avail_bytes: ['device', 'fstype', 'mountpoint'],
  node_filesystem_size_bytes: ['device', 'fstype', 'mountpoint'],
  gitlab_runner_token_expires_timestamp_seconds: ['token'],
  up: ['job', 'instance'],
  ALERTS: ['alertstate'],
};

describe('rules and dashboard', () => {
  const queries = [...rules.map(({ expr }) => expr), ...dashboardQueries];

  it('ask for no metric that nobody exports', () => {
    const asked = [...new Set(queries.flatMap(metricsIn))];
    expect(asked.length).toBeGreaterThan(10);
    expect(asked.filter(name => !Object.hasOwn(labelsOf, name))).toEqual([]);
  });

  it.each(queries)('ask for no label that the metric has not: %s', query => {
    const known = new Set(['le', ...metricsIn(query).flatMap(name => labelsOf[name] ?? [])]);
    const selected = [...query.matchAll(/(\w+)=~?"/g)].map(([, label]) => label!);
    const grouped = [...query.matchAll(/by \(([^)]*)\)/g)].flatMap(([, labels]) => labels!.split(/, */));
    expect([...selected, ...grouped].filter(label => !known.has(label))).toEqual([]);
  });

  it('take errors in the log of the runner for no sign of failing jobs: a local cache makes some', () => {
    expect(queries.join()).not.toContain('gitlab_runner_errors_total');
  });

  it('say of each alert what is wrong, and which command to run or file to change', () => {
    expect(rules.map(({ alert }) => alert)).toEqual([
      'RunnerGone',
      'JobsFailing',
      'QueueWaiting',
      'DiskFull',
      'TokenExpiring',
    ]);
    const makefile = texts.Makefile!;
    for (const { alert, annotations } of rules) {
      expect(annotations.summary, alert).toMatch(/^[A-Z].*\.$/);
      const commands = [...annotations.action.matchAll(/"make ([a-z]+)[^"]*"/g)].map(([, target]) => target);
      expect(commands.length, alert).toBeGreaterThan(0);
      for (const target of commands) expect(makefile).toMatch(new RegExp(`^${target}:`, 'm'));
    }
  });

  it('ask the provisioned data source, in panels that do not overlap', () => {
    const [source] = parse(texts['grafana/provisioning/datasources/prometheus.yml']!).datasources;
    const cells = new Set<string>();
    let count = 0;
    for (const { datasource, gridPos } of dashboard.panels) {
      expect(datasource.uid).toBe(source.uid);
      expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24);
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x += 1)
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y += 1) cells.add(`${x} ${y}`);
      count += gridPos.w * gridPos.h;
    }
    expect(cells.size).toBe(count);
    expect(new Set(dashboard.panels.map(({ id }) => id)).size).toBe(dashboard.panels.length);
  });

  it('are where docker-compose.yml and the provisioning mount them', () => {
    const [provider] = parse(texts['grafana/provisioning/dashboards/runner.yml']!).providers;
    expect(compose.services.grafana.volumes).toContain(`./grafana/dashboards:${provider.options.path}:ro`);
    expect(compose.services.prometheus.volumes).toContain('./prometheus:/etc/prometheus:ro');
  });
});

const schema = tool('@grafana/schema/dist/types/index.d.ts');

it.skipIf(!needs(schema !== undefined, '@grafana/schema in test/tools'))(
  'the dashboard has the types that Grafana gives to dashboards',
  () => {
    const folder = temporaryFolder();
    const modules = fileURLToPath(new URL('../../node_modules', import.meta.url));
    const literal = texts['grafana/dashboards/runner.json']!;
    const check = (name: string, text: string) => {
      // Plain literals, as the compiler widens what it imports from JSON; an enum takes no literal but its own.
      const typed = text
        .replaceAll('"mode": "absolute"', '"mode": ThresholdsMode.Absolute')
        .replaceAll('"type": "value"', '"type": MappingType.ValueToText');
      writeFileSync(
        join(folder, `${name}.ts`),
        `import { type Dashboard, MappingType, ThresholdsMode } from '@grafana/schema';\n` +
          `export const used = [MappingType, ThresholdsMode];\n` +
          `export const dashboard: Dashboard = ${typed};\n`,
      );
      const options = '--noEmit --strict --skipLibCheck --module esnext --moduleResolution bundler'.split(
        ' ',
      );
      return run(folder, [
        process.execPath,
        join(modules, 'typescript/bin/tsc'),
        ...options,
        '--target',
        'es2023',
        `${name}.ts`,
      ]);
    };
    mkdirSync(join(folder, 'node_modules/@grafana'), { recursive: true });
    symlinkSync(schema!.replace(/\/dist\/.*/, ''), join(folder, 'node_modules/@grafana/schema'));
    expect(check('dashboard', literal)).toEqual({ status: 0, stdout: '', stderr: '' });
    const wrong = check('wrong', literal.replace('"gridPos"', '"gridPosition"'));
    expect(wrong.stdout).toContain(`'"gridPosition"' does not exist`);
  },
);

describe('scripts/token-metrics.sh', () => {
  const awks = ['mawk', 'gawk', 'original-awk', 'busybox awk'].filter(awk =>
    isInstalled(...awk.split(' '), 'BEGIN { exit 0 }'),
  );
  const metric = 'gitlab_runner_token_expires_timestamp_seconds';
  const expected = [
    `${metric}{token="RUNNER_TOKEN"} ${Date.UTC(2028, 1, 29, 23, 59, 58) / 1000}`,
    `${metric}{token="RUNNER_TOKEN_A_1"} ${Date.UTC(2026, 1, 28, 23, 30) / 1000}`,
  ];
  const days = {
    RUNNER_TOKEN: 'glrt-s3cret',
    RUNNER_TOKEN_EXPIRES: '2028-02-29T23:59:58.000Z',
    RUNNER_TOKEN_A_1_EXPIRES: '2026-03-01T01:30:00+02:00',
    RUNNER_TOKEN_NEVER_EXPIRES: '',
    OTHER_EXPIRES: '2028-02-29T23:59:58Z',
  };

  /** The lines that it writes, sorted. */
  const read = (environment: Record<string, string>, awk: string) => {
    const folder = writeAll({ monitoring: 'yes' });
    mkdirSync(join(folder, 'bin'));
    writeFileSync(join(folder, 'bin/awk'), `#!/bin/sh\nexec ${awk} "$@"\n`, { mode: 0o755 });
    const env = { PATH: `${join(folder, 'bin')}:/usr/bin:/bin`, LC_ALL: 'C', ...environment };
    const ended = run(folder, ['sh', 'scripts/token-metrics.sh', 'tokens.prom'], '', env);
    expect(ended).toEqual({ status: 0, stdout: '', stderr: '' });
    const text = run(folder, ['cat', 'tokens.prom']).stdout;
    return {
      text,
      lines: text
        .split('\n')
        .filter(line => /^[^#]/.test(line))
        .sort(),
    };
  };

  it('has an awk to be tried with', () => expect(awks).not.toEqual([]));

  it.each(awks)('says by %s when tokens expire, and no token', awk => {
    const { text, lines } = read(days, awk);
    expect(lines).toEqual(expected);
    expect(text).not.toContain('glrt-');
  });

  it.each(awks)('says the same days by %s as the calendar of this program', awk => {
    const dates = Array.from(
      { length: 60 },
      (_, at) => new Date(Date.UTC(2024, 0, 1) + at * 37 * 86_400_000),
    );
    const environment = dates.map((day, at) => [`RUNNER_TOKEN_${100 + at}_EXPIRES`, day.toISOString()]);
    const said = read(Object.fromEntries(environment), awk).lines.map(line => Number(line.split(' ')[1]));
    expect(said).toEqual(dates.map(day => day.getTime() / 1000));
  });

  it.skipIf(!needs(isInstalled('promtool', '--version'), 'promtool'))(
    'writes what Prometheus can read',
    () => {
      const { status, stderr } = run('.', ['promtool', 'check', 'metrics'], read(days, awks[0]!).text);
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    },
  );
});

/** One alert in promtool's own test: series by their values, and when it does and does not fire. */
interface Trial {
  readonly alert: string;
  readonly interval?: string;
  readonly series: Readonly<Record<string, string>>;
  readonly quiet: readonly string[];
  readonly fires: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly summary: string;
}

const failed = (reason: string) => `gitlab_runner_failed_jobs_total{runner="a",failure_reason="${reason}"}`;
const queue = (le: string) => `gitlab_runner_job_queue_duration_seconds_bucket{runner="a",le="${le}"}`;
const disk = (what: string, fstype: string, device: string) =>
  `node_filesystem_${what}_bytes{job="node",fstype="${fstype}",device="${device}",mountpoint="/"}`;

const trials: Trial[] = [
  {
    alert: 'RunnerGone',
    series: { 'up{job="runner",instance="runner:9252"}': '1x9 0x20', 'up{job="node",instance="n"}': '0x30' },
    quiet: ['9m', '13m'],
    fires: '16m',
    labels: { job: 'runner', instance: 'runner:9252' },
    summary: 'The runner does not answer for its metrics.',
  },
  {
    alert: 'JobsFailing',
    series: {
      [failed('runner_system_failure')]: '0x29 1 2 3 4 5x100',
      [failed('script_failure')]: '0+9x150',
    },
    quiet: ['25m', '31m', '100m'],
    fires: '50m',
    labels: {},
    summary: 'Jobs fail because of the runner, 5 of them in half an hour.',
  },
  {
    alert: 'QueueWaiting',
    series: {
      [queue('300')]: '0+10x60 600x200',
      [queue('600')]: '0+10x260',
      [queue('+Inf')]: '0+10x260',
    },
    quiet: ['50m'],
    fires: '200m',
    labels: {},
    summary: 'One job in ten waits longer than 9m 30s for this runner.',
  },
  {
    alert: 'DiskFull',
    series: {
      [disk('avail', 'ext4', '/dev/sda1')]: '20x30 5x60',
      [disk('size', 'ext4', '/dev/sda1')]: '100x90',
      [disk('avail', 'tmpfs', 'tmpfs')]: '0x90',
      [disk('size', 'tmpfs', 'tmpfs')]: '100x90',
    },
    quiet: ['30m', '40m'],
    fires: '60m',
    labels: { device: '/dev/sda1' },
    summary: 'Only 5% of /dev/sda1 is free.',
  },
  {
    alert: 'TokenExpiring',
    series: {
      'gitlab_runner_token_expires_timestamp_seconds{token="RUNNER_TOKEN"}': `${15 * 86_400}x3000`,
      'gitlab_runner_token_expires_timestamp_seconds{token="RUNNER_TOKEN_B"}': `${20 * 86_400}x3000`,
    },
    quiet: ['23h', '24h10m'],
    fires: '25h',
    labels: { token: 'RUNNER_TOKEN' },
    summary: 'The token RUNNER_TOKEN expires within two weeks, or has expired.',
  },
];

const hasPrometheus = isInstalled('promtool', '--version') && isInstalled('prometheus', '--version');

describe.skipIf(!needs(hasPrometheus, 'prometheus and promtool'))('Prometheus itself', () => {
  it.each(['config prometheus.yml', 'rules rules.yml'])('finds nothing wrong: promtool check %s', what => {
    const { status, stdout, stderr } = run(join(writeAll({ monitoring: 'yes' }), 'prometheus'), [
      ...['promtool', 'check'],
      ...what.split(' '),
    ]);
    expect({ status, stderr }, stdout).toEqual({ status: 0, stderr: '' });
  });

  it('has a trial of every rule', () => {
    expect(trials.map(({ alert }) => alert)).toEqual(rules.map(({ alert }) => alert));
  });

  it.each(trials)('raises $alert when there is reason to, and not before', trial => {
    const folder = join(writeAll({ monitoring: 'yes' }), 'prometheus');
    const rule = rules.find(({ alert }) => alert === trial.alert)!;
    const fired = {
      exp_labels: { ...trial.labels, ...rule.labels },
      exp_annotations: { summary: trial.summary, action: rule.annotations.action },
    };
    const test = {
      rule_files: ['rules.yml'],
      evaluation_interval: '1m',
      tests: [
        {
          interval: '1m',
          input_series: Object.entries(trial.series).map(([series, values]) => ({ series, values })),
          alert_rule_test: [
            ...trial.quiet.map(time => ({ eval_time: time, alertname: trial.alert, exp_alerts: [] })),
            { eval_time: trial.fires, alertname: trial.alert, exp_alerts: [fired] },
          ],
        },
      ],
    };
    writeFileSync(join(folder, 'trial.yml'), JSON.stringify(test));
    const { status, stdout, stderr } = run(folder, ['promtool', 'test', 'rules', 'trial.yml']);
    expect(status, stdout + stderr).toBe(0);
  });

  it('has data for every query of the rules and the dashboard, asking a runner for its metrics', async () => {
    let calls = 0;
    const folder = writeAll({ monitoring: 'yes' });
    const soon = Math.round(Date.now() / 1000) + 86_400;
    const nodeMetrics = `${disk('avail', 'ext4', '/dev/sda1')} 5
${disk('size', 'ext4', '/dev/sda1')} 100
gitlab_runner_token_expires_timestamp_seconds{token="RUNNER_TOKEN"} ${soon}
`.replaceAll('job="node",', '');
    const servers = [() => runnerMetrics(++calls), () => nodeMetrics].map(text =>
      createServer((_, response) =>
        response.setHeader('content-type', 'text/plain; version=0.0.4').end(text()),
      ),
    );
    const spare = createServer();
    const ports = await Promise.all([...servers, spare].map(listen));
    spare.close();
    const [runner, node, own] = ports.map(port => `127.0.0.1:${port}`);
    const config = texts['prometheus/prometheus.yml']!.replace('runner:9252', runner!)
      .replace('node-exporter:9100', node!)
      .replace('localhost:9090', own!)
      .replaceAll('30s', '200ms');
    writeFileSync(join(folder, 'prometheus/prometheus.yml'), config);
    const prometheus = spawn(
      'prometheus',
      [
        '--config.file=prometheus/prometheus.yml',
        '--storage.tsdb.path=data',
        `--web.listen-address=${own}`,
        '--log.level=error',
      ],
      { cwd: folder, stdio: 'ignore' },
    );
    try {
      let waiting = [...rules.map(measured), ...dashboardQueries];
      for (; waiting.length > 0; await sleep(200)) {
        const answers = await Promise.all(waiting.map(query => ask(own!, query)));
        waiting = waiting.filter((_, at) => !answers[at]);
      }
    } finally {
      prometheus.kill('SIGKILL');
      await once(prometheus, 'exit');
      for (const server of servers) server.close();
    }
  });
});

async function listen(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

/** Whether Prometheus has a number for that query by now. */
async function ask(address: string, query: string): Promise<boolean> {
  const url = `http://${address}/api/v1/query?query=${encodeURIComponent(query)}`;
  const answer = await fetch(url).catch(() => undefined);
  // It says "Service Unavailable", which is no JSON, until it is ready.
  if (!answer || answer.status === 503) return false;
  const body = (await answer.json()) as {
    status: string;
    error?: string;
    data?: { result: { value: [number, string] }[] };
  };
  if (body.status !== 'success') throw new Error(`${query}: ${body.error}`);
  return (body.data?.result ?? []).some(({ value: [, number] }) => number !== 'NaN');
}
