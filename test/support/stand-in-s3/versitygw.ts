/**
 * As much of the Versity S3 Gateway 1.8 as runners, doctors and helpers of jobs ask of it: buckets are folders, and
 * every call must be signed in its address. Signatures are checked by aws4, which knows nothing of ours.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import { dirname, join } from 'node:path';
// @ts-expect-error it has no types, and is installed where the program runs
import aws4 from 'aws4';

interface Answer {
  status: number;
  body?: string | Buffer;
}

const [flag, health, backend, folder = '', ...rest] = process.argv.slice(2);
if (flag !== '--health' || !health?.startsWith('/') || backend !== 'posix' || rest.length > 0) {
  console.error('usage: versitygw --health /PATH posix FOLDER');
  process.exit(1);
}
const { ROOT_ACCESS_KEY: accessKeyId = '', ROOT_SECRET_KEY: secretAccessKey = '' } = process.env;
if (accessKeyId === '' || secretAccessKey === '') {
  console.error('root user access and secret key must be provided');
  process.exit(1);
}

const refusal = (status: number, code: string): Answer => ({
  status,
  body: `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code></Error>`,
});

/** Why the call is not served; undefined where its signature is good. */
function refuse(method: string, host: string, url: URL): Answer | undefined {
  const signature = url.searchParams.get('X-Amz-Signature');
  const [key, , region = ''] = (url.searchParams.get('X-Amz-Credential') ?? '').split('/');
  if (!signature) return refusal(403, 'AccessDenied');
  // The real one has no other word for a key that nobody has.
  if (key !== accessKeyId) return refusal(404, 'XAdminUserNotFound');
  if (region !== 'us-east-1') return refusal(400, 'AuthorizationQueryParametersError');
  const [, year, month, day, hour, minute, second] =
    /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(url.searchParams.get('X-Amz-Date') ?? '') ?? [];
  const age = Date.now() - Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  if (!(age < Number(url.searchParams.get('X-Amz-Expires')) * 1000)) return refusal(403, 'AccessDenied');
  const path = `${url.pathname}${url.search.replace(/&?X-Amz-Signature=[^&]*/, '')}`;
  const call = { method, host, path, service: 's3', region, signQuery: true };
  const signed = aws4.sign(call, { accessKeyId, secretAccessKey });
  const expected = new URL(`http://${host}${signed.path}`).searchParams.get('X-Amz-Signature');
  return signature === expected ? undefined : refusal(403, 'SignatureDoesNotMatch');
}

async function answer(request: IncomingMessage): Promise<Answer> {
  const { method = '', url: target = '/' } = request;
  const host = request.headers.host ?? '';
  const url = new URL(target, `http://${host}`);
  if (method === 'GET' && url.pathname === health) return { status: 200, body: 'OK' };
  const refused = refuse(method, host, url);
  if (refused) return refused;
  const [, bucket = '', ...key] = decodeURIComponent(url.pathname).split('/');
  if (bucket !== '' && !existsSync(join(folder, bucket))) return refusal(404, 'NoSuchBucket');
  if (key.length === 0 || key[0] === '') return { status: 200, body: '<ListBucketResult/>' };
  const file = join(folder, bucket, ...key);
  if (method === 'PUT') {
    mkdirSync(join(folder, '.vgwlocks'), { recursive: true });
    mkdirSync(dirname(file), { recursive: true });
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    writeFileSync(file, Buffer.concat(parts));
    return { status: 200 };
  }
  return existsSync(file) ? { status: 200, body: readFileSync(file) } : refusal(404, 'NoSuchKey');
}

createServer((request, response) => {
  answer(request)
    .catch(() => refusal(500, 'InternalError'))
    .then(({ status, body }) => response.writeHead(status).end(request.method === 'HEAD' ? undefined : body));
}).listen(7070);
process.on('SIGTERM', () => process.exit(0));
