import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** The parts of Node's private HTTP parser this file touches. */
interface HttpParser {
  unconsume?(): void;
  remove?(): void;
  close?(): void;
  socket: unknown;
  incoming: unknown;
  outgoing: unknown;
}

/**
 * Takes a connection away from Node's HTTP server in the middle of a request, for clients that hijack without an
 * Upgrade header. Node has no public way, so its internals are touched here and nowhere else:
 * a 'data' listener makes Node hand the bytes back to the socket instead of the parser, its listeners go, and the
 * parser is freed.
 */
export function detachParser(socket: Socket, response: ServerResponse): void {
  const owned = socket as Socket & { parser?: HttpParser | null; readableFlowing: boolean | null };
  const parser = owned.parser;
  response.detachSocket(socket);
  owned.on('data', ignore);
  // Not 'close': Node's own listener is harmless without a parser, and ours must stay.
  for (const event of ['data', 'end', 'drain', 'error', 'timeout']) owned.removeAllListeners(event);
  owned.parser = null;
  if (parser) {
    parser.unconsume?.();
    // Out of the server's list of connections, or its header timeout would cut a long attach.
    parser.remove?.();
    parser.socket = null;
    parser.incoming = null;
    parser.outgoing = null;
    // Not now: this may run inside the parser's own callback.
    setImmediate(() => parser.close?.());
  }
  owned.setTimeout(0);
  // As new: whoever attaches a 'data' listener or a pipe starts the flow.
  owned.readableFlowing = null;
}

function ignore(): void {}
