import { closeSync } from 'node:fs';
import { errno, libc, systemCallError } from './libc';
import { openSocket, setSocketOption, socketConstants } from './sockets';

const sendCall = libc.func('long send(int fd, const void *data, unsigned long length, int flags)');
const recvCall = libc.func('long recv(int fd, _Out_ uint8_t *data, unsigned long length, int flags)');

/** @see netlink(7) */
export const netlinkFlags = {
  request: 1,
  ack: 4,
  replace: 0x100,
  exclusive: 0x200,
  create: 0x400,
  append: 0x800,
  dump: 0x300,
} as const;

const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
const MSG_DONTWAIT = 0x40;
const EAGAIN = 11;
const HEADER = 16;

/** One message: family header and attributes are in `body`. */
export interface NetlinkMessage {
  readonly type: number;
  /** Besides `request` and `ack`, which are added. */
  readonly flags?: number;
  readonly body: Buffer;
  /** Errno names that count as success, such as `EEXIST` or `ENODEV`. */
  readonly tolerate?: readonly string[];
  /** What it does, for the error text. */
  readonly what: string;
}

/** One message the kernel answered with. */
export interface NetlinkReply {
  readonly type: number;
  /** The message without the netlink header. */
  readonly body: Buffer;
}

// The kernel works on links, addresses and routes one request at a time for the whole machine. Sending from one
// lane keeps several waiting requests from occupying the thread pool that file system calls share.
let lane: Promise<unknown> = Promise.resolve();

/** A netlink socket of the namespace it was opened in; requests may be sent from anywhere. */
export class NetlinkSocket {
  private sequence = 1;
  private closed = false;
  /** Acknowledgements by sequence number: undefined until they arrive, whoever reads them. */
  private readonly acks = new Map<number, Buffer | undefined>();

  private constructor(private readonly fd: number) {}

  /** Opens in the namespace the calling thread is in. @param protocol 0 = rtnetlink, 12 = netfilter */
  static open(protocol = 0): NetlinkSocket {
    const fd = openSocket(socketConstants.AF_NETLINK, socketConstants.SOCK_RAW, protocol);
    const SOL_NETLINK = 270;
    const NETLINK_CAP_ACK = 10;
    const NETLINK_EXT_ACK = 11;
    setSocketOption(fd, SOL_NETLINK, NETLINK_CAP_ACK, 1);
    setSocketOption(fd, SOL_NETLINK, NETLINK_EXT_ACK, 1);
    return new NetlinkSocket(fd);
  }

  /**
   * Sends the messages in one go off the event loop; the kernel carries them out in order, each on its own.
   * @throws Error with `code` (errno name) of the first message that failed; later ones were tried as well
   */
  async request(messages: readonly NetlinkMessage[]): Promise<void> {
    if (messages.length === 0) return;
    const { data, sequences } = this.encode(messages, netlinkFlags.ack);
    for (const sequence of sequences) this.acks.set(sequence, undefined);
    try {
      const turn = lane.then(() => this.send(data));
      lane = turn.catch(() => undefined);
      await turn;
      this.acknowledge(messages, sequences);
    } finally {
      for (const sequence of sequences) this.acks.delete(sequence);
    }
  }

  /** As `request`, on this thread: for quick calls within a namespace window. */
  requestSync(messages: readonly NetlinkMessage[]): void {
    if (messages.length === 0) return;
    const { data, sequences } = this.encode(messages, netlinkFlags.ack);
    for (const sequence of sequences) this.acks.set(sequence, undefined);
    try {
      if (sendCall(this.fd, data, data.length, 0) < 0) throw systemCallError('send', errno(), 'netlink');
      this.acknowledge(messages, sequences);
    } finally {
      for (const sequence of sequences) this.acks.delete(sequence);
    }
  }

