import type { Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { errorMessage, invalidParameter, systemError } from '@gantry/sdk';
import type { Wire } from '../doors/wire';
import { announcesBody, isJsonType, maximumJsonBytes, readBytes, StalledBody } from '../request/json-body';

/**
 * Reads a JSON body as a whole, so that it can be shown before it is used. Bodies of any other type stay where they
 * are: the archives among them are streams.
 *
 * @returns undefined  there is none, or it is not JSON
 * @throws system             too large to be shown: nothing is executed that was not shown (P-AZ-2)
 * @throws invalid-parameter  it ended early or its framing is malformed
 */
export async function captureJsonBody(wire: Wire): Promise<Buffer | undefined> {
  const { headers } = wire.request;
  if (!announcesBody(headers) || !isJsonType(headers['content-type'] ?? '')) return undefined;
  const tooLarge = systemError(
    `request body is larger than ${maximumJsonBytes} bytes: it cannot be shown to authorization plugins`,
  );
  try {
    return await readBytes(wire.body, maximumJsonBytes, Number(headers['content-length'] ?? 0), () => tooLarge);
  } catch (error) {
    if (error instanceof StalledBody) throw error;
    if (error === tooLarge) {
      await letFinish(wire.body);
      throw error;
    }
    throw invalidParameter(`the request body cannot be read: ${errorMessage(error)}`, error);
  }
}

/** A client that is cut off while it sends would see a broken connection and no reason: it gets a moment. */
async function letFinish(body: Readable, patienceMs = 500): Promise<void> {
  body.resume();
  await finished(body, { writable: false, signal: AbortSignal.timeout(patienceMs) }).catch(() => {});
}
