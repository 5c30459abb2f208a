import { isIP, isIPv4 } from 'node:net';
import { closestTo } from './options.ts';
import { Refusal, shown, unprintable } from './refusal.ts';

/**
 * Checks of answers. Each takes what a user typed and returns the value that is used from then on,
 * or throws a `Refusal`. What passes here is valid in every generated file.
 */

/** @throws Refusal if the text has characters that no file could show as they are. */
function printable(text: string, what: string): string {
  if (text.length > 20_000) throw new Refusal(`${what} must be shorter than 20000 characters.`);
  if (unprintable.test(text)) {
    throw new Refusal(
      `${what} must be one line of visible text: no line breaks, tabs, or control characters.`,
    );
  }
  return text.trim();
}

/** One line of text of 1 to 255 characters; outer spaces are dropped. */
export function checkDescription(text: string): string {
  const description = printable(text, 'The description');
  if (description === '') throw new Refusal('The description must not be empty.');
  if ([...description].length > 255) throw new Refusal('The description is longer than 255 characters.');
  return description;
}

/**
 * The address of a GitLab instance, with no slash at its end; a port and a sub-path are kept. Without a protocol it
 * is that of https.
 *
 * The characters are fewer than a URL allows, so that the address means the same in a shell, in a
 * dotenv file (where `$` and quotes are special) and in TOML.
 */
export function checkGitLabUrl(text: string): string {
  const example = 'for example https://gitlab.example.com';
  // A URL parser passes over line breaks and tabs; here they are refused.
  const trimmed = printable(text.trim(), 'The GitLab URL');
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(trimmed) && !/^https?:\/\//i.test(trimmed)) {
    throw new Refusal(`The GitLab URL must start with https:// or http://, ${example}.`);
  }
  let url: URL;
  try {
    url = new URL(/^https?:\/\//i.test(trimmed) ? trimmed : `https://${trimmed}`);
  } catch {
    throw new Refusal(`The GitLab URL is not a valid address; write it as ${example}.`);
  }
  if (url.username !== '' || url.password !== '') {
    throw new Refusal('The GitLab URL must not hold a user name or password.');
  }
  if (trimmed.includes('?') || trimmed.includes('#')) {
    throw new Refusal('The GitLab URL must end with its host, port or path: no ? and no #.');
  }
  const path = url.pathname.replace(/\/+$/, '');
  if (!/^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)$/i.test(url.hostname) || !/^[\w./~-]*$/.test(path)) {
    throw new Refusal(
      `The GitLab URL may hold only letters, digits and . _ - ~ / in its host and path, ${example}.`,
    );
  }
  const address = `${url.protocol}//${url.host}${path}`;
  // A host of other letters than Latin ones becomes longer.
  if (address.length > 1024) throw new Refusal('The GitLab URL is longer than 1024 characters.');
  return address;
}

/**
 * Tags, split at commas, without duplicates; no tags at all is an answer too.
 *
 * `$` is refused because GitLab expands variables in a job's `tags`; 50 tags and 255 characters are
 * GitLab's own limits.
 */
export function checkTags(text: string): string[] {
  const tags = items(printable(text, 'The tags'));
  if (tags.some(tag => tag.includes('$'))) {
    throw new Refusal("A tag must not contain $: GitLab would read it as a variable in a job's tags.");
  }
  if (tags.some(tag => [...tag].length > 255)) throw new Refusal('A tag is longer than 255 characters.');
  if (tags.length > 50) throw new Refusal('GitLab takes at most 50 tags.');
  return [...new Set(tags)];
}

// The grammar of an image reference, from github.com/distribution/reference (reference.go).
const host = String.raw`(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*|\[[a-fA-F0-9:]+\])`;
const component = String.raw`[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*`;
const path = `${component}(?:/${component})*`;
const imageReference = new RegExp(
  String.raw`^((?:${host}(?::\d+)?/)?${path})(?::\w[\w.-]{0,127})?(?:@sha256:[a-f0-9]{64})?$`,
);

/** A reference to a container image: `[host[:port]/]name[:tag][@sha256:digest]`. */
export function checkImage(text: string): string {
  const image = text.trim();
  const name = image.length <= 500 && imageReference.exec(image)?.[1];
  if (!name) {
    throw new Refusal(
      'An image is written [host[:port]/]name[:tag], the name in lower case, for example docker:cli.',
    );
  }
  if (name.length > 255) throw new Refusal('The name of an image is at most 255 characters long.');
  return image;
}

