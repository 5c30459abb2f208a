// The runner in its cluster:  scripts/run cluster secrets | forget | up | down | logs | status | upgrade [VERSION of the chart]
// "secrets" brings the Secrets in line with .env, and "forget" deletes that of a token which .env has no more; "up" installs
// the chart of helm/release.json with helm/values.yaml; "upgrade" does so with the newest version, and keeps it where it works.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import * as gitlab from './gitlab.ts';
import * as host from './host.ts';
import { env, Failure, lastLine, type Note, type Run, type RunOptions } from './host.ts';
import { runners } from './settings.ts';

const file = (path: string) => new URL(path, host.root);

/** What helm/release.json says: the name of the release, its namespace, and the chart with its version. */
type Release = Readonly<Record<'release' | 'namespace' | 'chart' | 'repository' | 'version', string>>;

/** @throws Failure if it cannot be read */
export function readRelease(): Release {
  try {
    return JSON.parse(readFileSync(file('helm/release.json'), 'utf8'));
  } catch (error) {
    const remedy = 'What git has of it: git checkout helm/release.json';
    throw new Failure(`helm/release.json cannot be read: ${(error as Error).message}`, remedy);
  }
}

/** The cluster is that of KUBE_CONTEXT in .env, or the current one of kubectl. */
const context = (option: string) => (env('KUBE_CONTEXT') === '' ? [] : [option, env('KUBE_CONTEXT')]);

const kubectl = (run: Run, words: readonly string[], options?: RunOptions) =>
  run(['kubectl', ...context('--context'), ...words], options);

const helm = (run: Run, words: readonly string[], options?: RunOptions) =>
  run(['helm', ...context('--kube-context'), ...words], options);

/** Why no cluster answers: what the exit code and the errors match, the sentence, and what helps. */
const noCluster: [RegExp, string, string][] = [
  [/^127/, 'kubectl is not installed.', 'Install it: https://kubernetes.io/docs/tasks/tools/'],
  [/^124/, 'The cluster does not answer.', 'Check the network, and: kubectl cluster-info'],
  [
    /context .*does not exist/i,
    'There is no such context: ',
    'See: kubectl config get-contexts; KUBE_CONTEXT in .env',
  ],
  [
    /executable .* not found/i,
    'kubectl finds no program that logs in to the cluster: ',
    'Install it, as whoever runs the cluster says',
  ],
  [
    /x509|certificate/i,
    'The certificate of the cluster is not trusted: ',
    'Get its settings for kubectl anew; see: kubectl config view',
  ],
  [
    /unauthorized|logged in|credentials/i,
    'The cluster does not know you: ',
    'Log in to it; see: kubectl config view',
  ],
  [/localhost:8080|no configuration/i, 'kubectl knows no cluster: ', 'See: kubectl config get-contexts'],
  [/^/, 'The cluster cannot be reached: ', 'Check the network, and: kubectl cluster-info'],
];

/** What the API server says of itself. @throws Failure if it does not answer */
async function requireCluster(run: Run): Promise<string> {
  const { status, stdout, stderr } = await kubectl(run, ['version', '--output', 'json']);
  const server = status === 0 && JSON.parse(stdout).serverVersion?.gitVersion;
  if (server) return server;
  const [, problem, remedy] = noCluster.find(([pattern]) => pattern.test(`${status} ${stderr}`))!;
  // After the cause kubectl may print a paragraph of advice.
  const cause = /^.*(?:executable .* not found|x509).*$/m.exec(stderr)?.[0] ?? stderr;
  throw new Failure(problem.endsWith(': ') ? problem + lastLine(cause) : problem, remedy);
}

/** @throws Failure if Helm is not installed, or too old */
async function requireHelm(run: Run): Promise<string> {
  const { status, stdout, stderr } = await run(['helm', 'version', '--template', '{{.Version}}']);
  // `get metadata` came with 3.13.
  const install = 'Install Helm 3.13 or later: https://helm.sh/docs/intro/install/';
  if (status === 127) throw new Failure('Helm is not installed.', install);
  if (status !== 0) throw new Failure(`Helm does not work: ${lastLine(stderr)}`, install);
  if (/^v?([12]\.|3\.([0-9]|1[0-2])\.)/.test(stdout)) throw new Failure(`Helm is ${stdout}.`, install);
  return stdout;
}

