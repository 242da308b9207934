import { closeSync, openSync, writeFileSync } from 'node:fs';
import { errorMessage, invalidParameter, systemError } from '@gantry/sdk';
import { NetlinkSocket } from '@gantry/sdk/linux/netlink';
import {
  createNetworkNamespace,
  openOwnNetworkNamespace,
  withinNetworkNamespace,
} from '@gantry/sdk/linux/network-namespaces';
import { addAddress, addRoute, changeLink, deleteRoute, getLink, type LinkInfo } from '@gantry/sdk/linux/rtnetlink';
import { addressBytes, parseAddress, parseCidr } from '../address/cidr';

const LOOPBACK = 1;

/** Makes the namespace of a sandbox with its loopback up. */
export function createSandboxNamespace(key: string): void {
  createNetworkNamespace(key, () => {
    const socket = NetlinkSocket.open();
    try {
      socket.requestSync([changeLink(LOOPBACK, { up: true })]);
    } finally {
      socket.close();
    }
  });
}

/** A netlink socket of the sandbox. Close it soon: it keeps the namespace alive. */
export function openSandboxNetlink(key: string): NetlinkSocket {
  return withinNetworkNamespace(key, () => NetlinkSocket.open());
}

export interface InterfacePlan {
  /** Name the driver gave it; in the sandbox already, or on the host. */
  readonly srcName: string;
  /** Name in the sandbox. */
  readonly name: string;
  readonly macAddress: string;
  /** CIDR or empty. */
  readonly address: string;
  readonly addressIPv6: string;
  /** Further CIDR addresses. */
  readonly linkLocal: readonly string[];
  readonly routes: readonly { readonly destination: string; readonly nextHop: string }[];
  /** `net.ipv4.conf.IFNAME.log_martians=1` and the like; the interface's name goes where IFNAME stands. */
  readonly sysctls: readonly string[];
}

/** Brings a driver's interface into the sandbox, names it, and sets its addresses and routes. */
export async function setUpInterface(key: string, socket: NetlinkSocket, plan: InterfacePlan): Promise<void> {
  const link = getLink(socket, plan.srcName) ?? (await bringIn(key, socket, plan.srcName));
  // Without an IPv6 address the interface must not make itself one; announcements correct the neighbour
  // caches of those who knew the address from an earlier container.
  withinNetworkNamespace(key, () => {
    const ipv6 = plan.addressIPv6 !== '' || plan.linkLocal.some((address) => address.includes(':'));
    setting(`ipv6/conf/${plan.srcName}/disable_ipv6`, ipv6 ? '0' : '1');
    setting(`ipv4/conf/${plan.srcName}/arp_notify`, '1');
    if (plan.addressIPv6 !== '') setting(`ipv6/conf/${plan.srcName}/ndisc_notify`, '1');
  });
  const mac = plan.macAddress === '' || plan.macAddress === link.mac ? undefined : macBytes(plan.macAddress);
  const addresses = [plan.address, plan.addressIPv6, ...plan.linkLocal].filter(Boolean).map((text) => parseCidr(text));
  await socket.request([
    changeLink(link.index, { name: plan.name, mac }),
    ...addresses.map(({ address, block }) => addAddress(link.index, addressBytes(address), block.prefixLength)),
    changeLink(link.index, { up: true }),
    ...plan.routes.map((route) => {
      const { block } = parseCidr(route.destination);
      return addRoute({
        destination: {
          address: addressBytes({ version: block.version, value: block.base }),
          prefixLength: block.prefixLength,
        },
        gateway: route.nextHop === '' ? undefined : addressBytes(parseAddress(route.nextHop)),
        interfaceIndex: link.index,
      });
    }),
  ]);
  for (const sysctl of plan.sysctls) applySysctl(key, plan.name, sysctl);
}

function applySysctl(key: string, name: string, assignment: string): void {
  const match = /^net\.(ipv4|ipv6|mpls)\.(conf|neigh)\.(?:IFNAME|ifname)\.([a-z0-9_]+)=(-?\w+)$/.exec(
    assignment.trim(),
  );
  if (match === null)
    throw invalidParameter(`invalid sysctl "${assignment}": expected net.ipv4.conf.IFNAME.<name>=<value> or the like`);
  const [, family, table, setting, value] = match;
  try {
    withinNetworkNamespace(key, () => writeFileSync(`/proc/sys/net/${family}/${table}/${name}/${setting}`, value!));
  } catch (error) {
    throw invalidParameter(`sysctl "${assignment}" cannot be set: ${errorMessage(error)}`, error);
  }
}

/** Sets or takes away the default route of the family of `gateway`. */
export async function setDefaultRoute(
  socket: NetlinkSocket,
  interfaceName: string,
  gateway: string,
  present: boolean,
): Promise<void> {
  const link = getLink(socket, interfaceName);
  if (link === undefined) return;
  const route = { gateway: addressBytes(parseAddress(gateway)), interfaceIndex: link.index };
  await socket.request([present ? addRoute(route) : deleteRoute(route)]);
}

async function bringIn(key: string, inside: NetlinkSocket, name: string): Promise<LinkInfo> {
  const host = NetlinkSocket.open();
  const namespaceFd = openSync(key, 'r');
  try {
    await host.request([changeLink(name, { namespaceFd })]);
  } finally {
    closeSync(namespaceFd);
    host.close();
  }
  const link = getLink(inside, name);
  if (link === undefined) throw systemError(`interface ${name} did not arrive in the sandbox`);
  return link;
}

/** Takes an interface out of the sandbox to the host, under the name it had there. */
export async function returnInterface(inside: NetlinkSocket, index: number, name: string): Promise<void> {
  const home = openOwnNetworkNamespace();
  try {
    await inside.request([
      changeLink(index, { up: false }),
      changeLink(index, { name }),
      changeLink(index, { namespaceFd: home }),
    ]);
  } finally {
    closeSync(home);
  }
}

function setting(path: string, value: string): void {
  try {
    writeFileSync(`/proc/sys/net/${path}`, value);
  } catch (error) {
    // A kernel without IPv6 has no such file, and then nothing needs to be set.
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}

function macBytes(text: string): Uint8Array {
  return Uint8Array.from(text.split(':').map((digits) => Number.parseInt(digits, 16)));
}
