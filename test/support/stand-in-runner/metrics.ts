/** The listener of `listen_address`: metrics, and since 19.2 whether the runner is ready. */
import { createServer, type Server } from 'node:http';

/** What is served, as it is at the time of the question. */
export interface Measured {
  version: string;
  concurrent: number;
  running: number;
  handled: number;
}

/** Listens at `[host]:port` until it is closed. */
export function serveMetrics(address: string, measured: () => Measured): Server {
  const [, host = '', port = '9252'] = /^(.*?)(?::(\d+))?$/.exec(address) ?? [];
  const server = createServer((request, response) => {
    const now = measured();
    const [major = 0, minor = 0] = now.version.split('.').map(Number);
    if (request.url === '/metrics')
      response.setHeader('content-type', 'text/plain; version=0.0.4').end(metrics(now));
    else if (request.url === '/health/ready' && (major > 19 || (major === 19 && minor >= 2))) response.end();
    else response.writeHead(404).end();
  });
  return server.listen(Number(port), host === '' ? '::' : host);
}

function metrics({ version, concurrent, running, handled }: Measured): string {
  return [
    `gitlab_runner_version_info{name="gitlab-runner",version="${version}"} 1`,
    `gitlab_runner_concurrent ${concurrent}`,
    `gitlab_runner_jobs{state="running",stage="build_script"} ${running}`,
    `gitlab_runner_jobs_total ${handled}`,
    '',
  ].join('\n');
}
