import { notImplemented, systemError } from '@gantry/sdk';
import type { NetlinkSocket } from '@gantry/sdk/linux/netlink';
import { changeLink, deleteLink, getLink, type LinkInfo } from '@gantry/sdk/linux/rtnetlink';
import { knowsLinkKind, newDummy, newVlan } from '@gantry/sdk/linux/rtnetlink-kinds';
import { type ParentOptions, parseVlanName } from './parent-options';

/**
 * The interface containers' interfaces hang on. A VLAN subinterface or a dummy that is not there is made, and noted as
 * ours. Repeatable.
 *
 * @throws system as dockerd words it, not-implemented where the kernel lacks VLANs
 */
export async function ensureParent(
  socket: NetlinkSocket,
  owner: string,
  { parent, isDummy }: ParentOptions,
): Promise<LinkInfo> {
  const there = getLink(socket, parent);
  if (there !== undefined) {
    if (isDummy) await socket.request([changeLink(there.index, { up: true })]);
    return there;
  }
  await (isDummy ? makeDummy(socket, parent) : makeVlan(socket, parent));
  await socket.request([changeLink(parent, { alias: owner, up: true })]);
  const made = getLink(socket, parent);
  if (made === undefined) throw systemError(`parent interface ${parent} was made and is gone`);
  return made;
}

/** Takes away a parent that `ensureParent` made. */
export async function removeParent(socket: NetlinkSocket, owner: string, parent: string): Promise<void> {
  const link = getLink(socket, parent);
  if (link?.alias === owner) await socket.request([deleteLink(link.index)]);
}

/** @throws not-implemented the kernel has no such interfaces */
export function assertKernelKnows(socket: NetlinkSocket, kind: string, module: string): void {
  if (!knowsLinkKind(socket, kind))
    throw notImplemented(
      `the kernel has no ${kind} interfaces: load its module "${module}", or use a kernel built with it`,
    );
}

async function makeDummy(socket: NetlinkSocket, name: string): Promise<void> {
  assertKernelKnows(socket, 'dummy', 'dummy');
  await socket.request([newDummy(name)]);
}

async function makeVlan(socket: NetlinkSocket, name: string): Promise<void> {
  const { parent, id } = parseVlanName(name);
  const below = getLink(socket, parent);
  if (below === undefined) throw systemError(`-o parent interface was not found on the host: ${parent}`);
  assertKernelKnows(socket, 'vlan', '8021q');
  await socket.request([newVlan(name, below.index, id)]);
}
