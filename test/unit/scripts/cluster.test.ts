import { mkdirSync } from 'node:fs';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import {
  applySecrets,
  checks,
  down,
  forget,
  install,
  main,
  readRelease,
  upgrade,
  wantedSecrets,
} from '../../../templates/scripts/cluster.ts';
import type { Result, Run, RunOptions } from '../../../templates/scripts/host.ts';
import { GitLabServer } from '../../support/gitlab-server.ts';
import { runnerToken } from '../../support/tokens.ts';
import { captureOutput, Folder, fakeNote } from './folder.ts';

const release = {
  release: 'gitlab-runner-x',
  namespace: 'ci',
  chart: 'gitlab-runner',
  repository: 'https://charts.example.org',
  version: '0.86.0',
};
const values = `gitlabUrl: https://gitlab.example.com
runners:
  secret: gitlab-runner-x-token
`;
const withBoth = `${values}  cache:
    secretName: gitlab-runner-x-cache
certsSecretName: gitlab-runner-x-certs
`;

let folder: Folder;
let output: () => string;

function begin(
  env = `GITLAB_URL=https://gitlab.example.com\nRUNNER_TOKEN=${runnerToken}\n`,
  text = values,
): void {
  folder = new Folder(env);
  folder.mkdir('helm');
  folder.write('helm/release.json', JSON.stringify(release));
  folder.write('helm/values.yaml', text);
  folder.mkdir('k8s');
  folder.write('k8s/namespace.yaml', '    pod-security.kubernetes.io/enforce: privileged\n');
  output = captureOutput();
}

beforeEach(() => {
  begin();
  for (const name of ['GITLAB_URL', 'RUNNER_TOKEN', 'KUBE_CONTEXT', 'WAIT']) vi.stubEnv(name, '');
});

type Called = { command: string; options: RunOptions };

/** A cluster in which all works; a test overrides answers by the beginnings of commands. */
function cluster(overrides: Record<string, Partial<Result>> = {}): Run & { calls: Called[] } {
  const answers: Record<string, Partial<Result>> = {
    'kubectl version': { stdout: '{"serverVersion":{"gitVersion":"v1.34.4"}}' },
    'kubectl config current-context': { stdout: 'work\n' },
    'kubectl auth can-i list nodes': { stdout: 'no\n', status: 1 },
    'kubectl auth can-i': { stdout: 'yes\n' },
    'kubectl get secret gitlab-runner-x-token --namespace ci --output jsonpath={.metadata': { stdout: '17' },
    'kubectl get namespace': {
      stdout: '{"metadata":{"labels":{"pod-security.kubernetes.io/enforce":"privileged"}}}',
    },
    'kubectl get deployment': { stdout: '{"status":{"readyReplicas":1}}' },
    'kubectl exec': { stdout: 'Version:      19.3.0\nVerifying runner... is valid\n' },
    'helm version': { stdout: 'v3.19.5' },
    'helm get metadata': { stdout: '{"revision":2,"status":"deployed","version":"0.86.0"}' },
    'helm template': { stdout: 'kind: Deployment\n' },
    'helm show chart': { stdout: 'appVersion: 18.10.0\nname: gitlab-runner\nversion: 0.87.0\n' },
    kubectl: {},
    helm: {},
  };
  const calls: Called[] = [];
  const run: Run = async (words, options = {}) => {
    const command = words.join(' ');
    calls.push({ command, options });
    const all = [...Object.entries(overrides), ...Object.entries(answers)];
    const [, found] = all.find(([start]) => command.startsWith(start)) ?? [];
    return { status: found ? 0 : 127, stdout: '', stderr: '', ...found };
  };
  return Object.assign(run, { calls });
}

async function found(name: string, run: Run): Promise<[string, string][]> {
  const note = fakeNote();
  await checks.find(one => one.name === name)!.run(run, note);
  return note.notes.map(({ verdict, detail }) => [verdict, detail]);
}

const commands = ({ calls }: { calls: Called[] }) => calls.map(({ command }) => command);