type Data = Readonly<Record<string, string>>;

/** The Secrets that helm/values.yaml names, as .env and config/certs have them; undefined where there is nothing for one. */
export function wantedSecrets(): Readonly<Record<string, Data | undefined>> {
  const { release } = readRelease();
  const [runner] = runners;
  const token = env(runner!.tokenVariable);
  const keys = [env('CACHE_S3_ACCESS_KEY'), env('CACHE_S3_SECRET_KEY')] as const;
  const names = (word: string) => valueAt(word).startsWith(`${release}-`);
  return {
    // The chart asks for both keys, and one of them is of the old way.
    [`${release}-token`]:
      token === '' ? undefined : { 'runner-registration-token': '', 'runner-token': token },
    ...(names('secretName') && {
      [`${release}-cache`]: keys.includes('') ? undefined : { accesskey: keys[0], secretkey: keys[1] },
    }),
    ...(names('certsSecretName') && { [`${release}-certs`]: certificates() }),
  };
}

function certificates(): Data | undefined {
  const authority = file('config/certs/ca.crt');
  return existsSync(authority) ? { 'ca.crt': readFileSync(authority, 'utf8') } : undefined;
}

/** What helm/values.yaml has for that key, which is there once; empty where it is not. */
function valueAt(key: string): string {
  const line = new RegExp(`^ *${key}: *["']?([^"'\\s#]*)`, 'm').exec(
    readFileSync(file('helm/values.yaml'), 'utf8'),
  );
  return line?.[1] ?? '';
}

/** Makes the namespace where it is missing, and brings each Secret in line. @throws Failure if the cluster refuses */
export async function applySecrets(run: Run): Promise<void> {
  const { namespace } = readRelease();
  await requireNewestToken(run);
  // Who may not look may work in it all the same.
  if (/not ?found/i.test((await kubectl(run, ['get', 'namespace', namespace])).stderr)) {
    const { status, stderr } = await kubectl(run, ['create', '-f', 'k8s/namespace.yaml']);
    const remedy = 'Have an administrator of the cluster run: kubectl create -f k8s/namespace.yaml';
    if (status !== 0) throw new Failure(`There is no namespace ${namespace}: ${lastLine(stderr)}`, remedy);
    console.log(`Made the namespace ${namespace}.`);
  }
  for (const [name, data] of Object.entries(wantedSecrets())) if (data) await applySecret(run, name, data);
}

/** @throws Failure if the cluster has another token than .env, and GitLab does not accept that of .env */
async function requireNewestToken(run: Run): Promise<void> {
  const { release, namespace } = readRelease();
  const { tokenVariable } = runners[0]!;
  const token = env(tokenVariable);
  const format = ['--output', 'jsonpath={.data.runner-token}'];
  const words = ['get', 'secret', `${release}-token`, '--namespace', namespace, ...format];
  const inCluster = Buffer.from((await kubectl(run, words)).stdout, 'base64').toString();
  if (token === '' || ['', token].includes(inCluster) || (await gitlab.verifyRunner(token))) return;
  const problem = `GitLab does not accept ${tokenVariable} of .env, and the cluster has another one.`;
  throw new Failure(problem, `To keep that of the cluster, empty ${tokenVariable} in .env.`);
}

/** What is in it goes by standard input: arguments are seen by everybody on this host. */
async function applySecret(run: Run, name: string, texts: Data): Promise<void> {
  const { namespace } = readRelease();
  const encoded = Object.entries(texts).map(([key, text]) => [key, Buffer.from(text).toString('base64')]);
  const data = Object.fromEntries(encoded);
  const secret = { apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace }, type: 'Opaque', data };
  const words = ['apply', '--server-side', '--force-conflicts', '--field-manager=make', '--filename', '-'];
  const { status, stderr } = await kubectl(run, words, { seconds: 60, input: JSON.stringify(secret) });
  const remedy = `See what you may do: kubectl auth can-i --list --namespace ${namespace}`;
  if (status !== 0) throw new Failure(`The Secret ${name} was not written: ${lastLine(stderr)}`, remedy);
  console.log(`The Secret ${name} is in ${namespace} as it is here.`);
}

