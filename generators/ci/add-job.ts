import { isDeepStrictEqual } from 'node:util';
import { isAlias, isScalar, parse, parseAllDocuments, visit } from 'yaml';
import { Refusal } from '../ask/refusal.ts';
import type { Pipeline } from '../plan/pipeline.ts';
import { yaml } from '../write/quoting.ts';
import type { Dockerfile } from './dockerfiles.ts';
import { type Facts, factsOf, type PipelineFile, setsDefaults } from './read-pipeline.ts';

/** The job that is added, by its name. */
export const jobName = 'build-image';

/** What is known of a project. */
export interface Project {
  /** Its own .gitlab-ci.yml. */
  readonly file: PipelineFile;
  /** The files of the project that it includes: what one says counts less than what a later one does. */
  readonly included: readonly Facts[];
  /** What it includes and could not be read, in words. */
  readonly unread: readonly string[];
  readonly dockerfiles: readonly Dockerfile[];
}

/** The sample pipeline of a runner: its text, and what it was made of. */
export interface Sample {
  readonly text: string;
  readonly pipeline: Pipeline;
}

/** What came of it. */
export interface Added {
  /** The whole file; the same where nothing was added. */
  readonly text: string;
  /** What was added and where, and what could not be told: sentences. */
  readonly notes: readonly string[];
}

/**
 * Adds the job of the sample pipeline to a project's own: lines at the end, and no other byte changes.
 *
 * @throws Refusal if there is another job of its name, no stage for it, or if the file with those lines would not be
 * what it was and the job
 */
export function addJob(project: Project, sample: Sample): Added {
  const all = [...project.included, project.file.facts];
  // As if it were not there yet.
  const files = all.map(({ tree: { [jobName]: _, ...rest } }) => factsOf(rest));
  const stage = chooseStage(files);
  const job = jobText(project, files, sample, stage);
  const there = all.findLast(({ tree }) => jobName in tree)?.tree[jobName];
  if (there === undefined)
    return { text: insert(project.file, job), notes: notesOn(project, files, sample, stage) };
  if (!isDeepStrictEqual(there, parse(job, { version: '1.1', merge: true })[jobName])) {
    throw new Refusal(
      `There is a job ${jobName} already, another one than would be added: rename it, or take it away, and run again. Nothing was changed.`,
    );
  }
  const notes = [`The job ${jobName} is there already, as it would be added: there is nothing to do.`];
  return { text: project.file.text, notes };
}

/** The file with the job at its end: after an empty line, unless that would become part of a text before it. */
function insert({ text, end, indent }: PipelineFile, job: string): string {
  const isCrLf = text.includes('\r\n');
  const before = text.slice(0, end);
  const lines = job.replace(/^(?=.)/gm, indent);
  const lineBreak = before === '' || before.endsWith('\n') ? '' : '\n';
  const gaps = before.trim() === '' || /\n\r?\n$/.test(before) ? [''] : ['\n', ''];
  const old = scalarsOf(text);
  for (const gap of gaps) {
    const added = `${lineBreak}${gap}${lines}`.replaceAll('\n', isCrLf ? '\r\n' : '\n');
    const whole = before + added + text.slice(end);
    const now = scalarsOf(whole);
    const isTheSame = old.every((value, at) => value === now[at]);
    if (isTheSame && now[old.length] === jobName) return whole;
  }
  throw new Refusal(
    'The file cannot take a job at its end without another part changing: nothing was changed.',
  );
}

/** Every key and value of the file in its order, and the names of aliases. */
function scalarsOf(text: string): string[] {
  const found: string[] = [];
  const parsed = parseAllDocuments(text, { version: '1.1', uniqueKeys: false, logLevel: 'silent' });
  for (const document of 'empty' in parsed ? [] : parsed) {
    if (document.errors.length > 0) return [document.errors[0]!.message];
    visit(document, {
      Node: (_, node) => {
        if (isScalar(node)) found.push(String(node.value));
        if (isAlias(node)) found.push(`*${node.source}`);
      },
    });
  }
  return found;
}

/** Where nothing says: GitLab's own stages, in their order. */
const gitlabStages = ['build', 'test', 'deploy'];

