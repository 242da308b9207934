import { randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import { deflate, gzip } from 'node:zlib';
import { invalidParameter } from '@gantry/sdk';
import type { LogSink } from '@gantry/sdk/log-sinks';
import type { GelfOptions } from './options';

/** Fits into an ethernet frame with room for tunnels. */
const DATAGRAM_BYTES = 1420;
const MAGIC = Buffer.from([0x1e, 0x0f]);
const HEADER_BYTES = 12;
const MAX_CHUNKS = 128;

/** Compresses messages and cuts them into datagrams. @see Graylog Extended Log Format, "Chunking" */
export function chunkedSink(inner: LogSink, { compression, level }: GelfOptions): LogSink {
  const pack = packer(compression, level);
  // One after the other: the next is not to overtake a longer one that is being packed.
  let last: Promise<void> = Promise.resolve();
  return {
    send(message) {
      const sent = last.then(async () => {
        for (const datagram of datagrams(await pack(message))) await inner.send(datagram);
      });
      last = sent.catch(() => undefined);
      return sent;
    },
    async close() {
      await last;
      await inner.close();
    },
  };
}

function packer(compression: GelfOptions['compression'], level: number): (message: Buffer) => Promise<Buffer> {
  if (compression === 'none') return async (message) => message;
  const compress = promisify<Buffer, { level: number }, Buffer>(compression === 'gzip' ? gzip : deflate);
  return (message) => compress(message, { level });
}

/** The datagrams of one message. @throws invalid-parameter for one that is too long for the format */
export function datagrams(message: Buffer): Buffer[] {
  if (message.length <= DATAGRAM_BYTES) return [message];
  const room = DATAGRAM_BYTES - HEADER_BYTES;
  const count = Math.ceil(message.length / room);
  if (count > MAX_CHUNKS)
    throw invalidParameter(
      `a message of ${message.length} bytes is too long for gelf: at most ${MAX_CHUNKS} datagrams`,
    );
  const id = randomBytes(8);
  return Array.from({ length: count }, (_, index) =>
    Buffer.concat([MAGIC, id, Buffer.from([index, count]), message.subarray(index * room, (index + 1) * room)]),
  );
}
