import { connect, type Socket } from 'node:net';
import { EngineError, type ErrorKind, notFound, unavailable } from '@gantry/sdk';
import { decode, encode, type MessageName } from './messages';

const HEADER_BYTES = 10;
const REQUEST = 1;
const RESPONSE = 2;
/** Larger frames are refused by every implementation. */
const MAX_MESSAGE_BYTES = 4 << 20;

interface Pending {
  readonly resolve: (payload: Uint8Array) => void;
  readonly reject: (error: Error) => void;
}

interface ResponseMessage {
  readonly status?: { readonly code: number; readonly message: string } | null;
  readonly payload: Uint8Array;
}

/** gRPC codes that mean something of ours; the rest are faults. */
const kinds: Readonly<Record<number, ErrorKind>> = {
  1: 'cancelled',
  3: 'invalid-parameter',
  4: 'deadline',
  5: 'not-found',
  6: 'conflict',
  9: 'conflict',
  12: 'not-implemented',
  14: 'unavailable',
};

/**
 * A ttrpc connection: unary calls over one unix socket, any number at once.
 *
 * @see ttrpc PROTOCOL.md: a 10-byte header (length, odd stream id, type, flags), then a protobuf message
 */
export class TtrpcClient {
  private nextStream = 1;
  private readonly pending = new Map<number, Pending>();
  private received: Buffer[] = [];
  private receivedBytes = 0;
  private wantedBytes = HEADER_BYTES;
  /** Resolves when the connection is gone, for whatever reason. */
  readonly closed: Promise<void>;
  private isClosed = false;

  private constructor(
    private readonly socket: Socket,
    private readonly namespace: string,
  ) {
    socket.on('data', (chunk) => this.take(chunk));
    socket.on('error', () => undefined);
    this.closed = new Promise((resolve) => {
      socket.once('close', () => {
        this.isClosed = true;
        for (const call of this.pending.values()) call.reject(unavailable('the connection to the shim was lost'));
        this.pending.clear();
        resolve();
      });
    });
  }

  /** @throws the socket's own error: ENOENT, ECONNREFUSED */
  static connect(path: string, namespace: string): Promise<TtrpcClient> {
    return new Promise((resolve, reject) => {
      const socket = connect(path);
      socket.once('error', reject);
      socket.once('connect', () => {
        socket.off('error', reject);
        resolve(new TtrpcClient(socket, namespace));
      });
    });
  }

  get usable(): boolean {
    return !this.isClosed;
  }

  /**
   * One call. Waits for the answer as long as the connection lives: give a deadline where the work has one.
   *
   * @throws unavailable  the connection is or goes away
   * @throws the kind that the peer's status code means, with the peer's words
   */
  call<T>(service: string, method: string, request: [MessageName, object], response: MessageName): Promise<T> {
    if (this.isClosed) return Promise.reject(unavailable('the connection to the shim was lost'));
    const stream = this.nextStream;
    this.nextStream += 2;
    const payload = encode('Request', {
      service,
      method,
      payload: encode(request[0], request[1]),
      metadata: [{ key: 'containerd-namespace-ttrpc', value: this.namespace }],
    });
    const frame = Buffer.allocUnsafe(HEADER_BYTES + payload.length);
    frame.writeUInt32BE(payload.length, 0);
    frame.writeUInt32BE(stream, 4);
    frame[8] = REQUEST;
    frame[9] = 0;
    frame.set(payload, HEADER_BYTES);
    return new Promise<Uint8Array>((resolve, reject) => {
      this.pending.set(stream, { resolve, reject });
      this.socket.write(frame);
    }).then((bytes) => decode<T>(response, bytes));
  }

  close(): void {
    this.socket.destroy();
  }

  private take(chunk: Buffer): void {
    this.received.push(chunk);
    this.receivedBytes += chunk.length;
    if (this.receivedBytes < this.wantedBytes) return;
    let buffer = this.received.length === 1 ? chunk : Buffer.concat(this.received);
    this.wantedBytes = HEADER_BYTES;
    while (buffer.length >= HEADER_BYTES) {
      const length = buffer.readUInt32BE(0);
      if (length > MAX_MESSAGE_BYTES) {
        this.socket.destroy();
        return;
      }
      this.wantedBytes = HEADER_BYTES + length;
      if (buffer.length < this.wantedBytes) break;
      if (buffer[8] === RESPONSE)
        this.answer(buffer.readUInt32BE(4), buffer.subarray(HEADER_BYTES, HEADER_BYTES + length));
      buffer = buffer.subarray(this.wantedBytes);
      this.wantedBytes = HEADER_BYTES;
    }
    this.received = buffer.length > 0 ? [buffer] : [];
    this.receivedBytes = buffer.length;
  }

  private answer(stream: number, bytes: Buffer): void {
    const call = this.pending.get(stream);
    if (call === undefined) return;
    this.pending.delete(stream);
    try {
      const { status, payload } = decode<ResponseMessage>('Response', bytes);
      if (status && status.code !== 0) call.reject(errorOf(status.code, status.message));
      else call.resolve(payload);
    } catch (error) {
      call.reject(error as Error);
    }
  }
}

function errorOf(code: number, message: string): EngineError {
  return code === 5 ? notFound(message) : new EngineError(kinds[code] ?? 'system', message);
}
