import { execFileSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, jest, test } from '@jest/globals';
import {
  containerId,
  dial,
  enterPrivateNetwork,
  eventually,
  inside,
  linkNames,
  never,
  newRoot,
  nftTable,
  publish,
  removeRoot,
  serve,
  startEngine,
  stopServers,
  type TestEngine,
} from './test-engine';

jest.setTimeout(30_000);

let leave: () => void;
let engine: TestEngine;
const roots: string[] = [];

beforeAll(() => {
  leave = enterPrivateNetwork();
});
beforeEach(async () => {
  const root = newRoot();
  roots.push(root);
  engine = await startEngine(root);
});
afterEach(async () => {
  stopServers();
  for (const network of engine.manager.list()) {
    const { Containers } = await engine.api('GET', `/networks/${network.id}`);
    for (const id of Object.keys(Containers)) await engine.manager.closeSandbox(id);
    if (!['bridge', 'host', 'none'].includes(network.name)) await engine.api('DELETE', `/networks/${network.id}`);
  }
  await eventually(() => !linkNames().some((name) => name.startsWith('veth')));
  await engine.die();
  expect(engine.complaints).toEqual([]);
});
afterAll(() => {
  for (const root of roots) removeRoot(root);
  leave();
});

const open = (name: string, more = {}) => engine.manager.openSandbox(engine.request(name, more), never);

test('two containers on the default bridge reach each other and have what dockerd gives them', async () => {
  const [a, b] = [await open('a'), await open('b')];
  expect(a.endpoints[0]).toMatchObject({
    networkName: 'bridge',
    ipAddress: '172.17.0.2',
    ipPrefixLen: 16,
    gateway: '172.17.0.1',
  });
  expect(b.endpoints[0]!.ipAddress).toBe('172.17.0.3');
  expect(a.endpoints[0]!.macAddress).toMatch(/^02:42:/);
  await serve(b.key!, 7000, 'from b');
  expect(await dial(a.key, '172.17.0.3', 7000)).toContain('from b');
  expect(await inside(a.key!, 'ip', ['-o', 'addr', 'show', 'eth0'])).toContain('172.17.0.2/16');
  expect(await inside(a.key!, 'ip', ['route'])).toContain('default via 172.17.0.1 dev eth0');
  expect(readFileSync(a.hostsPath, 'utf8')).toContain('172.17.0.2\thost-a\n');
  expect(readFileSync(a.hostnamePath, 'utf8')).toBe('host-a\n');
});

test('a published port is reached from loopback over both families, from the host and from a sibling', async () => {
  const web = await open('web', { portBindings: [publish(80, 18080)] });
  expect(web.ports).toEqual([
    { proto: 'tcp', port: 80, hostIp: '0.0.0.0', hostPort: 18080 },
    { proto: 'tcp', port: 80, hostIp: '::', hostPort: 18080 },
  ]);
  const other = await open('other');
  await serve(web.key!, 80, 'web');
  expect(await dial(undefined, '127.0.0.1', 18080)).toContain('web');
  expect(await dial(undefined, '172.17.0.1', 18080)).toContain('web');
  expect(await dial(undefined, '::1', 18080)).toContain('web');
  expect(await dial(other.key, '172.17.0.1', 18080)).toContain('web');
  expect(await dial(web.key, '172.17.0.1', 18080)).toContain('web');
  await engine.manager.closeSandbox(containerId('web'));
  await expect(dial(undefined, '127.0.0.1', 18080)).rejects.toThrow('ECONNREFUSED');
});

test('a published udp port answers from the address that was asked', async () => {
  const dns = await open('dns', { portBindings: [publish(53, 18053, { proto: 'udp' })] });
  await serve(dns.key!, 53, 'udp', 'udp');
  expect(await dial(undefined, '127.0.0.1', 18053, 'udp')).toContain('udp');
  expect(await dial(undefined, '172.17.0.1', 18053, 'udp')).toContain('udp');
  expect(await dial(undefined, '::1', 18053, 'udp')).toContain('udp');
});

test('a udp client that goes on sending reaches the next holder of the port', async () => {
  const client = createSocket('udp4');
  const heard: string[] = [];
  client.on('message', (message) => void heard.push(String(message)));
  const ask = async (words: string) => {
    client.send('x', 18054, '172.17.0.1');
    await eventually(() => {
      client.send('x', 18054, '172.17.0.1');
      return heard.some((line) => line.startsWith(words));
    }, 3000);
  };
  const portBindings = [publish(5000, 18054, { proto: 'udp' })];
  await serve((await open('one', { portBindings })).key!, 5000, 'one', 'udp');
  await open('between');
  await ask('one');
  await engine.manager.closeSandbox(containerId('one'));
  await serve((await open('two', { portBindings })).key!, 5000, 'two', 'udp');
  await ask('two');
  client.close();
});

