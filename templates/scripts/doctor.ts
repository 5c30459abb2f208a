// Says what would fail, before it does:  make doctor
//
//   scripts/run doctor [--json]
//
// One line a check, and what to do where it fails; ends with 1 if any check failed.

import { execFileSync } from 'node:child_process';
<% if (privateCa) { -%>
import { X509Certificate } from 'node:crypto';
<% } -%>
import { existsSync, readFileSync, statSync } from 'node:fs';
import { parseArgs } from 'node:util';
<% if (builders.length > 1) { -%>
<% for (const { name, variable } of modules) { -%>
import * as <%- variable %> from './<%- name %>.ts';
<% } -%>
<% } else { -%>
import * as builder from './<%- builders[0] %>.ts';
<% } -%>
<% if (cache) { -%>
import { cacheKeys, checkCache, signedAddresses } from './cache.ts';
<% } -%>
import { bringInLine, jobNetwork, jobSetting, type RunnerConfig, readConfig, settingsOf } from './config.ts';
import {
  type Engine,
  explainContainer,
  inRunner,
  lastLine,
  requireCompose,
  requireEngine,
  run,
  sayPatience,
  versionIn,
} from './engine.ts';
import { type Environment, Failure, keepSecret, mask, readEnvironment, root } from './env.ts';
import {
  callGitLab,
  gitlabVersion,
  requireGitLab,
  runnerChanges,
<% if (privateCa) { -%>
  trustedCertificates,
<% } -%>
  verifyRunner,
  versionGap,
} from './gitlab.ts';
import { type Runner, runners } from './settings.ts';

<% if (builders.length > 1) { -%>
const builders = { <%- modules.map(({ name, variable }) => (name === variable ? name : `'${name}': ${variable}`)).join(', ') %> };

<% } -%>
type Verdict = 'ok' | 'warning' | 'failed';

interface Finding {
  check: string;
  verdict: Verdict;
  detail: string;
  /** What to do; empty where all is well. */
  remedy: string;
}

const findings: Finding[] = [];

/** What the checks of the way to build images note their findings with. */
export type Note = (verdict: Verdict, check: string, detail: string, remedy?: string) => void;

/** What a job container found, by the names of the probe, and what it has to fit. */
export interface Inside {
  seen: (key: string) => string;
  engine: Engine;
  image: string;
  /** The text of the pipeline. */
  pipeline: string;
}

/** Notes what a check found. That all is well counts only where the same check found nothing else. */
const note: Note = (verdict, check, detail, remedy = '') => {
  if (verdict === 'ok' && findings.some(one => one.check === check && one.verdict !== 'ok')) return;
  findings.push({ check, verdict, detail: mask(detail), remedy: mask(remedy) });
};

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
  const pipelines = new Map<Runner, Pipeline>();
  for (const runner of runners) {
    const pipeline = await check(runner.pipeline, () => checkPipeline(runner));
    if (pipeline) pipelines.set(runner, pipeline);
  }
<% if (privateCa) { -%>
  const authority = await check('private CA', checkAuthority);
<% } -%>
  if (environment) await check('GitLab', () => checkGitLab(environment));
  const engine = await check('engine', checkEngine);
  const compose = engine && (await check('compose', checkCompose));
