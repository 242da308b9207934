import type { IpamDriver } from '../../contracts/ipam-driver';
import { change, type Mutants, when, wireMutants } from './mutants';

const on = (name: string) => `IpamDriver.${name}`;
const failing = { status: 200, text: '{"Error":"broken on purpose"}' };
const otherwise = (d: IpamDriver, pattern: RegExp, address: string): IpamDriver => ({
  ...d,
  requestAddress: (...args) =>
    d.requestAddress(...args).catch((error: Error) => {
      if (pattern.test(error.message)) return address;
      throw error;
    }),
});
const refusing = (d: IpamDriver, option: string): IpamDriver => ({
  ...d,
  requestAddress: async (pool, address, options) => {
    if (option in options) throw new Error(`unknown option ${option}`);
    return d.requestAddress(pool, address, options);
  },
});

export const ipamMutants: Mutants<IpamDriver> = {
  ...wireMutants('ipam', 'IpamDriver', on('ReleaseAddress')),
  'ipam.wire.empty-body': {
    fault: when(
      on('GetDefaultAddressSpaces'),
      () => 400,
      ({ headers }) => !headers.accept,
    ),
  },
  'ipam.wire.pool': { fault: change(on('RequestPool'), (answer) => ({ ...answer, Pool: '198.18.78.0' })) },
  'ipam.wire.address': { fault: change(on('RequestAddress'), () => ({ Address: '', Data: {} })) },
  'ipam.capabilities': { fault: change(on('GetCapabilities'), () => ({ RequiresMACAddress: 'yes' })) },
  'ipam.address-spaces': { driver: (d) => ({ ...d, defaultAddressSpaces: async () => ({ local: '', global: 'x' }) }) },
  'ipam.pool.asked': {
    driver: (d) => ({
      ...d,
      requestPool: async (r) => ({ ...(await d.requestPool(r)), ...(r.pool ? { pool: '198.18.0.0/16' } : {}) }),
    }),
  },
  'ipam.pool.any': {
    driver: (d) => ({
      ...d,
      requestPool: async (r) => ({ ...(await d.requestPool(r)), ...(r.pool || r.v6 ? {} : { pool: '198.18.0.1/32' }) }),
    }),
  },
  'ipam.pool.again': {
    driver: (d) => {
      let count = 0;
      const real = (id: string) => id.replace(/#\d+$/, '');
      return {
        ...d,
        requestPool: async (r) => {
          const given = await d.requestPool(r);
          return { ...given, poolId: `${given.poolId}#${++count}` };
        },
        releasePool: (id) => d.releasePool(real(id)),
        requestAddress: (id, ...rest) => d.requestAddress(real(id), ...rest),
        releaseAddress: (id, address) => d.releaseAddress(real(id), address),
      };
    },
  },
  'ipam.pool.counted': {
    driver: (d) => ({
      ...d,
      releasePool: async (id) => {
        await d.releasePool(id);
        for (let gone = false; !gone; )
          gone = await d.releasePool(id).then(
            () => false,
            () => true,
          );
      },
    }),
  },
  'ipam.pool.sub': {
    driver: (d) => ({ ...d, requestPool: (r) => d.requestPool({ ...r, subPool: r.pool === '' ? r.subPool : '' }) }),
  },
  'ipam.pool.sub-alone': {
    driver: (d) => ({ ...d, requestPool: (r) => d.requestPool({ ...r, subPool: r.pool === '' ? '' : r.subPool }) }),
  },
  'ipam.pool.ipv6': { driver: (d) => ({ ...d, requestPool: (r) => d.requestPool({ ...r, v6: false }) }) },
  'ipam.pool.null-options': {
    fault: when(
      on('RequestPool'),
      () => failing,
      ({ body }) => body.Options === null,
    ),
  },
  'ipam.address.any': {
    driver: (d) => ({ ...d, requestAddress: async (...a) => (await d.requestAddress(...a)).replace(/\/.*/, '/32') }),
  },
  'ipam.address.once': {
    driver: (d) => {
      let running = 0;
      return {
        ...d,
        requestAddress: async (pool, address, options) => {
          running++;
          try {
            await new Promise((resolve) => setTimeout(resolve, 5));
            const given = await d.requestAddress(pool, address, options);
            if (running > 1) await d.releaseAddress(pool, given.split('/')[0]!);
            return given;
          } finally {
            running--;
          }
        },
      };
    },
  },
  'ipam.address.asked': {
    driver: (d) => ({
      ...d,
      requestAddress: (pool, address, options) =>
        d.requestAddress(pool, address.endsWith('.99') ? '' : address, options),
    }),
  },
  'ipam.address.taken': { driver: (d) => otherwise(d, /is taken/, '198.18.78.1/24') },
  'ipam.address.outside': { driver: (d) => otherwise(d, /is outside/, '203.0.113.9/24') },
  'ipam.address.absent-pool': { driver: (d) => otherwise(d, /no such pool/, '198.18.78.9/24') },
  'ipam.address.gateway': { driver: (d) => refusing(d, 'RequestAddressType') },
  'ipam.address.options': { driver: (d) => refusing(d, 'com.docker.network.ipam.serial') },
  'ipam.address.released': { driver: (d) => ({ ...d, releaseAddress: async () => {} }) },
  'ipam.address.full': { driver: (d) => otherwise(d, /no address is free/, '198.18.78.241/29') },
};
