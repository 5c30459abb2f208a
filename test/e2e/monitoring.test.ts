import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GitLabServer } from '../support/gitlab-server.ts';
import { needs } from '../support/needs.ts';
import { engine } from './support/engines.ts';
import { eventually, output, run } from './support/program.ts';
import { Repository } from './support/repository.ts';
import { hasImages, imagesLoaded } from './support/surroundings.ts';

const modern = engine('modern');
const able =
  needs(modern !== undefined, 'a Docker Engine (E2E_ENGINES)') &&
  needs(await hasImages(modern), 'the images of .ci/images');

describe.skipIf(!able)('with monitoring', () => {
  let gitlab: GitLabServer;
  let repository: Repository;
  const expires = new Date(Math.ceil(Date.now() / 1000) * 1000 + 86_400_000);
  const compose = (...words: string[]) => run(['docker', 'compose', ...words], repository.at());

  /** The numbers that Prometheus has for a query, by their labels. */
  const ask = async (
    query: string,
  ): Promise<{ metric: Record<string, string>; value: [number, string] }[]> => {
    const url = `http://127.0.0.1:9090/api/v1/query?query=${encodeURIComponent(query)}`;
    const { stdout } = await compose('exec', '-T', 'prometheus', 'wget', '-q', '-O', '-', url);
    return JSON.parse(stdout || '{"data":{"result":[]}}').data.result;
  };
  const soon = (query: string) =>
    eventually(async () => {
      const [first] = await ask(query);
      expect(first, query).toBeDefined();
      return first!;
    });

  beforeAll(imagesLoaded, 900_000);

  beforeAll(async () => {
    gitlab = await GitLabServer.start({ host: '0.0.0.0' });
    const url = gitlab.url.replace('127.0.0.1', modern!.hostAddress);
    repository = await Repository.scaffold(modern!, ['--monitoring', '--gitlab-url', url], 'monitoring-');
    repository.writeEnv({
      RUNNER_TOKEN: gitlab.addRunner({ tagList: ['docker'], tokenExpiresAt: expires.toISOString() }).token,
    });
    await output(['make', 'register'], repository.at());
    repository.edit('prometheus/prometheus.yml', '30s', '1s');
  });

  afterAll(async () => {
    if (repository) await compose('down', '--volumes', '--timeout', '1');
    await repository?.dispose();
    await gitlab?.stop();
  });

  it('registers a runner that serves its metrics, and makes a password that only Grafana may read', async () => {
    expect(repository.config().listen_address).toBe(':9252');
    const target = 'config/grafana-password';
    await output(['make', target], repository.at());
    const made = repository.read(target);
    expect(made).toMatch(/^[\w+/]{32}\n$/);
    expect((await run(['stat', '-c', '%a %u', target], repository.at())).stdout).toBe('600 472\n');
    await output(['make', target], repository.at());
    expect(repository.read(target)).toBe(made);
    expect((await run(['git', 'status', '--short', '--', 'config'], repository.at())).stdout).not.toContain(
      'grafana',
    );
  });

  it('has the metrics of the runner, of the disks, and when the token expires, but no token', async () => {
    // Grafana's image is not here.
    const { code, output: text } = await compose(
      ...['up', '-d', 'runner', 'prometheus', 'node-exporter', 'token-metrics'],
    );
    expect(code, text).toBe(0);
    expect((await soon('gitlab_runner_concurrent == 2')).metric.job).toBe('runner');
    expect((await soon('up{job="node"} == 1')).metric.job).toBe('node');
    const token = await soon('gitlab_runner_token_expires_timestamp_seconds');
    expect(token.metric).toMatchObject({ runner: 'My Docker Runner' });
    expect(Number(token.value[1])).toBe(expires.getTime() / 1000);
    expect(await soon('ALERTS{alertname="TokenExpiring",alertstate="pending"}')).toBeDefined();
    const written = await compose('exec', '-T', 'node-exporter', 'cat', '/token-metrics/tokens.prom');
    expect(written.stdout).toContain('My Docker Runner');
    expect(written.stdout).not.toContain('glrt-');
  });

  it('is healthy by its own word, and shows its metrics at no port of the host', async () => {
    const container = (await compose('ps', '-q', 'runner')).stdout.trim();
    const format = '{{.State.Health.Status}} {{json .NetworkSettings.Ports}}';
    await eventually(async () =>
      expect(await repository.docker('inspect', '--format', format, container)).toMatch(/^healthy /),
    );
    const log = '{{range .State.Health.Log}}{{.Output}}{{end}}';
    // The other check would say that GitLab knows the token.
    expect(await repository.docker('inspect', '--format', log, container)).not.toContain('valid');
    await expect(fetch(`http://${modern!.engineAddress}:9252/metrics`)).rejects.toThrow('fetch failed');
    expect(await repository.docker('port', container)).toBe('');
  });
});
