import { isDeepStrictEqual } from 'node:util';
import type { Answers } from '../ask/questions.ts';

/** One row of the table in README.md: who could do what, and what is done about it. */
export interface Threat {
  readonly who: string;
  readonly can: string;
  readonly against: string;
  /** The way to build images that it is about, where it is that. */
  readonly builder?: Answers['builder'];
}

/** What somebody who can run a job can do by the builder, and what the builder does about it. */
type Developer = Omit<Threat, 'who' | 'builder'>;

const privilegedEngine =
  'have their engine start a privileged container, and reach the disks and devices of this host from there';

const developers: { readonly [Name in Answers['builder']]: (answers: Answers) => Developer } = {
  socket: () => ({
    can: 'start any container on this host, so they are root here: they read every file, every other job, and the token of the runner',
    against:
      'nothing stops it: register the runner for people whom you would trust with root here, on a host of its own',
  }),
  dind: ({ dindCache }) =>
    dindCache === 'volume'
      ? {
          can: `${privilegedEngine}; read and change the images of all other jobs`,
          against:
            'the job itself has no privileges, which stops accidents; against attackers, a host of its own',
        }
      : {
          can: privilegedEngine,
          against:
            'the job itself has no privileges, and one image alone may be a privileged service; against attackers, a host of its own',
        },
  buildkit: () => ({
    can: 'build what they like, with the layers of all projects; a fault of the kernel would lead from a build to this host',
    against: 'BuildKit runs as an ordinary user in a user namespace; keep the kernel current',
  }),
  buildah: () => ({
    can: 'run what they like in a container without privileges; a fault of the kernel would lead from there to this host, the more as the seccomp profile is open',
    against: 'no socket, no daemon, nothing that is shared; keep the kernel current',
  }),
};

/** The same where jobs run on instances of a cloud. */
const onInstance = ({ instanceUses }: Answers): Developer => ({
  can: 'be root on the instance of their job, with whatever rights that has in the cloud and in its network',
  against: `it is removed after ${instanceUses === 1 ? 'the job' : `${instanceUses} jobs, which find what others left`}; give instances no rights in the cloud, and a network of their own`,
});

/** The same, with what the level of hardening does about it. */
function developerOf(answers: Answers): Developer {
  const { builder, hardening, executor } = answers;
  const { can, against } = executor === 'docker' ? developers[builder](answers) : onInstance(answers);
  const byLevel = {
    relaxed: '',
    recommended:
      builder === 'buildah'
        ? '; a job makes no device files and no raw packets'
        : '; the job itself gains no privileges, and makes no device files and no raw packets',
    strict:
      '; the job itself gains no privileges, has few capabilities, and runs in named images only; protected branches and tags alone are served',
  }[hardening];
  return { can, against: against + byLevel };
}

/** What jobs share while they run at the same time. */
const shared: { readonly [Name in Answers['builder']]: (answers: Answers) => string } = {
  socket: () => 'whatever the developer above can: all jobs have one engine',
  dind: ({ dindCache }) =>
    dindCache === 'volume'
      ? 'reach the ports that the other opens, and take its images and containers'
      : 'reach the ports that the other opens, by its address',
  buildkit: () => 'reach the ports that the other opens, and take its layers',
  buildah: () => 'reach the ports that the other opens, by its address',
};

/**
 * Who could do what with this repository's runner, and what is done about it: short, and nothing left out.
 *
 * @param others the answers of further runners in the same container
 */
export function planThreats(answers: Answers, others: readonly Answers[] = []): Threat[] {
  const { builder, hardening, executor } = answers;
  return [
    fromFork(answers),
    { who: 'Developer who can push', builder, ...developerOf(answers) },
    ...others
      .map(other => ({
        who: `The same, by \`${other.description}\``,
        builder: other.builder,
        ...developerOf(other),
      }))
      .filter(({ can, against }) => !isDeepStrictEqual({ can, against }, developerOf(answers))),
    ...(executor === 'docker' ? betweenJobs(answers) : betweenInstances(answers)),
    onTheNetwork(answers),
    {
      who: 'Somebody with the Docker socket of this host',
      can: 'whatever root can: read the token, the secrets of running jobs, and all else',
      against:
        executor === 'docker' ? againstSocket[hardening] : 'give nobody an account in the group `docker`',
    },
  ];
}

