import type { DaemonSettings, Logger } from '@gantry/sdk';
import { NetlinkSocket } from '@gantry/sdk/linux/netlink';
import { NETLINK_NETFILTER } from '@gantry/sdk/linux/nftables';
import { type BridgeDriver, createBridgeDriver } from './bridge-driver';
import { Firewall } from './firewall/firewall';
import { PortAllocator } from './ports/port-allocator';

/** Puts the driver together; nothing in the kernel changes before its first call. */
export function startBridge(settings: DaemonSettings, mtu: number, log: Logger): BridgeDriver {
  const owner = `gantry-${settings.engineId.slice(0, 8)}`;
  const netfilter = NetlinkSocket.open(NETLINK_NETFILTER);
  return createBridgeDriver({
    settings,
    mtu: { networks: mtu, defaultBridge: settings.mtu === 0 ? mtu : 0 },
    log,
    owner,
    socket: NetlinkSocket.open(),
    netfilter,
    conntrack: NetlinkSocket.open(NETLINK_NETFILTER),
    firewall: new Firewall(owner, settings.bridge.manageFirewall, netfilter, log),
    allocator: new PortAllocator(settings.bridge.userlandProxy),
    networks: new Map(),
  });
}
