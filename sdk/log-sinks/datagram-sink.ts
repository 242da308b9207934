import { createSocket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { unavailable } from '../errors';
import { UnixDatagramSender } from '../linux/unix-datagram';
import type { LogSink } from './log-sink';

const MOST_UNDER_WAY = 64;
/** A full receiver is asked again this often before the message is given up. */
const FULL_RETRY_MS = 5;
const FULL_RETRIES = 200;

/** Sends each message as one UDP datagram. @throws unavailable when the host's name does not resolve */
export async function openUdpSink(host: string, port: number): Promise<LogSink> {
  const { address, family } = await lookup(host).catch((error: NodeJS.ErrnoException) => {
    throw unavailable(`dial udp: lookup ${host}: no such host`, error);
  });
  const socket = createSocket(family === 6 ? 'udp6' : 'udp4');
  // A refusal tells of an earlier datagram; whoever listens later gets the next ones.
  socket.on('error', () => undefined);
  await new Promise<void>((resolve) => socket.connect(port, address, () => resolve()));
  socket.unref();
  let underWay = 0;
  let idle: (() => void) | undefined;
  const waiting: (() => void)[] = [];
  const sent = () => {
    underWay--;
    waiting.shift()?.();
    if (underWay === 0) idle?.();
  };
  return {
    send(message) {
      underWay++;
      socket.send(message, sent);
      if (underWay < MOST_UNDER_WAY) return;
      return new Promise((resolve) => waiting.push(resolve));
    },
    async close() {
      if (underWay > 0)
        await new Promise<void>((resolve) => {
          idle = resolve;
        });
      await new Promise<void>((resolve) => socket.close(() => resolve()));
    },
  };
}

/** Sends each message as one datagram to a unix socket. */
export function openUnixDatagramSink(path: string, bufferBytes?: number): LogSink {
  const sender = new UnixDatagramSender(path, bufferBytes);
  // What waits for room goes out in its order, and what comes meanwhile behind it.
  let queue: Promise<void> | undefined;
  const sendPatiently = async (message: Buffer): Promise<void> => {
    for (let attempt = 0; ; attempt++) {
      if (trySend(message, attempt === FULL_RETRIES)) return;
      await pause(FULL_RETRY_MS);
    }
  };
  const trySend = (message: Buffer, isLast: boolean): boolean => {
    try {
      sender.send(message);
      return true;
    } catch (error) {
      // Its reader is slow, or is started anew.
      const { code } = error as NodeJS.ErrnoException;
      if (!isLast && (code === 'EAGAIN' || code === 'ECONNREFUSED' || code === 'ENOENT')) return false;
      throw unavailable(`sending to ${path} failed: ${(error as Error).message}`, error);
    }
  };
  return {
    send(message) {
      if (queue === undefined && trySend(message, false)) return;
      const sent = (queue ?? Promise.resolve()).then(() => sendPatiently(message));
      const settled = sent.catch(() => undefined);
      queue = settled;
      void settled.then(() => {
        if (queue === settled) queue = undefined;
      });
      return sent;
    },
    async close() {
      await queue;
      sender.close();
    },
  };
}
