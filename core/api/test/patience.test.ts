import { Readable } from 'node:stream';
import { type ApiRoute, EngineError, reply } from '@gantry/sdk';
import { doorLimits } from '../limits';
import { readBytes, StalledBody } from '../request/json-body';
import { closeFixtures, connect, readToEnd, readUntil, startApi } from './api-fixture';

afterEach(closeFixtures);

const limits = { ...doorLimits, headersMs: 200, checkMs: 50 };
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Longer than headers may take, and than it takes to notice. */
const longMs = 600;

const stream: ApiRoute = {
  method: 'GET',
  path: '/stream',
  handle: () =>
    reply.stream(200, 'text/plain', async (out) => {
      out.write('begin ');
      await pause(longMs);
      out.write('end');
    }),
};
const attach: ApiRoute = {
  method: 'POST',
  path: '/attach',
  flags: { hijack: true },
  handle: () =>
    reply.hijack('application/vnd.docker.raw-stream', async ({ stream: connection }) => {
      for await (const chunk of connection) connection.write(`got ${chunk}`);
    }),
};
const upload: ApiRoute = {
  method: 'PUT',
  path: '/upload',
  handle: async ({ body }) => {
    let length = 0;
    for await (const chunk of body) length += (chunk as Buffer).length;
    return reply.json(200, length);
  },
};

test.each([
  ['nothing', ''],
  ['half a request line', 'GET /_p'],
  ['headers without an end', 'GET /_ping HTTP/1.1\r\nHost: x\r\nX: '],
])('a client that sends %s is cut', async (_what, bytes) => {
  const { socketPath } = await startApi([], { limits });
  const socket = await connect(socketPath);
  socket.write(bytes);
  expect(await readToEnd(socket)).toMatch(/^(HTTP\/1\.1 408 Request Timeout\r\n|$)/);
});

test('one that sends a header now and then is cut as well', async () => {
  const { socketPath } = await startApi([], { limits });
  const socket = await connect(socketPath);
  socket.on('error', () => {});
  socket.write('GET /_ping HTTP/1.1\r\n');
  const drip = setInterval(() => socket.write('X: y\r\n'), 20);
  await readToEnd(socket).catch(() => {});
  clearInterval(drip);
});

test('connections that wait for their next request, streams, attached clients and slow uploads last', async () => {
  const { socketPath } = await startApi([stream, attach, upload], { limits });
  const [kept, streaming, attached, upgraded, uploading] = await Promise.all(
    Array.from({ length: 5 }, () => connect(socketPath)),
  );
  kept!.write('GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n');
  await readUntil(kept!, 'OK');
  streaming!.write('GET /stream HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
  attached!.write('POST /attach HTTP/1.1\r\nHost: x\r\n\r\n');
  upgraded!.write('POST /attach HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n');
  await Promise.all([readUntil(attached!, '\r\n\r\n'), readUntil(upgraded!, '\r\n\r\n')]);
  uploading!.write('PUT /upload HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nConnection: close\r\n\r\nab');
  await pause(longMs);
  uploading!.write('cd');
  expect(await readToEnd(uploading!)).toMatch(/4\n$/);
  expect(await readToEnd(streaming!)).toContain('end');
  attached!.write('late');
  expect(await readUntil(attached!, 'got late')).toContain('late');
  upgraded!.write('later');
  expect(await readUntil(upgraded!, 'got later')).toContain('later');
  kept!.write('GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n');
  expect(await readUntil(kept!, 'OK')).toContain('200 OK');
});

test('a body that stands still is given up, one that comes slowly is not', async () => {
  const tooLarge = () => new Error('too large');
  const silent = new Readable({ read() {} });
  silent.push('half');
  await expect(readBytes(silent, 100, 0, tooLarge, 50)).rejects.toBeInstanceOf(StalledBody);
  const slow = Readable.from(
    (async function* () {
      for (const letter of 'slowly') {
        await pause(30);
        yield Buffer.from(letter);
      }
    })(),
  );
  expect(String(await readBytes(slow, 100, 0, tooLarge, 100))).toBe('slowly');
});

test('more header bytes than a client may need are refused with 431', async () => {
  const { socketPath } = await startApi([], { limits: { ...limits, headerBytes: 4096 } });
  const socket = await connect(socketPath);
  socket.write(`GET /_ping HTTP/1.1\r\nX: ${'x'.repeat(5000)}\r\n\r\n`);
  expect(await readToEnd(socket)).toMatch(/^HTTP\/1\.1 431 /);
});

test('a client that is refused while it sends learns why, and is let go when it never ends', async () => {
  const refused: ApiRoute = {
    method: 'PUT',
    path: '/refused',
    handle: () => {
      throw new EngineError('not-found', 'no such thing');
    },
  };
  const { socketPath } = await startApi([refused], { limits });
  for (let round = 0; round < 20; round++) {
    const socket = await connect(socketPath);
    socket.write('PUT /refused HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2000000\r\n\r\n');
    const sending = setInterval(() => socket.writable && socket.write(Buffer.alloc(20_000)), 1);
    await pause(5);
    expect(await readToEnd(socket)).toContain('no such thing');
    clearInterval(sending);
    socket.destroy();
  }
});
