import type { IpamDriver } from '../contracts/ipam-driver';
import { systemError } from '../errors';
import { field, ipamDriverMethods, sortedMap, stringField, stringMapField } from '../wire';
import { askedOnce } from './asked-once';
import type { PluginClient } from './plugin-client';

/** An IPAM driver behind a socket. `avoid` of a pool request is not sent: the engine judges the answer (P-IPAM-3). */
export function connectIpamDriver(client: PluginClient): IpamDriver {
  const call = (method: keyof typeof ipamDriverMethods, body?: unknown) =>
    client.call({ ...ipamDriverMethods[method], body });
  const asked = askedOnce(async () => {
    const body = await call('capabilities');
    return {
      requiresMacAddress: field(body, 'RequiresMACAddress') === true,
      requiresRequestReplay: field(body, 'RequiresRequestReplay') === true,
    };
  });
  return {
    // Failing means "none" (P-IPAM-7), and the next one who wants to know asks again.
    capabilities: () => asked().catch(() => ({ requiresMacAddress: false, requiresRequestReplay: false })),
    async defaultAddressSpaces() {
      const body = await call('defaultAddressSpaces');
      return {
        local: stringField(body, 'LocalDefaultAddressSpace'),
        global: stringField(body, 'GlobalDefaultAddressSpace'),
      };
    },
    async requestPool(request) {
      const body = await call('requestPool', {
        AddressSpace: request.addressSpace,
        Pool: request.pool,
        SubPool: request.subPool,
        Options: sortedMap(request.options),
        V6: request.v6,
      });
      return {
        poolId: stringField(body, 'PoolID'),
        pool: stringField(body, 'Pool'),
        data: stringMapField(body, 'Data'),
      };
    },
    async releasePool(poolId) {
      await call('releasePool', { PoolID: poolId });
    },
    async requestAddress(poolId, address, options) {
      const body = await call('requestAddress', { PoolID: poolId, Address: address, Options: sortedMap(options) });
      const given = stringField(body, 'Address');
      if (given === '') throw systemError(`remote: plugin "${client.name}" gave an empty address for pool ${poolId}`);
      return given;
    },
    async releaseAddress(poolId, address) {
      await call('releaseAddress', { PoolID: poolId, Address: address });
    },
  };
}
