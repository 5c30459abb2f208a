// How this host reaches GitLab, where that takes more than its name.

<% if (extraHosts.length > 0) { -%>
import { lookup as askDns } from 'node:dns';
<% } -%>
<% if (proxy) { -%>
import { request } from 'node:http';
<% } -%>
import type { RequestOptions } from 'node:https';
<% if (extraHosts.length > 0) { -%>
import type { LookupFunction } from 'node:net';
<% } -%>
<% if (proxy) { -%>
import { BlockList, isIP, type Socket } from 'node:net';
<% } -%>
<% if (extraHosts.length > 0) { -%>

/** Names that DNS does not know; docker-compose.yml and config/template.toml have them for containers. */
const extraHosts = new Map([
<% for (const entry of extraHosts) { -%>
<% const [name, address] = [entry.slice(0, entry.indexOf(':')), entry.slice(entry.indexOf(':') + 1)] -%>
  [<%- typescript(name) %>, <%- typescript(address === 'host-gateway' ? '127.0.0.1' : address) %>],
<% } -%>
]);

const lookup: LookupFunction = (name, options, callback) => {
  const address = extraHosts.get(name.toLowerCase());
  if (address === undefined) askDns(name, options, callback);
  else if (options.all) callback(null, [{ address, family: address.includes(':') ? 6 : 4 }]);
  else callback(null, address, address.includes(':') ? 6 : 4);
};
<% } -%>
<% if (proxy) { -%>

/** The HTTP proxy to the outside, and what is reached without it; docker-compose.yml has both for containers. */
const proxy = <%- typescript(proxy.url) %>;
const exceptions = <%- typescript(proxy.exceptions) %>;

function isException(hostname: string): boolean {
  const host = hostname.replace(/^\[|\]$/g, '');
  const family = isIP(host);
  return exceptions.some(exception => {
    const [network = '', prefix] = exception.split('/');
    if (prefix !== undefined && family !== 0 && isIP(network) === family) {
      const subnet = new BlockList();
      subnet.addSubnet(network, Number(prefix), family === 6 ? 'ipv6' : 'ipv4');
      return subnet.check(host, family === 6 ? 'ipv6' : 'ipv4');
    }
    const name = exception.replace(/^\.|:\d+$/g, '');
    return host === name || host.endsWith(`.${name}`);
  });
}

/** A connection to that host and port, made by the proxy. */
function tunnel(url: URL): Promise<Socket> {
  const path = `${url.hostname}:${url.port || 443}`;
  return new Promise((resolve, reject) => {
    request(proxy, { method: 'CONNECT', path, timeout: 20_000 })
      .on('connect', ({ statusCode }, socket) => {
        if (statusCode === 200) resolve(socket as Socket);
        else reject(new Error(`the proxy ${proxy} refuses ${path} (HTTP ${statusCode})`));
      })
      .on('timeout', () => reject(new Error(`the proxy ${proxy} does not answer`)))
      .on('error', error => reject(new Error(`the proxy ${proxy} cannot be reached: ${error.message}`)))
      .end();
  });
}
<% } -%>

/** What a request to that address needs, beside it. */
export async function routeTo(url: URL): Promise<RequestOptions> {
<% if (proxy) { -%>
  if (!isException(url.hostname)) {
    if (url.protocol === 'https:') return { socket: await tunnel(url), agent: false } as RequestOptions;
    // By plain HTTP a proxy takes the whole address as the path.
    const { hostname, port } = new URL(proxy);
    // One connection a call: a proxy may close what Node.js would use again.
    return { hostname, port, path: url.href, headers: { Host: url.host }, agent: false };
  }
<% } -%>
<% if (extraHosts.length > 0) { -%>
  return extraHosts.has(url.hostname) ? { lookup } : {};
<% } else { -%>
  return {};
<% } -%>
}
