// What this runner is. Edit it freely: `make register` and `make doctor` read it.
// Where the runner was made in GitLab's own pages, the settings there count, and not these.

export const runner = {
  /** The name that GitLab shows. */
  description: <%- typescript(description) %>,
  /** A job runs here only if the runner has all of the job's tags. */
  tags: <%- typescript(tags) %> as string[],
  /** Whether jobs that ask for no tag run here too. */
  runUntagged: <%- typescript(runUntagged) %>,
  /** Whether the runner stays with the project that it was created for. */
  locked: true,
  /** `ref_protected` takes jobs of protected branches and tags only. */
  accessLevel: 'not_protected',
  /** Seconds after which a job is stopped. docker-compose.yml waits as long for jobs when it stops the runner. */
  maximumTimeout: 3600,
};

/** How many jobs run at the same time, whichever runner of config.toml they belong to. */
export const concurrent = <%- typescript(concurrent) %>;

/** What a job container starts from, unless the job names another image. */
export const executor = {
  image: <%- typescript(executor.image) %>,
  /** The host's Docker socket: jobs build with the host's engine, and find its layers again. */
  volumes: <%- typescript(executor.volumes) %>,
};
