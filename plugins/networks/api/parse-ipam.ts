import { invalidParameter } from '@gantry/sdk';
import { type Decoded, listOf, mapOf, nullable, struct, text } from '@gantry/sdk/decode';
import { type Cidr, contains, formatCidr, isAddress, lastOf, parseAddress, parseCidr } from '../address/cidr';
import type { NetworkSpec } from '../networks/network-registry';
import type { IpamConfig } from '../records/network-record';

/** `IPAM` as clients send it. */
export const ipamDocument = struct({
  Driver: text,
  Options: mapOf(text),
  Config: listOf(
    struct({
      Subnet: text,
      IPRange: text,
      Gateway: text,
      AuxiliaryAddresses: nullable(mapOf(text)),
      AuxAddress: nullable(mapOf(text)),
    }),
  ),
});

/** `IPAM` of a create request, checked. Every problem is reported at once, as dockerd does. @throws invalid-parameter */
export function parseIpam(input: Decoded<typeof ipamDocument> | null, enableIPv6: boolean): NetworkSpec['ipam'] {
  if (input === null) return { driver: 'default', options: {}, config: [] };
  const config = input.Config.map(
    ({ Subnet, IPRange, Gateway, AuxiliaryAddresses, AuxAddress }): IpamConfig => ({
      subnet: Subnet,
      ipRange: IPRange,
      gateway: Gateway,
      auxAddresses: AuxiliaryAddresses ?? AuxAddress ?? {},
    }),
  );
  const problems: string[] = [];
  for (const entry of config) problems.push(...problemsOf(entry, enableIPv6));
  if (problems.length > 0) throw invalidParameter(`invalid network config:\n${problems.join('\n')}`);
  return { driver: input.Driver || 'default', options: input.Options, config };
}

function problemsOf(entry: IpamConfig, enableIPv6: boolean): string[] {
  const parsed = cidrOrUndefined(entry.subnet);
  if (parsed === undefined) return [`invalid subnet ${entry.subnet}: invalid CIDR block notation`];
  const { address, block: subnet } = parsed;
  if (subnet.version === 6 && !enableIPv6) return [];
  const problems: string[] = [];
  if (address.value !== subnet.base)
    problems.push(`invalid subnet ${entry.subnet}: it should be ${formatCidr(subnet)}`);
  if (entry.ipRange !== '') problems.push(...rangeProblems(entry.ipRange, subnet));
  if (entry.gateway !== '') problems.push(...memberProblems(`gateway ${entry.gateway}`, entry.gateway, subnet));
  for (const [name, aux] of Object.entries(entry.auxAddresses))
    problems.push(...memberProblems(`auxiliary address ${name}`, aux, subnet));
  return problems;
}

function rangeProblems(text: string, subnet: Cidr): string[] {
  const parsed = cidrOrUndefined(text);
  if (parsed === undefined) return [`invalid ip-range ${text}: invalid CIDR block notation`];
  const { address, block } = parsed;
  if (block.version !== subnet.version)
    return [`invalid ip-range ${text}: parent subnet is an IPv${subnet.version} block`];
  const problems: string[] = [];
  if (address.value !== block.base) problems.push(`invalid ip-range ${text}: it should be ${formatCidr(block)}`);
  if (block.prefixLength < subnet.prefixLength)
    problems.push(`invalid ip-range ${text}: CIDR block is bigger than its parent subnet ${formatCidr(subnet)}`);
  else if (block.base < subnet.base || lastOf(block) > lastOf(subnet))
    problems.push(`invalid ip-range ${text}: parent subnet ${formatCidr(subnet)} doesn't contain ip-range`);
  return problems;
}

function memberProblems(what: string, text: string, subnet: Cidr): string[] {
  if (!isAddress(text)) return [`invalid ${what}: invalid address`];
  const address = parseAddress(text);
  if (address.version !== subnet.version) return [`invalid ${what}: parent subnet is an IPv${subnet.version} block`];
  if (!contains(subnet, address))
    return [`invalid ${what}: parent subnet ${formatCidr(subnet)} doesn't contain this address`];
  return [];
}

function cidrOrUndefined(text: string) {
  try {
    return parseCidr(text);
  } catch {
    return undefined;
  }
}
