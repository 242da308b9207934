import http2, { type ClientHttp2Session, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { Duplex } from 'node:stream';

/** A length-delimited protobuf field below number 16. */
export function field(number: number, content: Buffer | string): Buffer {
  const bytes = Buffer.from(content as Buffer);
  const length: number[] = [];
  for (let left = bytes.length; ; left >>= 7) {
    length.push(left > 127 ? (left & 127) | 128 : left);
    if (left <= 127) break;
  }
  return Buffer.concat([Buffer.from([number * 8 + 2, ...length]), bytes]);
}

/** A message as gRPC sends it. */
export function grpcFrame(message: Buffer): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

/** One call with one message each way. @returns the framed answer and the trailers */
export async function call(
  session: ClientHttp2Session,
  path: string,
  body: Buffer,
  more: Readonly<Record<string, string>> = {},
) {
  const headers = { ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers' };
  const stream = session.request({ ...headers, ...more });
  let trailers: IncomingHttpHeaders = {};
  stream.on('trailers', (received) => {
    trailers = received;
  });
  stream.on('response', (answer) => {
    if (answer['grpc-status'] !== undefined) trailers = answer;
  });
  stream.end(body);
  const chunks: Buffer[] = [];
  for await (const chunk of stream as AsyncIterable<Buffer>) chunks.push(chunk);
  return { body: Buffer.concat(chunks), trailers };
}

/** Answers a call with one message. */
export function answer(stream: ServerHttp2Stream, body: Buffer, trailers: Record<string, string> = {}): void {
  stream.resume();
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0', ...trailers }));
  stream.end(body);
}

/**
 * What a BuildKit daemon does with its connections: calls over HTTP/2, and sessions through which it calls its client.
 * A solve asks the client for a file, and sends `archive` to the client by the session that field 5 names.
 */
export async function startFakeBuildkit(path: string, archive: Buffer) {
  const sessions = new Map<string, { readonly headers: IncomingHttpHeaders; readonly client: ClientHttp2Session }>();
  const solved: Buffer[] = [];
  const server = http2.createServer();
  server.on('stream', async (stream, headers) => {
    stream.on('error', () => {});
    if (headers[':path'] === '/moby.buildkit.v1.Control/Session') {
      const connection = sessionConnection(stream);
      const client = http2.connect('http://client', { createConnection: () => connection });
      client.on('error', () => {});
      connection.on('close', () => client.destroy());
      sessions.set(String(headers['x-docker-expose-session-uuid']), { headers, client });
      return;
    }
    const chunks: Buffer[] = [];
    for await (const chunk of stream as AsyncIterable<Buffer>) chunks.push(chunk);
    const body = Buffer.concat(chunks);
    if (headers[':path'] !== '/moby.buildkit.v1.Control/Solve') return answer(stream, body, { 'x-echo': 'yes' });
    solved.push(body);
    const { client } = [...sessions].find(([id]) => body.includes(id))![1];
    const file = await call(client, '/moby.filesync.v1.FileSync/DiffCopy', grpcFrame(field(1, 'which file?')));
    const pieces = Array.from({ length: Math.ceil(archive.length / 30_000) }, (_, i) =>
      grpcFrame(field(1, archive.subarray(i * 30_000, (i + 1) * 30_000))),
    );
    const sent = await call(client, '/moby.filesync.v1.FileSend/DiffCopy', Buffer.concat(pieces));
    answer(stream, file.body, { 'x-sent': JSON.stringify(sent.trailers) });
  });
  await new Promise<void>((done) => server.listen(path, done));
  return {
    address: server.address() as AddressInfo | string,
    sessions,
    solved,
    close: () => {
      for (const { client } of sessions.values()) client.destroy();
      server.close();
    },
  };
}

/** The bytes inside the messages of a session call. */
function sessionConnection(stream: ServerHttp2Stream): Duplex {
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' });
  let held: Buffer = Buffer.alloc(0);
  const connection = new Duplex({
    read() {},
    write: (chunk: Buffer, _encoding, done) => void stream.write(grpcFrame(field(1, chunk)), done),
  });
  stream.on('data', (chunk: Buffer) => {
    held = Buffer.concat([held, chunk]);
    while (held.length >= 5 && held.length >= 5 + held.readUInt32BE(1)) {
      const message = held.subarray(5, 5 + held.readUInt32BE(1));
      held = held.subarray(5 + message.length);
      // Tag, then a length of one byte for each seven bits.
      let start = 1;
      while (message[start]! > 127) start++;
      connection.push(message.subarray(start + 1));
    }
  });
  stream.on('end', () => connection.push(null));
  stream.on('close', () => connection.destroy());
  return connection;
}

/** Switches a connection to the daemon to HTTP/2. */
export async function upgradeToHttp2(
  socketPath: string,
  path: string,
  headers: readonly string[] = [],
): Promise<Socket> {
  const socket = connect(socketPath);
  const lines = [`POST ${path} HTTP/1.1`, 'Host: docker', 'Connection: Upgrade', 'Upgrade: h2c', ...headers, '', ''];
  socket.write(lines.join('\r\n'));
  let head = '';
  while (!head.includes('\r\n\r\n')) {
    const chunk = await new Promise<Buffer>((resolve) =>
      socket.once('readable', () => resolve(socket.read() ?? Buffer.alloc(0))),
    );
    head += chunk.toString('latin1');
  }
  expect(head).toMatch(/^HTTP\/1.1 101 UPGRADED\r\n(?:.*\r\n)*Upgrade: h2c\r\n/);
  const rest = Buffer.from(head.slice(head.indexOf('\r\n\r\n') + 4), 'latin1');
  if (rest.length > 0) socket.unshift(rest);
  return socket;
}
