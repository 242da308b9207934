import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { daemonForSuite } from '../support/daemon';
import { eventually } from '../support/eventually';

const root = resolve(__dirname, '../..');
const folder = mkdtempSync(join(tmpdir(), 'gantry-hot-'));
const tidePath = join(folder, 'tide.js');
const tideRoot = join(folder, 'tides');
mkdirSync(tideRoot);
const write = (version: string, start = '') =>
  writeFileSync(
    tidePath,
    `const { definePlugin, object, optional, integer, VolumeDriver1 } = require(${JSON.stringify(join(root, 'sdk'))});
const { referenceVolumeDriver } = require(${JSON.stringify(join(root, 'sdk/dist/conformance'))});
exports.plugin = definePlugin({
  name: 'tide', version: '${version}', engine: '^0.1.0', provides: { tide: VolumeDriver1 },
  config: object({ slowMs: optional(integer(), 0) }),
  async start({ config, onStop, log }) {
    ${start}
    const driver = referenceVolumeDriver(${JSON.stringify(tideRoot)});
    onStop(() => log.info('tide ends', { version: '${version}' }));
    return { tide: { ...driver, create: async (name, options) => {
      await new Promise((resolve) => setTimeout(resolve, config.slowMs));
      await driver.create(name, options);
    }, get: async (name) => ({ ...(await driver.get(name)), status: { version: '${version}', slowMs: config.slowMs } }) } };
  },
});
`,
  );
write('1.0.0');

const sockets: Server[] = [];
async function serveAt(
  name: string,
  kind = 'VolumeDriver',
  answer: (url: string) => string = () => '{"Volumes":[]}',
): Promise<string> {
  const path = join(folder, name);
  const server = createServer((request, response) =>
    response.end(request.url === '/Plugin.Activate' ? `{"Implements":["${kind}"]}` : answer(request.url!)),
  );
  sockets.push(server);
  await new Promise<void>((listening) => server.listen(path, listening));
  return path;
}
afterAll(() => {
  for (const server of sockets) {
    server.closeAllConnections();
    server.close();
  }
  rmSync(folder, { recursive: true, force: true });
});

/** A bridge for each network, as a driver of somebody might make it; waits before it makes an endpoint. */
const laneAt = (path: string, version: string) =>
  writeFileSync(
    path,
    `const { execFileSync } = require('node:child_process');
const { definePlugin, object, optional, integer, NetworkDriver1 } = require(${JSON.stringify(join(root, 'sdk'))});
const { laneNetwork } = require(${JSON.stringify(join(root, 'examples/network-over-socket/dist/lane-network.js'))});
exports.plugin = definePlugin({
  name: 'lane', version: '${version}', engine: '^0.1.0', provides: { lane: NetworkDriver1 },
  config: object({ slowMs: optional(integer(), 0) }),
  async start({ config, onStop, log }) {
    onStop(() => log.info('lane ends', { version: '${version}' }));
    return { lane: { ...laneNetwork, createNetwork: async (...words) => {
      await new Promise((resolve) => setTimeout(resolve, config.slowMs));
      // The calls are what is under test, not a hundred bridges.
      if (words[1].generic.real) await laneNetwork.createNetwork(...words);
    }, deleteNetwork: (id) => laneNetwork.deleteNetwork(id).catch(() => undefined) } };
  },
});
`,
  );
const lanePath = join(folder, 'lane.js');

const daemon = daemonForSuite({ config: { 'metrics-addr': '127.0.0.1:0' } });

/** Puts another set in daemon.json and waits until it was judged. */
async function reload(plugins: Record<string, unknown>, more: Record<string, unknown> = {}): Promise<string> {
  const before = daemon().log.length;
  const { plugins: _old, ...rest } = JSON.parse(readFileSync(daemon().configPath, 'utf8'));
  daemon().writeConfig({ ...rest, plugins, ...more });
  process.kill(daemon().pid, 'SIGHUP');
  return eventually(
    'the reload',
    () => {
      const said = daemon().log.slice(before);
      return /configuration (not )?reloaded/.test(said) ? said : undefined;
    },
    30_000,
  );
}
const drivers = async (kind = 'Volume') =>
  JSON.parse(await daemon().cli.ok('info', '--format', `{{json .Plugins.${kind}}}`));
