import { once } from 'node:events';
import type { Writable } from 'node:stream';

/** Writes and waits while the stream's buffer is full. Throws when the stream breaks or `signal` aborts. */
export async function writeFully(out: Writable, chunk: Buffer | string, signal?: AbortSignal): Promise<void> {
  if (out.destroyed) throw out.errored ?? new Error('stream is closed');
  if (out.write(chunk)) return;
  // 'close' without 'drain' must not wait for ever.
  const closed = new AbortController();
  const onClose = () => closed.abort(new Error('stream closed'));
  out.once('close', onClose);
  try {
    await once(out, 'drain', { signal: signal ? AbortSignal.any([signal, closed.signal]) : closed.signal });
  } finally {
    out.off('close', onClose);
  }
}
