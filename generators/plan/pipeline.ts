import type { BuilderPlan, Variable } from './builder.ts';

/** Where the sample pipeline pushes to, as text of a shell script or of `variables` in a job, and how it builds. */
export interface Pipeline extends Omit<BuilderPlan['pipeline'], 'variables'> {
  readonly variables: readonly Variable[];
  readonly registry: string;
  /** What images are called, without a tag. */
  readonly image: string;
  /** Whether that is the container registry of the project itself, which needs no variables of the user. */
  readonly isOfProject: boolean;
  readonly user: string;
  readonly password: string;
  /** The variable whose absence means that pushing cannot work, and what to do then. */
  readonly required: { readonly variable: string; readonly remedy: string };
}

/** Decides where the sample pipeline of a runner pushes to; how it builds is its builder's. */
export function planPipeline(registry: string, { variables, ...builder }: BuilderPlan['pipeline']): Pipeline {
  const target = registry === 'gitlab' ? registryOfProject : otherRegistry(registry);
  return { ...builder, ...target, variables: [...target.variables, ...variables] };
}

type Target = Omit<Pipeline, keyof Omit<BuilderPlan['pipeline'], 'variables'>>;

const registryOfProject: Target = {
  variables: [{ name: 'IMAGE', value: '$CI_REGISTRY_IMAGE', why: "the project's own container registry" }],
  registry: '$CI_REGISTRY',
  image: '$CI_REGISTRY_IMAGE',
  isOfProject: true,
  user: '$CI_REGISTRY_USER',
  password: '$CI_REGISTRY_PASSWORD',
  required: {
    variable: 'CI_REGISTRY',
    remedy: "The container registry is off: see the project's Settings.",
  },
};

function otherRegistry(registry: string): Target {
  // The slug alone is the same for a/b-c and a-b/c.
  const image = /^((index\.)?docker|quay)\.io\//.test(registry)
    ? `${registry}/$CI_PROJECT_PATH_SLUG-$CI_PROJECT_ID`
    : `${registry}/$CI_PROJECT_PATH`;
  return {
    variables: [
      {
        name: 'REGISTRY',
        value: registry.split('/')[0] ?? registry,
        why: 'REGISTRY_USER and REGISTRY_PASSWORD: Settings > CI/CD, masked',
      },
      { name: 'IMAGE', value: image, why: 'one name for each project' },
    ],
    registry: '$REGISTRY',
    image,
    isOfProject: false,
    user: '$REGISTRY_USER',
    password: '$REGISTRY_PASSWORD',
    required: {
      variable: 'REGISTRY_PASSWORD',
      remedy: 'Set REGISTRY_USER and REGISTRY_PASSWORD: Settings > CI/CD.',
    },
  };
}
