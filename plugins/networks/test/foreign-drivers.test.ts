import { execFileSync } from 'node:child_process';
import { appendFileSync, readFileSync } from 'node:fs';
import type { IpamDriver, JoinResult, NetworkDriver } from '@gantry/sdk';
import { afterAll, afterEach, beforeAll, beforeEach, expect, jest, test } from '@jest/globals';
import {
  enterPrivateNetwork,
  eventually,
  inside,
  linkNames,
  never,
  newRoot,
  removeRoot,
  startEngine,
  type TestEngine,
  testSettings,
} from './test-engine';

jest.setTimeout(30_000);

let leave: () => void;
let engine: TestEngine;
let root: string;
let joined: Partial<JoinResult>;
const calls: string[] = [];
const ip = (...args: string[]) => execFileSync('ip', args, { stdio: 'pipe' });

/** A driver as somebody else would write it: a dangling cable for each endpoint, left in the host's namespace. */
const outsider: NetworkDriver = {
  capabilities: async () => ({ scope: 'local', connectivityScope: 'local' }),
  createNetwork: async () => undefined,
  deleteNetwork: async () => undefined,
  async createEndpoint(_network, _endpoint, iface, more) {
    options.push(more);
    return iface.macAddress === '' ? { macAddress: '02:42:00:00:00:09' } : {};
  },
  async deleteEndpoint(_network, endpoint) {
    calls.push(`delete ${linkNames().includes(`o${endpoint.slice(0, 7)}`) ? 'with' : 'without'} interface`);
    if (linkNames().includes(`o${endpoint.slice(0, 7)}`)) ip('link', 'delete', `o${endpoint.slice(0, 7)}`);
  },
  endpointInfo: async () => ({}),
  async join(_network, endpoint) {
    const name = `o${endpoint.slice(0, 7)}`;
    ip('link', 'add', name, 'type', 'veth', 'peer', 'name', `p${endpoint.slice(0, 7)}`);
    return { interfaceName: { srcName: name, dstPrefix: 'out' }, ...joined };
  },
  leave: async () => void calls.push('leave'),
};

const options: unknown[] = [];
const given: string[] = [];
const released: string[] = [];
const macs: (string | undefined)[] = [];
/** Gives pools in its own order, without a look at what the host uses. */
const blind: IpamDriver = {
  capabilities: async () => ({ requiresMacAddress: true, requiresRequestReplay: false }),
  defaultAddressSpaces: async () => ({ local: 'here', global: 'there' }),
  async requestPool() {
    const pool = `10.231.${given.length}.0/24`;
    given.push(pool);
    return { poolId: pool, pool, data: {} };
  },
  releasePool: async (pool) => void released.push(pool),
  async requestAddress(pool, _address, { 'com.docker.network.endpoint.macaddress': mac }) {
    macs.push(mac);
    return pool.replace('.0/24', `.${macs.length}/24`);
  },
  releaseAddress: async () => undefined,
};

beforeAll(() => {
  leave = enterPrivateNetwork();
});
beforeEach(async () => {
  root = newRoot();
  joined = {};
  calls.length = 0;
  engine = await startEngine(root, [], testSettings(root), { drivers: { outsider }, ipamDrivers: { blind } });
});
afterEach(async () => {
  await engine.die();
  removeRoot(root);
});
afterAll(() => leave());

const open = (name: string, networks: string[]) =>
  engine.manager.openSandbox(engine.request(name, { endpoints: networks.map((network) => ({ network })) }), never);
const routes = (key: string) => inside(key, 'ip', ['-o', 'route']);

test('a container whose networks lead nowhere gets a way out, which goes when a network with a gateway comes', async () => {
  await engine.api('POST', '/networks/create', { body: { Name: 'island', Driver: 'outsider' } });
  const sandbox = await open('a', ['island']);
  expect(sandbox.endpoints.map(({ networkName }) => networkName)).toEqual(['island']);
  expect(await routes(sandbox.key!)).toMatch(/default via \S+ dev eth0/);
  expect(engine.manager.list().map(({ name }) => name)).toContain('docker_gwbridge');
  const { containerId } = engine.request('a');
  await engine.manager.connect(containerId, { network: 'bridge' });
  expect(await routes(sandbox.key!)).toMatch(/default via 172\.17\.0\.1 dev eth1/);
  expect(await inside(sandbox.key!, 'ip', ['-o', 'link'])).not.toContain('eth0');
  await engine.manager.disconnect(containerId, 'bridge', false);
  expect(await routes(sandbox.key!)).toContain('default via');
  await engine.manager.closeSandbox(containerId);
});

test('a driver may say that no way out is wanted, or bring a route that leads everywhere', async () => {
  await engine.api('POST', '/networks/create', { body: { Name: 'island', Driver: 'outsider' } });
  joined = { disableGatewayService: true };
  const closed = await open('a', ['island']);
  expect(await routes(closed.key!)).not.toContain('default');
  joined = { staticRoutes: [{ destination: '0.0.0.0/0', routeType: 1, nextHop: '' }] };
  const routed = await open('b', ['island']);
  expect(await routes(routed.key!)).toMatch(/default dev out0/);
  expect(engine.manager.list().map(({ name }) => name)).not.toContain('docker_gwbridge');
  for (const name of ['a', 'b']) await engine.manager.closeSandbox(engine.request(name).containerId);
});

