import { type FilterOptions, type FirewallNetwork, type FirewallPort, OPERATOR_CHAIN } from '../packet-filter';
import { chainName, chains, keepInside, masqueradeRules } from './network-rules';

/** What a table holds already, to be replaced. */
export interface TableContent {
  readonly chains: readonly string[];
  readonly sets: readonly { readonly name: string; readonly isMap: boolean }[];
}

/** Names would need /etc/protocols, which a small system does not have. */
export const protocolNumber = { tcp: 6, udp: 17, sctp: 132 } as const;

/** Takes everything out of the table but the operator's chain. */
export function emptyScript(table: string, { chains, sets }: TableContent): string {
  const ours = chains.filter((chain) => chain !== OPERATOR_CHAIN);
  return [
    `add table inet ${table}`,
    `add chain inet ${table} ${OPERATOR_CHAIN}`,
    ...ours.map((chain) => `flush chain inet ${table} ${chain}`),
    ...sets.map(({ name, isMap }) => `delete ${isMap ? 'map' : 'set'} inet ${table} ${name}`),
    ...ours.map((chain) => `delete chain inet ${table} ${chain}`),
    '',
  ].join('\n');
}

/** The whole table as one script that replaces what is there; the operator's chain stays as it is. */
export function tableScript(
  table: string,
  networks: Iterable<FirewallNetwork>,
  ports: Iterable<FirewallPort>,
  present: TableContent,
  options: FilterOptions,
): string {
  const all = [...networks];
  const published = [...ports];
  const elements = (kind: MapName) => {
    const list = published.filter((port) => mapOf(port) === kind).map(element);
    return list.length > 0 ? `elements = { ${list.join(', ')} };` : '';
  };
  const jumps = (prefix: string) =>
    all.length > 0
      ? `elements = { ${all.map((n) => `"${n.bridgeName}" : jump ${chainName(prefix, n)}`).join(', ')} };`
      : '';
  const bridges = all.map((network) => `"${network.bridgeName}"`).join(', ');
  const families = unmanaged(options);
  const mark = acceptMark(options.acceptFwmark);
  return `${emptyScript(table, present)}table inet ${table} {
  comment "published ports and isolation of containers; owned by the daemon but for the chain ${OPERATOR_CHAIN}"
  set bridges { type ifname; ${bridges ? `elements = { ${bridges} };` : ''} }
  map to-bridge { type ifname : verdict; ${jumps('in')} }
  map from-bridge { type ifname : verdict; ${jumps('out')} }
  map any4 { type inet_proto . inet_service : ipv4_addr . inet_service; ${elements('any4')} }
  map addr4 { type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service; ${elements('addr4')} }
  map any6 { type inet_proto . inet_service : ipv6_addr . inet_service; ${elements('any6')} }
  map addr6 { type ipv6_addr . inet_proto . inet_service : ipv6_addr . inet_service; ${elements('addr6')} }
  set open4 { type ipv4_addr . inet_proto . inet_service; ${elements('open4')} }
  set open6 { type ipv6_addr . inet_proto . inet_service; ${elements('open6')} }
  set linked4 { type ipv4_addr . ipv4_addr . inet_proto . inet_service; ${elements('linked4')} }
  chain raw-prerouting {
    type filter hook prerouting priority raw; policy accept;
    iifname @bridges ip daddr 127.0.0.0/8 drop
  }
  chain prerouting {
    type nat hook prerouting priority dstnat; policy accept;
${families}    fib daddr type local jump published
  }
  chain output {
    type nat hook output priority -100; policy accept;
${families}    ip6 daddr ::1 accept comment "the kernel forwards no IPv6 loopback; the held socket relays"
    fib daddr type local jump published
  }
  chain published {
    dnat ip to ip daddr . meta l4proto . th dport map @addr4
    dnat ip to meta l4proto . th dport map @any4
    dnat ip6 to ip6 daddr . meta l4proto . th dport map @addr6
    dnat ip6 to meta l4proto . th dport map @any6
  }
  chain forward {
    type filter hook forward priority filter; policy accept;
    jump ${OPERATOR_CHAIN}
${families}${mark}${all
  .filter((network) => network.internal)
  .map(keepInside)
  .join('')}    oifname vmap @to-bridge
    iifname vmap @from-bridge
  }
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
${families}    ip saddr 127.0.0.0/8 oifname @bridges masquerade
${all.map(masqueradeRules).join('')}  }
${all.map(chains).join('')}}
`;
}

export type MapName = 'any4' | 'addr4' | 'any6' | 'addr6' | 'open4' | 'open6' | 'linked4';
export const mapNames: readonly MapName[] = ['any4', 'addr4', 'any6', 'addr6', 'open4', 'open6', 'linked4'];

/** Which map of the table a port belongs to. */
export function mapOf(port: FirewallPort): MapName {
  const version = port.targetIp.includes(':') ? 6 : 4;
  if (port.sourceIp !== undefined) return 'linked4';
  if (port.hostPort === 0) return `open${version}`;
  return `${port.hostIp === '' ? 'any' : 'addr'}${version}`;
}

function keyOf(port: FirewallPort): string {
  return `${port.hostIp === '' ? '' : `${port.hostIp} . `}${protocolNumber[port.proto]} . ${port.hostPort}`;
}

function element(port: FirewallPort): string {
  if (port.hostPort === 0) {
    const source = port.sourceIp === undefined ? '' : `${port.sourceIp} . `;
    return `${source}${port.targetIp} . ${protocolNumber[port.proto]} . ${port.targetPort}`;
  }
  return `${keyOf(port)} : ${port.targetIp} . ${port.targetPort}`;
}

/** Rules at the head of a chain that leave a family to the operator. */
function unmanaged({ ipv4, ipv6 }: FilterOptions): string {
  const leave = (family: string) => `    meta nfproto ${family} accept comment "left to the operator"\n`;
  return `${ipv4 ? '' : leave('ipv4')}${ipv6 ? '' : leave('ipv6')}`;
}

function acceptMark(fwmark: string): string {
  if (fwmark === '') return '';
  const [mark = '', mask] = fwmark.split('/');
  const test = mask === undefined ? `meta mark ${mark}` : `meta mark & ${mask} == ${mark}`;
  return `    ${test} accept comment "bridge-accept-fwmark"\n`;
}
