import { attribute, type NetlinkMessage, type NetlinkSocket, u32 } from './netlink';
import { type LinkChange, newLinkOfKind } from './rtnetlink';

/** Kinds of interfaces that stand on another one. @see the kernel's include/uapi/linux/if_link.h */

/** How interfaces on one parent see each other. */
export type MacvlanMode = 'private' | 'vepa' | 'bridge' | 'passthru';
/** Layer at which the kernel sorts packets. */
export type IpvlanMode = 'l2' | 'l3' | 'l3s';
/** How interfaces on one parent see each other. */
export type IpvlanFlag = 'bridge' | 'private' | 'vepa';

const macvlanModes: Readonly<Record<MacvlanMode, number>> = { private: 1, vepa: 2, bridge: 4, passthru: 8 };
const ipvlanModes: Readonly<Record<IpvlanMode, number>> = { l2: 0, l3: 1, l3s: 2 };
const ipvlanFlags: Readonly<Record<IpvlanFlag, number>> = { bridge: 0, private: 1, vepa: 2 };

/** An interface with a MAC of its own on the interface with index `parent`. */
export function newMacvlan(name: string, parent: number, mode: MacvlanMode, change: LinkChange = {}): NetlinkMessage {
  const data = [attribute(1, u32(macvlanModes[mode]))];
  return newLinkOfKind('macvlan', { ...change, name, parent }, data);
}

/** An interface with the parent's MAC and addresses of its own. */
export function newIpvlan(
  name: string,
  parent: number,
  mode: IpvlanMode,
  flag: IpvlanFlag,
  change: LinkChange = {},
): NetlinkMessage {
  const data = [attribute(1, u16(ipvlanModes[mode])), attribute(2, u16(ipvlanFlags[flag]))];
  return newLinkOfKind('ipvlan', { ...change, name, parent }, data);
}

/** An 802.1q subinterface. @param id 1 to 4094 */
export function newVlan(name: string, parent: number, id: number): NetlinkMessage {
  return newLinkOfKind('vlan', { name, parent }, [attribute(1, u16(id))]);
}

/** An interface that leads nowhere. */
export function newDummy(name: string): NetlinkMessage {
  return newLinkOfKind('dummy', { name }, []);
}

/** Whether the kernel can make interfaces of a kind; it loads the module when it has one. */
export function knowsLinkKind(socket: NetlinkSocket, kind: string): boolean {
  // Such a name is refused whatever the kind, but the kind is looked at first.
  try {
    socket.requestSync([newLinkOfKind(kind, { name: 'x/x' }, [])]);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code !== 'EOPNOTSUPP' && code !== 'ENOTSUP';
  }
}

function u16(value: number): Buffer {
  const out = Buffer.alloc(2);
  out.writeUInt16LE(value);
  return out;
}
