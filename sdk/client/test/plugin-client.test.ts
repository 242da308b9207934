import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { createServer as createTcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { referenceVolumeDriver } from '../../conformance';
import { serve } from '../../serve';
import { FakeClock } from '../../testing';
import {
  connectIpamDriver,
  connectNetworkDriver,
  connectPlugin,
  connectVolumeDriver,
  noRetry,
  type PluginCall,
} from '..';

let folder: string;
let socketPath: string;
let server: Server | undefined;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gantry-client-'));
  socketPath = join(folder, 'plugin.sock');
});
afterEach(async () => {
  server?.closeAllConnections?.();
  await new Promise((done) => (server ? server.close(done) : done(undefined)));
  server = undefined;
  await rm(folder, { recursive: true });
});

interface Seen {
  readonly path: string;
  readonly headers: NodeJS.Dict<string | string[]>;
  readonly body: string;
}

/** A plugin that answers every call the same way and remembers what it was asked. */
async function plugin(answer: { status?: number; text: string } | 'break' | 'hang'): Promise<Seen[]> {
  const seen: Seen[] = [];
  server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    seen.push({ path: request.url ?? '', headers: request.headers, body });
    if (answer === 'break') request.socket.destroy();
    else if (answer !== 'hang') response.writeHead(answer.status ?? 200).end(answer.text);
  });
  await new Promise<void>((done) => server!.listen(socketPath, done));
  return seen;
}

const client = (more: object = {}) =>
  connectPlugin({ name: 'acme', address: `unix://${socketPath}`, retry: noRetry, ...more });
const call: PluginCall = {
  method: 'VolumeDriver.Create',
  body: { Name: 'x', Opts: {} },
  timeoutMs: 5000,
  repeatable: false,
};

test('a call is a POST with a JSON body and no content type', async () => {
  const seen = await plugin({ text: '{}' });
  await client().call(call);
  expect(seen).toMatchObject([
    {
      path: '/VolumeDriver.Create',
      body: '{"Name":"x","Opts":{}}\n',
      headers: { accept: 'application/vnd.docker.plugins.v1.2+json' },
    },
  ]);
  expect(seen[0]!.headers).not.toHaveProperty('content-type');
});

test('the handshake sends an empty body and tells the kinds', async () => {
  const seen = await plugin({ text: '{"implements": ["VolumeDriver", "authz"]}' });
  expect(await client().activate()).toEqual({ implements: ['VolumeDriver', 'authz'] });
  expect(seen).toMatchObject([{ path: '/Plugin.Activate', body: '', headers: { 'content-length': '0' } }]);
});

test.each([
  [{ text: '{"Err": "no room"}' }, 'no room'],
  [{ text: '{"err": "no room"}' }, 'no room'],
  [{ text: '{"Err": "boom"}', status: 500 }, 'VolumeDriver.Create: boom'],
  [{ text: 'plain text', status: 500 }, 'VolumeDriver.Create: plain text'],
  [
    { text: '', status: 204 },
    'VolumeDriver.Create: answered with status 204 and an empty body (status 204 of plugin "',
  ],
  [{ text: '{}', status: 201 }, 'VolumeDriver.Create: {} (status 201 of plugin "'],
  [{ text: '{}', status: 201 }, 'only status 200 with a JSON object is success'],
  [{ text: 'junk' }, 'answered "junk", which is not a JSON object; "gantry-plugin test" shows'],
  [
    { text: `<html>\n${'x'.repeat(500)}` },
    `answered "<html>\\n${'x'.repeat(53)}" … (507 bytes), which is not a JSON object`,
  ],
  [{ text: '' }, 'answered an empty body, which is not a JSON object'],
])('the answer %j is the error "%s"', async (answer, message) => {
  await plugin(answer);
  await expect(client().call(call)).rejects.toMatchObject({
    kind: 'system',
    message: expect.stringContaining(message),
  });
});

test('an answer that is too large is refused', async () => {
  await plugin({ text: JSON.stringify({ padding: 'x'.repeat(10_000) }) });
  await expect(client({ maxAnswerBytes: 1000 }).call(call)).rejects.toThrow('answer is larger than 1000 bytes');
});

test('a plugin that never answers is given up at the deadline, naming plugin and method', async () => {
  await plugin('hang');
  await expect(client().call({ ...call, timeoutMs: 50 })).rejects.toMatchObject({
    kind: 'deadline',
    message: expect.stringMatching(/^VolumeDriver.Create: plugin "acme" at unix:/),
  });
});

test('a missing socket is tried again after 1, 2, 4 and 8 seconds, then given up', async () => {
  const clock = new FakeClock();
  const waits: number[] = [];
  const failure = client({ retry: undefined, clock })
    .call({ ...call, timeoutMs: 60_000 })
    .catch((error) => error);
  for (let done = false; !done; ) {
    done = await Promise.race([failure.then(() => true), new Promise<false>((next) => setTimeout(next, 20, false))]);
    const wait = clock.nextWakeMs;
    if (wait === undefined) continue;
    waits.push(wait);
    await clock.advance(wait);
  }
  expect(waits).toEqual([1000, 2000, 4000, 8000]);
  expect(await failure).toMatchObject({ kind: 'unavailable', message: expect.stringContaining('cannot be reached') });
});

