// What jobs ask for, and what they find here: their pipelines, and a container as a job has it.

import { existsSync, readFileSync } from 'node:fs';
import { callGitLab, reason } from './gitlab.ts';
import type { Check, Note, Verdict, World } from './host.ts';
import { explainContainer, Failure, hasImage, root } from './host.ts';
import { type Runner, runners } from './settings.ts';

/** What is not read with certainty: an alias, a tag such as !reference, a map in braces. */
export const unsure: unique symbol = Symbol('unsure');
/** The text that a key of a pipeline has, its comments left out; undefined where there is no such key. */
export type Value = string | typeof unsure | undefined;
export const words = (value: Value): string => (typeof value === 'string' ? value : '');

const quoted = String.raw`"(?:[^"\\\n]|\\.)*"|(?<!\w)'[^'\n]*'`;
const comment = new RegExp(`(${quoted})|(?:^|\\s)#.*$`, 'gm');
const odd = /(^|[-:[,])\s*(\*[\w.-]+\s*([\],]|$)|!reference|<<:)/m;

/** The keys of a YAML map by indentation, each with the text that belongs to it. */
function readMap(text: string): Map<string, string> {
  const indent = /^ *(?=\S)/m.exec(text)?.[0] ?? '';
  const parts = text.split(new RegExp(`^${indent}(?=[^\\s\\]-])`, 'm'));
  const pairs = parts.map(part => /^(["']?)(.+?)\1\s*:(\s[\s\S]*)$/.exec(part) ?? []);
  return new Map(pairs.map(([, , key = '', value = '']) => [key, value]));
}

function pick(map: Value, key: string): Value {
  if (typeof map !== 'string') return map;
  const keys = readMap(map.slice(map.indexOf('\n')));
  return /^\s*?(&\S+\s*?)?\n/.test(map) && !(keys.has('<<') && !keys.has(key)) ? keys.get(key) : unsure;
}

/** The tags in a list, by lines or in brackets; a text where there is no list. */
function readTags(value: Value): Job['tags'] {
  if (typeof value !== 'string') return value;
  const isList = /^(\[[^[\]]*\]$|-\s)/.test(value);
  const items = value.replace(/^\[|\]$/g, '').split(value.startsWith('[') ? ',' : /^\s*-\s/m);
  const scalar = /^(["']?)([^\s"'*&!{}[\]|>][^"'\\\n{}[\]]*)\1$/;
  const tags = (isList ? items.filter(one => one.trim()) : [value]).map(one => scalar.exec(one.trim())?.[2]);
  return tags.includes(undefined) ? unsure : isList ? (tags as string[]) : tags[0];
}

/** What is known of a job: its script one command a line, `host` DOCKER_HOST among its variables. */
export interface Job {
  readonly name: string;
  readonly tags: Value | string[];
  readonly services: Value;
  readonly host: Value;
  readonly script: string;
  readonly isRead: boolean;
}

const noJob =
  /^(|\..*|default|include|stages|variables|workflow|image|services|cache|spec|(before|after)_script)$/;

/** The jobs in a pipeline's text, or those that GitLab lists, which has resolved `extends` in that text. */
export function readPipeline(text: string, source: string, listed?: Record<string, unknown>[]) {
  const file = `\n${text.replaceAll('\r', '').replace(comment, '$1')}\n`;
  const keys = readMap(file);
  const isWhole = listed !== undefined || !keys.has('include');
  const elsewhere = listed ? ['inherit'] : ['inherit', 'extends', '<<'];
  const describe = (name: string, tree: Value, known: Record<string, unknown> = {}): Job => {
    const isAll = isWhole && elsewhere.every(word => pick(tree, word) === undefined);
    const find = (look: (place: Value) => Value) => {
      const found = look(tree) ?? (isAll ? (look(keys.get('default')) ?? look(file)) : unsure);
      return odd.test(words(found)) ? unsure : typeof found === 'string' ? found.trim() : found;
    };
    const [tags, services, ...scripts] = ['tags', 'services', 'before_script', 'script', 'after_script'].map(
      key => (known[key] as string[])?.join('\n') ?? find(place => pick(place, key)),
    );
    const host = find(place => pick(pick(place, 'variables'), 'DOCKER_HOST'));
    const isRead = !isWhole || ![services, host, ...scripts].includes(unsure);
    const script = scripts.map(one => joinLines(words(one))).join('\n');
    return { name, tags: (known.tag_list as string[]) ?? readTags(tags), services, host, script, isRead };
  };
  // `parallel` adds to the names of jobs: "test 1/2", "test: [a, b]".
  const treeOf = (name: string) => keys.get(name.replace(/ \d+\/\d+$|: \[.*$/, '')) ?? unsure;
  const isJob = (name: string) => !noJob.test(name) && typeof pick(keys.get(name), 'trigger') !== 'string';
  const jobs = listed
    ? listed.map(job => describe(String(job.name), treeOf(String(job.name)), job))
    : [...keys.keys()].filter(isJob).map(name => describe(name, keys.get(name)));
  return { source, isWhole, jobs };
}

/** A script whose commands are on one line each: one that goes on is joined, save in blocks that keep lines. */
function joinLines(script: string): string {
  const text = script.replace(/(^|- |\[|, )["']/gm, '$1 ').replace(/\\\n|^\s*#.*$/gm, ' ');
  return /^- |^>/.test(text) && !/\|[-+]?$/m.test(text) ? text.replace(/\n\s*(?!\s|- )/g, ' ') : text;
}

/** The pipeline of a runner: as GitLab reads it where an access token may ask, else as far as it is plain. */
async function pipelineOf(runner: Runner, { environment: { gitlabUrl, value } }: World) {
  if (runner.pipeline === '') return { source: '', isWhole: true, jobs: [] };
  const [token, project] = [value('GITLAB_ACCESS_TOKEN'), runner.project ?? value('GITLAB_PROJECT_ID')];
  const path = `/projects/${encodeURIComponent(project)}/ci/lint?include_jobs=true`;
  const answer =
    token && project && (await callGitLab(gitlabUrl, 'GET', path, { token }).catch(() => undefined));
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

/** A way to build images: options of `docker run` for its jobs, what is wrong with a job, and what a probe finds. */
export interface Builder {
  readonly options: readonly string[];
  readonly rules: (job: Job) => readonly Finding[];
  /** A shell script for a job's container, which prints one `key=value` a line, and what that means. */
  readonly probe: string;
  readonly judge: (inside: Inside) => Promise<readonly Finding[]> | readonly Finding[];
}

/** What the probe printed for a key, empty where nothing; in which image; and the jobs that run here. */
export interface Inside {
  readonly seen: (key: string) => string;
  readonly image: string;
  readonly jobs: readonly Job[];
  readonly world: World;
}

async function builderOf({ builder }: Runner): Promise<Builder> {
  const file = `./${builder}.ts`;
  return builder === 'socket' ? socket : ((await import(file)) as { builder: Builder }).builder;
}

/** Whether a job runs on a runner with the tags of settings.ts; undefined where its tags were not read. */
function isFor({ tags, runUntagged }: Runner, { tags: asked = [] }: Job): boolean | undefined {
  if (!Array.isArray(asked) || asked.join().includes('$')) return;
  return asked.length === 0 ? runUntagged : asked.every(tag => tags.includes(tag));
}

const gitlabReads = 'With a GITLAB_ACCESS_TOKEN (scope read_api) and GITLAB_PROJECT_ID, GitLab reads it.';

/** What is wrong with one job of a runner's pipeline. */
function judgeJob(job: Job, runner: Runner, { rules }: Builder): readonly Finding[] {
  const asked = Array.isArray(job.tags) ? job.tags.join(', ') : words(job.tags);
  const isHere = isFor(runner, job);
  if (typeof job.tags === 'string' && /^[^$]+$/.test(asked))
    return [['failed', `its tags are the text "${asked}", not a list.`, `Write: tags: [${asked}]`]];
  if (isHere === undefined) return [['unknown', 'its tags are not plain: not looked at.', gitlabReads]];
  if (!isHere) return [['warning', `it asks for ${asked || 'no tag'}: another runner has to take it.`]];
  const found = rules(job);
  if (!job.isRead) return [...found, ['unknown', 'not all of it is plain.', gitlabReads]];
  const fine = `asks for what "${runner.description}" has, says scripts/settings.ts (images are not looked at)`;
  return found.length > 0 ? found : [['ok', fine]];
}

type Look = (runner: Runner, ...rest: Parameters<Check['run']>) => Promise<void>;

/** What one pipeline asks for: each finding once, with the names of its jobs. */
const checkPipeline: Look = async (runner, world, note) => {
  const { source, isWhole, jobs } = await pipelineOf(runner, world);
  const builder = await builderOf(runner);
  const found = new Map<string, [Finding, ...names: string[]]>();
  for (const job of jobs)
    for (const finding of judgeJob(job, runner, builder)) {
      const [, ...names] = found.get(finding[1]) ?? [finding];
      found.set(finding[1], [finding, ...names, `"${job.name}"`]);
    }
  for (const [[verdict, detail, remedy], ...names] of found.values())
    note(verdict, `${source}, job ${names.join(', ')}: ${detail}`, remedy);
  if (!isWhole) note('unknown', `${source}: included files were not read.`, gitlabReads);
  if (jobs.length === 0 && source !== '' && isWhole) note('unknown', `${source}: no job was found in it.`);
};

const mount =
  /docker (container )?(run|create)\b[^\n;]*?\s(-v|--volume|--mount)[ =](\S*?(source|src)=)?["']?(\$\{?(PWD|CI_PROJECT_DIR|CI_BUILDS_DIR)|\$\(pwd\)|`pwd`|\.{1,2}[/:])/;
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
    const isHostEngine = !isOther && host !== unsure && !/\w/.test(words(host));
    const mayHaveIt = services === unsure || /docker/.test(words(services)) || isOther;
    const isNobody = /^["']?tcp:\/\/docker\b/.test(words(host)) && /\bdocker\b/.test(script) && !mayHaveIt;
    // What comes after `ssh` may run elsewhere.
    const here = isHostEngine ? script.replace(/(^|[\s;&|(])ssh\s[\s\S]*$/, '') : '';
    const found: Finding[] = [];
    if (/dind/.test(words(services))) found.push(['failed', dindBeside, 'Take the service out.']);
    if (isNobody) found.push(['failed', 'no engine answers at its DOCKER_HOST.', 'Take DOCKER_HOST out.']);
    if (mount.test(here)) found.push(['warning', mountsFolder, 'Use docker cp.']);
    if (sweep.test(here)) found.push(['warning', sweepsAll, 'Name what goes.']);
    return found;
  },
  probe: `
    echo "client=$(docker version --format '{{.Client.APIVersion}}' 2>/tmp/refusal | tail -n 1)"
    [ -d /var/run/docker.sock ] && echo "refusal=it is a folder" || echo "refusal=$(tail -n 1 /tmp/refusal)"`,
  judge(inside) {
    const { version = '', minApiVersion = '' } = inside.world.engine ?? {};
    return [judgeClient(inside, `this engine (${version}) takes ${minApiVersion} and newer`, sockets)];
  },
};

const noSocket = `Mount the engine's own there, and in docker-compose.yml; it is listed by: docker context ls`;
const sockets: Meanings = [
  [/^it is a folder/, 'failed', 'there is no socket at the path in config.toml.', noSocket],
  [/permission denied/i, 'failed', 'a job may not use the socket.', 'Set security_opt: label:disable.'],
  [/./, 'failed', 'no engine answers inside a job.', 'See volumes in config/config.toml.'],
];
const threeWays = `One of: a newer image, such as docker:cli, in config/config.toml and .gitlab-ci.yml;
Docker Engine 29.3 or later, which takes 1.40 again;
"min-api-version": "1.40" in /etc/docker/daemon.json (Engine 29), then: sudo systemctl restart docker`;

/** Whether the Docker client of the image of jobs, and the engine that they use, fit each other. */
export function judgeClient({ seen, image }: Inside, takes: string, silent: Meanings): Finding {
  const refusal = seen('refusal');
  const api = /client version (\S+) is too old/i.exec(refusal)?.[1];
  const [verdict, detail, remedy = ''] = explain(refusal, silent) ?? ['ok', ''];
  const finding = explain(refusal, [
    [/is too old/i, 'failed', `${image} speaks API ${api}; ${takes}: docker fails in jobs.`, threeWays],
    [/docker.*not found/i, 'warning', `there is no docker command in ${image}.`, 'Name one, as docker:cli.'],
    [/./, verdict, `${detail} (${refusal})`, remedy],
  ]);
  if (!finding && !seen('client')) return ['unknown', `docker in ${image} printed nothing.`];
  return finding ?? ['ok', `${image} speaks API ${seen('client')} with the engine`];
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

/** Keys of [runners.docker] beside `volumes`, and the option of `docker run` where it has another name. */
const flags =
  'network_mode:network extra_hosts:add-host userns_mode:userns devices:device cap_add cap_drop security_opt dns dns_search user runtime memory cpus privileged';

/** The options of `docker run` for a container as a job has it. */
export function containerOptions(runner: Runner): string[] {
  const config = readConfig(runner);
  return [
    ...config('environment', 'runners').flatMap(variable => ['--env', variable]),
    ...flags.split(' ').flatMap(words => {
      const [key = '', flag = key.replace('_', '-')] = words.split(':');
      return config(key).map(value => `--${flag}=${value}`);
    }),
    // Unlike --volume, --mount makes no folder where the path is missing.
    ...config('volumes').map(volume => {
      const [, source, target, readOnly] = /^(\/[^:]*):([^:]+?)(:ro)?$/.exec(volume) ?? [];
      if (source === undefined) return `--volume=${volume}`;
      return `--mount=type=bind,source=${source},target=${target}${readOnly ? ',readonly' : ''}`;
    }),
  ];
}

const fetchGitLab = `
    echo "mtu=$(cat /sys/class/net/eth0/mtu)"
    get=$(command -v wget || echo busybox wget)
    echo "gitlab=$($get -T 8 -O /dev/null "$1/api/v4/version" 2>&1 | grep -iE 'HTTP|error|wget:|certificate|saved|100%' | tail -n 1)"`;

/** Starts one container as a job has it, and looks at the world from inside. */
const checkJob: Look = async (runner, world, note) => {
  const { gitlabUrl } = world.environment;
  const builder = await builderOf(runner);
  const [image = 'none'] = readConfig(runner)('image');
  if (!(await hasImage(world.run, image)))
    return note('unknown', `${image} is not on this host yet: not started.`, `docker pull ${image}`);
  const options = [...containerOptions(runner), ...builder.options, '--entrypoint', 'sh', image];
  const script = ['-c', `${fetchGitLab}${builder.probe}\n    exit 0`, 'probe', gitlabUrl];
  const { status, stdout, stderr } = await world.run(['docker', 'run', '--rm', ...options, ...script]);
  if (status === 124) return note('unknown', `${image}: its container did not end in time.`);
  const silent: Finding = ['failed', `a container of ${image} does not start: ${explainContainer(stderr)}`];
  if (status !== 0) return note(...(explain(stderr, starts) ?? silent));
  const seen = (key: string) => new RegExp(`^${key}=(.*)$`, 'm').exec(stdout)?.[1]?.trim() ?? '';
  const pipeline = await pipelineOf(runner, world).catch(() => undefined);
  const jobs = pipeline?.jobs.filter(job => isFor(runner, job)) ?? [];
  for (const finding of await builder.judge({ seen, image, jobs, world })) note(...finding);
  const [verdict, detail, remedy] = explain(seen('gitlab'), answers)!;
  const said = verdict === 'ok' ? '' : ` (${seen('gitlab') || 'no answer'})`;
  note(verdict, `${gitlabUrl} ${detail}${said}`, remedy);
  judgeMtu(Number(seen('mtu')), note);
};

const unreached = 'See extra_hosts in config/config.toml, the firewall, and whether GitLab is well.';
/** What wget says of GitLab inside a job: without a token it is refused, which is answer enough. */
const answers: Meanings = [
  [/\b40[13]\b/, 'ok', 'answers a job'],
  [/expired/i, 'failed', 'shows jobs a certificate that has expired.', 'Renew it.'],
  [/certificate|x509|ssl/i, 'warning', 'shows jobs a certificate that their image does not trust.'],
  [/address|resolve|host|refused|timed out|route|\b5\d\d\b/i, 'failed', 'does not answer jobs.', unreached],
  [/^/, 'unknown', 'cannot be told to answer a job.'],
];
const starts: Meanings = [
  [/path does not exist: \S+\.sock/, 'failed', 'there is no socket at the path in config.toml.', noSocket],
  [/network \S+ not found/i, 'unknown', 'the network of jobs is not there yet.', 'Run: make up'],
  [/operation not permitted/i, 'failed', 'no container starts so.', 'Take no-new-privileges (snap) out.'],
];

/** Containers must not send larger packets than the network of this host takes, whose device Linux tells. */
function judgeMtu(container: number, note: Note): void {
  const routes = existsSync('/proc/net/route') ? readFileSync('/proc/net/route', 'utf8') : '';
  const device = /^(\S+)\t0{8}\s/m.exec(routes)?.[1];
  const host = device ? Number(readFileSync(`/sys/class/net/${device}/mtu`, 'utf8')) : Number.NaN;
  const detail = `packets of jobs have ${container} bytes, this host's ${host} at most: downloads may hang.`;
  const inCompose = `of networks in docker-compose.yml: driver_opts: com.docker.network.driver.mtu: "${host}"`;
  if (container > host) note('warning', detail, `"mtu": ${host} in /etc/docker/daemon.json; ${inCompose}`);
}

export const checks: Check[] = runners.flatMap(runner => {
  const of = runners.length > 1 ? ` of ${runner.description}` : '';
  return [
    { name: `pipeline${of}`, needs: [], run: (world, note) => checkPipeline(runner, world, note) },
    { name: `job${of}`, needs: ['engine'], run: (world, note) => checkJob(runner, world, note) },
  ];
});