/** Deletes the Secret of a token that .env has no more. @throws Failure if the cluster does not */
export async function forget(run: Run): Promise<void> {
  const { release, namespace } = readRelease();
  const name = `${release}-token`;
  if (wantedSecrets()[name]) return console.log(`.env has a token still: the Secret ${name} stays.`);
  await requireCluster(run);
  const words = ['delete', 'secret', name, '--ignore-not-found', '--namespace', namespace];
  const { status, stderr } = await kubectl(run, words, { seconds: 60 });
  const remedy = `Delete it by hand: kubectl delete secret ${name} --namespace ${namespace}`;
  if (status !== 0) throw new Failure(`The Secret ${name} is there still: ${lastLine(stderr)}`, remedy);
  console.log(`There is no Secret ${name} in ${namespace} any more. To take the runner away: make down`);
}

/** @throws Failure if something that the runner cannot start without is missing */
async function requireAll(run: Run): Promise<void> {
  await requireHelm(run);
  requireSameUrl();
  await requireCluster(run);
  for (const [name, data] of Object.entries(wantedSecrets())) {
    // Somebody else may have made it, from an .env of theirs.
    if (data || (await versionOf(run, name)) !== '') continue;
    throw new Failure(`Nothing is here for the Secret ${name}, nor is it in the cluster.`, sourceOf(name));
  }
  await applySecrets(run);
}

/** Where the content of a Secret comes from. */
function sourceOf(name: string): string {
  if (name.endsWith('-certs')) return 'Put the certificate of your authority into config/certs/ca.crt.';
  if (name.endsWith('-cache')) return 'Write CACHE_S3_ACCESS_KEY and CACHE_S3_SECRET_KEY into .env.';
  return 'Run: make register';
}

/** @throws Failure if the runner would go to another GitLab than the scripts */
function requireSameUrl(): void {
  const [here, there] = [host.gitlabUrl(), valueAt('gitlabUrl').replace(/\/+$/, '')];
  if (here === there) return;
  const problem = `GITLAB_URL in .env is ${here}, and gitlabUrl in helm/values.yaml is ${there || 'missing'}.`;
  throw new Failure(problem, 'Write the same into both.');
}

/** Which version the cluster has of a Secret; empty where it has none. */
async function versionOf(run: Run, name: string): Promise<string> {
  const format = ['--output', 'jsonpath={.metadata.resourceVersion}'];
  const words = ['get', 'secret', name, '--namespace', readRelease().namespace, ...format];
  const { status, stdout } = await kubectl(run, words);
  return status === 0 ? stdout.trim() : '';
}

/** Which chart Helm takes, and from where: a folder or an oci:// address where helm/release.json names no repository. */
function chartWords({
  chart,
  repository,
  version,
}: Pick<Release, 'chart' | 'repository' | 'version'>): string[] {
  return [chart, ...(repository === '' ? [] : ['--repo', repository]), '--version', version];
}

/** What Helm knows of the release, in the cluster that was asked; undefined where there is none. */
async function installed(run: Run): Promise<Record<'version' | 'revision' | 'status', string> | undefined> {
  const { release, namespace } = readRelease();
  const words = ['get', 'metadata', release, '--namespace', namespace, '--output', 'json'];
  const { status, stdout, stderr } = await helm(run, words);
  if (status === 0) return JSON.parse(stdout);
  if (/not found/i.test(stderr)) return undefined;
  const remedy = `See what you may do: kubectl auth can-i --list --namespace ${namespace}`;
  throw new Failure(`Helm does not say whether ${release} is there: ${lastLine(stderr)}`, remedy);
}

