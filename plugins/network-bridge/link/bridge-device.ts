import { readFileSync, writeFileSync } from 'node:fs';
import { systemError } from '@gantry/sdk';
import type { NetlinkSocket } from '@gantry/sdk/linux/netlink';
import {
  addAddress,
  changeLink,
  deleteAddress,
  deleteLink,
  getLink,
  listAddresses,
  listLinks,
  newBridge,
} from '@gantry/sdk/linux/rtnetlink';
import { parsePrefix } from '../addresses';
import { macOf } from './endpoint-link';

export interface BridgeDevice {
  readonly name: string;
  /** Noted on a bridge we make, so that it can be told from others'. */
  readonly owner: string;
  /** 0 = the kernel's default. */
  readonly mtu: number;
  /** CIDR addresses of the gateway. */
  readonly addresses: readonly string[];
  /** A restart may have changed the address of the default bridge: others than `addresses` are taken off, if it is ours. */
  readonly exclusive: boolean;
}

/** Makes the bridge when it is missing and gives it its addresses. Repeatable. @returns its index */
export async function ensureBridge(socket: NetlinkSocket, device: BridgeDevice): Promise<number> {
  let link = getLink(socket, device.name);
  if (link === undefined) {
    // A bridge without an address of its own changes it with its ports, and everybody's neighbour caches go stale.
    const mac = Uint8Array.from(macOf('').split(':'), (digits) => Number.parseInt(digits, 16));
    await socket.request([
      newBridge(device.name, { mac, mtu: device.mtu > 0 ? device.mtu : undefined }),
      changeLink(device.name, { alias: device.owner }), // Ignored in the first message.
    ]);
    link = getLink(socket, device.name);
  }
  if (link === undefined) throw systemError(`bridge ${device.name} was made and is gone`);
  if (link.kind !== 'bridge') throw systemError(`existing interface ${device.name} is not a bridge`);
  const { index } = link;
  bridgeSettings(
    device.name,
    device.addresses.some((address) => address.includes(':')),
  );
  const wanted = device.addresses.map(parsePrefix);
  const surplus =
    device.exclusive && link.alias === device.owner
      ? listAddresses(socket).filter(
          (have) =>
            have.index === index &&
            !(have.address.length === 16 && have.address[0] === 0xfe && (have.address[1]! & 0xc0) === 0x80) &&
            !wanted.some((want) => Buffer.compare(want.address, have.address) === 0),
        )
      : [];
  await socket.request([
    ...surplus.map((have) => deleteAddress(index, have.address, have.prefixLength)),
    ...wanted.map((want) => addAddress(index, want.address, want.prefixLength)),
    changeLink(index, { up: true }),
  ]);
  return index;
}

/** Removes a bridge that `ensureBridge` made; one that was there before stays. */
export async function removeBridge(socket: NetlinkSocket, name: string, owner: string): Promise<void> {
  const link = getLink(socket, name);
  if (link?.alias === owner) await socket.request([deleteLink(link.index)]);
}

/** Removes bridges of `owner` that no network has a use for. */
export async function collectBridges(socket: NetlinkSocket, owner: string, wanted: ReadonlySet<string>): Promise<void> {
  const strays = listLinks(socket).filter(
    (link) => link.kind === 'bridge' && link.alias === owner && !wanted.has(link.name),
  );
  await socket.request(strays.map((link) => deleteLink(link.index)));
}

/** Turns forwarding on where it is off. */
export function enableForwarding(ipv6: boolean): void {
  switchOn('/proc/sys/net/ipv4/ip_forward');
  if (ipv6) {
    switchOn('/proc/sys/net/ipv6/conf/default/forwarding');
    switchOn('/proc/sys/net/ipv6/conf/all/forwarding');
  }
}

function bridgeSettings(name: string, ipv6: boolean): void {
  // Lets 127.0.0.1:port of the host be forwarded to a container; the packet filter keeps everybody else off.
  writeFileSync(`/proc/sys/net/ipv4/conf/${name}/route_localnet`, '1');
  for (const [key, value] of [
    ['disable_ipv6', ipv6 ? '0' : '1'],
    ['accept_ra', '0'],
  ] as const)
    try {
      writeFileSync(`/proc/sys/net/ipv6/conf/${name}/${key}`, value);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
}

function switchOn(path: string): void {
  if (readFileSync(path, 'utf8').trim() !== '1') writeFileSync(path, '1');
}
