import { invalidParameter } from '@gantry/sdk';
import type { NetworkSpec } from '../networks/network-registry';
import { parseIpam } from './parse-ipam';

/** `NetworkCreateRequest` of the Engine API. @throws invalid-parameter */
export function parseCreate(body: unknown): { readonly spec: NetworkSpec; readonly warning: string } {
  const input = record(body, 'request body');
  const name = text(input, 'Name');
  if (name.trim() === '') throw invalidParameter('invalid name: name is empty');
  if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(name.trim()))
    throw invalidParameter(`invalid network name ${name}: only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed`);
  const configOnly = flag(input, 'ConfigOnly') ?? false;
  const configFrom = input.ConfigFrom == null ? '' : text(record(input.ConfigFrom, 'ConfigFrom'), 'Network');
  const scope = text(input, 'Scope');
  if (scope !== '' && scope !== 'local')
    throw invalidParameter(`scope ${scope} needs swarm mode; only "local" is supported`);
  if (flag(input, 'Ingress')) throw invalidParameter('an ingress network needs swarm mode');
  const driver = text(input, 'Driver') || 'bridge';
  const enableIPv4 = flag(input, 'EnableIPv4') ?? true;
  const enableIPv6 = flag(input, 'EnableIPv6') ?? false;
  const ipam = parseIpam(input.IPAM, enableIPv4, enableIPv6);
  const options = strings(input.Options, 'Options');
  if (configOnly && configFrom !== '')
    throw invalidParameter('a configuration network cannot depend on another configuration network');
  if (configFrom !== '' && (ipam.config.length > 0 || Object.keys(options).length > 0))
    throw invalidParameter(
      'user specified configurations are not supported if the network depends on a configuration network',
    );
  return {
    spec: {
      name: name.trim(),
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
    warning: '',
  };
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
