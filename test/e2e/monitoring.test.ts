import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { needs } from '../support/needs.ts';
import { Bench } from './support/bench.ts';
import { engine } from './support/engines.ts';
import { derive } from './support/global-setup.ts';
import { eventually, run } from './support/program.ts';
import { hasImages, imagesLoaded } from './support/surroundings.ts';

const modern = engine('modern');
const able =
  needs(modern !== undefined, 'a Docker Engine (E2E_ENGINES)') &&
  needs(await hasImages(modern), 'the images of .ci/images');

/** Runs as Grafana's user, takes the password of its file, and shows the data source of its folders to who has it. */
const grafana = `FROM node:24-alpine
RUN mkdir -p /var/lib/grafana && chown 472:0 /var/lib/grafana
USER 472:0
CMD ["node", "--eval", "const fs = require('node:fs'); \\
  const password = fs.readFileSync(process.env.GF_SECURITY_ADMIN_PASSWORD__FILE, 'utf8').trim(); \\
  for (const path of ['provisioning/datasources', 'provisioning/dashboards']) fs.readdirSync('/etc/grafana/' + path); \\
  JSON.parse(fs.readFileSync(process.env.GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH)); \\
  fs.writeFileSync('/var/lib/grafana/grafana.db', ''); \\
  const wanted = 'Basic ' + btoa('admin:' + password); \\
  require('node:http').createServer(({ headers }, answer) => \\
    answer.writeHead(headers.authorization === wanted ? 200 : 401).end('Main Org.')).listen(3000);"]
`;

describe.skipIf(!able)('with monitoring, and most taken away', () => {
  let bench: Bench;
  const expires = new Date(Math.ceil(Date.now() / 1000) * 1000 + 86_400_000);
  const compose = (...words: string[]) => run(['docker', 'compose', ...words], bench.repository.at());

  /** The first number that Prometheus has for a query, once it has one. */
  const soon = (query: string): Promise<{ metric: Record<string, string>; value: [number, string] }> =>
    eventually(async () => {
      const url = `http://127.0.0.1:9090/api/v1/query?query=${encodeURIComponent(query)}`;
      const { stdout } = await compose('exec', '-T', 'prometheus', 'wget', '-q', '-O', '-', url);
      const [first] = JSON.parse(stdout || '{"data":{"result":[]}}').data.result;
      expect(first, query).toBeDefined();
      return first;
    });

  beforeAll(imagesLoaded, 900_000);
  beforeAll(async () => {
    bench = await Bench.open(modern!, ['--monitoring', '--hardening', 'strict']);
    const runner = bench.gitlab.addRunner({ tagList: ['docker'], tokenExpiresAt: expires.toISOString() });
    bench.repository.writeEnv({ RUNNER_TOKEN: runner.token });
    await bench.succeed('register');
    bench.repository.edit('prometheus/prometheus.yml', '30s', '1s');
    const image = /image: (grafana\/\S+)/.exec(bench.repository.read('docker-compose.yml'))![1]!;
    await derive(modern!, image, grafana);
    await bench.succeed('up');
  });
  afterAll(async () => {
    await compose('down', '--volumes', '--timeout', '1');
    await bench?.close();
  });

  it('has the metrics of the runner, of the disks, and when the token expires, but no token', async () => {
    expect(bench.repository.environment().RUNNER_TOKEN_EXPIRES).toBeTruthy();
    expect((await soon('gitlab_runner_concurrent == 2')).metric.job).toBe('runner');
    expect((await soon('up{job="node"} == 1')).metric.job).toBe('node');
    const token = await soon('gitlab_runner_token_expires_timestamp_seconds');
    expect(Number(token.value[1])).toBe(expires.getTime() / 1000);
    expect(JSON.stringify(token)).not.toContain('glrt-');
    expect(await soon('ALERTS{alertname="TokenExpiring",alertstate="pending"}')).toBeDefined();
  });

  it('has Grafana at a port of this host alone, with the password that make up made, as its own user', async () => {
    const password = bench.repository.read('config/grafana-password').trim();
    // The password may have a slash in it, so it is no part of an address.
    const ask = (user: string) => {
      const header = `Authorization: Basic ${btoa(user)}`;
      const words = ['wget', '-q', '-O', '-', '--header', header, 'http://127.0.0.1:3000/api/org'];
      return compose('exec', '-T', 'grafana', ...words);
    };
    const answer = await eventually(async () => {
      const outcome = await ask(`admin:${password}`);
      expect(outcome.code, outcome.output).toBe(0);
      return outcome.stdout;
    });
    expect(answer).toContain('Main Org.');
    expect((await ask('admin:admin')).code).not.toBe(0);
    const published = await bench.repository.docker('port', await bench.repository.container('grafana'));
    expect(published.trim()).toBe('3000/tcp -> 127.0.0.1:3000');
  });

  it('is healthy once GitLab accepts the token, and shows its metrics at no port of the host', async () => {
    const container = await bench.repository.container();
    const test = ['inspect', '--format', '{{index .Config.Healthcheck.Test 1}}', container];
    const check = (await bench.repository.docker(...test)).trim();
    expect((await run(['docker', 'exec', container, 'sh', '-c', check], bench.repository.at())).code).toBe(0);
    await expect(fetch(`http://${modern!.engineAddress}:9252/metrics`)).rejects.toThrow('fetch failed');
    expect(await bench.repository.docker('port', container)).toBe('');
  });
});
