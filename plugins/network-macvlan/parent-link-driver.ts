import { randomBytes } from 'node:crypto';
import { closeSync, existsSync, openSync } from 'node:fs';
import {
  conflict,
  type EndpointInterface,
  errorMessage,
  forbidden,
  type IpamData,
  invalidParameter,
  type JoinResult,
  KeyedLock,
  type Logger,
  type NetworkDriver,
  notFound,
} from '@gantry/sdk';
import type { NetlinkSocket } from '@gantry/sdk/linux/netlink';
import { changeLink, deleteLink, getLink, listLinks } from '@gantry/sdk/linux/rtnetlink';
import { newIpvlan, newMacvlan } from '@gantry/sdk/linux/rtnetlink-kinds';
import ipaddr from 'ipaddr.js';
import { assertKernelKnows, ensureParent, removeParent } from './parent-link';
import { type LinkMode, type ParentOptions, parseParentOptions } from './parent-options';

interface Network {
  readonly networkId: string;
  readonly options: ParentOptions;
  readonly ipv4: readonly IpamData[];
  readonly ipv6: readonly IpamData[];
  readonly endpoints: Map<string, EndpointInterface>;
}

export interface ParentLinkDeps {
  readonly socket: NetlinkSocket;
  readonly log: Logger;
  /** Noted on interfaces we make, so that they can be told from others'. */
  readonly owner: string;
  /** Every network of both drivers: they share parents. */
  readonly parents: Map<string, Network>;
}

/** Name of an endpoint's interface until the sandbox gives it its own. */
const linkName = (endpointId: string): string => `vetp${endpointId.slice(0, 7)}`;

/** Drivers `macvlan` and `ipvlan`: each container has an interface of its own on an interface of the host. */
export function createParentLinkDriver(kind: LinkMode['kind'], deps: ParentLinkDeps): NetworkDriver {
  const { socket, owner, parents } = deps;
  const locks = new KeyedLock();
  const network = (id: string): Network => {
    const found = parents.get(id);
    if (found === undefined) throw notFound(`network id ${id} not found`);
    return found;
  };
  const endpointOf = (networkId: string, endpointId: string): EndpointInterface => {
    const found = network(networkId).endpoints.get(endpointId);
    if (found === undefined) throw notFound(`could not find endpoint with id ${endpointId}`);
    return found;
  };
  const isShared = (one: Network) =>
    [...parents.values()].some(
      (other) => other.networkId !== one.networkId && other.options.parent === one.options.parent,
    );

  return {
    capabilities: async () => ({ scope: 'local', connectivityScope: 'global' }),

    async createNetwork(networkId, options, ipv4, ipv6) {
      if (!options.enableIPv4 && !options.enableIPv6) throw invalidParameter('IPv4 or IPv6 must be enabled');
      if (options.enableIPv4 && (ipv4[0] === undefined || ipv4[0].pool === '0.0.0.0/0'))
        throw invalidParameter('ipv4 pool is empty');
      const parsed = parseParentOptions(kind, networkId, options);
      assertKernelKnows(socket, kind, kind);
      await locks.run('networks', async () => {
        if (parents.has(networkId)) throw forbidden(`network ${networkId} exists`);
        const made: Network = { networkId, options: parsed, ipv4, ipv6, endpoints: new Map() };
        assertParentIsFree(made, parents.values());
        parents.set(networkId, made);
        try {
          await ensureParent(socket, owner, parsed);
        } catch (error) {
          parents.delete(networkId);
          if (!isShared(made)) await removeParent(socket, owner, parsed.parent);
          throw error;
        }
      });
    },

    async deleteNetwork(networkId) {
      await locks.run('networks', async () => {
        const found = parents.get(networkId);
        if (found === undefined) return;
        if (found.endpoints.size > 0) throw forbidden(`network ${networkId} has active endpoints`);
        if (!isShared(found)) await removeParent(socket, owner, found.options.parent);
        parents.delete(networkId);
      });
    },

    async createEndpoint(networkId, endpointId, iface) {
      const { endpoints } = network(networkId);
      if (endpoints.has(endpointId)) throw conflict(`endpoint ${endpointId} exists`);
      if (kind === 'ipvlan' && iface.macAddress !== '')
        throw invalidParameter('ipvlan interfaces do not support custom mac address assignment');
      // Interfaces of ipvlan have the address of their parent.
      const given = kind === 'macvlan' && iface.macAddress === '' ? { macAddress: macOf(iface.address) } : {};
      endpoints.set(endpointId, { ...iface, ...given });
      return given;
    },

    async deleteEndpoint(networkId, endpointId) {
      const found = parents.get(networkId);
      if (found === undefined || !found.endpoints.has(endpointId)) return;
      await socket.request([deleteLink(linkName(endpointId))]);
      found.endpoints.delete(endpointId);
    },

    endpointInfo: async (networkId, endpointId) => ({
      'com.docker.network.endpoint.macaddress': endpointOf(networkId, endpointId).macAddress,
    }),

    async join(networkId, endpointId, sandboxKey) {
      const found = network(networkId);
      const iface = endpointOf(networkId, endpointId);
      const parent = await ensureParent(socket, owner, found.options);
      const namespaceFd = existsSync(sandboxKey) ? openSync(sandboxKey, 'r') : undefined;
      const name = linkName(endpointId);
      const { link } = found.options;
      try {
        const mac = iface.macAddress === '' ? undefined : macBytes(iface.macAddress);
        const change = { mac, namespaceFd };
        await socket.request([
          link.kind === 'macvlan'
            ? newMacvlan(name, parent.index, link.mode, change)
            : newIpvlan(name, parent.index, link.mode, link.flag, change),
        ]);
      } finally {
        if (namespaceFd !== undefined) closeSync(namespaceFd);
      }
      if (namespaceFd === undefined) await socket.request([changeLink(name, { alias: owner })]);
      return {
        interfaceName: { srcName: name, dstPrefix: 'eth' },
        disableGatewayService: true,
        ...waysOut(found, iface),
      };
    },

    /** In the host's namespace is only what no sandbox has taken; the engine brings back what one has. */
    async leave(networkId, endpointId) {
      if (parents.get(networkId)?.endpoints.has(endpointId)) await socket.request([deleteLink(linkName(endpointId))]);
    },

    async restore(stored) {
      for (const { networkId, options, ipv4, ipv6, endpoints } of stored) {
        try {
          const restored: Network = {
            networkId,
            options: parseParentOptions(kind, networkId, options),
            ipv4,
            ipv6,
            endpoints: new Map(endpoints.map(({ endpointId, iface }) => [endpointId, iface])),
          };
          parents.set(networkId, restored);
          await ensureParent(socket, owner, restored.options);
        } catch (error) {
          deps.log.error(`a ${kind} network cannot be restored`, { network: networkId, error: errorMessage(error) });
        }
      }
      // Interfaces that wait on the host for a sandbox belong to a join that was cut short.
      const strays = listLinks(socket).filter((link) => link.kind === kind && link.alias === owner);
      await socket.request(strays.map((link) => deleteLink(link.index)));
    },
  };

  function assertParentIsFree(made: Network, others: Iterable<Network>): void {
    const { parent, link } = made.options;
    for (const other of others) {
      if (other.options.parent !== parent) continue;
      if (other.options.link.kind !== kind)
        throw forbidden(`network ${other.networkId} is already using parent interface ${parent}`);
      if (kind === 'ipvlan' && other.options.link.mode !== link.mode)
        throw forbidden(
          `cannot use mode ${link.mode}, ipvlan network ${other.networkId} is already using parent interface ${parent} in mode ${other.options.link.mode}`,
        );
      if (link.mode === 'passthru')
        throw forbidden(
          `cannot use mode passthru, macvlan network ${other.networkId} is already using parent interface ${parent}`,
        );
      if (other.options.link.mode === 'passthru')
        throw forbidden(
          `macvlan network ${other.networkId} is already using parent interface ${parent} in mode passthru`,
        );
    }
    if (getLink(socket, parent)?.kind === kind)
      throw invalidParameter(`parent interface ${parent} is itself of kind ${kind}`);
  }
}

