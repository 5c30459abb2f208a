// Says what would fail, before it does:  make doctor
//
//   scripts/run doctor [--json]
//
// One line a check, and what to do where it fails; ends with 1 if any check failed.

import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { parseArgs } from 'node:util';
import {
  type Engine,
  explainContainer,
  inRunner,
  lastLine,
  type RunnerConfig,
  readConfig,
  requireCompose,
  requireEngine,
  run,
  sayPatience,
} from './engine.ts';
import { type Environment, Failure, keepSecret, mask, readEnvironment, root } from './env.ts';
import { callGitLab, requireGitLab, verifyRunner } from './gitlab.ts';
import { executor, runner } from './settings.ts';

type Verdict = 'ok' | 'warning' | 'failed';

interface Finding {
  check: string;
  verdict: Verdict;
  detail: string;
  /** What to do; empty where all is well. */
  remedy: string;
}

const findings: Finding[] = [];

/** Notes what a check found. That all is well counts only where the same check found nothing else. */
function note(verdict: Verdict, check: string, detail: string, remedy = ''): void {
  if (verdict === 'ok' && findings.some(one => one.check === check && one.verdict !== 'ok')) return;
  findings.push({ check, verdict, detail: mask(detail), remedy: mask(remedy) });
}

/** Runs one check; a Failure in it is its finding. What it returns is undefined then. */
async function check<T>(name: string, body: () => Promise<T> | T): Promise<T | undefined> {
  try {
    return await body();
  } catch (error) {
    note('failed', name, (error as Error).message, error instanceof Failure ? error.remedy : '');
    return undefined;
  }
}

async function main(): Promise<void> {
  const { values: options } = parseArgs({ options: { json: { type: 'boolean' } } });
  const environment = await check('.env', checkEnvironment);
  const pipeline = await check('.gitlab-ci.yml', checkPipeline);
  if (environment) await check('GitLab', () => checkGitLab(environment));
  const engine = await check('engine', checkEngine);
  const compose = engine && (await check('compose', checkCompose));
  if (engine) await check('job container', () => checkJobContainer(engine, environment?.gitlabUrl ?? ''));
  if (engine && pipeline?.registry) await check('registry', () => checkRegistry(pipeline.registry));
  if (compose) {
    const config = await check('config.toml', checkConfig);
    if (config) {
      await check('token', () => checkTokens(config));
      await check('tags', () => checkTags(pipeline?.tags ?? [], environment, config));
    }
    await check('container', () => checkContainer(compose, config));
  }

  const failed = findings.some(({ verdict }) => verdict === 'failed');
  if (options.json) console.log(JSON.stringify({ ok: !failed, findings }, null, 2));
  else for (const finding of findings) print(finding);
  process.exitCode = failed ? 1 : 0;
}

function print({ check: name, verdict, detail, remedy }: Finding): void {
  const mark = { ok: 'ok     ', warning: 'warning', failed: 'FAILED ' }[verdict];
  console.log(`${mark}  ${name.padEnd(14)}  ${detail}`);
  if (remedy) console.log(remedy.replace(/^/gm, ' '.repeat(25)));
}

/** Tokens stay on this host: .env is closed to others, and not in git. */
function checkEnvironment(): Environment {
  const environment = readEnvironment();
  const { hostname } = new URL(environment.gitlabUrl);
  if (/^(localhost|127\..*|\[::1\])$/.test(hostname)) {
    note(
      'failed',
      '.env',
      `GITLAB_URL is ${environment.gitlabUrl}: inside a container that is the container itself.`,
      'Use a name or an address of this host that containers can reach.',
    );
  }
  if (existsSync(new URL('.env', root))) {
    if (isInGit('.env')) {
      note(
        'failed',
        '.env',
        'it is in git, with the tokens it holds.',
        'Take it out, and make new tokens: git rm --cached .env',
      );
    }
    note('ok', '.env', `mode 0${(statSync(new URL('.env', root)).mode & 0o777).toString(8)}, not in git`);
  } else {
    note('ok', '.env', 'not there; the values come from the environment');
  }
  return environment;
}

