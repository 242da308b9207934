import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import { type ApiRoute, forbidden, reply } from '@gantry/sdk';
import type { Authorizer } from '../pipeline/authorizer';
import { closeFixtures, connect, exchangeRaw, parseAnswer, readToEnd, readUntil, startApi } from './api-fixture';

afterEach(closeFixtures);

const rawStream = 'application/vnd.docker.raw-stream';

/** Answers with the JSON body it got, and after the client's end with everything it sent. */
const session: ApiRoute = {
  method: 'POST',
  path: '/exec/{id}/start',
  flags: { hijack: true },
  handle: async (request) => {
    const body = await request.json();
    return reply.hijack(rawStream, async ({ stream }) => {
      stream.write(`body ${JSON.stringify(body)}\n`);
      const input = await inputOf(stream);
      stream.write(`input ${input}\n`);
    });
  },
};

async function inputOf(stream: Duplex): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

const upgradeLines = ['POST /v1.40/exec/1/start HTTP/1.1', 'Host: x', 'Connection: Upgrade', 'Upgrade: tcp'];
const plainLines = ['POST /v1.40/exec/1/start HTTP/1.1', 'Host: x'];
const jsonLines = ['Content-Type: application/json'];

test.each([
  ['101', 'with a length', upgradeLines, ['Content-Length: 7'], '{"a":1}'],
  ['101', 'in chunks', upgradeLines, ['Transfer-Encoding: chunked'], '3\r\n{"a\r\n4;x=y\r\n":1}\r\n0\r\nT: 1\r\n\r\n'],
])('an upgraded connection (%s) with a body %s gives the bytes after it as input', async (...args) => {
  const [, , lines, framing, body] = args;
  const { socketPath } = await startApi([session]);
  const socket = await connect(socketPath);
  // Stdin may follow before the answer has come.
  socket.write(`${[...lines, ...jsonLines, ...framing].join('\r\n')}\r\n\r\n${body}early `);
  const head = parseAnswer(await readUntil(socket, 'body {"a":1}\n'));
  expect(head.head).toMatch(/^HTTP\/1.1 101 UPGRADED\r\n/);
  expect(head.headers).toMatchObject({ connection: 'Upgrade', upgrade: 'tcp', 'content-type': rawStream });
  socket.write('late');
  socket.end();
  expect(await readToEnd(socket)).toBe('input early late\n');
});

test('an upgraded body that arrives byte by byte is put together', async () => {
  const { socketPath } = await startApi([session]);
  const socket = await connect(socketPath);
  socket.setNoDelay(true);
  const head = `${[...upgradeLines, ...jsonLines, 'Transfer-Encoding: chunked'].join('\r\n')}\r\n\r\n`;
  for (const byte of `${head}3\r\n{"a\r\n4\r\n":1}\r\n0\r\n\r\nx`) {
    socket.write(byte);
    await new Promise(setImmediate);
  }
  await readUntil(socket, 'body {"a":1}\n');
  socket.end();
  expect(await readToEnd(socket)).toBe('input x\n');
});

test('a client that does not ask to upgrade gets 200 and the raw stream', async () => {
  const { socketPath } = await startApi([session]);
  const socket = await connect(socketPath);
  socket.write(`${[...plainLines, ...jsonLines, 'Content-Length: 7'].join('\r\n')}\r\n\r\n{"a":1}`);
  const head = parseAnswer(await readUntil(socket, 'body {"a":1}\n'));
  expect(head.head).toMatch(/^HTTP\/1.1 200 OK\r\n/);
  expect(head.headers).toMatchObject({ 'content-type': rawStream, 'api-version': '1.51' });
  expect(head.headers).not.toHaveProperty('upgrade');
  socket.write('some input');
  socket.end();
  expect(await readToEnd(socket)).toBe('input some input\n');
});

test('a hijack without body works in both forms', async () => {
  const { socketPath } = await startApi([session]);
  for (const lines of [upgradeLines, plainLines]) {
    const socket = await connect(socketPath);
    socket.write(`${lines.join('\r\n')}\r\n\r\n`);
    await readUntil(socket, 'body undefined\n');
    socket.end('in');
    expect(await readToEnd(socket)).toBe('input in\n');
  }
});

test.each([
  ['with', upgradeLines],
  ['without', plainLines],
])('the daemon’s end leaves the client’s side open, %s upgrade', async (_form, lines) => {
  let received = '';
  let wasAborted: boolean | undefined;
  let done = () => {};
  const isDone = new Promise<void>((resolve) => {
    done = resolve;
  });
  const { socketPath } = await startApi([
    {
      ...session,
      handle: () =>
        reply.hijack(rawStream, async ({ stream, signal }) => {
          stream.end('output\n');
          await once(stream, 'finish');
          wasAborted = signal.aborted;
          received = await inputOf(stream);
          done();
        }),
    },
  ]);
  const socket = await connect(socketPath);
  socket.write(`${lines.join('\r\n')}\r\n\r\n`);
  expect(await readToEnd(socket)).toContain('output\n');
  socket.end('after your end');
  await isDone;
  expect(received).toBe('after your end');
  expect(wasAborted).toBe(false);
});

