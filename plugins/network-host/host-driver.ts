import { forbidden, type NetworkDriver } from '@gantry/sdk';

/** The host's own network: one network, no interfaces, no addresses. */
export function createHostDriver(): NetworkDriver {
  let network: string | undefined;
  return {
    capabilities: async () => ({ scope: 'local', connectivityScope: 'local' }),
    async createNetwork(networkId) {
      if (network !== undefined && network !== networkId)
        throw forbidden('only one instance of "host" network is allowed');
      network = networkId;
    },
    async deleteNetwork() {
      throw forbidden('network of type "host" cannot be deleted');
    },
    createEndpoint: async () => ({}),
    deleteEndpoint: async () => undefined,
    endpointInfo: async () => ({}),
    join: async () => ({}),
    leave: async () => undefined,
    async restore(networks) {
      network = networks[0]?.networkId;
    },
  };
}
