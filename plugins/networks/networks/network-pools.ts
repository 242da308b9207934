import { CleanupStack, type IpamDriver, invalidParameter } from '@gantry/sdk';
import { formatAddress, formatCidr, overlaps, parseAddress, parseCidr } from '../address/cidr';
import type { IpamConfig, NetworkPool, NetworkRecord } from '../records/network-record';

const MOST_REJECTED_POOLS = 128;
const GATEWAY_TYPE = { RequestAddressType: 'com.docker.network.gateway' };

export interface PoolWishes {
  readonly config: readonly IpamConfig[];
  readonly options: Readonly<Record<string, string>>;
  readonly enableIPv4: boolean;
  readonly enableIPv6: boolean;
  /** CIDRs that automatically chosen pools stay away from. */
  readonly avoid: readonly string[];
  /** Families whose pools need no gateway address unless the user names one. */
  readonly withoutGateway?: readonly number[];
}

/** Reserves pools, gateways and auxiliary addresses; what was reserved is pushed on `undo` at once. */
export async function reservePools(ipam: IpamDriver, wishes: PoolWishes, undo: CleanupStack): Promise<NetworkPool[]> {
  const space = (await ipam.defaultAddressSpaces()).local;
  const pools: NetworkPool[] = [];
  const empty: IpamConfig = { subnet: '', ipRange: '', gateway: '', auxAddresses: {} };
  for (const version of [4, 6] as const) {
    if (version === 4 ? !wishes.enableIPv4 : !wishes.enableIPv6) continue;
    const configured = wishes.config.filter((entry) => versionOf(entry) === version);
    for (const entry of configured.length > 0 ? configured : [empty])
      pools.push(await reservePool(ipam, space, version, entry, wishes, undo));
  }
  return pools;
}

async function reservePool(
  ipam: IpamDriver,
  addressSpace: string,
  version: 4 | 6,
  wish: IpamConfig,
  wishes: PoolWishes,
  undo: CleanupStack,
): Promise<NetworkPool> {
  const given = await requestPool(ipam, addressSpace, version, wish, wishes);
  undo.push(() => ipam.releasePool(given.poolId));
  const needsNone = wishes.withoutGateway?.includes(version) === true && wish.gateway === '';
  const gateway = needsNone ? '' : await reserveGateway(ipam, given, wish.gateway, undo);
  const auxAddresses: Record<string, string> = {};
  for (const [name, text] of Object.entries(wish.auxAddresses)) {
    const address = plain(text);
    // The gateway may be listed among the auxiliary addresses as well.
    if (address !== gateway.split('/')[0]) {
      await ipam.requestAddress(given.poolId, address, {});
      undo.push(() => ipam.releaseAddress(given.poolId, address));
    }
    auxAddresses[name] = address;
  }
  return {
    version,
    addressSpace,
    poolId: given.poolId,
    pool: given.pool,
    subPool: wish.ipRange,
    gateway,
    auxAddresses,
  };
}

/** A pool of the user's wish, or one that overlaps nothing: what does not fit is held until a better one came (P-IPAM-3). */
async function requestPool(
  ipam: IpamDriver,
  addressSpace: string,
  version: 4 | 6,
  wish: IpamConfig,
  wishes: PoolWishes,
): Promise<Awaited<ReturnType<IpamDriver['requestPool']>>> {
  const request = {
    addressSpace,
    pool: wish.subnet === '' ? '' : formatCidr(parseCidr(wish.subnet).block),
    subPool: wish.ipRange === '' ? '' : formatCidr(parseCidr(wish.ipRange).block),
    options: wishes.options,
    v6: version === 6,
    avoid: wishes.avoid,
    exclusive: true,
  };
  const avoid = wishes.avoid.map((cidr) => parseCidr(cidr).block).filter((block) => block.prefixLength > 0);
  const rejected = new CleanupStack();
  try {
    for (let tries = 0; tries < MOST_REJECTED_POOLS; tries++) {
      const given = await ipam.requestPool(request);
      const { block } = parseCidr(given.pool);
      const fits = request.pool !== '' || block.prefixLength === 0 || avoid.every((other) => !overlaps(other, block));
      if (fits) return given;
      rejected.push(() => ipam.releasePool(given.poolId));
    }
    throw invalidParameter(
      'could not find an available, non-overlapping address pool among the defaults to assign to the network; name one with --subnet',
    );
  } finally {
    await rejected.runAll();
  }
}

async function reserveGateway(
  ipam: IpamDriver,
  pool: { readonly poolId: string; readonly pool: string; readonly data: Readonly<Record<string, string>> },
  wished: string,
  undo: CleanupStack,
): Promise<string> {
  const fixed = pool.data['com.docker.network.gateway'];
  if (fixed !== undefined) return fixed;
  if (parseCidr(pool.pool).block.prefixLength === 0) return '';
  const gateway = await ipam.requestAddress(pool.poolId, wished === '' ? '' : plain(wished), GATEWAY_TYPE);
  if (gateway === '') throw invalidParameter(`the IPAM driver gave no gateway for pool ${pool.pool}`);
  undo.push(() => ipam.releaseAddress(pool.poolId, plain(gateway)));
  return gateway;
}

/** Enters the pools of a stored network again into an IPAM driver that keeps no books of its own. */
export async function replayPools(ipam: IpamDriver, record: NetworkRecord): Promise<void> {
  for (const pool of record.pools) {
    await ipam.requestPool({
      addressSpace: pool.addressSpace,
      pool: pool.pool,
      subPool: pool.subPool,
      options: record.ipam.options,
      v6: pool.version === 6,
    });
    const gateway = plain(pool.gateway);
    if (gateway !== '') await ipam.requestAddress(pool.poolId, gateway, GATEWAY_TYPE);
    for (const address of Object.values(pool.auxAddresses))
      if (address !== gateway) await ipam.requestAddress(pool.poolId, address, {});
  }
}

/** Gives everything back. Repeatable; failures of a driver that is gone are returned. */
export async function releasePools(ipam: IpamDriver, pools: readonly NetworkPool[]): Promise<unknown[]> {
  const steps = new CleanupStack();
  for (const pool of pools) {
    steps.push(() => ipam.releasePool(pool.poolId));
    const gateway = plain(pool.gateway);
    for (const address of [gateway, ...Object.values(pool.auxAddresses)])
      if (address !== '') steps.push(() => ipam.releaseAddress(pool.poolId, address));
  }
  return steps.runAll();
}

/** `10.0.0.1/24` → `10.0.0.1`, in canonical form. */
function plain(text: string): string {
  const ip = text.split('/')[0] ?? '';
  return ip === '' ? '' : formatAddress(parseAddress(ip));
}

function versionOf(entry: IpamConfig): 4 | 6 {
  return entry.subnet === '' ? 4 : parseCidr(entry.subnet).block.version;
}