const create = (name: string) => daemon().api.post('/volumes/create', { Name: name, Driver: 'tide' });
const versionOf = async (name: string) =>
  (await daemon().api.get(`/volumes/${name}`)).json<{ Status: { version: string; slowMs: number } }>().Status;

const forgetVolumes = (names: readonly string[]) =>
  Promise.all(names.map((name) => daemon().api.delete(`/volumes/${name}?force=1`)));

test('a plugin comes, is reconfigured with calls under way, is replaced by a newer one, and goes', async () => {
  expect(await drivers()).toEqual(['local']);
  await reload({ tide: { module: tidePath, config: { slowMs: 1500 } } });
  expect(await drivers()).toEqual(['local', 'tide']);
  const docker = (...words: string[]) => daemon().cli.ok(...words);
  await docker('volume', 'create', '-d', 'tide', 'held');
  const beats = 'while :; do date +%s >>/h/beats || echo lost; sleep 0.1; done';
  await docker('run', '-d', '--name', 'keeper', '-v', 'held:/h:nocopy', 'busybox', 'sh', '-c', beats);
  const look = () => docker('inspect', '-f', '{{.State.Pid}} {{.State.StartedAt}} {{json .Mounts}}', 'keeper');
  const before = await look();

  const under = Array.from({ length: 100 }, (_, i) => create(`slow-${i}`));
  await new Promise((resolve) => setTimeout(resolve, 300));
  await reload({ tide: { module: tidePath } });
  await create('quick');
  expect(await versionOf('quick')).toEqual({ version: '1.0.0', slowMs: 0 });
  expect(new Set((await Promise.all(under)).map(({ status }) => status))).toEqual(new Set([201]));
  await eventually('the old generation to end', () => /tide ends.*version=1\.0\.0/.test(daemon().log));

  write('2.0.0');
  await reload({ tide: { module: tidePath, config: { slowMs: 1 } } });
  await create('newer');
  expect(await versionOf('newer')).toEqual({ version: '2.0.0', slowMs: 1 });
  // The container and its volume did not notice.
  const written = () => readFileSync(join(tideRoot, 'held', 'beats')).length;
  const soFar = written();
  await eventually('the container to write into its volume', () => written() > soFar);
  expect([await look(), await docker('logs', 'keeper')]).toEqual([before, '']);
  await docker('rm', '-f', 'keeper');
  await docker('volume', 'rm', '-f', 'held');

  expect(await reload({})).toMatch(
    /not reloaded.*driver tide is in use by volume newer, volume quick, .* and 97 more; remove these/,
  );
  expect(await versionOf('newer')).toEqual({ version: '2.0.0', slowMs: 1 });
  await forgetVolumes([...under.map((_, i) => `slow-${i}`), 'quick', 'newer']);
  await reload({});
  expect(await drivers()).toEqual(['local']);
});

