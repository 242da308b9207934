import { type ApiRoute, conflict, EngineError, forbidden, notModified, reply, systemError } from '@gantry/sdk';
import type { Authorizer } from '../pipeline/authorizer';
import {
  closeFixtures,
  connect,
  exchangeRaw,
  get,
  parseAnswer,
  post,
  readToEnd,
  readUntil,
  startApi,
} from './api-fixture';

afterEach(closeFixtures);

const route = (method: ApiRoute['method'], path: string, handle: ApiRoute['handle']): ApiRoute => ({
  method,
  path,
  handle,
});

test('ping answers GET with OK and HEAD without body, with the headers clients negotiate by', async () => {
  const { socketPath } = await startApi([]);
  const ping = await get(socketPath, '/_ping');
  expect(ping).toMatchObject({ status: 200, body: 'OK' });
  expect(ping.headers).toMatchObject({
    'api-version': '1.51',
    'docker-experimental': 'false',
    ostype: 'linux',
    server: 'Gantry/0.1.0 (linux)',
    'builder-version': '2',
    swarm: 'inactive',
    'cache-control': 'no-cache, no-store, must-revalidate',
    pragma: 'no-cache',
    'content-type': 'text/plain; charset=utf-8',
  });
  const head = await get(socketPath, '/v1.40/_ping', 'HEAD');
  expect(head).toMatchObject({ status: 200, body: '' });
  expect(head.headers['content-length']).toBe('0');
});

test('the version of the path decides, and paths without one speak the newest', async () => {
  const { socketPath } = await startApi([route('GET', '/which', ({ apiVersion }) => reply.json(200, apiVersion))]);
  expect((await get(socketPath, '/which')).body).toBe('"1.51"\n');
  expect((await get(socketPath, '/v1.24/which')).body).toBe('"1.24"\n');
  // Clients that old know no JSON errors.
  expect(await get(socketPath, '/v1.12/which')).toMatchObject({
    status: 400,
    headers: { 'content-type': 'text/plain; charset=utf-8', 'x-content-type-options': 'nosniff' },
    body: 'client version 1.12 is too old. Minimum supported API version is 1.24, please upgrade your client to a newer version\n',
  });
  expect(await get(socketPath, '/v1.99/which')).toMatchObject({
    status: 400,
    body: '{"message":"client version 1.99 is too new. Maximum supported API version is 1.51"}\n',
  });
  expect((await get(socketPath, '/vx/which')).status).toBe(404);
});

test('unknown paths and wrong methods are not found', async () => {
  const { socketPath } = await startApi([]);
  for (const [path, method] of [
    ['/nowhere', 'GET'],
    ['/v1.51/nowhere', 'GET'],
    ['/version', 'POST'],
    ['/version/', 'GET'],
  ] as const) {
    expect(await get(socketPath, path, method)).toMatchObject({ status: 404, body: '{"message":"page not found"}\n' });
  }
});

test('a route is hidden from clients older than it', async () => {
  const { socketPath } = await startApi([
    { method: 'GET', path: '/young', since: '1.44', handle: () => reply.json(200, {}) },
  ]);
  expect((await get(socketPath, '/v1.43/young')).status).toBe(404);
  expect((await get(socketPath, '/v1.44/young')).status).toBe(200);
});

test('answers and requests of older clients pass the shims of the route', async () => {
  const shimmed: ApiRoute = {
    method: 'POST',
    path: '/shimmed',
    shims: [
      { before: '1.40', why: 'first', request: (body) => `${body}<1.40`, response: (body) => `${body}>1.40` },
      { before: '1.44', why: 'second', request: (body) => `${body}<1.44`, response: (body) => `${body}>1.44` },
    ],
    handle: async (request) => reply.json(200, await request.json()),
  };
  const { socketPath } = await startApi([shimmed]);
  expect((await post(socketPath, '/v1.39/shimmed', '"x"')).body).toBe('"x<1.40<1.44>1.44>1.40"\n');
  expect((await post(socketPath, '/v1.43/shimmed', '"x"')).body).toBe('"x<1.44>1.44"\n');
  expect((await post(socketPath, '/v1.44/shimmed', '"x"')).body).toBe('"x"\n');
});