/** `gitlab` for a project's own container registry, or `host[:port][/path]`. */
export function checkRegistry(text: string): string {
  const typed = text.trim();
  if (typed === 'gitlab') return typed;
  if (typed.length > 200) throw new Refusal('The registry is longer than 200 characters.');
  const registry = typed.replace(/\/+$/, '');
  if (/^[a-z]+:\/\//i.test(registry)) {
    throw new Refusal('The registry is written without https://, for example registry.example.com:5000.');
  }
  const [address = '', ...rest] = registry.split('/');
  // A first part without a dot or a port is a path on Docker Hub to Docker, not a host.
  const parts = new RegExp(`^${host}(?::(\\d{1,5}))?$`).exec(address);
  const isHost = parts !== null && /[.:]|^localhost$/.test(address) && Number(parts[1] ?? 0) <= 65_535;
  if (!isHost || (rest.length > 0 && !new RegExp(`^${path}$`).test(rest.join('/')))) {
    throw new Refusal(
      'The registry is "gitlab" or a host with optional port and lower-case path, for example registry.example.com:5000/team.',
    );
  }
  if (/\.dkr\.ecr(-fips)?\.[\w-]+\.amazonaws\.com(\.cn)?(:|$)/i.test(address)) {
    throw new Refusal(
      `Passwords of Amazon ECR live 12 hours, and REGISTRY_PASSWORD would be one: choose another registry, or --registry gitlab and then, in .gitlab-ci.yml, log in by "aws ecr get-login-password | docker login --username AWS --password-stdin ${address}".`,
    );
  }
  return [address.toLowerCase(), ...rest].join('/');
}

/** A whole number from 1. */
export function checkConcurrent(text: string): number {
  return wholeNumber(text, 'The number of concurrent jobs must be a whole number from 1 (to 99999).');
}

/** A whole number from 0. */
export function checkIdle(text: string): number {
  return text.trim() === '0'
    ? 0
    : wholeNumber(
        text,
        'The number of jobs that instances wait for must be a whole number from 0 (to 99999).',
      );
}

/** A group of instances, by one to three names with slashes between: which, depends on the cloud. */
export function checkInstanceGroup(text: string): string {
  const group = text.trim().replace(/^\/+|\/+$/g, '');
  // Names of AWS may be longer and freer; these go into TOML, an address and a shell alike.
  if (!/^[\w.()-]{1,255}(\/[\w.()-]{1,255}){0,2}$/.test(group)) {
    throw new Refusal(
      'The group of instances is its name, of letters, digits and - _ . ( ); before it project/zone/ for googlecloud, or subscription/resource-group/ for azure.',
    );
  }
  return group;
}

/** yes or no, also as true or false. */
export function checkYesNo(text: string): boolean {
  const answer = text.trim().toLowerCase();
  if (['yes', 'y', 'true'].includes(answer)) return true;
  if (['no', 'n', 'false'].includes(answer)) return false;
  throw new Refusal('Answer yes or no.');
}

/** One of the choices, written exactly. */
export function checkChoice<T extends string>(choices: Readonly<Record<T, unknown>>, text: string): T {
  const names = Object.keys(choices) as T[];
  const choice = names.find(candidate => candidate === text.trim());
  if (choice !== undefined) return choice;
  if (text.trim() === '') throw new Refusal(`Choose one of ${names.join(', ')}.`);
  const closest = closestTo(text.trim(), names);
  const hint = closest === undefined ? '' : ` (did you mean ${closest}?)`;
  throw new Refusal(`There is no ${quoted(text)} here${hint}: choose one of ${names.join(', ')}.`);
}

/** One of the ways to build images; that which 0.1.0 also had is refused with the reason. */
export function checkBuilder<T extends string>(choices: Readonly<Record<T, unknown>>, text: string): T {
  if (text.trim() === 'socket-proxy') {
    throw new Refusal(
      'The builder socket-proxy is gone: by a race between a request to /session and the next one, any job could start privileged containers through it. Choose buildkit, which is as fast and isolates.',
    );
  }
  return checkChoice(choices, text);
}

/** Days, or undefined for "none". */
export function checkCleanUp(text: string): number | undefined {
  if (text.trim().toLowerCase() === 'none') return undefined;
  return wholeNumber(text, 'Give a whole number of days from 1 (to 99999), or "none" for no clean-up.');
}

