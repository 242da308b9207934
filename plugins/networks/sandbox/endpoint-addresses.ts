import {
  type CleanupStack,
  type EndpointRequest,
  errorKind,
  type IpamDriver,
  invalidParameter,
  systemError,
} from '@gantry/sdk';
import { contains, parseAddress, parseCidr } from '../address/cidr';
import type { NetworkPool, NetworkRecord } from '../records/network-record';

export interface EndpointAddresses {
  /** CIDR or empty. */
  readonly ipv4: string;
  readonly ipv6: string;
}

/** Reserves the addresses of a new endpoint; what was reserved is pushed on `undo` at once. */
export async function reserveAddresses(
  ipam: IpamDriver,
  network: NetworkRecord,
  request: EndpointRequest,
  macAddress: string,
  undo: CleanupStack,
): Promise<EndpointAddresses> {
  const one = async (version: 4 | 6, wished: string | undefined, enabled: boolean): Promise<string> => {
    if (!enabled) return '';
    const pools = network.pools.filter((pool) => pool.version === version && !pool.pool.endsWith('/0'));
    if (pools.length === 0) return '';
    const address = await requestFrom(
      ipam,
      network,
      wished ? pools.filter((pool) => holds(pool, wished)) : pools,
      wished ?? '',
      forMac(macAddress),
      undo,
    );
    return address;
  };
  const ipv4 = await one(4, request.ipv4Address || undefined, network.enableIPv4);
  const ipv6 = await one(6, request.ipv6Address || undefined, network.enableIPv6);
  return { ipv4, ipv6 };
}

/** Options of a driver that gives addresses by MAC (P-IPAM-5). */
const forMac = (macAddress: string): Record<string, string> =>
  macAddress === '' ? {} : { 'com.docker.network.endpoint.macaddress': macAddress };

/** Enters the address of a stored endpoint again. `macAddress` is for drivers that want it, empty for others. */
export async function replayAddresses(
  ipam: IpamDriver,
  network: NetworkRecord,
  addresses: EndpointAddresses,
  macAddress = '',
): Promise<void> {
  for (const address of [addresses.ipv4, addresses.ipv6]) {
    const plain = address.split('/')[0]!;
    const pool = plain === '' ? undefined : network.pools.find((candidate) => holds(candidate, plain));
    if (pool) await ipam.requestAddress(pool.poolId, plain, forMac(macAddress));
  }
}

export async function releaseAddresses(
  ipam: IpamDriver,
  network: NetworkRecord,
  addresses: EndpointAddresses,
): Promise<void> {
  for (const address of [addresses.ipv4, addresses.ipv6]) {
    const plain = address.split('/')[0]!;
    const pool = plain === '' ? undefined : network.pools.find((candidate) => holds(candidate, plain));
    if (pool) await ipam.releaseAddress(pool.poolId, plain);
  }
}

async function requestFrom(
  ipam: IpamDriver,
  network: NetworkRecord,
  pools: readonly NetworkPool[],
  wished: string,
  options: Readonly<Record<string, string>>,
  undo: CleanupStack,
): Promise<string> {
  let failure: unknown;
  for (const pool of pools) {
    try {
      const address = await ipam.requestAddress(pool.poolId, wished, options);
      if (address === '') throw invalidParameter('the IPAM driver gave an empty address');
      undo.push(() => ipam.releaseAddress(pool.poolId, address.split('/')[0]!));
      return address;
    } catch (error) {
      failure ??= error;
    }
  }
  if (wished === '' && errorKind(failure) === 'unavailable') {
    const { version } = pools[0]!;
    throw systemError(
      `no available IPv${version} addresses on this network's address pools: ${network.name} (${network.id})`,
      failure,
    );
  }
  throw failure;
}

function holds(pool: NetworkPool, ip: string): boolean {
  return contains(parseCidr(pool.pool).block, parseAddress(ip));
}