test('unclean paths are redirected, encoded slashes are slashes, and bad encoding is refused', async () => {
  const { socketPath } = await startApi([
    route('GET', '/images/{name...}/json', ({ params, path }) => reply.json(200, [params.name, path])),
  ]);
  expect(await get(socketPath, '/images/..//images/a/json?x=1')).toMatchObject({ status: 301 });
  expect((await get(socketPath, '/images/..//images/a/json?x=1')).headers.location).toBe('/images/a/json?x=1');
  expect((await get(socketPath, '/%2e%2e/images/a/json')).headers.location).toBe('/images/a/json');
  expect((await get(socketPath, '//evil.example/')).headers.location).toBe('/evil.example/');
  expect((await get(socketPath, '/images/reg.io%2fa/.b/json')).body).toBe(
    '["reg.io/a/.b","/images/reg.io/a/.b/json"]\n',
  );
  expect((await get(socketPath, '/images/%zz/json')).status).toBe(400);
});

test('errors carry the status of their kind and the message as JSON', async () => {
  const { socketPath, log } = await startApi([
    route('GET', '/conflict', () => {
      throw conflict('name "web" is in use');
    }),
    route('GET', '/unchanged', async () => {
      throw notModified();
    }),
    route('GET', '/late', async () => {
      throw new EngineError('deadline', 'too late');
    }),
    route('GET', '/broken', async () => {
      throw systemError('disk is gone');
    }),
    route('GET', '/bug', async () => {
      throw new TypeError('x is not a function');
    }),
  ]);
  expect(await get(socketPath, '/conflict')).toMatchObject({
    status: 409,
    body: '{"message":"name \\"web\\" is in use"}\n',
  });
  expect(await get(socketPath, '/unchanged')).toMatchObject({ status: 304, body: '' });
  expect((await get(socketPath, '/late')).status).toBe(504);
  expect(await get(socketPath, '/broken')).toMatchObject({ status: 500, body: '{"message":"disk is gone"}\n' });
  expect((await get(socketPath, '/bug')).status).toBe(500);
  const logged = log.lines.filter((line) => line.level === 'error').map((line) => line.fields);
  expect(logged).toContainEqual(expect.objectContaining({ error: 'disk is gone', stack: undefined }));
  expect(logged).toContainEqual(expect.objectContaining({ stack: expect.stringContaining('pipeline.test') }));
});

test('bad JSON bodies are refused in dockerd’s words', async () => {
  const { socketPath } = await startApi([
    route('POST', '/echo', async (request) => reply.json(200, { body: await request.json() })),
  ]);
  expect((await post(socketPath, '/echo', '{"a":null}')).body).toBe('{"body":{"a":null}}\n');
  expect((await post(socketPath, '/echo', '{}', 'application/json; charset=utf-8')).status).toBe(200);
  expect((await exchangeRaw(socketPath, ['POST /echo HTTP/1.1'])).body).toBe('{}\n');
  const message = async (body: string, type?: string) => JSON.parse((await post(socketPath, '/echo', body, type)).body);
  expect(await message('{"a":1} {}')).toEqual({ message: 'unexpected content after JSON' });
  expect((await message('{"a"')).message).toMatch(/^invalid JSON: /);
  expect(await message(' ')).toEqual({ message: 'invalid JSON: got EOF while reading request body' });
  expect(await message('a=1', 'text/plain')).toEqual({
    message: "unsupported Content-Type header (text/plain): must be 'application/json'",
  });
});

test.each([
  ['a length', (text: string) => `Content-Length: ${text.length}\r\n\r\n${text}`],
  ['chunks', (text: string) => `Transfer-Encoding: chunked\r\n\r\n${text.length.toString(16)}\r\n${text}\r\n0\r\n\r\n`],
])('a JSON body that is too large, with %s, is refused and the connection goes on', async (_framing, framed) => {
  const { socketPath } = await startApi([
    route('POST', '/echo', async (request) => reply.json(200, { body: await request.json() })),
  ]);
  const socket = await connect(socketPath);
  const head = 'POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n';
  socket.write(head + framed(`"${'x'.repeat(4 * 1024 * 1024)}"`));
  const answer = parseAnswer(await readUntil(socket, 'bytes"}\n'));
  expect(answer).toMatchObject({ status: 400, body: '{"message":"request body is larger than 4194304 bytes"}\n' });
  socket.write('GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n');
  expect(await readUntil(socket, 'OK')).toContain('200 OK');
});