/** @throws Refusal with that sentence, if it is no whole number from 1 to 99999 */
function wholeNumber(text: string, sentence: string): number {
  if (!/^[1-9]\d{0,4}$/.test(text.trim())) throw new Refusal(sentence);
  return Number(text);
}

const quoted = (text: string): string => `"${shown(text)}"`;

/** What was typed in a list, without empty parts and duplicates; `word` stands for an empty list. */
function list(text: string, word: string, what: string): string[] {
  const typed = printable(text, what);
  return typed === word ? [] : [...new Set(items(typed))];
}

/** The parts of a comma-separated text that are not empty. */
function items(text: string): string[] {
  return text
    .split(',')
    .map(item => item.trim())
    .filter(item => item !== '');
}

/** Platforms as BuildKit and Buildah write them (containerd's `platforms` package); none at all is the host's. */
export function checkPlatforms(text: string): string[] {
  const platforms = list(text, 'host', 'The platforms');
  const known =
    /^linux\/(amd64(\/v[1-4])?|arm64(\/v8)?|arm\/v[5-8]|386|ppc64le|s390x|riscv64|loong64|mips64le)$/;
  const wrong = platforms.find(platform => !known.test(platform));
  if (wrong !== undefined) {
    throw new Refusal(
      `There is no platform ${quoted(wrong)}; write for example linux/amd64,linux/arm64, or "host" for that of the host.`,
    );
  }
  return platforms;
}

/** The address of an HTTP proxy, `http://host:port`; undefined for `none`. */
export function checkProxy(text: string): string | undefined {
  const typed = printable(text, 'The proxy');
  if (typed === 'none') return undefined;
  const example = 'for example http://proxy.example.com:3128';
  if (/^https:\/\//i.test(typed))
    throw new Refusal(`The proxy is spoken to by plain HTTP: write http://, ${example}.`);
  if (typed.includes('@')) {
    throw new Refusal(
      'The proxy must not need a user name or password: they would be in git and in every job.',
    );
  }
  if (!new RegExp(`^http://${host}:\\d{1,5}/?$`, 'i').test(typed) || !URL.canParse(typed)) {
    throw new Refusal(`The proxy is written http://host:port, ${example}, or "none".`);
  }
  return typed.replace(/\/$/, '').toLowerCase();
}

/** Hosts, `.domains`, addresses and networks, as in NO_PROXY. */
export function checkHosts(text: string): string[] {
  const hosts = list(text, 'none', 'The hosts');
  const isNetwork = (text: string) => {
    const [address = '', bits = '0', ...rest] = text.split('/');
    const family = isIP(address);
    return (
      family !== 0 && rest.length === 0 && /^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128)
    );
  };
  const wrong = hosts.find(
    one => !/^\.?[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:\d{1,5})?$/i.test(one) && !isNetwork(one),
  );
  if (wrong !== undefined) {
    throw new Refusal(
      `No host is called ${quoted(wrong)}; write for example gitlab.example.com,.internal.example.com,10.0.0.0/8.`,
    );
  }
  return hosts;
}

/** The S3 server that keeps caches: `here` for one in docker-compose.yml, or `https://host[:port]`. */
export function checkCacheServer(text: string): string {
  const typed = text.trim().toLowerCase().replace(/\/$/, '');
  if (typed === 'here') return typed;
  const example = 'for example https://s3.example.com';
  if (typed.startsWith('http://')) {
    throw new Refusal(`The S3 server must speak TLS, since caches are code that jobs run: ${example}.`);
  }
  if (
    typed.length > 255 ||
    !new RegExp(`^https://${host}(:\\d{1,5})?$`).test(typed) ||
    !URL.canParse(typed)
  ) {
    throw new Refusal(`The S3 server is "here" or https://host[:port], without a path, ${example}.`);
  }
  return new URL(typed).origin;
}

/**
 * The name of a bucket, by the rules of S3, which other servers keep as well:
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
 */
export function checkBucket(text: string): string {
  const bucket = text.trim();
  const isReserved =
    /^(xn--|sthree-|amzn-s3-demo-)|(-s3alias|--ol-s3|\.mrap|--x-s3|--table-s3)$/.test(bucket) ||
    isIPv4(bucket);
  if (!/^[a-z0-9](?:[a-z0-9-]|\.(?!\.)){1,61}[a-z0-9]$/.test(bucket) || isReserved) {
    throw new Refusal(
      'A bucket is named by 3 to 63 lower-case letters, digits, dots and hyphens, for example runner-cache; no address, and none of the prefixes and suffixes that S3 keeps for itself.',
    );
  }
  return bucket;
}

