import {
  conflict,
  type DaemonSettings,
  type EndpointOptions,
  errorMessage,
  forbidden,
  type IpamData,
  KeyedLock,
  type Logger,
  type NetworkDriver,
  notFound,
} from '@gantry/sdk';
import { forgetConnections } from '@gantry/sdk/linux/conntrack';
import type { NetlinkSocket } from '@gantry/sdk/linux/netlink';
import { deleteNeighbour } from '@gantry/sdk/linux/rtnetlink';
import { canonicalCidr, parsePrefix, plainAddress } from './addresses';
import { type FallbackMtu, parseBridgeOptions } from './bridge-options';
import { assertPools } from './bridge-pools';
import type { BridgeEndpoint, BridgeNetwork } from './bridge-state';
import type { FirewallNetwork, PacketFilter } from './firewall/packet-filter';
import { enableForwarding, ensureBridge, removeBridge } from './link/bridge-device';
import { filterBridgedPackets } from './link/bridged-packets';
import { createEndpointLink, macOf, removeEndpointLink, sandboxEnd } from './link/endpoint-link';
import type { PortAllocator } from './ports/port-allocator';
import { bindPorts, boundPorts, linkedPorts, type PublishPolicy } from './published-ports';
import { restoreBridges } from './restore-bridges';

export interface BridgeDriver extends NetworkDriver {
  /** Gives up sockets and held ports; the kernel's state stays while there are containers that run on. */
  close(): Promise<void>;
}

export interface BridgeDeps {
  readonly settings: DaemonSettings;
  readonly mtu: FallbackMtu;
  readonly log: Logger;
  /** Marks what is ours in the kernel: name of the table, note on bridges. */
  readonly owner: string;
  readonly socket: NetlinkSocket;
  /** The socket tracked connections are forgotten through. */
  readonly conntrack: NetlinkSocket;
  readonly firewall: PacketFilter;
  readonly allocator: PortAllocator;
  readonly publishing: PublishPolicy;
  readonly networks: Map<string, BridgeNetwork>;
}

const UDP = 17;
/** The network does not exist yet, and its options do not depend on the id. */
const ANY_ID = '0'.repeat(64);

