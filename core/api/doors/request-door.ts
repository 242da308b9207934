import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { invalidParameter } from '@gantry/sdk';
import type { WebSocket } from 'ws';
import type { AnswerHeaders } from '../pipeline/server-headers';
import { clientSignal } from '../request/client-signal';
import { announcesBody } from '../request/json-body';
import { detachParser } from '../streams/detach-parser';
import { discardBody } from '../streams/discard-body';
import { closeGently } from '../streams/hijacked-connection';
import { hijackHead, writeHead } from '../streams/status-line';
import type { Wire } from './wire';

/** A request as Node's parser delivers it. */
export class RequestWire implements Wire {
  constructor(
    readonly request: IncomingMessage,
    readonly response: ServerResponse,
    readonly listener: string,
  ) {
    if (announcesBody(request.headers)) lingerAfterEarlyAnswer(request);
  }

  get socket(): Socket {
    return this.request.socket;
  }

  get body(): Readable {
    return this.request;
  }

  clientSignal(): AbortSignal {
    return clientSignal(this.response, this.socket);
  }

  // Node's parser reads on and closes the connection with the client.
  watchClient(): void {}

  async hijack(contentType: string, headers: AnswerHeaders): Promise<Socket> {
    const { socket } = this;
    await discardBody(this.request);
    detachParser(socket, this.response);
    // Without "Connection: Upgrade" Node takes the request for an ordinary one; dockerd looks at Upgrade alone.
    await writeHead(socket, hijackHead(this.request.headers.upgrade, contentType, headers));
    return socket;
  }

  acceptWebSocket(): WebSocket {
    throw invalidParameter('not websocket protocol: send the headers "Connection: Upgrade" and "Upgrade: websocket"');
  }
}

/**
 * Who is answered before its body has been read may still be sending: closing at once would reset the connection, and
 * the answer would be lost with it. Node closes with `destroySoon` after the last answer.
 */
function lingerAfterEarlyAnswer(request: IncomingMessage): void {
  const socket = request.socket as Socket & { destroySoon?(): void };
  const closeNow = Object.getPrototypeOf(socket).destroySoon as (this: Socket) => void;
  socket.destroySoon = () => {
    if (request.complete) closeNow.call(socket);
    else closeGently(socket);
  };
}
