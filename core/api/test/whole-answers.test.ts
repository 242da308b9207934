import http from 'node:http';
import { type ApiRoute, reply } from '@gantry/sdk';
import { closeFixtures, connect, get, parseAnswer, readToEnd, readUntil, startApi } from './api-fixture';

// A thousand requests take a while on a busy machine.
jest.setTimeout(30_000);

afterEach(closeFixtures);

const request = (path: string, more = '') => `GET ${path} HTTP/1.1\r\nHost: x\r\n${more}\r\n`;

/** What comes back for requests that are sent at once, of which the last one closes the connection. */
async function pipelined(socketPath: string, paths: readonly string[]): Promise<string> {
  const socket = await connect(socketPath);
  socket.write(paths.map((path, i) => request(path, i === paths.length - 1 ? 'Connection: close\r\n' : '')).join(''));
  return readToEnd(socket);
}

const answers = (path: string, answer: () => ReturnType<ApiRoute['handle']>): ApiRoute => ({
  method: 'GET',
  path,
  handle: answer,
});

test('requests that arrive in one piece on one connection are answered in order', async () => {
  const routes = Array.from({ length: 20 }, (_, i) => answers(`/n${i}`, () => reply.json(200, `answer ${i}`)));
  const { socketPath } = await startApi(routes);
  const text = await pipelined(
    socketPath,
    routes.map(({ path }) => path),
  );
  expect([...text.matchAll(/"answer (\d+)"/g)].map((match) => Number(match[1]))).toEqual(routes.map((_, i) => i));
});

test('a connection serves a thousand requests, whatever the size and kind of their answers', async () => {
  const bodies = [
    '',
    'ascii',
    'zwölf Boxkämpfer 🥊',
    'x'.repeat(300_000),
    Buffer.alloc(100, 1),
    Buffer.alloc(90_000, 2),
  ];
  const { socketPath } = await startApi(
    bodies.map((body, i) => answers(`/b${i}`, () => reply.raw(200, 'application/octet-stream', body))),
  );
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  const sockets = new Set<unknown>();
  for (let i = 0; i < 1000; i++) {
    const expected = Buffer.from(bodies[i % bodies.length]!);
    const got = await new Promise<Buffer>((resolve, reject) => {
      http
        .get({ socketPath, path: `/b${i % bodies.length}`, agent }, (response) => {
          sockets.add(response.socket);
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('end', () => resolve(Buffer.concat(chunks)));
        })
        .on('error', reject);
    });
    expect(got.equals(expected)).toBe(true);
  }
  expect(sockets.size).toBe(1);
  agent.destroy();
});

test('the next request on a connection is served after answers of every framing', async () => {
  const { socketPath } = await startApi([
    answers('/whole', () => reply.json(200, 'whole')),
    answers('/nothing', () => reply.empty(204)),
    answers('/same', () => reply.empty(304)),
    answers('/streamed', () => reply.stream(200, 'text/plain', async (out) => void out.write('streamed'))),
  ]);
  const paths = ['/nothing', '/same', '/streamed', '/whole', '/nothing', '/whole'];
  const text = await pipelined(socketPath, paths);
  expect(text.match(/^HTTP\/1\.1 \d+/gm)).toEqual([204, 304, 200, 200, 204, 200].map((status) => `HTTP/1.1 ${status}`));
  expect(text.match(/HTTP\/1\.1 204 No Content\r\n(?:.+\r\n)*\r\n/)?.[0]).not.toMatch(/Content-Length/i);
  expect(text.endsWith('"whole"\n')).toBe(true);
});

test('headers of a plugin that would end the head early are an error of that request only', async () => {
  const { socketPath } = await startApi([
    answers('/split', () => reply.raw(200, 'text/plain', 'body', { 'X-Made': 'a\r\nSet-Cookie: b' })),
    answers('/name', () => reply.raw(200, 'text/plain', 'body', { 'X Made': 'a' })),
    answers('/type', () => reply.raw(200, 'text/plain\r\nX-Other: 1', 'body')),
  ]);
  for (const path of ['/split', '/name', '/type']) {
    const { status, headers } = parseAnswer(await pipelined(socketPath, [path, '/_ping']));
    expect([status, headers['set-cookie'], headers['x-other']]).toEqual([500, undefined, undefined]);
  }
  expect((await get(socketPath, '/_ping')).status).toBe(200);
});

test('headers of an answer win over those every answer has, and change from answer to answer', async () => {
  const headers: Record<string, string> = { Server: 'Mine', 'X-Count': '0' };
  const { socketPath } = await startApi([
    answers('/own', () => {
      // The same object every time.
      headers['X-Count'] = String(Number(headers['X-Count']) + 1);
      return reply.raw(200, 'text/plain', '', headers);
    }),
  ]);
  for (const count of ['1', '2']) {
    const { head, headers } = parseAnswer(await pipelined(socketPath, ['/own', '/_ping']));
    expect(headers).toMatchObject({ server: 'Mine', 'x-count': count });
    expect(head.match(/^server:/gim)).toHaveLength(1);
  }
});

test('a stop right after a request does not cut its answer off', async () => {
  const { server, socketPath } = await startApi([
    answers('/last', () => {
      void server.close(1000);
      return reply.json(200, 'the last word');
    }),
  ]);
  const socket = await connect(socketPath);
  socket.write(request('/last'));
  expect(await readUntil(socket, '"the last word"\n')).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
});
