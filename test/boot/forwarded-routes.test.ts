import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Duplex } from 'node:stream';
import { followRecipe } from '../support/certificates';
import { daemonForSuite } from '../support/daemon';
import { eventually } from '../support/eventually';
import { runGantryd } from '../support/gantryd-command';

const root = resolve(__dirname, '../..');
const folder = mkdtempSync(join(tmpdir(), 'gantry-routes-'));
const rawSocket = join(folder, 'raw.sock');
const guardSocket = join(folder, 'guard.sock');
const asked: { url?: string; headers: Record<string, unknown>; body: string }[] = [];
const shown: { RequestUri: string; ResponseStatusCode?: number }[] = [];
const servers: Server[] = [];

// As somebody might write it in any language: with nothing but HTTP.
const answer = (base: string) => async (request: IncomingMessage, response: ServerResponse) => {
  let body = '';
  for await (const chunk of request) body += chunk;
  if (request.url === '/Plugin.Activate') return response.end('{"Implements":["api-routes/v1"]}');
  if (request.url === '/ApiRoutes.List')
    return response.end(
      JSON.stringify({
        Routes: [
          { Method: 'POST', Path: `/${base}/{id}` },
          { Method: 'POST', Path: `/${base}/{id}/talk`, Hijack: true },
          { Method: 'GET', Path: '/containers/json' },
        ],
      }),
    );
  asked.push({ url: request.url, headers: request.headers, body });
  response.writeHead(202, { 'Content-Type': 'text/plain', 'X-Raw': 'yes' });
  return response.end(`${base} says ${body}`);
};
const echo = (request: IncomingMessage, socket: Duplex) => {
  socket.write(`HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n${request.url}:`);
  socket.pipe(socket);
};
const raw = createServer(answer('raw'));
raw.on('upgrade', echo);
/** Far away: over TLS, with a certificate asked of those who come. */
const far = createTlsServer({ requestCert: true, rejectUnauthorized: true }, answer('far'));
far.on('upgrade', echo);
const guard = createServer(async (request, response) => {
  let body = '';
  for await (const chunk of request) body += chunk;
  if (request.url === '/Plugin.Activate') return response.end('{"Implements":["authz"]}');
  const question = JSON.parse(body) as (typeof shown)[number];
  shown.push(question);
  return response.end(JSON.stringify({ Allow: !question.RequestUri.includes('secret'), Msg: 'it is a secret' }));
});

writeFileSync(
  join(folder, 'desk.js'),
  `const { definePlugin, ApiRoutes1, reply, conflict } = require(${JSON.stringify(join(root, 'sdk'))});
exports.plugin = definePlugin({
  name: 'desk', version: '1.0.0', engine: '^0.1.0', provides: { routes: ApiRoutes1 },
  start: () => ({ routes: { routes: [
    { method: 'GET', path: '/desk/{drawer}', handle: ({ params, query, apiVersion }) =>
      reply.json(200, { drawer: params.drawer, key: query.get('key'), apiVersion, pid: process.pid }) },
    { method: 'POST', path: '/desk', handle: async (request) => { throw conflict('no room for ' + (await request.json()).Name); } },
    { method: 'POST', path: '/desk/echo', flags: { hijack: true }, handle: () =>
      reply.hijack('application/vnd.docker.raw-stream', async ({ stream }) => {
        for await (const chunk of stream) stream.write(String(chunk).toUpperCase());
      }) },
  ] } }),
});
`,
);

beforeAll(async () => {
  for (const [server, path] of [
    [raw, rawSocket],
    [guard, guardSocket],
  ] as const) {
    servers.push(server);
    await new Promise<void>((listening) => server.listen(path, listening));
  }
  const certificates = join(folder, 'certificates');
  const at = (name: string) => join(certificates, name);
  followRecipe(certificates);
  far.setSecureContext({
    ca: readFileSync(at('ca.pem')),
    cert: readFileSync(at('server-cert.pem')),
    key: readFileSync(at('server-key.pem')),
  });
  servers.push(far);
  await new Promise<void>((listening) => far.listen(0, '127.0.0.1', listening));
  const Addr = `https://localhost:${(far.address() as AddressInfo).port}`;
  const TLSConfig = { CAFile: at('ca.pem'), CertFile: at('cert.pem'), KeyFile: at('key.pem') };
  writeFileSync(join(folder, 'far.json'), JSON.stringify({ Addr, TLSConfig }));
});

const daemon = daemonForSuite({
  busybox: false,
  config: {
    'authorization-plugins': ['guard'],
    plugins: {
      raw: { socket: rawSocket, optional: true },
      far: { socket: join(folder, 'far.json'), optional: true },
      guard: { socket: guardSocket },
      desk: { module: join(folder, 'desk.js'), isolation: 'process' },
    },
  },
});

// After the daemon has ended: it asks the guard to the last.
afterAll(() => {
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
  rmSync(folder, { recursive: true, force: true });
});

