import {
  attribute,
  attributeText,
  type NetlinkMessage,
  type NetlinkSocket,
  netlinkFlags,
  parseAttributes,
  u32,
} from './netlink';

/** Messages are built here and sent with `NetlinkSocket.request`, several at once where it helps. @see rtnetlink(7) */
const RTM = {
  newLink: 16,
  delLink: 17,
  getLink: 18,
  newAddress: 20,
  delAddress: 21,
  getAddress: 22,
  newRoute: 24,
  delRoute: 25,
  getRoute: 26,
  delNeighbour: 29,
} as const;

const IFLA = {
  address: 1,
  name: 3,
  mtu: 4,
  link: 5,
  master: 10,
  linkInfo: 18,
  namespaceFd: 28,
  alias: 20,
} as const;
const AF_INET = 2;
const AF_INET6 = 10;
const IFF_UP = 1;

/** What to set on a link; absent members stay as they are. */
export interface LinkChange {
  /** New name. */
  readonly name?: string;
  readonly mtu?: number;
  /** Six bytes. */
  readonly mac?: Uint8Array;
  readonly up?: boolean;
  /** Index of the bridge; 0 takes it off. */
  readonly master?: number;
  /** Index of the interface it stands on; only when it is made. */
  readonly parent?: number;
  /** Open descriptor of the namespace to move it to. */
  readonly namespaceFd?: number;
  /** A note for people and for us, up to 255 bytes; it names nothing. */
  readonly alias?: string;
}

/** A network interface as the kernel describes it. */
export interface LinkInfo {
  readonly index: number;
  readonly name: string;
  readonly kind: string;
  readonly alias: string;
  readonly mtu: number;
  readonly mac: string;
  readonly up: boolean;
  readonly master: number;
  /** Index of the other end of a veth, in its own namespace. */
  readonly link: number;
}

/** An address of an interface. */
export interface AddressInfo {
  readonly index: number;
  readonly address: Uint8Array;
  readonly prefixLength: number;
}

/** A route of any table and family. */
export interface RouteInfo {
  /** 4 or 16 zero bytes for the default route. */
  readonly destination: Uint8Array;
  readonly prefixLength: number;
  readonly table: number;
  /** Index of the interface; 0 when the route has none. */
  readonly interfaceIndex: number;
}

/** Makes a bridge. Fails with EEXIST when the name is taken. */
export function newBridge(name: string, change: LinkChange = {}): NetlinkMessage {
  return newLink(`make bridge ${name}`, { ...change, name }, [attribute(1, 'bridge')]);
}

/**
 * A veth pair. The far end may be born in another namespace and must be brought up afterwards:
 * the kernel refuses IFF_UP for it here (ENOTCONN).
 */
export function newVeth(near: LinkChange & { readonly name: string }, far: LinkChange & { readonly name: string }) {
  const peer = Buffer.concat([linkHeader(0, { ...far, up: undefined }), ...linkAttributes(far)]);
  return newLink(`make veth ${near.name}`, near, [attribute(1, 'veth'), attribute(2, [attribute(1, peer)])]);
}

/** Changes a link, by index or name. */
export function changeLink(link: number | string, change: LinkChange): NetlinkMessage {
  const byName = typeof link === 'string';
  return {
    type: RTM.newLink,
    body: Buffer.concat([
      linkHeader(byName ? 0 : link, change),
      ...(byName && change.name === undefined ? [attribute(IFLA.name, link)] : []),
      ...linkAttributes(change),
    ]),
    what: `change link ${link}`,
  };
}

/** Bridge port flags. `isolated` ports reach only ports that are not. */
export function changeBridgePort(
  link: number | string,
  port: { readonly hairpin?: boolean; readonly isolated?: boolean },
): NetlinkMessage {
  const flags: Buffer[] = [];
  if (port.hairpin !== undefined) flags.push(attribute(4, Buffer.from([port.hairpin ? 1 : 0])));
  if (port.isolated !== undefined) flags.push(attribute(33, Buffer.from([port.isolated ? 1 : 0])));
  const info = attribute(IFLA.linkInfo, [attribute(4, 'bridge'), attribute(5, flags)]);
  return { type: RTM.newLink, body: Buffer.concat([...linkReference(link), info]), what: `change bridge port ${link}` };
}

/** Gone already is success. */
export function deleteLink(link: number | string): NetlinkMessage {
  return {
    type: RTM.delLink,
    body: Buffer.concat(linkReference(link)),
    tolerate: ['ENODEV'],
    what: `delete link ${link}`,
  };
}

