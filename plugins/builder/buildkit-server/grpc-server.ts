import { constants, type IncomingHttpHeaders, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import { errorMessage } from '@gantry/sdk';
import { frame, MessageReader } from '../buildkit/grpc-messages';
import { bytesField, message, numberField, textField } from '../buildkit/protobuf';

/** Status codes of gRPC that are used here. @see gRPC, "Status codes" */
export const grpcCodes = {
  cancelled: 1,
  unknown: 2,
  invalidArgument: 3,
  notFound: 5,
  unimplemented: 12,
  unavailable: 14,
} as const;

/** A failed call. */
export class GrpcError extends Error {
  /** @param details `google.protobuf.Any` messages for clients that can show more than a text */
  constructor(
    readonly code: number,
    message: string,
    readonly details: readonly Buffer[] = [],
  ) {
    super(message);
    this.name = 'GrpcError';
  }
}

/** One call of a client. */
export interface GrpcCall {
  /** Its only message. */
  readonly request: Buffer;
  readonly headers: IncomingHttpHeaders;
  /** The client has given up. */
  readonly signal: AbortSignal;
  /** Sends a message; resolves when there is room for the next one. */
  send(message: Buffer): Promise<void>;
}

/** Serves a method: answers by what it returns, by `send`, or by throwing. */
export type GrpcMethod = (call: GrpcCall) => Promise<Buffer | undefined>;

const largestRequest = 64 * 1024 * 1024;

/** Answers the calls of a connection whose methods take one message each. @see gRPC over HTTP2 */
export function serveGrpc(session: ServerHttp2Session, methods: ReadonlyMap<string, GrpcMethod>): void {
  session.on('stream', (stream, headers) => {
    stream.on('error', () => {});
    void serveCall(stream, headers, methods);
  });
  session.on('error', () => {});
}

async function serveCall(
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  methods: ReadonlyMap<string, GrpcMethod>,
): Promise<void> {
  const gone = new AbortController();
  stream.on('close', () => gone.abort());
  let trailers: Record<string, string> = { 'grpc-status': '0' };
  stream.on('wantTrailers', () => stream.sendTrailers(trailers));
  const send = async (answer: Buffer) => {
    if (stream.destroyed || stream.write(frame(answer))) return;
    await new Promise<void>((resolve) => {
      stream.once('drain', resolve);
      stream.once('close', resolve);
    });
  };
  try {
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
    const path = String(headers[':path']);
    const method = methods.get(path);
    if (method === undefined) {
      stream.resume();
      throw new GrpcError(grpcCodes.unimplemented, `unknown method ${path}: this builder does not have it`);
    }
    const request = await readRequest(stream);
    const answer = await method({ request, headers, signal: gone.signal, send });
    if (answer !== undefined) await send(answer);
  } catch (error) {
    trailers = trailersOf(error instanceof GrpcError ? error : new GrpcError(grpcCodes.unknown, errorMessage(error)));
  }
  if (!stream.destroyed) stream.end();
}

async function readRequest(stream: ServerHttp2Stream): Promise<Buffer> {
  const reader = new MessageReader();
  let size = 0;
  let first: Buffer | undefined;
  for await (const chunk of stream.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > largestRequest) {
      stream.close(constants.NGHTTP2_CANCEL);
      throw new GrpcError(grpcCodes.invalidArgument, 'the request is too large');
    }
    first ??= reader.push(chunk)[0];
  }
  return first ?? Buffer.alloc(0);
}

function trailersOf({ code, message: text, details }: GrpcError): Record<string, string> {
  const status = message(numberField(1, code), textField(2, text), ...details.map((detail) => bytesField(3, detail)));
  return {
    'grpc-status': String(code),
    'grpc-message': percentEncoded(text),
    ...(details.length === 0 ? {} : { 'grpc-status-details-bin': status.toString('base64').replace(/=+$/, '') }),
  };
}

/** @see gRPC over HTTP2, "Percent-Encoded" */
const percentEncoded = (text: string): string =>
  [...Buffer.from(text)]
    .map((byte) =>
      byte >= 0x20 && byte <= 0x7e && byte !== 0x25
        ? String.fromCharCode(byte)
        : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`,
    )
    .join('');
