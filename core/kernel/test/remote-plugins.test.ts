import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Logger, VolumeDriver1 } from '@gantry/sdk';
import { DriverRegistry } from '../driver-registry';
import { findPluginFile } from '../remote/find-plugin-file';
import { RemotePlugins } from '../remote/remote-plugins';

const silent: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => silent };
const retry = { waitsMs: [], giveUpAfterMs: 0 };

let folder: string;
let sockets: string;
let specs: string;
const servers: http.Server[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gantry-remote-'));
  sockets = join(folder, 'run');
  specs = join(folder, 'etc');
  for (const path of [sockets, specs]) mkdirSync(path);
});
afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
  rmSync(folder, { recursive: true, force: true });
});

/** A plugin as anybody might write one; counts its handshakes. */
async function serve(path: string, kinds: readonly string[]): Promise<{ handshakes: number }> {
  const seen = { handshakes: 0 };
  const server = http.createServer((request, response) => {
    if (request.url === '/Plugin.Activate') {
      seen.handshakes++;
      response.end(JSON.stringify({ Implements: kinds }));
    } else response.end(JSON.stringify({ Volumes: [{ Name: 'data', Mountpoint: '/mnt/data' }] }));
  });
  mkdirSync(join(path, '..'), { recursive: true });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  servers.push(server);
  return seen;
}

function remote(): { plugins: RemotePlugins; drivers: DriverRegistry } {
  const plugins = new RemotePlugins({
    directories: { sockets, specs: [specs] },
    execRoot: join(folder, 'exec'),
    log: silent,
    retry,
  });
  return { plugins, drivers: new DriverRegistry(plugins) };
}

test('a driver on a socket is found by name at its first use, and greeted once', async () => {
  const seen = await serve(join(sockets, 'nfs.sock'), ['VolumeDriver']);
  const { plugins, drivers } = remote();
  const volumes = drivers.all(VolumeDriver1);
  expect(seen.handshakes).toBe(0);
  expect(volumes.names()).toEqual([]);
  const [driver] = await Promise.all([volumes.resolve('nfs'), volumes.resolve('nfs')]);
  expect(await driver.list()).toEqual([expect.objectContaining({ name: 'data', mountpoint: '/mnt/data' })]);
  expect(await volumes.resolve('nfs')).toBe(driver);
  expect(seen.handshakes).toBe(1);
  expect(volumes.names()).toEqual(['nfs']);
  plugins.close();
});

test('a plugin in a folder of its own name is found, as are .spec and .json files', async () => {
  await serve(join(sockets, 'deep/deep.sock'), ['VolumeDriver']);
  writeFileSync(join(specs, 'far.spec'), ' tcp://127.0.0.1:1 \n');
  writeFileSync(
    join(specs, 'tls.json'),
    JSON.stringify({ Name: 'other', Addr: 'https://h:1', TLSConfig: { InsecureSkipVerify: true } }),
  );
  const directories = { sockets, specs: [specs] };
  expect((await findPluginFile('deep', directories))?.address).toBe(`unix://${join(sockets, 'deep/deep.sock')}`);
  expect((await findPluginFile('far', directories))?.address).toBe('tcp://127.0.0.1:1');
  expect(await findPluginFile('tls', directories)).toMatchObject({ name: 'tls', tls: { insecureSkipVerify: true } });
  expect(await findPluginFile('../run/deep/deep', directories)).toBeUndefined();
});

test('https that nobody verifies is refused unless it is written out', async () => {
  writeFileSync(join(specs, 'a.spec'), 'https://h:1');
  writeFileSync(join(specs, 'b.json'), JSON.stringify({ Addr: 'https://h:1', TLSConfig: {} }));
  for (const name of ['a', 'b'])
    await expect(findPluginFile(name, { sockets, specs: [specs] })).rejects.toThrow(/would not be verified/);
});

test('a name that nobody has is not found', async () => {
  const { drivers } = remote();
  await expect(drivers.all(VolumeDriver1).resolve('none')).rejects.toMatchObject({ kind: 'not-found' });
});

test('a plugin of another kind does not implement the driver', async () => {
  await serve(join(sockets, 'net.sock'), ['NetworkDriver']);
  const { plugins, drivers } = remote();
  await expect(drivers.all(VolumeDriver1).resolve('net')).rejects.toMatchObject({
    kind: 'not-found',
    message: expect.stringContaining('does not implement the requested driver'),
  });
  plugins.close();
});

