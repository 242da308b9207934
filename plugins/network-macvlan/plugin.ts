import { definePlugin, NetworkDriver1 } from '@gantry/sdk';
import { NetlinkSocket } from '@gantry/sdk/linux/netlink';
import { createParentLinkDriver } from './parent-link-driver';

export const plugin = definePlugin({
  name: 'network-macvlan',
  version: '0.1.0',
  engine: '^0.1.0',
  provides: { macvlan: NetworkDriver1, ipvlan: NetworkDriver1 },
  start: ({ settings, log, onStop }) => {
    const socket = NetlinkSocket.open();
    onStop(() => socket.close());
    const deps = { socket, log, owner: `gantry-${settings.engineId.slice(0, 8)}`, parents: new Map() };
    return { macvlan: createParentLinkDriver('macvlan', deps), ipvlan: createParentLinkDriver('ipvlan', deps) };
  },
});
