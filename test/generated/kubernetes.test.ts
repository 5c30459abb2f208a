import { readFileSync } from 'node:fs';
import { parse as parseToml } from 'smol-toml';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { answersWith, clusterScenarios, otherInCluster } from '../support/answers.ts';
import { unknownValues } from '../support/chart.ts';
import { needs } from '../support/needs.ts';
import { targetsOf } from '../support/own-tools.ts';
import { pathsWith, planWith, renderAll, tool } from '../support/rendered.ts';

type Tree = { [key: string]: Tree };
const { keys } = JSON.parse(
  readFileSync(new URL('../facts/config-toml-keys.json', import.meta.url), 'utf8'),
) as { keys: Tree };

/** The keys of a configuration that GitLab Runner does not know, as paths. */
function unknownKeys(table: object, known: Tree, above: string): string[] {
  return Object.entries(table).flatMap(([key, value]) => {
    const path = `${above}.${key}`;
    const its = known[key] as Tree | string | undefined;
    if (its === undefined) return [path];
    const tables = [value].flat().filter(one => typeof one === 'object' && one !== null);
    return typeof its === 'string' ? [] : tables.flatMap(one => unknownKeys(one, its, path));
  });
}

/** What the runner gets, once Helm has put plain braces where they are written as a template. */
const configOf = (values: { runners: { config: string } }) =>
  parseToml(values.runners.config.replaceAll('{{ "{{" }}', '{{')) as unknown as {
    runners: [Record<string, unknown> & { kubernetes: Record<string, unknown> }];
  };

