import type { NetworkDriver } from '../contracts/network-driver';
import { conflict, invalidParameter, notFound } from '../errors';

interface Endpoint {
  readonly index: number;
  joined: boolean;
}

/** The smallest driver that keeps every rule. It makes no interfaces: it only says which ones it would make. */
export function referenceNetworkDriver(): NetworkDriver {
  const networks = new Map<string, { gateway: string; endpoints: Map<string, Endpoint> }>();
  let made = 0;
  const find = (networkId: string) => {
    const network = networks.get(networkId);
    if (network === undefined) throw notFound(`no such network: ${networkId}`);
    return network;
  };
  const findEndpoint = (networkId: string, endpointId: string): Endpoint => {
    const endpoint = find(networkId).endpoints.get(endpointId);
    if (endpoint === undefined) throw notFound(`no such endpoint: ${endpointId}`);
    return endpoint;
  };
  return {
    async capabilities() {
      return { scope: 'global', connectivityScope: 'local', gwAllocChecker: true };
    },
    async allocateNetwork() {
      return { 'reference.id': String(++made) };
    },
    async freeNetwork() {},
    async gwAllocCheck({ internal }) {
      return { skipIPv4: internal, skipIPv6: internal };
    },
    async discover() {},
    async createNetwork(networkId, options, ipv4) {
      for (const option of Object.keys(options.generic)) throw invalidParameter(`invalid option: "${option}"`);
      if (networks.has(networkId)) throw conflict(`network ${networkId} is there already`);
      networks.set(networkId, { gateway: ipv4[0]?.gateway?.split('/')[0] ?? '', endpoints: new Map() });
    },
    async deleteNetwork(networkId) {
      if (find(networkId).endpoints.size > 0) throw conflict(`network ${networkId} has endpoints`);
      networks.delete(networkId);
    },
    async createEndpoint(networkId, endpointId, iface) {
      const { endpoints } = find(networkId);
      if (endpoints.has(endpointId)) throw conflict(`endpoint ${endpointId} is there already`);
      const index = ++made;
      endpoints.set(endpointId, { index, joined: false });
      const tail = [index >> 8, index].map((byte) => (byte & 255).toString(16).padStart(2, '0'));
      return iface.macAddress === '' ? { macAddress: `02:42:00:00:${tail.join(':')}` } : {};
    },
    async deleteEndpoint(networkId, endpointId) {
      findEndpoint(networkId, endpointId);
      find(networkId).endpoints.delete(endpointId);
    },
    async endpointInfo(networkId, endpointId) {
      return { interface: `ref${findEndpoint(networkId, endpointId).index}` };
    },
    async join(networkId, endpointId) {
      const endpoint = findEndpoint(networkId, endpointId);
      if (endpoint.joined) throw conflict(`endpoint ${endpointId} has joined already`);
      endpoint.joined = true;
      const { gateway } = find(networkId);
      return {
        interfaceName: { srcName: `ref${endpoint.index}`, dstPrefix: 'eth' },
        ...(gateway === '' ? {} : { gateway }),
        staticRoutes: [
          { destination: '198.19.1.0/24', routeType: 1, nextHop: '' },
          ...(gateway === '' ? [] : [{ destination: '198.19.2.0/24', routeType: 0 as const, nextHop: gateway }]),
        ],
      };
    },
    async leave(networkId, endpointId) {
      findEndpoint(networkId, endpointId).joined = false;
    },
    async programExternalConnectivity(networkId, endpointId) {
      findEndpoint(networkId, endpointId);
      return [];
    },
    async revokeExternalConnectivity(networkId, endpointId) {
      findEndpoint(networkId, endpointId);
    },
  };
}
