import { type DaemonSettings, invalidParameter, type Logger } from '@gantry/sdk';
import { NetlinkSocket } from '@gantry/sdk/linux/netlink';
import { NETLINK_NETFILTER } from '@gantry/sdk/linux/nftables';
import { type BridgeDriver, createBridgeDriver } from './bridge-driver';
import { openPacketFilter } from './firewall/open-packet-filter';
import { PortAllocator } from './ports/port-allocator';

/** Puts the driver together; nothing in the kernel changes before its first call. */
export function startBridge(
  settings: DaemonSettings,
  { mtu, hostFirewallDecides }: { readonly mtu: number; readonly hostFirewallDecides: boolean },
  log: Logger,
): BridgeDriver {
  const { bridge } = settings;
  const managed = { ipv4: bridge.manageFirewall, ipv6: bridge.manageFirewallV6 };
  if (!managed.ipv4 && !bridge.icc)
    throw invalidParameter(
      'You specified --iptables=false with --icc=false. ICC=false uses iptables to function. Please set --icc or --iptables to true',
    );
  const owner = `gantry-${settings.engineId.slice(0, 8)}`;
  return createBridgeDriver({
    settings,
    mtu: { networks: mtu, defaultBridge: settings.mtu === 0 ? mtu : 0 },
    log,
    owner,
    socket: NetlinkSocket.open(),
    conntrack: NetlinkSocket.open(NETLINK_NETFILTER),
    firewall: openPacketFilter(bridge.firewallBackend, owner, { ...managed, acceptFwmark: bridge.acceptFwmark }, log),
    allocator: new PortAllocator(bridge.userlandProxy || hostFirewallDecides),
    publishing: {
      translates: hostFirewallDecides ? { ipv4: false, ipv6: false } : managed,
      directRouting: bridge.allowDirectRouting,
    },
    networks: new Map(),
  });
}
