import {
  type ClientHttp2Session,
  constants,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';

/** How one call is handled. */
export type Handling =
  /** As it is. */
  | { readonly kind: 'forward' }
  /** With other bytes as its request, which is read whole before. */
  | { readonly kind: 'rewrite'; readonly rewrite: (body: Buffer) => Buffer }
  /** Here. */
  | { readonly kind: 'serve'; readonly serve: (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void };

const endOfStream = 1;
const largestRewritten = 64 * 1024 * 1024;

/** Passes the calls of one HTTP/2 connection on to another one, with headers, both bodies, trailers and resets. */
export function forwardStreams(
  from: ServerHttp2Session,
  to: ClientHttp2Session,
  handlingOf: (headers: IncomingHttpHeaders) => Handling,
): void {
  from.on('stream', (stream, headers) => {
    stream.on('error', () => {});
    // The other side may be on its way out.
    guarded(stream, () => {
      const handling = handlingOf(headers);
      if (handling.kind === 'serve') handling.serve(stream, headers);
      else if (handling.kind === 'forward') stream.pipe(request(stream, headers, to));
      else
        readAll(stream, largestRewritten)
          .then((body) => request(stream, headers, to).end(handling.rewrite(body)))
          .catch(() => stream.close(constants.NGHTTP2_INTERNAL_ERROR));
    });
  });
  // Whoever of the two goes takes the other along.
  from.on('error', () => {});
  to.on('error', () => {});
  from.on('close', () => to.destroy());
  to.on('close', () => from.destroy());
}

/** A call that cannot be passed on is reset; the connection goes on. */
function guarded(stream: ServerHttp2Stream, work: () => void): void {
  try {
    work();
  } catch {
    stream.close(constants.NGHTTP2_INTERNAL_ERROR);
  }
}

/** Opens the call at the other side; its answer goes back. @returns where the request's body goes */
function request(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, to: ClientHttp2Session) {
  const call = to.request({ ...headers }, { endStream: false });
  let trailers: IncomingHttpHeaders | undefined;
  let wanted = false;
  const sendTrailers = () => {
    if (wanted && !stream.destroyed) stream.sendTrailers({ ...trailers });
    wanted = false;
  };
  call.on('response', (answer, flags) => {
    if (stream.destroyed) return;
    guarded(stream, () => {
      if ((flags & endOfStream) !== 0) return stream.respond({ ...answer }, { endStream: true });
      stream.respond({ ...answer }, { waitForTrailers: true });
      call.pipe(stream);
    });
  });
  call.on('trailers', (received) => {
    trailers = received;
    sendTrailers();
  });
  stream.on('wantTrailers', () => {
    wanted = true;
    if (trailers !== undefined || call.destroyed) sendTrailers();
  });
  call.on('error', () => {});
  // An answered call is over. What is left of its request would keep it, and with it the connection, from closing.
  call.on('end', () => {
    if (!call.writableFinished) setImmediate(() => call.destroy());
  });
  call.on('close', () => {
    if (call.rstCode !== constants.NGHTTP2_NO_ERROR) return stream.close(call.rstCode);
    sendTrailers();
    // It was answered before all of it was read: the rest is not wanted.
    if (!stream.readableEnded && stream.writableEnded) stream.close(constants.NGHTTP2_NO_ERROR);
  });
  stream.on('close', () => call.close(stream.rstCode));
  return call;
}

async function readAll(stream: ServerHttp2Stream, limit: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stream.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > limit) throw new RangeError('too large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