  /**
   * Sends messages that succeed or fail together, off the event loop. The kernel speaks of failures only, so
   * the last but one message, the last with content, asks for an acknowledgement.
   * @throws Error with `code` of the first message that failed
   */
  async transaction(messages: readonly NetlinkMessage[]): Promise<void> {
    const { data, sequences } = this.encode(messages, 0, messages.length - 2);
    const turn = lane.then(() => this.send(data));
    // The answers are taken before the lane goes on: they would be read by the next transaction otherwise.
    const answered = turn.then(() => this.settleTransaction(messages, sequences));
    lane = answered.catch(() => undefined);
    await answered;
  }

  /** As `transaction`, on this thread. Not while another one of the same socket is under way. */
  transactionSync(messages: readonly NetlinkMessage[]): void {
    const { data, sequences } = this.encode(messages, 0, messages.length - 2);
    if (sendCall(this.fd, data, data.length, 0) < 0) throw systemCallError('send', errno(), 'netlink');
    this.settleTransaction(messages, sequences);
  }

  /** Reads everything of a kind. Takes well under a millisecond per hundred objects. */
  dump(type: number, body: Buffer): NetlinkReply[] {
    return this.query({ type, flags: netlinkFlags.dump, body, what: 'dump' });
  }

  /** Asks for one object. @throws Error with `code` such as ENODEV */
  query(message: NetlinkMessage): NetlinkReply[] {
    const isDump = ((message.flags ?? 0) & netlinkFlags.dump) === netlinkFlags.dump;
    const { data, sequences } = this.encode([message], 0);
    if (sendCall(this.fd, data, data.length, 0) < 0) throw systemCallError('send', errno(), 'netlink');
    const replies: NetlinkReply[] = [];
    for (let answered = false; ; ) {
      // Acknowledgements of requests that are under way may come before the answer.
      for (const reply of this.receive()) {
        if (reply.sequence !== sequences[0]) continue;
        answered = true;
        if (reply.type === NLMSG_DONE) return replies;
        if (reply.type === NLMSG_ERROR) {
          const failure = failureOf(reply.body);
          if (failure) throw systemCallError('netlink', failure.code, describe(message.what, failure.text));
          return replies;
        }
        replies.push({ type: reply.type, body: reply.body });
      }
      if (!isDump && answered) return replies;
    }
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    closeSync(this.fd);
  }

  private encode(messages: readonly NetlinkMessage[], extraFlags: number, acknowledged = -1) {
    const sequences: number[] = [];
    const parts = messages.map((message, index) => {
      const header = Buffer.alloc(HEADER);
      const sequence = this.sequence++;
      sequences.push(sequence);
      header.writeUInt32LE(HEADER + message.body.length, 0);
      header.writeUInt16LE(message.type, 4);
      const ack = index === acknowledged ? netlinkFlags.ack : 0;
      header.writeUInt16LE(netlinkFlags.request | ack | extraFlags | (message.flags ?? 0), 6);
      header.writeUInt32LE(sequence, 8);
      return Buffer.concat([header, message.body, Buffer.alloc(align(message.body.length) - message.body.length)]);
    });
    return { data: Buffer.concat(parts), sequences };
  }

