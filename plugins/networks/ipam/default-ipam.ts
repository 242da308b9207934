import { forbidden, type IpamDriver, invalidParameter, notFound } from '@gantry/sdk';
import {
  type Cidr,
  contains,
  formatAddress,
  formatCidr,
  lastOf,
  overlaps,
  parseAddress,
  parseCidr,
} from '../address/cidr';
import { AddressSet } from './address-set';
import { type PoolSource, poolsOf } from './default-pools';

interface Pool {
  readonly block: Cidr;
  readonly addresses: AddressSet;
  /** The same request gives the same pool, which stays until everybody has released it (P-IPAM-2). */
  users: number;
}

/**
 * The `default` IPAM driver. It keeps its books in memory only: after a start the manager asks again for
 * everything its records hold (request replay), so books and records cannot disagree.
 */
export function createDefaultIpam(sources: readonly PoolSource[]): IpamDriver {
  const pools = new Map<string, Pool>();

  const free = (candidate: Cidr) => [...pools.values()].every((pool) => !overlaps(pool.block, candidate));

  function choose(v6: boolean, avoid: readonly Cidr[]): Cidr {
    for (const source of sources) {
      if ((source.base.version === 6) !== v6) continue;
      for (const candidate of poolsOf(source))
        if (free(candidate) && avoid.every((block) => !overlaps(block, candidate))) return candidate;
    }
    throw invalidParameter('all predefined address pools have been fully subnetted');
  }

  function poolOf(poolId: string): Pool {
    const pool = pools.get(poolId);
    if (pool === undefined) throw notFound(`cannot find address pool for poolID:${poolId}`);
    return pool;
  }

  return {
    capabilities: async () => ({ requiresMacAddress: false, requiresRequestReplay: true }),
    defaultAddressSpaces: async () => ({ local: 'LocalDefault', global: 'GlobalDefault' }),

    async requestPool(request) {
      if (request.pool === '') {
        if (request.subPool !== '') throw invalidParameter('invalid address pool request: subpool without a pool');
        const avoid = (request.avoid ?? [])
          .map((text) => parseCidr(text).block)
          .filter((block) => block.prefixLength > 0);
        return register(request.addressSpace, choose(request.v6, avoid), undefined);
      }
      const block = parseCidr(request.pool).block;
      if ((block.version === 6) !== request.v6) throw invalidParameter(`invalid address pool request: ${request.pool}`);
      const range = request.subPool === '' ? undefined : parseCidr(request.subPool).block;
      if (range && (range.version !== block.version || range.base < block.base || lastOf(range) > lastOf(block)))
        throw invalidParameter(`invalid subpool ${request.subPool}: not within ${request.pool}`);
      const known = pools.get(poolIdOf(request.addressSpace, block, range));
      if (known !== undefined && !request.exclusive) {
        known.users++;
        return { poolId: poolIdOf(request.addressSpace, block, range), pool: formatCidr(block), data: {} };
      }
      if (!free(block)) throw forbidden('invalid pool request: Pool overlaps with other one on this address space');
      return register(request.addressSpace, block, range);
    },

    async releasePool(poolId) {
      const pool = pools.get(poolId);
      if (pool !== undefined && --pool.users === 0) pools.delete(poolId);
    },

    async requestAddress(poolId, address) {
      const { block, addresses } = poolOf(poolId);
      const given = address === '' ? addresses.takeAny() : addresses.take(parseAddress(address));
      return `${formatAddress(given)}/${block.prefixLength}`;
    },

    async releaseAddress(poolId, address) {
      const pool = pools.get(poolId);
      const released = parseAddress(address);
      if (pool && contains(pool.block, released)) pool.addresses.release(released);
    },
  };

  function register(space: string, block: Cidr, range: Cidr | undefined) {
    const poolId = poolIdOf(space, block, range);
    pools.set(poolId, { block, addresses: new AddressSet(block, range), users: 1 });
    return { poolId, pool: formatCidr(block), data: {} };
  }
}

function poolIdOf(space: string, block: Cidr, range: Cidr | undefined): string {
  return `${space}/${formatCidr(block)}${range ? `/${formatCidr(range)}` : ''}`;
}
