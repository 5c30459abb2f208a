import { type Engine, frozenClientApi, refuses } from '../common/engine.ts';
import { shell } from '../common/quoting.ts';

/**
 * The commands that come next.
 *
 * @param directory where the repository is, seen from where the user is; empty if it is there
 */
export function nextSteps(directory: string): string[] {
  const folder = directory.startsWith('-') ? `./${directory}` : directory;
  return [...(folder === '' ? [] : [`cd ${shell(folder)}`]), 'make doctor', 'make register', 'make up'];
}

/** What to do about an image whose Docker client the local engine refuses; undefined if it takes it. */
export function engineWarning(engine: Engine, image: string): string | undefined {
  if (!refuses(engine, image)) return undefined;
  return `The local Docker Engine (${engine.version}) takes clients from API ${engine.minApiVersion}; ${image} speaks ${frozenClientApi(image)} and will be refused. Choose --docker-image docker:cli, or see "make doctor".`;
}