describe('the Secrets', () => {
  it('go to the cluster by standard input, so that no argument and no message has a token', async () => {
    const run = cluster();
    await applySecrets(run);
    const applied = run.calls.find(({ command }) => command.startsWith('kubectl apply'))!;
    const { data, metadata } = JSON.parse(applied.options.input!);
    expect(metadata).toEqual({ name: 'gitlab-runner-x-token', namespace: 'ci' });
    // The chart projects both keys, and its pod does not start without one of them.
    expect(Object.keys(data)).toEqual(['runner-registration-token', 'runner-token']);
    expect(Buffer.from(data['runner-token'], 'base64').toString()).toBe(runnerToken);
    expect(commands(run).join() + output()).not.toContain(runnerToken);
  });

  it('are those that helm/values.yaml names, of .env and config/certs', () => {
    expect(Object.keys(wantedSecrets())).toEqual(['gitlab-runner-x-token']);
    begin(
      'GITLAB_URL=https://gitlab.example.com\nCACHE_S3_ACCESS_KEY=the-access-key\nCACHE_S3_SECRET_KEY=the-secret-key\n',
      withBoth,
    );
    expect(wantedSecrets()).toEqual({
      'gitlab-runner-x-token': undefined,
      'gitlab-runner-x-cache': { accesskey: 'the-access-key', secretkey: 'the-secret-key' },
      'gitlab-runner-x-certs': undefined,
    });
    mkdirSync(folder.at('config/certs'), { recursive: true });
    folder.write('config/certs/ca.crt', 'PEM');
    expect(wantedSecrets()['gitlab-runner-x-certs']).toEqual({ 'ca.crt': 'PEM' });
  });

  it('stay in the cluster where .env has nothing for them: somebody else may have made them', async () => {
    begin('GITLAB_URL=https://gitlab.example.com\n', withBoth);
    const run = cluster();
    await applySecrets(run);
    expect(commands(run).filter(command => /apply|delete/.test(command))).toEqual([]);
  });

  it('need a namespace, which is made once, or by an administrator', async () => {
    const missing = { status: 1, stderr: 'namespaces "ci" not found' };
    const run = cluster({ 'kubectl get namespace': missing });
    await applySecrets(run);
    expect(commands(run)).toContain('kubectl create -f k8s/namespace.yaml');
    const forbidden = cluster({
      'kubectl get namespace': missing,
      'kubectl create': { status: 1, stderr: 'forbidden' },
    });
    await expect(applySecrets(forbidden)).rejects.toMatchObject({
      message: 'There is no namespace ci: forbidden',
      remedy: expect.stringContaining('kubectl create -f k8s/namespace.yaml'),
    });
  });

  it('keep a newer token that somebody else put into the cluster', async () => {
    const gitlab = await GitLabServer.start();
    try {
      begin(`GITLAB_URL=${gitlab.url}\nRUNNER_TOKEN=${runnerToken}\n`);
      const other = Buffer.from(gitlab.addRunner().token).toString('base64');
      const run = cluster({
        'kubectl get secret gitlab-runner-x-token --namespace ci --output jsonpath={.data': { stdout: other },
      });
      await expect(applySecrets(run)).rejects.toMatchObject({
        message: 'GitLab does not accept RUNNER_TOKEN of .env, and the cluster has another one.',
      });
      expect(commands(run).filter(command => command.includes('apply'))).toEqual([]);
    } finally {
      await gitlab.stop();
    }
  });

  it('of the token is deleted once .env has none, and not before', async () => {
    const run = cluster();
    await forget(run);
    expect(commands(run)).toEqual([]);
    begin('GITLAB_URL=https://gitlab.example.com\n');
    await forget(run);
    expect(commands(run).at(-1)).toBe(
      'kubectl delete secret gitlab-runner-x-token --ignore-not-found --namespace ci',
    );
  });
});