describe.each(Object.entries(clusterScenarios))('%s', (_, typed) => {
  const texts = renderAll(typed);
  const text = texts['helm/values.yaml']!;
  const values = parse(text);
  const [runner] = configOf(values).runners;
  const answers = answersWith(typed);

  it('has values that the official chart knows, and no others', () => {
    expect(unknownValues(values)).toEqual([]);
  });

  it('has keys in config.toml that GitLab Runner knows, and no others', () => {
    // What has a type of its own in the facts.
    const { cache, kubernetes, ...others } = runner;
    const { host_aliases: aliases, ...executor } = kubernetes;
    expect(unknownKeys(others, keys.runners!, '')).toEqual([]);
    expect(unknownKeys(executor, keys.runners!.kubernetes!, '')).toEqual([]);
    expect(keys.runners!.kubernetes).toHaveProperty('host_aliases');
    for (const alias of [aliases ?? []].flat())
      expect(Object.keys(alias as object)).toEqual(['ip', 'hostnames']);
    expect(Object.keys((cache as object | undefined) ?? {})).toEqual(cache ? ['Type', 'Shared', 's3'] : []);
  });

  it('reads the same as YAML 1.1, which Helm reads, and as YAML 1.2', () => {
    for (const path of pathsWith(typed).filter(path => /\.ya?ml$/.test(path)))
      expect(parse(texts[path]!, { version: '1.1' }), path).toEqual(parse(texts[path]!, { version: '1.2' }));
  });

  it('holds the answers', () => {
    const { image, tag } = values.image;
    expect(`${image}:${tag}`).toBe(answers.runnerImage);
    expect(values).toMatchObject({
      ...{ gitlabUrl: answers.gitlabUrl, concurrent: answers.concurrent, logLevel: answers.logLevel },
      ...{ unregisterRunners: false, terminationGracePeriodSeconds: 3600 },
    });
    expect(values.envVars[0]).toEqual({
      name: 'RUNNER_NAME',
      value: answers.description.replaceAll('$', '$$$$'),
    });
    expect(runner.kubernetes).toMatchObject({
      image: answers.dockerImage,
      automount_service_account_token: false,
    });
    expect(JSON.parse(texts['helm/release.json']!)).toMatchObject({ namespace: answers.namespace });
    expect(parse(texts['k8s/namespace.yaml']!).metadata.name).toBe(answers.namespace);
  });

  it('gives the account of the runner named rights in its own namespace, and never all', () => {
    expect(values.rbac).toMatchObject({ create: true, clusterWideAccess: false });
    expect(values.rbac.rules.length).toBeGreaterThan(0);
    expect(JSON.stringify(values.rbac.rules)).not.toContain('*');
  });

  it('makes no container privileged but the engine of dind, which alone may be a service then', () => {
    const isEngine = answers.builder === 'dind';
    expect(/privileged = true/.test(text)).toBe(isEngine);
    expect(runner.kubernetes.privileged).toBeUndefined();
    const context = runner.kubernetes.service_container_security_context as object | undefined;
    expect(context).toEqual(isEngine ? { privileged: true, allow_privilege_escalation: true } : undefined);
    if (isEngine)
      expect(runner.kubernetes.allowed_services).toEqual([
        planWith(typed).runners[0].pipeline.services[0]?.image,
      ]);
  });

  it('takes from jobs what the level of hardening says', () => {
    const { hardening, builder } = answers;
    const {
      allow_privilege_escalation: escalation,
      cap_drop: dropped,
      memory_limit: limit,
    } = runner.kubernetes;
    expect(escalation).toBe(hardening === 'relaxed' ? undefined : false);
    const byLevel = { relaxed: undefined, recommended: ['NET_RAW', 'MKNOD'], strict: ['ALL'] };
    expect(dropped).toEqual(byLevel[hardening]);
    expect(limit).toBe(hardening === 'strict' ? '4Gi' : undefined);
    // Without a request of its own a pod would ask for all of its limit.
    const { ephemeral_storage_limit: disk, ephemeral_storage_request: asked } = runner.kubernetes;
    expect([disk, asked]).toEqual(hardening === 'strict' ? ['20Gi', '1Gi'] : [undefined, undefined]);
    const { build_container_security_context: build = {} } = runner.kubernetes as {
      build_container_security_context?: object;
    };
    const open = { type: 'Unconfined' };
    expect(build).toEqual(
      builder === 'dind'
        ? {}
        : {
            ...(builder === 'buildkit' && hardening !== 'relaxed'
              ? { allow_privilege_escalation: true }
              : {}),
            ...{ seccomp_profile: open, app_armor_profile: open },
          },
    );
  });

  it('keeps autoscalers from the nodes of running jobs', () => {
    expect(runner.kubernetes.pod_annotations).toEqual({
      'cluster-autoscaler.kubernetes.io/safe-to-evict': 'false',
      'karpenter.sh/do-not-disrupt': 'true',
    });
    expect(texts['README.md']).toContain('kubectl drain');
  });

  it('says that the pod of the runner waits as long as a job has', () => {
    expect(text).toMatch(/# .*maximum_timeout.*\n(?:# .*\n)*terminationGracePeriodSeconds: 3600/);
  });

  it('says that jobs reach the metadata of their node and all Services, and that an image may run as root', () => {
    const [, table = ''] = /## Who could do what\n([\s\S]*?)\n\n\D/.exec(texts['README.md']!) ?? [];
    for (const word of ['169.254.169.254', 'every Service of the cluster', 'hop limit', 'NetworkPolicy'])
      expect(table).toContain(word);
    const [developer] = planWith(typed).threats.filter(threat => threat.builder === answers.builder);
    expect(developer?.can).toMatch(/\broot\b/);
  });

  it('has no word of what only one host has', () => {
    const all = pathsWith(typed).filter(
      path => !/^scripts\/(host|gitlab|register|doctor|private-ca)\.ts$/.test(path),
    );
    for (const path of all)
      expect(texts[path], path).not.toMatch(
        /docker-compose\.yml|config\/config\.toml|docker compose|[Oo]n its host|each host/,
      );
  });
});

it('README.md says how a role of AWS takes the place of the keys of the cache, and .env.example that it does', () => {
  const { 'README.md': readme, '.env.example': example } = renderAll({ ...otherInCluster });
  const [, cache = ''] = /## The cache\n([\s\S]*?)\n## /.exec(readme!) ?? [];
  for (const word of [
    'serviceAccount',
    'eks.amazonaws.com/role-arn',
    'AuthenticationType = "iam"',
    'secretName',
  ])
    expect(cache).toContain(word);
  expect(example).toMatch(/# .*role.*README\.md.*\nCACHE_S3_ACCESS_KEY=/);
});

it('settings.ts says of no line that the doctor of a cluster reads it, where it does not', () => {
  const settings = renderAll({ executor: 'kubernetes' })['scripts/settings.ts']!;
  expect(settings).not.toContain('for `make doctor` to read');
});

it('the Makefile has the commands that it has on one host', () => {
  const [inCluster, onOneHost] = [{ executor: 'kubernetes' }, {}].map(typed =>
    targetsOf(renderAll(typed).Makefile!),
  );
  expect(inCluster).toEqual(onOneHost);
});

it('README.md says which label the stack of the Prometheus Operator wants, and where', () => {
  const readme = renderAll({ executor: 'kubernetes', monitoring: 'yes' })['README.md']!;
  expect(readme).toMatch(/`release`[\s\S]*metrics\.podMonitor\.labels[\s\S]*k8s\/alerts\.yaml/);
});

it('the alerts are those of one host, but for its disk and the token, of which a cluster has no metrics', () => {
  const rulesOf = (groups: { rules: { alert: string; expr: string }[] }[]) =>
    new Map(groups.flatMap(({ rules }) => rules.map(({ alert, expr }) => [alert, expr.trim()])));
  const here = rulesOf(parse(renderAll({ monitoring: 'yes' })['prometheus/rules.yml']!).groups);
  const { spec } = parse(renderAll({ executor: 'kubernetes', monitoring: 'yes' })['k8s/alerts.yaml']!);
  const there = rulesOf(spec.groups);
  expect([...there.keys(), 'DiskFull', 'TokenExpiring']).toEqual([...here.keys()]);
  // Pods of that name are found otherwise than a container.
  for (const [alert, expr] of there) if (alert !== 'RunnerGone') expect(expr).toBe(here.get(alert));
});

it.each([
  ['gitlab/gitlab-runner', { image: 'gitlab/gitlab-runner', tag: 'latest' }],
  ['localhost:5000/runner', { image: 'localhost:5000/runner', tag: 'latest' }],
  [
    `gitlab/gitlab-runner:v19.3.0@sha256:${'a'.repeat(64)}`,
    { image: 'gitlab/gitlab-runner:v19.3.0@sha256', tag: 'a'.repeat(64) },
  ],
])('the chart puts the image of the runner together from its parts: %s', (runnerImage, image) => {
  expect(planWith({ executor: 'kubernetes', runnerImage }).kubernetes!.image).toEqual(image);
});

it.each([
  ['gitlab/gitlab-runner:alpine', 100, 65533],
  ['gitlab/gitlab-runner:v19.3.0', 999, 999],
  ['gitlab/gitlab-runner', 999, 999],
])('the runner is the user that its image has: %s', (runnerImage, id, group) => {
  const { podSecurityContext } = parse(
    renderAll({ executor: 'kubernetes', runnerImage })['helm/values.yaml']!,
  );
  expect(podSecurityContext).toMatchObject({ runAsUser: id, runAsGroup: group, fsGroup: group });
});

it.each([
  ['my-runner', 'gitlab-runner-my-runner'],
  ['gitlab-runner', 'gitlab-runner'],
  ['A_b__c'.repeat(20), `gitlab-runner-${'a-b-c'.repeat(7)}`],
  ['größe', 'gitlab-runner-gr-e'],
])('the release of the folder %s is called as Helm takes it', (folder, release) => {
  const name = planWith({ executor: 'kubernetes' }, folder).kubernetes!.release;
  expect(name).toBe(release);
  expect(name).toMatch(/^[a-z0-9]([-a-z0-9]{0,51}[a-z0-9])?$/);
});

/** Objects of Kubernetes and of the Prometheus Operator, by the schemas of their own. */
const models = {
  Namespace: tool('kubernetes-models/v1/Namespace.js'),
  PrometheusRule: tool('@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/PrometheusRule.js'),
};

describe.skipIf(!needs(Object.values(models).every(Boolean), 'the schemas of Kubernetes in test/tools'))(
  'the schemas',
  () => {
    const validate = async (manifest: { kind: keyof typeof models; spec?: object }) => {
      const { [manifest.kind]: Model } = await import(models[manifest.kind]!);
      new Model(manifest).validate();
    };
    const { 'k8s/namespace.yaml': namespace, 'k8s/alerts.yaml': alerts } = renderAll(otherInCluster);

    it('take the manifests of the repository', async () => {
      await validate(parse(namespace!));
      await validate(parse(alerts!));
    });

    it('refuse what is none', async () => {
      await expect(validate({ ...parse(namespace!), metadata: 'x' })).rejects.toThrow(/metadata/);
      const broken = { groups: [{ name: 'x', rules: [{ alert: 'X', expr: { up: 0 } }] }] };
      await expect(validate({ ...parse(alerts!), spec: broken })).rejects.toThrow(/expr/);
    });
  },
);

it('reaches the API of the cluster without the proxy', () => {
  const { extraEnv } = parse(renderAll(otherInCluster)['helm/values.yaml']!);
  expect(extraEnv.NO_PROXY.split(',')).toEqual(
    expect.arrayContaining(['$(KUBERNETES_SERVICE_HOST)', '.svc', '.internal.example.org']),
  );
});

type Manager = Readonly<Record<'managerFilePatterns' | 'matchStrings', [string]>>;

it('Renovate finds the chart, the image of the runner and that of jobs', () => {
  const texts = renderAll({ executor: 'kubernetes', renovate: 'yes' });
  const { customManagers } = JSON.parse(texts['renovate.json']!);
  const found = customManagers.map(({ managerFilePatterns: [file], matchStrings: [match] }: Manager) => {
    const path = Object.keys(texts).find(one => new RegExp(file.slice(1, -1)).test(one))!;
    return { ...new RegExp(match).exec(texts[path]!)?.groups };
  });
  const [runnerImage, runnerTag] = answersWith({ executor: 'kubernetes' }).runnerImage.split(':');
  expect(found).toMatchObject([
    { depName: 'gitlab-runner', registryUrl: 'https://charts.gitlab.io', currentValue: '0.86.0' },
    { depName: runnerImage, currentValue: runnerTag },
    { depName: 'moby/buildkit', currentValue: 'v0.34.2-rootless' },
  ]);
});
