import { capability } from '../plugin/capability';

/** Hands out pools and addresses. @see Docker IPAM plugin protocol, section 6 */
export interface IpamDriver {
  capabilities(): Promise<{ readonly requiresMacAddress: boolean; readonly requiresRequestReplay: boolean }>;
  defaultAddressSpaces(): Promise<{ readonly local: string; readonly global: string }>;
  /**
   * @param request.pool CIDR, or empty for any free one
   * @returns pool in CIDR; the same request gives the same poolId
   */
  requestPool(request: {
    readonly addressSpace: string;
    readonly pool: string;
    readonly subPool: string;
    readonly options: Readonly<Record<string, string>>;
    readonly v6: boolean;
    /** Pools (CIDR) the answer should not overlap when `pool` is empty: host routes and other networks. In process only. */
    readonly avoid?: readonly string[];
    /** Nobody may hold the pool yet: networks of this engine do not share subnets. In process only. */
    readonly exclusive?: boolean;
  }): Promise<{ readonly poolId: string; readonly pool: string; readonly data: Readonly<Record<string, string>> }>;
  releasePool(poolId: string): Promise<void>;
  /**
   * Not repeatable: a second call reserves a second address.
   * @param address preferred plain IP, or empty for any free one
   * @returns CIDR with the pool's prefix length
   * @throws unavailable  the pool is full
   * @throws conflict     the preferred address is taken
   */
  requestAddress(poolId: string, address: string, options: Readonly<Record<string, string>>): Promise<string>;
  releaseAddress(poolId: string, address: string): Promise<void>;
}

export const IpamDriver1 = capability<IpamDriver>('ipam-driver/v1', 'many');