test('large data passes both ways at once', async () => {
  const { socketPath } = await startApi([
    {
      ...session,
      handle: () =>
        reply.hijack(rawStream, async ({ stream }) => {
          stream.pipe(stream);
          await once(stream, 'end');
        }),
    },
  ]);
  const socket = await connect(socketPath);
  socket.write(`${upgradeLines.join('\r\n')}\r\n\r\n`);
  await readUntil(socket, '\r\n\r\n');
  const payload = Buffer.alloc(8 * 1024 * 1024, 'abcdefgh');
  socket.end(payload);
  expect((await readToEnd(socket)).length).toBe(payload.length);
});

test('the signal of a hijacked connection aborts when the client breaks off', async () => {
  let aborted = () => {};
  const hasAborted = new Promise<void>((resolve) => {
    aborted = resolve;
  });
  const { socketPath } = await startApi([
    {
      ...session,
      handle: () =>
        reply.hijack(rawStream, async ({ stream, signal }) => {
          signal.addEventListener('abort', aborted);
          stream.resume();
          stream.write('ready');
          await once(stream, 'end');
          stream.end();
        }),
    },
  ]);
  const socket = await connect(socketPath);
  socket.write(`${plainLines.join('\r\n')}\r\n\r\n`);
  await readUntil(socket, 'ready');
  socket.destroy();
  await hasAborted;
});

const refusing = (message: string): Authorizer => ({
  names: ['guard'],
  admit: async () => {
    throw forbidden(message);
  },
});

test('an upgraded connection is authorized like any other request', async () => {
  const { socketPath } = await startApi([session], {
    authorize: refusing('authorization denied by plugin guard: no'),
  });
  const lines = [...upgradeLines.filter((line) => line !== 'Host: x' && !line.startsWith('Connection'))];
  const socket = await connect(socketPath);
  socket.write(`${[...lines, 'Host: x', 'Connection: Upgrade'].join('\r\n')}\r\n\r\n`);
  expect(parseAnswer(await readToEnd(socket))).toMatchObject({
    status: 403,
    body: '{"message":"authorization denied by plugin guard: no"}\n',
  });
});

describe('an Upgrade header on a route that does not hijack', () => {
  const secret: ApiRoute = {
    method: 'POST',
    path: '/secret',
    handle: async (request) => reply.json(200, { got: await request.json() }),
  };
  const send = async (socketPath: string, lines: string[], body: string) => {
    const socket = await connect(socketPath);
    socket.write(`${[...lines, 'Host: x', 'Connection: Upgrade', 'Upgrade: tcp'].join('\r\n')}\r\n\r\n${body}`);
    return parseAnswer(await readToEnd(socket));
  };
  const chunked = ['POST /secret HTTP/1.1', 'Content-Type: application/json', 'Transfer-Encoding: chunked'];

  test('is answered as if the header were not there, body included', async () => {
    const { socketPath } = await startApi([secret]);
    expect(await send(socketPath, chunked, '7\r\n{"a":1}\r\n0\r\n\r\n')).toMatchObject({
      status: 200,
      body: '{"got":{"a":1}}\n',
    });
    expect((await send(socketPath, ['GET /nowhere HTTP/1.1'], '')).status).toBe(404);
    expect(await send(socketPath, ['GET /_ping HTTP/1.1'], '')).toMatchObject({ status: 200, body: 'OK' });
    expect((await send(socketPath, ['GET /v1.99/_ping HTTP/1.1'], '')).status).toBe(400);
  });

  test('does not walk around authorization', async () => {
    const { socketPath } = await startApi([secret], {
      authorize: refusing('no'),
    });
    expect((await send(socketPath, chunked, '7\r\n{"a":1}\r\n0\r\n\r\n')).status).toBe(403);
  });

  test('refuses a malformed body', async () => {
    const { socketPath } = await startApi([secret]);
    expect((await send(socketPath, chunked, 'zz\r\n{"a":1}\r\n0\r\n\r\n')).status).toBe(400);
    const socket = await connect(socketPath);
    socket.end(`${[...chunked, 'Host: x', 'Connection: Upgrade', 'Upgrade: tcp'].join('\r\n')}\r\n\r\n9\r\n{"a"`);
    expect(parseAnswer(await readToEnd(socket)).status).toBe(400);
  });

  test('streams, with back-pressure, and notices that the client left', async () => {
    let aborted = () => {};
    const hasAborted = new Promise<void>((resolve) => {
      aborted = resolve;
    });
    const { socketPath } = await startApi([
      {
        method: 'GET',
        path: '/stream',
        handle: () =>
          reply.stream(200, 'text/plain', async (out, signal) => {
            signal.addEventListener('abort', aborted);
            for (let i = 0; i < 64; i++) if (!out.write(Buffer.alloc(65536))) await once(out, 'drain');
            out.write('all there');
            await hasAborted;
          }),
      },
    ]);
    const socket = await connect(socketPath);
    socket.write('GET /stream HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n');
    await readUntil(socket, 'all there');
    socket.destroy();
    await hasAborted;
  });
});

test('a route without the hijack flag cannot take the connection', async () => {
  const { socketPath } = await startApi([
    { method: 'GET', path: '/sly', handle: () => reply.hijack(rawStream, async () => {}) },
  ]);
  expect((await exchangeRaw(socketPath, ['GET /sly HTTP/1.1'])).status).toBe(500);
});