/** Without .pre and .post: of jobs in these alone GitLab makes no pipeline (https://docs.gitlab.com/ci/yaml/#stages). */
const inside = (stages: readonly string[]) => stages.filter(stage => stage !== '.pre' && stage !== '.post');

/**
 * The stage for images, or for packages, or for builds; else the last one before something is deployed.
 * @throws Refusal if the files name none for any job
 */
function chooseStage(files: readonly Facts[]): string {
  const known = files.findLast(({ stages }) => stages !== undefined)?.stages;
  const used = inside(files.flatMap(({ usedStages }) => usedStages));
  const isCertain = files.every(({ includes }) => includes.others.length === 0);
  const stages = known ? inside(known) : isCertain || used.length === 0 ? gitlabStages : used;
  if (stages.length === 0) {
    throw new Refusal(
      `"stages" names ${known?.length ? 'no other than .pre and .post' : 'no stage'}, so that no job can build there: add a stage to it, such as build, and run again. Nothing was changed.`,
    );
  }
  const wanted = [
    /^(build|package)?[-_ ]?(docker|container|image)s?([-_ ](build|image)s?)?$/i,
    /^packag/i,
    /^build$/i,
  ];
  const named = wanted.flatMap(pattern => stages.find(stage => pattern.test(stage)) ?? []);
  const firstDeploy = stages.findIndex(stage =>
    /deploy|release|publish|prod|stag|review|trigger/i.test(stage),
  );
  return named[0] ?? stages[Math.max(0, firstDeploy < 0 ? stages.length - 1 : firstDeploy - 1)]!;
}

/** Variables by which a project tells Docker's clients of its jobs where an engine is, and what says: here. */
const engineVariables = {
  DOCKER_HOST: 'unix:///var/run/docker.sock',
  DOCKER_TLS_VERIFY: '',
  DOCKER_CERT_PATH: '',
} as const;

/** Those of them that the project sets for each job, and the job itself does not. */
function leftOverVariables(files: readonly Facts[], { pipeline }: Sample): (keyof typeof engineVariables)[] {
  const set = files.flatMap(({ variables }) => variables);
  const own = pipeline.variables.map(({ name }) => name);
  if (pipeline.program === 'buildah') return [];
  return (Object.keys(engineVariables) as (keyof typeof engineVariables)[]).filter(
    name => set.includes(name) && !own.includes(name),
  );
}

/** The job, from the first column on, with a line break at its end. */
function jobText({ dockerfiles }: Project, files: readonly Facts[], sample: Sample, stage: string): string {
  const { comment, variables, head, script } = partsOf(sample.text);
  const inherit = [
    '  inherit: # no image, services, cache or commands of other jobs',
    '    default: [interruptible, retry, timeout]',
  ];
  const engine = leftOverVariables(files, sample);
  return [
    comment,
    `${jobName}:`,
    `  stage: ${yaml(stage)}`,
    head,
    ...(setsDefaults(files) ? inherit : []),
    ...matrixOf(dockerfiles, sample.pipeline),
    '  variables:',
    ...variablesFor(dockerfiles, variables, sample.pipeline).map(line => `  ${line}`),
    ...engine.map(name => `    ${name}: ${yaml(engineVariables[name])} # not that of the other jobs`),
    script,
  ].join('\n');
}

