import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { cancelled, type HijackedConnection, invalidParameter, unavailable } from '@gantry/sdk';
import type { RawData, WebSocket } from 'ws';
import type { AnswerHeaders } from '../pipeline/server-headers';
import type { Shutdown } from '../pipeline/shutdown';

// Terminals and attached programs send little at a time; a larger message would have to be kept in memory whole.
const largestMessageBytes = 16 << 20;

/**
 * Answers a websocket handshake. Nothing is written when it is refused.
 *
 * @throws invalid-parameter  the request is no websocket handshake
 * @see RFC 6455, section 4.2
 */
export function acceptWebSocket(request: IncomingMessage, socket: Socket, headers: AnswerHeaders): WebSocket {
  // Few clients use it: the daemon boots without.
  const { WebSocketServer } = require('ws') as typeof import('ws');
  const server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: largestMessageBytes,
    // A program's output may be cut anywhere, also inside a character.
    skipUTF8Validation: true,
  });
  server.on('headers', (lines) => {
    for (const [name, value] of Object.entries(headers)) lines.push(`${name}: ${value}`);
  });
  let refusal: Error | undefined;
  server.on('wsClientError', (error) => {
    refusal = error;
  });
  let accepted: WebSocket | undefined;
  // Synchronous: the callback has been called when this returns, or never will be.
  server.handleUpgrade(request, socket, Buffer.alloc(0), (webSocket) => {
    accepted = webSocket;
  });
  if (accepted === undefined) throw invalidParameter(`not websocket protocol: ${refusal?.message ?? 'no handshake'}`);
  return accepted;
}

/** Runs a handler on a websocket as on a raw connection: messages are pieces of one stream of bytes. */
export async function serveWebSocket(
  webSocket: WebSocket,
  binary: boolean,
  run: (connection: HijackedConnection) => Promise<void>,
  shutdown: Shutdown,
  onError: (error: unknown) => void,
): Promise<void> {
  const stream = new WebSocketStream(webSocket, binary);
  const gone = new AbortController();
  stream.on('error', onError);
  stream.once('close', () => gone.abort(cancelled('the connection is gone')));
  const forget = shutdown.onBegin(() => gone.abort(unavailable('the daemon is shutting down')));
  try {
    await run({ stream, signal: gone.signal });
  } catch (error) {
    onError(error);
  } finally {
    forget();
    stream.resume();
    stream.end();
  }
}

/** A websocket as a stream. There is no half-close: when either side ends, both do. */
class WebSocketStream extends Duplex {
  constructor(
    private readonly webSocket: WebSocket,
    private readonly binary: boolean,
  ) {
    super({ allowHalfOpen: false });
    webSocket.on('message', (message: RawData) => {
      if (!this.push(message as Buffer)) webSocket.pause();
    });
    webSocket.once('close', () => this.push(null));
    webSocket.on('error', (error) => this.destroy(error));
  }

  override _read(): void {
    if (this.webSocket.isPaused) this.webSocket.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    if (this.webSocket.readyState !== this.webSocket.OPEN) {
      // Like a connection the client has closed: what is written goes nowhere.
      done();
      return;
    }
    this.webSocket.send(chunk, { binary: this.binary }, (error) => done(error ?? null));
  }

  override _final(done: (error?: Error | null) => void): void {
    this.webSocket.close(1000);
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    // After an orderly end the closing handshake goes on by itself.
    if (error) this.webSocket.terminate();
    done(error);
  }
}
