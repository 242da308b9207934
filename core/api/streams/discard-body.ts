import type { Readable } from 'node:stream';
import { finished } from 'node:stream/promises';

/** Reads a body to its end, so that what follows on the connection is the client's stream. */
export async function discardBody(body: Readable): Promise<void> {
  if (body.readableEnded) return;
  body.resume();
  await finished(body, { writable: false });
}