/** What helps where a release is neither there nor away, as after a Helm that was ended. */
function repairOf(status: string): string {
  const { release, namespace } = readRelease();
  const to = context(' --kube-context').join(' ');
  if (!/^pending-(upgrade|rollback)$/.test(status)) return 'Run: make down, and: make up';
  return `If no other make up is at work: helm rollback ${release} --namespace ${namespace}${to}; then: make up`;
}

/** Installs or upgrades, and waits until the runner is ready; Helm goes back where it does not become so. */
export async function install(run: Run, version = readRelease().version): Promise<void> {
  await requireAll(run);
  const release = readRelease();
  const its = ['--namespace', release.namespace];
  const { status: state = 'deployed' } = (await installed(run)) ?? {};
  if (/^(pending|uninstalling)/.test(state))
    throw new Failure(
      `${release.release} is ${state}: another run is at work, or was ended.`,
      repairOf(state),
    );
  // The pod reads the Secrets when it starts: a change of one has to start it anew.
  const versions = await Promise.all(Object.keys(wantedSecrets()).map(name => versionOf(run, name)));
  const words = [
    ...['upgrade', '--install', release.release, ...chartWords({ ...release, version }), ...its],
    ...['--values', 'helm/values.yaml', '--set-string', `podAnnotations.secrets=${versions.join('-')}`],
    ...['--atomic', '--timeout', `${env('WAIT') || 600}s`],
  ];
  console.log(`Installing ${release.chart} ${version} as ${release.release} in ${release.namespace}...`);
  const { status, stderr } = await helm(run, words, { seconds: 0 });
  if (status === 0) return console.log('The runner is ready. See how it is: make status');
  // What was refused stands above what followed from it.
  const why = lastLine(/^.*forbidden.*$/m.exec(stderr)?.[0] ?? stderr);
  const remedy = `All is as before. ${await warningsOf(run)}`;
  throw new Failure(`${release.release} was not installed: ${why}`, remedy);
}

/** What the cluster had to say of the runner's pod, which is gone again. */
async function warningsOf(run: Run): Promise<string> {
  const { release, namespace } = readRelease();
  const line = '{range .items[*]}{.involvedObject.name} {.message}{"\\n"}{end}';
  const order = ['--field-selector=type=Warning', '--sort-by=.metadata.creationTimestamp'];
  const words = ['get', 'events', '--namespace', namespace, ...order, '--output', `jsonpath=${line}`];
  const { stdout } = await kubectl(run, words);
  const its = [...new Set(stdout.split('\n').filter(one => one.startsWith(`${release}-`)))].slice(-3);
  const said = its.map(one => `\n  ${host.mask(one)}`).join('');
  return said && `The cluster said of its pods:${said}`;
}

/** Alerts need what the Prometheus Operator brings into a cluster. */
async function applyAlerts(run: Run): Promise<void> {
  if (!existsSync(file('k8s/alerts.yaml'))) return;
  const { stdout } = await kubectl(run, [
    'api-resources',
    '--api-group=monitoring.coreos.com',
    '--output=name',
  ]);
  if (!stdout.includes('prometheusrules'))
    return console.log('k8s/alerts.yaml was not applied: the cluster has no Prometheus Operator.');
  const { status, stderr } = await kubectl(run, ['apply', '--filename', 'k8s/alerts.yaml']);
  if (status !== 0)
    throw new Failure(`k8s/alerts.yaml was not applied: ${lastLine(stderr)}`, 'Apply it by hand.');
  console.log('The alerts are as k8s/alerts.yaml says.');
}

/** Takes the release away, once running jobs have ended; Secrets and the namespace stay. */
export async function down(run: Run): Promise<void> {
  await requireCluster(run);
  await requireHelm(run);
  const { release, namespace } = readRelease();
  const its = ['--namespace', namespace];
  const where = `${namespace}, context ${await contextName(run)}`;
  if (!(await installed(run))) return console.log(`There is no ${release} in ${where}.`);
  console.log(`Waiting for running jobs to end, in ${where}...`);
  await endJobs(run);
  const { status, stderr } = await helm(run, ['uninstall', release, ...its, '--wait'], { seconds: 0 });
  if (status !== 0) throw new Failure(`It was not taken away: ${lastLine(stderr)}`, 'See: make status');
  console.log(`${release} is gone from ${where}; its Secrets stay. To start it again: make up`);
}

