import { attribute, type NetlinkMessage, type NetlinkSocket, netlinkFlags } from './netlink';

/**
 * The few nf_tables messages that are sent too often to start the nft program for. A batch is one transaction:
 * send the messages with `NetlinkSocket.transaction` on a socket of protocol `NETLINK_NETFILTER`.
 * @see the kernel's include/uapi/linux/netfilter/nf_tables.h
 */
export const NETLINK_NETFILTER = 12;

/** Address families a table may serve. */
export type NftFamily = 'inet' | 'ip' | 'ip6';

/** Numbers of the families. */
export const nftFamilies: Readonly<Record<NftFamily, number>> = { inet: 1, ip: 2, ip6: 10 };
export const NFT_SUBSYSTEM = 10;
/** Numbers of the messages of nf_tables. */
export const nftMessage = {
  newTable: 0,
  getTable: 1,
  delTable: 2,
  newChain: 3,
  getChain: 4,
  newRule: 6,
  getRule: 7,
  getSet: 10,
  newSetElement: 12,
  getSetElement: 13,
  delSetElement: 14,
  getGeneration: 16,
} as const;
const NESTED = 0x8000;

/** An element of a set or map whose keys (and values) are concatenations. */
export interface MapElement {
  /** The fields of the key, in order; each is padded to four bytes as the kernel keeps concatenations. */
  readonly key: readonly Uint8Array[];
  /** The fields of the value; not needed to delete. */
  readonly value?: readonly Uint8Array[];
}

/** Adds elements to a set or map. The transaction fails with ENOENT when table or map is missing. */
export function addElements(family: NftFamily, table: string, set: string, elements: readonly MapElement[]) {
  return elementMessage(nftMessage.newSetElement, netlinkFlags.create, family, table, set, elements);
}

/** Deletes elements. The transaction fails with ENOENT when one is missing. */
export function deleteElements(family: NftFamily, table: string, set: string, elements: readonly MapElement[]) {
  return elementMessage(nftMessage.delSetElement, 0, family, table, set, elements);
}

/** Makes a table. There already is success. */
export function addTable(family: NftFamily, table: string): NetlinkMessage {
  return nftMessageOf(nftMessage.newTable, netlinkFlags.create, family, [attribute(1, table)], `add table ${table}`);
}

/** Deletes a table with all it holds. The transaction fails with ENOENT when there is none. */
export function deleteTable(family: NftFamily, table: string): NetlinkMessage {
  return nftMessageOf(nftMessage.delTable, 0, family, [attribute(1, table)], `delete table ${table}`);
}

/** A base chain for locally generated packets, before they are routed. */
export function addNatOutputChain(family: NftFamily, table: string, chain: string): NetlinkMessage {
  const HOOK_OUTPUT = 3;
  const PRIORITY = -100;
  return nftMessageOf(
    nftMessage.newChain,
    netlinkFlags.create,
    family,
    [
      attribute(1, table),
      attribute(3, chain),
      attribute(4 | NESTED, [attribute(1, be32(HOOK_OUTPUT)), attribute(2, be32(PRIORITY))]),
      attribute(7, 'nat'),
    ],
    `add chain ${chain}`,
  );
}

/** Sends packets for `address:port` to another port of the same IPv4 address. */
export function addPortRedirect(
  table: string,
  chain: string,
  redirect: {
    readonly proto: 'tcp' | 'udp';
    readonly address: Uint8Array;
    readonly port: number;
    readonly toPort: number;
  },
): NetlinkMessage {
  const META_L4PROTO = 16;
  const NETWORK_HEADER = 1;
  const TRANSPORT_HEADER = 2;
  const DNAT = 1;
  const AF_INET = 2;
  const expressions = [
    expression('meta', [attribute(1, be32(1)), attribute(2, be32(META_L4PROTO))]),
    equals(Uint8Array.of(redirect.proto === 'tcp' ? 6 : 17)),
    payload(NETWORK_HEADER, 16, 4),
    equals(redirect.address),
    payload(TRANSPORT_HEADER, 2, 2),
    equals(portField(redirect.port)),
    immediate(1, redirect.address),
    immediate(2, portField(redirect.toPort)),
    expression('nat', [
      attribute(1, be32(DNAT)),
      attribute(2, be32(AF_INET)),
      attribute(3, be32(1)),
      attribute(5, be32(2)),
    ]),
  ];
  return nftMessageOf(
    nftMessage.newRule,
    netlinkFlags.create | netlinkFlags.append,
    'ip',
    [attribute(1, table), attribute(2, chain), attribute(4 | NESTED, expressions)],
    `add rule to ${chain}`,
  );
}

