import { closeSync } from 'node:fs';
import { NetlinkSocket } from '../netlink';
import { leaveForNewNetworkNamespace, moveToNetworkNamespace, openOwnNetworkNamespace } from '../network-namespaces';
import { changeLink } from '../rtnetlink';

/** Puts this process into an empty network of its own with the loopback up. @returns the way back */
export function enterPrivateNetwork(): () => void {
  const home = openOwnNetworkNamespace();
  leaveForNewNetworkNamespace();
  const socket = NetlinkSocket.open();
  socket.requestSync([changeLink(1, { up: true })]);
  socket.close();
  return () => {
    moveToNetworkNamespace(home);
    closeSync(home);
  };
}