describe('install', () => {
  it('is one command of Helm, which goes back by itself, and starts the pod anew where a Secret changed', async () => {
    const run = cluster();
    await install(run);
    expect(commands(run).at(-1)).toBe(
      'helm upgrade --install gitlab-runner-x gitlab-runner --repo https://charts.example.org --version 0.86.0 --namespace ci --values helm/values.yaml --set-string podAnnotations.secrets=17 --atomic --timeout 600s',
    );
    expect(run.calls.at(-1)!.options.seconds).toBe(0);
  });

  it('goes to the cluster that .env names', async () => {
    begin(`${folder.env}KUBE_CONTEXT=far\n`);
    const run = cluster({
      'kubectl --context far version': { stdout: '{"serverVersion":{"gitVersion":"v1"}}' },
      'helm --kube-context far get metadata': { status: 1, stderr: 'Error: release: not found' },
    });
    await install(run);
    const others = commands(run).filter(command => !/--(kube-)?context far|^helm version/.test(command));
    expect(others).toEqual([]);
  });

  it.each([
    [
      'no token',
      '',
      values,
      'Nothing is here for the Secret gitlab-runner-x-token, nor is it in the cluster.',
    ],
    [
      'another GitLab in helm/values.yaml',
      `RUNNER_TOKEN=${runnerToken}`,
      values.replace('.com', '.org'),
      'GITLAB_URL in .env is',
    ],
    [
      'no keys of the cache',
      `RUNNER_TOKEN=${runnerToken}`,
      withBoth,
      'Nothing is here for the Secret gitlab-runner-x-cache',
    ],
  ])('does not begin with %s', async (_, line, text, message) => {
    begin(`GITLAB_URL=https://gitlab.example.com\n${line}\n`, text);
    const none = { status: 1, stderr: 'Error: not found' };
    const run = cluster({
      'kubectl get secret gitlab-runner-x-cache': none,
      'kubectl get secret gitlab-runner-x-token': none,
    });
    await expect(install(run)).rejects.toThrow(message);
    expect(commands(run).filter(command => command.includes('upgrade'))).toEqual([]);
  });

  it.each([
    ['pending-upgrade', 'helm rollback gitlab-runner-x --namespace ci'],
    ['pending-install', 'make down'],
    ['uninstalling', 'make down'],
  ])('does not begin where Helm was ended, and says how to go on: %s', async (status, remedy) => {
    const run = cluster({ 'helm get metadata': { stdout: JSON.stringify({ status }) } });
    await expect(install(run)).rejects.toMatchObject({ remedy: expect.stringContaining(remedy) });
    expect(commands(run).filter(command => command.includes('upgrade'))).toEqual([]);
  });

  it('says what was refused, and what the cluster said of the pods that are gone again', async () => {
    const stderr = 'Error: 2 errors:\n\t* roles is forbidden: pods/exec\n\t* rolebindings not found\n';
    const events = 'gitlab-runner-x-1 pull failed\nother no\n';
    const run = cluster({ 'helm upgrade': { status: 1, stderr }, 'kubectl get events': { stdout: events } });
    await expect(install(run)).rejects.toMatchObject({
      message: expect.stringMatching(/not installed: \* roles is forbidden: pods\/exec$/),
      remedy: 'All is as before. The cluster said of its pods:\n  gitlab-runner-x-1 pull failed',
    });
  });

  it('says what Helm says where it fails, without secrets', async () => {
    const stderr = `Error: UPGRADE FAILED: ${runnerToken}\n`;
    await expect(install(cluster({ 'helm upgrade': { status: 1, stderr } }))).rejects.toThrow(
      'gitlab-runner-x was not installed: Error: UPGRADE FAILED: [masked]',
    );
  });
});

describe('down', () => {
  const order = (run: Run & { calls: Called[] }) =>
    commands(run).flatMap(command => /(scale|wait|uninstall)/.exec(command)?.[1] ?? []);

  it('lets the runner end with its jobs while it has its rights still, which go with the release', async () => {
    const run = cluster();
    await down(run);
    expect(order(run)).toEqual(['scale', 'wait', 'uninstall']);
    expect(output()).toContain('gitlab-runner-x is gone from ci, context work');
  });

  it('says that there is none, in which context, and takes nothing away', async () => {
    const run = cluster({ 'helm get': { status: 1, stderr: 'Error: release: not found' } });
    await down(run);
    expect(order(run)).toEqual([]);
    expect(output()).toContain('There is no gitlab-runner-x in ci, context work.');
  });

  it.each([
    ['look', { 'helm get': { status: 1, stderr: 'secrets is forbidden' } }, []],
    ['stop it', { 'kubectl scale': { status: 1, stderr: 'deployments is forbidden' } }, ['scale']],
  ])('fails where one may not %s', async (_, overrides, began) => {
    const run = cluster(overrides);
    await expect(down(run)).rejects.toThrow('is forbidden');
    expect(order(run)).toEqual(began);
  });

  it('goes on where no pod is left, and waits as long as helm/values.yaml gives the last job', async () => {
    begin(undefined, `${values}terminationGracePeriodSeconds: 7200\n`);
    const run = cluster({ 'kubectl wait': { status: 1, stderr: 'error: no matching resources found' } });
    await down(run);
    expect(order(run)).toEqual(['scale', 'wait', 'uninstall']);
    expect(commands(run).join()).toContain('--timeout=7500s');
  });

  it('takes away what a broken installation left, without a Deployment', async () => {
    const run = cluster({ 'kubectl scale': { status: 1, stderr: 'deployments.apps "x" not found' } });
    await down(run);
    expect(order(run)).toEqual(['scale', 'uninstall']);
  });
});

