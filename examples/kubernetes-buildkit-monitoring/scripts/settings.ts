// What GitLab keeps of each runner, and what the scripts have to know of it. `make register` brings GitLab in line with
// it, given a GITLAB_ACCESS_TOKEN with the scope manage_runner. What the runner itself does is in helm/values.yaml.
// Names with _ are those of GitLab's API: https://docs.gitlab.com/api/runners/

export interface Runner {
  description: string; // its name in GitLab, and RUNNER_NAME in helm/values.yaml
  tag_list: string[]; // a job runs here only if the runner has all of the job's tags
  run_untagged: boolean; // whether jobs that ask for no tag run here too
  locked: boolean; // whether the runner stays with the project that it was created for
  access_level: 'not_protected' | 'ref_protected'; // the latter takes jobs of protected branches and tags only
  maximum_timeout: number; // seconds that a job has, 600 at least; as long has terminationGracePeriodSeconds in helm/values.yaml to be
  paused: boolean; // whether it takes no new jobs for now
  tokenVariable: string; // the variable of .env with its token
  builder: 'socket' | 'dind' | 'buildkit' | 'buildah'; // how its jobs build images; only a note here
  pipeline: string; // one that uses it; only a note here
  project?: string; // the project that it is created for, by path or number, if not GITLAB_PROJECT_ID of .env
}

export const runners: Runner[] = [
  {
    description: 'My Docker Runner',
    tag_list: ['docker'],
    run_untagged: false,
    locked: true,
    access_level: 'not_protected',
    maximum_timeout: 3600,
    paused: false,
    tokenVariable: 'RUNNER_TOKEN',
    builder: 'buildkit',
    pipeline: '.gitlab-ci.yml',
  },
];

/** Further files of this folder whose checks `make doctor` runs. */
export const parts: string[] = ['cluster'];