/** Driver `bridge`: a Linux bridge per network, a veth pair per endpoint, ports published by the packet filter. */
export function createBridgeDriver(deps: BridgeDeps): BridgeDriver {
  const { socket, firewall, allocator, networks } = deps;
  const locks = new KeyedLock();

  const network = (id: string): BridgeNetwork => {
    const found = networks.get(id);
    if (found === undefined) throw notFound(`network ${id} does not exist`);
    return found;
  };
  const endpointOf = (networkId: string, endpointId: string): BridgeEndpoint => {
    const found = network(networkId).endpoints.get(endpointId);
    if (found === undefined) throw notFound(`endpoint not found: ${endpointId}`);
    return found;
  };

  return {
    capabilities: async () => ({ scope: 'local', connectivityScope: 'local', gwAllocChecker: true }),

    async gwAllocCheck(options) {
      const { gatewayMode4, gatewayMode6, inhibitIPv4, internal } = parseBridgeOptions(ANY_ID, options, deps.mtu);
      return {
        skipIPv4: gatewayMode4 === 'isolated' || (inhibitIPv4 && internal),
        skipIPv6: gatewayMode6 === 'isolated',
      };
    },

    async createNetwork(networkId, options, ipv4, ipv6) {
      await locks.run('networks', async () => {
        if (networks.has(networkId)) throw forbidden(`network ${networkId} exists`);
        const parsed = parseBridgeOptions(networkId, options, deps.mtu);
        assertPools(options, ipv4, ipv6);
        for (const other of networks.values())
          if (other.options.bridgeName === parsed.bridgeName)
            throw forbidden(
              `cannot create network ${networkId} (${parsed.bridgeName}): conflicts with network ${other.networkId} (${other.options.bridgeName}): networks have same bridge name`,
            );
        const made: BridgeNetwork = { networkId, options: parsed, ipv4, ipv6, index: 0, endpoints: new Map() };
        networks.set(networkId, made);
        try {
          await setUpNetwork(deps, made);
        } catch (error) {
          networks.delete(networkId);
          await removeBridge(socket, parsed.bridgeName, deps.owner);
          await firewall.deleteNetwork(networkId);
          throw error;
        }
      });
    },

    async deleteNetwork(networkId) {
      await locks.run('networks', async () => {
        const found = networks.get(networkId);
        if (found === undefined) return;
        if (found.endpoints.size > 0) throw forbidden(`network ${networkId} has active endpoints`);
        await removeBridge(socket, found.options.bridgeName, deps.owner);
        await firewall.deleteNetwork(networkId);
        networks.delete(networkId);
      });
    },

    async createEndpoint(networkId, endpointId, iface, options) {
      const { endpoints } = network(networkId);
      if (endpoints.has(endpointId)) throw conflict(`endpoint ${endpointId} exists`);
      const given = iface.macAddress === '' ? { macAddress: macOf(plainAddress(iface.address)) } : {};
      endpoints.set(endpointId, { endpointId, iface: { ...iface, ...given }, options, sandboxKey: '', bound: [] });
      return given;
    },

    async deleteEndpoint(networkId, endpointId) {
      const found = networks.get(networkId);
      const endpoint = found?.endpoints.get(endpointId);
      if (found === undefined || endpoint === undefined) return;
      await unpublish(endpoint);
      await removeEndpointLink(socket, endpointId, endpoint.sandboxKey);
      // A MAC of the user's choice is not that of the next holder of the address.
      const addresses = [endpoint.iface.address, endpoint.iface.addressIPv6].filter(Boolean);
      await socket.request(addresses.map((cidr) => deleteNeighbour(found.index, parsePrefix(cidr).address)));
      found.endpoints.delete(endpointId);
    },

    async endpointInfo(networkId, endpointId) {
      const { iface, bound } = endpointOf(networkId, endpointId);
      return {
        'com.docker.network.endpoint.macaddress': iface.macAddress,
        'com.docker.network.portmap': boundPorts(bound),
      };
    },

    async join(networkId, endpointId, sandboxKey) {
      const { index, options, ipv4, ipv6 } = network(networkId);
      const endpoint = endpointOf(networkId, endpointId);
      endpoint.sandboxKey = sandboxKey;
      await createEndpointLink(socket, {
        endpointId,
        owner: deps.owner,
        bridgeIndex: index,
        sandboxKey,
        macAddress: endpoint.iface.macAddress,
        mtu: options.mtu,
        isolated: !options.icc,
      });
      const gateway = (pools: readonly IpamData[], address: string) =>
        address === '' || options.internal ? undefined : gatewayOf(pools);
      return {
        interfaceName: { srcName: sandboxEnd(endpointId), dstPrefix: options.interfacePrefix },
        gateway: options.inhibitIPv4 ? undefined : gateway(ipv4, endpoint.iface.address),
        gatewayIPv6: gateway(ipv6, endpoint.iface.addressIPv6),
      };
    },

    async leave(networkId, endpointId) {
      const endpoint = networks.get(networkId)?.endpoints.get(endpointId);
      if (endpoint === undefined) return;
      await unpublish(endpoint);
      // Out of a sandbox that lives on the pair goes at once; otherwise it goes with the sandbox.
      await removeEndpointLink(socket, endpointId, endpoint.sandboxKey);
    },

    async programExternalConnectivity(networkId, endpointId, options) {
      const found = network(networkId);
      const endpoint = endpointOf(networkId, endpointId);
      await publish(found, endpoint, options);
      return boundPorts(endpoint.bound);
    },

    async revokeExternalConnectivity(networkId, endpointId) {
      const endpoint = networks.get(networkId)?.endpoints.get(endpointId);
      if (endpoint) await unpublish(endpoint);
    },

    async setLinks(networkId, links) {
      const { options, endpoints } = network(networkId);
      if (options.icc) return;
      const key = `links of ${networkId}`;
      await firewall.unpublish(key);
      await firewall.publish(key, linkedPorts(endpoints, links));
    },

    restore: (stored) => restoreBridges(deps, stored),

    async close() {
      const endpoints = [...networks.values()].flatMap((one) => [...one.endpoints.values()]);
      for (const endpoint of endpoints) allocator.release(endpoint.bound);
      await firewall.close(endpoints.length === 0);
      socket.close();
      deps.conntrack.close();
    },
  };

  async function publish(found: BridgeNetwork, endpoint: BridgeEndpoint, options: EndpointOptions): Promise<void> {
    const { bound, rules } = bindPorts(allocator, deps.publishing, found, endpoint, options);
    endpoint.bound = bound;
    try {
      await firewall.publish(endpoint.endpointId, rules);
    } catch (error) {
      await unpublish(endpoint);
      throw error;
    }
  }

  async function unpublish(endpoint: BridgeEndpoint): Promise<void> {
    const { bound } = endpoint;
    endpoint.bound = [];
    try {
      await firewall.unpublish(endpoint.endpointId);
      // Clients that go on sending from the same port would reach the address of a container that is gone.
      if (bound.some(({ proto }) => proto === 'udp')) {
        const { address, addressIPv6 } = endpoint.iface;
        const addresses = [address, addressIPv6].filter(Boolean).map((cidr) => parsePrefix(cidr).address);
        await forgetConnections(deps.conntrack, UDP, addresses);
      }
    } catch (error) {
      deps.log.error('taking published ports out of the packet filter failed', { error: errorMessage(error) });
    } finally {
      allocator.release(bound);
    }
  }
}