test('requests for routes of plugins wait for the start, ping does not', async () => {
  const { socketPath, server, routes } = await startApi([], { isStarting: true });
  const waiting = get(socketPath, '/later');
  expect((await get(socketPath, '/_ping')).status).toBe(200);
  routes.push(route('GET', '/later', () => reply.json(200, 'here')));
  server.started();
  expect((await waiting).body).toBe('"here"\n');
});

test('routes that come and go are seen after routesChanged', async () => {
  const { socketPath, server, routes } = await startApi([]);
  expect((await get(socketPath, '/new')).status).toBe(404);
  routes.push(route('GET', '/new', () => reply.empty(204)));
  server.routesChanged();
  expect((await get(socketPath, '/new')).status).toBe(204);
});

test('both phases of authorization see every route and can refuse it', async () => {
  const asked: string[] = [];
  const authorize: Authorizer = {
    names: ['guard'],
    async admit({ request }) {
      asked.push(`${request.method} ${request.url}`);
      if (request.url?.includes('/before')) throw forbidden('authorization denied by plugin guard: no');
      return {
        body: undefined,
        async answer({ status }) {
          if (request.url === '/after') throw forbidden(`withheld ${status}`);
        },
        failed: async () => void asked.push(`failed ${request.url}`),
      };
    },
  };
  let ran = 0;
  const handle = () => {
    ran++;
    return reply.json(200, 'secret');
  };
  const { socketPath } = await startApi([route('GET', '/before', handle), route('GET', '/after', handle)], {
    authorize,
  });
  expect(await get(socketPath, '/v1.40/before?a=b')).toMatchObject({
    status: 403,
    body: '{"message":"authorization denied by plugin guard: no"}\n',
  });
  expect(ran).toBe(0);
  expect(await get(socketPath, '/after')).toMatchObject({ status: 403, body: '{"message":"withheld 200"}\n' });
  for (const path of ['/nowhere', '/v9.9/after', '/a//b', '/%zz']) await get(socketPath, path);
  expect(asked.filter((line) => !line.startsWith('failed'))).toEqual([
    'GET /v1.40/before?a=b',
    'GET /after',
    'GET /nowhere',
    'GET /v9.9/after',
    'GET /a//b',
    'GET /%zz',
  ]);
});

