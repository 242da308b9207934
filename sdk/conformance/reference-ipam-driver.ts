import type { IpamDriver } from '../contracts/ipam-driver';
import { conflict, invalidParameter, notFound, unavailable } from '../errors';

interface Pool {
  readonly cidr: string;
  /** First address that may be given, and how many follow it. */
  readonly first: bigint;
  readonly count: number;
  readonly v6: boolean;
  readonly taken: Set<bigint>;
  users: number;
}

/** The smallest driver that keeps every rule. Unasked it gives pools out of 198.18.0.0/16 and fd00:c612::/32. */
export function referenceIpamDriver(): IpamDriver {
  const pools = new Map<string, Pool>();
  let unasked = 0;
  const find = (poolId: string): Pool => {
    const pool = pools.get(poolId);
    if (pool === undefined) throw notFound(`no such pool: ${poolId}`);
    return pool;
  };
  return {
    async capabilities() {
      return { requiresMacAddress: false, requiresRequestReplay: false };
    },
    async defaultAddressSpaces() {
      return { local: 'reference-local', global: 'reference-global' };
    },
    async requestPool({ addressSpace, pool, subPool, v6 }) {
      if (pool === '' && subPool !== '') throw invalidParameter('a sub-pool needs a pool');
      const next = unasked + 1;
      const cidr = pool || (v6 ? `fd00:c612:0:${next.toString(16)}::/64` : `198.18.${next & 255}.0/24`);
      if (pool === '') unasked = next;
      const poolId = `${addressSpace}/${cidr}/${subPool}`;
      const known = pools.get(poolId);
      if (known !== undefined) known.users++;
      else pools.set(poolId, { cidr, ...rangeOf(subPool || cidr), v6: cidr.includes(':'), taken: new Set(), users: 1 });
      return { poolId, pool: cidr, data: {} };
    },
    async releasePool(poolId) {
      const pool = find(poolId);
      if (--pool.users === 0) pools.delete(poolId);
    },
    async requestAddress(poolId, address) {
      const pool = find(poolId);
      const { first, count, taken } = pool;
      const length = pool.cidr.split('/')[1];
      const wanted = address === '' ? firstFree(pool) : numberOf(address);
      if (wanted === undefined) throw unavailable(`no address is free in ${pool.cidr}`);
      if (wanted < first || wanted >= first + BigInt(count))
        throw invalidParameter(`address ${address} is outside of ${pool.cidr}`);
      if (taken.has(wanted)) throw conflict(`address ${address} is taken`);
      taken.add(wanted);
      return `${textOf(wanted, pool.v6)}/${length}`;
    },
    async releaseAddress(poolId, address) {
      find(poolId).taken.delete(numberOf(address));
    },
  };
}

function firstFree({ first, count, taken }: Pool): bigint | undefined {
  for (let offset = 0; offset < count; offset++) if (!taken.has(first + BigInt(offset))) return first + BigInt(offset);
  return undefined;
}

/** The addresses of a pool that hosts may have; of a large pool the first 65,534. */
function rangeOf(cidr: string): { first: bigint; count: number } {
  const [address = '', length = '0'] = cidr.split('/');
  const bits = (address.includes(':') ? 128 : 32) - Number(length);
  const size = 2 ** Math.min(bits, 16);
  return { first: numberOf(address) + 1n, count: Math.max(1, size - 2) };
}

function numberOf(address: string): bigint {
  if (!address.includes(':')) return address.split('.').reduce((sum, part) => sum * 256n + BigInt(part), 0n);
  const [left = '', right = ''] = address.split('::');
  const groups = (text: string) => (text === '' ? [] : text.split(':'));
  const gap = Array(8 - groups(left).length - groups(right).length).fill('0');
  return [...groups(left), ...(address.includes('::') ? gap : []), ...groups(right)].reduce(
    (sum, group) => sum * 65536n + BigInt(`0x${group}`),
    0n,
  );
}

function textOf(value: bigint, v6: boolean): string {
  const [parts, width, radix] = v6 ? ([8, 16n, 16] as const) : ([4, 8n, 10] as const);
  const mask = (1n << width) - 1n;
  const groups = Array.from({ length: parts }, (_, i) => (value >> (width * BigInt(parts - 1 - i))) & mask);
  return groups.map((group) => group.toString(radix)).join(v6 ? ':' : '.');
}