/** Begin and end of a transaction, for `NetlinkSocket.transaction`. */
export const batchBegin: NetlinkMessage = { type: 0x10, body: batchBody(), what: 'begin' };
export const batchEnd: NetlinkMessage = { type: 0x11, body: batchBody(), what: 'end' };

/** Carries out the messages as one: all or none. @throws Error with `code`, such as ENOENT or EEXIST */
export function nftTransaction(socket: NetlinkSocket, messages: readonly NetlinkMessage[]): Promise<void> {
  return messages.length === 0 ? Promise.resolve() : socket.transaction([batchBegin, ...messages, batchEnd]);
}

/** As `nftTransaction`, on this thread. */
export function nftTransactionSync(socket: NetlinkSocket, messages: readonly NetlinkMessage[]): void {
  if (messages.length > 0) socket.transactionSync([batchBegin, ...messages, batchEnd]);
}

/** A port as a field of a key or value. */
export function portField(port: number): Uint8Array {
  return Uint8Array.of(port >> 8, port & 0xff);
}

function elementMessage(
  type: number,
  flags: number,
  family: NftFamily,
  table: string,
  set: string,
  elements: readonly MapElement[],
): NetlinkMessage {
  const list = elements.map(({ key, value }) =>
    attribute(1 | NESTED, [
      attribute(1 | NESTED, [attribute(1, concatenation(key))]),
      ...(value === undefined ? [] : [attribute(2 | NESTED, [attribute(1, concatenation(value))])]),
    ]),
  );
  const attributes = [attribute(1, table), attribute(2, set), attribute(3 | NESTED, list)];
  return nftMessageOf(type, flags, family, attributes, `elements of ${table} ${set}`);
}

/** A message of nf_tables with its attributes. */
export function nftMessageOf(
  type: number,
  flags: number,
  family: NftFamily,
  attributes: readonly Buffer[],
  what: string,
): NetlinkMessage {
  const head = Buffer.from([nftFamilies[family], 0, 0, 0]);
  return { type: (NFT_SUBSYSTEM << 8) | type, flags, body: Buffer.concat([head, ...attributes]), what };
}

function batchBody(): Buffer {
  return Buffer.from([0, 0, 0, NFT_SUBSYSTEM]);
}

function expression(name: string, data: readonly Buffer[]): Buffer {
  return attribute(1 | NESTED, [attribute(1, name), attribute(2 | NESTED, data)]);
}

function payload(base: number, offset: number, length: number): Buffer {
  return expression('payload', [
    attribute(1, be32(1)),
    attribute(2, be32(base)),
    attribute(3, be32(offset)),
    attribute(4, be32(length)),
  ]);
}

function equals(value: Uint8Array): Buffer {
  return expression('cmp', [
    attribute(1, be32(1)),
    attribute(2, be32(0)),
    attribute(3 | NESTED, [attribute(1, Buffer.from(value))]),
  ]);
}

function immediate(register: number, value: Uint8Array): Buffer {
  return expression('immediate', [
    attribute(1, be32(register)),
    attribute(2 | NESTED, [attribute(1, Buffer.from(value))]),
  ]);
}

/** Fields as the kernel keeps them in keys and values of sets: each padded to four bytes. */
export function concatenation(fields: readonly Uint8Array[]): Buffer {
  return Buffer.concat(fields.map((field) => Buffer.concat([field, Buffer.alloc((4 - (field.length % 4)) % 4)])));
}

function be32(value: number): Buffer {
  const out = Buffer.alloc(4);
  out.writeInt32BE(value);
  return out;
}
