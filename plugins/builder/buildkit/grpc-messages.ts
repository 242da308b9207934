import { invalidParameter } from '@gantry/sdk';

const prefixBytes = 5;

/** A message as gRPC sends it: not compressed, its length in front. @see gRPC over HTTP2, "Length-Prefixed-Message" */
export function frame(message: Buffer): Buffer {
  const prefix = Buffer.alloc(prefixBytes);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

/** Takes messages out of the bytes of a stream. */
export class MessageReader {
  private held: Buffer = Buffer.alloc(0);

  /** @throws invalid-parameter  a compressed message, which nobody asked for */
  push(chunk: Buffer): Buffer[] {
    this.held = this.held.length === 0 ? chunk : Buffer.concat([this.held, chunk]);
    const messages: Buffer[] = [];
    while (this.held.length >= prefixBytes) {
      if (this.held[0] !== 0) throw invalidParameter('compressed messages of BuildKit are not supported');
      const end = prefixBytes + this.held.readUInt32BE(1);
      if (this.held.length < end) break;
      messages.push(this.held.subarray(prefixBytes, end));
      this.held = this.held.subarray(end);
    }
    return messages;
  }
}