test('a failed activation is forgotten: the next use looks anew', async () => {
  writeFileSync(join(specs, 'late.spec'), `unix://${join(folder, 'late.sock')}`);
  const { plugins, drivers } = remote();
  await expect(drivers.all(VolumeDriver1).resolve('late')).rejects.toMatchObject({ kind: 'unavailable' });
  await serve(join(folder, 'late.sock'), ['VolumeDriver']);
  await drivers.all(VolumeDriver1).resolve('late');
  plugins.close();
});

test('a plugin that daemon.json names is known by that name, and never hides a bundled driver', async () => {
  await serve(join(folder, 'mine.sock'), ['VolumeDriver']);
  const { plugins, drivers } = remote();
  plugins.configure([
    { name: 'mine', address: join(folder, 'mine.sock'), optional: false },
    { name: 'local', address: join(folder, 'mine.sock'), optional: false },
  ]);
  drivers.add(VolumeDriver1, 'local', 'volume-local', {});
  await plugins.register('mine', drivers);
  expect(drivers.all(VolumeDriver1).names()).toEqual(['local', 'mine']);
  await expect(plugins.register('local', drivers)).rejects.toMatchObject({ kind: 'conflict' });
  plugins.close();
});

test('waiting for a plugin ends with the signal', async () => {
  const server = http.createServer(() => {});
  await new Promise<void>((resolve) => server.listen(join(sockets, 'mute.sock'), resolve));
  servers.push(server);
  const { plugins, drivers } = remote();
  const gone = AbortSignal.timeout(50);
  await expect(drivers.all(VolumeDriver1).resolve('mute', gone)).rejects.toMatchObject({ kind: 'cancelled' });
  plugins.close();
});

test('every socket and file of the directories is looked at, and who does not answer delays that once', async () => {
  await serve(join(sockets, 'flat.sock'), ['VolumeDriver']);
  await serve(join(sockets, 'deep/deep.sock'), ['NetworkDriver', 'VolumeDriver']);
  await serve(join(sockets, 'other/name.sock'), ['VolumeDriver']);
  await serve(join(sockets, 'net.sock'), ['NetworkDriver']);
  await serve(join(folder, 'far.sock'), ['VolumeDriver']);
  mkdirSync(join(specs, 'far'));
  writeFileSync(join(specs, 'far/far.spec'), `unix://${join(folder, 'far.sock')}`);
  writeFileSync(join(specs, 'broken.json'), '{');
  const mute = http.createServer(() => {});
  await new Promise<void>((resolve) => mute.listen(join(sockets, 'mute.sock'), resolve));
  servers.push(mute);
  const { plugins, drivers } = remote();
  const volumes = drivers.all(VolumeDriver1);
  await volumes.discover();
  expect(volumes.names()).toEqual(['deep', 'far', 'flat']);
  const again = performance.now();
  await volumes.discover();
  expect(performance.now() - again).toBeLessThan(500);
  plugins.close();
});

test('an optional plugin that comes later is known without anybody asking for it, also after it was mute', async () => {
  const { plugins, drivers } = remote();
  const mute = http.createServer((_request, response) => answers && response.end('{"Implements":["VolumeDriver"]}'));
  let answers = false;
  await new Promise<void>((resolve) => mute.listen(join(folder, 'mute.sock'), resolve));
  servers.push(mute);
  for (const name of ['late', 'mute'])
    plugins.expect({ name, address: join(folder, `${name}.sock`), optional: true }, drivers);
  const needed = drivers.all(VolumeDriver1).resolve('late');
  await new Promise((resolve) => setTimeout(resolve, 600));
  expect(drivers.all(VolumeDriver1).names()).toEqual([]);
  await serve(join(folder, 'late.sock'), ['VolumeDriver']);
  answers = true;
  await needed;
  await waitUntil(() => drivers.all(VolumeDriver1).names().length === 2, 5000);
  plugins.close();
});

async function waitUntil(check: () => boolean, ms: number): Promise<void> {
  const until = performance.now() + ms;
  while (!check()) {
    if (performance.now() > until) throw new Error(`not so after ${ms} ms`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
