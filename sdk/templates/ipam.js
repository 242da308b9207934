const { conflict, invalidParameter, notFound, unavailable } = require('@gantry/sdk');

/** @param {string} text */
const numberOf = (text) => text.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
/** @param {number} value */
const textOf = (value) => [24, 16, 8, 0].map((shift) => (value / 2 ** shift) & 255).join('.');

/**
 * Pools of IPv4 addresses, given in order. They are forgotten when this program ends: keep yours on disk.
 *
 * @returns {Promise<import('@gantry/sdk').IpamDriver>}
 */
exports.openDriver = async () => {
  /** @type {Map<string, { first: number, count: number, length: string, taken: Set<number>, users: number }>} */
  const pools = new Map();
  let unasked = 0;
  /** @param {string} id */
  const find = (id) => {
    const pool = pools.get(id);
    if (pool === undefined) throw notFound(`no such pool: ${id}`);
    return pool;
  };
  return {
    capabilities: async () => ({ requiresMacAddress: false, requiresRequestReplay: false }),
    defaultAddressSpaces: async () => ({ local: 'local', global: 'global' }),
    async requestPool({ addressSpace, pool, subPool, v6 }) {
      if (v6 || subPool !== '') throw invalidParameter('there are neither IPv6 pools nor sub-pools');
      const cidr = pool || `10.199.${unasked++ & 255}.0/24`;
      const [base = '', length = '24'] = cidr.split('/');
      const poolId = `${addressSpace}/${cidr}`;
      const known = pools.get(poolId);
      const fresh = { first: numberOf(base) + 1, count: 2 ** (32 - Number(length)) - 2, length, taken: new Set() };
      pools.set(poolId, known ? { ...known, users: known.users + 1 } : { ...fresh, users: 1 });
      return { poolId, pool: cidr, data: {} };
    },
    async releasePool(id) {
      const pool = find(id);
      if (--pool.users === 0) pools.delete(id);
    },
    async requestAddress(id, address) {
      const { first, count, length, taken } = find(id);
      let wanted = address === '' ? first : numberOf(address);
      while (address === '' && taken.has(wanted)) wanted++;
      if (address === '' && wanted >= first + count) throw unavailable(`no address is free in ${id}`);
      if (wanted < first || wanted >= first + count) throw invalidParameter(`${address} is not in ${id}`);
      if (taken.has(wanted)) throw conflict(`${address} is taken`);
      taken.add(wanted);
      return `${textOf(wanted)}/${length}`;
    },
    releaseAddress: async (id, address) => void find(id).taken.delete(numberOf(address)),
  };
};
