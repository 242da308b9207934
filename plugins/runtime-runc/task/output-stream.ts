import { Socket } from 'node:net';
import type { Readable } from 'node:stream';

/** A stream over the non-blocking read end of a FIFO, which it now owns. Ends when every writer has closed. */
export function outputStream(fd: number): Readable {
  const socket = new Socket({ fd, readable: true, writable: false });
  // Its reader learns of an error from 'close'; without a listener it would end the daemon.
  socket.on('error', () => undefined);
  return socket;
}

/** Frees a stream that nobody reads. One that is being read ends by itself and loses nothing. */
export function releaseUnread(stream: Readable | undefined): void {
  if (stream && stream.readableFlowing === null && stream.listenerCount('readable') === 0) stream.destroy();
}
