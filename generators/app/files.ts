import type { RunnerRepository } from './plan.ts';

/** One file of the repository: where it goes, and the part of the plan that it shows. */
export interface RepositoryFile {
  /** The path in the repository, and also the template's path below `templates/`. */
  readonly path: string;
  readonly data?: (repository: RunnerRepository) => object;
  readonly executable?: true;
}

/** Every file that is written. A file without data is the same in every repository. */
export const files: readonly RepositoryFile[] = [
  { path: '.editorconfig' },
  { path: '.env.example', data: ({ gitlabUrl, composeProject }) => ({ gitlabUrl, composeProject }) },
  { path: '.gitignore' },
  {
    path: '.gitlab-ci.yml',
    data: ({ executor, tags, pipeline }) => ({ image: executor.image, tags, pipeline }),
  },
  { path: 'Makefile' },
  {
    path: 'README.md',
    data: ({ executor, composeProject: _, ...shown }) => ({ ...shown, image: executor.image }),
  },
  { path: 'config/.gitignore' },
  { path: 'config/template.toml' },
  { path: 'docker-compose.yml', data: ({ runnerImage }) => ({ runnerImage }) },
  { path: 'example/Dockerfile' },
  { path: 'example/index.html' },
  { path: 'scripts/doctor.ts' },
  { path: 'scripts/engine.ts' },
  { path: 'scripts/env.ts' },
  { path: 'scripts/gitlab.ts' },
  { path: 'scripts/package.json' },
  { path: 'scripts/register.ts' },
  { path: 'scripts/run', executable: true },
  {
    path: 'scripts/settings.ts',
    data: ({ description, tags, runUntagged, concurrent, executor }) => ({
      description,
      tags,
      runUntagged,
      concurrent,
      executor,
    }),
  },
];
