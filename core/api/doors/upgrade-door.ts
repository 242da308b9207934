import { type IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { Readable } from 'node:stream';
import type { WebSocket } from 'ws';
import type { AnswerHeaders } from '../pipeline/server-headers';
import { clientSignal } from '../request/client-signal';
import { bodyDecoder } from '../streams/body-framing';
import { discardBody } from '../streams/discard-body';
import { FramedBody } from '../streams/framed-body';
import { closeGently } from '../streams/hijacked-connection';
import { hijackHead, writeHead } from '../streams/status-line';
import { acceptWebSocket } from '../streams/websocket-connection';
import type { Wire } from './wire';

/**
 * A request with an Upgrade header. Node has let go of the connection: the body must be taken off the raw bytes, and
 * an answer needs a ServerResponse of our own. A route that does not hijack is answered as if the header were not
 * there, except that the connection closes afterwards.
 */
export class UpgradeWire implements Wire {
  readonly response: ServerResponse;
  readonly body: Readable;

  /** @throws invalid-parameter  the body's framing is not understood */
  constructor(
    readonly request: IncomingMessage,
    readonly socket: Socket,
    head: Buffer,
    readonly listener: string,
  ) {
    if (head.length > 0) socket.unshift(head);
    socket.on('error', ignore);
    const response = new ServerResponse(request);
    response.shouldKeepAlive = false;
    response.assignSocket(socket);
    socket.on('drain', () => response.emit('drain'));
    response.on('finish', () => {
      response.detachSocket(socket);
      closeGently(socket);
    });
    this.response = response;
    const decoder = bodyDecoder(request.headers);
    this.body = decoder === undefined ? Readable.from([]) : new FramedBody(socket, decoder);
  }

  clientSignal(): AbortSignal {
    return clientSignal(this.response);
  }

  watchClient(): void {
    const { socket, body } = this;
    const watch = () => {
      // Nobody else reads this connection any more.
      socket.once('end', () => socket.destroy());
      socket.resume();
    };
    if (body instanceof FramedBody && !body.readableEnded) body.once('end', watch);
    else watch();
  }

  async hijack(contentType: string, headers: AnswerHeaders): Promise<Socket> {
    const { socket, response } = this;
    await discardBody(this.body);
    response.detachSocket(socket);
    socket.removeAllListeners('drain');
    await writeHead(socket, hijackHead(this.request.headers.upgrade ?? '', contentType, headers));
    return socket;
  }

  acceptWebSocket(headers: AnswerHeaders): WebSocket {
    const { socket, response } = this;
    const webSocket = acceptWebSocket(this.request, socket, headers);
    response.detachSocket(socket);
    return webSocket;
  }
}

// A reset is seen as 'close', which every reader of the connection waits for.
function ignore(): void {}
