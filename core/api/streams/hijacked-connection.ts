import type { Socket } from 'node:net';
import { finished } from 'node:stream';
import type { HijackedConnection } from '@gantry/sdk';
import { cancelled, unavailable } from '@gantry/sdk';
import type { Shutdown } from '../pipeline/shutdown';

/**
 * Runs a handler on a raw connection and closes it afterwards: our side ends at once, the client's bytes still in
 * flight are discarded so that the last output is not lost to a reset.
 */
export async function serveHijacked(
  socket: Socket,
  run: (connection: HijackedConnection) => Promise<void>,
  shutdown: Shutdown,
  onError: (error: unknown) => void,
): Promise<void> {
  const gone = new AbortController();
  // Plain iteration would destroy both directions when the client ends its own.
  socket[Symbol.asyncIterator] = () => socket.iterator({ destroyOnReturn: false }) as NodeJS.AsyncIterator<Buffer>;
  socket.on('error', onError);
  finished(socket, () => gone.abort(cancelled('the connection is gone')));
  const forget = shutdown.onBegin(() => gone.abort(unavailable('the daemon is shutting down')));
  try {
    await run({ stream: socket, signal: gone.signal });
  } catch (error) {
    onError(error);
  } finally {
    forget();
    closeGently(socket);
  }
}

/** Ends our side, reads the other to its end, and does not wait for it longer than `lingerMs`. */
export function closeGently(socket: Socket, lingerMs = 5000): void {
  if (socket.destroyed) return;
  socket.end();
  socket.resume();
  const timer = setTimeout(() => socket.destroy(), lingerMs);
  timer.unref();
  socket.once('close', () => clearTimeout(timer));
}
