import type { Agent, AgentOptions, ClientRequest } from 'node:http';
import { BlockList, isIP } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import type { DaemonSettings } from '@gantry/sdk';
import { HttpProxyAgent } from 'http-proxy-agent';
import { HttpsProxyAgent } from 'https-proxy-agent';

type Proxies = DaemonSettings['proxies'];

/** The proxy a URL is reached through; undefined = directly. Hosts of this machine are never asked through a proxy. */
export function proxyFor(url: URL, { httpProxy, httpsProxy, noProxy }: Proxies): URL | undefined {
  const proxy = url.protocol === 'https:' ? httpsProxy : httpProxy;
  if (proxy === '' || isExcepted(url, noProxy)) return undefined;
  return new URL(proxy.includes('://') ? proxy : `http://${proxy}`);
}

/**
 * An agent whose connections go through the proxy: `CONNECT` for https, whole URLs for http.
 *
 * @param tls for the server at the other end of the tunnel, not for the proxy; undefined = a plain one, no tunnel
 */
export function proxyAgent(proxy: URL, tls: ConnectionOptions | undefined, options: AgentOptions): Agent {
  return tls === undefined ? new HttpProxyAgent(proxy, options) : new Tunnel(proxy, tls, options);
}

class Tunnel extends HttpsProxyAgent<string> {
  constructor(
    proxy: URL,
    private readonly tls: ConnectionOptions,
    options: AgentOptions,
  ) {
    super(proxy, options);
  }

  override connect(request: ClientRequest, options: Parameters<HttpsProxyAgent<string>['connect']>[1]) {
    // The agent keeps what it is made with for the connection to the proxy alone.
    return super.connect(request, { ...options, ...this.tls } as typeof options);
  }
}

/** `no-proxy`: hosts, domains (`example.com`, `.example.com`), addresses, ranges, each with a port if wanted; `*` is all. */
function isExcepted(url: URL, noProxy: string): boolean {
  const host = url.hostname.replace(/^\[|\]$/g, '').toLowerCase();
  const port = url.port || (url.protocol === 'https:' ? '443' : '80');
  if (host === 'localhost' || isIn(host, '127.0.0.0/8') || host === '::1') return true;
  return noProxy
    .split(',')
    .map((item) => item.trim().toLowerCase())
    .filter((item) => item !== '')
    .some((item) => {
      if (item === '*') return true;
      if (item.includes('/')) return isIn(host, item);
      const [, name = '', wantedPort] = /^(\[[^\]]+\]|[^:]*|.*:.*:.*?)(?::(\d+))?$/.exec(item) ?? [];
      if (wantedPort !== undefined && wantedPort !== port) return false;
      const bare = name.replace(/^\[|\]$/g, '').replace(/^\*?\./, '');
      const isSuffixOnly = name.startsWith('.') || name.startsWith('*.');
      return (!isSuffixOnly && host === bare) || (isIP(host) === 0 && host.endsWith(`.${bare}`));
    });
}

function isIn(host: string, range: string): boolean {
  const family = isIP(host);
  const [network = '', length = ''] = range.split('/');
  if (family === 0 || isIP(network) !== family || !/^\d+$/.test(length)) return false;
  const list = new BlockList();
  const kind = family === 6 ? 'ipv6' : 'ipv4';
  list.addSubnet(network, Number(length), kind);
  return list.check(host, kind);
}
