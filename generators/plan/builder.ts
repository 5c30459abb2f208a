import type { Answers } from '../ask/questions.ts';

/** One `key = value` of config.toml, and why it is there: lines of a comment, none where the key says it. */
export interface ConfigEntry {
  readonly key: string;
  readonly value: string | number | boolean | readonly string[];
  readonly why: readonly string[];
  /** Whether an empty line is before it, so that changes on the two sides of that go together. */
  readonly isApart?: true;
}

/** A table below [runners.kubernetes], such as `volumes.empty_dir`, which can be there several times where it is a list. */
export interface ConfigTable {
  readonly name: string;
  readonly isList?: true;
  /** Whether it takes back what hardening takes away, and is not needed without. */
  readonly onlyHardened?: true;
  readonly entries: readonly ConfigEntry[];
}

/** A variable of the pipeline; `why` is a comment above it, and may stand for those that follow it too. */
export interface Variable {
  readonly name: string;
  readonly value: string;
  readonly why?: string;
}

/** A service that GitLab Runner starts beside each job. */
export interface JobService {
  readonly image: string;
  readonly alias: string;
  /** Options of the service's own program. */
  readonly options: readonly string[];
}

/** A named volume or network of docker-compose.yml; with a name of its own it is that for job containers too. */
export interface ComposeResource {
  readonly key: string;
  readonly name?: string;
  /** Whether somebody else makes it: then it has to be there before. */
  readonly external?: true;
  /** A folder of the repository that the volume is. */
  readonly folder?: string;
  readonly why: string;
}

/** What a way to build images asks of each file. Names of parts are those of `templates/_parts`. */
export interface BuilderPlan {
  /** Volumes of job containers, as in [runners.docker], and why they are there. */
  readonly volumes: readonly string[];
  readonly volumesWhy: string;
  /** Entries of [runners.docker], beside image and volumes; in a cluster those of [runners.kubernetes], and its tables. */
  readonly config: readonly ConfigEntry[];
  readonly tables?: readonly ConfigTable[];
  readonly pipeline: {
    /** The program that builds: which part of .gitlab-ci.yml has the job. */
    readonly program: 'docker' | 'buildx' | 'buildctl' | 'buildah';
    /** The part with what a job does before it logs in to the registry. */
    readonly before?: 'dind' | 'buildkit' | 'buildctl' | 'buildah';
    readonly services: readonly JobService[];
    readonly variables: readonly Variable[];
  };
  readonly compose: {
    /** The service that jobs build with, if it runs all the time. */
    readonly service?: 'docker' | 'buildkit';
    readonly volumes: readonly ComposeResource[];
  };
}

/** Names that docker-compose.yml, config.toml and the scripts share. */
export interface Names {
  /** The network that jobs and the service they build with are on. */
  readonly network: string;
  /** The volume with the certificate by which jobs show themselves to that service. */
  readonly clientCertificates: string;
  /** The volume that is config/certs, with the certificate of a private authority. */
  readonly authorities: string;
}

/** Pure: the same answers and names always give the same plan. */
export type Builder = (answers: Answers, names: Names) => BuilderPlan;

/** The mount by which jobs have that certificate. */
export function clientCertificateMount({ clientCertificates }: Names): string {
  return `${clientCertificates}:/certs/client:ro`;
}

/** The volume of that mount, which the service fills. */
export function clientCertificateVolume({ clientCertificates }: Names): ComposeResource {
  return { key: 'client-certs', name: clientCertificates, why: 'Jobs mount it: config/config.toml.' };
}

/** The entry that puts job containers on the network of the service that they build with. */
export function onNetwork({ network }: Names, service: string): ConfigEntry {
  return {
    key: 'network_mode',
    value: network,
    why: [
      `The network of docker-compose.yml on which jobs find ${service}. Jobs that run at the same time share it:`,
      'in their "services", one alias must not be used by two of them.',
    ],
  };
}
