import { type Answers, usesHostEngine } from '../ask/questions.ts';
import type { BuilderPlan } from './builder.ts';

/** Where those who need a service of docker-compose.yml find it. */
interface Place {
  /** Addresses of this host at which it listens. */
  readonly addresses: readonly string[];
  /** Whether it is on the network of the jobs. */
  readonly isOnNetwork: boolean;
}

/** A pull-through cache of Docker Hub. */
export interface Mirror extends Place {
  /** Who has to be told of it by hand, as it belongs to the host. */
  readonly isForHost: boolean;
}

/** The S3 server that keeps the caches of jobs. */
export interface Cache {
  /** Its host and port, as jobs find it. */
  readonly address: string;
  readonly bucket: string;
  /** Where docker-compose.yml runs it. */
  readonly service: Place | undefined;
}

/** The HTTP proxy to the outside. */
export interface HttpProxy {
  readonly url: string;
  /** What is reached without it, as in NO_PROXY. */
  readonly exceptions: readonly string[];
}

/** The mirror as one runner finds it; without an address of this host by the network of the jobs. */
export interface MirrorOfRunner extends Pick<Mirror, 'isForHost'> {
  readonly address: string | undefined;
}

/** The cache as jobs of one runner find it; the address is one of this host, as with the mirror. */
export interface CacheOfRunner {
  readonly server: string;
  readonly bucket: string;
  readonly isHere: boolean;
  readonly address: string | undefined;
}

/** This host, as containers on Docker's default bridge see it. */
const bridgeAddress = '172.17.0.1';

export const distinct = <T>(items: readonly T[]): T[] => [...new Set(items)];

/** Where all of those find a service that each finds at one address of this host, or on the network of the jobs. */
export function placeOf(found: readonly { readonly address: string | undefined }[]): Place {
  return {
    addresses: distinct(found.flatMap(({ address }) => address ?? [])),
    isOnNetwork: found.some(({ address }) => address === undefined),
  };
}

export function planMirror(answers: Answers, { compose }: BuilderPlan): MirrorOfRunner | undefined {
  if (!answers.mirror) return undefined;
  const isForHost = usesHostEngine(answers);
  // What runs beside a job is on a network of its own, and comes by the address of Docker's default bridge.
  const address = isForHost ? '127.0.0.1' : compose.service ? undefined : bridgeAddress;
  return { address, isForHost };
}

export function planCache(
  { cache, cacheServer, cacheBucket: bucket }: Answers,
  { compose }: BuilderPlan,
): CacheOfRunner | undefined {
  if (cache !== 's3') return undefined;
  if (cacheServer !== 'here')
    return { server: new URL(cacheServer).host, bucket, isHere: false, address: undefined };
  // Jobs are on the network of what they build with, or on Docker's default bridge.
  const address = compose.service ? undefined : bridgeAddress;
  return { server: 'job-cache:7070', bucket, isHere: true, address };
}

export function planProxy(
  { httpProxy, proxyExceptions, mirror, cache, cacheServer, dockerNetwork, gitlabUrl }: Answers,
  { compose, pipeline }: BuilderPlan,
): HttpProxy | undefined {
  if (httpProxy === undefined) return undefined;
  const near = ['localhost', '127.0.0.1', ...(compose.service ? [compose.service] : [])];
  const besides = [...pipeline.services.map(({ alias }) => alias), ...(mirror ? ['mirror'] : [])];
  if (cache === 's3' && cacheServer === 'here') besides.push('job-cache');
  if (dockerNetwork !== undefined) besides.push(new URL(gitlabUrl).hostname);
  return { url: httpProxy, exceptions: distinct([...near, ...besides, ...proxyExceptions]) };
}
