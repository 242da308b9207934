import type { Socket } from 'node:net';
import type { Random } from './random';
import type { FuzzRequest } from './requests';

/** How a client behaves. */
export type Manner =
  | 'fine'
  | 'chunked'
  | 'upgrade'
  | 'reset'
  | 'reset in the body'
  | 'half-closed'
  | 'leaves after the head'
  | 'in pieces';

export interface FuzzAnswer {
  /** 0 when no head arrived. */
  readonly status: number;
  readonly head: string;
  readonly body: string;
  readonly ms: number;
}

const manners: readonly Manner[] = [
  'chunked',
  'upgrade',
  'reset',
  'reset in the body',
  'half-closed',
  'leaves after the head',
  'in pieces',
];

export const pickManner = (random: Random): Manner => (random.chance(0.6) ? 'fine' : random.pick(manners));

/**
 * Sends a request in some manner.
 *
 * @param patienceMs  how long an answer that goes on is read
 */
export async function exchange(
  connect: () => Socket,
  request: FuzzRequest,
  manner: Manner,
  patienceMs: number,
  random: Random,
): Promise<FuzzAnswer> {
  const startedAt = performance.now();
  const socket = connect();
  // Only ports have resets; on a unix socket closing with unread data is one.
  const reset = () => (socket.remoteAddress === undefined ? socket.destroy() : socket.resetAndDestroy());
  const parts: Buffer[] = [];
  let head = '';
  socket.on('error', () => {});
  const { body } = request;
  const lines = [`${request.method} ${request.url} HTTP/1.1`, ...request.headers];
  if (manner === 'upgrade') lines.push('Connection: Upgrade', 'Upgrade: tcp');
  else lines.push('Connection: close');
  if (body !== undefined && manner === 'chunked') lines.push('Transfer-Encoding: chunked');
  else if (body !== undefined) lines.push(`Content-Length: ${body.length}`);
  const sent = body === undefined ? undefined : manner === 'chunked' ? chunked(body, random) : body;
  const bytes = Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`), sent ?? Buffer.alloc(0)]);

  const ended = new Promise<void>((resolve) => {
    const give = setTimeout(resolve, patienceMs);
    const done = () => {
      clearTimeout(give);
      resolve();
    };
    socket.on('data', (part: Buffer) => {
      parts.push(part);
      if (head !== '') return;
      const text = Buffer.concat(parts).toString('latin1');
      const end = text.indexOf('\r\n\r\n');
      if (end === -1) return;
      head = text.slice(0, end);
      if (manner === 'leaves after the head') done();
      // A hijacked connection: say something and go.
      if (head.includes(' 101 ')) socket.end('hello\n');
    });
    socket.once('end', done);
    socket.once('close', done);
  });
  if (manner === 'reset') {
    socket.write(bytes);
    setTimeout(reset, random.below(30));
  } else if (manner === 'reset in the body') {
    socket.write(bytes.subarray(0, Math.max(1, bytes.length - 1 - random.below(bytes.length))));
    setTimeout(reset, random.below(30));
  } else if (manner === 'in pieces' && bytes.length < 5000) {
    for (let at = 0; at < bytes.length && !socket.destroyed; at += 97) {
      socket.write(bytes.subarray(at, at + 97));
      await new Promise(setImmediate);
    }
  } else {
    socket.write(bytes);
    if (manner === 'half-closed') socket.end();
  }
  await ended;
  socket.destroy();
  const text = Buffer.concat(parts).toString();
  const end = text.indexOf('\r\n\r\n');
  return {
    status: Number(/^HTTP\/1\.1 (\d{3})/.exec(head)?.[1] ?? 0),
    head,
    body: end === -1 ? '' : text.slice(end + 4),
    ms: performance.now() - startedAt,
  };
}

function chunked(body: Buffer, random: Random): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < body.length; ) {
    const part = body.subarray(at, at + 1 + random.below(4000));
    parts.push(Buffer.from(`${part.length.toString(16)}\r\n`), part, Buffer.from('\r\n'));
    at += part.length;
  }
  return Buffer.concat([...parts, Buffer.from('0\r\n\r\n')]);
}
