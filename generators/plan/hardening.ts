import type { Answers } from '../ask/questions.ts';
import type { ConfigEntry, JobService } from './builder.ts';

/** What is taken from jobs and from the runner, beyond what Docker takes from every container. */
export interface Hardening {
  readonly level: Answers['hardening'];
  /** Whether the runner's own container gains no rights that it does not start with. */
  readonly isConfined: boolean;
  /** Whether it writes nowhere but to its configuration, and has of root's rights what that takes. */
  readonly isReadOnly: boolean;
  /** Which branches and tags GitLab lets the runner serve. */
  readonly accessLevel: 'not_protected' | 'ref_protected';
  /** Entries of [[runners]], and of [runners.docker]. */
  readonly runner: readonly ConfigEntry[];
  readonly docker: readonly ConfigEntry[];
}

/** What of the repository it depends on. */
interface Jobs extends Pick<Answers, 'hardening' | 'builder' | 'dockerImage'> {
  /** What the builder has in [runners.docker] already. */
  readonly config: readonly ConfigEntry[];
  readonly services: readonly JobService[];
}

export const debugTraceDisabled: ConfigEntry = {
  key: 'debug_trace_disabled',
  value: true,
  why: ['Nobody can make a job print all of its variables by CI_DEBUG_TRACE.'],
};

const noNewPrivileges = 'no-new-privileges:true';

/** Decides what is taken away; `docker` has the entries of the builder too, each key once. */
export function planHardening({ hardening: level, builder, dockerImage, config, services }: Jobs): Hardening {
  const isStrict = level === 'strict';
  const docker =
    level === 'relaxed'
      ? config
      : [
          ...withSecurityOptions(config, level, builder),
          ...capabilities(level, builder),
          {
            key: 'oom_score_adjust',
            value: 500,
            why: [
              'Where this host runs out of memory, the kernel ends jobs first, and neither the runner nor the engine.',
            ],
          },
          ...(isStrict ? [...images(dockerImage, services), ...limits(services)] : []),
        ];
  return {
    level,
    isConfined: level !== 'relaxed',
    isReadOnly: isStrict,
    accessLevel: isStrict ? 'ref_protected' : 'not_protected',
    runner: isStrict ? [debugTraceDisabled] : [],
    docker,
  };
}

/** The builder's entries, with `no-new-privileges` in `security_opt`. */
function withSecurityOptions(
  config: readonly ConfigEntry[],
  level: Answers['hardening'],
  builder: Answers['builder'],
): ConfigEntry[] {
  const own = config.find(({ key }) => key === 'security_opt');
  // Buildah runs the steps of a Dockerfile inside the job, and some of them use sudo.
  const isLeftOut = builder === 'buildah' && level !== 'strict';
  const why = isLeftOut
    ? 'no-new-privileges is not among them: RUN steps of a Dockerfile are run in the job, and some of them use sudo.'
    : `No program in a job gains rights that the job does not start with; so sudo is of no use there${builder === 'buildah' ? ', nor in RUN steps' : ''}.`;
  const entry: ConfigEntry = {
    key: 'security_opt',
    value: [
      ...((own?.value as readonly string[] | undefined) ?? []),
      ...(isLeftOut ? [] : [noNewPrivileges]),
    ],
    why: [...(own?.why ?? []), why],
  };
  return own ? config.map(one => (one === own ? entry : one)) : [...config, entry];
}

function capabilities(level: Answers['hardening'], builder: Answers['builder']): ConfigEntry[] {
  if (level !== 'strict') {
    return [
      {
        key: 'cap_drop',
        value: ['NET_RAW', 'MKNOD'],
        why: [
          'No packets made by hand, by which a job could pretend to be another one, and no device files.',
          'Podman does not give them either. Should a job need one, leave it out here.',
        ],
      },
    ];
  }
  return fewCapabilities(builder);
}

/** Of the strict level, in containers of this host and in pods alike. */
export function fewCapabilities(builder: Answers['builder']): ConfigEntry[] {
  const forBuildah = builder === 'buildah';
  return [
    {
      key: 'cap_drop',
      value: ['ALL'],
      why: ["Of root's rights a job has those named in cap_add."],
    },
    {
      key: 'cap_add',
      value: [
        ...['CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'KILL', 'SETGID', 'SETUID'],
        ...(forBuildah ? ['SETFCAP'] : []),
      ],
      why: [
        'What apk, apt and npm need as root: to read, write and own all files, to become another user, and to end',
        `that one's programs.${forBuildah ? ' Buildah needs SETFCAP to make its user namespace.' : ''}`,
      ],
    },
  ];
}

/** In a pattern of GitLab Runner these are special; of them an image's name has brackets at most. */
export const asPattern = (image: string): string => image.replace(/[[\]]/g, '\\$&');

/** The images that jobs may run in, of the strict level, in containers of this host and in pods alike. */
export function namedImages(dockerImage: string): ConfigEntry {
  return {
    key: 'allowed_images',
    value: [asPattern(dockerImage)],
    why: [
      'The images that jobs may run in. Add yours: "node:*" is node with any tag, and',
      '"registry.example.com/team/**" all of a team.',
    ],
  };
}

function images(dockerImage: string, services: readonly JobService[]): ConfigEntry[] {
  return [
    namedImages(dockerImage),
    {
      key: 'allowed_services',
      value: [...services.map(({ image }) => asPattern(image)), '*:*'],
      why: [
        `The images of services: ${services.length > 0 ? 'the engine, and ' : ''}the official ones of Docker Hub by a tag, such as postgres:17.`,
      ],
    },
  ];
}

function limits(services: readonly JobService[]): ConfigEntry[] {
  const [memory, cpus] = ['4g', '2'];
  const builds = services.length > 0;
  return [
    {
      key: 'memory',
      value: memory,
      why: [
        'For each job. Together they should stay below the memory of this host: "concurrent" above times the two',
        'limits of memory here.',
      ],
    },
    { key: 'memory_swap', value: memory, why: ['Memory and swap together: none is swapped out.'] },
    {
      key: 'cpus',
      value: cpus,
      why: [
        'For each job. On a host with one CPU write "1": Docker starts no container with more than there are.',
      ],
    },
    {
      key: 'service_memory',
      value: builds ? memory : '2g',
      why: [`For each service of a job${builds ? ': the engine, and all that it builds' : ''}.`],
    },
    { key: 'service_cpus', value: cpus, why: ['As for jobs.'] },
    ...(builds
      ? []
      : [
          {
            key: 'services_security_opt',
            value: [noNewPrivileges],
            why: ['As for jobs.'],
          },
        ]),
  ];
}
