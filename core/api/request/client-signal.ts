import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { cancelled } from '@gantry/sdk';

/**
 * A signal that aborts when the client goes away before the reply has ended.
 *
 * @param reader  the connection, when somebody reads it: its end counts as leaving, because a client that closed and
 *                one that only ended its side look alike. The reply is still sent.
 */
export function clientSignal(response: ServerResponse, reader?: Socket): AbortSignal {
  const controller = new AbortController();
  const abort = () => controller.abort(cancelled('the client went away'));
  if (response.destroyed || response.socket?.destroyed || reader?.readableEnded) {
    if (!response.writableFinished) abort();
    return controller.signal;
  }
  reader?.once('end', abort);
  response.once('close', () => {
    reader?.off('end', abort);
    if (!response.writableFinished) abort();
  });
  return controller.signal;
}
