import type { TomlTable } from 'smol-toml';
import { isSocket } from './carry.ts';
import type { Collected } from './collected.ts';
import { type Container, configOfContainer, isOfBefore, isRegistering } from './container.ts';
import type { Found } from './found.ts';

/** What the container of the runner says: its image, hosts, network, authority, proxy. */
export function takeContainers({ containers, services }: Found, all: Collected): void {
  all.notUnderstood.push(...services.map(name => `the service ${name} of docker-compose.yml`));
  const running = containers.filter(container => !isRegistering(container));
  const [container, ...more] = running.length > 0 ? running : containers;
  if (!container) return;
  if (more.length > 0)
    all.notUnderstood.push(`${more.length} more containers of GitLab Runner: only the first counts`);
  if (container.others.includes('build') && container.image === undefined)
    all.hints.push(
      'Its image is built from a Dockerfile, which does not come along: --runner-image says where a registry has it.',
    );
  if (isOfBefore(container.image ?? ''))
    all.notUnderstood.push(
      `the image ${container.image}: GitLab Runner of before 2017, which no GitLab of today works with`,
    );
  else all.take('runnerImage', container.image);
  takeHosts(container.extraHosts, all);
  const [network, ...networks] = container.networks;
  all.take('dockerNetwork', network);
  if (networks.length > 0) all.notUnderstood.push(`networks of the container: ${networks.join(', ')}`);
  takeMounts(container.volumes, all);
  takeVariables(container, all);
  // Those have their own words in the new one.
  const others = container.others.filter(name => !/^(--)?(restart|name|container_name)$/.test(name));
  if (others.length > 0)
    all.hints.push(`docker-compose.yml is new, so look whether it needs these too: ${others.join(', ')}.`);
}

/** Takes each of the hosts that is one; whether that is all of them. */
function takeHosts(hosts: readonly string[], all: Collected): boolean {
  const others = hosts.filter(host => {
    const before = all.answers.extraHosts;
    return (
      !before?.split(',').includes(host) &&
      !all.take('extraHosts', before ? `${before},${host}` : host, undefined, host)
    );
  });
  return others.length === 0;
}

function takeMounts(volumes: readonly string[], all: Collected): void {
  const isUsual = (volume: string) =>
    isSocket(volume) || configOfContainer({ name: undefined, volumes: [volume] }) !== undefined;
  const certificates = volumes.filter(volume => /:\/etc\/gitlab-runner\/certs(\/|:|$)/.test(volume));
  if (certificates.length > 0) takeAuthority(`the mount ${certificates.join(', ')}`, all);
  const mounts = volumes.filter(volume => !isUsual(volume) && !certificates.includes(volume));
  if (mounts.length > 0) all.notUnderstood.push(`mounts of the container: ${mounts.join(', ')}`);
}

function takeVariables(container: Container, all: Collected): void {
  const { TZ, ...variables } = container.environment;
  if (TZ) all.environment.TZ = TZ;
  const left = takeProxies(
    Object.entries(variables).map(([name, value]) => `${name}=${value}`),
    all,
  );
  const names = left.map(entry => entry.replace(/=.*$/s, ''));
  if (names.length > 0) all.notUnderstood.push(`variables of the container: ${names.join(', ')}`);
}

/** The certificate of a private authority is to be copied by hand. @param what where it was, in words */
export function takeAuthority(what: string, all: Collected): void {
  all.answers.privateCa = 'yes';
  all.hints.push(`Copy the certificate of your authority to config/certs/ca.crt: it was ${what}.`);
}

/** Takes the proxy out of variables; those that are none stay. */
function takeProxies(variables: readonly string[], all: Collected): string[] {
  const isProxy = (entry: string) => /^(https?_proxy|no_proxy)=/i.test(entry);
  const found = new Map(
    variables
      .filter(isProxy)
      .map(entry => [entry.slice(0, entry.indexOf('=')).toLowerCase(), entry.slice(entry.indexOf('=') + 1)]),
  );
  const [plain, tls, except] = ['http_proxy', 'https_proxy', 'no_proxy'].map(name => found.get(name));
  const url = plain || tls;
  if (plain && tls && plain !== tls) all.notUnderstood.push('https_proxy: it is another than http_proxy');
  const isTaken = url ? all.take('httpProxy', url) : false;
  if (except && !isTaken) all.notUnderstood.push('no_proxy: there is no proxy that it could be of');
  if (except && isTaken) all.take('proxyExceptions', except);
  return variables.filter(entry => !isProxy(entry));
}

/** Takes hosts, the network, the authority and the proxy of a runner, as far as they are answers; what is none remains. */
export function takeSurroundings(table: TomlTable, all: Collected): TomlTable {
  const { docker = {}, environment, 'tls-ca-file': authority, ...rest } = table;
  const { extra_hosts, network_mode, ...keys } = docker as TomlTable;
  const { answers } = all;
  const hosts = [extra_hosts ?? []].flat().map(String);
  const areKnown = takeHosts(hosts, all);
  if (authority) takeAuthority(`tls-ca-file, ${authority}`, all);
  const variables = takeProxies([environment ?? []].flat().map(String), all);
  return {
    ...rest,
    ...(variables.length > 0 ? { environment: variables } : {}),
    docker: {
      ...(areKnown ? {} : { extra_hosts: hosts }),
      ...(network_mode === undefined || network_mode === answers.dockerNetwork ? {} : { network_mode }),
      ...keys,
    },
  };
}
