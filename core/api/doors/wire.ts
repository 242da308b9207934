import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import type { WebSocket } from 'ws';
import type { AnswerHeaders } from '../pipeline/server-headers';

/** A request as a door took it in. Both doors hand the same thing to the one pipeline. */
export interface Wire {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly socket: Socket;
  /** The socket that was connected to, as people write it: `unix:///run/docker.sock`. */
  readonly listener: string;
  /** The request's body, whatever the door had to do to get at it. */
  readonly body: Readable;
  /** A new signal that aborts when the client goes away before the reply has ended. */
  clientSignal(): AbortSignal;
  /** Makes sure that a client who leaves while an answer is streamed is noticed. */
  watchClient(): void;
  /**
   * Takes the connection out of HTTP: writes the head that fits how the client asked, and gives the raw connection
   * with everything the client sent after the body.
   */
  hijack(contentType: string, headers: AnswerHeaders): Promise<Socket>;
  /** Answers the client's websocket handshake. @throws invalid-parameter the request has none; still HTTP then */
  acceptWebSocket(headers: AnswerHeaders): WebSocket;
}
