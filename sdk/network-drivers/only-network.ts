import type { NetworkDriver } from '../contracts/network-driver';
import { conflict, forbidden, notFound } from '../errors';

/**
 * A driver with one network that nobody can delete, and with nothing to do in the kernel: the sandboxes themselves make
 * the difference, as with `host` and `null`.
 *
 * @param kind its name, for the words of refusals
 */
export function createOnlyNetworkDriver(kind: string): NetworkDriver {
  let network: string | undefined;
  const endpoints = new Set<string>();
  const requireNetwork = (networkId: string) => {
    if (networkId !== network) throw notFound(`network ${networkId} does not exist`);
  };
  const requireEndpoint = (networkId: string, endpointId: string) => {
    requireNetwork(networkId);
    if (!endpoints.has(endpointId)) throw notFound(`endpoint not found: ${endpointId}`);
  };
  return {
    capabilities: async () => ({ scope: 'local', connectivityScope: 'local' }),
    async createNetwork(networkId) {
      if (network !== undefined && network !== networkId)
        throw forbidden(`only one instance of "${kind}" network is allowed`);
      network = networkId;
    },
    async deleteNetwork() {
      throw forbidden(`network of type "${kind}" cannot be deleted`);
    },
    async createEndpoint(networkId, endpointId) {
      requireNetwork(networkId);
      if (endpoints.has(endpointId)) throw conflict(`endpoint ${endpointId} exists`);
      endpoints.add(endpointId);
      return {};
    },
    async deleteEndpoint(_networkId, endpointId) {
      endpoints.delete(endpointId);
    },
    async endpointInfo(networkId, endpointId) {
      requireEndpoint(networkId, endpointId);
      return {};
    },
    async join(networkId, endpointId) {
      requireEndpoint(networkId, endpointId);
      return {};
    },
    leave: async () => undefined,
    async restore([stored]) {
      network = stored?.networkId;
      for (const { endpointId } of stored?.endpoints ?? []) endpoints.add(endpointId);
    },
  };
}
