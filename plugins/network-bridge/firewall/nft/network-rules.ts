import type { GatewayMode } from '../../bridge-options';
import type { FirewallNetwork } from '../packet-filter';

/** Name of a network's chain. */
export function chainName(prefix: string, network: FirewallNetwork): string {
  // Interface names may hold characters that chain names may not.
  return `${prefix}-${network.bridgeName.replaceAll(/[^A-Za-z0-9_.-]/g, '_')}`.replaceAll('.', '_');
}

/** Source addresses of what leaves a network. */
export function masqueradeRules(network: FirewallNetwork): string {
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
export function keepInside({ bridgeName }: FirewallNetwork): string {
  return `    iifname "${bridgeName}" oifname != "${bridgeName}" drop comment "internal network"\n`;
}

/** The chains that judge what goes into and out of a network. */
export function chains(network: FirewallNetwork): string {
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
${network.icc ? '' : `    iifname ${bridge} ip saddr . ip daddr . meta l4proto . th dport @linked4 accept\n`}    ${siblings}
${network.trustedInterfaces.map((name) => `    iifname "${name}" accept\n`).join('')}${open('ipv4', network.gatewayMode4)}${open('ipv6', network.gatewayMode6)}    meta l4proto 1 ${network.gatewayMode4 === 'routed' ? 'accept' : 'drop'}
    meta l4proto 58 ${network.gatewayMode6 === 'routed' ? 'accept' : 'drop'}
    drop comment "port is not published"
  }
  chain ${chainName('out', network)} {
    accept
  }
`;
}
