import { type IpamDriver, invalidParameter } from '@gantry/sdk';

/** The `null` IPAM driver: one pool that means "no pool", and no addresses. */
export function createNullIpam(): IpamDriver {
  const poolId = 'null/0.0.0.0/0';
  const space = 'null';
  return {
    capabilities: async () => ({ requiresMacAddress: false, requiresRequestReplay: false }),
    defaultAddressSpaces: async () => ({ local: space, global: space }),
    async requestPool(request) {
      if (request.addressSpace !== space) throw invalidParameter(`unknown address space: ${request.addressSpace}`);
      if (request.pool !== '')
        throw invalidParameter('null ipam driver does not handle specific address pool requests');
      if (request.subPool !== '')
        throw invalidParameter('null ipam driver does not handle specific address subpool requests');
      if (request.v6) throw invalidParameter('null ipam driver does not handle IPv6 address pool requests');
      return { poolId, pool: '0.0.0.0/0', data: {} };
    },
    releasePool: async () => undefined,
    async requestAddress(id) {
      if (id !== poolId) throw invalidParameter(`unknown pool id: ${id}`);
      return '0.0.0.0/0';
    },
    releaseAddress: async () => undefined,
  };
}