function isInGit(path: string): boolean {
  // Without a repository, or without git, the file is in neither.
  const options = ['-c', 'safe.directory=*', 'ls-files', '--error-unmatch', path];
  try {
    execFileSync('git', options, { cwd: root, stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** What the pipeline of this repository asks of the runner. */
function checkPipeline(): { tags: string[]; registry: string } | undefined {
  const name = '.gitlab-ci.yml';
  const file = new URL(name, root);
  if (!existsSync(file)) return undefined;
  const lines = readFileSync(file, 'utf8')
    .split('\n')
    .filter(line => !/^\s*#/.test(line));
  const text = lines.join('\n');
  if (/docker:[\w.-]*dind|name:\s*\S*dind/.test(text)) {
    note(
      'failed',
      name,
      "it starts a dind service, but jobs have the host's Docker socket: the two exclude each other.",
      'Take the service out: docker talks to the host already.',
    );
  }
  if (/DOCKER_HOST:|tcp:\/\/docker:237[56]/.test(text)) {
    note(
      'failed',
      name,
      'it sets DOCKER_HOST, but there is no daemon at that address: jobs have the Docker socket of the host.',
      'Take DOCKER_HOST, DOCKER_TLS_CERTDIR and their like out.',
    );
  }
  const folder = String.raw`(\$\{?PWD|\$\{?CI_PROJECT_DIR|\$\(pwd\)|\.\/)`;
  if (new RegExp(String.raw`docker (run|create)\b.*(-v|--volume|--mount)[ =]\S*${folder}`).test(text)) {
    note(
      'warning',
      name,
      'it mounts a folder of the job with docker run: the engine looks for that path on the host, where it is not.',
      'Copy files in with docker build or docker cp, or mount a named volume.',
    );
  }
  note('ok', name, 'builds with the engine of the host');
  return { tags: readTags(lines), registry: /^ {2}REGISTRY: *["']?([^$\s"']+)/m.exec(text)?.[1] ?? '' };
}

/** All tags that jobs ask for, from `tags: [a, b]` and from lists with one tag a line. */
export function readTags(lines: string[]): string[] {
  const tags = new Set<string>();
  const unquote = (text: string) =>
    text.startsWith('"') ? (JSON.parse(text) as string) : text.replace(/^'(.*)'$/, '$1');
  for (const [number, line] of lines.entries()) {
    const [found, indent = '', inline = ''] = /^(\s*)tags:\s*(.*)$/.exec(line) ?? [];
    if (found === undefined) continue;
    const items = inline.replace(/^\[|\]\s*$/g, '').matchAll(/"(?:[^"\\]|\\.)*"|'[^']*'|[^,\s][^,]*/g);
    for (const [item] of items) tags.add(unquote(item.trim()));
    for (const following of lines.slice(number + 1)) {
      const item = new RegExp(`^${indent}\\s*- +(.+?)\\s*$`).exec(following)?.[1];
      if (item === undefined) break;
      tags.add(unquote(item));
    }
  }
  return [...tags];
}

async function checkGitLab({ gitlabUrl }: Environment): Promise<void> {
  await requireGitLab(gitlabUrl);
  note('ok', 'GitLab', `${gitlabUrl} answers this host`);
}

async function checkEngine(): Promise<Engine> {
  const engine = await requireEngine();
  note(
    'ok',
    'engine',
    `Docker Engine ${engine.version}, API ${engine.minApiVersion} to ${engine.apiVersion}`,
  );
  return engine;
}

async function checkCompose(): Promise<string[]> {
  const compose = await requireCompose();
  const { stdout } = await run([...compose, 'version', '--short']);
  note('ok', 'compose', `${compose.join(' ')} ${stdout.trim()}`);
  return compose;
}

/** What a job container finds, one `key=value` a line. */
const probe = `
  docker version --format '{{.Client.APIVersion}}' >/tmp/client 2>/tmp/refusal
  echo "client=$(tail -n 1 /tmp/client)"
  echo "refusal=$(tail -n 1 /tmp/refusal)"
  df -Pk / | awk 'NR == 2 { print "free=" $4 }'
  echo "mtu=$(cat /sys/class/net/eth0/mtu)"
  fetch=$(command -v wget || echo busybox wget)
  [ -z "$1" ] || echo "gitlab=$($fetch -T 10 -O /dev/null "$1/api/v4/version" 2>&1 | tail -n 1)"
  exit 0`;

/** Starts one container as a job would have it, and looks at the world from inside. */
async function checkJobContainer(engine: Engine, gitlabUrl: string): Promise<void> {
  const { image, volumes } = executor;
  sayPatience('Starting a container as a job has it');
  const mounts = volumes.flatMap(volume => ['--volume', volume]);
  const container = ['docker', 'run', '--rm', ...mounts, '--entrypoint', 'sh', image];
  const { status, stdout, stderr } = await run([...container, '-c', probe, 'probe', gitlabUrl]);
  if (status !== 0) {
    throw new Failure(
      `a container of ${image} does not start: ${explainContainer(stderr)}`,
      `Try it: docker run --rm ${image} true`,
    );
  }
  const seen = (key: string) => new RegExp(`^${key}=(.*)$`, 'm').exec(stdout)?.[1]?.trim() ?? '';
  checkClient(engine, image, seen('client'), seen('refusal'));
  checkDisk(Number.parseInt(seen('free'), 10) / 1024 / 1024);
  checkMtu(Number(seen('mtu')));
  if (gitlabUrl) checkGitLabInside(gitlabUrl, seen('gitlab'));
}

/** Whether the Docker client of the job image and the engine have an API version in common. */
function checkClient(engine: Engine, image: string, client: string, refusal: string): void {
  const name = 'docker client';
  const tooOld = /client version (\S+) is too old/i.exec(refusal)?.[1];
  if (tooOld) {
    note(
      'failed',
      name,
      `${image} speaks API ${tooOld}; this engine (${engine.version}) takes ${engine.minApiVersion} and newer, so every docker command of a job fails.`,
      'One of: a newer image, such as docker:cli, in scripts/settings.ts, .gitlab-ci.yml and config/config.toml;\n' +
        'Docker Engine 29.3 or later, which takes 1.40 again;\n' +
        '"min-api-version": "1.40" in /etc/docker/daemon.json (Engine 29), then: sudo systemctl restart docker',
    );
  } else if (/client version (\S+) is too new/i.test(refusal)) {
    note(
      'failed',
      name,
      `${image} is too new for this engine (${engine.version}, API up to ${engine.apiVersion}).`,
      'Upgrade Docker Engine, or name an older image, such as docker:stable.',
    );
  } else if (/permission denied/i.test(refusal)) {
    note(
      'failed',
      name,
      'a job container may not use the Docker socket, though this host may: SELinux, or a rootless engine.',
      'With SELinux add security_opt = ["label:disable"] to [runners.docker] in config/config.toml;\n' +
        'with a rootless engine put the path of its socket into docker-compose.yml, scripts/settings.ts and config.toml.',
    );
  } else if (/docker.*not found/i.test(refusal)) {
    note(
      'failed',
      name,
      `there is no docker command in ${image}.`,
      'Name an image that has one, such as docker:cli, in scripts/settings.ts.',
    );
  } else if (refusal !== '' || client === '') {
    note(
      'failed',
      name,
      `no engine answers inside a job container: ${refusal || 'docker printed nothing'}`,
      'Check executor.volumes in scripts/settings.ts: /var/run/docker.sock must be mounted.',
    );
  } else {
    note('ok', name, `${image} speaks API ${client} with the engine of the host`);
  }
}

/** @param free GiB that are free where the engine keeps images */
function checkDisk(free: number): void {
  const detail = `${free.toFixed(1)} GiB free for images and build cache`;
  if (Number.isNaN(free)) note('warning', 'disk', 'the free space could not be read.', 'See: df -h');
  else if (free < 2) note('failed', 'disk', `only ${detail}.`, 'Free some: make prune');
  else if (free < 10) note('warning', 'disk', `only ${detail}.`, 'Free some soon: make prune');
  else note('ok', 'disk', detail);
}

/** Containers must not send larger packets than the host's own network takes. */
function checkMtu(container: number): void {
  let host: number;
  try {
    const routes = readFileSync('/proc/net/route', 'utf8').split('\n');
    const [device] = routes.find(line => line.split('\t')[1] === '00000000')?.split('\t') ?? [];
    host = Number(readFileSync(`/sys/class/net/${device}/mtu`, 'utf8'));
  } catch {
    return; // No Linux, or no default route: nothing to compare with.
  }
  if (container > host) {
    note(
      'warning',
      'MTU',
      `containers use ${container}, but the network of this host takes ${host}: downloads in jobs may hang.`,
      `Add "mtu": ${host} to /etc/docker/daemon.json, then: sudo systemctl restart docker`,
    );
  } else {
    note('ok', 'MTU', `${container || 'unknown'} in containers, ${host} on this host`);
  }
}

/** @param answer the last line of wget; GitLab refuses the call without a token, which is answer enough */
function checkGitLabInside(gitlabUrl: string, answer: string): void {
  const name = 'GitLab (job)';
  if (/bad address|resolve|unknown host/i.test(answer)) {
    note(
      'failed',
      name,
      `job containers do not know the name of ${gitlabUrl}.`,
      'Use a name that DNS knows, or add extra_hosts = ["name:address"] to [runners.docker] in config/config.toml.',
    );
  } else if (/refused|timed out|unreachable|no route/i.test(answer)) {
    note(
      'failed',
      name,
      `job containers cannot reach ${gitlabUrl}: ${answer}`,
      'Check the firewall between the bridge of Docker and GitLab; localhost is the container itself.',
    );
  } else if (/HTTP\/|\b(200|401|403)\b|saved|100%/.test(answer)) {
    note('ok', name, `${gitlabUrl} answers inside a job container`);
  } else {
    note(
      'warning',
      name,
      `could not tell whether job containers reach ${gitlabUrl}: ${answer || 'no answer'}`,
      `Try it: docker run --rm ${executor.image} wget -O - ${gitlabUrl}/api/v4/version`,
    );
  }
}

/** Asks the engine itself, which does the pushing, to look for an image that is not there. */
async function checkRegistry(registry: string): Promise<void> {
  const { stderr } = await run(['docker', 'pull', `${registry}/doctor/no-such-image:none`]);
  if (/x509|certificate/i.test(stderr)) {
    throw new Failure(
      `the engine does not trust the certificate of ${registry}.`,
      `Put the certificate of its authority on this host: /etc/docker/certs.d/${registry}/ca.crt`,
    );
  }
  if (/server gave HTTP response to HTTPS client/i.test(stderr)) {
    throw new Failure(
      `${registry} speaks plain HTTP.`,
      `Give it a certificate, or add "insecure-registries": ["${registry}"] to /etc/docker/daemon.json`,
    );
  }
  if (/no such host|refused|timeout|unreachable|no route|server misbehaving/i.test(stderr)) {
    throw new Failure(
      `the engine cannot reach ${registry}: ${lastLine(stderr)}`,
      'Check its address in .gitlab-ci.yml, and the network.',
    );
  }
  note('ok', 'registry', `${registry} answers the engine`);
}

async function checkConfig(): Promise<RunnerConfig | undefined> {
  const name = 'config.toml';
  const config = await readConfig();
  if (!config || config.runners.length === 0) {
    note('warning', name, 'no runner is registered yet.', 'Run: make register');
    return undefined;
  }
  for (const { token } of config.runners) keepSecret(token);
  if (config.mode !== '600') {
    const detail = `it holds a token, and its mode is 0${config.mode}.`;
    note('failed', name, detail, 'Run: sudo chmod 600 config/config.toml');
  }
  // Images before 19.3 have no `lint`.
  const lint = await run(await inRunner(['lint']));
  const output = lint.stderr + lint.stdout;
  if (lint.status !== 0 && !/command lint not found|no help topic/i.test(output)) {
    const faults = output.split('\n').filter(line => /FATAL|unknown key|toml:/.test(line));
    note(
      'failed',
      name,
      `gitlab-runner lint: ${mask(faults.join(' ').replace(/\s+/g, ' ')) || lastLine(output)}`,
      'Correct it: sudoedit config/config.toml',
    );
  }
  const tokens = config.runners.map(({ token }) => token);
  if (new Set(tokens).size < tokens.length) {
    note(
      'failed',
      name,
      'one runner is in it twice.',
      'Delete one of the two [[runners]] with the same token.',
    );
  }
  for (const { name: description, executor: kind, volumes } of config.runners) {
    if (kind !== 'docker') {
      note(
        'warning',
        name,
        `"${description}" uses the executor ${kind}.`,
        'This repository is made for the executor docker.',
      );
    } else if (!volumes.some(volume => volume.split(':')[1] === '/var/run/docker.sock')) {
      note(
        'failed',
        name,
        `"${description}" does not mount the Docker socket in job containers; the mount in docker-compose.yml serves the runner only.`,
        'Add "/var/run/docker.sock:/var/run/docker.sock" to volumes in [runners.docker].',
      );
    }
  }
  const count = config.runners.length === 1 ? 'one runner' : `${config.runners.length} runners`;
  note('ok', name, `${count}, mode 0${config.mode}`);
  return config;
}

async function checkTokens({ runners }: RunnerConfig): Promise<void> {
  for (const { name, id, url, token, tokenExpiresAt } of runners) {
    if (!URL.canParse(url)) {
      const detail = `the url of "${name}" is no address: ${url || '(empty)'}`;
      note('failed', 'token', detail, 'Correct it: sudoedit config/config.toml');
      continue;
    }
    const verified = await verifyRunner(url.replace(/\/+$/, ''), token);
    const expiry = Date.parse(verified?.expiresAt || tokenExpiresAt);
    const days = Math.floor((expiry - Date.now()) / 86_400_000);
    if (!verified) {
      note(
        'failed',
        'token',
        `${url} does not accept the token of "${name}" (#${id}).`,
        'Run "make unregister", then "make register" with a new token.',
      );
    } else if (expiry > 0 && days < 14) {
      note(
        'warning',
        'token',
        `the token of "${name}" expires in ${days} days.`,
        'A running runner renews it by itself; see that it runs: make status',
      );
    }
  }
  note('ok', 'token', `GitLab accepts ${runners.map(({ name, id }) => `"${name}" (#${id})`).join(', ')}`);
}

/** Every tag that a job asks for must be one of the runner's. */
async function checkTags(
  asked: string[],
  environment: Environment | undefined,
  { runners }: RunnerConfig,
): Promise<void> {
  let { tags, runUntagged } = runner;
  let source = 'scripts/settings.ts';
  const [first] = runners;
  if (environment?.accessToken && first) {
    const path = `/runners/${first.id}`;
    const { status, body } = await callGitLab(environment.gitlabUrl, 'GET', path, {
      token: environment.accessToken,
    });
    if (status === 200 && Array.isArray(body.tag_list)) {
      tags = body.tag_list.map(String);
      runUntagged = body.run_untagged === true;
      source = 'GitLab';
      if (body.paused === true) {
        note(
          'failed',
          'tags',
          'the runner is paused in GitLab: it takes no jobs.',
          'Settings > CI/CD > Runners: resume it.',
        );
      }
      if (body.access_level === 'ref_protected') {
        note(
          'warning',
          'tags',
          'the runner takes jobs of protected branches and tags only; others stay stuck.',
          'Untick "Protected" in Settings > CI/CD > Runners, if that is not what you want.',
        );
      }
    }
  }
  const missing = asked.filter(tag => !tags.includes(tag));
  if (missing.length > 0) {
    note(
      'failed',
      'tags',
      `.gitlab-ci.yml asks for ${missing.join(', ')}, which the runner does not have (says ${source}): such jobs stay stuck.`,
      'Add the tags to the runner in GitLab (and in scripts/settings.ts), or change .gitlab-ci.yml.',
    );
  } else if (asked.length === 0 && !runUntagged) {
    note(
      'failed',
      'tags',
      `.gitlab-ci.yml asks for no tags, and the runner takes only jobs with tags (says ${source}).`,
      'Add tags to .gitlab-ci.yml, or let the runner take untagged jobs.',
    );
  } else {
    const detail = `the runner has what .gitlab-ci.yml asks for (${asked.join(', ') || 'no tags'}), says ${source}`;
    note('ok', 'tags', detail);
  }
}

/** Whether the runner's container runs, and has read the same config.toml. */
async function checkContainer(compose: string[], config: RunnerConfig | undefined): Promise<void> {
  const { stdout } = await run([...compose, 'ps', '-q', 'runner']);
  const id = stdout.trim();
  if (id === '') {
    if (config) note('warning', 'container', 'the runner is not running.', 'Run: make up');
    return;
  }
  const health = '{{if .State.Health}}{{.State.Health.Status}}{{end}}';
  const format = `{{.State.Status}} {{.RestartCount}} {{.State.StartedAt}} ${health}`;
  const inspected = await run(['docker', 'inspect', '--format', format, id]);
  const [state = '', restarts = '0', startedAt = '', condition = ''] = inspected.stdout.trim().split(' ');
  const isNew = Date.now() - Date.parse(startedAt) < 60_000;
  if (state !== 'running' || (restarts !== '0' && isNew)) {
    const detail = `the runner's container does not stay up: it is ${state}, after ${restarts} restarts.`;
    throw new Failure(detail, 'See why: make logs');
  }
  if (!config) {
    throw new Failure(
      'the runner runs, but has nothing to do: no runner is registered.',
      'Run: make register',
    );
  }
  const count = ['sh', '-c', 'grep -c "^ *\\[\\[runners\\]\\]" /etc/gitlab-runner/config.toml || true'];
  const inside = await run(['docker', 'exec', id, ...count]);
  if (Number(inside.stdout.trim()) !== config.runners.length) {
    throw new Failure(
      'the running container reads another config.toml than the one in config/.',
      'Start it from here: make up',
    );
  }
  if (condition === 'unhealthy') {
    throw new Failure('the runner is unhealthy: GitLab does not know its token.', 'Run: make verify');
  }
  note('ok', 'container', `running${condition ? `, ${condition}` : ''}`);
}

await main();
