import { isDeepStrictEqual } from 'node:util';
import { type Answers, usesHostEngine } from '../ask/questions.ts';
import { type Engine, frozenClientApi, refuses } from '../plan/engine.ts';
import type { RunnerRepository } from '../plan/plan.ts';
import type { LeftBehind } from './left-behind.ts';
import { shell } from './quoting.ts';

/** What there is in the folder, and around it. */
interface FolderSurroundings {
  /** Where the repository is, seen from where the user is; empty if it is there. */
  readonly directory: string;
  readonly isInGit: boolean;
  /** Whether .env has a token of the runner already. */
  readonly isRegistered: boolean;
  /** Whether the doctor was run just now. */
  readonly isExamined: boolean;
  /** Whether there is a file at that path of the repository. */
  readonly exists: (path: string) => boolean;
}

/** The texts of a repository, by their paths. */
export type Texts = ReadonlyMap<string, string>;

/** What comes next: commands, each with a comment where it does not say what for. */
export function nextSteps(
  { gitlabUrl, runners, privateCa, hardening, monitoring, executorName, kubernetes }: RunnerRepository,
  texts: Texts,
  { directory, isInGit, isRegistered, isExamined, exists }: FolderSurroundings,
): string[] {
  const folder = directory.startsWith('-') ? `./${directory}` : directory;
  const isNew = !isRegistered;
  const password = /file: \.\/(\S*grafana\S*)/.exec(texts.get('docker-compose.yml') ?? '')?.[1];
  return [
    ...(folder === '' ? [] : [`cd ${shell(folder)}`]),
    ...(isInGit ? [] : ['git init']),
    ...(privateCa && !exists('config/certs/ca.crt')
      ? ['cp YOUR-AUTHORITY.pem config/certs/ca.crt   # the certificate that --private-ca trusts']
      : []),
    ...(isNew && executorName === 'docker-autoscaler'
      ? ['Make the group of instances, and fill in .env: README.md, "The instances"']
      : []),
    ...(isExamined ? [] : ['make doctor']),
    ...(isNew
      ? [
          'make register   # takes a token, as of a runner made at',
          `                # ${gitlabUrl}/TEAM/PROJECT/-/runners/new`,
          `                # with ${ticks(runners[0])}`,
          'make up',
        ]
      : []),
    ...(isNew && monitoring && !kubernetes
      ? [`Grafana is then at http://127.0.0.1:3000: user admin, password in ${password}.`]
      : []),
    ...(isNew && hardening.level === 'strict'
      ? [
          'With --hardening strict only protected branches and tags are served: jobs of other branches stay stuck.',
        ]
      : []),
  ];
}

/** What to choose on GitLab's page for a new runner, which alone keeps it. */
function ticks({ tags, runUntagged, accessLevel }: RunnerRepository['runners'][0]): string {
  return [
    ...(tags.length > 0 ? [`the tags ${tags.join(', ')}`] : []),
    ...(runUntagged ? ['"Run untagged jobs"'] : []),
    ...(accessLevel === 'ref_protected' ? ['"Protected"'] : []),
  ].join(' and ');
}

const compose = 'docker-compose.yml';

/**
 * What a changed repository asks of its owner.
 *
 * @param unused paths of files that are not used any more, and stay because the owner changed or moved them
 * @param left what goes on running elsewhere
 */
export function changeSteps(
  before: { readonly repository: RunnerRepository; readonly texts: Texts },
  after: { readonly repository: RunnerRepository; readonly texts: Texts },
  unused: readonly string[],
  left: readonly LeftBehind[] = [],
): string[] {
  const [old, now] = [before.repository, after.repository];
  const changed = [...after.texts.keys()].filter(
    path => before.texts.has(path) && before.texts.get(path) !== after.texts.get(path),
  );
  const [mountedBefore, mounted] = [before, after].map(({ texts }) => mountsOf(texts.get(compose) ?? ''));
  const known = old.runners.map(({ description }) => description);
  const added = now.runners.slice(1).filter(({ description }) => !known.includes(description));
  return [
    ...left.flatMap(({ steps }) => steps),
    ...(old.gitlabUrl === now.gitlabUrl
      ? []
      : [
          `Write GITLAB_URL=${now.gitlabUrl} into .env, and take RUNNER_TOKEN out: it is the other GitLab's.`,
        ]),
    ...added.map(
      ({ description }) => `make register RUNNER=${shell(description)}   # with a token of its own`,
    ),
    ...(isDeepStrictEqual(gitlabSide(old), gitlabSide(now)) && old.cache?.service === now.cache?.service
      ? []
      : ['make register   # brings what GitLab keeps in line, and makes up keys that .env lacks']),
    ...upSteps(old, now, changed),
    ...restarts(mounted!, changed),
    ...(!now.kubernetes && [...mountedBefore!.keys()].some(service => !mounted!.has(service))
      ? ['docker compose up -d --remove-orphans   # takes away what docker-compose.yml has no more']
      : []),
    ...(unused.length > 0
      ? [
          `git rm ${unused.map(shell).join(' ')}   # not used any more; you changed or moved it, so it stays until then`,
        ]
      : []),
  ];
}