/** Brings the kernel to what the network wants. Repeatable. */
export async function setUpNetwork(
  deps: BridgeDeps,
  network: BridgeNetwork,
  parts: { readonly firewall: boolean } = { firewall: true },
): Promise<void> {
  const { settings, socket, firewall } = deps;
  const { options, ipv4, ipv6 } = network;
  const gateways = [...(options.inhibitIPv4 ? [] : ipv4), ...ipv6]
    .map((pool) => pool.gateway)
    .filter((gateway) => gateway !== undefined);
  network.index = await ensureBridge(socket, {
    name: options.bridgeName,
    owner: deps.owner,
    mtu: options.mtu,
    addresses: gateways,
    exclusive: options.isDefault,
  });
  if (!options.icc && settings.bridge.manageFirewall) await filterBridgedPackets();
  if (settings.bridge.ipForward && !options.internal) enableForwarding(ipv6.length > 0);
  if (parts.firewall) await firewall.setNetwork(network.networkId, firewallNetwork(network));
}

export function firewallNetwork({ options, ipv4, ipv6 }: BridgeNetwork): FirewallNetwork {
  return {
    bridgeName: options.bridgeName,
    subnets4: ipv4.map((pool) => canonicalCidr(pool.pool)),
    subnets6: ipv6.map((pool) => canonicalCidr(pool.pool)),
    icc: options.icc,
    masquerade: options.masquerade,
    internal: options.internal,
    gatewayMode4: options.gatewayMode4,
    gatewayMode6: options.gatewayMode6,
    sourceIp4: options.sourceIp4,
    sourceIp6: options.sourceIp6,
    trustedInterfaces: options.trustedInterfaces,
  };
}

/** What containers route through: the bridge's address, or the operator's other one. */
function gatewayOf(pools: readonly IpamData[]): string | undefined {
  const [pool] = pools;
  const other = pool?.auxAddresses?.DefaultGatewayIPv4 ?? pool?.auxAddresses?.DefaultGatewayIPv6;
  const gateway = other ?? pool?.gateway;
  return gateway === undefined ? undefined : plainAddress(gateway);
}
