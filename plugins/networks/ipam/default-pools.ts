import { createHash } from 'node:crypto';
import { invalidParameter } from '@gantry/sdk';
import { addressBits, type Cidr, parseCidr } from '../address/cidr';

export interface PoolSource {
  readonly base: Cidr;
  /** Prefix length of the pools cut from it. */
  readonly size: number;
}

/** What dockerd hands out when `default-address-pools` is not set. */
export const builtInPools: readonly PoolSource[] = [
  ...['172.17.0.0/16', '172.18.0.0/16', '172.19.0.0/16', '172.20.0.0/14', '172.24.0.0/14', '172.28.0.0/14'].map(
    (base) => ({ base: parseCidr(base).block, size: 16 }),
  ),
  { base: parseCidr('192.168.0.0/16').block, size: 20 },
];

/** An entry of `default-address-pools`. @throws invalid-parameter */
export function readPool({ base, size }: { readonly base: string; readonly size: number }): PoolSource {
  const { block } = parseCidr(base);
  const bits = addressBits(block.version);
  if (size < block.prefixLength || size > bits)
    throw invalidParameter(
      `default-address-pools: pools of size /${size} cannot be cut from ${base}; the size must be between ${block.prefixLength} and ${bits}`,
    );
  return { base: block, size };
}

/** A unique local prefix (RFC 4193) that stays the same for a data root. */
export function uniqueLocalPool(engineId: string): PoolSource {
  const hash = createHash('sha256').update(engineId).digest('hex');
  const base = `fd${hash.slice(0, 2)}:${hash.slice(2, 6)}:${hash.slice(6, 10)}::/48`;
  return { base: parseCidr(base).block, size: 64 };
}

/** The pools cut from a source, lowest first. */
export function* poolsOf(source: PoolSource): Generator<Cidr> {
  const { version, base, prefixLength } = source.base;
  const step = 1n << BigInt((version === 4 ? 32 : 128) - source.size);
  const count = 1n << BigInt(source.size - prefixLength);
  for (let i = 0n; i < count; i++) yield { version, base: base + i * step, prefixLength: source.size };
}
