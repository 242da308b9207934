import { forbidden, invalidParameter } from '@gantry/sdk';
import type { NetworkSpec } from '../networks/network-registry';
import { parseIpam } from './parse-ipam';

const ENABLE_IPV4 = 'com.docker.network.enable_ipv4';
const ENABLE_IPV6 = 'com.docker.network.enable_ipv6';

/**
 * `NetworkCreateRequest` of the Engine API.
 *
 * @param defaults driver → options of networks that do not set them
 * @throws invalid-parameter, forbidden
 */
export function parseCreate(
  body: unknown,
  defaults: Readonly<Record<string, Readonly<Record<string, string>>>> = {},
): { readonly spec: NetworkSpec; readonly warning: string } {
  const input = record(body, 'request body');
  const name = text(input, 'Name');
  if (name.trim() === '') throw invalidParameter('invalid name: name is empty');
  const configOnly = flag(input, 'ConfigOnly') ?? false;
  const configFrom = input.ConfigFrom == null ? '' : text(record(input.ConfigFrom, 'ConfigFrom'), 'Network');
  const scope = text(input, 'Scope');
  if (scope !== '' && scope !== 'local')
    throw invalidParameter(`scope ${scope} needs swarm mode; only "local" is supported`);
  if (flag(input, 'Ingress')) throw invalidParameter('an ingress network needs swarm mode');
  const driver = text(input, 'Driver') || 'bridge';
  if (driver === 'overlay')
    throw forbidden(
      'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.',
    );
  const given = strings(input.Options, 'Options');
  const options = configFrom === '' ? { ...defaults[driver], ...given } : given;
  const enableIPv4 = family(input, 'EnableIPv4', options, ENABLE_IPV4) ?? true;
  const enableIPv6 = family(input, 'EnableIPv6', options, ENABLE_IPV6) ?? false;
  const ipam = parseIpam(input.IPAM, enableIPv6);
  if (configOnly && configFrom !== '')
    throw invalidParameter('a configuration network cannot depend on another configuration network');
  if (configFrom !== '' && (ipam.config.length > 0 || Object.keys(given).length > 0))
    throw invalidParameter(
      'user specified configurations are not supported if the network depends on a configuration network',
    );
  return {
    spec: {
      name,
      driver,
      internal: flag(input, 'Internal') ?? false,
      attachable: flag(input, 'Attachable') ?? false,
      configOnly,
      configFrom,
      enableIPv4,
      enableIPv6,
      options,
      labels: strings(input.Labels, 'Labels'),
      ipam,
    },
    warning: unusedSubnets(ipam.config, enableIPv4, enableIPv6),
  };
}

/** The field goes before the option, which then must not be shown beside it. */
function family(
  input: Record<string, unknown>,
  key: string,
  options: Record<string, string>,
  option: string,
): boolean | undefined {
  const value = flag(input, key);
  const wish = options[option];
  if (value !== undefined) {
    delete options[option];
    return value;
  }
  if (wish === undefined) return undefined;
  if (/^(1|t|true)$/i.test(wish)) return true;
  if (/^(0|f|false)$/i.test(wish)) return false;
  throw invalidParameter(`driver-opt "${option}" is not a valid bool`);
}

// dockerd takes such subnets and does nothing with them; so do we, but we say so.
function unusedSubnets(config: NetworkSpec['ipam']['config'], enableIPv4: boolean, enableIPv6: boolean): string {
  const unused = config.filter(({ subnet }) => !(subnet.includes(':') ? enableIPv6 : enableIPv4));
  return unused
    .map(({ subnet }) => `subnet ${subnet} is not used: IPv${subnet.includes(':') ? 6 : 4} is off for this network`)
    .join('; ');
}

export function record(value: unknown, what: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw invalidParameter(`invalid ${what}: expected an object`);
  return value as Record<string, unknown>;
}

export function text(input: Record<string, unknown>, key: string): string {
  const value = input[key];
  if (value === undefined || value === null) return '';
  if (typeof value !== 'string') throw invalidParameter(`invalid ${key}: expected a string`);
  return value;
}

export function strings(value: unknown, what: string): Record<string, string> {
  if (value === undefined || value === null) return {};
  const entries = Object.entries(record(value, what));
  for (const [key, one] of entries)
    if (typeof one !== 'string') throw invalidParameter(`invalid ${what}: "${key}" must be a string`);
  return Object.fromEntries(entries) as Record<string, string>;
}

function flag(input: Record<string, unknown>, key: string): boolean | undefined {
  const value = input[key];
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'boolean') throw invalidParameter(`invalid ${key}: expected true or false`);
  return value;
}