/** Lets the runner end with its last job. It needs its rights until then, and Helm takes these away first. */
async function endJobs(run: Run): Promise<void> {
  const { release, namespace } = readRelease();
  const its = ['--namespace', namespace];
  const scaled = await kubectl(run, ['scale', `deployment/${release}`, '--replicas=0', ...its]);
  if (scaled.status !== 0 && /not ?found/i.test(scaled.stderr)) return;
  const seconds = Number(valueAt('terminationGracePeriodSeconds') || 3600) + 300;
  const words = ['wait', '--for=delete', 'pod', `--selector=app=${release}`, `--timeout=${seconds}s`, ...its];
  const { status, stderr } = scaled.status === 0 ? await kubectl(run, words, { seconds: 0 }) : scaled;
  // Some versions of kubectl call it an error where no pod is left.
  if (status === 0 || /no matching resources/i.test(stderr)) return;
  throw new Failure(`Its jobs were not waited for: ${lastLine(stderr)}`, 'Run again: make down, or make up');
}

async function contextName(run: Run): Promise<string> {
  return env('KUBE_CONTEXT') || (await kubectl(run, ['config', 'current-context'])).stdout.trim();
}

/** Upgrades to a version of the chart, and writes that into helm/release.json where it works. */
export async function upgrade(run: Run, wanted: string): Promise<void> {
  await requireHelm(run);
  const release = readRelease();
  const from = release.repository === '' ? [] : ['--repo', release.repository];
  const words = ['show', 'chart', release.chart, ...from, ...(wanted === '' ? [] : ['--version', wanted])];
  const { status, stdout, stderr } = await run(['helm', ...words], { seconds: 60 });
  const version = /^version: *"?([^"\s]+)/m.exec(stdout)?.[1];
  if (status !== 0 || !version)
    throw new Failure(
      `Helm does not find ${release.chart} ${wanted}: ${lastLine(stderr)}`,
      'Nothing was changed.',
    );
  if (version === release.version)
    return console.log(`${release.chart} ${version} is what helm/release.json names already.`);
  await install(run, version);
  writeFileSync(file('helm/release.json'), `${JSON.stringify({ ...release, version }, null, 2)}\n`);
  const [, runner = '?'] = /^appVersion: *"?([^"\s]+)/m.exec(stdout) ?? [];
  console.log(`helm/release.json names ${version} now, which was made for GitLab Runner ${runner}:
see "tag" in helm/values.yaml. Commit it.`);
}

/** A program that goes on printing here. @throws Failure if it fails */
async function follow(words: readonly string[]): Promise<void> {
  const child = spawn('kubectl', [...context('--context'), ...words], { stdio: 'inherit', cwd: host.root });
  child.on('error', () => undefined);
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Failure(`kubectl ${words.join(' ')} failed.`, 'Run: make doctor');
}

export const checks: host.Check[] = [
  {
    name: 'cluster',
    needs: [],
    async run(run, note) {
      const version = await requireCluster(run);
      note('ok', `Kubernetes ${version}, context ${await contextName(run)}`);
    },
  },
  {
    name: 'helm',
    needs: [],
    async run(run, note) {
      note('ok', `Helm ${await requireHelm(run)}`);
      requireSameUrl();
    },
  },
  { name: 'namespace', needs: ['cluster'], run: checkNamespace },
  { name: 'rights', needs: ['cluster', 'helm'], run: checkRights },
  { name: 'secrets', needs: ['cluster'], run: checkSecrets },
  { name: 'release', needs: ['cluster', 'helm'], run: checkRelease },
  { name: 'pod', needs: ['release'], run: checkPod },
];

const askForRights = 'Ask an administrator of the cluster.';
const levels = ['privileged', 'baseline', 'restricted'];