test('an interface goes back to its driver when a running container leaves the network', async () => {
  joined = { disableGatewayService: true };
  await engine.api('POST', '/networks/create', { body: { Name: 'island', Driver: 'outsider' } });
  const sandbox = await open('a', ['bridge', 'island']);
  const { containerId } = engine.request('a');
  await engine.manager.disconnect(containerId, 'island', false);
  expect(calls).toEqual(['leave', 'delete with interface']);
  expect(await inside(sandbox.key!, 'ip', ['-o', 'link'])).not.toContain('out0');
  await engine.manager.closeSandbox(containerId);
});

test('a driver is told the name servers and the MAC address the user named', async () => {
  await engine.api('POST', '/networks/create', { body: { Name: 'island', Driver: 'outsider' } });
  joined = { disableGatewayService: true };
  const endpoints = [{ network: 'island', macAddress: '02:42:aa:bb:cc:dd' }];
  await engine.manager.openSandbox(engine.request('a', { endpoints, dns: ['192.0.2.53'] }), never);
  expect(options.at(-1)).toMatchObject({ dnsServers: ['192.0.2.53'], macAddress: '02:42:aa:bb:cc:dd' });
  await engine.manager.closeSandbox(engine.request('a').containerId);
});

test('a pool that overlaps a route of the host is given back, and another one asked for', async () => {
  ip('link', 'add', 'busy0', 'type', 'veth', 'peer', 'name', 'busy1');
  ip('addr', 'add', '10.231.0.9/23', 'dev', 'busy0');
  ip('link', 'set', 'busy0', 'up');
  ip('link', 'set', 'busy1', 'up');
  await engine.api('POST', '/networks/create', { body: { Name: 'blind', IPAM: { Driver: 'blind' } } });
  const { IPAM } = await engine.api('GET', '/networks/blind');
  expect(IPAM.Config).toEqual([{ Subnet: '10.231.2.0/24', Gateway: '10.231.2.1' }]);
  expect(released.sort()).toEqual(['10.231.0.0/24', '10.231.1.0/24']);
  const { containerId } = engine.request('a');
  // This driver gives addresses by MAC, so that the engine chooses one before it asks.
  const sandbox = await open('a', ['blind']);
  expect(macs).toEqual([undefined, expect.stringMatching(/^.[26ae](:[0-9a-f]{2}){5}$/)]);
  expect(sandbox.endpoints[0]!.macAddress).toBe(macs[1]);
  await engine.manager.closeSandbox(containerId);
  await engine.api('DELETE', '/networks/blind');
  ip('link', 'delete', 'busy0');
});

test('what a container writes into its hosts and resolv.conf stays when its networks change', async () => {
  await engine.api('POST', '/networks/create', { body: { Name: 'more' } });
  const sandbox = await open('a', ['bridge']);
  const hosts = () => readFileSync(sandbox.hostsPath, 'utf8');
  appendFileSync(sandbox.hostsPath, '10.9.9.9\town.example\n');
  appendFileSync(sandbox.resolvConfPath, '# mine\n');
  const { containerId } = engine.request('a');
  await engine.manager.connect(containerId, { network: 'more' });
  expect(hosts()).toContain('10.9.9.9\town.example');
  expect(hosts().match(/host-a/g)).toHaveLength(2);
  expect(readFileSync(sandbox.resolvConfPath, 'utf8')).toContain('# mine');
  await engine.manager.disconnect(containerId, 'more', false);
  expect(hosts()).toContain('10.9.9.9\town.example');
  expect(hosts().match(/host-a/g)).toHaveLength(1);
  await engine.manager.closeSandbox(containerId);
});

test('a container that switches IPv6 off has no IPv6 address', async () => {
  await engine.api('POST', '/networks/create', { body: { Name: 'six', EnableIPv6: true } });
  const request = engine.request('a', {
    endpoints: [{ network: 'six' }],
    sysctls: { 'net.ipv6.conf.all.disable_ipv6': '1' },
  });
  const sandbox = await engine.manager.openSandbox(request, never);
  expect(sandbox.endpoints[0]).toMatchObject({ ipAddress: '172.18.0.2', globalIPv6Address: '' });
  await engine.manager.closeSandbox(request.containerId);
});

test('a disconnect that a crash cut short is finished, so that a container has the interfaces it is said to have', async () => {
  const sandbox = await open('a', ['bridge']);
  const { containerId } = engine.request('a');
  await inside(sandbox.key!, 'ip', ['link', 'delete', 'eth0']);
  await engine.die();
  engine = await startEngine(root, ['a'], testSettings(root), { drivers: { outsider } });
  expect(engine.manager.sandbox(containerId)?.endpoints).toEqual([]);
  const again = await engine.manager.connect(containerId, { network: 'bridge' });
  expect(again.endpoints[0]).toMatchObject({ ipAddress: '172.17.0.2' });
  await engine.manager.closeSandbox(containerId);
  await eventually(() => !linkNames().some((name) => name.startsWith('veth')));
});