/** Gateways of the pools the addresses are from; layer 3 modes of ipvlan have a route without one. */
function waysOut({ options, ipv4, ipv6 }: Network, iface: EndpointInterface): Partial<JoinResult> {
  if (options.internal) return {};
  if (options.link.mode === 'l3' || options.link.mode === 'l3s') {
    const families = [iface.address ? '0.0.0.0/0' : '', iface.addressIPv6 ? '::/0' : ''].filter(Boolean);
    return { staticRoutes: families.map((destination) => ({ destination, routeType: 1, nextHop: '' })) };
  }
  return { gateway: gatewayFor(ipv4, iface.address), gatewayIPv6: gatewayFor(ipv6, iface.addressIPv6) };
}

function gatewayFor(pools: readonly IpamData[], address: string): string | undefined {
  if (address === '') return undefined;
  const ip = ipaddr.parse(address.split('/')[0]!);
  const home = pools.find(({ pool }) => {
    const [base, length] = ipaddr.parseCIDR(pool);
    return ip.kind() === base.kind() && (ip as ipaddr.IPv4).match(base as ipaddr.IPv4, length);
  });
  return home?.gateway?.split('/')[0];
}

/** `02:42:` and the IPv4 address, so that an address keeps its MAC when it changes hands. */
function macOf(address: string): string {
  const bytes = address === '' ? randomBytes(4) : ipaddr.parse(address.split('/')[0]!).toByteArray();
  return ['02', '42', ...[...bytes].map((byte) => byte.toString(16).padStart(2, '0'))].join(':');
}

function macBytes(text: string): Uint8Array {
  return Uint8Array.from(text.split(':').map((digits) => Number.parseInt(digits, 16)));
}
