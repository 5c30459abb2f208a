import type { Answers } from '../ask/questions.ts';
import type { BuilderPlan, ConfigEntry, ConfigTable, JobService } from './builder.ts';
import { asPattern, fewCapabilities, namedImages } from './hardening.ts';

/** The entries of [runners.kubernetes] that each repository has. */
export function entries({ dockerImage }: Answers): ConfigEntry[] {
  return [
    { key: 'image', value: dockerImage, why: ['The image of a job that names none.'] },
    {
      key: 'pull_policy',
      value: ['always', 'if-not-present'],
      why: [
        'Ask the registry for a newer image first; if it is down or limits pulls, use the copy on the node. Where',
        'several teams share the runner, keep "always" alone: else one may run a private image that another pulled.',
      ],
    },
    {
      key: 'poll_timeout',
      value: 600,
      why: ['Seconds that a pod has to start in: it may wait for a node, and for its images.'],
    },
    {
      key: 'automount_service_account_token',
      value: false,
      why: ['Jobs get no token for the API of the cluster.'],
    },
  ];
}

/** What the level of hardening takes from jobs, beyond what the runner itself does. */
export function takenFromJobs(
  { hardening, builder, dockerImage }: Answers,
  services: readonly JobService[],
): ConfigEntry[] {
  const isStrict = hardening === 'strict';
  return [
    ...(hardening === 'relaxed' ? [] : capabilities(isStrict, builder)),
    ...(isStrict ? [namedImages(dockerImage)] : []),
    ...allowedServices(isStrict, services),
    ...(hardening === 'relaxed' ? [] : requests),
    ...(isStrict ? limits : []),
  ];
}

function capabilities(isStrict: boolean, builder: Answers['builder']): ConfigEntry[] {
  const escalation: ConfigEntry = {
    key: 'allow_privilege_escalation',
    value: false,
    why: [
      'No program in a pod gains rights that it does not start with, as by sudo, but for what is named below.',
    ],
  };
  if (!isStrict) {
    return [
      escalation,
      {
        key: 'cap_drop',
        value: ['NET_RAW', 'MKNOD'],
        why: ['No packets made by hand, and no device files. Should a job need one, leave it out here.'],
      },
    ];
  }
  return [escalation, ...fewCapabilities(builder)];
}

/** Of an engine beside each job all services are privileged: there only its own image may be one. */
function allowedServices(isStrict: boolean, services: readonly JobService[]): ConfigEntry[] {
  const engines = services.map(({ image }) => asPattern(image));
  if (engines.length > 0) {
    return [
      {
        key: 'allowed_services',
        value: engines,
        why: [
          'Every service is privileged here (service_container_security_context below), so this image alone may be one.',
          'What you add has root on the node, whoever pushes that image.',
        ],
      },
    ];
  }
  return isStrict
    ? [
        {
          key: 'allowed_services',
          value: ['*:*'],
          why: ['The images of services: the official ones of Docker Hub by a tag, such as postgres:17.'],
        },
      ]
    : [];
}

const requests: readonly ConfigEntry[] = [
  {
    key: 'cpu_request',
    value: '250m',
    why: ['What the cluster keeps free for each job: no node gets more jobs than it has room for.'],
  },
  { key: 'memory_request', value: '512Mi', why: [] },
];

const limits: readonly ConfigEntry[] = [
  {
    key: 'cpu_limit',
    value: '2',
    why: ['For each job, and for each of its services; adjust it to your nodes.'],
  },
  { key: 'memory_limit', value: '4Gi', why: [] },
  {
    key: 'ephemeral_storage_limit',
    value: '20Gi',
    why: ['The disk of the node that a job may fill, with what it builds; beyond it the job ends.'],
  },
  { key: 'ephemeral_storage_request', value: '1Gi', why: [] },
  { key: 'service_cpu_limit', value: '2', why: [] },
  { key: 'service_memory_limit', value: '4Gi', why: [] },
  { key: 'service_cpu_request', value: '250m', why: [] },
  { key: 'service_memory_request', value: '512Mi', why: [] },
];

/**
 * A pod that nothing would make anew is taken for one that may go:
 * https://karpenter.sh/docs/concepts/disruption/#pod-level-controls and
 * https://github.com/kubernetes/autoscaler/blob/master/cluster-autoscaler/FAQ.md
 */
export const leftAlone: ConfigTable = {
  name: 'pod_annotations',
  entries: [
    {
      key: '"cluster-autoscaler.kubernetes.io/safe-to-evict"',
      value: 'false',
      why: ['Cluster Autoscaler, and Karpenter, leave a node alone as long as a job runs there.'],
    },
    { key: '"karpenter.sh/do-not-disrupt"', value: 'true', why: [] },
  ],
};

/** The security contexts: for the pod, and for those of its containers that need another. */
export function securityTables({ hardening }: Answers, ofBuilder: readonly ConfigTable[]): ConfigTable[] {
  if (hardening === 'relaxed') return ofBuilder.filter(({ onlyHardened }) => onlyHardened === undefined);
  return [
    {
      name: 'pod_security_context.seccomp_profile',
      entries: [
        {
          key: 'type',
          value: 'RuntimeDefault',
          why: ['The system calls that the container runtime of the node takes for safe.'],
        },
      ],
    },
    ...ofBuilder,
  ];
}

/** What builds in a pod, in the place of a socket or a daemon that jobs share. */
export const inPod: Readonly<
  Record<'buildkit' | 'buildah' | 'dind', Pick<BuilderPlan, 'config' | 'tables'>>
> = {
  buildkit: {
    config: [],
    tables: [
      {
        name: 'build_container_security_context',
        onlyHardened: true,
        entries: [
          {
            key: 'allow_privilege_escalation',
            value: true,
            why: ['BuildKit makes its user namespace by newuidmap, which has rights that its user has not.'],
          },
        ],
      },
      ...openProfiles('BuildKit'),
      {
        name: 'volumes.empty_dir',
        isList: true,
        entries: [
          { key: 'name', value: 'buildkit', why: ['Its layers, for as long as the job runs.'] },
          { key: 'mount_path', value: '/home/user/.local/share/buildkit', why: [] },
        ],
      },
    ],
  },
  buildah: { config: [], tables: openProfiles('Buildah') },
  dind: {
    config: [],
    tables: [
      {
        name: 'service_container_security_context',
        entries: [
          { key: 'privileged', value: true, why: ['The engine needs it; the job itself stays without.'] },
          { key: 'allow_privilege_escalation', value: true, why: [] },
        ],
      },
      {
        name: 'volumes.empty_dir',
        isList: true,
        entries: [
          {
            key: 'name',
            value: 'docker-certs',
            why: ["What a job shares with its engine, which puts the client's certificate there."],
          },
          { key: 'mount_path', value: '/certs/client', why: [] },
          { key: 'medium', value: 'Memory', why: [] },
        ],
      },
    ],
  },
};

/** The profiles that user namespaces and mounts of a job need. */
function openProfiles(program: string): ConfigTable[] {
  const why = [
    `${program} makes user namespaces and mounts of its own, which the default profiles of nodes forbid.`,
    'The container stays unprivileged.',
  ];
  return [
    {
      name: 'build_container_security_context.seccomp_profile',
      entries: [{ key: 'type', value: 'Unconfined', why }],
    },
    {
      name: 'build_container_security_context.app_armor_profile',
      entries: [{ key: 'type', value: 'Unconfined', why: ['The same; Kubernetes knows it since 1.30.'] }],
    },
  ];
}
