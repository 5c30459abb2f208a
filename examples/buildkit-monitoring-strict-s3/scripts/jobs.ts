// What jobs ask for, and what they find here: their pipelines, a container as a job has it, images and registries.

import { existsSync, readFileSync } from 'node:fs';
import { callGitLab, reason } from './gitlab.ts';
import {
  type Check,
  explainContainer,
  Failure,
  lastLine,
  type Note,
  root,
  type Verdict,
  type World,
} from './host.ts';
import { type Runner, runners } from './settings.ts';

/** What is not read with certainty: an alias, a tag such as !reference, a map in braces. */
export const unsure: unique symbol = Symbol('unsure');
export type Value = string | typeof unsure | Value[] | Tree;
type Tree = Map<string, Value>;

const quoted = String.raw`"(?:[^"\\]|\\.)*"|'(?:[^']|'')*'`;
const item = String.raw`${quoted}|[^\s,[\]{}"'][^,[\]{}]*`;
const list = new RegExp(String.raw`^\[(?:\s*(?:${item})\s*(?:,|(?=\])))*\s*\]$`);
const entry = new RegExp(`^(${quoted}|(?:[^\\s"'#&*!|>[{%@\`-]|-\\S)(?:(?! #).)*?)\\s*:(?:\\s+(.*))?$`);
const comment = new RegExp(`(${quoted})|(?:^|\\s)#.*$`, 'gm');