test('a network plugin is replaced under 100 calls; its containers and networks do not notice', async () => {
  laneAt(lanePath, '1.0.0');
  await reload({ lane: { module: lanePath, config: { slowMs: 2000 } } });
  const docker = (...words: string[]) => daemon().cli.ok(...words);
  const pool = ['--subnet', '10.213.94.0/24', '--gateway', '10.213.94.1'];
  await docker('network', 'create', '-d', 'lane', '-o', 'real=yes', ...pool, 'fast');
  for (const name of ['one', 'two'])
    await docker('run', '-d', '--name', name, '--network', 'fast', 'busybox', 'sleep', '1000');
  const look = () =>
    docker('inspect', '-f', '{{.State.Pid}} {{.State.StartedAt}} {{json .NetworkSettings.Networks}}', 'one', 'two');
  const before = await look();
  const pings =
    'while [ ! -e /stop ]; do if ping -c1 -W5 two >/dev/null; then echo reached; else echo lost; fi; sleep 0.1; done';
  const pinging = docker('exec', 'one', 'sh', '-c', pings);

  const under = Array.from({ length: 100 }, (_, i) =>
    daemon().api.post('/networks/create', {
      Name: `slow-${i}`,
      Driver: 'lane',
      IPAM: { Driver: 'default', Config: [{ Subnet: `10.216.${i}.0/29` }] },
    }),
  );
  await new Promise((resolve) => setTimeout(resolve, 500));
  laneAt(lanePath, '2.0.0');
  await reload({ lane: { module: lanePath } });
  expect(new Set((await Promise.all(under)).map(({ status, text }) => (status === 201 ? 'made' : text)))).toEqual(
    new Set(['made']),
  );
  await eventually('the old generation to end', () => /lane ends.*version=1\.0\.0/.test(daemon().log));
  expect(await look()).toBe(before);
  await docker('exec', 'one', 'ping', '-c1', '-W5', 'two');
  await docker('exec', 'one', 'touch', '/stop');
  // While it was replaced as well.
  const reached = (await pinging).split('\n');
  expect([new Set(reached), reached.length > 10]).toEqual([new Set(['reached']), true]);
  await Promise.all(under.map((_, i) => daemon().api.delete(`/networks/slow-${i}`)));

  const gone = await reload({});
  expect(gone).toMatch(/not reloaded.*lane.*in use.*network fast/);
  expect(await drivers('Network')).toContain('lane');
  await docker('rm', '-f', 'one', 'two');
  await docker('network', 'rm', 'fast');
  await reload({});
  expect(await drivers('Network')).not.toContain('lane');
});

test('a set with a mistake, or with a plugin that does not start, is refused whole', async () => {
  write('3.0.0');
  await reload({ tide: { module: tidePath } });
  const before = daemon().log.length;
  await reload({ tide: { module: tidePath, config: { slowMS: 1 } }, reef: { module: tidePath } });
  // Each problem has a line of its own.
  const isNamed = () => /not reloaded.*unknown key \\?"slowMS\\?"/.test(daemon().log.slice(before));
  await eventually('the misspelt key to be named', isNamed);
  const reef = await serveAt('reef.sock');
  write('4.0.0', "throw new Error('the moon is gone');");
  const broken = await reload({ reef: { socket: reef }, tide: { module: tidePath, config: { slowMs: 2 } } });
  expect(broken).toMatch(/not reloaded.*tide.*the moon is gone/);
  expect(await drivers()).toEqual(['local', 'tide']);
  await create('still');
  expect(await versionOf('still')).toEqual({ version: '3.0.0', slowMs: 0 });
  await forgetVolumes(['still']);
});

test('plugins on sockets come and go, and what cannot change is named', async () => {
  const reef = await serveAt('reef2.sock');
  await reload({ reef: { socket: reef }, far: { socket: join(folder, 'far.sock'), optional: true } });
  expect(await drivers()).toEqual(['local', 'reef']);
  const dead = await reload({ reef: { socket: join(folder, 'nobody.sock') } });
  expect(dead).toMatch(/not reloaded.*reef/);
  expect(await drivers()).toEqual(['local', 'reef']);
  const fixed = await reload({ networks: { optional: true } });
  expect(fixed).toMatch(/plugins\.networks.*needs a restart/);
  expect(await drivers()).toEqual(['local']);
});

test('one that guards the API and one that collects metrics are at work as soon as a reload brought them', async () => {
  const gate = await serveAt('gate.sock', 'authz', (url) =>
    url === '/AuthZPlugin.AuthZReq' ? '{"Allow":false,"Msg":"the gate is closed"}' : '{"Allow":true}',
  );
  const asked: string[] = [];
  const meter = await serveAt('meter.sock', 'MetricsCollector', (url) => {
    asked.push(url);
    return '{}';
  });
  const said = await reload(
    { gate: { socket: gate }, meter: { socket: meter } },
    { 'authorization-plugins': ['gate'] },
  );
  expect(said).not.toContain('not reloaded');
  const { status, text } = await daemon().api.get('/volumes');
  expect([status, text]).toEqual([403, expect.stringContaining('the gate is closed')]);
  await eventually('the collector to be told', () => asked.includes('/MetricsCollector.StartMetrics'));
  await reload({}, { 'authorization-plugins': [] });
  expect((await daemon().api.get('/volumes')).status).toBe(200);
});
