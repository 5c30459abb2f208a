import { isDeepStrictEqual } from 'node:util';
import { type Engine, frozenClientApi, refuses } from '../common/engine.ts';
import { shell } from '../common/quoting.ts';
import { filesOf } from './files.ts';
import type { Runner, RunnerRepository } from './plan.ts';
import { type Answers, usesHostEngine } from './questions.ts';
import { render } from './render.ts';

/**
 * The commands that come next.
 *
 * @param directory where the repository is, seen from where the user is; empty if it is there
 * @param isRegistered whether a runner is registered there already
 */
export function nextSteps(directory: string, isRegistered = false): string[] {
  const folder = directory.startsWith('-') ? `./${directory}` : directory;
  const commands = isRegistered ? ['make doctor'] : ['make doctor', 'make register', 'make up'];
  return [...(folder === '' ? [] : [`cd ${shell(folder)}`]), ...commands];
}

/**
 * What a changed repository asks of its owner, where a runner may be registered already.
 *
 * @param exists whether there is a file at that path of the repository
 */
export function changeSteps(
  before: RunnerRepository,
  after: RunnerRepository,
  exists: (path: string) => boolean,
): string[] {
  const differs = (...names: readonly (keyof RunnerRepository)[]) =>
    names.some(name => !isDeepStrictEqual(before[name], after[name]));
  const textsOf = (repository: RunnerRepository) =>
    new Map(filesOf(repository).map(file => [file.path, render(file, repository)]));
  const [old, current] = [textsOf(before), textsOf(after)];
  const changed = [...current.keys()].filter(path => old.has(path) && old.get(path) !== current.get(path));
  const left = [...old.keys()].filter(path => !current.has(path) && exists(path));
  // A container goes on as it is where only a file that it mounts has changed.
  const restarted = after.compose.services.flatMap(service => {
    const read = changed.filter(path => path.startsWith(`${service}/`));
    return read.length > 0
      ? [`docker compose restart ${service}   # it reads ${read.join(', ')} when it starts`]
      : [];
  });
  const known = new Map(before.runners.map(runner => [runner.description, runner]));
  const configured = ({ executor, config }: Runner) => ({ executor, config });
  const isConfigured =
    differs('executor', 'config') ||
    after.runners.some(runner => {
      const old = known.get(runner.description);
      return old && !isDeepStrictEqual(configured(old), configured(runner));
    });
  const apply =
    isConfigured || differs('concurrent', 'privateCa', 'monitoring')
      ? ['make apply   # config.toml follows, without registering anew; running jobs go on']
      : [];
  // It makes up the keys that the server of the cache starts with.
  const isFirst = differs('cache') && after.cache?.service !== undefined;
  return [
    ...(isFirst ? apply : []),
    ...(changed.includes('docker-compose.yml')
      ? ['make up      # containers that changed start anew, once running jobs have ended']
      : []),
    ...restarted,
    ...(isFirst ? [] : apply),
    ...(servicesOf(before).some(service => !servicesOf(after).includes(service))
      ? [
          'docker compose up -d --remove-orphans   # after that: takes away what docker-compose.yml has no more',
        ]
      : []),
    ...(before.cache && !after.cache
      ? [
          'sudoedit config/config.toml   # take [runners.cache] and [runners.cache.s3] out: until then jobs use that cache',
        ]
      : []),
    ...after.runners
      .slice(1)
      .filter(({ description }) => !known.has(description))
      .map(({ description }) => `make register RUNNER=${description}   # with a token of its own`),
    ...(differs('tags', 'runUntagged', 'description')
      ? ['Name and tags of a registered runner: change them in GitLab, Settings > CI/CD > Runners.']
      : []),
    ...(before.accessLevel === after.accessLevel
      ? []
      : [
          `Which branches a registered runner serves: ${after.accessLevel === 'ref_protected' ? 'tick' : 'untick'} "Protected" in GitLab, Settings > CI/CD > Runners.`,
        ]),
    ...(differs('gitlabUrl')
      ? [
          'make register ARGS=--force   # after GITLAB_URL in .env is changed: another GitLab needs a runner of its own',
        ]
      : []),
    ...(left.length > 0 ? [`git rm ${left.map(shell).join(' ')}   # not used any more`] : []),
  ];
}

/** What docker-compose.yml has beside the runner. */
function servicesOf({ compose, mirror, cache, cleanUp, monitoring }: RunnerRepository): unknown[] {
  return [
    ...compose.services,
    mirror && 'mirror',
    cache?.service && 'job-cache',
    cleanUp !== undefined && 'clean-up',
    monitoring && 'monitoring',
  ].filter(Boolean);
}

/** What to do about an image whose Docker client the local engine refuses; undefined if it takes it. */
export function engineWarning(
  engine: Engine,
  { builder, dockerImage: image }: Pick<Answers, 'builder' | 'dockerImage'>,
): string | undefined {
  if (!usesHostEngine(builder) || !refuses(engine, image)) return undefined;
  return `The local Docker Engine (${engine.version}) takes clients from API ${engine.minApiVersion}; ${image} speaks ${frozenClientApi(image)} and will be refused. Choose --docker-image docker:cli, or see "make doctor".`;
}
