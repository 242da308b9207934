import { NetlinkSocket } from '@gantry/sdk/linux/netlink';
import { getLink, listAddresses, listRoutes } from '@gantry/sdk/linux/rtnetlink';
import { formatAddress } from '../address/cidr';

const MAIN_TABLE = 254;

/** Destinations of the host's routes as CIDRs, without the default route. */
export function hostRoutes(): string[] {
  const socket = NetlinkSocket.open();
  try {
    return listRoutes(socket)
      .filter((route) => route.table === MAIN_TABLE && route.prefixLength > 0)
      .map((route) => `${addressText(route.destination)}/${route.prefixLength}`);
  } finally {
    socket.close();
  }
}

/** The addresses (CIDR) of a host interface but IPv6 link-local ones; empty when it does not exist. */
export function interfaceAddresses(name: string): string[] {
  const socket = NetlinkSocket.open();
  try {
    const link = getLink(socket, name);
    if (link === undefined) return [];
    return listAddresses(socket)
      .filter((entry) => entry.index === link.index && !isLinkLocal(entry.address))
      .map((entry) => `${addressText(entry.address)}/${entry.prefixLength}`);
  } finally {
    socket.close();
  }
}

function isLinkLocal(address: Uint8Array): boolean {
  return address.length === 16 && address[0] === 0xfe && (address[1]! & 0xc0) === 0x80;
}

export function addressText(bytes: Uint8Array): string {
  const version = bytes.length === 4 ? 4 : 6;
  return formatAddress({ version, value: BigInt(`0x${Buffer.from(bytes).toString('hex') || '0'}`) });
}
