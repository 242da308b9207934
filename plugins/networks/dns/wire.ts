/** The few parts of the DNS format the resolver answers itself. @see RFC 1035, RFC 6891 */
export const dnsType = { A: 1, PTR: 12, MX: 15, AAAA: 28, OPT: 41 } as const;
export const dnsCode = { noError: 0, serverFailure: 2, nameError: 3, refused: 5 } as const;

const HEADER = 12;
const CLASS_INTERNET = 1;
const RESPONSE = 0x8000;
const TRUNCATED = 0x0200;
const AUTHORITATIVE = 0x0400;
const RECURSION_DESIRED = 0x0100;
const RECURSION_AVAILABLE = 0x0080;
const OPCODE = 0x7800;

export interface DnsQuery {
  readonly id: number;
  /** Lower case, without the final dot. */
  readonly name: string;
  readonly type: number;
  readonly class: number;
  /** Bytes an answer over UDP may have. */
  readonly udpSize: number;
  readonly flags: number;
  /** Where the question ends. */
  readonly end: number;
}

/** The question of a query; undefined when it is not a plain query with exactly one question. */
export function parseQuery(message: Buffer): DnsQuery | undefined {
  if (message.length < HEADER + 5) return undefined;
  const flags = message.readUInt16BE(2);
  if ((flags & (RESPONSE | OPCODE)) !== 0 || message.readUInt16BE(4) !== 1) return undefined;
  let offset = HEADER;
  let name = '';
  for (;;) {
    const length = message[offset];
    if (length === undefined || length > 63) return undefined; // Names in questions are not compressed.
    offset++;
    if (length === 0) break;
    if (offset + length > message.length || name.length > 255) return undefined;
    name += (name === '' ? '' : '.') + message.toString('latin1', offset, offset + length);
    offset += length;
  }
  if (offset + 4 > message.length) return undefined;
  return {
    id: message.readUInt16BE(0),
    name: name.toLowerCase(),
    type: message.readUInt16BE(offset),
    class: message.readUInt16BE(offset + 2),
    udpSize: Math.max(512, udpSizeOf(message, offset + 4)),
    flags,
    end: offset + 4,
  };
}

export const isInternet = (query: DnsQuery): boolean => query.class === CLASS_INTERNET;

/**
 * A reply with the query's question and these records of the type asked for.
 * @param maxSize  records that do not fit are left out and the reply says so
 */
export function buildReply(
  message: Buffer,
  query: DnsQuery,
  code: number,
  records: readonly Uint8Array[],
  ttlS: number,
  maxSize: number,
): Buffer {
  let size = query.end;
  let count = 0;
  for (const data of records) {
    if (size + 12 + data.length > maxSize) break;
    size += 12 + data.length;
    count++;
  }
  const reply = Buffer.allocUnsafe(size);
  message.copy(reply, 0, 0, query.end);
  const truncated = count < records.length ? TRUNCATED : 0;
  reply.writeUInt16BE(RESPONSE | (query.flags & RECURSION_DESIRED) | RECURSION_AVAILABLE | truncated | code, 2);
  reply.writeUInt16BE(1, 4);
  reply.writeUInt16BE(count, 6);
  reply.writeUInt32BE(0, 8);
  let offset = query.end;
  for (let i = 0; i < count; i++) {
    const data = records[i]!;
    reply.writeUInt16BE(0xc000 | HEADER, offset); // The name of the question.
    reply.writeUInt16BE(query.type, offset + 2);
    reply.writeUInt16BE(CLASS_INTERNET, offset + 4);
    reply.writeUInt32BE(ttlS, offset + 6);
    reply.writeUInt16BE(data.length, offset + 10);
    reply.set(data, offset + 12);
    offset += 12 + data.length;
  }
  return reply;
}

/** A domain name in labels. */
export function encodeName(name: string): Buffer {
  const labels = name.split('.').filter(Boolean);
  return Buffer.concat([
    ...labels.map((label) =>
      Buffer.concat([Buffer.from([label.length & 63]), Buffer.from(label.slice(0, 63), 'latin1')]),
    ),
    Buffer.from([0]),
  ]);
}

/** What matters of an upstream server's answer; undefined when it does not belong to the query. */
export function inspectAnswer(
  answer: Buffer,
  queryMessage: Buffer,
  query: DnsQuery,
): { readonly code: number; readonly authoritative: boolean } | undefined {
  if (answer.length < HEADER || answer.readUInt16BE(0) !== query.id) return undefined;
  const flags = answer.readUInt16BE(2);
  if ((flags & RESPONSE) === 0) return undefined;
  if (answer.readUInt16BE(4) === 1 && !sameQuestion(answer, queryMessage, query.end)) return undefined;
  return { code: flags & 0xf, authoritative: (flags & AUTHORITATIVE) !== 0 };
}

// Servers may change the case of letters in the name, and nothing else.
function sameQuestion(answer: Buffer, queryMessage: Buffer, end: number): boolean {
  const part = (message: Buffer) => message.toString('latin1', HEADER, end).toLowerCase();
  return answer.length >= end && part(answer) === part(queryMessage);
}

// An OPT record is, in practice, the first and only additional record of a query: root name, then type and size.
function udpSizeOf(message: Buffer, offset: number): number {
  if (message.readUInt16BE(10) === 0 || offset + 11 > message.length) return 0;
  return message[offset] === 0 && message.readUInt16BE(offset + 1) === dnsType.OPT
    ? message.readUInt16BE(offset + 3)
    : 0;
}
