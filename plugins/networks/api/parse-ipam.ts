import { invalidParameter } from '@gantry/sdk';
import { type Cidr, contains, formatCidr, isAddress, lastOf, parseAddress, parseCidr } from '../address/cidr';
import type { NetworkSpec } from '../networks/network-registry';
import type { IpamConfig } from '../records/network-record';
import { record, strings, text } from './parse-create';

/** `IPAM` of a create request, checked. Every problem is reported at once, as dockerd does. @throws invalid-parameter */
export function parseIpam(value: unknown, enableIPv6: boolean): NetworkSpec['ipam'] {
  if (value === undefined || value === null) return { driver: 'default', options: {}, config: [] };
  const input = record(value, 'IPAM');
  const list = input.Config ?? [];
  if (!Array.isArray(list)) throw invalidParameter('invalid IPAM Config: expected a list');
  const config = list.map((entry): IpamConfig => {
    const fields = record(entry, 'IPAM Config');
    return {
      subnet: text(fields, 'Subnet'),
      ipRange: text(fields, 'IPRange'),
      gateway: text(fields, 'Gateway'),
      auxAddresses: strings(fields.AuxiliaryAddresses ?? fields.AuxAddress, 'AuxiliaryAddresses'),
    };
  });
  const problems: string[] = [];
  for (const entry of config) problems.push(...problemsOf(entry, enableIPv6));
  if (problems.length > 0) throw invalidParameter(`invalid network config:\n${problems.join('\n')}`);
  return { driver: text(input, 'Driver') || 'default', options: strings(input.Options, 'IPAM Options'), config };
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
