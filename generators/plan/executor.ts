import type { Answers } from '../ask/questions.ts';
import type { ConfigEntry } from './builder.ts';

/** [runners.autoscaler] of config.toml, by its tables. */
export interface Autoscaler {
  readonly entries: readonly ConfigEntry[];
  readonly plugin: readonly ConfigEntry[];
  readonly connector: readonly ConfigEntry[];
  /** Of several that fit the time of day, the last one counts. */
  readonly policies: readonly (readonly ConfigEntry[])[];
  /** Variables of .env that the plugin reads as any program of that cloud does, each with what it is. */
  readonly environment: readonly { readonly name: string; readonly why: string }[];
  /** Whether the runner logs in to instances by a key that their image has to know. */
  readonly hasKey: boolean;
}

/** Where the container of the runner has the key of `hasKey`: config/ssh-key. */
const keyPath = '/etc/gitlab-runner/ssh-key';

/** What the plugin of a cloud calls the parts of a group of instances: https://gitlab.com/gitlab-org/fleeting/plugins */
export const groupKeys: { readonly [Name in Answers['cloud']]: readonly string[] } = {
  aws: ['name'],
  googlecloud: ['project', 'zone', 'name'],
  azure: ['subscription_id', 'resource_group_name', 'name'],
};

/** What differs from cloud to cloud besides. */
interface Cloud {
  readonly groupWhy: string;
  readonly user: string;
  readonly userWhy: string;
  readonly environment: Autoscaler['environment'];
  readonly hasKey: boolean;
}

const clouds: { readonly [Name in Answers['cloud']]: Cloud } = {
  aws: {
    groupWhy: 'The Auto Scaling group: no scaling policy, AZRebalance suspended, scale-in protection on.',
    user: 'ec2-user',
    userWhy:
      'A user of the image who may use docker. EC2 Instance Connect lets the runner in, by a key of the moment.',
    environment: [
      { name: 'AWS_REGION', why: 'The region of the Auto Scaling group, such as eu-central-1.' },
      {
        name: 'AWS_ACCESS_KEY_ID',
        why: 'Leave both empty where this host has a role of AWS with the rights that README.md names.',
      },
      {
        name: 'AWS_SECRET_ACCESS_KEY',
        why: 'The secret half. With a $ or # in it, put it in single quotes.',
      },
    ],
    hasKey: false,
  },
  googlecloud: {
    groupWhy: 'The managed instance group: in one zone, and autoscaling off.',
    user: 'runner',
    userWhy: 'A user of the image who may use docker. The plugin lets it in by the metadata of the instance.',
    environment: [],
    hasKey: false,
  },
  azure: {
    groupWhy: 'The scale set: uniform orchestration, manual scaling, and overprovisioning off.',
    user: 'azureuser',
    userWhy: 'A user of the image who may use docker, and who knows the public half of that key.',
    environment: [
      {
        name: 'AZURE_TENANT_ID',
        why: 'Leave all three empty where this host has a managed identity with the rights that README.md names.',
      },
      { name: 'AZURE_CLIENT_ID', why: 'The application.' },
      { name: 'AZURE_CLIENT_SECRET', why: 'Its secret. With a $ or # in it, put it in single quotes.' },
    ],
    hasKey: true,
  },
};

/** Decides what the runner does with instances; undefined where jobs run on this host. */
export function planAutoscaler(answers: Answers): Autoscaler | undefined {
  if (answers.executor !== 'docker-autoscaler') return undefined;
  const { cloud, instanceGroup, instanceJobs, instanceUses, concurrent } = answers;
  const { groupWhy, user, userWhy, environment, hasKey } = clouds[cloud];
  const parts = instanceGroup.split('/');
  return {
    entries: [
      entry(
        'plugin',
        `${cloud}:1`,
        'Installed when the container starts: the newest version that begins so.',
      ),
      entry('capacity_per_instance', instanceJobs, 'Jobs that one instance runs at the same time.'),
      entry(
        'max_use_count',
        instanceUses,
        instanceUses === 1
          ? 'Each job has an instance of its own, which is removed after it: nothing of it stays, no layers either.'
          : 'Jobs after which an instance is removed. Until then each finds what others left, layers too.',
      ),
      entry(
        'max_instances',
        Math.ceil(concurrent / instanceJobs),
        'As many as "concurrent" jobs fill. The group has to allow so many.',
      ),
    ],
    plugin: groupKeys[cloud].map((key, at) => entry(key, parts[at] ?? '', ...(at === 0 ? [groupWhy] : []))),
    connector: [
      entry('username', user, userWhy),
      ...(hasKey
        ? [
            entry('use_static_credentials', true, 'By the key config/ssh-key, which is not in git.'),
            entry('key_path', keyPath),
          ]
        : []),
      entry(
        'use_external_addr',
        false,
        'Instances are in the network of this host; true where they are not.',
      ),
    ],
    policies: policiesFor(answers),
    // The runner has one key of AWS at most: that of the cache is then for both.
    environment: environment.filter(({ name }) => answers.cache !== 's3' || !/^AWS_.*KEY/.test(name)),
    hasKey,
  };
}

/** idle_count is a number of jobs, and not of instances (GitLab Runner, [[runners.autoscaler.policy]]). */
function policiesFor({ idleJobs }: Answers): ConfigEntry[][] {
  const always = [
    entry(
      'idle_count',
      0,
      'At any time: no instance waits for jobs, and one without any goes after so long.',
    ),
    entry('idle_time', '10m0s'),
  ];
  if (idleJobs === 0) return [always];
  return [
    always,
    [
      entry(
        'periods',
        ['* 8-17 * * mon-fri'],
        'In working hours instances wait for so many jobs. Of two policies that fit, the later counts.',
      ),
      entry('timezone', 'UTC'),
      entry('idle_count', idleJobs),
      entry('idle_time', '20m0s'),
    ],
  ];
}

function entry(key: string, value: ConfigEntry['value'], ...why: string[]): ConfigEntry {
  return { key, value, why };
}