/** Whether the namespace lets the pods of jobs in, by its level of Pod Security. */
async function checkNamespace(run: Run, note: Note): Promise<void> {
  const { namespace } = readRelease();
  const label = 'pod-security.kubernetes.io/enforce';
  const { status, stdout, stderr } = await kubectl(run, ['get', 'namespace', namespace, '--output', 'json']);
  if (/not ?found/i.test(stderr))
    return note('warning', `there is no ${namespace} yet.`, 'Run: make register');
  if (status !== 0) return note('unknown', lastLine(stderr));
  const level: string = JSON.parse(stdout).metadata.labels?.[label] ?? '';
  const wanted =
    new RegExp(`^ *${label}: *(\\w+)`, 'm').exec(readFileSync(file('k8s/namespace.yaml'), 'utf8'))?.[1] ?? '';
  if (!levels.includes(level))
    return note(
      'unknown',
      `${namespace} has no level of Pod Security: that of the cluster is not seen here.`,
    );
  if (levels.indexOf(level) <= levels.indexOf(wanted)) return note('ok', `${namespace} takes ${level} pods`);
  const remedy = `Have an administrator run: kubectl label --overwrite namespace ${namespace} ${label}=${wanted}`;
  note(
    'failed',
    `${namespace} takes ${level} pods alone; jobs, as k8s/namespace.yaml says, are ${wanted}.`,
    remedy,
  );
}

/** Whether whoever runs this may install the runner, and whether the runner's account may run jobs, and nothing else. */
async function checkRights(run: Run, note: Note): Promise<void> {
  const { release, namespace, ...chart } = readRelease();
  const its = ['--namespace', namespace];
  const may = async (words: readonly string[]) => {
    const { stdout, stderr } = await kubectl(run, ['auth', 'can-i', ...words, ...its]);
    // The exit code of "no" is 1, as that of an error.
    return /^(yes|no)/.exec(stdout)?.[1] ?? lastLine(stderr);
  };
  const words = ['template', release, ...chartWords(chart), ...its, '--values', 'helm/values.yaml'];
  const { stdout: objects, stderr: noObjects } = await helm(run, words, { seconds: 15 });
  // The server takes all of it in but for keeping it: rights, quotas, and what else it asks for.
  const dryRun = ['apply', '--dry-run=server', '--filename', '-', ...its];
  const tried = objects ? await kubectl(run, dryRun, { input: objects, seconds: 15 }) : undefined;
  const refused = /^.*forbidden.*$/m.exec(tried?.stderr ?? '')?.[0] ?? tried?.stderr ?? '';
  const secrets = await may(['create', 'secrets']);
  if (secrets === 'no') note('failed', `you may not create secrets in ${namespace}.`, askForRights);
  if (!tried) note('unknown', `what you may do: Helm does not read the chart: ${lastLine(noObjects)}`);
  else if (/namespaces "[^"]*" not found/.test(refused))
    note('unknown', `what you may do in ${namespace}: it is not there yet.`);
  else if (tried.status !== 0) note('failed', `the cluster refuses it: ${lastLine(refused)}`, askForRights);
  else if (secrets === 'yes') note('ok', `you may install the runner in ${namespace}`);
  const account = `--as=system:serviceaccount:${namespace}:${release}`;
  const [pods, nodes] = await Promise.all([
    may(['create', 'pods', account]),
    may(['list', 'nodes', account]),
  ]);
  if (nodes === 'yes')
    note('warning', 'the runner may see more than its namespace.', 'See rbac in helm/values.yaml.');
  if (pods === 'yes') note('ok', 'the runner may start pods for jobs');
  else if (pods === 'no') note('warning', 'the runner may not start pods yet.', 'Run: make up');
  else note('unknown', `what the runner may do: ${pods}`);
}