<% if (privateCa) { -%>
  // Where its certificate is missing, a mount would make a folder in its place.
  for (const runner of engine && authority ? runners : []) {
<% } else { -%>
  for (const runner of engine ? runners : []) {
<% } -%>
    const text = pipelines.get(runner)?.text ?? '';
    await check('job container', () => checkJobContainer(runner, engine as Engine, environment, text));
  }
<% if (platforms.length > 0) { -%>
  if (engine) await check('platforms', checkPlatforms);
<% } -%>
<% if (mirror?.isForHost) { -%>
  if (engine) await check('mirror', checkMirror);
<% } -%>
<% if (usesHostEngine) { -%>
  const registries = new Set([...pipelines.values()].map(({ registry }) => registry).filter(Boolean));
  for (const registry of engine ? registries : []) await check('registry', () => checkRegistry(registry));
<% } -%>
  if (compose) {
    await check('services', () => checkServices(compose));
    const config = await check('config.toml', () => checkConfig(<%- cache ? 'environment' : '' %>));
    if (config) {
      await check('token', () => checkTokens(config));
      for (const [runner, { tags }] of pipelines) {
        await check('tags', () => checkTags(runner, tags, environment, config));
      }
    }
    await check('container', () => checkContainer(compose, config, environment));
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

interface Pipeline {
  /** Without its comments. */
  text: string;
  tags: string[];
  registry: string;
}

/** What the pipeline that uses a runner asks of it. */
function checkPipeline(runner: Runner): Pipeline | undefined {
  const name = runner.pipeline;
  const file = new URL(name, root);
  if (name === '' || !existsSync(file)) return undefined;
<% if (builders.length > 1) { -%>
  const builder = builders[runner.builder];
<% } -%>
  const lines = readFileSync(file, 'utf8')
    .split('\n')
    .filter(line => !/^\s*#/.test(line));
  const text = lines.join('\n');
  builder.checkPipeline(text, name, note);
<% if (namesImages) { -%>
  checkImages(runner, `${text}\n`);
<% } -%>
  note('ok', name, builder.how);
  const registry = /^ {2}REGISTRY: *["']?([^$\s"']+)/m.exec(text)?.[1] ?? '';
  return { text, tags: readTags(lines), registry };
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

<% if (namesImages) { -%>
/** Whether the runner may start the images that jobs and their services name. */
function checkImages(runner: Runner, text: string): void {
  const images = [...text.matchAll(/^ *image: *(?:\n *name: *)?(\S+) *$/gm)].map(([, image = '']) => image);
  // A list on one line, or items that are a name, or begin with one.
  const services = [...text.matchAll(/^( *)services: *(.*)\n((?:\1(?: |- ).*\n)*)/gm)].flatMap(
    ([, , inline = '', block = '']) => {
      const item = new RegExp(`^${/^ */.exec(block)?.[0]}- +(?:name: *)?(\\S+) *$`, 'gm');
      const items = [...block.matchAll(item)].map(([, name = '']) => name);
      return [...inline.replace(/^\[|\]$/g, '').split(','), ...items];
    },
  );
  for (const [key, named] of Object.entries({ allowed_images: images, allowed_services: services })) {
    const allowed = jobSetting(runner, 'runners.docker', key).map(asExpression);
    for (const image of new Set(named.map(name => name.trim().replace(/^["']|["']$/g, '')))) {
      // What is in a variable, only a job knows. The runner's own image is always allowed.
      const isOpen = image === '' || image.includes('$') || (key === 'allowed_images' && image === runner.image);
      if (isOpen || allowed.length === 0 || allowed.some(pattern => pattern.test(image))) continue;
      note(
        'failed',
        runner.pipeline,
        `it asks for ${image}, which is not among ${key} of config/${runner.template}: such jobs fail.`,
        `Add "${image}" to ${key} there; then: make apply`,
      );
    }
  }
}

/** A pattern of GitLab Runner as an expression: * ends at a slash, and ** does not. */
function asExpression(pattern: string): RegExp {
  const meaning: Record<string, string> = { '**': '.*', '*': '[^/]*', '?': '[^/]', '{': '(?:', ',': '|', '}': ')' };
  return new RegExp(`^${pattern.replace(/\\.|\*\*|[*?{},]|[.+^$()|]/g, part => meaning[part] ?? `\\${part.at(-1)}`)}$`);
}

<% } -%>
<% if (privateCa) { -%>
/** The certificate of the private authority is there, and not about to expire. */
function checkAuthority(): X509Certificate {
  const certificate = new X509Certificate(trustedCertificates().at(-1) ?? '');
  const days = Math.floor((Date.parse(certificate.validTo) - Date.now()) / 86_400_000);
  const remedy = 'Put the new one into config/certs/ca.crt; then: make restart';
  const name = certificate.subject.replaceAll('\n', ', ');
  if (days < 0) throw new Failure(`the certificate of ${name} expired on ${certificate.validTo}.`, remedy);
  if (days < 30) note('warning', 'private CA', `the certificate of ${name} expires in ${days} days.`, remedy);
  note('ok', 'private CA', `${name}, valid for ${days} days`);
  return certificate;
}

<% } -%>
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
<% if (builders.includes('buildkit')) { -%>
  if (compose[0] === 'docker-compose') {
    throw new Failure(
      `Compose ${stdout.trim()} does not know the security option systempaths=unconfined, without which BuildKit does not start.`,
      'Install Compose 2, for example: sudo apt-get install docker-compose-plugin',
    );
  }
<% } -%>
  note('ok', 'compose', `${compose.join(' ')} ${stdout.trim()}`);
  return compose;
}

/** What a job container finds, one `key=value` a line. */
const probe = (ofBuilder: string): string => `
  df -Pk / | awk 'NR == 2 { print "free=" $4 }'
  echo "mtu=$(cat /sys/class/net/eth0/mtu)"
  fetch=$(command -v wget || echo busybox wget)
  [ -z "$1" ] || echo "gitlab=$($fetch -T 10 -O /dev/null "$1/api/v4/version" 2>&1 | tail -n 1)"
<% if (cache) { -%>
  for address in $CACHE_ADDRESSES; do echo "cache=$($fetch -T 10 -O /dev/null "$address" 2>&1 | grep . | tail -n 1)"; done
<% } -%>
  ${ofBuilder}
  exit 0`;

/** Starts one container as a job would have it, and looks at the world from inside. */
async function checkJobContainer(
  runner: Runner,
  engine: Engine,
  environment: Environment | undefined,
  pipeline: string,
): Promise<void> {
  const gitlabUrl = environment?.gitlabUrl ?? '';
  const { description, image, volumes } = runner;
<% if (builders.length > 1) { -%>
  const builder = builders[runner.builder];
<% } -%>
  const isFirst = runner === runners[0];
  /** Says which runner it is, where there are several. */
  const noteIts: Note = (verdict, name, detail, remedy) =>
    note(verdict, name, runners.length > 1 ? `"${description}": ${detail}` : detail, remedy);
  sayPatience('Starting a container as a job has it');
  const network = jobNetwork(runner);
  const isUp = !network || (await run(['docker', 'network', 'inspect', network])).status === 0;
  const mounts = volumes.flatMap(volume => ['--volume', volume]);
  const options = [...builder.options, ...mounts, ...(network ? ['--network', network] : [])];
  const world = [
    ...jobSetting(runner, 'runners', 'environment').flatMap(variable => ['--env', variable]),
    ...jobSetting(runner, 'runners.docker', 'extra_hosts').flatMap(host => ['--add-host', host]),
    ...['cap_add', 'cap_drop', 'cpus', 'memory', 'memory_swap', 'security_opt'].flatMap(key =>
      jobSetting(runner, 'runners.docker', key).map(value => `--${key.replaceAll('_', '-')}=${value}`),
    ),
  ];
<% if (cache) { -%>
  // Good for a minute; like tokens they are no arguments.
  const secrets = { CACHE_ADDRESSES: environment && isUp ? signedAddresses(environment).join(' ') : '' };
  world.push('--env', 'CACHE_ADDRESSES');
<% } -%>
  const container = ['docker', 'run', '--rm', ...world, ...(isUp ? options : []), '--entrypoint', 'sh', image];
  const { status, stdout, stderr } = await run([...container, '-c', probe(builder.probe), 'probe', gitlabUrl]<%- cache ? ', secrets' : '' %>);
  if (status !== 0) {
    throw new Failure(
      `a container of ${image} does not start: ${explainContainer(stderr)}`,
      `Try it: docker run --rm ${image} true`,
    );
  }
  const seen = (key: string) => new RegExp(`^${key}=(.*)$`, 'm').exec(stdout)?.[1]?.trim() ?? '';
  if (isUp) await builder.checkInside({ seen, engine, image, pipeline }, noteIts);
  else noteIts('warning', 'builder', 'what jobs build with does not run yet.', 'Run: make up; then make doctor again');
  if (isFirst) {
    checkDisk(Number.parseInt(seen('free'), 10) / 1024 / 1024);
    checkMtu(Number(seen('mtu')));
  }
  if (gitlabUrl) checkGitLabInside(runner, gitlabUrl, seen('gitlab'), noteIts);
<% if (cache) { -%>
  const answers = [...stdout.matchAll(/^cache=(.*)$/gm)].map(([, answer = '']) => answer);
  if (environment && isUp) checkCache(answers, environment, noteIts);
<% } -%>
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
function checkGitLabInside(
  { image, template }: Runner,
  gitlabUrl: string,
  answer: string,
  noteIts: Note,
): void {
  const name = 'GitLab (job)';
  if (/bad address|resolve|unknown host/i.test(answer)) {
    noteIts(
      'failed',
      name,
      `job containers do not know the name of ${gitlabUrl}.`,
      `Use a name that DNS knows, or add extra_hosts = ["name:address"] to config/${template}; then: make apply`,
    );
  } else if (/refused|timed out|unreachable|no route/i.test(answer)) {
    noteIts(
      'failed',
      name,
      `job containers cannot reach ${gitlabUrl}: ${answer}`,
      'Check the firewall between the bridge of Docker and GitLab; localhost is the container itself.',
    );
  } else if (/HTTP\/|\b(200|401|403)\b|saved|100%/.test(answer)) {
    noteIts('ok', name, `${gitlabUrl} answers inside a job container`);
  } else {
    noteIts(
      'warning',
      name,
      `could not tell whether job containers reach ${gitlabUrl}: ${answer || 'no answer'}`,
      `Try it: docker run --rm ${image} wget -O - ${gitlabUrl}/api/v4/version`,
    );
  }
}

<% if (usesHostEngine) { -%>
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

<% } -%>
<% if (platforms.length > 0) { -%>
/** Whether the kernel can run programs of each platform that images are built for. */
async function checkPlatforms(): Promise<void> {
<% if (usesHostEngine && platforms.length > 1) { -%>
  const { stdout: store } = await run(['docker', 'info', '--format', '{{json .DriverStatus}}']);
  if (!store.includes('io.containerd.snapshotter')) {
    note(
      'failed',
      'platforms',
      'the engine of this host keeps images in its old store, where one has one platform only.',
      'Add "features": { "containerd-snapshotter": true } to /etc/docker/daemon.json, then: sudo systemctl restart docker\n' +
        '(images that it has now are not shown then; they are pulled or built again)',
    );
  }
<% } -%>
  sayPatience('Asking the kernel for emulators');
  const { status, stdout, stderr } = await run(['docker', 'run', '--rm', '--privileged', 'tonistiigi/binfmt']);
  if (status !== 0) {
    note('warning', 'platforms', `could not be found out: ${explainContainer(stderr)}`, 'Run: make binfmt');
    return;
  }
  const wanted = <%- typescript(platforms) %>;
  const missing = wanted.filter(platform => !stdout.includes(`"${platform}"`));
  if (missing.length > 0) {
    throw new Failure(`this host cannot run programs of ${missing.join(', ')}, so no image is built for it.`, 'Run: make binfmt');
  }
  note('ok', 'platforms', wanted.join(', '));
}

<% } -%>
<% if (mirror?.isForHost) { -%>
/** Whether the engine of this host asks the mirror before it asks Docker Hub. */
async function checkMirror(): Promise<void> {
  const { stdout } = await run(['docker', 'info', '--format', '{{json .RegistryConfig.Mirrors}}']);
  const address = 'http://127.0.0.1:5000';
  if (stdout.includes(address)) note('ok', 'mirror', `the engine asks ${address} first`);
  else {
    const remedy = `Add "registry-mirrors": ["${address}"] to /etc/docker/daemon.json, then: sudo systemctl restart docker`;
    note('warning', 'mirror', 'the engine of this host does not know the mirror.', remedy);
  }
}

<% } -%>
<% if (cache) { -%>
async function checkConfig(environment: Environment | undefined): Promise<RunnerConfig | undefined> {
<% } else { -%>
async function checkConfig(): Promise<RunnerConfig | undefined> {
<% } -%>
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
  for (const runner of runners) {
    if (config.runners.some(({ name: description }) => settingsOf(description) === runner)) continue;
    const remedy = `Run: make register RUNNER='${runner.description}'`;
    note('warning', name, `"${runner.description}" is not registered yet.`, remedy);
  }
  for (const { name: description, executor: kind } of config.runners) {
    if (!settingsOf(description)) {
      const detail = `settings.ts describes no runner "${description}", so "make apply" leaves it alone.`;
      note('warning', name, detail, `Add it there, or: make unregister RUNNER='${description}'`);
    }
    if (kind !== 'docker') {
      note(
        'warning',
        name,
        `"${description}" uses the executor ${kind}.`,
        'This repository is made for the executor docker.',
      );
    }
  }
<% if (cache) { -%>
  const { changes } = bringInLine(config.text, environment && cacheKeys(environment));
<% } else { -%>
  const { changes } = bringInLine(config.text);
<% } -%>
  for (const { runner: description, key, from, to } of changes) {
    const isVital = /^(image|volumes|network_mode|security_opt|.*privileged.*)$/.test(key);
    note(
      isVital ? 'failed' : 'warning',
      name,
      `${key}${description === '' ? '' : ` of "${description}"`} is ${from || 'not there'}; settings.ts and ${settingsOf(description)?.template ?? 'the templates'} want ${to || 'it gone'}.`,
      'Bring it in line: make apply (ARGS=--dry-run shows all of it)',
    );
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
    const verified = await verifyRunner(url, token);
    const expiry = Date.parse(verified?.expiresAt || tokenExpiresAt);
    const days = Math.floor((expiry - Date.now()) / 86_400_000);
    if (!verified) {
      note(
        'failed',
        'token',
        `${url} does not accept the token of "${name}" (#${id}).`,
        'Create a runner in GitLab, put its token into .env as RUNNER_TOKEN, and run: make rotate',
      );
    } else if (expiry > 0 && days < 14) {
      note(
        'warning',
        'token',
        `the token of "${name}" expires in ${days} days.`,
        'A running runner renews it by itself; see that it runs: make status. To renew it now: make rotate',
      );
    }
  }
  note('ok', 'token', `GitLab accepts ${runners.map(({ name, id }) => `"${name}" (#${id})`).join(', ')}`);
}

/** Every tag that a job asks for must be one of the runner's. */
async function checkTags(
  runner: Runner,
  asked: string[],
  environment: Environment | undefined,
  config: RunnerConfig,
): Promise<void> {
  const { pipeline } = runner;
  const the = runners.length > 1 ? `"${runner.description}"` : 'the runner';
  let { tags, runUntagged } = runner;
  let source = 'scripts/settings.ts';
  const registered = config.runners.find(({ name }) => settingsOf(name) === runner);
  if (environment?.accessToken && registered) {
    const path = `/runners/${registered.id}`;
    const { status, body } = await callGitLab(environment.gitlabUrl, 'GET', path, {
      token: environment.accessToken,
    });
    if (status === 200 && Array.isArray(body.tag_list)) {
      tags = body.tag_list.map(String);
      runUntagged = body.run_untagged === true;
      source = 'GitLab';
      // Those two have lines of their own below.
      const keys = runnerChanges(runner, body)
        .map(({ key }) => key)
        .filter(key => key !== 'paused' && key !== 'access_level');
      if (keys.length > 0) {
        note('warning', 'GitLab settings', `${keys.join(', ')} of ${the}: not as settings.ts wants it.`, 'See: make plan');
      }
      if (body.paused === true) {
        note(
          'failed',
          'tags',
          `${the} is paused in GitLab: it takes no jobs.`,
          'Settings > CI/CD > Runners: resume it.',
        );
      }
      if (body.access_level !== runner.accessLevel) {
        const [takes, remedy] =
          body.access_level === 'ref_protected'
            ? ['jobs of protected branches and tags only; others stay stuck', 'Untick']
            : ['jobs of all branches, and not of protected ones only', 'Tick'];
        note(
          'warning',
          'tags',
          `${the} takes ${takes}: scripts/settings.ts says ${runner.accessLevel}.`,
          `${remedy} "Protected" in Settings > CI/CD > Runners, if that is not what you want.`,
        );
      }
    }
  }
  const missing = asked.filter(tag => !tags.includes(tag));
  if (missing.length > 0) {
    note(
      'failed',
      'tags',
      `${pipeline} asks for ${missing.join(', ')}, which ${the} does not have (says ${source}): such jobs stay stuck.`,
      `Add the tags to the runner in GitLab (and in scripts/settings.ts), or change ${pipeline}.`,
    );
  } else if (asked.length === 0 && !runUntagged) {
    note(
      'failed',
      'tags',
      `${pipeline} asks for no tags, and ${the} takes only jobs with tags (says ${source}).`,
      `Add tags to ${pipeline}, or let the runner take untagged jobs.`,
    );
  } else {
    const detail = `${the} has what ${pipeline} asks for (${asked.join(', ') || 'no tags'}), says ${source}`;
    note('ok', 'tags', detail);
  }
}

/** What docker says of a container in that format, word by word; last comes its health, if it has a check. */
async function inspect(id: string, format: string): Promise<string[]> {
  const health = '{{if .State.Health}}{{.State.Health.Status}}{{end}}';
  const { stdout } = await run(['docker', 'inspect', '--format', `${format} ${health}`, id]);
  return stdout.trim().split(' ');
}

/** Whether what docker-compose.yml has beside the runner runs. */
async function checkServices(compose: string[]): Promise<void> {
  const { stdout } = await run([...compose, 'config', '--services']);
  const others = stdout.trim().split('\n').filter(service => service !== 'runner' && service !== '');
  // Before the first "make up" none of them runs.
  if ((await run([...compose, 'ps', '-q', 'runner'])).stdout.trim() === '') return;
  for (const service of others) {
    const id = (await run([...compose, 'ps', '--all', '-q', service])).stdout.trim();
    const [state = '', exitCode = '', condition = ''] =
      id === '' ? [] : await inspect(id, '{{.State.Status}} {{.State.ExitCode}}');
    if (state === '') note('warning', 'services', `${service} is not running.`, 'Run: make up');
    else if (state === 'exited' && exitCode === '0') note('ok', 'services', `${service} has done its work`);
    else if (state !== 'running' || condition === 'unhealthy') {
      const detail = `${service} does not work: it is ${condition || state}.`;
      note('failed', 'services', detail, `See why: docker compose logs ${service}`);
    }
  }
  if (others.length > 0) note('ok', 'services', `${others.join(', ')}: as they should be`);
}

/** Whether the runner's container runs, and has read the same config.toml. */
async function checkContainer(
  compose: string[],
  config: RunnerConfig | undefined,
  environment: Environment | undefined,
): Promise<void> {
  const { stdout } = await run([...compose, 'ps', '-q', 'runner']);
  const id = stdout.trim();
  if (id === '') {
    if (config) note('warning', 'container', 'the runner is not running.', 'Run: make up');
    return;
  }
  const format = '{{.State.Status}} {{.RestartCount}} {{.State.StartedAt}}';
  const [state = '', restarts = '0', startedAt = '', condition = ''] = await inspect(id, format);
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
  const { stdout: version } = await run(['docker', 'exec', id, 'gitlab-runner', '--version']);
  const ofGitLab = environment && (await gitlabVersion(environment));
  const gap = versionGap(versionIn(version), ofGitLab);
  if (gap) note('warning', 'version', gap, 'Upgrade the one that is older: make upgrade');
  if (condition === 'unhealthy') {
    throw new Failure('the runner is unhealthy: GitLab does not know its token.', 'Run: make verify');
  }
  note('ok', 'container', `running${condition ? `, ${condition}` : ''}`);
}

await main();
