// What this runner is. Edit it freely: `make register` and `make doctor` read it, `make plan` shows what differs
// from it, and `make apply` brings that in line. For what GitLab itself keeps, such as tags, the latter two need a
// GITLAB_ACCESS_TOKEN in .env.
<% if (privateCa) { -%>

import { fileURLToPath } from 'node:url';
<% } -%>

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
  accessLevel: <%- typescript(accessLevel) %>,
  /** Whether the runner takes no new jobs for now. */
  paused: false,
  /** Seconds after which a job is stopped. docker-compose.yml waits as long for jobs when it stops the runner. */
  maximumTimeout: 3600,
};

/** How many jobs run at the same time, whichever runner of config.toml they belong to. */
export const concurrent = <%- typescript(concurrent) %>;
<% if (monitoring) { -%>

/** Where the runner serves its metrics, inside its container: prometheus/prometheus.yml names the port too. */
export const listenAddress = ':9252';
<% } -%>

/** What a job container starts from, unless the job names another image; config/template.toml has the rest. */
export const executor = {
  image: <%- typescript(executor.image) %>,
  /** <%- executor.volumesWhy %> */
<% if (privateCa) { -%>
  volumes: [
<% for (const volume of executor.volumes) { -%>
    <%- typescript(volume) %>,
<% } -%>
    // The certificate of the private authority, where SSL_CERT_DIR in config/template.toml says.
    `${fileURLToPath(new URL('../config/certs/ca.crt', import.meta.url))}:/etc/gitlab-runner/certs/ca.crt:ro`,
  ],
<% } else { -%>
  volumes: <%- typescript(executor.volumes) %><%- executor.volumes.length > 0 ? '' : ' as string[]' %>,
<% } -%>
};
