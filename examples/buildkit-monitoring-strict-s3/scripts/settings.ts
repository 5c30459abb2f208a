// What GitLab keeps of each runner, and what the scripts have to know of it. `make register` brings GitLab in line with
// it, given a GITLAB_ACCESS_TOKEN with the scope manage_runner. What the runner itself does is in config/config.toml.

export interface Runner {
  /** Its name in GitLab, and `name` in config/config.toml. */
  description: string;
  /** A job runs here only if the runner has all of the job's tags. */
  tags: string[];
  /** Whether jobs that ask for no tag run here too. */
  runUntagged: boolean;
  /** Whether the runner stays with the project that it was created for. */
  locked: boolean;
  /** `ref_protected` takes jobs of protected branches and tags only. */
  accessLevel: 'not_protected' | 'ref_protected';
  /** Seconds after which a job is stopped, 600 at least. docker-compose.yml waits as long when it stops the runner. */
  maximumTimeout: number;
  /** Whether the runner takes no new jobs for now. */
  paused: boolean;
  /** The variable of .env with its token, as config/config.toml names it. */
  tokenVariable: string;
  /** How its jobs build images. */
  builder: 'socket' | 'dind' | 'buildkit' | 'buildah';
  /** A pipeline of this repository that uses it, for `make doctor` to read; empty where there is none. */
  pipeline: string;
  /** The project that it is created for, by path or number; without it GITLAB_PROJECT_ID of .env counts. */
  project?: string;
}

export const runners: Runner[] = [
  {
    description: 'My Docker Runner',
    tags: ['docker'],
    runUntagged: false,
    locked: true,
    accessLevel: 'ref_protected',
    maximumTimeout: 3600,
    paused: false,
    tokenVariable: 'RUNNER_TOKEN',
    builder: 'buildkit',
    pipeline: '.gitlab-ci.yml',
  },
];

/** Further files of this folder whose checks `make doctor` runs. */
export const parts: string[] = ['cache'];
