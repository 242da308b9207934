import type { IpamDriver } from '../contracts/ipam-driver';
import { field, ipamDriverMethods, stringField, stringMapField } from '../wire';
import { type ServedKind, silently } from './method-table';

/** The wire methods of an IPAM driver. */
export function ipamDriverKind(driver: IpamDriver): ServedKind {
  return {
    kind: 'IpamDriver',
    errorField: 'Error',
    methods: {
      [ipamDriverMethods.capabilities.method]: async () => {
        const { requiresMacAddress, requiresRequestReplay } = await driver.capabilities();
        return { RequiresMACAddress: requiresMacAddress, RequiresRequestReplay: requiresRequestReplay };
      },
      [ipamDriverMethods.defaultAddressSpaces.method]: async () => {
        const { local, global } = await driver.defaultAddressSpaces();
        return { LocalDefaultAddressSpace: local, GlobalDefaultAddressSpace: global };
      },
      [ipamDriverMethods.requestPool.method]: async (body) => {
        const { poolId, pool, data } = await driver.requestPool({
          addressSpace: stringField(body, 'AddressSpace'),
          pool: stringField(body, 'Pool'),
          subPool: stringField(body, 'SubPool'),
          options: stringMapField(body, 'Options'),
          v6: field(body, 'V6') === true,
        });
        return { PoolID: poolId, Pool: pool, Data: data };
      },
      [ipamDriverMethods.releasePool.method]: silently((body) => driver.releasePool(stringField(body, 'PoolID'))),
      [ipamDriverMethods.requestAddress.method]: async (body) => ({
        Address: await driver.requestAddress(
          stringField(body, 'PoolID'),
          stringField(body, 'Address'),
          stringMapField(body, 'Options'),
        ),
        Data: {},
      }),
      [ipamDriverMethods.releaseAddress.method]: silently((body) =>
        driver.releaseAddress(stringField(body, 'PoolID'), stringField(body, 'Address')),
      ),
    },
  };
}