/** There already is success. Duplicate detection is off for IPv6, so that the address can be used at once. */
export function addAddress(index: number, address: Uint8Array, prefixLength: number): NetlinkMessage {
  return {
    type: RTM.newAddress,
    flags: netlinkFlags.create | netlinkFlags.exclusive,
    body: addressBody(index, address, prefixLength),
    tolerate: ['EEXIST'],
    what: `add address to link ${index}`,
  };
}

/** Takes an address off a link. Gone already is success. */
export function deleteAddress(index: number, address: Uint8Array, prefixLength: number): NetlinkMessage {
  return {
    type: RTM.delAddress,
    body: addressBody(index, address, prefixLength),
    tolerate: ['EADDRNOTAVAIL', 'ENODEV'],
    what: `delete address from link ${index}`,
  };
}

/** A route to add or delete in the main table. */
export interface RouteChange {
  /** Absent = default route of the family of `gateway`. */
  readonly destination?: { readonly address: Uint8Array; readonly prefixLength: number };
  readonly gateway?: Uint8Array;
  readonly interfaceIndex: number;
}

/** Adds a route, or replaces the one with the same destination and priority. */
export function addRoute(route: RouteChange): NetlinkMessage {
  return {
    type: RTM.newRoute,
    flags: netlinkFlags.create | netlinkFlags.replace,
    body: routeBody(route),
    what: 'add route',
  };
}

/** Gone already is success. */
export function deleteRoute(route: RouteChange): NetlinkMessage {
  return { type: RTM.delRoute, body: routeBody(route), tolerate: ['ESRCH', 'ENODEV'], what: 'delete route' };
}

/** Forgets what the kernel knows about a neighbour. */
export function deleteNeighbour(index: number, address: Uint8Array): NetlinkMessage {
  const head = Buffer.alloc(12);
  head.writeUInt8(familyOf(address), 0);
  head.writeInt32LE(index, 4);
  return {
    type: RTM.delNeighbour,
    body: Buffer.concat([head, attribute(1, Buffer.from(address))]),
    tolerate: ['ENOENT', 'ENODEV'],
    what: 'delete neighbour',
  };
}

/** A link by name or index; undefined when there is none. */
export function getLink(socket: NetlinkSocket, link: number | string): LinkInfo | undefined {
  try {
    const [reply] = socket.query({
      type: RTM.getLink,
      body: Buffer.concat(linkReference(link)),
      what: `find link ${link}`,
    });
    return reply && linkInfo(reply.body);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENODEV') return undefined;
    throw error;
  }
}

/** Every interface of the namespace the socket belongs to. */
export function listLinks(socket: NetlinkSocket): LinkInfo[] {
  return socket.dump(RTM.getLink, linkHeader(0, {})).map((reply) => linkInfo(reply.body));
}

/** Every address of the namespace the socket belongs to. */
export function listAddresses(socket: NetlinkSocket): AddressInfo[] {
  return socket.dump(RTM.getAddress, Buffer.alloc(8)).flatMap(({ body }) => {
    const attributes = parseAttributes(body, 8);
    // IFA_LOCAL names our side of a point-to-point link; plain interfaces have only IFA_ADDRESS for IPv6.
    const address = attributes.get(2) ?? attributes.get(1);
    return address ? [{ index: body.readInt32LE(4), address, prefixLength: body.readUInt8(1) }] : [];
  });
}

/** Every route of the namespace the socket belongs to. */
export function listRoutes(socket: NetlinkSocket): RouteInfo[] {
  return socket.dump(RTM.getRoute, Buffer.alloc(12)).map(({ body }) => {
    const attributes = parseAttributes(body, 12);
    return {
      destination: attributes.get(1) ?? new Uint8Array(body.readUInt8(0) === AF_INET6 ? 16 : 4),
      prefixLength: body.readUInt8(1),
      table: attributes.get(15)?.readUInt32LE(0) ?? body.readUInt8(4),
      interfaceIndex: attributes.get(4)?.readUInt32LE(0) ?? 0,
    };
  });
}

/** A link of a kind such as `macvlan`. @param data attributes of the kind */
export function newLinkOfKind(
  kind: string,
  change: LinkChange & { readonly name: string },
  data: readonly Buffer[],
): NetlinkMessage {
  const info = [attribute(1, kind), ...(data.length > 0 ? [attribute(2, data)] : [])];
  return newLink(`make ${kind} ${change.name}`, change, info);
}

function newLink(what: string, change: LinkChange, info: readonly Buffer[]): NetlinkMessage {
  return {
    type: RTM.newLink,
    flags: netlinkFlags.create | netlinkFlags.exclusive,
    body: Buffer.concat([linkHeader(0, change), ...linkAttributes(change), attribute(IFLA.linkInfo, info)]),
    what,
  };
}