test('a taken port is refused as dockerd words it and nothing half-made stays', async () => {
  await open('first', { portBindings: [publish(80, 18081)] });
  const before = linkNames();
  await expect(open('second', { portBindings: [publish(80, 18090), publish(81, 18081)] })).rejects.toThrow(
    /driver failed programming external connectivity on endpoint second \([0-9a-f]{64}\): Bind for 0\.0\.0\.0:18081 failed: port is already allocated/,
  );
  expect(linkNames()).toEqual(before);
  expect(nftTable()).not.toContain('18090');
  expect(readdirSync(join(engine.root, 'run/netns'))).toHaveLength(1);
  expect((await open('third')).endpoints[0]!.ipAddress).toBe('172.17.0.3');

  const stranger = createServer().listen(18082, '0.0.0.0');
  await new Promise((resolve) => stranger.once('listening', resolve));
  await expect(open('fourth', { portBindings: [publish(80, 18082)] })).rejects.toThrow(
    'failed to bind host port 0.0.0.0:18082/tcp: address already in use',
  );
  stranger.close();
});

test('a host port of zero takes a free one, and a range its first free one', async () => {
  const a = await open('a', { portBindings: [publish(80, 0), publish(90, 19000, { hostPortEnd: 19001 })] });
  const b = await open('b', { portBindings: [publish(80, 0), publish(90, 19000, { hostPortEnd: 19001 })] });
  const ports = [...a.ports, ...b.ports].filter(({ hostIp }) => hostIp === '0.0.0.0').map((port) => port.hostPort);
  expect(new Set(ports).size).toBe(4);
  expect(ports).toEqual(expect.arrayContaining([19000, 19001]));
  await expect(open('c', { portBindings: [publish(90, 19000, { hostPortEnd: 19001 })] })).rejects.toThrow('19001');
});

test('fifty sandboxes opened and closed at once leave nothing behind', async () => {
  const names = Array.from({ length: 50 }, (_, i) => `many${i}`);
  const states = await Promise.all(names.map((name) => open(name, { portBindings: [publish(80, 0)] })));
  const addresses = states.map((state) => state.endpoints[0]!.ipAddress);
  expect(new Set(addresses).size).toBe(50);
  expect(nftTable().match(/172\.17\.0\.\d+ \. 80/g)).toHaveLength(50);
  await Promise.all(names.map((name) => engine.manager.closeSandbox(containerId(name))));
  await eventually(() => !linkNames().some((name) => name.startsWith('veth')));
  expect(readdirSync(join(engine.root, 'run/netns'))).toEqual([]);
  expect(readdirSync(join(engine.root, 'run/sandboxes'))).toEqual([]);
  expect(nftTable()).not.toContain(' . 80');
  await eventually(async () => {
    const state = await open('next');
    await engine.manager.closeSandbox(containerId('next'));
    return state.endpoints[0]!.ipAddress === '172.17.0.2';
  });
});

/** TCP segments that were sent once more in a namespace, by default the test's own. */
async function sentAgain(key?: string): Promise<number> {
  const path = '/proc/net/snmp';
  const text = key === undefined ? execFileSync('cat', [path]).toString() : await inside(key, 'cat', [path]);
  const [names, values] = text.split('\n').filter((line) => line.startsWith('Tcp:'));
  return Number(values!.split(' ')[names!.split(' ').indexOf('RetransSegs')]);
}

test('an address that changes hands is reached at once', async () => {
  const client = await open('client');
  for (let round = 0; round < 4; round++) {
    const name = `holder${round}`;
    const holder = await open(name, { portBindings: [publish(80, 18087)] });
    expect(holder.endpoints[0]!.ipAddress).toBe('172.17.0.3');
    await serve(holder.key!, 80, name);
    const before = [await sentAgain(), await sentAgain(client.key)];
    expect(await dial(undefined, '127.0.0.1', 18087)).toContain(name);
    expect(await dial(client.key, '172.17.0.3', 80)).toContain(name);
    // What went to the one that had the address before would have been sent again, a second later.
    expect([await sentAgain(), await sentAgain(client.key)]).toEqual(before);
    stopServers();
    await engine.manager.closeSandbox(containerId(name));
    // A removal waits until nothing of closed sandboxes is left, their addresses included.
    await engine.api('POST', '/networks/create', { body: { Name: 'passing' } });
    await engine.api('DELETE', '/networks/passing');
  }
});

