/** The listener of `listen_address`: metrics, and since 19.2 whether the runner is ready. */
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { join } from 'node:path';
import { isSince } from './config.ts';
import type { Context } from './gitlab-runner.ts';

/** Values by the name of a metric, for each set of labels; labels that the real one has and these have not are empty. */
export type Measured = Record<string, { labels?: Record<string, string>; value: number }[]>;

/** Listens at `[host]:port` until it is closed. */
export function serveMetrics(address: string, context: Context, measured: () => Measured): Server {
  const [, host = '', port = '9252'] = /^(.*?)(?::(\d+))?$/.exec(address) ?? [];
  const families = readFileSync(join(context.io.facts, 'real-runner-metrics.txt'), 'utf8');
  const server = createServer((request, response) => {
    if (request.url === '/metrics')
      response.setHeader('content-type', 'text/plain; version=0.0.4').end(metricsText(families, measured()));
    else if (request.url === '/health/ready' && isSince(context.version, 19, 2)) response.end();
    else response.writeHead(404).end();
  });
  context.log.info('Metrics server listening', { address });
  return server.listen(Number(port), host === '' ? '::' : host);
}

/**
 * Every family of the real runner with its type, and its label names as seen there.
 *
 * @param families lines of a name, a type and label names
 */
export function metricsText(families: string, measured: Measured): string {
  const lines = families.split('\n').filter(line => /^\w/.test(line));
  return lines
    .flatMap(line => {
      const [name = '', type = '', labelNames = ''] = line.split(' ');
      const names = labelNames
        .split(',')
        .filter(label => label !== '' && label !== 'le' && label !== 'quantile');
      const series = measured[name] ?? (type === 'histogram' || names.length > 0 ? [] : [{ value: 0 }]);
      return [
        `# TYPE ${name} ${type}`,
        ...series.flatMap(({ labels = {}, value }) => {
          const text = (more: Record<string, string> = {}) => {
            const all = { ...Object.fromEntries(names.map(label => [label, ''])), ...labels, ...more };
            const pairs = Object.entries(all).map(([label, content]) => `${label}="${content}"`);
            return pairs.length > 0 ? `{${pairs}}` : '';
          };
          if (type === 'summary') return [`${name}_sum${text()} ${value}`, `${name}_count${text()} ${value}`];
          if (type !== 'histogram') return [`${name}${text()} ${value}`];
          return [
            `${name}_bucket${text({ le: '+Inf' })} ${value}`,
            `${name}_sum${text()} ${value}`,
            `${name}_count${text()} ${value}`,
          ];
        }),
      ];
    })
    .concat('')
    .join('\n');
}
