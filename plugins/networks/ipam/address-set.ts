import { conflict, invalidParameter, unavailable } from '@gantry/sdk';
import { type Address, type Cidr, contains, formatAddress, formatCidr, lastOf } from '../address/cidr';

/** The addresses of one pool: which are taken, and the lowest free one in constant time in the usual case. */
export class AddressSet {
  private readonly taken = new Set<bigint>();
  private lowestFree: bigint;
  private readonly first: bigint;
  private readonly last: bigint;

  /**
   * @param pool   the whole pool; its network and broadcast addresses are never handed out
   * @param range  part of the pool that addresses are chosen from
   */
  constructor(
    private readonly pool: Cidr,
    range: Cidr = pool,
  ) {
    this.first = range.base;
    this.last = lastOf(range);
    this.lowestFree = this.first;
    const size = lastOf(pool) - pool.base + 1n;
    if (size > 2n) {
      this.taken.add(pool.base);
      if (pool.version === 4) this.taken.add(lastOf(pool));
    }
  }

  /** @throws unavailable as dockerd words it when every address is taken */
  takeAny(): Address {
    for (let value = this.lowestFree; value <= this.last; value++) {
      if (this.taken.has(value)) continue;
      this.taken.add(value);
      this.lowestFree = value + 1n;
      return { version: this.pool.version, value };
    }
    this.lowestFree = this.last + 1n;
    throw unavailable(`no available IPv${this.pool.version} addresses on this network's address pools`);
  }

  /** @throws invalid-parameter outside the pool; @throws conflict taken */
  take(address: Address): Address {
    if (!contains(this.pool, address))
      throw invalidParameter(`requested address ${formatAddress(address)} is not in pool ${formatCidr(this.pool)}`);
    if (this.taken.has(address.value)) throw conflict('Address already in use');
    this.taken.add(address.value);
    return address;
  }

  /** Free already is fine. Network and broadcast addresses stay taken. */
  release(address: Address): void {
    if (!contains(this.pool, address) || this.isReserved(address.value)) return;
    if (!this.taken.delete(address.value)) return;
    if (address.value >= this.first && address.value < this.lowestFree) this.lowestFree = address.value;
  }

  get size(): number {
    return this.taken.size;
  }

  private isReserved(value: bigint): boolean {
    if (lastOf(this.pool) - this.pool.base < 2n) return false;
    return value === this.pool.base || (this.pool.version === 4 && value === lastOf(this.pool));
  }
}
