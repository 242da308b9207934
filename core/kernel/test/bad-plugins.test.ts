import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type EventBus, type Logger, NetworkDriver1, type VolumeDriver, VolumeDriver1 } from '@gantry/sdk';
import { DriverRegistry } from '../driver-registry';
import { RemotePlugins } from '../remote/remote-plugins';
import { Supervisor } from '../supervisor/supervisor';

const silent: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => silent };
const events = { publish() {} } as unknown as EventBus;

let folder: string;
let server: Server | undefined;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gantry-bad-'));
  mkdirSync(join(folder, 'run'));
});
afterEach(async () => {
  server?.closeAllConnections();
  await new Promise((resolve) => (server ? server.close(resolve) : resolve(undefined)));
  server = undefined;
  rmSync(folder, { recursive: true, force: true });
});

type Answer = (response: ServerResponse, request: IncomingMessage) => void;
const json = (body: unknown) => JSON.stringify(body);

/** A plugin named acme that greets as it should, or as it is told, and does everything else badly. */
async function acme(badly: Answer, greeting = json({ Implements: ['VolumeDriver'] })) {
  server = createServer((request, response) => {
    if (request.url === '/Plugin.Activate') response.end(greeting);
    else badly(response, request);
  });
  await new Promise<void>((listening) => server!.listen(join(folder, 'run/acme.sock'), listening));
  const breaker = { failures: 2, firstWaitMs: 20, longestWaitMs: 40 };
  const supervisor = new Supervisor({ events, log: silent, breaker });
  const remote = new RemotePlugins({
    directories: { sockets: join(folder, 'run'), specs: [] },
    execRoot: join(folder, 'exec'),
    log: silent,
    retry: { waitsMs: [], giveUpAfterMs: 0 },
    supervisor,
  });
  return { supervisor, remote, drivers: new DriverRegistry(remote, undefined, supervisor.watchCall) };
}

const rows: readonly [what: string, answer: Answer, message: RegExp][] = [
  [
    'junk',
    (response) => response.end('<html>hello</html>'),
    /VolumeDriver\.Create.*"acme".*"<html>hello.*not a JSON object/,
  ],
  ['a list', (response) => response.end('[]'), /VolumeDriver\.Create.*"acme".*not a JSON object/],
  [
    '204',
    (response) => response.writeHead(204).end(),
    /VolumeDriver\.Create: answered with status 204.*"acme".*only status 200/,
  ],
  ['201', (response) => response.writeHead(201).end('{}'), /VolumeDriver\.Create: \{\} \(status 201 of plugin "acme"/],
  ['an error in the wrong case', (response) => response.end('{"err":"no room"}'), /^no room$/],
  [
    'half a body',
    (response) => {
      response.writeHead(200, { 'Content-Length': '1000' });
      response.write('{"Mountpo');
      setTimeout(() => response.destroy(), 20);
    },
    /VolumeDriver\.Create.*"acme".*cannot be reached/,
  ],
  [
    'gigabytes',
    (response) => {
      const more = () => {
        while (!response.destroyed && response.write(Buffer.alloc(1024 * 1024, 32)));
      };
      response.on('drain', more).on('error', () => {});
      response.writeHead(200);
      more();
    },
    /VolumeDriver\.Create.*"acme".*larger than 16777216 bytes/,
  ],
  [
    'nothing: it dies in the middle of the call',
    (response) => response.socket!.destroy(),
    /VolumeDriver\.Create.*"acme".*cannot be reached/,
  ],
  [
    'something that is not HTTP',
    (response) => response.socket!.end('220 mail.example.org ESMTP\r\n'),
    /VolumeDriver\.Create.*"acme".*cannot be reached/,
  ],
];

test.each(rows)('a plugin that answers %s costs that call and is named', async (_what, answer, message) => {
  const { supervisor, remote, drivers } = await acme(answer);
  const driver = await drivers.all(VolumeDriver1).resolve('acme');
  await expect(driver.create('data', {})).rejects.toThrow(message);
  expect(supervisor.states()).toMatchObject([
    { name: 'acme', door: 'socket', calls: 1, failed: 1, inFlight: 0, lastError: expect.stringMatching(message) },
  ]);
  remote.close();
});

test('a plugin that never answers is left when its caller leaves, and then left alone', async () => {
  const { supervisor, remote, drivers } = await acme(() => {});
  const driver: VolumeDriver = await drivers.all(VolumeDriver1).resolve('acme');
  for (let count = 0; count < 2; count++)
    await expect(driver.list(AbortSignal.timeout(1050))).rejects.toMatchObject({ kind: 'cancelled' });
  await expect(driver.list()).rejects.toThrow(/plugin "acme" does not answer.*volume-driver\.list/);
  expect(supervisor.info()).toEqual({ Warnings: [expect.stringContaining('plugin "acme" does not answer')] });
  supervisor.close();
  remote.close();
});

test.each([
  [
    'lies about what it implements',
    json({ Implements: ['VolumeDriver'] }),
    /"acme" does not implement the requested.*names VolumeDriver$/,
  ],
  [
    'greets in the wrong case',
    json({ Implements: ['networkdriver'] }),
    /"acme" does not.*names networkdriver; capital/,
  ],
  ['greets with junk', 'hello', /Plugin\.Activate.*"acme".*not a JSON object/],
  ['greets with no list', json({ Implements: 'NetworkDriver' }), /"acme".*Plugin\.Activate has no list/],
])('a plugin that %s is no network driver', async (_what, greeting, message) => {
  const { remote, drivers } = await acme(() => {}, greeting);
  await expect(drivers.all(NetworkDriver1).resolve('acme')).rejects.toThrow(message);
  remote.close();
});

test('a kind that is named and not served is an error of each call, in the words of the plugin', async () => {
  const { remote, drivers } = await acme((response) => response.writeHead(404).end('404 page not found\n'));
  const driver = await drivers.all(VolumeDriver1).resolve('acme');
  await expect(driver.create('data', {})).rejects.toThrow('VolumeDriver.Create: 404 page not found');
  remote.close();
});

test("a plugin that claims another's driver name does not get it", async () => {
  const { remote, drivers } = await acme(() => {});
  const own = {} as VolumeDriver;
  drivers.add(VolumeDriver1, 'acme', 'volume-local', own);
  remote.configure([{ name: 'acme', address: join(folder, 'run/acme.sock'), optional: false }]);
  await expect(remote.register('acme', drivers)).rejects.toThrow(/"acme" is provided by the plugin "volume-local"/);
  remote.close();
});
