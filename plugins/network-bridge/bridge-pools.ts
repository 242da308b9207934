import { type DriverNetworkOptions, forbidden, type IpamData, invalidParameter } from '@gantry/sdk';
import ipaddr from 'ipaddr.js';

/** What the pools of a bridge network must be. @throws invalid-parameter, forbidden as dockerd words them */
export function assertPools(
  { enableIPv4, enableIPv6 }: DriverNetworkOptions,
  ipv4: readonly IpamData[],
  ipv6: readonly IpamData[],
): void {
  if (!enableIPv4 && !enableIPv6) throw invalidParameter('IPv4 or IPv6 must be enabled');
  if (enableIPv4 && (ipv4[0] === undefined || ipv4[0].pool === '0.0.0.0/0'))
    throw invalidParameter('ipv4 pool is empty');
  if (enableIPv6 && (ipv6[0] === undefined || ipv6[0].pool === '::/0')) throw invalidParameter('ipv6 pool is empty');
  if (ipv4.length > 1 || ipv6.length > 1) throw forbidden("bridge driver doesn't support multiple subnets");
  const pool6 = enableIPv6 ? ipv6[0]?.pool : undefined;
  if (pool6 !== undefined) assertIPv6Subnet(pool6);
}

// The kernel gives every interface an address of fe80::/64; another prefix length for the same block would confuse it.
function assertIPv6Subnet(pool: string): void {
  const [address, length] = ipaddr.IPv6.parseCIDR(pool);
  if (address.range() === 'multicast') throw invalidParameter(`multicast subnet '${pool}' is not allowed`);
  const linkLocal = ipaddr.IPv6.parse('fe80::');
  const overlaps = address.match(linkLocal, Math.min(length, 64));
  if (overlaps && !(length === 64 && address.match(linkLocal, 64)))
    throw invalidParameter(`'${pool}' clashes with the Link-Local prefix 'fe80::/64'`);
}
