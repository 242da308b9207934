import { execFileSync } from 'node:child_process';
import { createServer } from 'node:net';
import { daemonForSuite } from '../support/daemon';
import { eventually } from '../support/eventually';
import { fetchFromHost, PeerHost } from '../support/peer-host';

const daemon = daemonForSuite({ config: { ipv6: true }, tidy: (each) => each.removeEverything() });
const docker = (...args: string[]) => daemon().cli.ok(...args);
const nft = (...args: string[]) => execFileSync('nft', args, { encoding: 'utf8', stdio: 'pipe' });
const server = ['busybox', 'sh', '-c', 'mkdir /w && hostname >/w/index.html && exec httpd -f -h /w'];
const hostPort = async (name: string, port = '80') =>
  Number((await docker('port', name, port)).split('\n')[0]!.split(':').at(-1));

let peer: PeerHost;
let table: string;
beforeAll(async () => {
  peer = new PeerHost();
  table = `gantry-${(await docker('info', '-f', '{{.ID}}')).slice(0, 8)}`;
});
afterAll(() => peer.remove());

test('a published port is reached from another host, this host, loopback and a sibling, by IPv4 and IPv6', async () => {
  await docker('network', 'create', 'other');
  await docker('run', '-d', '--name', 'web', '--hostname', 'web', '-p', '80', ...server);
  const port = await hostPort('web');
  await eventually('the server', async () => (await fetchFromHost(`http://127.0.0.1:${port}/`)) === 'web');
  for (const host of ['127.0.0.1', '[::1]', peer.hostAddress, `[${peer.hostAddressV6}]`])
    expect([host, await fetchFromHost(`http://${host}:${port}/`)]).toEqual([host, 'web']);
  for (const host of [peer.hostAddress, `[${peer.hostAddressV6}]`])
    expect([host, await peer.fetch(`http://${host}:${port}/`)]).toEqual([host, 'web']);
  const ask = `timeout 3 wget -qO- http://${peer.hostAddress}:${port}/`;
  expect(await docker('run', '--rm', '--network', 'other', 'busybox', 'sh', '-c', ask)).toBe('web');
  expect(await docker('exec', 'web', 'sh', '-c', ask)).toBe('web');
  await docker('rm', '-f', 'web');
  await docker('network', 'rm', 'other');
});

test('the container sees the address of the host that asks', async () => {
  const script = 'mkdir /w; echo ok >/w/index.html; exec httpd -vv -f -h /w';
  await docker('run', '-d', '--name', 'seer', '-p', '80', 'busybox', 'sh', '-c', script);
  const port = await hostPort('seer');
  await eventually('the server', async () => (await peer.fetch(`http://${peer.hostAddress}:${port}/`)) === 'ok');
  await eventually('the address in the log', async () => {
    const { stderr } = await daemon().cli.run(['logs', 'seer']);
    return stderr.includes(peer.address);
  });
  await docker('rm', '-f', 'seer');
});

test('what is not published cannot be reached by routing to the container', async () => {
  await docker('run', '-d', '--name', 'hidden', '-p', '81:80', '--expose', '80', ...server);
  const ip = await docker('inspect', '-f', '{{.NetworkSettings.IPAddress}}', 'hidden');
  peer.routeThroughHost(`${ip}/32`);
  await eventually('the server', async () => (await fetchFromHost(`http://${ip}/`)) !== undefined);
  expect(await peer.fetch(`http://${ip}/`, 1)).toBeUndefined();
  await docker('rm', '-f', 'hidden');
});

test('the chain of the operator decides first, and outlives changes, restarts and crashes', async () => {
  await docker('run', '-d', '--name', 'guarded', '--hostname', 'guarded', '-p', '80', ...server);
  const port = await hostPort('guarded');
  const url = `http://${peer.hostAddress}:${port}/`;
  await eventually('the server', async () => (await peer.fetch(url)) === 'guarded');
  nft('add', 'rule', 'inet', table, 'DOCKER-USER', 'ip', 'saddr', peer.address, 'drop');
  expect(await peer.fetch(url, 1)).toBeUndefined();
  await docker('network', 'create', 'passing');
  await docker('network', 'rm', 'passing');
  await daemon().kill();
  await daemon().start();
  await eventually('the published port', () => nft('list', 'map', 'inet', table, 'any4').includes(`. ${port} :`));
  expect(await peer.fetch(url, 1)).toBeUndefined();
  await docker('rm', '-f', 'guarded');
  await daemon().stop();
  expect(nft('list', 'table', 'inet', table)).toContain(`ip saddr ${peer.address} drop`);
  await daemon().start();
  nft('flush', 'chain', 'inet', table, 'DOCKER-USER');
});

test('rules and elements that somebody else takes away are back within two seconds', async () => {
  await docker('run', '-d', '--name', 'lasting', '--hostname', 'lasting', '-p', '80', ...server);
  const port = await hostPort('lasting');
  const holds = () => nft('list', 'map', 'inet', table, 'any4').includes(`. ${port} :`);
  expect(holds()).toBe(true);
  const drills: string[][] = [
    ['flush', 'map', 'inet', table, 'any4'],
    ['flush', 'chain', 'inet', table, 'forward'],
    // The whole ruleset would take the rules of other daemons on a shared machine along.
    process.env.GANTRY_SHARED_MACHINE ? ['delete', 'table', 'inet', table] : ['flush', 'ruleset'],
  ];
  for (const drill of drills) {
    nft(...drill);
    const whole = () => holds() && nft('list', 'chain', 'inet', table, 'forward').includes('vmap @to-bridge');
    await eventually(`healing after ${drill.join(' ')}`, whole, 2000);
  }
  expect(await peer.fetch(`http://${peer.hostAddress}:${port}/`)).toBe('lasting');
  await docker('rm', '-f', 'lasting');
});

