import { type Look, ok, warn } from './finding';
import type { Machine } from './machine';

interface NftChain {
  readonly family: string;
  readonly table: string;
  readonly name: string;
  readonly hook?: string;
  readonly policy?: string;
}

/** Who else filters packets, and whether forwarded ones of containers get through. */
export async function lookAtFirewall(machine: Machine): Promise<Look[]> {
  const looks: Look[] = [];
  const forwarding = (await machine.read('/proc/sys/net/ipv4/ip_forward'))?.trim();
  looks.push(
    forwarding === '1'
      ? ok('IPv4 forwarding', 'on')
      : ok('IPv4 forwarding', 'off; the daemon turns it on unless "ip-forward" is false'),
  );
  if (machine.uid !== 0) {
    looks.push(warn('packet filter', 'may not be looked at', 'look as root'));
    return looks;
  }
  const dropping = (await forwardChains(machine)).filter(({ policy }) => policy === 'drop');
  if (dropping.length === 0) looks.push(ok('packet filter', 'no chain drops forwarded packets by its policy'));
  for (const { family, table, name } of dropping)
    looks.push(
      warn(
        'packet filter',
        `chain ${name} of table ${family} ${table} drops forwarded packets by its policy`,
        `another dockerd or a firewall set it, and containers lose their way out: nft 'chain ${family} ${table} ${name} { policy accept; }'`,
      ),
    );
  const legacy = await machine.run('iptables-legacy', '-S', 'FORWARD');
  if (legacy !== undefined && /^-P FORWARD DROP$/m.test(legacy))
    looks.push(
      warn(
        'iptables-legacy',
        'FORWARD drops by its policy',
        'containers lose their way out: iptables-legacy -P FORWARD ACCEPT',
      ),
    );
  return looks;
}

async function forwardChains(machine: Machine): Promise<NftChain[]> {
  const text = await machine.run('nft', '--json', 'list', 'chains');
  if (text === undefined) return [];
  try {
    const { nftables } = JSON.parse(text) as { nftables: { chain?: NftChain }[] };
    return nftables.flatMap(({ chain }) => (chain?.hook === 'forward' ? [chain] : []));
  } catch {
    return [];
  }
}
