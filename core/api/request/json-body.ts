import type { IncomingHttpHeaders } from 'node:http';
import type { Readable } from 'node:stream';
import { EngineError, invalidParameter, parseJson } from '@gantry/sdk';
import { doorLimits } from '../limits';

/** Bytes of JSON a request may carry. */
export const maximumJsonBytes = 4 * 1024 * 1024;

/**
 * Reads a whole body as JSON; undefined when the request says it has none.
 *
 * @throws invalid-parameter  another content type, too large, not JSON, or data after the value
 */
export async function readJson(
  headers: IncomingHttpHeaders,
  body: Readable,
  limitBytes = maximumJsonBytes,
): Promise<unknown> {
  const isEmpty = !announcesBody(headers);
  const contentType = headers['content-type'];
  if (contentType !== undefined || !isEmpty) assertJsonType(contentType ?? '');
  if (isEmpty) return undefined;
  const tooLarge = () => invalidParameter(`request body is larger than ${limitBytes} bytes`);
  const bytes = await readBytes(body, limitBytes, Number(headers['content-length'] ?? 0), tooLarge);
  const text = bytes.toString('utf8');
  if (text.trim() === '') throw invalidParameter('invalid JSON: got EOF while reading request body');
  try {
    return parseJson(text);
  } catch (cause) {
    const { message } = cause as Error;
    throw invalidParameter(message === 'unexpected content after JSON' ? message : `invalid JSON: ${message}`, cause);
  }
}

/** Whether the headers announce a body, even one that turns out to be empty. */
export function announcesBody(headers: IncomingHttpHeaders): boolean {
  const declaredBytes = headers['content-length'];
  return headers['transfer-encoding'] !== undefined || (declaredBytes !== undefined && declaredBytes !== '0');
}

const mediaTypeOf = (contentType: string) => contentType.split(';', 1)[0]!.trim().toLowerCase();

/** Whether a body of this content type is read as JSON. */
export const isJsonType = (contentType: string): boolean => mediaTypeOf(contentType) === 'application/json';

function assertJsonType(contentType: string): void {
  const mediaType = mediaTypeOf(contentType);
  if (mediaType === 'application/json') return;
  if (mediaType === '') throw invalidParameter(`malformed Content-Type header (${contentType}): mime: no media type`);
  throw invalidParameter(`unsupported Content-Type header (${contentType}): must be 'application/json'`);
}

/** Nothing came for too long within a body. The connection is of no further use. */
export class StalledBody extends EngineError {
  constructor(stalledMs: number) {
    super('invalid-parameter', `the request body did not arrive: nothing came for ${stalledMs / 1000} seconds`);
  }
}

/** Reads a whole body. @throws  what `tooLarge` makes, StalledBody */
export async function readBytes(
  body: Readable,
  limitBytes: number,
  declaredBytes: number,
  tooLarge: () => Error,
  stalledMs = doorLimits.stalledBodyMs,
): Promise<Buffer> {
  if (declaredBytes > limitBytes) throw tooLarge();
  const chunks: Buffer[] = [];
  let length = 0;
  let timer: NodeJS.Timeout | undefined;
  let stall: (error: Error) => void = () => {};
  const stalled = new Promise<never>((_, reject) => {
    stall = reject;
  });
  stalled.catch(() => {});
  // Leaving the loop must not destroy the request, or the client would never see why.
  const pieces = body.iterator({ destroyOnReturn: false });
  try {
    for (;;) {
      const next = pieces.next() as Promise<IteratorResult<Buffer>>;
      timer ??= setTimeout(() => stall(new StalledBody(stalledMs)), stalledMs);
      const { done, value } = await Promise.race([next, stalled]);
      if (done === true) break;
      timer.refresh();
      length += value.length;
      if (length > limitBytes) throw tooLarge();
      chunks.push(value);
    }
  } finally {
    clearTimeout(timer);
    if (length > limitBytes) await pieces.return?.();
  }
  return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, length);
}
