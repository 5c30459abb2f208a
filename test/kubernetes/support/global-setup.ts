import { type ChildProcess, spawn } from 'node:child_process';
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { programs, runProgram } from './programs.ts';

const started: ChildProcess[] = [];

/**
 * Starts etcd, the API server and the controllers of Kubernetes on loopback, and names them by KUBECONFIG. There is no
 * node: nothing runs in pods.
 */
export default async function setUp(): Promise<() => Promise<void>> {
  if (!existsSync(join(programs, '.ready')))
    throw new Error('KUBERNETES_PROGRAMS names no folder that .ci/kubernetes has filled.');
  process.env.PATH = `${programs}:${process.env.PATH}`;
  const folder = mkdtempSync(join(tmpdir(), 'kubernetes-'));
  const tearDown = async () => {
    for (const child of started.toReversed()) {
      child.kill('SIGTERM');
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    }
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await startAll(folder);
  } catch (error) {
    await tearDown();
    throw error;
  }
  return tearDown;
}

async function startAll(folder: string): Promise<void> {
  const [clients, peers, secure] = [await freePort(), await freePort(), await freePort()];
  const etcd = `http://127.0.0.1:${clients}`;
  start(folder, 'etcd', [
    ...['--data-dir', join(folder, 'etcd'), '--unsafe-no-fsync', '--log-level=warn'],
    ...['--listen-client-urls', etcd, '--advertise-client-urls', etcd],
    ...['--listen-peer-urls', `http://127.0.0.1:${peers}`],
  ]);
  const { key, publicFile } = accountKeys(folder);
  const token = randomUUID();
  const tokens = join(folder, 'tokens.csv');
  writeFileSync(tokens, `${token},admin,admin,system:masters\n`, { mode: 0o600 });
  const certificates = join(folder, 'certificates');
  start(folder, 'kube-apiserver', [
    ...[`--etcd-servers=${etcd}`, '--bind-address=127.0.0.1', `--secure-port=${secure}`],
    ...[`--cert-dir=${certificates}`, '--authorization-mode=RBAC', `--token-auth-file=${tokens}`],
    ...[
      '--service-account-issuer=https://kubernetes.default.svc',
      `--service-account-key-file=${publicFile}`,
    ],
    ...[`--service-account-signing-key-file=${key}`, '--service-cluster-ip-range=10.43.0.0/24'],
  ]);
  await until('the certificate', folder, async () => existsSync(join(certificates, 'apiserver.crt')));
  const kubeconfig = join(folder, 'kubeconfig');
  const server = `https://127.0.0.1:${secure}`;
  writeFileSync(kubeconfig, configuration(server, join(certificates, 'apiserver.crt'), token), {
    mode: 0o600,
  });
  process.env.KUBECONFIG = kubeconfig;
  process.env.HELM_CACHE_HOME =
    process.env.HELM_CONFIG_HOME =
    process.env.HELM_DATA_HOME =
      join(folder, 'helm');
  await until('the API server', folder, async () => {
    return (await runProgram('kubectl', ['get', '--raw', '/readyz'])).status === 0;
  });
  start(folder, 'kube-controller-manager', [
    ...[`--kubeconfig=${kubeconfig}`, '--leader-elect=false', '--secure-port=0'],
    ...[`--service-account-private-key-file=${key}`],
    '--controllers=deployment-controller,replicaset-controller,namespace-controller,serviceaccount-controller,garbage-collector-controller',
  ]);
  await until('the accounts of the namespace "default"', folder, async () => {
    return (await runProgram('kubectl', ['get', 'serviceaccount', 'default'])).status === 0;
  });
}

/** Keys by which tokens of service accounts are signed, and checked. */
function accountKeys(folder: string): { key: string; publicFile: string } {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  const [key, publicFile] = [join(folder, 'accounts.key'), join(folder, 'accounts.pub')];
  writeFileSync(key, privateKey, { mode: 0o600 });
  writeFileSync(publicFile, publicKey);
  return { key, publicFile };
}

function start(folder: string, program: string, words: readonly string[]): void {
  const log = openSync(join(folder, `${program}.log`), 'a');
  const child = spawn(join(programs, program), words, { stdio: ['ignore', log, log], cwd: folder });
  started.push(child);
}

/** @throws Error with the end of the logs, if a program ended, or a minute is over */
async function until(what: string, folder: string, isThere: () => Promise<boolean>): Promise<void> {
  for (let left = 300; !(await isThere()); left -= 1) {
    const ended = started.find(({ exitCode, signalCode }) => exitCode !== null || signalCode !== null);
    if (left === 0 || ended) throw new Error(`${what} is not there.\n${logsIn(folder)}`);
    await sleep(200);
  }
}

const logsIn = (folder: string) =>
  ['etcd', 'kube-apiserver', 'kube-controller-manager']
    .map(name => join(folder, `${name}.log`))
    .filter(existsSync)
    .map(file => `${file}:\n${readFileSync(file, 'utf8').split('\n').slice(-8).join('\n')}`)
    .join('\n');

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

function configuration(server: string, authority: string, token: string): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'tests',
    clusters: [{ name: 'tests', cluster: { server, 'certificate-authority': authority } }],
    contexts: [{ name: 'tests', context: { cluster: 'tests', user: 'admin' } }],
    users: [{ name: 'admin', user: { token } }],
  });
}
