import { isIP } from 'node:net';

/** Where metrics are served. An empty host means all addresses. */
export interface MetricsAddress {
  readonly host: string;
  readonly port: number;
}

/**
 * `127.0.0.1:9323`, `[::1]:9323`, `localhost:9323`, `:9323`, as dockerd takes them.
 *
 * @throws Error  not such an address
 */
export function parseMetricsAddress(text: string): MetricsAddress {
  if (text.includes('://'))
    throw new Error(`"${text}" has a scheme: metrics are served over tcp; give host:port, such as 127.0.0.1:9323`);
  const match = /^(?:\[([^\]]*)\]|([^:]*)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port > 65_535) throw new Error(`"${text}" is not host:port; give for instance 127.0.0.1:9323`);
  const [, ipv6, host = ''] = match;
  if (ipv6 !== undefined && isIP(ipv6) !== 6) throw new Error(`"${text}" has no IPv6 address in its brackets`);
  return { host: ipv6 ?? host, port };
}
