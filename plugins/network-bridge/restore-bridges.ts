import { errorMessage, type RestoredNetwork } from '@gantry/sdk';
import { type BridgeDeps, firewallNetwork, setUpNetwork } from './bridge-driver';
import { parseBridgeOptions } from './bridge-options';
import type { BridgeEndpoint, BridgeNetwork } from './bridge-state';
import type { FirewallNetwork, FirewallPort } from './firewall/packet-filter';
import { collectBridges } from './link/bridge-device';
import { collectEndpointLinks } from './link/endpoint-link';
import { bindPorts, openPorts } from './published-ports';

/** After a restart: bridges, held ports and the table come back; interfaces that belong to no endpoint go. */
export async function restoreBridges(deps: BridgeDeps, stored: readonly RestoredNetwork[]): Promise<void> {
  const { networks, firewall, log } = deps;
  const tableNetworks = new Map<string, FirewallNetwork>();
  const tablePorts = new Map<string, readonly FirewallPort[]>();
  for (const network of stored) {
    try {
      const restored = adopt(network, deps.mtu);
      networks.set(network.networkId, restored);
      tableNetworks.set(network.networkId, firewallNetwork(restored));
      for (const endpoint of network.endpoints) retake(deps, restored, endpoint, tablePorts);
    } catch (error) {
      log.error('a bridge network cannot be restored', { network: network.networkId, error: errorMessage(error) });
    }
  }
  await collectBridges(
    deps.socket,
    deps.owner,
    new Set([...networks.values()].map((network) => network.options.bridgeName)),
  );
  const endpointIds = [...networks.values()].flatMap((network) => [...network.endpoints.keys()]);
  await collectEndpointLinks(deps.socket, deps.owner, endpointIds);
  await firewall.replaceAll(tableNetworks, tablePorts);
  for (const network of networks.values()) {
    try {
      await setUpNetwork(deps, network, { firewall: false });
    } catch (error) {
      log.error('a bridge cannot be set up', { bridge: network.options.bridgeName, error: errorMessage(error) });
    }
  }
}

function adopt({ networkId, options, ipv4, ipv6, endpoints }: RestoredNetwork, mtu: BridgeDeps['mtu']): BridgeNetwork {
  return {
    networkId,
    options: parseBridgeOptions(networkId, options, mtu),
    ipv4,
    ipv6,
    index: 0,
    endpoints: new Map(
      endpoints.map(({ endpointId, iface, options: endpointOptions, sandboxKey }) => [
        endpointId,
        { endpointId, iface, options: endpointOptions, sandboxKey, bound: [] } satisfies BridgeEndpoint,
      ]),
    ),
  };
}

/** Holds the very ports the endpoint had. A port somebody else took meanwhile is reported and left out. */
function retake(
  deps: BridgeDeps,
  network: BridgeNetwork,
  { endpointId, boundPorts, options }: RestoredNetwork['endpoints'][number],
  tablePorts: Map<string, readonly FirewallPort[]>,
): void {
  const endpoint = network.endpoints.get(endpointId)!;
  const bound: BridgeEndpoint['bound'][number][] = [];
  const rules: FirewallPort[] = openPorts(deps.publishing, network, endpoint, options);
  for (const { proto, port, hostIp, hostPort } of boundPorts) {
    try {
      const portMap = [{ proto, port, hostIp, hostPort, hostPortEnd: hostPort }];
      const publication = bindPorts(deps.allocator, deps.publishing, network, endpoint, { ...options, portMap });
      bound.push(...publication.bound);
      rules.push(...publication.rules.filter((rule) => rule.hostPort !== 0));
    } catch (error) {
      deps.log.error('a published port could not be taken back', { endpoint: endpointId, error: errorMessage(error) });
    }
  }
  endpoint.bound = bound;
  if (rules.length > 0) tablePorts.set(endpointId, rules);
}
