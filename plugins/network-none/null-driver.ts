import { forbidden, type NetworkDriver } from '@gantry/sdk';

/** No network: the sandbox has its loopback and nothing else. */
export function createNullDriver(): NetworkDriver {
  let network: string | undefined;
  return {
    capabilities: async () => ({ scope: 'local', connectivityScope: 'local' }),
    async createNetwork(networkId) {
      if (network !== undefined && network !== networkId)
        throw forbidden('only one instance of "null" network is allowed');
      network = networkId;
    },
    async deleteNetwork() {
      throw forbidden('network of type "null" cannot be deleted');
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