  private send(data: Buffer): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.closed) return reject(new Error('netlink socket is closed'));
      sendCall.async(this.fd, data, data.length, 0, (error: unknown, sent: number) => {
        if (error) reject(error as Error);
        else if (sent !== data.length) reject(new Error(`netlink took ${sent} of ${data.length} bytes`));
        else resolve();
      });
    });
  }

  private acknowledge(messages: readonly NetlinkMessage[], sequences: readonly number[]): void {
    let first: NodeJS.ErrnoException | undefined;
    for (const [index, sequence] of sequences.entries()) {
      let body = this.acks.get(sequence);
      for (; body === undefined; body = this.acks.get(sequence)) this.receive();
      const failure = failureOf(body);
      if (!failure) continue;
      const message = messages[index]!;
      const error = systemCallError('netlink', failure.code, describe(message.what, failure.text));
      if (!message.tolerate?.includes(error.code!)) first ??= error;
    }
    if (first) throw first;
  }

  private settleTransaction(messages: readonly NetlinkMessage[], sequences: readonly number[]): void {
    for (;;) {
      for (const reply of this.receive()) {
        const index = sequences.indexOf(reply.sequence);
        if (reply.type !== NLMSG_ERROR || index < 0) continue;
        const failure = failureOf(reply.body);
        if (failure === undefined) return;
        const what = describe(messages[index]!.what, failure.text);
        this.drain();
        throw systemCallError('netlink', failure.code, what);
      }
    }
  }

  /** Takes what else a failed transaction had to say. */
  private drain(): void {
    try {
      for (;;) this.receive();
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'EAGAIN') throw error;
    }
  }

  // Acknowledgements are in the socket's queue when send returns, so this never waits.
  private receive() {
    const buffer = Buffer.allocUnsafe(65536);
    const length = recvCall(this.fd, buffer, buffer.length, MSG_DONTWAIT);
    if (length < 0) {
      const code = errno();
      const error = systemCallError('recv', code, code === EAGAIN ? 'netlink gave no answer' : 'netlink');
      // The errno has two names; callers look for this one.
      if (code === EAGAIN) error.code = 'EAGAIN';
      throw error;
    }
    const replies: (NetlinkReply & { sequence: number })[] = [];
    for (let offset = 0; offset + HEADER <= length; ) {
      const size = buffer.readUInt32LE(offset);
      if (size < HEADER) break;
      const type = buffer.readUInt16LE(offset + 4);
      const sequence = buffer.readUInt32LE(offset + 8);
      const body = Buffer.from(buffer.subarray(offset + HEADER, offset + size));
      if (type === NLMSG_ERROR && this.acks.has(sequence)) this.acks.set(sequence, body);
      else replies.push({ type, sequence, body });
      offset += align(size);
    }
    return replies;
  }
}

/** An attribute: `value` is bytes, a text (NUL-terminated), or nested attributes. */
export function attribute(type: number, value: Buffer | string | readonly Buffer[]): Buffer {
  const payload =
    typeof value === 'string' ? Buffer.from(`${value}\0`) : Buffer.isBuffer(value) ? value : Buffer.concat(value);
  const out = Buffer.alloc(align(4 + payload.length));
  out.writeUInt16LE(4 + payload.length, 0);
  out.writeUInt16LE(type, 2);
  payload.copy(out, 4);
  return out;
}

/** A number in the byte order of the machine, as rtnetlink wants it. */
export function u32(value: number): Buffer {
  const out = Buffer.alloc(4);
  out.writeUInt32LE(value >>> 0);
  return out;
}

/** Attributes by type; the nested and byte-order marks of the type are stripped. */
export function parseAttributes(body: Buffer, offset = 0): Map<number, Buffer> {
  const out = new Map<number, Buffer>();
  while (offset + 4 <= body.length) {
    const size = body.readUInt16LE(offset);
    if (size < 4) break;
    out.set(body.readUInt16LE(offset + 2) & 0x3fff, body.subarray(offset + 4, offset + size));
    offset += align(size);
  }
  return out;
}

/** The text of an attribute without its final NUL; empty when it is absent. */
export function attributeText(value: Buffer | undefined): string {
  if (value === undefined) return '';
  const end = value.indexOf(0);
  return value.toString('utf8', 0, end < 0 ? value.length : end);
}

function failureOf(body: Buffer): { code: number; text: string } | undefined {
  const code = -body.readInt32LE(0);
  if (code === 0) return undefined;
  // With the extended acknowledgement the failed header is followed by attributes; 1 is the kernel's own words.
  return { code, text: attributeText(parseAttributes(body, 4 + HEADER).get(1)) };
}

function describe(what: string, text: string): string {
  return text ? `${what}: ${text}` : what;
}

function align(length: number): number {
  return (length + 3) & ~3;
}
