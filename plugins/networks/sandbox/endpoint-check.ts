import { type EndpointRequest, invalidParameter } from '@gantry/sdk';
import { contains, isAddress, parseAddress, parseCidr } from '../address/cidr';
import type { NetworkRecord } from '../records/network-record';
import { hasResolver } from './has-resolver';

/**
 * What a container asks of a network, judged before anything is made.
 * @throws invalid-parameter every problem at once, as dockerd words them
 */
export function assertEndpointRequest(request: EndpointRequest, network: NetworkRecord): void {
  const problems = [
    ...addressProblems(request, network),
    ...macProblems(request.macAddress),
    ...sysctlsOf(request)
      .filter((sysctl) => !isInterfaceSysctl(sysctl))
      .map(unknownSysctl),
  ];
  if ((request.aliases?.length ?? 0) > 0 && !hasResolver(network))
    problems.unshift('network-scoped alias is supported only for containers in user defined networks');
  if (problems.length === 0) return;
  const list = problems.length === 1 ? problems : problems.map((problem) => `* ${problem}`);
  throw invalidParameter(`invalid endpoint settings:\n${list.join('\n')}`);
}

/** Settings for the interface: `net.ipv4.conf.IFNAME.log_martians=1` and the like. */
export function sysctlsOf(request: EndpointRequest): string[] {
  return (request.driverOpts?.['com.docker.network.endpoint.sysctls'] ?? '').split(',').filter(Boolean);
}

// The docker client writes IFNAME in small letters.
const isInterfaceSysctl = (sysctl: string) => /^[^.]*\.(ipv4|ipv6|mpls)\.[^.]*\.(IFNAME|ifname)\./.test(sysctl);
const unknownSysctl = (sysctl: string) =>
  `unrecognised network interface sysctl '${sysctl}'; represent 'net.X.Y.ethN.Z=V' as 'net.X.Y.IFNAME.Z=V', 'X' must be 'ipv4', 'ipv6' or 'mpls'`;

function addressProblems(request: EndpointRequest, network: NetworkRecord): string[] {
  const problems: string[] = [];
  const wishes = [
    { version: 4, text: request.ipv4Address, enabled: network.enableIPv4 },
    { version: 6, text: request.ipv6Address, enabled: network.enableIPv6 },
  ] as const;
  if (!hasResolver(network) && wishes.some(({ text }) => text))
    problems.push('user specified IP address is supported on user defined networks only');
  for (const ip of request.linkLocalIps ?? [])
    if (!isAddress(ip)) problems.push(`invalid link-local IP address: ${ip}`);
  for (const { version, text } of wishes)
    if (text && !isOfFamily(text, version)) problems.push(`invalid IPv${version} address: ${text}`);
  if (problems.length > 0) return problems;
  for (const { version, text, enabled } of wishes)
    if (text) problems.push(...rangeProblems(text, version, enabled, network));
  return problems;
}

function rangeProblems(ip: string, version: 4 | 6, enabled: boolean, network: NetworkRecord): string[] {
  const subnets = network.ipam.config
    .filter(({ subnet }) => subnet !== '')
    .map(({ subnet }) => parseCidr(subnet).block)
    .filter((subnet) => subnet.version === version);
  if (subnets.length === 0 && !network.ipam.config.some(({ subnet }) => subnet !== ''))
    return ['user specified IP address is supported only when connecting to networks with user configured subnets'];
  const address = parseAddress(ip);
  if (!enabled || !subnets.some((subnet) => contains(subnet, address)))
    return [`no configured subnet or ip-range contain the IP address ${ip}`];
  return [];
}

function macProblems(mac: string | undefined): string[] {
  if (mac === undefined || mac === '') return [];
  if (!/^[0-9a-f]{2}([:-][0-9a-f]{2}){5}$/i.test(mac)) throw invalidParameter(`invalid MAC address ${mac}`);
  return Number.parseInt(mac.slice(0, 2), 16) % 2 === 1
    ? [`address ${mac}: a multicast MAC address cannot be given to an interface`]
    : [];
}

function isOfFamily(text: string, version: 4 | 6): boolean {
  return isAddress(text) && parseAddress(text).version === version;
}
