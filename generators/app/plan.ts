import { frozenClientApi } from '../common/engine.ts';
import type { Answers } from './questions.ts';

/** The repository to write, decided in full: templates only print it. */
export interface RunnerRepository {
  readonly gitlabUrl: string;
  readonly description: string;
  readonly tags: readonly string[];
  readonly runUntagged: boolean;
  readonly concurrent: number;
  readonly runnerImage: string;
  /** What each job container starts from. */
  readonly executor: {
    readonly image: string;
    /** Bind mounts of the job container, `host path:container path`. */
    readonly volumes: readonly string[];
  };
  /** Whether the Docker client that jobs run is of 19.03 for good, which some engines refuse. */
  readonly hasFrozenClient: boolean;
  readonly pipeline: Pipeline;
  /** Names the containers; a valid Compose project name. */
  readonly composeProject: string;
}

/** Where the sample pipeline pushes to, as text of a shell script or of `variables` in a job. */
export interface Pipeline {
  readonly variables: readonly { readonly name: string; readonly value: string; readonly why: string }[];
  readonly registry: string;
  /** Whether that is the container registry of the project itself, which needs no variables of the user. */
  readonly isOfProject: boolean;
  readonly user: string;
  readonly password: string;
  /** The variable whose absence means that pushing cannot work, and what to do then. */
  readonly required: { readonly variable: string; readonly remedy: string };
}

/**
 * Decides everything about the repository. No I/O, and the same answers always give the same result.
 *
 * @param directoryName the name of the folder that the repository is written to
 */
export function planRepository(answers: Answers, directoryName: string): RunnerRepository {
  return {
    gitlabUrl: answers.gitlabUrl,
    description: answers.description,
    tags: answers.tags,
    // GitLab refuses a runner that has no tags and takes no untagged jobs: it could never run anything.
    runUntagged: answers.runUntagged || answers.tags.length === 0,
    concurrent: answers.concurrent,
    runnerImage: answers.runnerImage,
    executor: {
      image: answers.dockerImage,
      volumes: ['/var/run/docker.sock:/var/run/docker.sock'],
    },
    hasFrozenClient: frozenClientApi(answers.dockerImage) !== undefined,
    pipeline: planPipeline(answers.registry),
    composeProject: composeProjectName(directoryName),
  };
}

function planPipeline(registry: string): Pipeline {
  if (registry === 'gitlab') {
    return {
      variables: [
        { name: 'IMAGE', value: '$CI_REGISTRY_IMAGE', why: "The project's own container registry." },
      ],
      registry: '$CI_REGISTRY',
      isOfProject: true,
      user: '$CI_REGISTRY_USER',
      password: '$CI_REGISTRY_PASSWORD',
      required: {
        variable: 'CI_REGISTRY',
        remedy:
          'The container registry of this project is off: switch it on in Settings > General > Visibility.',
      },
    };
  }
  return {
    variables: [
      {
        name: 'REGISTRY',
        value: registry.split('/')[0] ?? registry,
        why: 'Log in with REGISTRY_USER and REGISTRY_PASSWORD: masked variables in Settings > CI/CD > Variables.',
      },
      {
        name: 'IMAGE',
        value: `${registry}/$CI_PROJECT_PATH_SLUG`,
        why: 'One image name for each project; the slug is lower case, as image names must be.',
      },
    ],
    registry: '$REGISTRY',
    isOfProject: false,
    user: '$REGISTRY_USER',
    password: '$REGISTRY_PASSWORD',
    required: {
      variable: 'REGISTRY_PASSWORD',
      remedy: 'Set REGISTRY_USER and REGISTRY_PASSWORD in Settings > CI/CD > Variables, masked.',
    },
  };
}

/** A Compose project name has only a-z, 0-9, - and _, and starts with a letter or digit (Compose specification). */
function composeProjectName(directoryName: string): string {
  const name = directoryName
    .toLowerCase()
    .replace(/[^a-z0-9_-]+/g, '-')
    .replace(/^[-_]+|[-_]+$/g, '');
  return name === '' ? 'gitlab-runner' : name;
}
