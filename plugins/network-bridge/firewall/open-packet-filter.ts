import type { DaemonSettings, Logger } from '@gantry/sdk';
import { NetlinkSocket } from '@gantry/sdk/linux/netlink';
import { NETLINK_NETFILTER } from '@gantry/sdk/linux/nftables';
import { IptablesBackend } from './iptables/iptables-backend';
import { NftBackend } from './nft/nft-backend';
import { type FilterOptions, PacketFilter } from './packet-filter';

/** The packet filter of the settings' choice; with neither family managed the operator looks after the rules. */
export function openPacketFilter(
  backend: DaemonSettings['bridge']['firewallBackend'],
  owner: string,
  options: FilterOptions,
  log: Logger,
): PacketFilter {
  if (!options.ipv4 && !options.ipv6) return new PacketFilter(undefined, log);
  return new PacketFilter(
    (content, heal) =>
      backend === 'iptables'
        ? new IptablesBackend(owner, options, log, content, heal)
        : new NftBackend(owner, options, NetlinkSocket.open(NETLINK_NETFILTER), log, content, heal),
    log,
  );
}