test('a call that a broken connection may have delivered is repeated only when that does no harm', async () => {
  const seen = await plugin('break');
  const retry = { waitsMs: [1], giveUpAfterMs: 1000 };
  await expect(client({ retry }).call(call)).rejects.toMatchObject({ kind: 'unavailable' });
  expect(seen).toHaveLength(1);
  await expect(client({ retry }).call({ ...call, repeatable: true })).rejects.toMatchObject({ kind: 'unavailable' });
  expect(seen.map(({ body }) => body)).toEqual([1, 2, 3].map(() => '{"Name":"x","Opts":{}}\n'));
});

test('an HTTP answer is never tried again', async () => {
  const seen = await plugin({ text: '{"Err": "boom"}', status: 500 });
  await expect(client({ retry: undefined }).call({ ...call, repeatable: true })).rejects.toThrow('boom');
  expect(seen).toHaveLength(1);
});

test('a volume driver that answers Get with any error has no such volume', async () => {
  await plugin({ text: '{"Err": "what volume?"}' });
  await expect(connectVolumeDriver(client()).get('x')).rejects.toMatchObject({
    kind: 'not-found',
    message: 'what volume?',
  });
});

test('a volume driver that answers Get without a volume has no such volume', async () => {
  await plugin({ text: '{"Volume": null, "Err": ""}' });
  await expect(connectVolumeDriver(client()).get('x')).rejects.toMatchObject({ kind: 'not-found' });
});

test('a scope is asked again until the plugin tells it', async () => {
  const seen = await plugin({ text: '{"Capabilities": {"Scope": "GLOBAL"}}' });
  const dead = connectVolumeDriver(connectPlugin({ name: 'dead', address: join(folder, 'none.sock'), retry: noRetry }));
  expect(await dead.capabilities()).toEqual({ scope: 'local' });
  const driver = connectVolumeDriver(client());
  expect([await driver.capabilities(), await driver.capabilities()]).toEqual([
    { scope: 'global' },
    { scope: 'global' },
  ]);
  expect(seen).toHaveLength(1);
});

test('network and address drivers say once what they can do; one that could not is asked again', async () => {
  const answer = { status: 500, text: 'not yet' };
  const seen = await plugin(answer);
  const [network, ipam] = [connectNetworkDriver(client()), connectIpamDriver(client())];
  await expect(network.capabilities()).rejects.toThrow('not yet');
  expect(await ipam.capabilities()).toEqual({ requiresMacAddress: false, requiresRequestReplay: false });
  Object.assign(answer, { status: 200, text: '{"Scope": "local", "RequiresMACAddress": true}' });
  for (let i = 0; i < 3; i++) {
    expect(await network.capabilities()).toMatchObject({ scope: 'local', gwAllocChecker: false });
    expect(await ipam.capabilities()).toEqual({ requiresMacAddress: true, requiresRequestReplay: false });
  }
  expect(seen).toHaveLength(4);
});

test('errors keep their kind between our server and our client', async () => {
  const served = await serve({ drivers: { volume: referenceVolumeDriver() }, address: 'tcp://127.0.0.1:0' });
  const remote = connectPlugin({ name: 'reference', address: served.address });
  const driver = connectVolumeDriver(remote);
  await expect(driver.create('x', { colour: 'red' })).rejects.toMatchObject({
    kind: 'invalid-parameter',
    message: 'invalid option: "colour"',
  });
  remote.close();
  await served.close();
});

test.each(['plugin.sock', 'unix://plugin.sock', 'npipe:////x', 'tcp://'])('the address %s is refused', (address) => {
  expect(() => connectPlugin({ name: 'x', address })).toThrow(`plugin address "${address}"`);
});

test('a plugin that serves one connection after the other is not kept waiting by an idle one', async () => {
  const http = createServer((request, response) => void request.resume().on('end', () => response.end('{}')));
  let turn = Promise.resolve();
  server = createTcpServer({ pauseOnConnect: true }, (socket) => {
    turn = turn.then(async () => {
      const closed = new Promise<void>((done) => socket.once('close', () => done()));
      http.emit('connection', socket);
      socket.resume();
      await closed;
    });
  }) as Server;
  await new Promise<void>((done) => server!.listen(socketPath, done));
  const patient = client();
  for (const repeatable of [true, false, true, false])
    await patient.call({ ...call, method: 'VolumeDriver.Get', repeatable });
  patient.close();
  await turn;
});

test('a plugin whose queue of connections is full for a moment is asked again', async () => {
  await plugin({ text: '{}' });
  const real = client();
  // More than the 511 that find room; how fast a busy machine gets through them is not the question.
  const crowd = Array.from({ length: 560 }, () => real.call({ ...call, timeoutMs: 45_000 }));
  expect(await Promise.all(crowd)).toHaveLength(560);
  real.close();
}, 60_000);
