import { attribute, attributeText, type NetlinkSocket, parseAttributes } from './netlink';
import { NFT_SUBSYSTEM, type NftFamily, nftFamilies, nftMessage, nftMessageOf } from './nftables';

/** A set or map of a table. */
export interface NftSet {
  readonly name: string;
  readonly isMap: boolean;
}

const SET_IS_ANONYMOUS = 1;
const SET_IS_MAP = 8;

/** Number of the ruleset: it grows by one with every transaction anybody makes in the namespace of the socket. */
export function rulesetGeneration(socket: NetlinkSocket): number {
  const [reply] = socket.query(nftMessageOf(nftMessage.getGeneration, 0, 'inet', [], 'get generation'));
  return (reply && parseAttributes(reply.body, 4).get(1)?.readUInt32BE(0)) ?? 0;
}

/**
 * A text that changes when the table or its rules change; undefined when there is no such table. Elements do not
 * count, and neither do the rules of `freeChain`.
 */
export function tableFingerprint(
  socket: NetlinkSocket,
  family: NftFamily,
  table: string,
  freeChain = '',
): string | undefined {
  return unlessMissing(() => {
    const [reply] = socket.query(nftMessageOf(nftMessage.getTable, 0, family, [attribute(1, table)], 'get table'));
    const found = reply && parseAttributes(reply.body, 4);
    const rules = dump(socket, nftMessage.getRule, family, [attribute(1, table)])
      .filter((rule) => attributeText(rule.get(2)) !== freeChain)
      .map((rule) => rule.get(3)?.toString('hex'));
    return [found?.get(4)?.toString('hex'), found?.get(3)?.toString('hex'), ...rules].join(' ');
  });
}

/** Names of a table's chains; empty when there is no such table. */
export function listChains(socket: NetlinkSocket, family: NftFamily, table: string): string[] {
  return dump(socket, nftMessage.getChain, family, [attribute(1, table)])
    .filter((chain) => attributeText(chain.get(1)) === table)
    .map((chain) => attributeText(chain.get(3)));
}

/** Named sets and maps of a table; empty when there is no such table. */
export function listSets(socket: NetlinkSocket, family: NftFamily, table: string): NftSet[] {
  return (unlessMissing(() => dump(socket, nftMessage.getSet, family, [attribute(1, table)])) ?? [])
    .filter((set) => attributeText(set.get(1)) === table && (flagsOf(set) & SET_IS_ANONYMOUS) === 0)
    .map((set) => ({ name: attributeText(set.get(2)), isMap: (flagsOf(set) & SET_IS_MAP) !== 0 }));
}

/** How many rules a chain has. */
export function countRules(socket: NetlinkSocket, family: NftFamily, table: string, chain: string): number {
  const rules = unlessMissing(() => dump(socket, nftMessage.getRule, family, [attribute(1, table)])) ?? [];
  return rules.filter((rule) => attributeText(rule.get(1)) === table && attributeText(rule.get(2)) === chain).length;
}

/** Key and value of each element in hex, as `key>value`; undefined when there is no such set. */
export function listElements(
  socket: NetlinkSocket,
  family: NftFamily,
  table: string,
  set: string,
): string[] | undefined {
  return unlessMissing(() =>
    dump(socket, nftMessage.getSetElement, family, [attribute(1, table), attribute(2, set)]).flatMap((reply) =>
      children(reply.get(3)).map((element) => {
        const parts = parseAttributes(element);
        const data = (part: Buffer | undefined) => (part ? parseAttributes(part).get(1)?.toString('hex') : undefined);
        return `${data(parts.get(1)) ?? ''}>${data(parts.get(2)) ?? ''}`;
      }),
    ),
  );
}

function dump(socket: NetlinkSocket, type: number, family: NftFamily, attributes: readonly Buffer[]) {
  const head = Buffer.from([nftFamilies[family], 0, 0, 0]);
  return socket
    .dump((NFT_SUBSYSTEM << 8) | type, Buffer.concat([head, ...attributes]))
    .map(({ body }) => parseAttributes(body, 4));
}

/** The payloads of a list whose members all have the same type. */
function children(list: Buffer | undefined): Buffer[] {
  const out: Buffer[] = [];
  for (let offset = 0; list !== undefined && offset + 4 <= list.length; ) {
    const size = list.readUInt16LE(offset);
    if (size < 4) break;
    out.push(list.subarray(offset + 4, offset + size));
    offset += (size + 3) & ~3;
  }
  return out;
}

function flagsOf(set: Map<number, Buffer>): number {
  return set.get(3)?.readUInt32BE(0) ?? 0;
}

function unlessMissing<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