test('closing twice, or what never was, is no error', async () => {
  await open('once');
  await engine.manager.closeSandbox(containerId('once'));
  await engine.manager.closeSandbox(containerId('once'));
  await engine.manager.closeSandbox(containerId('nobody'));
  expect(engine.manager.sandbox(containerId('once'))).toBeUndefined();
});

test('unpublished ports and other networks are out of reach, published ones are not', async () => {
  await engine.api('POST', '/networks/create', { body: { Name: 'apart' } });
  const web = await open('web', { portBindings: [publish(80, 18083)] });
  const stranger = await open('stranger', { endpoints: [{ network: 'apart' }] });
  await serve(web.key!, 80, 'published');
  await serve(web.key!, 81, 'private');
  await expect(dial(stranger.key, web.endpoints[0]!.ipAddress, 81)).rejects.toThrow();
  await expect(dial(stranger.key, web.endpoints[0]!.ipAddress, 80)).rejects.toThrow();
  expect(await dial(stranger.key, stranger.endpoints[0]!.gateway, 18083)).toContain('published');
});

test('a routed network opens published ports at the containers own addresses and binds none', async () => {
  const routed = { 'com.docker.network.bridge.gateway_mode_ipv4': 'routed' };
  await engine.api('POST', '/networks/create', { body: { Name: 'routed', Options: routed } });
  const web = await open('web', { endpoints: [{ network: 'routed' }], portBindings: [publish(80, 18088)] });
  const client = await open('client');
  await serve(web.key!, 80, 'open');
  await serve(web.key!, 81, 'shut');
  expect(web.ports).toEqual([]);
  expect(await dial(client.key, web.endpoints[0]!.ipAddress, 80)).toContain('open');
  await expect(dial(client.key, web.endpoints[0]!.ipAddress, 81)).rejects.toThrow();
  await expect(dial(undefined, '127.0.0.1', 18088)).rejects.toThrow('ECONNREFUSED');
});

test('icc=false keeps siblings apart and internal networks have no way out', async () => {
  const off = { 'com.docker.network.bridge.enable_icc': 'false' };
  await engine.api('POST', '/networks/create', { body: { Name: 'shy', Options: off } });
  await engine.api('POST', '/networks/create', { body: { Name: 'inner', Internal: true } });
  const a = await open('a', { endpoints: [{ network: 'shy' }] });
  const b = await open('b', { endpoints: [{ network: 'shy' }], portBindings: [publish(80, 18084)] });
  await serve(b.key!, 80, 'b');
  await expect(dial(a.key, b.endpoints[0]!.ipAddress, 80)).rejects.toThrow();
  expect(await dial(a.key, a.endpoints[0]!.gateway, 18084)).toContain('b');
  const c = await open('c', { endpoints: [{ network: 'inner' }] });
  const d = await open('d', { endpoints: [{ network: 'inner' }] });
  await serve(d.key!, 80, 'd');
  expect(await dial(c.key, d.endpoints[0]!.ipAddress, 80)).toContain('d');
  expect(await inside(c.key!, 'ip', ['route'])).not.toContain('default');
  const { IPAM } = await engine.api('GET', '/networks/inner');
  await expect(dial(c.key, IPAM.Config[0].Gateway, 18084)).rejects.toThrow();
});

test('a container on several networks routes through the one with the highest priority', async () => {
  for (const Name of ['alpha', 'beta']) await engine.api('POST', '/networks/create', { body: { Name } });
  const a = await open('a', { endpoints: [{ network: 'beta' }, { network: 'alpha' }] });
  const gateway = (name: string) => a.endpoints.find((one) => one.networkName === name)!.gateway;
  expect(await inside(a.key!, 'ip', ['route'])).toContain(`default via ${gateway('alpha')}`);
  const b = await open('b', { endpoints: [{ network: 'beta', gwPriority: 1 }, { network: 'alpha' }] });
  expect(await inside(b.key!, 'ip', ['route'])).toContain(`default via ${gateway('beta')} dev eth0`);
});