test('tables of others are not touched', async () => {
  const foreign = `foreign${process.pid}`;
  nft('add', 'table', 'inet', foreign);
  nft('add', 'chain', 'inet', foreign, 'c');
  nft('add', 'rule', 'inet', foreign, 'c', 'tcp', 'dport', '4242', 'counter');
  const before = nft('list', 'table', 'inet', foreign);
  await docker('network', 'create', 'busy');
  await docker('run', '--rm', '--network', 'busy', '-p', '80', 'busybox', 'true');
  await docker('network', 'rm', 'busy');
  expect(nft('list', 'table', 'inet', foreign)).toBe(before);
  nft('delete', 'table', 'inet', foreign);
});

test('a port that another process or container holds is refused in dockerd’s words', async () => {
  const blocker = createServer();
  await new Promise<void>((done) => blocker.listen(0, '0.0.0.0', done));
  const { port } = blocker.address() as { port: number };
  const taken = await daemon().cli.run(['run', '--rm', '-p', `${port}:80`, 'busybox', 'true']);
  expect(taken.code).toBe(125);
  expect(taken.stderr).toContain(`failed to bind host port 0.0.0.0:${port}/tcp: address already in use`);
  blocker.close();
  await docker('run', '-d', '--name', 'first', '-p', '80', 'busybox', 'sleep', '60');
  const held = await hostPort('first');
  const again = await daemon().cli.run(['run', '--rm', '-p', `${held}:80`, 'busybox', 'true']);
  expect(again.stderr).toContain(`Bind for 0.0.0.0:${held} failed: port is already allocated`);
  await docker('rm', '-f', 'first');
});

test('sctp ports, ranges and host addresses are published as they are asked for', async () => {
  const ports = ['-p', '132/sctp', '-p', '127.0.0.1:31000-31009:80', '-p', '31010-31011:90-91'];
  await docker('run', '-d', '--name', 'many', ...ports, 'busybox', 'sleep', '60');
  const shown = await docker('port', 'many');
  expect(shown).toMatch(/^132\/sctp -> 0\.0\.0\.0:\d+$/m);
  expect(shown).toMatch(/^80\/tcp -> 127\.0\.0\.1:3100\d$/m);
  expect(shown).toMatch(/^91\/tcp -> 0\.0\.0\.0:31011$/m);
  expect(nft('list', 'map', 'inet', table, 'any4')).toMatch(/(sctp|132) \. \d+ : [\d.]+ \. 132/);
  await docker('rm', '-f', 'many');
});

test('containers of a network without inter-container communication reach the world but not each other', async () => {
  await docker('network', 'create', '-o', 'com.docker.network.bridge.enable_icc=false', 'apart');
  await docker('run', '-d', '--name', 'shy', '--hostname', 'shy', '--network', 'apart', '-p', '80', ...server);
  const ip = await docker('inspect', '-f', '{{.NetworkSettings.Networks.apart.IPAddress}}', 'shy');
  const url = `http://${peer.hostAddress}:${await hostPort('shy')}/`;
  await eventually('the server', async () => (await fetchFromHost(`http://${ip}/`)) === 'shy');
  const script = `timeout 2 wget -qO- http://${ip}/ || echo blocked; timeout 2 wget -qO- ${url}`;
  expect(await docker('run', '--rm', '--network', 'apart', 'busybox', 'sh', '-c', script)).toBe('blocked\nshy');
  await docker('rm', '-f', 'shy');
  await docker('network', 'rm', 'apart');
});

test('a routed network is reached by its own addresses at published ports only', async () => {
  const mode = ['-o', 'com.docker.network.bridge.gateway_mode_ipv4=routed'];
  await docker('network', 'create', ...mode, 'routed');
  await docker('run', '-d', '--name', 'open', '--hostname', 'open', '--network', 'routed', '-p', '80', ...server);
  const ip = await docker('inspect', '-f', '{{.NetworkSettings.Networks.routed.IPAddress}}', 'open');
  peer.routeThroughHost(`${ip}/32`);
  await eventually('the server', async () => (await peer.fetch(`http://${ip}/`)) === 'open');
  await docker('rm', '-f', 'open');
  await docker('network', 'rm', 'routed');
});

test('an internal network reaches nothing outside, and nothing outside reaches it', async () => {
  await docker('network', 'create', '--internal', 'inner');
  await docker('run', '-d', '--name', 'inside', '--hostname', 'inside', '--network', 'inner', ...server);
  const ip = await docker('inspect', '-f', '{{.NetworkSettings.Networks.inner.IPAddress}}', 'inside');
  const fetch = (where: string, url: string) =>
    docker('run', '--rm', '--network', where, 'busybox', 'sh', '-c', `timeout 2 wget -qO- ${url} || echo no`);
  await eventually('the server', async () => (await fetch('inner', 'http://inside/')) === 'inside');
  expect(await fetch('bridge', `http://${ip}/`)).toBe('no');
  expect(await fetch('inner', `http://${peer.address}/`)).toBe('no');
  await docker('rm', '-f', 'inside');
  await docker('network', 'rm', 'inner');
});
