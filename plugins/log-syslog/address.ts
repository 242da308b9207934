import { existsSync, readFileSync } from 'node:fs';
import type { ConnectionOptions } from 'node:tls';
import { invalidParameter } from '@gantry/sdk';
import { type LogOptions, parseBoolean } from '@gantry/sdk/log-drivers';
import type { LogTarget } from '@gantry/sdk/log-sinks';

const DEFAULT_PORT = 514;
/** Where the host's own syslog listens. */
const localSockets = ['/dev/log', '/var/run/syslog', '/var/run/log'];

/** @throws invalid-parameter in dockerd's words */
export function parseAddress(options: LogOptions): LogTarget {
  const address = options['syslog-address'];
  if (address === undefined || address === '') return localTarget();
  const match = /^(tcp\+tls|tcp|udp|unix|unixgram):\/\/(.+)$/.exec(address);
  if (!match) throw invalidParameter(`syslog-address should be in form proto://address, got ${address}`);
  const [, scheme, rest] = match as unknown as [string, 'tcp+tls' | 'tcp' | 'udp' | 'unix' | 'unixgram', string];
  if (scheme === 'unix' || scheme === 'unixgram') {
    if (!existsSync(rest)) throw invalidParameter(`stat ${rest}: no such file or directory`);
    return { scheme, path: rest };
  }
  const { host, port } = hostAndPort(address, rest);
  if (scheme === 'tcp+tls') return { scheme: 'tls', host, port, tls: tlsOptions(options, host) };
  return { scheme, host, port };
}

function localTarget(): LogTarget {
  const path = localSockets.find((candidate) => existsSync(candidate));
  if (path === undefined)
    throw invalidParameter(
      `Unix syslog delivery error: none of ${localSockets.join(', ')} is there; name one with --log-opt syslog-address`,
    );
  return { scheme: 'unixgram', path };
}

function hostAndPort(address: string, text: string): { host: string; port: number } {
  const match = /^(\[[^\]]+\]|[^:/]+)(?::(\d+))?\/?$/.exec(text);
  const port = match?.[2] === undefined ? DEFAULT_PORT : Number(match[2]);
  if (!match || port < 1 || port > 65_535)
    throw invalidParameter(`syslog-address should be in form proto://host:port, got ${address}`);
  return { host: match[1]!.replace(/^\[|\]$/g, ''), port };
}

function tlsOptions(options: LogOptions, host: string): ConnectionOptions {
  const {
    'syslog-tls-ca-cert': ca,
    'syslog-tls-cert': cert,
    'syslog-tls-key': key,
    'syslog-tls-skip-verify': skip,
  } = options;
  return {
    servername: host,
    minVersion: 'TLSv1.2',
    rejectUnauthorized: skip === undefined || !parseBoolean(skip),
    ...(ca === undefined ? {} : { ca: readPem('syslog-tls-ca-cert', ca) }),
    ...(cert === undefined ? {} : { cert: readPem('syslog-tls-cert', cert) }),
    ...(key === undefined ? {} : { key: readPem('syslog-tls-key', key) }),
  };
}

function readPem(option: string, path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw invalidParameter(`could not read ${option} "${path}": ${(error as Error).message}`, error);
  }
}
