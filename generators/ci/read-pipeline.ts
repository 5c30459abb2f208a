import { type Document, isMap, parseAllDocuments, type Scalar, type YAMLMap } from 'yaml';
import { Refusal, reasonOfParser } from '../ask/refusal.ts';
import { isMapping, type Mapping } from '../mapping.ts';

/** A pipeline file that somebody wrote: its text, and where in it a job can be put. */
export interface PipelineFile {
  readonly text: string;
  /** Where its last line ends that is content or comment. */
  readonly end: number;
  /** What stands before each key of the file: spaces, mostly none. */
  readonly indent: string;
  readonly facts: Facts;
}

/** What such a file says about those that it includes, and about every job. */
export interface Facts {
  /** All of it: its keys are jobs, and the words that GitLab keeps for itself. */
  readonly tree: Mapping;
  /** Undefined where it does not say. */
  readonly stages: readonly string[] | undefined;
  /** Stages that its jobs name. */
  readonly usedStages: readonly string[];
  /** Names of the variables of every job. */
  readonly variables: readonly string[];
  readonly includes: { readonly local: readonly string[]; readonly others: readonly string[] };
  /** Jobs whose lines build an image. */
  readonly imageJobs: readonly string[];
}

/** What `default` sets for each job; at the top level they are the old way to say the same. */
const defaults = ['default', 'image', 'services', 'cache', 'before_script', 'after_script'];

/** Whether one of those files sets what each job has, or cannot be looked into. */
export const setsDefaults = (files: readonly Facts[]): boolean =>
  files.some(({ tree, includes }) => includes.others.length > 0 || defaults.some(key => key in tree));

/**
 * Reads a pipeline as GitLab does, by YAML 1.1.
 *
 * @param path what to call the file in a refusal
 * @throws Refusal if it is no YAML, or none that a line can be added to
 */
export function readPipeline(path: string, text: string): PipelineFile {
  const document = documentOf(path, text);
  const root = document?.contents ?? undefined;
  if (root !== undefined && (!isMap(root) || root.flow)) {
    const why = isMap(root) ? 'is in braces, like JSON' : 'has no keys at its top level';
    throw new Refusal(`${path} ${why}: no job can be added there line by line; nothing was changed.`);
  }
  const marker = /^\.\.\.\s/m.exec(text.slice(document?.range[1] ?? text.length));
  return {
    text,
    end: marker ? (document?.range[1] ?? 0) + marker.index : text.length,
    indent: root ? indentOf(text, root) : '',
    facts: factsOf(treeOf(path, document)),
  };
}

/** @throws Refusal if an included file, of that path, is no YAML */
export function readFacts(path: string, text: string): Facts {
  const tree: unknown = treeOf(path, documentOf(path, text));
  return factsOf(isMapping(tree) ? tree : {});
}

/** @throws Refusal if it is no YAML */
function documentOf(path: string, text: string): Document.Parsed | undefined {
  const parsed = parseAllDocuments(text, { version: '1.1', merge: true, uniqueKeys: false });
  // Where there are two, the first is the header of what others include: "spec".
  const document = 'empty' in parsed ? undefined : parsed.at(-1);
  const [error] = document?.errors ?? [];
  if (error) throw new Refusal(`${path} is not valid YAML (${reasonOfParser(error)}): nothing was changed.`);
  return document;
}

function indentOf(text: string, root: YAMLMap): string {
  const start = (root.items[0]?.key as Scalar | undefined)?.range?.[0] ?? 0;
  return /[ ]*$/.exec(text.slice(0, start))?.[0] ?? '';
}

function treeOf(path: string, document: Document | undefined): Mapping {
  try {
    return (document?.toJS({ maxAliasCount: 10_000 }) as Mapping | null | undefined) ?? {};
  } catch (error) {
    throw new Refusal(`${path} cannot be read (${(error as Error).message}): nothing was changed.`);
  }
}

/** What such a file says, of which this is read as YAML. */
export function factsOf(tree: Mapping): Facts {
  const jobs = Object.entries(tree).filter(([, value]) => isMapping(value)) as [string, Mapping][];
  const includes = [tree.include ?? []].flat().map(whatIsIncluded);
  return {
    tree,
    stages: Array.isArray(tree.stages) ? tree.stages.flat().map(String) : undefined,
    usedStages: jobs.flatMap(([, { stage }]) => (typeof stage === 'string' ? [stage] : [])),
    variables: isMapping(tree.variables) ? Object.keys(tree.variables) : [],
    includes: {
      local: includes.flatMap(({ local }) => local ?? []),
      others: includes.flatMap(({ other }) => other ?? []),
    },
    imageJobs: jobs.flatMap(([name, { script }]) => (buildsImage(script) ? [name] : [])),
  };
}

/** https://docs.gitlab.com/ci/yaml/#include */
function whatIsIncluded(entry: unknown): { local?: string; other?: string } {
  if (typeof entry === 'string') return /^https?:/.test(entry) ? { other: entry } : { local: entry };
  const { local, ...other } = isMapping(entry) ? entry : { entry };
  if (typeof local === 'string') return { local };
  const [[kind = '', what] = []] = Object.entries(other);
  return { other: `${kind} ${what}` };
}

function buildsImage(script: unknown): boolean {
  const lines = [script].flat(9).map(String).join('\n');
  return /^[^#\n]*\b(docker (buildx |image )?build|buildah (bud|build)|kaniko\/executor)\b/m.test(lines);
}
