import { type NetworkRecord, predefinedNames } from '../records/network-record';
import type { Sandboxes } from '../sandbox/sandboxes';

/** `Network` of the Engine API. @param sandboxes shown as `Containers` when given */
export function renderNetwork(network: NetworkRecord, sandboxes: Sandboxes | undefined): Record<string, unknown> {
  return {
    Name: network.name,
    Id: network.id,
    Created: network.createdAt,
    Scope: network.scope,
    Driver: network.driver,
    EnableIPv4: network.enableIPv4,
    EnableIPv6: network.enableIPv6,
    IPAM: {
      // The predefined networks have no pools, but dockerd names them so.
      Driver: predefinedNames.has(network.name) ? 'default' : network.ipam.driver,
      Options: nullWhenEmpty(network.ipam.options),
      Config: ipamConfig(network),
    },
    Internal: network.internal,
    Attachable: network.attachable,
    Ingress: false,
    ConfigFrom: { Network: network.configFrom },
    ConfigOnly: network.configOnly,
    Containers: sandboxes ? containersOf(network, sandboxes) : {},
    Options: network.options,
    Labels: network.labels,
  };
}

function containersOf(network: NetworkRecord, sandboxes: Sandboxes): Record<string, unknown> {
  const entries = sandboxes.list().flatMap((sandbox) =>
    sandbox.endpoints
      .filter((endpoint) => endpoint.networkId === network.id)
      .map((endpoint) => [
        sandbox.request.containerId,
        {
          Name: sandbox.request.containerName,
          EndpointID: endpoint.endpointId,
          MacAddress: endpoint.macAddress,
          IPv4Address: endpoint.address,
          IPv6Address: endpoint.addressIPv6,
        },
      ]),
  );
  return Object.fromEntries(entries);
}

function ipamConfig(network: NetworkRecord): unknown {
  if (network.ipam.driver === 'null') return null;
  // What the user asked for is shown as it was; pools chosen for the network fill the families left open.
  const asked = network.ipam.config.filter((entry) => entry.subnet !== '');
  const shown: unknown[] = asked.map((entry) => ({
    Subnet: entry.subnet,
    ...(entry.ipRange ? { IPRange: entry.ipRange } : {}),
    ...(entry.gateway ? { Gateway: entry.gateway } : {}),
    ...(Object.keys(entry.auxAddresses).length > 0 ? { AuxiliaryAddresses: entry.auxAddresses } : {}),
  }));
  for (const pool of network.pools)
    if (!asked.some((entry) => entry.subnet.includes(':') === (pool.version === 6)))
      shown.push({ Subnet: pool.pool, ...(pool.gateway ? { Gateway: pool.gateway.split('/')[0] } : {}) });
  return shown;
}

function nullWhenEmpty(options: Readonly<Record<string, string>>): Readonly<Record<string, string>> | null {
  return Object.keys(options).length > 0 ? options : null;
}