/** The same wherever jobs run: GitLab decides it. */
export function fromFork({ hardening }: Answers): Threat {
  return {
    who: 'Author of a merge request from a fork',
    can: 'nothing, until a member starts their pipeline in this project: then what a developer can',
    against:
      hardening === 'strict'
        ? 'no protected branch, so no job here'
        : 'read such changes before you start their pipeline; or take protected branches only (`access_level` in `scripts/settings.ts`)',
  };
}

function betweenJobs(answers: Answers): Threat[] {
  return [
    {
      who: 'Another job at the same time',
      can: shared[answers.builder](answers),
      against: againstOtherJobs(answers),
    },
    {
      who: 'A job that runs away',
      can: 'fill disk, memory and the table of processes of this host',
      against: againstRunaway(answers),
    },
  ];
}

function betweenInstances({ instanceJobs, concurrent }: Answers): Threat[] {
  return [
    {
      who: 'Another job at the same time',
      can:
        instanceJobs === 1
          ? 'reach ports of its instance, if their network lets it'
          : `whatever the developer above can: up to ${instanceJobs} jobs have one instance`,
      against:
        instanceJobs === 1
          ? 'each job has an instance to itself; a network that lets no instance reach another'
          : '`capacity_per_instance = 1` in `config/config.toml` where that matters',
    },
    {
      who: 'A job that runs away',
      can: `fill its instance, and cost money until its timeout; with others, up to ${concurrent} jobs`,
      against: '`max_instances` and the timeout of jobs; a budget alert of the cloud',
    },
  ];
}

function againstOtherJobs({ builder, dindCache, hardening }: Answers): string {
  // Of one engine for all jobs any of them gets what it asks for.
  const isShared = builder === 'socket' || (builder === 'dind' && dindCache === 'volume');
  return `${hardening === 'relaxed' || isShared ? '' : 'no packets in the name of another job; '}let one job run at a time (\`concurrent\` in \`config/config.toml\`) where that matters`;
}

const againstSocket: { readonly [Level in Answers['hardening']]: string } = {
  relaxed: 'give nobody an account in the group `docker`',
  recommended:
    'give nobody an account in the group `docker`; what breaks into the runner finds the socket there too',
  strict:
    'give nobody an account in the group `docker`; the container of the runner has a read-only file system and one capability, yet the socket too',
};

function againstRunaway({ builder, dindCache, hardening, cleanUp }: Answers): string {
  const buildsBeside = builder !== 'buildah' && !(builder === 'dind' && dindCache === 'registry');
  const disk = cleanUp === undefined ? '' : '`clean-up` for the disk; ';
  const first = {
    relaxed: disk,
    recommended: `where memory runs out, the kernel ends jobs first; ${disk}`,
    strict: `limits of memory and CPUs${buildsBeside ? ', but for builds, which run beside the job' : ''}; ${disk}`,
  }[hardening];
  return `${first}the timeout of jobs; GitLab Runner has no limit of processes`;
}

export function onTheNetwork({ gitlabUrl, insecureRegistry }: Answers): Threat {
  const open = [
    ...(gitlabUrl.startsWith('http://')
      ? ['read the tokens of the runner and of jobs: GitLab is spoken to without TLS']
      : []),
    ...(insecureRegistry === undefined
      ? []
      : [`read passwords for \`${insecureRegistry}\`, and change its images: it speaks plain HTTP`]),
  ];
  return {
    who: 'Somebody on the network',
    can: open.length > 0 ? open.join('; ') : 'nothing: no port here is open to the outside',
    against: open.length > 0 ? 'a certificate there' : 'GitLab and registries are spoken to by TLS',
  };
}
