import { invalidParameter, type PortBinding } from '@gantry/sdk';
import type { HostConfig } from '../config/container-config';

export type Protocol = 'tcp' | 'udp' | 'sctp';

export interface ExposedPort {
  readonly proto: Protocol;
  readonly port: number;
}

/**
 * @param key `80/tcp`; without a protocol it is tcp
 * @throws invalid-parameter
 */
export function parsePort(key: string): ExposedPort {
  const [number = '', proto = 'tcp'] = key.split('/');
  const port = parsePortNumber(number);
  if (port === undefined) throw invalidParameter(`invalid port specification: "${number}"`);
  const lower = proto.toLowerCase() || 'tcp';
  if (lower !== 'tcp' && lower !== 'udp' && lower !== 'sctp')
    throw invalidParameter(`invalid port specification: "${key}": unknown protocol "${proto}"`);
  return { proto: lower, port };
}

/** `8080-8090/tcp` and `80/tcp` as single ports. */
export function parseExposedPorts(keys: Iterable<string>): ExposedPort[] {
  return [...keys].flatMap((key) => {
    const range = /^(\d+)-(\d+)(\/\w+)?$/.exec(key);
    if (!range) return [parsePort(key)];
    const first = parsePort(`${range[1]}${range[3] ?? ''}`);
    const last = parsePort(`${range[2]}${range[3] ?? ''}`);
    if (last.port < first.port) throw invalidParameter(`invalid port specification: "${key}"`);
    return Array.from({ length: last.port - first.port + 1 }, (_, index) => ({ ...first, port: first.port + index }));
  });
}

/** @throws invalid-parameter naming the port or address */
export function parsePortBindings(bindings: HostConfig['PortBindings']): PortBinding[] {
  return Object.entries(bindings ?? {}).flatMap(([key, hosts]) => {
    const { proto, port } = parsePort(key);
    return (hosts.length > 0 ? hosts : [{ HostIp: '', HostPort: '' }]).map((host) => {
      const [hostPort, hostPortEnd] = parseHostPort(host.HostPort);
      return { proto, port, hostIp: parseHostIp(host.HostIp), hostPort, hostPortEnd };
    });
  });
}

function parseHostPort(value: string): [number, number] {
  if (value === '') return [0, 0];
  const [from = '', to = from, ...rest] = value.split('-');
  const first = parsePortNumber(from, 0);
  const last = parsePortNumber(to, 0);
  if (first === undefined || last === undefined || last < first || rest.length > 0)
    throw invalidParameter(`invalid port specification: "${value}"`);
  return [first, last];
}

function parseHostIp(value: string): string {
  const bare = value.startsWith('[') && value.endsWith(']') ? value.slice(1, -1) : value;
  if (bare !== '' && !/^[0-9.]+$/.test(bare) && !/^[0-9a-fA-F:.%]+$/.test(bare))
    throw invalidParameter(`invalid IP address in port mapping: ${value}`);
  return bare;
}

function parsePortNumber(value: string, minimum = 1): number | undefined {
  if (!/^\d{1,5}$/.test(value)) return undefined;
  const port = Number(value);
  return port >= minimum && port <= 65535 ? port : undefined;
}
