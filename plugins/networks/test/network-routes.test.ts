import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import {
  containerId,
  enterPrivateNetwork,
  linkNames,
  never,
  newRoot,
  nftTable,
  removeRoot,
  startEngine,
  type TestEngine,
} from './test-engine';

jest.setTimeout(30_000);

let leave: () => void;
let root: string;
let engine: TestEngine;

beforeAll(async () => {
  leave = enterPrivateNetwork();
  root = newRoot();
  engine = await startEngine(root);
});
afterAll(async () => {
  await engine.die();
  removeRoot(root);
  leave();
});

const create = (body: object) => engine.api('POST', '/networks/create', { body });
const names = async (filters: object) =>
  (await engine.api('GET', '/networks', { query: `filters=${encodeURIComponent(JSON.stringify(filters))}` })).map(
    (network: { Name: string }) => network.Name,
  );

test('a network is made, shown, listed and removed, in the kernel as well', async () => {
  const { Id } = await create({ Name: 'shown', Labels: { a: 'b' }, IPAM: { Config: [{ Subnet: '10.50.0.0/24' }] } });
  const shown = await engine.api('GET', `/networks/${Id.slice(0, 8)}`);
  expect(shown).toMatchObject({
    Name: 'shown',
    Scope: 'local',
    Driver: 'bridge',
    Labels: { a: 'b' },
    IPAM: { Driver: 'default' },
  });
  // What was not asked for is not shown, although there is a gateway.
  expect(shown.IPAM.Config).toEqual([{ Subnet: '10.50.0.0/24' }]);
  expect(linkNames()).toContain(`br-${Id.slice(0, 12)}`);
  await engine.api('DELETE', '/networks/shown');
  expect(linkNames()).not.toContain(`br-${Id.slice(0, 12)}`);
  expect(nftTable()).not.toContain(`br-${Id.slice(0, 12)}`);
  await expect(async () => engine.api('GET', `/networks/${Id}`)).rejects.toMatchObject({ kind: 'not-found' });
  await create({ Name: 'again', IPAM: { Config: [{ Subnet: '10.50.0.0/24' }] } });
  await engine.api('DELETE', '/networks/again');
});

test('a request that fails leaves no pool, bridge or record', async () => {
  const before = linkNames();
  const pool = { IPAM: { Config: [{ Subnet: '10.51.0.0/24' }] } };
  await expect(
    create({ Name: 'bad', ...pool, Options: { 'com.docker.network.bridge.enable_icc': 'perhaps' } }),
  ).rejects.toMatchObject({
    kind: 'invalid-parameter',
  });
  await expect(create({ Name: 'bad', ...pool, Driver: 'nowhere' })).rejects.toMatchObject({ kind: 'not-found' });
  expect(linkNames()).toEqual(before);
  await create({ Name: 'good', ...pool });
  await engine.api('DELETE', '/networks/good');
});

test('names are unique, predefined ones can neither be taken nor removed', async () => {
  await create({ Name: 'one' });
  await expect(create({ Name: 'one' })).rejects.toMatchObject({
    kind: 'conflict',
    message: 'network with name one already exists',
  });
  await expect(create({ Name: 'host' })).rejects.toMatchObject({
    kind: 'forbidden',
    message: 'operation is not permitted on predefined host network ',
  });
  await expect(engine.api('DELETE', '/networks/bridge')).rejects.toMatchObject({ kind: 'forbidden' });
  await engine.api('DELETE', '/networks/one');
});

test('two requests for one name at the same time make one network', async () => {
  const results = await Promise.allSettled([create({ Name: 'race' }), create({ Name: 'race' })]);
  expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  await engine.api('DELETE', '/networks/race');
});

