// What jobs ask for, and what they find here: their pipelines, and a container as a job has it.

import { readFileSync } from 'node:fs';
import { callGitLab, reason } from './gitlab.ts';
import type { Check, Finding, Note, Run } from './host.ts';
import * as host from './host.ts';
import { readConfig } from './runner.ts';
import { type Runner, runners } from './settings.ts';

/** Stands for what a pipeline takes from another place, which is not read here. */
export const elsewhere = '!reference';

/** What is known of a job: `host` is DOCKER_HOST among its variables, `script` has one command a line. */
export interface Job extends Readonly<Record<'name' | 'image' | 'services' | 'host' | 'script', string>> {
  readonly tags: unknown;
  readonly isRead: boolean;
}

type Tree = ReturnType<typeof JSON.parse>;
const noJob = /^(\..*|default|include|stages|variables|workflow|image|services|cache|spec)$/;
const keys = ['tags', 'image', 'services', 'before_script', 'script', 'after_script'];
const unread = Object.fromEntries(keys.map(key => [key, elsewhere]));

/** @param isMerged whether GitLab has put in what the job extends */
function readJob(tree: Tree, name: string, isMerged: boolean): Job {
  const own = tree[name];
  const isAll = !tree.include && !own.inherit && !own.variables?.[elsewhere] && (isMerged || !own.extends);
  const job: Tree = isAll ? { ...tree, ...tree.default, ...own } : { ...unread, ...own };
  const engine = own.variables?.DOCKER_HOST ?? (isAll ? tree.variables?.DOCKER_HOST : elsewhere) ?? '';
  const [host, image] = [engine.value ?? engine, job.image?.name ?? job.image ?? ''];
  const [tags, services] = [job.tags ?? [], JSON.stringify(job.services ?? [])];
  const commands = [job.before_script, job.script, job.after_script].flat(9);
  const isRead = tree.include || !JSON.stringify([services, host, commands]).includes(elsewhere);
  const script = commands.join('\n').replace(/\\\n|^\s*#.*$/gm, ' ');
  return { name, tags, image, services, host, script, isRead };
}

/** The jobs in a pipeline's text, save those that start another pipeline. Compose reads YAML for us. */
export async function readPipeline(run: Run, text: string, source: string, isMerged = false) {
  // A header of inputs ends with a line ---.
  const body = text
    .replace(/\r|^[\s\S]*^---.*$/gm, '')
    .replace(/!reference *\[.*?\]/gs, `{ "${elsewhere}": yes }`);
  // What stands below a key "x-..." it passes on.
  const input = `services: { none: { image: none } }\nx-pipeline:\n${body.replace(/^/gm, '  ')}`;
  const words = ['-f', '-', 'config', '--no-interpolate', '--format', 'json'];
  const { status, stdout, stderr } = await host.compose(run, words, { input });
  const why = host.lastLine(stderr).replace(/(?<=line )\d+/, line => `${Math.max(1, Number(line) - 2)}`);
  if (status !== 0) throw Error(`Compose, version 2, does not read ${source}: ${why}`);
  const tree: Tree = JSON.parse(stdout)['x-pipeline'] ?? {};
  const isJob = (name: string) => !noJob.test(name) && tree[name] instanceof Object && !tree[name].trigger;
  const jobs = Object.keys(tree).filter(isJob);
  return { source, isWhole: !tree.include, jobs: jobs.map(name => readJob(tree, name, isMerged)) };
}

/** The pipeline of a runner: as GitLab reads it where an access token may ask, else the file here. */
async function pipelineOf({ pipeline, project: own }: Runner, run: Run) {
  const [token, project] = [host.env('GITLAB_ACCESS_TOKEN'), own ?? host.env('GITLAB_PROJECT_ID')];
  const path = `/projects/${encodeURIComponent(project)}/ci/lint`;
  const asked = token && project ? callGitLab('GET', path, { token }) : Promise.reject();
  const { valid, errors, merged_yaml: merged } = (await asked.catch(() => undefined))?.body ?? {};
  if (valid === true) return readPipeline(run, String(merged), `project ${project} in GitLab`, true);
  if (valid !== false || /provide content/i.test(String(errors)))
    return readPipeline(run, readFileSync(new URL(pipeline, host.root), 'utf8'), pipeline);
  const refused = `GitLab refuses the pipeline of project ${project}: ${reason({ error: errors })}`;
  throw new host.Failure(refused, 'Correct it there.');
}

/** What a text means: the finding of the first expression that it fits. */
export type Meanings = readonly (readonly [RegExp, ...Finding])[];
export const explain = (text: string, meanings: Meanings): Finding | undefined =>
  meanings.find(([sign]) => sign.test(text))?.slice(1) as Finding | undefined;

/** A way to build images: options of `docker run` for its jobs, what is wrong with a job, and what a probe finds. */
export interface Builder {
  readonly options?: readonly string[];
  readonly rules: (job: Job) => readonly Finding[];
  /** A shell script for a job's container, which prints one `key=value` a line, and what that means. */
  readonly probe: string;
  readonly judge: (inside: Inside) => Promise<readonly Finding[]> | readonly Finding[];
}

/** What the probe printed for a key, empty where nothing; in which image; and the jobs that run here. */
export type Inside = { seen: (key: string) => string; image: string; jobs: readonly Job[]; run: Run };

async function builderOf({ builder }: Runner): Promise<Builder> {
  return builder === 'socket' ? socket : (await import(`./${builder}.ts`)).builder;
}

/** Whether a job runs on a runner with the tags of settings.ts; undefined where its tags were not read. */
function isFor({ tag_list, run_untagged }: Runner, { tags: asked }: Job): boolean | undefined {
  if (!Array.isArray(asked) || /[$]|!reference/.test(JSON.stringify(asked))) return;
  return asked.length === 0 ? run_untagged : asked.every(tag => tag_list.includes(String(tag)));
}

const gitlabReads = 'With a GITLAB_ACCESS_TOKEN (scope read_api) and GITLAB_PROJECT_ID, GitLab reads it.';

function judgeJob(job: Job, runner: Runner, { rules }: Builder): readonly Finding[] {
  const { tags, isRead } = job;
  const isHere = isFor(runner, job);
  if (typeof tags === 'string' && tags !== elsewhere && !tags.includes('$'))
    return [['failed', `its tags are the text "${tags}", not a list.`, `Write: tags: [${tags}]`]];
  if (isHere === undefined) return [['unknown', 'its tags are not in this file.', gitlabReads]];
  const asked = [tags].flat().join(', ') || 'no tag';
  if (!isHere) return [['warning', `it asks for ${asked}: another runner has to take it.`]];
  return isRead ? rules(job) : [...rules(job), ['unknown', 'not all of it is in this file.', gitlabReads]];
}

async function checkPipeline(runner: Runner, run: Run, note: Note): Promise<void> {
  if (runner.pipeline === '') return;
  const { source, isWhole, jobs } = await pipelineOf(runner, run);
  const builder = await builderOf(runner);
  const fine = jobs.filter(job => {
    const found = judgeJob(job, runner, builder);
    for (const [verdict, detail, remedy] of found)
      note(verdict, `${source}, job "${job.name}": ${detail}`, remedy);
    return found.length === 0;
  });
  const names = fine.map(({ name }) => `"${name}"`).join(', ');
  if (names) note('ok', `${source}, job ${names}: asks for what settings.ts says (images are not looked at)`);
  if (!isWhole) note('unknown', `${source}: included files were not read.`, gitlabReads);
  else if (jobs.length === 0) note('unknown', `${source}: no job was found in it.`);
}

const mount =
  /docker (container )?(run|create)\b[^\n;]*?\s(-v|--volume|--mount)[ =](\S*?(source|src)=)?["']?(\$\{?(PWD|CI_PROJECT_DIR|CI_BUILDS_DIR)|\$\(pwd\)|`pwd`|\.{1,2}[/:])/;
const sweep =
  /docker (system|container|volume|network) prune(?![^\n;&|]*label)|docker image prune\s(?=[^\n;&|]*(-\w*a|--all))(?![^\n;&|]*label)|docker (rm|rmi|stop|kill)\b[^\n;&|]*(\$\(|`)docker (ps|images|container ls|image ls)(?![^)`]*(-\w*f|--filter))/;
const dindBeside = "it starts a dind service, but has the host's socket: the two exclude each other.";
const mountsFolder = 'it mounts its folder into a container: the engine looks for that path on the host.';
const sweepsAll = "it removes what is of other jobs too: all share the host's engine.";

const socket: Builder = {
  rules({ services, host, script }) {
    const isOther = /DOCKER_HOST|docker (-H|--host|--context|-c|context use)\b/.test(script);
    // What comes after `ssh` may run elsewhere.
    const here = isOther || host !== '' ? '' : script.replace(/(^|[\s;&|(])ssh\s[\s\S]*$/, '');
    const isNobody = /^tcp:\/\/docker\b/.test(host) && /\bdocker\b/.test(script) && !isOther;
    const found: Finding[] = [];
    if (/dind/.test(services)) found.push(['failed', dindBeside, 'Take the service out.']);
    if (isNobody && !/docker|!reference/.test(services))
      found.push(['failed', 'no engine answers at its DOCKER_HOST.', 'Take DOCKER_HOST out.']);
    if (mount.test(here)) found.push(['warning', mountsFolder, 'Use docker cp.']);
    if (sweep.test(here)) found.push(['warning', sweepsAll, 'Name what goes.']);
    return found;
  },
  probe: `
    echo "client=$(docker version --format '{{.Client.APIVersion}}' 2>/tmp/refusal | tail -n 1)"
    for name in compose buildx; do docker $name version >/dev/null 2>&1 || echo "no-$name=1"; done
    [ -d /var/run/docker.sock ] && echo "refusal=it is a folder" || echo "refusal=$(tail -n 1 /tmp/refusal)"`,
  judge(inside) {
    const found = [judgeClient(inside)];
    for (const name of ['compose', 'buildx'].filter(one => inside.seen(`no-${one}`))) {
      const calls = new RegExp(`(?<!(apk|apt).*)docker[ -]${name}`, 's');
      const isHere = ({ image, script }: Job) => ['', inside.image].includes(image) && calls.test(script);
      const detail = `there is no "docker ${name}" in ${inside.image}, which a job calls.`;
      if (inside.jobs.some(isHere)) found.push(['warning', detail, useCli]);
    }
    return found;
  },
};

const useCli = 'Name an image that has it, such as docker:cli, in config/config.toml and .gitlab-ci.yml.';
const threeWays = `One of: a newer image, such as docker:cli, in config/config.toml and .gitlab-ci.yml;
Docker Engine 29.3 or later, which takes 1.40 again;
"min-api-version": "1.40" in /etc/docker/daemon.json (Engine 29), then: sudo systemctl restart docker`;
const noSocket = "Name the path of the engine's socket there and in docker-compose.yml: docker context ls";

/** What is wrong where docker fails for a job: whose fault it is, and what helps. */
const troubles: Meanings = [
  [/is too old/i, 'failed', 'is too old for the engine', threeWays],
  [/network \S+ not found/i, 'unknown', 'needs a network that is not there yet', 'Run: make up'],
  [/docker.*not found/i, 'warning', 'has no docker command', useCli],
  [/operation not permitted/i, 'failed', 'does not start', 'Take no-new-privileges out (Docker from snap).'],
  [/folder|does not exist/i, 'failed', 'finds no socket at the path in config.toml', noSocket],
  [/permission denied/i, 'failed', 'may not use the socket', 'Set security_opt: label:disable.'],
  [/./, 'failed', 'reaches no engine', 'See [runners.docker] in config/config.toml.'],
];

/** Whether the Docker client of the image of jobs, and the engine that they use, fit each other. */
export function judgeClient({ seen, image }: Pick<Inside, 'seen' | 'image'>): Finding {
  const [verdict, detail, remedy = ''] = explain(seen('refusal'), troubles) ?? [];
  if (verdict) return [verdict, `a job in ${image} ${detail}: ${seen('refusal')}`, remedy];
  if (seen('client')) return ['ok', `a job in ${image} speaks API ${seen('client')} with the engine`];
  return ['unknown', `docker in ${image} printed nothing.`];
}

/** The block of config/config.toml with that name. */
export function configOf({ description }: Runner): ReturnType<typeof readConfig>[number] {
  const block = readConfig().find(config => config('name')[0] === description);
  if (block) return block;
  throw new Error(`config/config.toml has no [[runners]] with the name "${description}".`);
}

/** Keys of [runners.docker] beside `volumes`, and the option of `docker run` where it has another name. */
const flags =
  'network_mode:network extra_hosts:add-host userns_mode:userns devices:device cap_add cap_drop security_opt dns dns_search user runtime memory cpus privileged';

/** The options of `docker run` for a container as a job has it. */
export function containerOptions(runner: Runner): string[] {
  const config = configOf(runner);
  return [
    ...config('environment').flatMap(variable => ['--env', variable]),
    ...flags.split(' ').flatMap(words => {
      const [key = '', flag = key.replace('_', '-')] = words.split(':');
      return config(key, 'runners.docker').map(value => `--${flag}=${value}`);
    }),
    // Unlike --volume, --mount makes no folder where the path is missing.
    ...config('volumes', 'runners.docker').map(volume => {
      const [, source, target, readOnly] = /^(\/[^:]*):([^:]+?)(:ro)?$/.exec(volume) ?? [];
      if (source === undefined) return `--volume=${volume}`;
      return `--mount=type=bind,source=${source},target=${target}${readOnly ? ',readonly' : ''}`;
    }),
  ];
}

const fetchGitLab = `
    get=$(command -v wget || echo busybox wget)
    echo "gitlab=$($get -T 8 -O /dev/null "$1/api/v4/version" 2>&1 | grep -iE 'HTTP|error|wget:|certificate|saved|100%' | tail -n 1)"`;

/** Starts one container as a job has it, and looks at the world from inside. */
async function checkJob(runner: Runner, run: Run, note: Note): Promise<void> {
  const gitlabUrl = host.gitlabUrl();
  const builder = await builderOf(runner);
  const config = configOf(runner);
  if (config('executor')[0] === 'docker-autoscaler') return note('unknown', 'it runs on an instance.');
  const [[image = ''], [cloneUrl = gitlabUrl]] = [config('image', 'runners.docker'), config('clone_url')];
  if (cloneUrl !== gitlabUrl)
    note('warning', `jobs clone from ${cloneUrl}, the clone_url of config/config.toml, not GITLAB_URL.`);
  const missing = await host.whyNoImage(run, image);
  if (missing) return note(...missing);
  // The runner pulls it with credentials of its own, and not with those of this host.
  const anonymous = { environment: { DOCKER_CONFIG: '/no-login' } };
  if (/^[^/]*[.:][^/]*\//.test(image) && !config('environment').join().includes('DOCKER_AUTH_CONFIG')) {
    const { stderr } = await run(['docker', 'manifest', 'inspect', image], anonymous);
    const needs = `${image} needs a login, which the runner has by DOCKER_AUTH_CONFIG alone.`;
    if (/denied|unauthorized/i.test(stderr)) note('warning', needs, 'See README.md.');
  }
  const options = [...containerOptions(runner), ...(builder.options ?? []), '--entrypoint', 'sh', image];
  const script = ['-c', `${fetchGitLab}${builder.probe}\n    exit 0`, 'probe', gitlabUrl];
  const reading = pipelineOf(runner, run).catch(() => undefined);
  const { status, stdout, stderr } = await run(['docker', 'run', '--rm', ...options, ...script]);
  if (status === 124) return note('unknown', `${image}: its container did not end in time.`);
  if (status !== 0) return note(...judgeClient({ seen: () => host.lastLine(stderr), image }));
  const seen = (key: string) => new RegExp(`^${key}=(.*)$`, 'm').exec(stdout)?.[1]?.trim() ?? '';
  const jobs = (await reading)?.jobs.filter(job => isFor(runner, job)) ?? [];
  for (const finding of await builder.judge({ seen, image, jobs, run })) note(...finding);
  const [verdict, detail, remedy] = explain(seen('gitlab'), answers)!;
  const said = verdict === 'ok' ? '' : ` (${seen('gitlab') || 'no answer'})`;
  note(verdict, `${gitlabUrl} ${detail}${said}`, remedy);
}

const unreached = 'See extra_hosts in config/config.toml, the firewall, and the MTU (README.md).';
/** What wget says of GitLab inside a job: without a token it is refused, which is answer enough. */
const answers: Meanings = [
  [/\b40[13]\b/, 'ok', 'answers a job'],
  [/certificate|x509|ssl/i, 'warning', 'shows jobs a certificate that their image does not trust.'],
  [/address|resolve|host|refused|timed out|route|\b5\d\d\b/i, 'failed', 'does not answer jobs.', unreached],
  [/^/, 'unknown', 'answers a job with what is not understood.'],
];

export const checks: Check[] = runners.flatMap(runner => {
  const of = runners.length > 1 ? ` of ${runner.description}` : '';
  return [
    { name: `pipeline${of}`, needs: ['compose'], run: (run, note) => checkPipeline(runner, run, note) },
    { name: `job${of}`, needs: ['engine'], run: (run, note) => checkJob(runner, run, note) },
  ];
});
