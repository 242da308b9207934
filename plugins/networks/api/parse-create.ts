import { forbidden, invalidParameter } from '@gantry/sdk';
import { flag, mapOf, nullable, struct, text } from '@gantry/sdk/decode';
import type { NetworkSpec } from '../networks/network-registry';
import { ipamDocument, parseIpam } from './parse-ipam';

const ENABLE_IPV4 = 'com.docker.network.enable_ipv4';
const ENABLE_IPV6 = 'com.docker.network.enable_ipv6';

const createDocument = struct({
  Name: text,
  Driver: text,
  Scope: text,
  Internal: flag,
  Attachable: flag,
  Ingress: flag,
  ConfigOnly: flag,
  ConfigFrom: struct({ Network: text }),
  EnableIPv4: nullable(flag),
  EnableIPv6: nullable(flag),
  Options: mapOf(text),
  Labels: mapOf(text),
  IPAM: nullable(ipamDocument),
});

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
  if (body === undefined) throw invalidParameter('invalid JSON: got EOF while reading request body');
  const input = createDocument.decode(body, '');
  const name = input.Name;
  if (name.trim() === '') throw invalidParameter('invalid name: name is empty');
  const configOnly = input.ConfigOnly;
  const configFrom = input.ConfigFrom.Network;
  const scope = input.Scope;
  if (scope !== '' && scope !== 'local')
    throw invalidParameter(`scope ${scope} needs swarm mode; only "local" is supported`);
  if (input.Ingress) throw invalidParameter('an ingress network needs swarm mode');
  const driver = input.Driver || 'bridge';
  if (driver === 'overlay')
    throw forbidden(
      'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.',
    );
  const given = input.Options;
  const options = configFrom === '' ? { ...defaults[driver], ...given } : { ...given };
  const enableIPv4 = family(input.EnableIPv4, options, ENABLE_IPV4) ?? true;
  const enableIPv6 = family(input.EnableIPv6, options, ENABLE_IPV6) ?? false;
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
      internal: input.Internal,
      attachable: input.Attachable,
      configOnly,
      configFrom,
      enableIPv4,
      enableIPv6,
      options,
      labels: input.Labels,
      ipam,
    },
    warning: unusedSubnets(ipam.config, enableIPv4, enableIPv6),
  };
}

/** The field goes before the option, which then must not be shown beside it. */
function family(value: boolean | null, options: Record<string, string>, option: string): boolean | undefined {
  const wish = options[option];
  if (value !== null) {
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