test('connect and disconnect change a running container, its route and its published ports', async () => {
  await engine.api('POST', '/networks/create', { body: { Name: 'aaa' } });
  const web = await open('web', { portBindings: [publish(80, 18085)] });
  await serve(web.key!, 80, 'web');
  const more = await engine.manager.connect(containerId('web'), { network: 'aaa', aliases: ['api'] });
  expect(more.endpoints.map((one) => one.networkName)).toEqual(['bridge', 'aaa']);
  expect(await inside(web.key!, 'ip', ['route'])).toContain(`default via ${more.endpoints[1]!.gateway} dev eth1`);
  expect(await dial(undefined, '127.0.0.1', 18085)).toContain('web');
  await expect(engine.manager.connect(containerId('web'), { network: 'aaa' })).rejects.toThrow(
    'already exists in network',
  );
  const less = await engine.manager.disconnect(containerId('web'), 'aaa', false);
  expect(less!.endpoints).toHaveLength(1);
  expect(await inside(web.key!, 'ip', ['route'])).toContain('default via 172.17.0.1 dev eth0');
  expect(await dial(undefined, '127.0.0.1', 18085)).toContain('web');
  expect(engine.events.map(({ action }) => action)).toEqual(expect.arrayContaining(['connect', 'disconnect']));
});

test('an IPv6 network gives addresses that work and publishes over IPv6', async () => {
  await engine.api('POST', '/networks/create', { body: { Name: 'six', EnableIPv6: true } });
  const a = await open('a', { endpoints: [{ network: 'six' }], portBindings: [publish(80, 18086)] });
  const b = await open('b', { endpoints: [{ network: 'six' }] });
  expect(a.endpoints[0]!.globalIPv6Address).toMatch(/^fd/);
  expect(a.endpoints[0]!.globalIPv6PrefixLen).toBe(64);
  await serve(a.key!, 80, 'six');
  expect(await dial(b.key, a.endpoints[0]!.globalIPv6Address, 80)).toContain('six');
  expect(await dial(undefined, '::1', 18086)).toContain('six');
  expect(await inside(a.key!, 'ip', ['-6', 'route'])).toContain(`default via ${a.endpoints[0]!.ipv6Gateway}`);
});

test('a link on the default bridge is in the hosts file, follows its container and needs it to run', async () => {
  await open('db');
  const web = await open('web', { endpoints: [{ network: 'bridge', links: ['db:store'] }] });
  expect(readFileSync(web.hostsPath, 'utf8')).toContain('172.17.0.2\tstore host-db db\n');
  await engine.manager.closeSandbox(containerId('db'));
  await expect(open('late', { endpoints: [{ network: 'bridge', links: ['db'] }] })).rejects.toThrow(
    'Cannot link to a non running container: /db AS /late/db',
  );
  await eventually(async () => (await open('filler')).endpoints[0]!.ipAddress === '172.17.0.2');
  const moved = await open('db');
  expect(readFileSync(web.hostsPath, 'utf8')).toContain(`${moved.endpoints[0]!.ipAddress}\tstore host-db db\n`);
});

test('an endpoint has the interface name and settings its options ask for', async () => {
  const driverOpts = {
    'com.docker.network.endpoint.ifname': 'wan7',
    'com.docker.network.endpoint.sysctls': 'net.ipv4.conf.IFNAME.log_martians=1,net.ipv4.conf.ifname.forwarding=0',
  };
  const one = await open('one', { endpoints: [{ network: 'bridge', driverOpts }] });
  expect(await inside(one.key!, 'ip', ['-o', 'link'])).toContain(' wan7@');
  expect(await inside(one.key!, 'cat', ['/proc/sys/net/ipv4/conf/wan7/log_martians'])).toBe('1\n');
  const bad = { 'com.docker.network.endpoint.sysctls': 'kernel.panic=1' };
  await expect(open('two', { endpoints: [{ network: 'bridge', driverOpts: bad }] })).rejects.toThrow(
    "unrecognised network interface sysctl 'kernel.panic=1'",
  );
});

test('host mode has the files only, none has a loopback only', async () => {
  const host = await open('h', { kind: 'host', endpoints: [{ network: 'host' }] });
  expect(host.key).toBeUndefined();
  expect(host.endpoints[0]).toMatchObject({ networkName: 'host', ipAddress: '' });
  const none = await open('n', { endpoints: [{ network: 'none' }] });
  expect((await inside(none.key!, 'ip', ['-o', 'link'])).trim().split('\n')).toHaveLength(1);
});