/** The parts of the sample pipeline, as they stand there. */
function partsOf(text: string) {
  const pattern =
    /^(?<comment>(?:#.*\n)+)variables:\n(?<variables>(?: {2}.*\n)+)[\s\S]*\nbuild:\n(?<head>[\s\S]*?)\n(?<script> {2}script:\n[\s\S]*)$/;
  const { comment, variables, head, script } = pattern.exec(text)!.groups as Record<string, string>;
  return {
    comment: comment!.trimEnd(),
    variables: variables!.trimEnd().split('\n'),
    head: head!,
    script: script!,
  };
}

/** What was added, and what the owner has to know of it. */
function notesOn(project: Project, files: readonly Facts[], sample: Sample, stage: string): string[] {
  const { dockerfiles, unread } = project;
  const paths = dockerfiles.map(({ path }) => path);
  const engine = leftOverVariables(files, sample);
  const others = files.flatMap(({ imageJobs }) => imageJobs);
  const hasStages = files.some(({ stages }) => stages?.includes(stage));
  const several = `one image for each of ${paths.join(', ')}`;
  const builds =
    paths.length > 1 ? several : (paths[0] ?? 'the Dockerfile at the top level, once there is one');
  return [
    `The job ${jobName}, in stage ${stage}, builds ${builds}.`,
    ...(paths.length === 0
      ? [
          'No Dockerfile was found: if yours has another name, give it by DOCKERFILE and BUILD_CONTEXT of the job.',
        ]
      : []),
    ...(setsDefaults(files)
      ? [
          'What the file sets for every job (image, services, cache, commands) is not for this one: "inherit".',
        ]
      : []),
    ...(engine.length > 0
      ? [`It sets ${engine.join(' and ')} for itself: its engine is not that of the other jobs.`]
      : []),
    ...(sample.pipeline.isOfProject
      ? []
      : ['It needs REGISTRY_USER and REGISTRY_PASSWORD: Settings > CI/CD, masked.']),
    ...(others.length > 0 ? [`Images are built already, by ${others.join(', ')}: keep one of the two.`] : []),
    ...(unread.length > 0
      ? [
          `Cannot tell what these included files hold: ${unread.join(', ')}. Should one have a job ${jobName}${hasStages ? '' : `, or stages without ${stage}`}, GitLab's pipeline editor shows it (Build > Pipeline editor).`,
        ]
      : []),
  ];
}

/** The variables of the sample with the paths of the project. */
function variablesFor(
  dockerfiles: readonly Dockerfile[],
  lines: readonly string[],
  { image, variables }: Pipeline,
): string[] {
  const [only = { path: 'Dockerfile', context: '.' }, ...more] = dockerfiles;
  const why = variables.find(({ name }) => name === 'IMAGE')?.why;
  const isMatrix = more.length > 0;
  return lines.flatMap(line => {
    const [, name, , comment = ''] = /^ {2}(\w+): ("[^"]*"|\S*)( #.*)?/.exec(line) ?? [];
    if (isMatrix && name === 'IMAGE') {
      return [
        '  IMAGE_PATH: "" # what tells its image from the others',
        `  IMAGE: ${yaml(`${image}$IMAGE_PATH`)} # ${why}`,
      ];
    }
    if (isMatrix && name === 'BUILD_CONTEXT') return [`  BUILD_CONTEXT: "."${comment}`];
    if (!isMatrix && name === 'BUILD_CONTEXT') return [`  BUILD_CONTEXT: ${yaml(only.context)}${comment}`];
    if (!isMatrix && name === 'DOCKERFILE' && !isUsual(only)) return [`  DOCKERFILE: ${yaml(only.path)}`];
    return [line];
  });
}

/** A job for each of several. */
function matrixOf(dockerfiles: readonly Dockerfile[], { image }: Pipeline): string[] {
  if (dockerfiles.length < 2) return [];
  if (dockerfiles.length > 200) {
    throw new Refusal(
      `There are ${dockerfiles.length} Dockerfiles, and GitLab makes at most 200 jobs of one: nothing was changed.`,
    );
  }
  // Registries that know no deeper paths have one name for a project.
  const separator = image.includes('_SLUG') ? '-' : '/';
  const entries = dockerfiles.map(dockerfile => [
    `BUILD_CONTEXT: ${yaml(dockerfile.context)}`,
    ...(isUsual(dockerfile) ? [] : [`DOCKERFILE: ${yaml(dockerfile.path)}`]),
    ...(dockerfile.name === '' ? [] : [`IMAGE_PATH: ${yaml(`${separator}${dockerfile.name}`)}`]),
  ]);
  return [
    '  parallel:',
    '    matrix: # a job for each Dockerfile',
    ...entries.flatMap(lines => lines.map((line, at) => `      ${at === 0 ? '- ' : '  '}${line}`)),
  ];
}

/** Whether it is where the variables of the sample look for it. */
const isUsual = ({ path, context }: Pick<Dockerfile, 'path' | 'context'>): boolean =>
  path === (context === '.' ? 'Dockerfile' : `${context}/Dockerfile`);
