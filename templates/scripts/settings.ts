// What the runners of config.toml are. Edit it freely: `make register` and `make doctor` read it, `make plan` shows what
// differs from it, and `make apply` brings that in line. For what GitLab itself keeps, such as tags, the latter two need
// a GITLAB_ACCESS_TOKEN in .env.
<% if (privateCa) { -%>

import { fileURLToPath } from 'node:url';
<% } -%>

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
<% if (builders.length > 1) { -%>
  /** What jobs build with. */
  builder: <%- builders.map(typescript).join(' | ') %>;
<% } -%>
  /** A pipeline of this repository that uses it, for `make doctor` to compare; empty where there is none. */
  pipeline: string;
<% if (runners.some(({ project }) => project !== undefined)) { -%>
  /** The project that `make register` creates it for, with an access token; without it GITLAB_PROJECT_ID of .env counts. */
  project?: string;
<% } -%>
}

<% if (privateCa) { -%>
/** The certificate of the private authority, where SSL_CERT_DIR in config/<%- runners.length > 1 ? 'template*.toml' : 'template.toml' %> says. */
const authority = `${fileURLToPath(new URL('../config/certs/ca.crt', import.meta.url))}:/etc/gitlab-runner/certs/ca.crt:ro`;

<% } -%>
export const runners: Runner[] = [
<% for (const { description, tags, runUntagged, accessLevel, executor, template, builder, pipelinePath, project } of runners) { -%>
  {
    description: <%- typescript(description) %>,
    tags: <%- typescript(tags) %>,
    runUntagged: <%- typescript(runUntagged) %>,
    locked: true,
    accessLevel: <%- typescript(accessLevel) %>,
    paused: false,
    maximumTimeout: 3600,
    image: <%- typescript(executor.image) %>,
    // <%- executor.volumesWhy %>
<% if (privateCa) { -%>
    volumes: [<%- [...executor.volumes.map(typescript), 'authority'].join(', ') %>],
<% } else { -%>
    volumes: <%- typescript(executor.volumes) %>,
<% } -%>
    template: <%- typescript(template) %>,
<% if (builders.length > 1) { -%>
    builder: <%- typescript(builder) %>,
<% } -%>
    pipeline: <%- typescript(pipelinePath) %>,
<% if (project !== undefined) { -%>
    project: <%- typescript(project) %>,
<% } -%>
  },
<% } -%>
];

/** How many jobs run at the same time, whichever runner they belong to. */
export const concurrent = <%- typescript(concurrent) %>;
<% if (monitoring) { -%>

/** Where the runner serves its metrics, inside its container: prometheus/prometheus.yml names the port too. */
export const listenAddress = ':9252';
<% } -%>
