import {
  type BoundPort,
  type EndpointLink,
  type EndpointOptions,
  invalidParameter,
  type PortBinding,
} from '@gantry/sdk';
import { isIPv6, plainAddress } from './addresses';
import type { BridgeEndpoint, BridgeNetwork } from './bridge-state';
import type { FirewallPort } from './firewall/packet-filter';
import type { BoundHostPort, PortAllocator, PortTargets } from './ports/port-allocator';

export interface Publication {
  readonly bound: readonly BoundHostPort[];
  readonly rules: readonly FirewallPort[];
}

/** How ports are published on this host. */
export interface PublishPolicy {
  /** Families the packet filter translates; ports of others are served by relays alone. */
  readonly translates: { readonly ipv4: boolean; readonly ipv6: boolean };
  /** Published ports are open at the containers' own addresses, too. */
  readonly directRouting: boolean;
}

/** Binds every port of an endpoint, or none. */
export function bindPorts(
  allocator: PortAllocator,
  policy: PublishPolicy,
  network: BridgeNetwork,
  endpoint: BridgeEndpoint,
  options: EndpointOptions,
): Publication {
  const bound: BoundHostPort[] = [];
  const rules: FirewallPort[] = openPorts(policy, network, endpoint, options);
  const ipv4 = plainAddress(endpoint.iface.address);
  const ipv6 = plainAddress(endpoint.iface.addressIPv6);
  try {
    for (const binding of options.portMap) {
      const { proto, port } = binding;
      const targets: PortTargets = {
        ipv4: ipv4 ? { ip: ipv4, port } : undefined,
        ipv6: ipv6 ? { ip: ipv6, port } : undefined,
      };
      for (const hostIps of hostAddresses(binding, network, targets, allocator.relays)) {
        const ports = allocator.bind(binding, hostIps, targets);
        bound.push(...ports);
        for (const { hostIp, hostPort } of ports) {
          const v6 = isIPv6(hostIp);
          const target = v6 ? targets.ipv6 : targets.ipv4;
          const translated = v6 ? policy.translates.ipv6 : policy.translates.ipv4;
          if (target === undefined) continue;
          if (!translated) {
            if (proto !== 'sctp') continue;
            throw invalidParameter(
              `cannot publish ${port}/sctp: sctp ports are translated by the packet filter, which the settings leave to the operator`,
            );
          }
          const any = hostIp === '0.0.0.0' || hostIp === '::';
          rules.push({ proto, hostIp: any ? '' : hostIp, hostPort, targetIp: target.ip, targetPort: target.port });
        }
      }
    }
    return { bound, rules };
  } catch (error) {
    allocator.release(bound);
    throw error;
  }
}

export function boundPorts(bound: readonly BoundHostPort[]): BoundPort[] {
  return bound.map(({ proto, port, hostIp, hostPort }) => ({ proto, port, hostIp, hostPort }));
}

/** Containers that are reached by their own addresses, as on routed networks: their ports are opened, not translated. */
export function openPorts(
  policy: PublishPolicy,
  network: BridgeNetwork,
  endpoint: BridgeEndpoint,
  options: EndpointOptions,
): FirewallPort[] {
  const { gatewayMode4, gatewayMode6 } = network.options;
  const targets = [
    policy.directRouting || gatewayMode4 === 'routed' ? plainAddress(endpoint.iface.address) : '',
    policy.directRouting || gatewayMode6 === 'routed' ? plainAddress(endpoint.iface.addressIPv6) : '',
  ].filter(Boolean);
  const ports = new Map(options.portMap.map((binding) => [`${binding.proto} ${binding.port}`, binding]));
  return targets.flatMap((targetIp) =>
    [...ports.values()].map(({ proto, port }) => ({ proto, hostIp: '', hostPort: 0, targetIp, targetPort: port })),
  );
}

/** Ports that are open for linked containers alone. Links are of IPv4, as their names in the hosts file are. */
export function linkedPorts(
  endpoints: ReadonlyMap<string, BridgeEndpoint>,
  links: readonly EndpointLink[],
): FirewallPort[] {
  const addressOf = (endpointId: string) => plainAddress(endpoints.get(endpointId)?.iface.address ?? '');
  const ports = links.flatMap(({ from, to, ports }) => {
    const [sourceIp, targetIp] = [addressOf(from), addressOf(to)];
    if (!sourceIp || !targetIp) return [];
    return ports.map(({ proto, port }) => ({ proto, hostIp: '', hostPort: 0, targetIp, targetPort: port, sourceIp }));
  });
  // Two names for the same container are one link.
  return [...new Map(ports.map((port) => [JSON.stringify(port), port])).values()];
}

/** Groups of host addresses; the addresses of a group share one port. */
function hostAddresses(
  binding: PortBinding,
  network: BridgeNetwork,
  targets: PortTargets,
  relays: boolean,
): string[][] {
  const wished = binding.hostIp.replace(/^\[(.*)\]$/, '$1') || network.options.hostIp;
  const { gatewayMode4, gatewayMode6 } = network.options;
  const serves4 = targets.ipv4 !== undefined && gatewayMode4 !== 'routed';
  const serves6 = targets.ipv6 !== undefined && gatewayMode6 !== 'routed';
  if (wished !== '') return serves4 || (serves6 && isIPv6(wished)) ? [[wished]] : [];
  const both = serves4 ? ['0.0.0.0'] : [];
  // The IPv6 side of an IPv4-only container is served by the relay.
  if (serves6 || (relays && binding.proto !== 'sctp' && serves4 && targets.ipv6 === undefined)) both.push('::');
  return both.length > 0 ? [both] : [];
}
