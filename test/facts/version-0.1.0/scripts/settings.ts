// What the runners of config.toml are. Edit it freely: `make register` and `make doctor` read it, `make plan` shows what
// differs from it, and `make apply` brings that in line. For what GitLab itself keeps, such as tags, the latter two need
// a GITLAB_ACCESS_TOKEN in .env.

export interface Runner {
  /** The name that GitLab and config.toml show; with several runners it says which belongs to which. */
  description: string;
  /** A job runs here only if the runner has all of the job's tags. */
  tags: string[];
  /** Whether jobs that ask for no tag run here too. */
  runUntagged: boolean;
  /** Whether the runner stays with the project that it was created for. */
  locked: boolean;
  /** `ref_protected` takes jobs of protected branches and tags only. */
  accessLevel: 'not_protected' | 'ref_protected';
  /** Whether the runner takes no new jobs for now. */
  paused: boolean;
  /** Seconds after which a job is stopped. docker-compose.yml waits as long for jobs when it stops the runner. */
  maximumTimeout: number;
  /** What jobs run in, unless they name another image. */
  image: string;
  /** Mounts of job containers. */
  volumes: string[];
  /** The file in config/ with the rest. */
  template: string;
  /** A pipeline of this repository that uses it, for `make doctor` to compare; empty where there is none. */
  pipeline: string;
}

export const runners: Runner[] = [
  {
    description: 'My Docker Runner',
    tags: ['docker'],
    runUntagged: false,
    locked: true,
    accessLevel: 'not_protected',
    paused: false,
    maximumTimeout: 3600,
    image: 'docker:29.10.0-cli',
    // A volume that a job shares with its engine, which puts the client's certificate there.
    volumes: ['/certs/client'],
    template: 'template.toml',
    pipeline: '.gitlab-ci.yml',
  },
];

/** How many jobs run at the same time, whichever runner they belong to. */
export const concurrent = 3;
