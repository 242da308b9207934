import type { GatewayMode } from '../bridge-options';

/** What the packet filter must know about a network. */
export interface FirewallNetwork {
  readonly bridgeName: string;
  /** CIDR. */
  readonly subnets4: readonly string[];
  readonly subnets6: readonly string[];
  readonly icc: boolean;
  readonly masquerade: boolean;
  readonly internal: boolean;
  readonly gatewayMode4: GatewayMode;
  readonly gatewayMode6: GatewayMode;
  /** Source address of what leaves; empty = masquerade. */
  readonly sourceIp4: string;
  readonly sourceIp6: string;
  readonly trustedInterfaces: readonly string[];
}

/** A published port. */
export interface FirewallPort {
  readonly proto: 'tcp' | 'udp';
  /** Host address; empty = any of the family of `targetIp`. */
  readonly hostIp: string;
  /** 0 = not translated: the container's own address is open at this port. */
  readonly hostPort: number;
  readonly targetIp: string;
  readonly targetPort: number;
}

/** Names would need /etc/protocols, which a small system does not have. */
export const protocolNumber = { tcp: 6, udp: 17 } as const;

/** The whole table as one script that replaces what is there. */
export function tableScript(table: string, networks: Iterable<FirewallNetwork>, ports: Iterable<FirewallPort>): string {
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
  return `table inet ${table} {}
delete table inet ${table}
table inet ${table} {
  comment "published ports and isolation of containers; owned by the daemon"
  set bridges { type ifname; ${bridges ? `elements = { ${bridges} };` : ''} }
  map to-bridge { type ifname : verdict; ${jumps('in')} }
  map from-bridge { type ifname : verdict; ${jumps('out')} }
  map any4 { type inet_proto . inet_service : ipv4_addr . inet_service; ${elements('any4')} }
  map addr4 { type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service; ${elements('addr4')} }
  map any6 { type inet_proto . inet_service : ipv6_addr . inet_service; ${elements('any6')} }
  map addr6 { type ipv6_addr . inet_proto . inet_service : ipv6_addr . inet_service; ${elements('addr6')} }
  set open4 { type ipv4_addr . inet_proto . inet_service; ${elements('open4')} }
  set open6 { type ipv6_addr . inet_proto . inet_service; ${elements('open6')} }
  chain raw-prerouting {
    type filter hook prerouting priority raw; policy accept;
    iifname @bridges ip daddr 127.0.0.0/8 drop
  }
  chain prerouting {
    type nat hook prerouting priority dstnat; policy accept;
    fib daddr type local jump published
  }
  chain output {
    type nat hook output priority -100; policy accept;
    ip6 daddr ::1 accept comment "the kernel forwards no IPv6 loopback; the held socket relays"
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
${all
  .filter((network) => network.internal)
  .map(keepInside)
  .join('')}    oifname vmap @to-bridge
    iifname vmap @from-bridge
  }
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr 127.0.0.0/8 oifname @bridges masquerade
${all.map(masqueradeRules).join('')}  }
${all.map(chains).join('')}}
`;
}

export type MapName = 'any4' | 'addr4' | 'any6' | 'addr6' | 'open4' | 'open6';

/** Which map of the table a port belongs to. */
export function mapOf(port: FirewallPort): MapName {
  const version = port.targetIp.includes(':') ? 6 : 4;
  if (port.hostPort === 0) return `open${version}`;
  return `${port.hostIp === '' ? 'any' : 'addr'}${version}`;
}

function keyOf(port: FirewallPort): string {
  return `${port.hostIp === '' ? '' : `${port.hostIp} . `}${protocolNumber[port.proto]} . ${port.hostPort}`;
}

function element(port: FirewallPort): string {
  if (port.hostPort === 0) return `${port.targetIp} . ${protocolNumber[port.proto]} . ${port.targetPort}`;
  return `${keyOf(port)} : ${port.targetIp} . ${port.targetPort}`;
}

function chainName(prefix: string, network: FirewallNetwork): string {
  // Interface names may hold characters that chain names may not.
  return `${prefix}-${network.bridgeName.replaceAll(/[^A-Za-z0-9_.-]/g, '_')}`.replaceAll('.', '_');
}

function masqueradeRules(network: FirewallNetwork): string {
  const bridge = `"${network.bridgeName}"`;
  // A container that reaches itself or a sibling through the host's address must get its answers from there.
  let rules = '';
  for (const [family, subnets] of [
    ['ip', network.subnets4],
    ['ip6', network.subnets6],
  ] as const)
    for (const subnet of subnets)
      rules += `    ${family} saddr ${subnet} oifname ${bridge} ct status dnat masquerade\n`;
  if (!network.masquerade || network.internal) return rules;
  if (network.gatewayMode4 !== 'routed')
    for (const subnet of network.subnets4)
      rules += `    ip saddr ${subnet} oifname != ${bridge} ${sourceNat('ip', network.sourceIp4)}\n`;
  if (network.gatewayMode6 !== 'routed')
    for (const subnet of network.subnets6)
      rules += `    ip6 saddr ${subnet} oifname != ${bridge} ${sourceNat('ip6', network.sourceIp6)}\n`;
  return rules;
}

function sourceNat(family: 'ip' | 'ip6', address: string): string {
  return address === '' ? 'masquerade' : `snat ${family} to ${address}`;
}

// Before the jumps: a port another network publishes would let the packet through otherwise.
function keepInside({ bridgeName }: FirewallNetwork): string {
  return `    iifname "${bridgeName}" oifname != "${bridgeName}" drop comment "internal network"\n`;
}

function chains(network: FirewallNetwork): string {
  const bridge = `"${network.bridgeName}"`;
  const siblings = `iifname ${bridge} ${network.icc ? 'accept' : 'drop comment "communication between containers is off"'}`;
  const open = (family: string, mode: GatewayMode) =>
    mode === 'nat-unprotected' ? `    meta nfproto ${family} accept\n` : '';
  if (network.internal)
    return `  chain ${chainName('in', network)} {
    iifname ${bridge} ${network.icc ? 'accept' : 'drop'}
    drop comment "internal network"
  }
  chain ${chainName('out', network)} {
    drop comment "internal network"
  }
`;
  return `  chain ${chainName('in', network)} {
    ct state established,related accept
    ct status dnat accept
    ip daddr . meta l4proto . th dport @open4 accept
    ip6 daddr . meta l4proto . th dport @open6 accept
    ${siblings}
${network.trustedInterfaces.map((name) => `    iifname "${name}" accept\n`).join('')}${open('ipv4', network.gatewayMode4)}${open('ipv6', network.gatewayMode6)}    meta l4proto 1 ${network.gatewayMode4 === 'routed' ? 'accept' : 'drop'}
    meta l4proto 58 ${network.gatewayMode6 === 'routed' ? 'accept' : 'drop'}
    drop comment "port is not published"
  }
  chain ${chainName('out', network)} {
    accept
  }
`;
}
