import { constants } from 'node:zlib';
import { invalidParameter } from '@gantry/sdk';
import {
  attributeOptions,
  checkAttributeOptions,
  checkTag,
  type LogOptions,
  parseInteger,
  refuseUnknownOptions,
} from '@gantry/sdk/log-drivers';

export interface GelfOptions {
  readonly scheme: 'udp' | 'tcp';
  readonly host: string;
  readonly port: number;
  readonly compression: 'gzip' | 'zlib' | 'none';
  readonly level: number;
  readonly maxReconnect: number;
  readonly reconnectDelayMs: number;
}

const udpOnly = ['gelf-compression-type', 'gelf-compression-level'];
const tcpOnly = ['gelf-tcp-max-reconnect', 'gelf-tcp-reconnect-delay'];
const known = ['gelf-address', ...udpOnly, ...tcpOnly, 'tag', ...attributeOptions];

/** Parses and checks; the words are dockerd's where it has some. @throws invalid-parameter */
export function parseOptions(options: LogOptions): GelfOptions {
  refuseUnknownOptions('gelf', options, known);
  const address = parseAddress(options['gelf-address']);
  if (address.scheme === 'tcp' && udpOnly.some((name) => options[name] !== undefined))
    throw invalidParameter('compression is only supported on UDP');
  for (const name of address.scheme === 'udp' ? tcpOnly : [])
    if (options[name] !== undefined) throw invalidParameter(`"${name}" is only valid for TCP`);
  const compression = options['gelf-compression-type'] ?? 'gzip';
  if (compression !== 'gzip' && compression !== 'zlib' && compression !== 'none')
    throw invalidParameter(`unknown value "${compression}" for log opt "gelf-compression-type" for gelf log driver`);
  checkAttributeOptions(options);
  checkTag(options);
  return {
    ...address,
    compression,
    level: bounded(options, 'gelf-compression-level', -1, 9) ?? constants.Z_BEST_SPEED,
    maxReconnect: positive(options, 'gelf-tcp-max-reconnect') ?? 3,
    reconnectDelayMs: (positive(options, 'gelf-tcp-reconnect-delay') ?? 1) * 1000,
  };
}

function bounded(options: LogOptions, name: string, least: number, most: number): number | undefined {
  const text = options[name];
  if (text === undefined) return undefined;
  const value = /^-?\d+$/.test(text) ? parseInteger(text) : Number.NaN;
  if (!(value >= least && value <= most))
    throw invalidParameter(`unknown value "${text}" for log opt "${name}" for gelf log driver`);
  return value;
}

function positive(options: LogOptions, name: string): number | undefined {
  const text = options[name];
  if (text === undefined || /^\+?\d{1,9}$/.test(text)) return text === undefined ? undefined : Number(text);
  throw invalidParameter(`"${name}" must be a positive integer`);
}

function parseAddress(address: string | undefined): Pick<GelfOptions, 'scheme' | 'host' | 'port'> {
  if (address === undefined || address === '') throw invalidParameter('gelf-address is a required parameter');
  const [, scheme, rest] = /^([a-z+]+):\/\/(.*)$/.exec(address) ?? [];
  if (scheme !== 'udp' && scheme !== 'tcp') throw invalidParameter('gelf: endpoint needs to be TCP or UDP');
  const match = /^(\[[^\]]+\]|[^:/]*):(\d+)\/?$/.exec(rest!);
  if (!match || Number(match[2]) > 65_535)
    throw invalidParameter('gelf: please provide gelf-address as proto://host:port');
  return { scheme, host: match[1]!.replace(/^\[|\]$/g, '') || '127.0.0.1', port: Number(match[2]) };
}
