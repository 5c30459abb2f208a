import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { basename } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

/** A registry of npm that has a few packages, on this host alone. */
export interface Registry {
  readonly url: string;
  /** The paths that were asked for. */
  readonly requests: readonly string[];
  readonly close: () => void;
}

/**
 * Opens a registry that has these packages, and no others.
 *
 * @param tarballs paths of packed packages
 * @param network how long an answer takes to come, as over a network
 * @see https://github.com/npm/registry/blob/main/docs/responses/package-metadata.md
 */
export async function openRegistry(
  tarballs: readonly string[],
  network = { milliseconds: 0, bytesPerMillisecond: Number.POSITIVE_INFINITY },
): Promise<Registry> {
  const requests: string[] = [];
  const files = new Map(tarballs.map(tarball => [`/-/${basename(tarball)}`, readFileSync(tarball)]));
  const packages = new Map<string, object>();
  const server = createServer(async ({ url = '' }, response) => {
    requests.push(url);
    const body = files.get(url) ?? (packages.has(url) ? JSON.stringify(packages.get(url)) : undefined);
    await pause(network.milliseconds + (body?.length ?? 0) / network.bytesPerMillisecond);
    response.writeHead(body === undefined ? 404 : 200);
    response.end(body);
  });
  await new Promise<void>(resolve => void server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  for (const tarball of tarballs) {
    const manifest = JSON.parse(
      execFileSync('tar', ['-xzOf', tarball, 'package/package.json'], { encoding: 'utf8' }),
    );
    const path = `/-/${basename(tarball)}`;
    const integrity = `sha512-${createHash('sha512').update(files.get(path)!).digest('base64')}`;
    const { name, version } = manifest;
    packages.set(`/${name}`, {
      name,
      'dist-tags': { latest: version },
      versions: { [version]: { ...manifest, dist: { tarball: `${url}${path}`, integrity } } },
    });
  }
  return { url, requests, close: () => void server.close() };
}