/** What brings changed files to where the runner is. */
function upSteps(old: RunnerRepository, now: RunnerRepository, changed: readonly string[]): string[] {
  if (!old.kubernetes !== !now.kubernetes) return ['make up   # starts the runner there'];
  if (changed.some(path => /^(helm|k8s)\//.test(path)))
    return ['make up   # a new pod takes over, and the old one ends with its last job'];
  const expands = now.expandsConfig && changed.includes('config/config.toml');
  return changed.includes(compose) || expands
    ? ['make up   # containers that changed start anew, once running jobs have ended']
    : [];
}

/** What GitLab keeps of each runner that both have. */
const gitlabSide = ({ runners }: RunnerRepository) =>
  runners.slice(0, 1).map(({ description, tags, runUntagged, accessLevel }) => ({
    ...{ description, tags, runUntagged, accessLevel },
  }));

/** Which files and folders of the repository each service of docker-compose.yml mounts. */
function mountsOf(compose: string): Map<string, string[]> {
  const mounts = new Map<string, string[]>();
  const [services = ''] = compose.split(/^(?:networks|volumes|secrets):/m);
  for (const part of services.split(/^(?= {2}[a-z])/m)) {
    const service = /^ {2}([a-z][\w-]*):$/m.exec(part)?.[1];
    const paths = [...part.matchAll(/^ {6}- \.\/([^:]+):/gm)].map(([, path = '']) => path);
    if (service !== undefined) mounts.set(service, paths);
  }
  return mounts;
}

/** A container goes on as it is where only a file that it mounts has changed; the runner reads its file again itself. */
function restarts(mounts: ReadonlyMap<string, readonly string[]>, changed: readonly string[]): string[] {
  return [...mounts].flatMap(([service, paths]) => {
    const read = changed.filter(
      path => !path.startsWith('config/') && paths.some(one => path === one || path.startsWith(`${one}/`)),
    );
    return read.length > 0
      ? [`docker compose restart ${service}   # it reads ${read.join(', ')} when it starts`]
      : [];
  });
}

/** What a further runner means for `concurrent`, which is the owner's to set. */
export function concurrentStep(runners: number, concurrent: string | undefined): string {
  const least = `${runners} runners share "concurrent" in config/config.toml, which is ${concurrent}`;
  return Number(concurrent) < runners
    ? `${least}: set it to ${runners} at least, or one runner waits for another.`
    : `${least}: raise it where each should run more than ${Math.floor(Number(concurrent) / runners)} of them at a time.`;
}

/** Files that version 0.1.0 wrote, and no later one. */
const goneSince010 = [
  ...[
    'apply',
    'config',
    'engine',
    'env',
    'rotate',
    'route',
    'socket',
    'socket-proxy',
    'status',
    'upgrade',
  ].map(name => `scripts/${name}.ts`),
  ...['scripts/package.json', 'scripts/backup.sh', 'config/template.toml', 'example/index.html'],
  ...['.editorconfig', 'docker-proxy/haproxy.cfg'],
];

/** The step that takes away what version 0.1.0 has left there. */
export function stepsFrom010(exists: (path: string) => boolean): string[] {
  const left = goneSince010.filter(exists);
  return left.length > 0 ? [`git rm ${left.join(' ')}   # of version 0.1.0, not used any more`] : [];
}

/** What to do about an image whose Docker client the local engine refuses; undefined if it takes it. */
export function engineWarning(
  engine: Engine,
  { dockerImage: image, ...answers }: Pick<Answers, 'executor' | 'builder' | 'dockerImage'>,
): string | undefined {
  if (!usesHostEngine(answers) || !refuses(engine, image)) return undefined;
  return `The local Docker Engine (${engine.version}) takes clients from API ${engine.minApiVersion}; ${image} speaks ${frozenClientApi(image)} and will be refused. Choose --docker-image docker:cli, or see "make doctor".`;
}