test('a stream’s headers arrive before its first byte', async () => {
  let release = () => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  const { socketPath } = await startApi([
    route('POST', '/wait', () =>
      reply.stream(200, 'application/json', async (out) => {
        await released;
        out.write('{"StatusCode":3}');
      }),
    ),
  ]);
  const socket = await connect(socketPath);
  socket.write('POST /wait HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
  const head = await readUntil(socket, '\r\n\r\n');
  expect(parseAnswer(head).headers['transfer-encoding']).toBe('chunked');
  release();
  expect(await readToEnd(socket)).toContain('{"StatusCode":3}');
});

test('a stream that fails is cut off instead of ended, so that half an answer does not look whole', async () => {
  const { socketPath } = await startApi([
    route('GET', '/export', () =>
      reply.stream(200, 'application/x-tar', async (out) => {
        out.write('half');
        throw systemError('disk is gone');
      }),
    ),
  ]);
  const socket = await connect(socketPath);
  socket.write('GET /export HTTP/1.1\r\nHost: x\r\n\r\n');
  expect(await readToEnd(socket)).not.toContain('0\r\n\r\n');
});

test.each(['json', 'stream'])('the signal of a %s handler aborts when the client leaves', async (kind) => {
  let running = () => {};
  const isRunning = new Promise<void>((resolve) => {
    running = resolve;
  });
  let aborted = () => {};
  const hasAborted = new Promise<void>((resolve) => {
    aborted = resolve;
  });
  const work = async (signal: AbortSignal) => {
    signal.addEventListener('abort', aborted);
    running();
    await hasAborted;
  };
  const { socketPath } = await startApi([
    route('GET', '/work', async (request) => {
      if (kind === 'stream') return reply.stream(200, 'text/plain', (_out, signal) => work(signal));
      await work(request.signal);
      return reply.json(200, {});
    }),
  ]);
  const socket = await connect(socketPath);
  socket.write('GET /work HTTP/1.1\r\nHost: x\r\n\r\n');
  await isRunning;
  socket.destroy();
  await hasAborted;
});

test.each(['HTTP/1.0', 'HTTP/1.1\r\nHost: x'])(
  'a client that ends its side early still gets its answer, and the end: %j',
  async (head) => {
    const { socketPath } = await startApi([
      route('GET', '/slow', async () => {
        await new Promise((resolve) => setTimeout(resolve, 20));
        return reply.json(200, 'done');
      }),
    ]);
    const socket = await connect(socketPath);
    socket.end(`GET /slow ${head}\r\n\r\n`);
    expect(parseAnswer(await readToEnd(socket))).toMatchObject({ status: 200, body: '"done"\n' });
  },
);

test('a write to a client that left does not end the daemon', async () => {
  let left = () => {};
  const hasLeft = new Promise<void>((resolve) => {
    left = resolve;
  });
  let wrote = () => {};
  const hasWritten = new Promise<void>((resolve) => {
    wrote = resolve;
  });
  const { socketPath } = await startApi([
    route('GET', '/chatty', () =>
      reply.stream(200, 'text/plain', async (out, signal) => {
        signal.addEventListener('abort', left);
        await hasLeft;
        for (let i = 0; i < 3; i++) out.write('still here\n');
        await new Promise(setImmediate);
        wrote();
      }),
    ),
  ]);
  const socket = await connect(socketPath);
  socket.write('GET /chatty HTTP/1.1\r\nHost: x\r\n\r\n');
  await readUntil(socket, '\r\n\r\n');
  socket.destroy();
  await hasWritten;
  expect((await get(socketPath, '/_ping')).body).toBe('OK');
});

test('open streams are told to end when the daemon stops', async () => {
  const { socketPath, server } = await startApi([
    route('GET', '/follow', () =>
      reply.stream(200, 'text/plain', async (out, signal) => {
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
        out.write('bye');
      }),
    ),
  ]);
  const socket = await connect(socketPath);
  socket.write('GET /follow HTTP/1.1\r\nHost: x\r\n\r\n');
  await readUntil(socket, '\r\n\r\n');
  const closed = server.close(60_000);
  expect(await readToEnd(socket)).toBe('3\r\nbye\r\n0\r\n\r\n');
  await closed;
});

test('close waits for requests in flight and cuts them after the drain time', async () => {
  let running = () => {};
  const isRunning = new Promise<void>((resolve) => {
    running = resolve;
  });
  const { socketPath, server } = await startApi([
    route('GET', '/slow', async () => {
      running();
      await new Promise((resolve) => setTimeout(resolve, 50));
      return reply.json(200, 'done');
    }),
    route('GET', '/endless', () => reply.stream(200, 'text/plain', () => new Promise(() => {}))),
  ]);
  const idle = await connect(socketPath);
  idle.write('GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n');
  await readUntil(idle, 'OK');
  const slow = get(socketPath, '/slow');
  const endless = await connect(socketPath);
  endless.write('GET /endless HTTP/1.1\r\nHost: x\r\n\r\n');
  await Promise.all([isRunning, readUntil(endless, '\r\n\r\n')]);
  await server.close(200);
  expect((await slow).body).toBe('"done"\n');
});

test('who ended its side while a stream was read is told that, not that something was aborted', async () => {
  const reading = route('POST', '/read', async ({ signal }) => {
    await new Promise((_, reject) => {
      const stop = () => reject(new DOMException('This operation was aborted', 'AbortError'));
      if (signal.aborted) stop();
      signal.addEventListener('abort', stop);
    });
    return reply.empty(204);
  });
  const { socketPath } = await startApi([reading]);
  const socket = await connect(socketPath);
  socket.end('POST /read HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n');
  expect(await readToEnd(socket)).toContain('the client went away');
});