/** Upgrades a connection, sends a line, ends its own side and reads to the end. */
async function talk(path: string, line: string): Promise<string> {
  const socket = createConnection(daemon().socketPath);
  socket.write(`POST ${path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 0\r\n\r\n`);
  let said = '';
  socket.on('data', (chunk) => {
    said += chunk;
  });
  await eventually('the upgrade', () => said.includes('101 UPGRADED') || Promise.reject(new Error(said)));
  socket.end(line);
  await once(socket, 'close');
  return said;
}

test('requests go to the socket of the plugin that has declared the route, and answers come back', async () => {
  const post = (path: string, headers = {}) => daemon().api.post(path, { Name: 'x' }, { headers });
  const answer = await eventually('the route', async () => {
    const got = await post('/v1.44/raw/7%20b?deep=1', { 'X-Gantry-Api-Version': '9.99', 'X-Mine': 'kept' });
    return got.status === 404 ? undefined : got;
  });
  expect([answer.status, answer.text, answer.headers['x-raw']]).toEqual([202, 'raw says {"Name":"x"}', 'yes']);
  expect(asked.at(-1)).toMatchObject({
    url: '/raw/7%20b?deep=1',
    body: '{"Name":"x"}',
    headers: {
      'x-gantry-api-version': '1.44',
      'x-gantry-route': 'POST /raw/{id}',
      'x-gantry-params': encodeURIComponent('{"id":"7 b"}'),
      'x-mine': 'kept',
    },
  });
  expect(shown.filter(({ RequestUri }) => RequestUri.includes('/raw/7')).at(-1)).toMatchObject({
    ResponseStatusCode: 202,
  });
});

test('authorization is asked first, and nobody takes the place of another route', async () => {
  const before = asked.length;
  const refused = await daemon().api.post('/raw/secret', {});
  expect([refused.status, refused.text]).toEqual([403, expect.stringContaining('it is a secret')]);
  expect((await daemon().api.get('/containers/json')).json()).toEqual([]);
  expect(asked).toHaveLength(before);
});

test('connections are handed over, half-closed ones too', async () => {
  expect(await talk('/v1.51/raw/1/talk', 'hello\n')).toMatch(/101 UPGRADED[\s\S]*\r\n\r\n\/raw\/1\/talk:hello\n$/);
  expect(await talk('/desk/echo', 'hello\n')).toMatch(/101 UPGRADED[\s\S]*\r\n\r\nHELLO\n$/);
});

test('a plugin in a process of its own serves routes as one in the daemon does', async () => {
  const got = (await daemon().api.get('/v1.45/desk/left?key=silver')).json<{ pid: number }>();
  expect(got).toMatchObject({ drawer: 'left', key: 'silver', apiVersion: '1.45' });
  expect(got.pid).not.toBe(daemon().pid);
  const full = await daemon().api.post('/desk', { Name: 'files' });
  expect([full.status, full.text]).toEqual([409, '{"message":"no room for files"}\n']);
});

test('routes over TLS are served as others are, to the daemon’s own certificate only (P-DISC-5)', async () => {
  const got = await eventually('the route', async () => {
    const said = await daemon().api.post('/far/1', { Name: 'x' });
    return said.status === 404 ? undefined : said;
  });
  expect([got.status, got.text]).toEqual([202, 'far says {"Name":"x"}']);
  expect(await talk('/far/1/talk', 'hello\n')).toMatch(/101 UPGRADED[\s\S]*\r\n\r\n\/far\/1\/talk:hello\n$/);
  expect((await daemon().api.post('/far/secret', {})).status).toBe(403);
});

/** What the daemon counted about a plugin. */
async function countsOf(name: string) {
  const { out } = await runGantryd(
    'plugins',
    '--json',
    '--config-file',
    daemon().configPath,
    '--exec-root',
    daemon().execRoot,
  );
  const states = JSON.parse(out) as {
    name: string;
    state: string;
    methods: { method: string; calls: number; failed: number }[];
  }[];
  const found = states.find((each) => each.name === name)!;
  return { ...found, methods: Object.fromEntries(found.methods.map((each) => [each.method, each])) };
}

test('a plugin that has gone is named, counted, and soon not tried any more', async () => {
  raw.closeAllConnections();
  await new Promise((closed) => raw.close(closed));
  const ask = () => daemon().api.post('/raw/9', {});
  const gone = await ask();
  expect([gone.status, gone.text]).toEqual([503, expect.stringMatching(/plugin \\"raw\\" at .* does not answer/)]);
  await eventually('the plugin to be left alone', async () =>
    (await ask()).text.includes('api-routes.request was not tried'),
  );
  const counted = await eventually('the counts', async () => {
    const now = await countsOf('raw');
    return now.state === 'not answering' && now.methods['api-routes.request']!.failed >= 5 ? now : undefined;
  });
  expect(counted.methods['api-routes.upgrade']).toMatchObject({ calls: 1, failed: 0 });
  expect((await countsOf('desk')).methods['api-routes.request']).toMatchObject({ calls: 2, failed: 1 });
});
