import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { GitLabServer } from '../support/gitlab-server.ts';
import { planWith } from '../support/rendered.ts';
import { must, runProgram } from './support/programs.ts';
import { ClusterRepository, may, readyPods } from './support/repository.ts';

const typed = { executor: 'kubernetes', namespace: 'lifecycle', monitoring: 'yes' } as const;
let gitlab: GitLabServer;
let repository: ClusterRepository;
let token: string;

beforeAll(async () => {
  gitlab = await GitLabServer.start();
  repository = new ClusterRepository({ ...typed, gitlabUrl: gitlab.url });
  token = gitlab.addRunner({ description: 'My Docker Runner', tagList: ['docker'] }).token;
  await must('kubectl', ['apply', '-f', '-'], { input: JSON.stringify(standInForOperator) });
});

afterAll(() => gitlab?.stop());

/** The kinds of the Prometheus Operator that the repository and the chart use; a stand-in: it takes any content. */
const standInForOperator = {
  apiVersion: 'v1',
  kind: 'List',
  items: ['PrometheusRule', 'PodMonitor'].map(kind => ({
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${kind.toLowerCase()}s.monitoring.coreos.com` },
    spec: {
      group: 'monitoring.coreos.com',
      scope: 'Namespaced',
      names: { kind, plural: `${kind.toLowerCase()}s`, singular: kind.toLowerCase() },
      versions: [
        {
          ...{ name: 'v1', served: true, storage: true },
          schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
        },
      ],
    },
  })),
};

/** What the cluster has as the token. */
async function tokenInCluster(): Promise<string> {
  const { stdout } = await repository.kubectl('get', 'secret', `${repository.release}-token`, '-o', 'json');
  return stdout === '' ? '' : Buffer.from(JSON.parse(stdout).data['runner-token'], 'base64').toString();
}

it('make up says what is missing, and changes nothing', async () => {
  repository.env({ GITLAB_URL: gitlab.url });
  const { status, stderr } = await repository.make('up');
  expect(status).not.toBe(0);
  expect(stderr).toContain(`Nothing is here for the Secret ${repository.release}-token`);
  expect((await repository.kubectl('get', 'namespace', repository.namespace)).status).not.toBe(0);
});

it('make register makes the namespace, and the Secret of the token, which is shown nowhere', async () => {
  repository.env({ GITLAB_URL: gitlab.url, RUNNER_TOKEN: token });
  const { status, stdout, stderr } = await repository.make('register');
  expect(status, stderr).toBe(0);
  expect(await tokenInCluster()).toBe(token);
  expect(stdout + stderr).not.toContain(token);
  const { stdout: labels } = await repository.kubectl('get', 'namespace', repository.namespace, '-o', 'json');
  expect(JSON.parse(labels).metadata.labels).toMatchObject({
    'pod-security.kubernetes.io/enforce': 'privileged',
  });
});

it('make up goes back where the runner does not become ready, and says so', async () => {
  const { status, stderr } = await repository.make('up');
  expect(status).not.toBe(0);
  expect(stderr).toMatch(/was not installed/);
  const { stdout } = await repository.kubectl('get', 'deployments', '-o', 'name');
  expect(stdout).toBe('');
});

it('make up installs the runner and its alerts; a new token starts it anew; doctor says how it is', async () => {
  const kubelet = readyPods(repository.namespace);
  try {
    const { status, stdout, stderr } = await repository.make('up');
    expect(status, stdout + stderr).toBe(0);
    const list = async () =>
      JSON.parse((await runProgram('helm', ['list', '-n', 'lifecycle', '-o', 'json'])).stdout);
    expect(await list()).toMatchObject([{ name: repository.release, revision: '1', status: 'deployed' }]);
    expect(
      (await repository.kubectl('get', 'prometheusrules,podmonitors', '-o', 'name')).stdout.split('\n'),
    ).toHaveLength(3);
    const annotation = async () => {
      const { stdout } = await repository.kubectl('get', 'deployment', repository.release, '-o', 'json');
      return JSON.parse(stdout).spec.template.metadata.annotations.secrets;
    };
    const before = await annotation();
    expect((await repository.make('up')).status).toBe(0);
    expect(await annotation()).toBe(before);

    const rotated = await runProgram('make', ['register', 'ARGS=--rotate'], {
      cwd: repository.folder,
      env: { YES: '1', PATH: `${join(process.cwd(), 'test/tools/node_modules/.bin')}:${process.env.PATH}` },
    });
    expect(rotated.status, rotated.stderr).toBe(0);
    expect(await tokenInCluster()).not.toBe(token);
    expect((await repository.make('up')).status).toBe(0);
    expect(await annotation()).not.toBe(before);

    const doctor = await repository.make('doctor', 'ARGS=--json');
    const { findings } = JSON.parse(doctor.stdout);
    const verdicts = (check: string) =>
      findings
        .filter((one: { check: string }) => one.check === check)
        .map((one: { verdict: string }) => one.verdict);
    expect(verdicts('cluster'), doctor.stdout).toEqual(['ok']);
    expect(verdicts('namespace'), doctor.stdout).toEqual(['ok']);
    expect(verdicts('rights'), doctor.stdout).toEqual(['ok', 'ok']);
    expect(verdicts('secrets')).toEqual(['ok']);
    expect(verdicts('release')).toEqual(['ok']);
    // Nothing runs in a pod here: what it would say nobody knows.
    expect(verdicts('pod')).toEqual(['unknown']);
    const { stdout: shown } = await repository.make('status');
    expect(shown).toContain(`deployment.apps/${repository.release}`);
  } finally {
    await kubelet.end();
  }
});

it('the account of the runner may do what the executor does, in its namespace, and nothing else', async () => {
  const namespace = ['--namespace', repository.namespace];
  for (const { resources, verbs } of planWith(typed).kubernetes!.rules)
    for (const resource of resources)
      for (const verb of verbs)
        expect(await may(repository, verb, resource, ...namespace), `${verb} ${resource}`).toBe(true);
  for (const words of [
    ...['create deployments.apps', 'get configmaps', 'list secrets', 'delete services', 'update pods'].map(
      one => [one, ...namespace],
    ),
    ...['create serviceaccounts', 'create roles.rbac.authorization.k8s.io', 'escalate roles'].map(one => [
      one,
      ...namespace,
    ]),
    ...[
      ['create pods', '--namespace', 'default'],
      ['get secrets', '--namespace', 'kube-system'],
    ],
    ...[['create pods', '--all-namespaces'], ['list nodes'], ['create namespaces'], ['* *', ...namespace]],
  ]) {
    const [verb, resource] = words[0]!.split(' ');
    expect(await may(repository, verb!, resource!, ...words.slice(1)), words.join(' ')).toBe(false);
  }
});

it('make upgrade finds the version of the chart, and keeps that which does not work out of helm/release.json', async () => {
  const file = join(repository.folder, 'helm/release.json');
  const before = readFileSync(file, 'utf8');
  const { chart } = JSON.parse(before);
  writeFileSync(
    join(chart, 'Chart.yaml'),
    readFileSync(join(chart, 'Chart.yaml'), 'utf8').replace('0.86.0', '0.87.0'),
  );
  writeFileSync(
    join(chart, 'templates/broken.yaml'),
    'apiVersion: v1\nkind: Nothing\nmetadata: { name: x }\n',
  );
  const refused = await repository.make('upgrade');
  expect(refused.status).not.toBe(0);
  expect(readFileSync(file, 'utf8')).toBe(before);
  writeFileSync(join(chart, 'templates/broken.yaml'), '');
  const kubelet = readyPods(repository.namespace);
  const { status, stdout, stderr } = await repository.make('upgrade');
  await kubelet.end();
  expect(status, stdout + stderr).toBe(0);
  expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({ version: '0.87.0', chart });
});

it('an interrupted Helm is said in up and doctor, each with the way on', async () => {
  const secret = async (status: string) => {
    const { stdout } = await repository.kubectl('get', 'secrets', '-l', 'owner=helm', '-o', 'name');
    const newest = stdout.trim().split('\n').at(-1)!;
    // Where Helm keeps it: the label is what it filters by, and the content has it too.
    const { data } = JSON.parse((await repository.kubectl('get', newest, '-o', 'json')).stdout);
    const kept = gunzipSync(Buffer.from(Buffer.from(data.release, 'base64').toString(), 'base64'));
    const all = JSON.parse(kept.toString());
    const before: string = all.info.status;
    all.info.status = status;
    const text = Buffer.from(gzipSync(JSON.stringify(all)).toString('base64')).toString('base64');
    const patch = JSON.stringify({ metadata: { labels: { status } }, data: { release: text } });
    const { status: code, stderr } = await repository.kubectl('patch', newest, '--type=merge', '-p', patch);
    expect(code, stderr).toBe(0);
    return before;
  };
  const before = await secret('pending-upgrade');
  const { status, stderr } = await repository.make('up');
  expect(status).not.toBe(0);
  expect(stderr).toContain('is pending-upgrade: another run is at work, or was ended.');
  expect(stderr).toContain(`helm rollback ${repository.release} --namespace ${repository.namespace}`);
  const doctor = await repository.make('doctor', 'ARGS=release');
  expect(doctor.stdout).toMatch(/^FAILED +release +it is pending-upgrade/m);
  await secret(before);
});

it('the namespace that keeps the pods of jobs out fails in doctor', async () => {
  const label = 'pod-security.kubernetes.io/enforce';
  const set = (level: string) =>
    must('kubectl', ['label', '--overwrite', 'namespace', repository.namespace, `${label}=${level}`]);
  await set('restricted');
  const { stdout } = await repository.make('doctor', 'ARGS=namespace');
  expect(stdout).toMatch(/^FAILED +namespace +lifecycle takes restricted pods alone/m);
  await set('privileged');
});

it('make down takes the runner away, and make unregister the token, from .env and from the cluster', async () => {
  const { status, stdout, stderr } = await repository.make('down');
  expect(status, stdout + stderr).toBe(0);
  expect(stdout).toContain('context tests');
  expect((await repository.make('down')).stdout).toMatch(
    /^There is no gitlab-runner-\S+ in lifecycle, context tests/m,
  );
  expect((await repository.kubectl('get', 'deployments,pods', '-o', 'name')).stdout).toBe('');
  expect(await tokenInCluster()).not.toBe('');
  const gone = await repository.make('unregister', 'YES=1');
  expect(gone.status, gone.stderr).toBe(0);
  expect(await tokenInCluster()).toBe('');
});

it('whoever may not give the rights that the runner gets is told in doctor', async () => {
  const rules = ['pods', 'secrets', 'configmaps', 'serviceaccounts', 'deployments.apps', 'events'];
  const role = [
    'create',
    'role',
    'installer',
    '--verb=get,list,watch,create,update,patch,delete',
    ...rules.map(one => `--resource=${one}`),
  ];
  await repository.kubectl(
    ...role,
    '--resource=roles.rbac.authorization.k8s.io,rolebindings.rbac.authorization.k8s.io',
  );
  await repository.kubectl('create', 'rolebinding', 'installer', '--role=installer', '--user=someone');
  const kubeconfig = JSON.parse(readFileSync(process.env.KUBECONFIG!, 'utf8'));
  kubeconfig.users[0].user.as = 'someone';
  const own = join(repository.folder, 'kubeconfig.json');
  writeFileSync(own, JSON.stringify(kubeconfig));
  const { stdout } = await repository.make('doctor', 'ARGS=rights', `KUBECONFIG=${own}`);
  expect(stdout).toMatch(/^FAILED +rights +the cluster refuses it: .*forbidden/m);
});
