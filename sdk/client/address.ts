import { isIP } from 'node:net';
import { invalidParameter } from '../errors';

/** Where a plugin listens. */
export type PluginEndpoint =
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number; readonly tls: boolean };

/**
 * Parses `unix:///path`, `/path`, `tcp://host:port`, `http://host:port` or `https://host:port`. Only https means TLS
 * (P-DISC-4).
 *
 * @throws invalid-parameter  no scheme, an unknown scheme, or no host or path
 */
export function parsePluginAddress(address: string): PluginEndpoint {
  if (address.startsWith('/')) return { kind: 'unix', path: address };
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(address)?.[1]?.toLowerCase();
  if (scheme === 'unix') {
    const path = address.slice('unix://'.length);
    if (!path.startsWith('/'))
      throw invalidParameter(`plugin address "${address}": a unix socket needs an absolute path`);
    return { kind: 'unix', path };
  }
  if (scheme !== 'tcp' && scheme !== 'http' && scheme !== 'https')
    throw invalidParameter(`plugin address "${address}": expected unix://, tcp://, http:// or https://`);
  const tls = scheme === 'https';
  const generic = address.replace(/^[a-z]+:/i, tls ? 'https:' : 'http:');
  const url = URL.canParse(generic) ? new URL(generic) : undefined;
  if (url === undefined || url.hostname === '') throw invalidParameter(`plugin address "${address}" names no host`);
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  return { kind: 'tcp', host, port: url.port === '' ? (tls ? 443 : 80) : Number(url.port), tls };
}

/** Whom the certificate must name: the host of the address, and not the placeholder in the header (P-CALL-3). */
export const tlsNameOf = (host: string): string => (isIP(host) === 0 ? host : '');