function linkHeader(index: number, change: LinkChange): Buffer {
  const head = Buffer.alloc(16);
  head.writeInt32LE(index, 4);
  if (change.up !== undefined) {
    head.writeUInt32LE(change.up ? IFF_UP : 0, 8);
    head.writeUInt32LE(IFF_UP, 12);
  }
  return head;
}

function linkReference(link: number | string): Buffer[] {
  return typeof link === 'number' ? [linkHeader(link, {})] : [linkHeader(0, {}), attribute(IFLA.name, link)];
}

function linkAttributes(change: LinkChange): Buffer[] {
  const out: Buffer[] = [];
  if (change.name !== undefined) out.push(attribute(IFLA.name, change.name));
  if (change.mtu !== undefined) out.push(attribute(IFLA.mtu, u32(change.mtu)));
  if (change.mac !== undefined) out.push(attribute(IFLA.address, Buffer.from(change.mac)));
  if (change.master !== undefined) out.push(attribute(IFLA.master, u32(change.master)));
  if (change.parent !== undefined) out.push(attribute(IFLA.link, u32(change.parent)));
  if (change.namespaceFd !== undefined) out.push(attribute(IFLA.namespaceFd, u32(change.namespaceFd)));
  // The kernel takes the alias as it comes, without a final NUL.
  if (change.alias !== undefined) out.push(attribute(IFLA.alias, Buffer.from(change.alias)));
  return out;
}

function linkInfo(body: Buffer): LinkInfo {
  const attributes = parseAttributes(body, 16);
  const info = attributes.get(IFLA.linkInfo);
  return {
    index: body.readInt32LE(4),
    name: attributeText(attributes.get(IFLA.name)),
    kind: info ? attributeText(parseAttributes(info).get(1)) : '',
    alias: attributeText(attributes.get(IFLA.alias)),
    mtu: attributes.get(IFLA.mtu)?.readUInt32LE(0) ?? 0,
    mac: [...(attributes.get(IFLA.address) ?? [])].map((byte) => byte.toString(16).padStart(2, '0')).join(':'),
    up: (body.readUInt32LE(8) & IFF_UP) !== 0,
    master: attributes.get(IFLA.master)?.readUInt32LE(0) ?? 0,
    link: attributes.get(IFLA.link)?.readUInt32LE(0) ?? 0,
  };
}

function addressBody(index: number, address: Uint8Array, prefixLength: number): Buffer {
  const IFA_F_NODAD = 2;
  const IFA_F_PERMANENT = 0x80;
  const head = Buffer.alloc(8);
  head.writeUInt8(familyOf(address), 0);
  head.writeUInt8(prefixLength, 1);
  head.writeUInt8(address.length === 16 ? IFA_F_NODAD | IFA_F_PERMANENT : IFA_F_PERMANENT, 2);
  head.writeInt32LE(index, 4);
  const bytes = Buffer.from(address);
  const parts = [head, attribute(2, bytes), attribute(1, bytes)];
  if (bytes.length === 4 && prefixLength < 31) {
    const hostBits = 2 ** (32 - prefixLength) - 1;
    const broadcast = Buffer.alloc(4);
    broadcast.writeUInt32BE((bytes.readUInt32BE(0) | hostBits) >>> 0);
    parts.push(attribute(4, broadcast));
  }
  return Buffer.concat(parts);
}

function routeBody(route: RouteChange): Buffer {
  const RT_TABLE_MAIN = 254;
  const RTPROT_BOOT = 3;
  const RT_SCOPE_LINK = 253;
  const RTN_UNICAST = 1;
  const family = familyOf(route.destination?.address ?? route.gateway ?? new Uint8Array(4));
  const head = Buffer.alloc(12);
  head.writeUInt8(family, 0);
  head.writeUInt8(route.destination?.prefixLength ?? 0, 1);
  head.writeUInt8(RT_TABLE_MAIN, 4);
  head.writeUInt8(RTPROT_BOOT, 5);
  head.writeUInt8(route.gateway || family === AF_INET6 ? 0 : RT_SCOPE_LINK, 6);
  head.writeUInt8(RTN_UNICAST, 7);
  const parts: Buffer[] = [head];
  if (route.destination) parts.push(attribute(1, Buffer.from(route.destination.address)));
  if (route.gateway) parts.push(attribute(5, Buffer.from(route.gateway)));
  parts.push(attribute(4, u32(route.interfaceIndex)));
  return Buffer.concat(parts);
}

function familyOf(address: Uint8Array): number {
  return address.length === 16 ? AF_INET6 : AF_INET;
}
