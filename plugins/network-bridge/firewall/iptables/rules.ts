import { createHash } from 'node:crypto';
import { type FilterOptions, type FirewallNetwork, type FirewallPort, OPERATOR_CHAIN } from '../packet-filter';

export type Family = 'ipv4' | 'ipv6';
export type TableName = 'raw' | 'nat' | 'filter';

/** A rule of ours. */
export interface IptablesRule {
  readonly table: TableName;
  readonly chain: string;
  /** What it matches and does, as on the command line. */
  readonly spec: string;
  /** Before the others of its chain; rules of the same kind are in any order. */
  readonly first?: boolean;
}

/** Chains as dockerd names them; other engines on the host may use the same ones. */
export const chains: Readonly<Record<TableName, readonly string[]>> = {
  raw: [],
  nat: ['DOCKER'],
  filter: [OPERATOR_CHAIN, 'DOCKER-FORWARD', 'DOCKER-CT', 'DOCKER-ISOLATION-STAGE-1', 'DOCKER-BRIDGE', 'DOCKER'],
};

/** Rules that lead into the chains, shared with other engines: in the order in which they must stand in each chain. */
export function jumps(family: Family): IptablesRule[] {
  const jump = (table: TableName, chain: string, spec: string) => ({ table, chain, spec });
  const local = '-m addrtype --dst-type LOCAL -j DOCKER';
  return [
    jump('nat', 'PREROUTING', local),
    // The kernel forwards no IPv6 loopback; the held socket relays.
    jump('nat', 'OUTPUT', family === 'ipv4' ? local : `! -d ::1/128 ${local}`),
    jump('filter', 'FORWARD', `-j ${OPERATOR_CHAIN}`),
    jump('filter', 'FORWARD', '-j DOCKER-FORWARD'),
    jump('filter', 'DOCKER-FORWARD', '-j DOCKER-CT'),
    jump('filter', 'DOCKER-FORWARD', '-j DOCKER-ISOLATION-STAGE-1'),
    jump('filter', 'DOCKER-FORWARD', '-j DOCKER-BRIDGE'),
  ];
}

/** Rules that hold for all networks. */
export function generalRules({ acceptFwmark }: FilterOptions): IptablesRule[] {
  if (acceptFwmark === '') return [];
  return [{ table: 'filter', chain: 'DOCKER-CT', spec: `-m mark --mark ${acceptFwmark} -j ACCEPT`, first: true }];
}

/** Rules of a network in one family. */
export function networkRules(network: FirewallNetwork, family: Family): IptablesRule[] {
  const { bridgeName: bridge, internal } = network;
  const subnets = family === 'ipv4' ? network.subnets4 : network.subnets6;
  const mode = family === 'ipv4' ? network.gatewayMode4 : network.gatewayMode6;
  const source = family === 'ipv4' ? network.sourceIp4 : network.sourceIp6;
  const filter = (chain: string, spec: string): IptablesRule => ({ table: 'filter', chain, spec });
  const leaving = (spec: string): IptablesRule => ({ table: 'nat', chain: 'POSTROUTING', spec });
  const loopback: IptablesRule[] =
    family === 'ipv4'
      ? [
          { table: 'raw', chain: 'PREROUTING', spec: `-d 127.0.0.0/8 -i ${bridge} -j DROP` },
          leaving(`-s 127.0.0.0/8 -o ${bridge} -j MASQUERADE`),
        ]
      : [];
  const siblings = filter('DOCKER', `-i ${bridge} -o ${bridge} -j ${network.icc ? 'ACCEPT' : 'DROP'}`);
  const shared = [
    ...loopback,
    // A container that reaches itself or a sibling through the host's address must get its answers from there.
    ...subnets.map((subnet) => leaving(`-s ${subnet} -o ${bridge} -m conntrack --ctstate DNAT -j MASQUERADE`)),
    filter('DOCKER-BRIDGE', `-o ${bridge} -j DOCKER`),
  ];
  if (internal)
    return [
      ...shared,
      // Before the jumps: a port another network publishes would let the packet through otherwise.
      filter('DOCKER-ISOLATION-STAGE-1', `-i ${bridge} ! -o ${bridge} -j DROP`),
      filter('DOCKER-ISOLATION-STAGE-1', `! -i ${bridge} -o ${bridge} -j DROP`),
      siblings,
    ];
  const way = source === '' ? 'MASQUERADE' : `SNAT --to-source ${source}`;
  const ping = family === 'ipv4' ? '-p icmp' : '-p ipv6-icmp';
  return [
    ...shared,
    ...(network.masquerade && mode !== 'routed'
      ? subnets.map((subnet) => leaving(`-s ${subnet} ! -o ${bridge} -j ${way}`))
      : []),
    filter('DOCKER-CT', `-o ${bridge} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT`),
    filter('DOCKER', `-o ${bridge} -m conntrack --ctstate DNAT -j ACCEPT`),
    siblings,
    ...network.trustedInterfaces.map((name) => filter('DOCKER', `-i ${name} -o ${bridge} -j ACCEPT`)),
    ...(mode === 'nat-unprotected' ? [filter('DOCKER', `-o ${bridge} -j ACCEPT`)] : []),
    ...(mode === 'routed' ? [filter('DOCKER', `-o ${bridge} ${ping} -j ACCEPT`)] : []),
    filter('DOCKER', `-o ${bridge} -j DROP`),
    filter('DOCKER-FORWARD', `-i ${bridge} -j ACCEPT`),
  ];
}

export const familyOf = ({ targetIp }: FirewallPort): Family => (targetIp.includes(':') ? 'ipv6' : 'ipv4');

/** The rule of a published port: an open one lets packets in, others translate. */
export function portRule(port: FirewallPort): IptablesRule {
  const { proto, hostIp, hostPort, targetIp, targetPort, sourceIp } = port;
  if (hostPort === 0)
    return {
      table: 'filter',
      chain: 'DOCKER',
      spec: `${sourceIp === undefined ? '' : `-s ${sourceIp} `}-d ${targetIp} -p ${proto} --dport ${targetPort} -j ACCEPT`,
      first: true,
    };
  const target = targetIp.includes(':') ? `[${targetIp}]:${targetPort}` : `${targetIp}:${targetPort}`;
  const match = `${hostIp === '' ? '' : `-d ${hostIp} `}-p ${proto} --dport ${hostPort}`;
  // What is published at one address goes before what is published at all of them.
  return { table: 'nat', chain: 'DOCKER', spec: `${match} -j DNAT --to-destination ${target}`, first: hostIp !== '' };
}

/** What a rule's comment says after the owner: tells it from all others of ours. */
export function ruleId({ table, chain, spec, first }: IptablesRule): string {
  return createHash('sha256').update(`${table} ${chain} ${first} ${spec}`).digest('hex').slice(0, 12);
}

/** The rule as a command of iptables-restore. */
export function ruleLine(owner: string, rule: IptablesRule, command: 'add' | 'delete'): string {
  const verb = command === 'delete' ? '-D' : rule.first ? '-I' : '-A';
  return `${verb} ${rule.chain} -m comment --comment ${owner}/${ruleId(rule)} ${rule.spec}`;
}
