import type { Http2Session, IncomingHttpHeaders } from 'node:http2';
import { type HijackedConnection, invalidParameter } from '@gantry/sdk';

/** Headers by which a client describes its session. */
export const exposed = 'x-docker-expose-session-';

/** @throws invalid-parameter  no session is named, or it speaks another protocol */
export function sessionIdOf(headers: IncomingHttpHeaders): string {
  const protocol = text(headers.upgrade);
  if (protocol === '') throw invalidParameter('no upgrade proto in request: a session needs the header Upgrade: h2c');
  if (protocol.toLowerCase() !== 'h2c')
    throw invalidParameter(`protocol ${protocol} not supported: sessions speak h2c`);
  const id = text(headers[`${exposed}uuid`]);
  if (id === '') throw invalidParameter('a session needs the header X-Docker-Expose-Session-Uuid');
  return id;
}

/** A header that may have come several times. */
export const text = (value: string | string[] | undefined): string =>
  Array.isArray(value) ? value.join(', ') : (value ?? '');

/** Until the session ends, or the client is gone: without it no call of the session comes to an end. */
export async function closed(session: Http2Session, { stream, signal }: HijackedConnection): Promise<void> {
  if (session.destroyed) return;
  const end = () => session.destroy();
  // A session that still has something to write overlooks that nobody is there.
  stream.once('end', end);
  signal.addEventListener('abort', end, { once: true });
  if (signal.aborted) end();
  await new Promise<void>((resolve) => session.once('close', resolve));
  signal.removeEventListener('abort', end);
}
