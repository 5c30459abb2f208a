/** How the runner signs an address of its S3 cache for a job's helper, with the keys of its own environment. */
import { createHash, createHmac } from 'node:crypto';
import type { Table } from './config.ts';

/**
 * An address that is good for an hour (Signature Version 4 in the query).
 *
 * @param s3 `[runners.cache.s3]`; with `AuthenticationType = "iam"` the keys are those of AWS_ACCESS_KEY_ID and
 *   AWS_SECRET_ACCESS_KEY, else AccessKey and SecretKey
 */
export function signedAddress(method: string, path: string, s3: Table, env: NodeJS.ProcessEnv): string {
  const isIam = s3.AuthenticationType === 'iam';
  const accessKey = String((isIam ? env.AWS_ACCESS_KEY_ID : s3.AccessKey) ?? '');
  const secretKey = String((isIam ? env.AWS_SECRET_ACCESS_KEY : s3.SecretKey) ?? '');
  const host = String(s3.ServerAddress);
  const resource = `/${s3.BucketName}/${path}`;
  const time = new Date().toISOString().replace(/[-:]|\.\d+/g, '');
  const day = time.slice(0, 8);
  const region = String(s3.BucketLocation ?? 'us-east-1');
  const scope = `${day}/${region}/s3/aws4_request`;
  const query = new URLSearchParams({
    'X-Amz-Algorithm': 'AWS4-HMAC-SHA256',
    'X-Amz-Credential': `${accessKey}/${scope}`,
    'X-Amz-Date': time,
    'X-Amz-Expires': '3600',
    'X-Amz-SignedHeaders': 'host',
  });
  const request = [method, resource, query, `host:${host}\n`, 'host', 'UNSIGNED-PAYLOAD'].join('\n');
  const digest = createHash('sha256').update(request).digest('hex');
  const hmac = (key: string | Buffer, text: string) => createHmac('sha256', key).update(text).digest();
  const key = [day, region, 's3', 'aws4_request'].reduce<string | Buffer>(hmac, `AWS4${secretKey}`);
  const signature = hmac(key, ['AWS4-HMAC-SHA256', time, scope, digest].join('\n')).toString('hex');
  return `${s3.Insecure ? 'http' : 'https'}://${host}${resource}?${query}&X-Amz-Signature=${signature}`;
}