test('a network in use is not removed, and named with whom', async () => {
  await create({ Name: 'busy' });
  const opened = await engine.manager.openSandbox(engine.request('user', { endpoints: [{ network: 'busy' }] }), never);
  await expect(engine.api('DELETE', '/networks/busy')).rejects.toMatchObject({
    kind: 'forbidden',
    message: expect.stringMatching(/error while removing network: network busy has active endpoints .*user/),
  });
  const { Containers } = await engine.api('GET', '/networks/busy');
  expect(Containers[containerId('user')]).toEqual({
    Name: 'user',
    EndpointID: opened.endpoints[0]!.endpointId,
    MacAddress: opened.endpoints[0]!.macAddress,
    IPv4Address: `${opened.endpoints[0]!.ipAddress}/16`,
    IPv6Address: '',
  });
  await engine.manager.closeSandbox(containerId('user'));
  await engine.api('DELETE', '/networks/busy');
});

test('filters choose by driver, name, label, type and use; unknown ones are refused', async () => {
  await create({ Name: 'blue', Labels: { colour: 'blue' } });
  expect(await names({ driver: ['host'] })).toEqual(['host']);
  expect(await names({ name: ['blu'] })).toEqual(['blue']);
  expect(await names({ label: { 'colour=blue': true } })).toEqual(['blue']);
  expect((await names({ type: ['builtin'] })).sort()).toEqual(['bridge', 'host', 'none']);
  expect(await names({ dangling: ['true'] })).toEqual(['blue']);
  expect(await names({ name: ['^blu.$'] })).toEqual(['blue']);
  expect(await names({ name: ['^lu'] })).toEqual([]);
  await expect(names({ flavour: ['x'] })).rejects.toThrow("invalid filter 'flavour'");
  await expect(names({ type: ['x'] })).rejects.toThrow('invalid filter');
  await expect(names({ dangling: ['x'] })).rejects.toThrow(
    `invalid value for filter 'dangling', must be "true" (or "1"), or "false" (or "0")`,
  );
  await expect(names({ dangling: ['true', 'false'] })).rejects.toThrow(
    'got more than one value for filter key "dangling"',
  );
});

test('prune takes unused networks the filters leave, and nothing predefined', async () => {
  await create({ Name: 'keep', Labels: { keep: '' } });
  const filters = encodeURIComponent(JSON.stringify({ 'label!': ['keep'] }));
  const { NetworksDeleted } = await engine.api('POST', '/networks/prune', { query: `filters=${filters}` });
  expect(NetworksDeleted).toEqual(['blue']);
  await engine.api('DELETE', '/networks/keep');
  expect(engine.manager.list()).toHaveLength(3);
});

test('a configuration network lends its settings and cannot be used or removed meanwhile', async () => {
  await create({ Name: 'settings', ConfigOnly: true, IPAM: { Config: [{ Subnet: '10.52.0.0/24' }] } });
  await create({ Name: 'real', ConfigFrom: { Network: 'settings' } });
  expect((await engine.api('GET', '/networks/real')).IPAM.Config[0].Subnet).toBe('10.52.0.0/24');
  await expect(engine.api('DELETE', '/networks/settings')).rejects.toMatchObject({ kind: 'forbidden' });
  await expect(
    engine.manager.openSandbox(engine.request('c', { endpoints: [{ network: 'settings' }] }), never),
  ).rejects.toMatchObject({ kind: 'forbidden' });
  await engine.api('DELETE', '/networks/real');
  await engine.api('DELETE', '/networks/settings');
});

test('a wished address is given on networks with a subnet of the user, and refused elsewhere', async () => {
  await create({
    Name: 'fixed',
    IPAM: { Config: [{ Subnet: '10.53.0.0/24', AuxiliaryAddresses: { router: '10.53.0.2' } }] },
  });
  const open = (name: string, ipv4Address: string, network = 'fixed') =>
    engine.manager.openSandbox(engine.request(name, { endpoints: [{ network, ipv4Address }] }), never);
  expect((await open('a', '10.53.0.77')).endpoints[0]!.ipAddress).toBe('10.53.0.77');
  await expect(open('b', '10.53.0.77')).rejects.toThrow('Address already in use');
  await expect(open('b', '10.53.0.2')).rejects.toThrow('Address already in use');
  await expect(open('b', '10.99.0.1')).rejects.toThrow('no configured subnet');
  await expect(open('b', '172.17.0.9', 'bridge')).rejects.toThrow('user defined networks only');
  await engine.manager.closeSandbox(containerId('a'));
  await engine.api('DELETE', '/networks/fixed');
});