/** Whether the cluster has the Secrets as .env has them. */
async function checkSecrets(run: Run, note: Note): Promise<void> {
  const { namespace } = readRelease();
  for (const [name, wanted] of Object.entries(wantedSecrets())) {
    const words = ['get', 'secret', name, '--namespace', namespace, '--output', 'json'];
    const { status, stdout, stderr } = await kubectl(run, words);
    if (status !== 0 && !/not ?found/i.test(stderr)) {
      note('unknown', `${name}: ${lastLine(stderr)}`);
      continue;
    }
    const data: Data = status === 0 ? (JSON.parse(stdout).data ?? {}) : {};
    const isSame = Object.entries(wanted ?? {}).every(
      ([key, value]) => Buffer.from(data[key] ?? '', 'base64').toString() === value,
    );
    if (!wanted && status === 0) note('unknown', `${name} is in the cluster; here is nothing to compare.`);
    else if (!wanted) note('warning', `${name}: nothing is here for it yet.`, sourceOf(name));
    else if (status !== 0) note('warning', `${name} is not in the cluster yet.`, 'Run: make up');
    else if (isSame) note('ok', `${name} is as it is here`);
    else note('failed', `${name} is another than here.`, 'Run: make up');
  }
}

/** Whether the release is there, in the version that is wanted. */
async function checkRelease(run: Run, note: Note): Promise<void> {
  const { release, namespace, version } = readRelease();
  const found = await installed(run);
  if (!found) return note('warning', `${release} is not installed in ${namespace}.`, 'Run: make up');
  const detail = `chart ${found.version}, revision ${found.revision}`;
  if (found.status !== 'deployed') note('failed', `it is ${found.status}: ${detail}`, repairOf(found.status));
  else if (found.version !== version)
    note('warning', `${detail}; helm/release.json names ${version}.`, 'Run: make up');
  else note('ok', detail);
}

/** Whether the pod of the runner is ready, which version it has, and whether GitLab knows it from there. */
async function checkPod(run: Run, note: Note): Promise<void> {
  const { release, namespace } = readRelease();
  const its = ['--namespace', namespace];
  const { status, stdout, stderr } = await kubectl(run, [
    'get',
    'deployment',
    release,
    ...its,
    '--output',
    'json',
  ]);
  if (/not ?found/i.test(stderr)) return note('warning', 'the runner does not run.', 'Start it: make up');
  if (status !== 0) return note('unknown', lastLine(stderr));
  const { readyReplicas = 0 } = JSON.parse(stdout).status ?? {};
  if (readyReplicas === 0)
    return note(
      'failed',
      'its pod is not ready.',
      `See why: kubectl describe pods ${its.join(' ')}; make logs`,
    );
  const script = 'gitlab-runner --version; gitlab-runner verify --url= 2>&1';
  const words = ['exec', `deployment/${release}`, ...its, '--', 'sh', '-c', script];
  const inside = await kubectl(run, words);
  const version = /^Version: *(\S+)/m.exec(inside.stdout)?.[1];
  if (!version)
    return note('unknown', `its pod is ready; what is in it does not answer: ${lastLine(inside.stderr)}`);
  note('ok', `GitLab Runner ${version}`);
  if (/is (valid|alive)/.test(inside.stdout))
    note('ok', `${host.gitlabUrl()} knows the runner, from its pod`);
  else
    note(
      'failed',
      `GitLab does not know the runner, from its pod: ${lastLine(inside.stdout)}`,
      'See: make logs',
    );
}

/** @throws Failure if the words are none of those at the top of this file */
export async function main([word = '', more = ''] = process.argv.slice(2)): Promise<void> {
  const { release, namespace } = readRelease();
  const its = ['--namespace', namespace];
  const shown: Run = (words, options) => host.during(words.join(' '), host.run(words, options));
  if (['secrets', 'logs', 'status'].includes(word)) await requireCluster(host.run);
  if (word === 'secrets') return applySecrets(host.run);
  if (word === 'forget') return forget(host.run);
  if (word === 'down') return down(shown);
  if (word === 'logs') return follow(['logs', '--follow', '--tail=100', `deployment/${release}`, ...its]);
  if (word === 'status') return follow(['get', 'deployments,pods', ...its]);
  if (word === 'up') {
    await install(shown);
    return applyAlerts(host.run);
  }
  if (word === 'upgrade') return host.withLock(() => upgrade(shown, more));
  throw new Failure(`Not known: ${word}`, 'See the top of scripts/cluster.ts.');
}

await host.start(import.meta, main);
