import { randomBytes } from 'node:crypto';
import { closeSync, existsSync, openSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { NetlinkSocket } from '@gantry/sdk/linux/netlink';
import { changeBridgePort, changeLink, deleteLink, getLink, listLinks, newVeth } from '@gantry/sdk/linux/rtnetlink';
import { addressBytes } from '../addresses';
import { bridgedPacketsAreFiltered } from './bridged-packets';

/** Name of the host's end; seven digits, as dockerd's. */
export const hostEnd = (endpointId: string): string => `veth${endpointId.slice(0, 7)}`;
/** Name of the other end until the sandbox gives it its own. */
export const sandboxEnd = (endpointId: string): string => `vetp${endpointId.slice(0, 7)}`;

/**
 * `02:42:` and the four bytes of the IPv4 address. An address that passes from one container to the next keeps its
 * MAC, so that nobody's neighbour cache is wrong; announcements come too early, while the port is not yet forwarding.
 */
export function macOf(ipv4: string): string {
  const bytes = ipv4 === '' ? randomBytes(4) : addressBytes(ipv4);
  return ['02', '42', ...[...bytes].map((byte) => byte.toString(16).padStart(2, '0'))].join(':');
}

export interface EndpointLink {
  readonly endpointId: string;
  /** Noted on the host's end, so that it can be told from others'. */
  readonly owner: string;
  readonly bridgeIndex: number;
  /** Path of the namespace the far end is born in; where there is none it stays here until somebody takes it. */
  readonly sandboxKey: string;
  readonly macAddress: string;
  readonly mtu: number;
  /** Ports cut off from each other: no communication between containers of the network. */
  readonly isolated: boolean;
}

/** Makes the pair with the far end in the sandbox already, which spares the slow move. */
export async function createEndpointLink(socket: NetlinkSocket, link: EndpointLink): Promise<void> {
  const mac = Uint8Array.from(link.macAddress.split(':').map((digits) => Number.parseInt(digits, 16)));
  const mtu = link.mtu > 0 ? link.mtu : undefined;
  const namespaceFd = existsSync(link.sandboxKey) ? openSync(link.sandboxKey, 'r') : undefined;
  const name = hostEnd(link.endpointId);
  try {
    await socket.request([
      newVeth(
        { name, master: link.bridgeIndex, mtu, up: true },
        { name: sandboxEnd(link.endpointId), mac, mtu, namespaceFd },
      ),
      // Where the kernel filters bridged packets, a container reaches itself through a published port by going out
      // of the port it came in by.
      changeLink(name, { alias: link.owner }),
      // The packet filter keeps siblings apart where it sees them; isolated ports would cut off published ports as well.
      changeBridgePort(name, { hairpin: true, isolated: link.isolated && !bridgedPacketsAreFiltered() }),
    ]);
  } finally {
    if (namespaceFd !== undefined) closeSync(namespaceFd);
  }
}

/**
 * Waits until the host's end is gone, as it goes with the sandbox's namespace; removes it when the sandbox
 * is still there, or when the kernel takes longer than `patienceMs`.
 */
export async function removeEndpointLink(
  socket: NetlinkSocket,
  endpointId: string,
  sandboxKey: string,
  patienceMs = 500,
): Promise<void> {
  const first = getLink(socket, hostEnd(endpointId));
  if (first === undefined) return;
  if (sandboxKey !== '' && !existsSync(sandboxKey)) {
    const deadline = Date.now() + patienceMs;
    for (let pause = 2; Date.now() < deadline; pause = Math.min(pause * 2, 20)) {
      await sleep(pause);
      if (getLink(socket, first.index) === undefined) return;
    }
  }
  await socket.request([deleteLink(first.index)]);
}

/** Removes host ends of `owner` that belong to none of the endpoints. */
export async function collectEndpointLinks(
  socket: NetlinkSocket,
  owner: string,
  endpointIds: Iterable<string>,
): Promise<void> {
  const known = new Set([...endpointIds].map(hostEnd));
  const strays = listLinks(socket).filter(
    (link) => link.kind === 'veth' && link.alias === owner && !known.has(link.name),
  );
  await socket.request(strays.map((link) => deleteLink(link.index)));
}