describe('upgrade', () => {
  it('writes the new version into helm/release.json once it works', async () => {
    await upgrade(cluster(), '');
    expect(readRelease()).toEqual({ ...release, version: '0.87.0' });
    expect(output()).toContain('GitLab Runner 18.10.0');
  });

  it('leaves helm/release.json as it is where it does not', async () => {
    const run = cluster({ 'helm upgrade': { status: 1, stderr: 'no' } });
    await expect(upgrade(run, '0.87.0')).rejects.toThrow('was not installed');
    expect(readRelease()).toEqual(release);
    expect(commands(run)[1]).toBe(
      'helm show chart gitlab-runner --repo https://charts.example.org --version 0.87.0',
    );
  });

  it('does nothing where there is nothing newer', async () => {
    const run = cluster({ 'helm show': { stdout: 'version: 0.86.0\n' } });
    await upgrade(run, '');
    expect(commands(run).filter(command => command.includes('upgrade'))).toEqual([]);
  });
});

describe('doctor', () => {
  it('says ok of what it saw', async () => {
    const secret = {
      data: { 'runner-token': Buffer.from(runnerToken).toString('base64'), 'runner-registration-token': '' },
    };
    const run = cluster({ 'kubectl get secret gitlab-runner-x-token': { stdout: JSON.stringify(secret) } });
    const all = await Promise.all(checks.map(({ name }) => found(name, run)));
    expect(all.flat()).toEqual([
      ['ok', 'Kubernetes v1.34.4, context work'],
      ['ok', 'Helm v3.19.5'],
      ['ok', 'ci takes privileged pods'],
      ['ok', 'you may install the runner in ci'],
      ['ok', 'the runner may start pods for jobs'],
      ['ok', 'gitlab-runner-x-token is as it is here'],
      ['ok', 'chart 0.86.0, revision 2'],
      ['ok', 'GitLab Runner 19.3.0'],
      ['ok', 'https://gitlab.example.com knows the runner, from its pod'],
    ]);
  });

  it.each<[string, string, Record<string, Partial<Result>>, string, RegExp]>([
    ['cluster', 'kubectl missing', { kubectl: { status: 127 } }, 'thrown', /kubectl is not installed/],
    ['cluster', 'no answer', { 'kubectl version': { status: 124 } }, 'thrown', /does not answer/],
    [
      'cluster',
      'a context that is none',
      { 'kubectl version': { status: 1, stderr: 'error: context "x" does not exist' } },
      'thrown',
      /no such context/,
    ],
    [
      'cluster',
      'a cloud whose program is missing',
      {
        'kubectl version': {
          status: 1,
          stderr:
            'E1128 memcache.go:265] couldn\'t get current server API group list: Get "https://x/api": getting credentials: exec: executable aws not found\n\nIt looks like you are trying to use a client-go credential plugin.\n\n      https://kubernetes.io/docs/\n',
        },
      },
      'thrown',
      /finds no program that logs in to the cluster: .*executable aws not found$/,
    ],
    ['helm', 'Helm 2', { 'helm version': { stdout: 'v2.17.0' } }, 'thrown', /Helm is v2/],
    ['helm', 'Helm 3.9', { 'helm version': { stdout: 'v3.9.4' } }, 'thrown', /Helm is v3\.9/],
    [
      'namespace',
      'a level that keeps jobs out',
      {
        'kubectl get namespace': {
          stdout: '{"metadata":{"labels":{"pod-security.kubernetes.io/enforce":"restricted"}}}',
        },
      },
      'failed',
      /takes restricted pods alone; jobs.* are privileged/,
    ],
    [
      'namespace',
      'no level',
      { 'kubectl get namespace': { stdout: '{"metadata":{}}' } },
      'unknown',
      /not seen/,
    ],
    [
      'namespace',
      'none yet',
      { 'kubectl get namespace': { status: 1, stderr: '"ci" not found' } },
      'warning',
      /no ci/,
    ],
    [
      'namespace',
      'no right to look',
      { 'kubectl get namespace': { status: 1, stderr: 'forbidden' } },
      'unknown',
      /./,
    ],
    [
      'rights',
      'what the cluster would refuse, and not what follows from it',
      {
        'kubectl apply': {
          status: 1,
          stderr: 'roles "x" is forbidden: attempting to grant pods/exec\nrolebindings "x" not found\n',
        },
      },
      'failed',
      /refuses it: roles "x" is forbidden: attempting to grant/,
    ],
    [
      'rights',
      'a chart that cannot be had',
      { 'helm template': { status: 1, stderr: 'no such host' } },
      'unknown',
      /does not read the chart: no such host/,
    ],
    [
      'secrets',
      'one that somebody else made',
      // .env has no certificate here.
      { 'kubectl get secret': { stdout: '{"data":{"ca.crt":"eA=="}}' } },
      'unknown',
      /-certs is in the cluster; here is nothing/,
    ],
    [
      'rights',
      'a user without rights',
      { 'kubectl auth can-i create secrets': { status: 1, stdout: 'no\n' } },
      'failed',
      /may not create secrets in ci/,
    ],
    [
      'rights',
      'a runner with too many',
      { 'kubectl auth can-i list nodes': { stdout: 'yes\n' } },
      'warning',
      /more than its namespace/,
    ],
    [
      'rights',
      'nobody who may ask for it',
      { 'kubectl auth can-i create pods': { status: 1, stderr: 'cannot impersonate' } },
      'unknown',
      /cannot impersonate/,
    ],
    [
      'secrets',
      'another token',
      { 'kubectl get secret': { stdout: '{"data":{"runner-token":"eA=="}}' } },
      'failed',
      /is another than here/,
    ],
    [
      'secrets',
      'none yet',
      { 'kubectl get secret': { status: 1, stderr: 'Error: secrets "x" not found' } },
      'warning',
      /not in the cluster yet/,
    ],
    [
      'secrets',
      'no right to look',
      { 'kubectl get secret': { status: 1, stderr: 'forbidden' } },
      'unknown',
      /forbidden/,
    ],
    [
      'release',
      'none yet',
      { 'helm get': { status: 1, stderr: 'Error: release: not found' } },
      'warning',
      /not installed in ci/,
    ],
    [
      'release',
      'one that failed',
      { 'helm get': { stdout: '{"version":"0.86.0","revision":1,"status":"failed"}' } },
      'failed',
      /it is failed/,
    ],
    [
      'release',
      'another version',
      { 'helm get': { stdout: '{"version":"0.85.0","revision":1,"status":"deployed"}' } },
      'warning',
      /names 0.86.0/,
    ],
    [
      'pod',
      'one that is not ready',
      { 'kubectl get deployment': { stdout: '{"status":{}}' } },
      'failed',
      /not ready/,
    ],
    [
      'pod',
      'one that cannot be looked into',
      { 'kubectl exec': { status: 1, stderr: 'forbidden' } },
      'unknown',
      /forbidden/,
    ],
    [
      'pod',
      'a runner that GitLab does not know',
      { 'kubectl exec': { stdout: 'Version: 19.3.0\nERROR: is not valid\n' } },
      'failed',
      /does not know the runner/,
    ],
  ])('of "%s" says of %s what is so', async (name, _, overrides, verdict, words) => {
    if (_.startsWith('one that somebody')) begin(undefined, withBoth);
    const run = cluster(overrides);
    const told = await found(name, run).catch((error: Error): [string, string][] => [
      ['thrown', error.message],
    ]);
    expect(told).toContainEqual([verdict, expect.stringMatching(words)]);
    if (verdict !== 'warning' && name !== 'rights')
      expect(told.filter(([one]) => one === 'ok').length).toBeLessThan(2);
  });
});

it('refuses a word that is none of its own', async () => {
  await expect(main(['sideways'])).rejects.toThrow('Not known: sideways');
});