/** Reads YAML's plain forms: maps and lists by indentation, lists in brackets, texts. All else is unsure. */
export function readYaml(lines: readonly string[]): Value {
  const isBlank = (line: string) => /^\s*(#|$)|^---\s*$/.test(line);
  const isItem = (line: string) => /^\s*-(\s|$)/.test(line);
  const [start, ...rest] = lines.slice(lines.findIndex(line => !isBlank(line)));
  if (start === undefined || isBlank(start)) return '';
  const indent = start.search(/\S/);
  if (!isItem(start) && !entry.test(start.trim())) return readText(start.trim(), rest);
  const entries: string[][] = [];
  for (const line of [start, ...rest]) {
    const depth = line.search(/\S/);
    if (isBlank(line) && depth <= indent) continue;
    if (/^\s*\]/.test(line)) entries.at(-1)?.push(line);
    else if (depth === indent && isItem(line) === isItem(start)) entries.push([line]);
    else if (depth < indent || (depth === indent && !isItem(line))) return unsure;
    else entries.at(-1)?.push(line);
  }
  if (isItem(start))
    return entries.map(([head = '', ...tail]) => readYaml([head.replace('-', ' '), ...tail]));
  const tree: Tree = new Map();
  for (const [head = '', ...tail] of entries) {
    const [, key = '', text = ''] = entry.exec(head.trim()) ?? [];
    if (key === '') return unsure;
    tree.set(key.replace(/^(["'])(.*)\1$/, '$2'), readText(text, tail));
  }
  return tree;
}

/** A value that begins with that text, and goes on in those lines. */
function readText(anchored: string, rest: readonly string[]): Value {
  const text = anchored.replace(/^&\S+\s*/, '');
  if (/^(#|$)/.test(text)) return readYaml(rest);
  const block = /^[|>][-+\d]*\s*(#.*)?$/.test(text);
  if (block) return rest.map(line => line.trim()).join(text.startsWith('>') ? ' ' : '\n');
  const remarks = /^["'[]/.test(text) ? comment : /(^|\s)#.*$/;
  const whole = [text, ...rest]
    .map(line => line.replace(remarks, '$1').trim())
    .join(' ')
    .trim();
  if (whole.startsWith('['))
    return list.test(whole)
      ? [...whole.slice(1, -1).matchAll(new RegExp(item, 'g'))].map(([one]) => readText(one, []))
      : unsure;
  if (!/^["']/.test(whole)) return /^[*!{%@`]|:\s/.test(whole) ? unsure : whole;
  if (!new RegExp(`^(?:${quoted})$`).test(whole)) return unsure;
  return whole.startsWith("'")
    ? whole.slice(1, -1).replaceAll("''", "'")
    : whole.slice(1, -1).replace(/\\(["\\/])/g, '$1');
}

/** What is known of a job; what is undefined it has not, and `unsure` was not read with certainty. */
export interface Job {
  readonly name: string;
  readonly tags: Value | undefined;
  readonly image: Value | undefined;
  readonly services: Value | undefined;
  /** DOCKER_HOST among its variables. */
  readonly host: Value | undefined;
  readonly commands: Value;
  /** Its commands, one a line, as far as they were read. */
  readonly script: string;
}

interface Pipeline {
  readonly source: string;
  /** Whether nothing of it is in files that were not read. */
  readonly isWhole: boolean;
  readonly jobs: readonly Job[];
  /** REGISTRY among its variables; empty where it has none. */
  readonly registry: string;
}

/** The texts in a value, one a line. */
export function words(value: Value | undefined): string {
  if (value instanceof Map) return words([...value.values()]);
  return Array.isArray(value) ? value.map(words).join('\n') : typeof value === 'string' ? value : '';
}

const isSure = (value: Value | undefined): boolean =>
  value instanceof Map || Array.isArray(value) ? [...value.values()].every(isSure) : value !== unsure;

/** Words at the top level of a pipeline that are no jobs. */
const noJob =
  /^(\..*|default|include|stages|variables|workflow|image|services|cache|spec|(before|after)_script)$/;

const isThere = (value: Value | undefined): boolean => value !== undefined;

/** What GitLab adds to the names of jobs that `parallel` multiplies. */
const copy = / \d+\/\d+$|: \[.*$/;

/** The jobs in a pipeline's text, with what `extends` and `default` give them, or those that GitLab lists. */
export function readPipeline(text: string, source: string, listed?: Record<string, unknown>[]): Pipeline {
  const file = readYaml(text.split(/\r?\n/));
  if (!(file instanceof Map)) throw new Error(`${source}: this is no pipeline that is read here.`);
  const isWhole = listed !== undefined || !file.has('include');
  const own = (tree: Value | undefined, key: string, variable?: string): Value | undefined => {
    if (!(tree instanceof Map)) return unsure;
    const value: Value | undefined = tree.get(key) ?? (tree.has('<<') ? unsure : undefined);
    const found = variable && value !== unsure ? value && own(value, variable) : value;
    const parents: Value = tree.get('extends') ?? [];
    const names: readonly Value[] = Array.isArray(parents) ? parents.toReversed() : [parents];
    return found ?? names.map(name => own(file.get(words(name)), key, variable)).find(isThere);
  };
  const all = (tree: Value, key: string, variable?: string): Value | undefined => {
    const found = own(tree, key, variable);
    if (found !== undefined) return found;
    if (!isWhole || own(tree, 'inherit') !== undefined) return unsure;
    return own(file.get('default') ?? new Map(), key, variable) ?? own(file, key, variable);
  };
  const describe = (name: string, tree: Value, known: Record<string, unknown> = {}): Job => {
    const value = (key: string) => (known[key] as Value | undefined) ?? all(tree, key);
    const commands = ['before_script', 'script', 'after_script'].map(key => value(key) ?? '');
    const script = words(commands).replace(/\\\n|^\s*#.*$/gm, ' ');
    const tags = (known.tag_list as string[] | undefined) ?? value('tags');
    const host = all(tree, 'variables', 'DOCKER_HOST');
    return { name, tags, image: value('image'), services: value('services'), host, commands, script };
  };
  const isJob = (name: string, tree: Value) => !noJob.test(name) && words(own(tree, 'trigger')) === '';
  const nameOf = (job: Record<string, unknown>) => String(job.name);
  const jobs = listed
    ? listed.map(job => describe(nameOf(job), file.get(nameOf(job).replace(copy, '')) ?? unsure, job))
    : [...file].filter(one => isJob(...one)).map(one => describe(...one));
  return { source, isWhole, jobs, registry: words(own(file, 'variables', 'REGISTRY')) };
}

/** The pipeline of a runner: as GitLab reads it where an access token may ask, else as far as it is plain. */
async function pipelineOf(runner: Runner, { environment: { gitlabUrl, value } }: World): Promise<Pipeline> {
  if (runner.pipeline === '') return { source: '', isWhole: true, jobs: [], registry: '' };
  const [token, project] = [value('GITLAB_ACCESS_TOKEN'), runner.project ?? value('GITLAB_PROJECT_ID')];
  const path = `/projects/${encodeURIComponent(project)}/ci/lint?include_jobs=true`;
  const isAsked = token !== '' && project !== '';
  const answer = isAsked && (await callGitLab(gitlabUrl, 'GET', path, { token }).catch(() => undefined));
  const body = answer && answer.status === 200 ? answer.body : {};
  const source = `the pipeline of project ${project} in GitLab`;
  if (body.valid === false && !/provide content/i.test(String(body.errors)))
    throw new Failure(`GitLab refuses ${source}: ${reason({ error: body.errors })}`, 'Correct it there.');
  if (body.valid === true)
    return readPipeline(String(body.merged_yaml), source, body.jobs as Record<string, unknown>[]);
  return readPipeline(readFileSync(new URL(runner.pipeline, root), 'utf8'), runner.pipeline);
}

/** A finding without its subject: what is so, and what helps. */
export type Finding = readonly [verdict: Verdict, detail: string, remedy?: string];

/** What a text means: the finding of the first expression that it fits. */
export type Meanings = readonly (readonly [RegExp, ...Finding])[];
export const explain = (text: string, meanings: Meanings): Finding | undefined =>
  meanings.find(([sign]) => sign.test(text))?.slice(1) as Finding | undefined;

/** A way to build images: what jobs of it may ask for, and what they find. */
export interface Builder {
  /** Options of `docker run` that its jobs have beside config/config.toml. */
  readonly options: readonly string[];
  /** What is wrong with a job that runs here. */
  readonly rules: (job: Job) => readonly Finding[];
  /** A shell script for a job's container, which prints one `key=value` a line. */
  readonly probe: string;
  /** What that printed means. */
  readonly judge: (inside: Inside) => Promise<readonly Finding[]> | readonly Finding[];
}

export interface Inside {
  /** What the probe printed for that key; empty where it printed nothing. */
  readonly seen: (key: string) => string;
  readonly image: string;
  /** The jobs that run here in that image. */
  readonly jobs: readonly Job[];
  readonly world: World;
}

async function builderOf({ builder }: Runner): Promise<Builder> {
  const file = `./${builder}.ts`;
  return builder === 'socket' ? socket : ((await import(file)) as { builder: Builder }).builder;
}

/** Whether a job runs on a runner with the tags of settings.ts; undefined where its tags were not read. */
function isFor({ tags, runUntagged }: Runner, { tags: asked = [] }: Job): boolean | undefined {
  if (!Array.isArray(asked) || !asked.every(tag => typeof tag === 'string' && !tag.includes('$'))) return;
  return asked.length === 0 ? runUntagged : asked.every(tag => tags.includes(words(tag)));
}

/** What is wrong with one job of a runner's pipeline. */
function judgeJob(job: Job, runner: Runner, { rules }: Builder, isWhole: boolean): readonly Finding[] {
  const say = (...finding: Finding): Finding[] => [finding];
  const asked = words(job.tags).replaceAll('\n', ', ');
  const isHere = isFor(runner, job);
  if (typeof job.tags === 'string' && /^[^$]+$/.test(asked))
    return say('failed', `its tags are the text "${asked}", not a list.`, `Write: tags: [${asked}]`);
  if (isHere === undefined) return say('unknown', 'its tags are not plain: not looked at.', gitlabReads);
  if (!isHere) return say('warning', `it asks for ${asked || 'no tag'}: another runner has to take it.`);
  const isRead =
    !isWhole || (isSure(job.image) && isSure(job.services) && isSure(job.host) && isSure(job.commands));
  return [...rules(job), ...(isRead ? [] : say('unknown', 'not all of it is plain.', gitlabReads))];
}

const gitlabReads = 'With a GITLAB_ACCESS_TOKEN (scope read_api) and GITLAB_PROJECT_ID, GitLab reads it.';

/** What one pipeline asks for: each finding once, with the names of its jobs. */
async function checkPipeline(runner: Runner, world: World, note: Note): Promise<void> {
  const { source, isWhole, jobs } = await pipelineOf(runner, world);
  const builder = await builderOf(runner);
  const found = new Map<string, { finding: Finding; names: string[] }>();
  for (const job of jobs) {
    const findings = judgeJob(job, runner, builder, isWhole);
    const fine: Finding = ['ok', `asks for what "${runner.description}" has, says scripts/settings.ts`];
    for (const finding of findings.length > 0 ? findings : [fine]) {
      const group = found.get(finding.join()) ?? { finding, names: [] };
      group.names.push(`"${job.name}"`);
      found.set(finding.join(), group);
    }
  }
  for (const { finding, names } of found.values())
    note(finding[0], `${source}, job ${names.join(', ')}: ${finding[1]}`, finding[2]);
  if (!isWhole) note('unknown', `${source}: included files were not read.`, gitlabReads);
  if (jobs.length === 0 && source !== '' && isWhole) note('unknown', `${source}: no job was found in it.`);
}

/** The part of a script that this host's engine gets: what comes after `ssh` may run elsewhere. */
const local = (script: string): string => script.replace(/(^|[\s;&|(])ssh\s[\s\S]*$/, '');
const folder = String.raw`["']?(\$\{?(PWD|CI_PROJECT_DIR|CI_BUILDS_DIR)|\$\(pwd\)|${'`'}pwd${'`'}|\.{1,2}[/:])`;
const mount = new RegExp(
  `docker (container )?(run|create)\\b[^\\n;]*?\\s(-v|--volume|--mount)[ =](\\S*?(source|src)=)?${folder}`,
);
const sweep =
  /docker (system|container|volume|network) prune(?![^\n;&|]*label)|docker image prune\s(?=[^\n;&|]*(-\w*a|--all))(?![^\n;&|]*label)|docker (rm|rmi|stop|kill)\b[^\n;&|]*(\$\(|`)docker (ps|images|container ls|image ls)(?![^)`]*(-\w*f|--filter))/;

const dindBeside = "it starts a dind service, but has the host's socket: the two exclude each other.";
const mountsFolder = 'it mounts its folder into a container: the engine looks for that path on the host.';
const sweepsAll = "it removes what is of other jobs too: all share the host's engine.";

/** Jobs have the socket of the host's engine. */
const socket: Builder = {
  options: [],
  rules({ services, host, script }) {
    const isOther = /DOCKER_HOST|docker (-H|--host|--context|-c|context use)\b/.test(script);
    const isHostEngine = !isOther && words(host) === '' && isSure(host);
    const mayHaveIt = !isSure(services) || /docker/.test(words(services)) || isOther;
    const isNobody = /^tcp:\/\/docker\b/.test(words(host)) && /\bdocker\b/.test(script) && !mayHaveIt;
    const rules: [boolean, ...Finding][] = [
      [/dind/.test(words(services)), 'failed', dindBeside, 'Take the service out.'],
      [isNobody, 'failed', `no engine answers at its DOCKER_HOST, ${words(host)}.`, 'Take DOCKER_HOST out.'],
      [isHostEngine && mount.test(local(script)), 'warning', mountsFolder, 'Use docker build or docker cp.'],
      [isHostEngine && sweep.test(local(script)), 'warning', sweepsAll, 'Remove by name or label.'],
    ];
    return rules.filter(([isSo]) => isSo).map(([, ...finding]) => finding);
  },
  probe: `
    [ ! -d /var/run/docker.sock ] || echo folder=yes
    echo "client=$(docker version --format '{{.Client.APIVersion}}' 2>/tmp/refusal | tail -n 1)"
    echo "refusal=$(tail -n 1 /tmp/refusal)"
    for program in compose buildx; do docker $program version >/dev/null 2>&1 || echo "$program=missing"; done
    ! command -v docker-compose >/dev/null || echo old-compose=there`,
  judge: async inside => {
    const { seen, jobs, image, world } = inside;
    if (seen('folder') !== '') return [await noSocket('/var/run/docker.sock', world)];
    const { version = '', minApiVersion = '' } = world.engine ?? {};
    const takes = `this engine (${version}) takes ${minApiVersion} and newer`;
    const findings = [judgeClient(inside, takes, sockets)];
    for (const [program, command, there] of [
      ['compose', /\bdocker[ -]compose\b/, seen('old-compose')],
      ['buildx', /\bdocker buildx\b/, ''],
    ] as const) {
      const names = jobs.filter(({ script }) => command.test(script)).map(({ name }) => `"${name}"`);
      if (names.length === 0 || seen(program) !== 'missing' || there !== '') continue;
      const detail = `${image} has no docker ${program}, which job ${names.join(', ')} calls.`;
      findings.push(['warning', detail, cliImage]);
    }
    return findings;
  },
};

const cliImage = 'Name an image that has it, such as docker:cli.';

/** Where the engine's socket is, if not at that path. */
async function noSocket(path: string, { run, environment }: World): Promise<Finding> {
  const context = await run(['docker', 'context', 'inspect', '--format', '{{.Endpoints.docker.Host}}']);
  const real = environment.value('DOCKER_HOST') || context.stdout.trim();
  const remedy = real.startsWith('unix://')
    ? `Mount the engine's own in config/config.toml and docker-compose.yml: ${real.slice(7)}:/var/run/docker.sock`
    : `The docker command of this host uses ${real || 'no socket that it tells'}: run this repository where that engine is.`;
  return ['failed', `there is no socket at ${path} for jobs to use.`, remedy];
}

const labels =
  'With SELinux: security_opt = ["label:disable"]; with a rootless engine: the path of its socket.';
const sockets: Meanings = [
  [/permission denied/i, 'failed', 'a job may not use the Docker socket, though this host may.', labels],
  [/./, 'failed', 'no engine answers inside a job.', 'See volumes in config/config.toml.'],
];

const threeWays = `One of: a newer image, such as docker:cli, in config/config.toml and .gitlab-ci.yml;
Docker Engine 29.3 or later, which takes 1.40 again;
"min-api-version": "1.40" in /etc/docker/daemon.json (Engine 29), then: sudo systemctl restart docker`;

/** Whether the Docker client of the image of jobs, and the engine that they use, fit each other. */
export function judgeClient({ seen, image }: Inside, takes: string, silent: Meanings): Finding {
  const refusal = seen('refusal');
  const api = /client version (\S+) is too old/i.exec(refusal)?.[1];
  const [verdict, detail, remedy] = explain(refusal, [
    [/is too old/i, 'failed', `${image} speaks API ${api}; ${takes}: docker fails in jobs.`, threeWays],
    [/is too new/i, 'failed', `${image} is too new for its engine.`, 'Upgrade the engine.'],
    [/docker.*not found/i, 'warning', `there is no docker command in ${image}.`, cliImage],
    ...silent,
  ]) ?? ['ok', `${image} speaks API ${seen('client')} with the engine`];
  if (verdict === 'ok' && seen('client') === '') return ['unknown', `docker in ${image} printed nothing.`];
  return [verdict, refusal && verdict === 'failed' && !api ? `${detail} (${refusal})` : detail, remedy ?? ''];
}

/** What config/config.toml says of a runner, as texts; of TOML the forms key = 1 and key = ["a", "b"] are read. */
export function readConfig(runner: Runner): (key: string, table?: string) => string[] {
  const valueIn = (text: string, key: string): string[] => {
    const line = new RegExp(`^\\s*${key}\\s*=\\s*(\\[(?:${quoted}|[^\\]"'])*\\]|.*)`, 'm').exec(text)?.[1];
    try {
      const json = line?.replace(comment, '$1').replace(/,\s*\]/, ']');
      return json === undefined ? [] : [JSON.parse(json)].flat().map(String);
    } catch {
      throw new Error(`config/config.toml: ${key} has a value that is not read here: ${line}`);
    }
  };
  const file = readFileSync(new URL('config/config.toml', root), 'utf8');
  const [, ...blocks] = file.split(/^\s*\[\[runners\]\]/m);
  const block = blocks.find(text => valueIn(text, 'name')[0] === runner.description);
  const parts = `runners]${block}`.split(/^\s*\[+(?=[a-z])/m);
  const tables = new Map(parts.map(text => [text.split(']')[0], text]));
  if (!tables.has('runners.docker'))
    throw new Error(`config/config.toml: no [runners.docker] is found there for "${runner.description}".`);
  return (key, table = 'runners.docker') => valueIn(tables.get(table) ?? '', key);
}

/** The options of `docker run` for a container as a job has it. */
export function containerOptions(runner: Runner): string[] {
  const config = readConfig(runner);
  const flags = {
    ...{ network_mode: 'network', extra_hosts: 'add-host', userns_mode: 'userns', devices: 'device' },
    ...{ cap_add: 'cap-add', cap_drop: 'cap-drop', security_opt: 'security-opt', dns: 'dns', user: 'user' },
    ...{ dns_search: 'dns-search', runtime: 'runtime', memory: 'memory', cpus: 'cpus' },
    ...{ privileged: 'privileged' },
  };
  return [
    ...config('environment', 'runners').flatMap(variable => ['--env', variable]),
    ...Object.entries(flags).flatMap(([key, flag]) => config(key).map(value => `--${flag}=${value}`)),
    // Unlike --volume, --mount makes no folder where the path is missing.
    ...config('volumes').map(volume => {
      const [, source, target, readOnly] = /^(\/[^:]*):([^:]+?)(:ro)?$/.exec(volume) ?? [];
      if (source === undefined) return `--volume=${volume}`;
      return `--mount=type=bind,source=${source},target=${target}${readOnly ? ',readonly' : ''}`;
    }),
  ];
}

const fetchGitLab = `
    df -Pk / | awk 'NR == 2 { print "free=" $4 }'
    echo "mtu=$(cat /sys/class/net/eth0/mtu)"
    get=$(command -v wget || echo busybox wget)
    echo "gitlab=$($get -T 8 -O /dev/null "$1/api/v4/version" 2>&1 | grep -iE 'HTTP|error|wget:|certificate|saved|100%' | tail -n 1)"`;

/** Starts one container as a job has it, and looks at the world from inside. */
async function checkJob(runner: Runner, world: World, note: Note): Promise<void> {
  const { run } = world;
  const { gitlabUrl } = world.environment;
  const builder = await builderOf(runner);
  const [image = 'none'] = readConfig(runner)('image');
  if ((await run(['docker', 'image', 'inspect', image])).status !== 0)
    return note(
      'unknown',
      `${image} is not on this host yet, so it was not started.`,
      `docker pull ${image}`,
    );
  const options = [...containerOptions(runner), ...builder.options, '--entrypoint', 'sh'];
  const script = `${fetchGitLab}${builder.probe}\n    exit 0`;
  const words = [...options, image, '-c', script, 'probe', gitlabUrl];
  const { status, stdout, stderr } = await run(['docker', 'run', '--rm', ...words]);
  const seen = (key: string) => new RegExp(`^${key}=(.*)$`, 'm').exec(stdout)?.[1]?.trim() ?? '';
  if (status === 124) return note('unknown', `${image}: its container did not end in time.`);
  if (status !== 0) return note(...(await explainStart(stderr, image, runner, world)));
  const jobs = (await jobsOf(runner, world)).filter(job => [image, ''].includes(imageOf(job)));
  for (const finding of await builder.judge({ seen, image, jobs, world })) note(...finding);
  const answer = seen('gitlab');
  const [verdict, detail, remedy] = explain(answer, inside) ?? ['unknown', 'cannot be told to answer a job.'];
  note(verdict, `${gitlabUrl} ${detail}${verdict === 'ok' ? '' : ` (${answer || 'no answer'})`}`, remedy);
  if (runner !== runners[0]) return;
  note(...judgeDisk(Number.parseInt(seen('free'), 10) / 1024 / 1024));
  judgeMtu(Number(seen('mtu')), note);
}

/** What wget says of GitLab inside a job: without a token it is refused, which is answer enough. */
const inside: Meanings = [
  [/bad address|resolve|unknown host/i, 'failed', 'has a name that jobs do not know.', 'See extra_hosts.'],
  [/refused|timed out|unreachable|no route/i, 'failed', 'is not reached by jobs.', 'Check the firewall.'],
  [/expired/i, 'failed', 'shows jobs a certificate that has expired.', 'Renew it.'],
  [/certificate|x509|ssl/i, 'warning', 'shows jobs a certificate that their image does not trust.'],
  [/\b5\d\d\b/, 'failed', 'answers jobs with an error.', 'Wait until GitLab, or its proxy, is well again.'],
  [/\b40[13]\b/, 'ok', 'answers a job'],
];

/** Why a container did not start. */
async function explainStart(stderr: string, image: string, runner: Runner, world: World): Promise<Finding> {
  const missing = /bind source path does not exist: (\S+)/.exec(stderr)?.[1];
  if (missing?.endsWith('.sock')) return noSocket(missing, world);
  if (/network \S+ not found/i.test(stderr))
    return ['unknown', 'the network of jobs is not there yet.', 'Run: make up'];
  const isHardened = readConfig(runner)('security_opt').some(option =>
    option.startsWith('no-new-privileges'),
  );
  if (isHardened && /operation not permitted/i.test(stderr)) {
    const remedy = 'Take "no-new-privileges" out of config/config.toml, or install Docker Engine otherwise.';
    return ['failed', 'no container starts under no-new-privileges, as with Docker from snap.', remedy];
  }
  const detail = `a container of ${image} does not start: ${explainContainer(stderr)}`;
  return ['failed', detail, 'It has the options of [runners.docker] in config/config.toml.'];
}

/** @param free GiB that are free where the engine keeps images */
function judgeDisk(free: number): Finding {
  const detail = `${free.toFixed(1)} GiB free for images and build cache`;
  const remedy = 'See what takes it: docker system df; free some: docker builder prune';
  if (Number.isNaN(free)) return ['unknown', 'the free space could not be read.', 'See: df -h'];
  return free < 10 ? [free < 2 ? 'failed' : 'warning', `only ${detail}.`, remedy] : ['ok', detail];
}

/** Containers must not send larger packets than the network of this host takes. */
function judgeMtu(container: number, note: Note): void {
  const routes = existsSync('/proc/net/route') ? readFileSync('/proc/net/route', 'utf8').split('\n') : [];
  const device = routes.find(line => line.split('\t')[1] === '00000000')?.split('\t')[0];
  // Without Linux, or a default route, there is nothing to compare with.
  const host = device ? Number(readFileSync(`/sys/class/net/${device}/mtu`, 'utf8')) : Number.NaN;
  if (!(container > host)) return;
  const detail = `packets of jobs have ${container} bytes, this host's ${host} at most: downloads may hang.`;
  const inCompose = `of networks in docker-compose.yml: driver_opts: com.docker.network.driver.mtu: "${host}"`;
  note('warning', detail, `"mtu": ${host} in /etc/docker/daemon.json; ${inCompose}`);
}

/** The jobs of a runner's pipeline that run here in that image; none where the pipeline cannot be read. */
async function jobsOf(runner: Runner, world: World): Promise<readonly Job[]> {
  const { jobs } = await pipelineOf(runner, world).catch(() => ({ jobs: [] }));
  return jobs.filter(job => isFor(runner, job));
}

const imageOf = (job: Job): string => words(job.image instanceof Map ? job.image.get('name') : job.image);

/** Whether images that jobs run in are on this host, or their registry gives them to anyone: nothing is pulled. */
async function checkImages(world: World, note: Note): Promise<void> {
  const wanted = new Map<string, boolean>();
  for (const runner of runners) {
    const config = readConfig(runner);
    const isAlwaysPulled = config('pull_policy').join() === 'always';
    const images = [...config('image'), ...(await jobsOf(runner, world)).map(imageOf)];
    for (const image of images.filter(Boolean)) wanted.set(image, isAlwaysPulled);
  }
  const findings = await Promise.all(
    [...wanted].map(async ([image, isAlwaysPulled]): Promise<[string, Finding]> => {
      if (image.includes('$')) return [image, ['unknown', 'is a variable: not looked at']];
      const { status } = await world.run(['docker', 'image', 'inspect', image]);
      if (status === 0 && !isAlwaysPulled) return [image, ['ok', 'is on this host']];
      // Without the logins of this host, which the runner has not either.
      const environment = { DOCKER_CONFIG: '/nonexistent' };
      const answer = await world.run(['docker', 'manifest', 'inspect', image], { environment });
      if (answer.status === 0) return [image, ['ok', 'can be pulled']];
      const silent: Finding = ['unknown', `is not known to be there: ${lastLine(answer.stderr)}`];
      return [image, explain(answer.stderr, refusals) ?? silent];
    }),
  );
  for (const [image, [verdict, detail, remedy]] of findings) note(verdict, `${image} ${detail}`, remedy);
}

const credentials =
  'The runner has no login of this host: give it the variable DOCKER_AUTH_CONFIG (README.md).';
const refusals: Meanings = [
  [
    /toomanyrequests|rate limit/i,
    'warning',
    'cannot be had now: its registry limits pulls.',
    'Wait, or log in.',
  ],
  [/no such manifest|manifest unknown/i, 'failed', 'is not in its registry.', 'Correct its name.'],
  [/denied|unauthorized|authentication|no basic auth/i, 'warning', 'is private, or not there.', credentials],
];

/** Whether the engine of this host, which pulls and pushes for jobs, gets an answer from a pipeline's own registry. */
async function checkRegistries(world: World, note: Note): Promise<void> {
  const withSocket = runners.filter(({ builder }) => builder === 'socket');
  const pipelines = await Promise.all(withSocket.map(one => pipelineOf(one, world).catch(() => undefined)));
  const hosts = new Set(pipelines.map(pipeline => pipeline?.registry.split('/')[0] ?? ''));
  // As Docker reads names: the first part is a host if it has a dot or a port; else it is of Docker Hub.
  for (const host of [...hosts].filter(name => /^[^$]*[.:][^$]*$|^localhost$/.test(name))) {
    const { stderr } = await world.run(['docker', 'pull', `${host}/doctor/no-such-image:none`]);
    const silent: Finding = ['unknown', `is not known to work: ${lastLine(stderr)}`];
    const [verdict, detail, remedy] = explain(stderr, answers(host)) ?? silent;
    note(verdict, `${host} ${detail}${verdict === 'failed' ? ` (${lastLine(stderr)})` : ''}`, remedy);
  }
}

const known =
  /manifest unknown|name unknown|not found|denied|unauthorized|authentication required|no basic auth/i;
const answers = (host: string): Meanings => [
  [/unexpected HTTP status|error parsing HTTP/i, 'failed', 'answers with an error.', 'Mend the registry.'],
  [/no such host|refused|timeout|unreachable|no route/i, 'failed', 'is not reached.', 'Check REGISTRY.'],
  [/x509|certificate/i, 'failed', 'is not trusted.', `Its authority: /etc/docker/certs.d/${host}/ca.crt`],
  [
    /HTTP response to HTTPS client/i,
    'failed',
    'has no TLS.',
    `daemon.json: "insecure-registries": ["${host}"]`,
  ],
  [known, 'ok', 'answers the engine'],
];

export const checks: Check[] = [
  { name: 'pipeline', needs: [], run: (world, note) => forEach(checkPipeline, world, note) },
  { name: 'image', needs: ['engine'], run: checkImages },
  { name: 'job', needs: ['engine'], run: (world, note) => forEach(checkJob, world, note) },
  { name: 'registry', needs: ['engine'], run: checkRegistries },
];

type Look = (runner: Runner, world: World, note: Note) => Promise<void>;

/** Does it for each runner, which is named where there are several; one that fails does not stop the others. */
async function forEach(check: Look, world: World, note: Note): Promise<void> {
  for (const runner of runners) {
    const the = runners.length > 1 ? `"${runner.description}": ` : '';
    try {
      await check(runner, world, (verdict, detail, remedy) => note(verdict, `${the}${detail}`, remedy));
    } catch (error) {
      const { message, remedy } = error as Failure;
      note(remedy === undefined ? 'unknown' : 'failed', `${the}${message}`, remedy);
    }
  }
}
