import { readFile } from 'node:fs/promises';
import { conflict, type IpamDriver, invalidParameter, notFound, unavailable } from '@gantry/sdk';
import { writeFileAtomically } from '@gantry/sdk/state';
import { type Block, numberOf, parseBlock, textOf } from './ipv4';

interface Pool {
  readonly cidr: string;
  /** Addresses are given out of this part. */
  readonly range: string;
  /** Networks that hold it. */
  users: number;
  readonly taken: Record<string, true>;
}

const POOL_BITS = 24;

/**
 * IPv4 pools and addresses, kept in a file: a daemon or a driver that is killed finds them again.
 *
 * @param base CIDR that pools are cut from when nobody asks for one
 */
export async function openLedger(file: string, base: string): Promise<IpamDriver> {
  const source = parseBlock(base);
  const pools = new Map<string, Pool>(Object.entries(await readLedger(file)));
  let writing = Promise.resolve();
  /** Answers come after the change is on disk; changes are written one after the other. */
  const save = (): Promise<void> => {
    const turn = writing.then(() =>
      writeFileAtomically(file, JSON.stringify(Object.fromEntries(pools)), { durable: true }),
    );
    writing = turn.catch(() => undefined);
    return turn;
  };
  const find = (poolId: string): Pool => {
    const pool = pools.get(poolId);
    if (pool === undefined) throw notFound(`no such pool: ${poolId}`);
    return pool;
  };

  return {
    capabilities: async () => ({ requiresMacAddress: false, requiresRequestReplay: false }),
    defaultAddressSpaces: async () => ({ local: 'ledger', global: 'ledger' }),

    async requestPool({ addressSpace, pool, subPool, v6 }) {
      if (v6) throw invalidParameter('this driver has no IPv6 pools');
      if (pool === '' && subPool !== '') throw invalidParameter('a sub-pool needs a pool');
      const block =
        pool === ''
          ? nextPool(
              source,
              [...pools.values()].map(({ cidr }) => parseBlock(cidr)),
            )
          : parseBlock(pool);
      const range = subPool === '' ? block : parseBlock(subPool);
      if (!contains(block, range)) throw invalidParameter(`sub-pool ${subPool} is not within ${pool}`);
      const poolId = `${addressSpace}/${block.cidr}/${range.cidr}`;
      const known = pools.get(poolId);
      if (known) known.users++;
      else pools.set(poolId, { cidr: block.cidr, range: range.cidr, users: 1, taken: {} });
      await save();
      return { poolId, pool: block.cidr, data: {} };
    },

    async releasePool(poolId) {
      const pool = find(poolId);
      if (--pool.users === 0) pools.delete(poolId);
      await save();
    },

    async requestAddress(poolId, address) {
      const pool = find(poolId);
      const block = parseBlock(pool.cidr);
      const chosen = address === '' ? lowestFree(pool, block) : textOf(numberOf(address));
      const value = numberOf(chosen);
      if (value < block.first || value > block.last) throw invalidParameter(`${chosen} is outside of ${pool.cidr}`);
      if (pool.taken[chosen]) throw conflict(`${chosen} is taken`);
      pool.taken[chosen] = true;
      await save();
      return `${chosen}/${block.bits}`;
    },

    async releaseAddress(poolId, address) {
      delete find(poolId).taken[address];
      await save();
    },
  };
}

function lowestFree(pool: Pool, block: Block): string {
  const range = parseBlock(pool.range);
  for (let value = range.first; value <= range.last; value++) {
    const text = textOf(value);
    // The first and the last address of a subnet stand for the subnet itself.
    const reserved = block.bits < 31 && (value === block.first || value === block.last);
    if (!reserved && !pool.taken[text]) return text;
  }
  throw unavailable(`no address is free in ${pool.range}`);
}

function nextPool(source: Block, held: readonly Block[]): Block {
  for (let first = source.first; first <= source.last; first += 2 ** (32 - POOL_BITS)) {
    const block = parseBlock(`${textOf(first)}/${POOL_BITS}`);
    if (held.every((other) => other.last < block.first || block.last < other.first)) return block;
  }
  throw unavailable(`every pool of ${source.cidr} is held`);
}

function contains(outer: Block, inner: Block): boolean {
  return outer.first <= inner.first && inner.last <= outer.last;
}

async function readLedger(file: string): Promise<Record<string, Pool>> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as Record<string, Pool>;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw error;
  }
}