/** A registry's `host[:port]`, without a path; undefined for `none`. */
export function checkInsecureRegistry(text: string): string | undefined {
  if (text.trim() === 'none') return undefined;
  const registry = checkRegistry(text);
  if (registry === 'gitlab' || registry.includes('/')) {
    throw new Refusal(
      'The insecure registry is a host with optional port, and no path, for example registry.local:5000.',
    );
  }
  return registry;
}

/** Names and their addresses, `name:address`; `host-gateway` is the host itself (Docker's own word). */
export function checkExtraHosts(text: string): string[] {
  const entries = list(text.toLowerCase(), 'none', 'The extra hosts');
  const wrong = entries.find(entry => {
    const [, address = ''] =
      /^[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?:([a-f0-9.:]+|host-gateway)$/.exec(entry) ?? [];
    return address !== 'host-gateway' && isIP(address) === 0;
  });
  if (wrong !== undefined) {
    throw new Refusal(
      `A name and its address are not ${quoted(wrong)}; write for example gitlab.local:10.0.0.5, or gitlab.local:host-gateway for this host.`,
    );
  }
  const names = entries.map(entry => entry.slice(0, entry.indexOf(':')));
  const twice = names.find((name, at) => names.indexOf(name) < at);
  if (twice !== undefined)
    throw new Refusal(`The name ${quoted(twice)} is there twice; give it one address.`);
  return entries;
}

/** The name of a network of Docker, by the rules of its engine; undefined for `none`. */
export function checkDockerNetwork(text: string): string | undefined {
  const network = text.trim();
  if (network === 'none') return undefined;
  if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}$/.test(network)) {
    throw new Refusal(
      'A Docker network is named by letters, digits and _ . -, such as gitlab_default: "docker network ls" lists them.',
    );
  }
  if (['host', 'bridge', 'default'].includes(network)) {
    throw new Refusal(
      `On the network ${quoted(network)} Docker knows containers by no name: name the network that GitLab's container is on.`,
    );
  }
  return network;
}

/** The name of a further runner, which is part of paths: lower-case letters, digits and hyphens. */
export function checkRunnerName(text: string): string {
  const name = text.trim();
  if (!/^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$/.test(name)) {
    throw new Refusal(
      'The name of a runner has up to 40 lower-case letters, digits and hyphens, such as deploy.',
    );
  }
  return name;
}

/** A project of GitLab, by its path or number; undefined for "none". */
export function checkProject(text: string): string | undefined {
  const project = text.trim().replace(/^\/+|\/+$/g, '');
  if (project === 'none') return undefined;
  // What GitLab allows in a path: https://docs.gitlab.com/user/reserved_names/
  const part = String.raw`[\p{L}\p{N}_][\p{L}\p{N}_.-]*`;
  if (project.length > 255 || !new RegExp(String.raw`^(\d+|${part}(/${part})+)$`, 'u').test(project)) {
    throw new Refusal('Write the project as its path, such as team/app, as its number, or "none".');
  }
  return project;
}

/** The name of a namespace of Kubernetes: a DNS label (RFC 1123), and none that Kubernetes has for itself. */
export function checkNamespace(text: string): string {
  const namespace = text.trim();
  if (!/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/.test(namespace)) {
    throw new Refusal(
      'A namespace is named by up to 63 lower-case letters, digits and hyphens, such as gitlab-runner.',
    );
  }
  if (namespace === 'default' || namespace.startsWith('kube-')) {
    throw new Refusal(
      `The namespace ${quoted(namespace)} is not for jobs: they need one of their own, such as gitlab-runner.`,
    );
  }
  return namespace;
}

/**
 * Labels of nodes, `label=value`, by the rules of Kubernetes:
 * https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set
 */
export function checkNodeSelector(text: string): string[] {
  const labels = list(text, 'none', 'The labels');
  const word = '[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?';
  const domain = '[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?';
  const wrong = labels.find(one => !new RegExp(`^(?:${domain}/)?${word}=(?:${word})?$`).test(one));
  if (wrong !== undefined) {
    throw new Refusal(`A label and its value are not ${quoted(wrong)}; write for example role=ci.`);
  }
  const keys = labels.map(one => one.slice(0, one.indexOf('=')));
  const twice = keys.find((key, at) => keys.indexOf(key) < at);
  if (twice !== undefined) throw new Refusal(`The label ${quoted(twice)} is there twice; give it one value.`);
  return labels;
}
