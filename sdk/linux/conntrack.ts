import { attribute, type NetlinkMessage, type NetlinkSocket, parseAttributes } from './netlink';

/**
 * Connection tracking entries, over a socket of protocol `NETLINK_NETFILTER`.
 * @see the kernel's include/uapi/linux/netfilter/nfnetlink_conntrack.h
 */
const SUBSYSTEM = 1;
const GET = 1;
const DELETE = 2;
const NESTED = 0x8000;
const TUPLE_ORIGINAL = 1;
const TUPLE_REPLY = 2;

/**
 * Forgets the connections that were translated to one of the addresses, so that packets of the same client are
 * looked at anew. Reads the whole table: a few milliseconds per ten thousand connections.
 *
 * @param protocol such as 17 for udp
 * @param addresses 4 or 16 bytes each
 * @returns how many were forgotten
 */
export async function forgetConnections(
  socket: NetlinkSocket,
  protocol: number,
  addresses: readonly Uint8Array[],
): Promise<number> {
  const messages: NetlinkMessage[] = [];
  for (const family of [2, 10]) {
    const wanted = new Set(
      addresses
        .filter((address) => (address.length === 4) === (family === 2))
        .map((a) => Buffer.from(a).toString('hex')),
    );
    if (wanted.size === 0) continue;
    const head = Buffer.from([family, 0, 0, 0]);
    for (const { body } of socket.dump((SUBSYSTEM << 8) | GET, head)) {
      const attributes = parseAttributes(body, 4);
      const reply = tuple(attributes.get(TUPLE_REPLY));
      const original = attributes.get(TUPLE_ORIGINAL);
      if (original === undefined || reply?.protocol !== protocol || !wanted.has(reply.source)) continue;
      messages.push({
        type: (SUBSYSTEM << 8) | DELETE,
        body: Buffer.concat([head, attribute(TUPLE_ORIGINAL | NESTED, original)]),
        tolerate: ['ENOENT'],
        what: 'forget connection',
      });
    }
  }
  await socket.request(messages);
  return messages.length;
}

function tuple(data: Buffer | undefined): { readonly source: string; readonly protocol: number } | undefined {
  if (data === undefined) return undefined;
  const parts = parseAttributes(data);
  const ip = parseAttributes(parts.get(1) ?? Buffer.alloc(0));
  const protocol =
    parseAttributes(parts.get(2) ?? Buffer.alloc(0))
      .get(1)
      ?.readUInt8(0) ?? 0;
  return { source: (ip.get(1) ?? ip.get(3))?.toString('hex') ?? '', protocol };
}
