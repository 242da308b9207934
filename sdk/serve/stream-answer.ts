import type { ServerResponse } from 'node:http';
import { writeFully } from '../streams';

/** How long an error is waited for before the answer counts as begun. */
const FIRST_PIECE_MS = 200;

/** Answers with a stream. @throws what the stream throws; nothing was sent if that was at once */
export async function sendStream(
  response: ServerResponse,
  pieces: AsyncIterable<Buffer>,
  signal: AbortSignal,
): Promise<void> {
  const iterator = pieces[Symbol.asyncIterator]();
  try {
    let next = iterator.next();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, FIRST_PIECE_MS);
    });
    await Promise.race([next, late]);
    clearTimeout(timer);
    response.writeHead(200, { 'Content-Type': 'application/octet-stream' });
    response.flushHeaders();
    for (let result = await next; !result.done && !signal.aborted; result = await next) {
      await writeFully(response, result.value, signal);
      next = iterator.next();
    }
    response.end();
  } finally {
    await iterator.return?.();
  }
}
