import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
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
  TABLE,
  type TestEngine,
  testSettings,
} from './test-engine';

jest.setTimeout(30_000);

let leave: () => void;
let root: string;
let engine: TestEngine;

beforeAll(() => {
  leave = enterPrivateNetwork();
});
beforeEach(async () => {
  root = newRoot();
  engine = await startEngine(root);
});
afterEach(async () => {
  stopServers();
  for (const network of engine.manager.list())
    for (const id of Object.keys((await engine.api('GET', `/networks/${network.id}`)).Containers))
      await engine.manager.closeSandbox(id);
  await eventually(() => !linkNames().some((name) => name.startsWith('veth')));
  await engine.die();
  removeRoot(root);
});
afterAll(() => leave());

const open = (name: string, more = {}) => engine.manager.openSandbox(engine.request(name, more), never);
const lookup = (key: string, name: string) => inside(key, 'busybox', ['nslookup', name, '127.0.0.11']);

const existsTable = () => execFileSync('nft', ['list', 'tables'], { encoding: 'utf8' }).includes(TABLE);

async function dieAndStart(running: string[]): Promise<void> {
  await engine.die();
  engine = await startEngine(root, running);
}

test('after a crash running containers keep addresses, ports and names; the dead ones are collected', async () => {
  await engine.api('POST', '/networks/create', { body: { Name: 'app' } });
  const web = await open('web', { endpoints: [{ network: 'app' }], portBindings: [publish(80, 18180)] });
  const client = await open('client', { endpoints: [{ network: 'app' }] });
  const dead = await open('dead', { endpoints: [{ network: 'app' }], portBindings: [publish(80, 18181)] });
  const bridgeId = (await engine.manager.get('bridge')).id;
  await serve(web.key!, 80, 'still here');

  await dieAndStart(['web', 'client']);
  expect(engine.complaints).toEqual([]);
  expect((await engine.manager.get('bridge')).id).toBe(bridgeId);
  expect(engine.manager.sandbox(containerId('web'))).toEqual(web);
  expect(engine.manager.sandbox(containerId('dead'))).toBeUndefined();
  expect(existsSync(dead.key!)).toBe(false);
  expect(linkNames().filter((name) => name.startsWith('veth'))).toHaveLength(2);
  expect(await dial(undefined, '127.0.0.1', 18180)).toContain('still here');
  expect(nftTable()).not.toContain('18181');
  expect(await lookup(client.key!, 'web')).toContain(web.endpoints[0]!.ipAddress);
  await expect(open('thief', { portBindings: [publish(80, 18180)] })).rejects.toThrow('port is already allocated');
  const next = await open('next', { endpoints: [{ network: 'app' }], portBindings: [publish(80, 18181)] });
  expect(next.endpoints[0]!.ipAddress).toBe(dead.endpoints[0]!.ipAddress);
});

test('what was half-made when the daemon died is collected: namespaces, interfaces, records', async () => {
  const web = await open('web');
  await engine.die();
  // As if the daemon had died between making the sandbox and writing it down.
  execFileSync('rm', ['-r', join(root, 'run/sandboxes')]);
  engine = await startEngine(root, ['web']);
  expect(existsSync(web.key!)).toBe(false);
  await eventually(() => !linkNames().some((name) => name.startsWith('veth')));
  expect(readdirSync(join(root, 'run/netns'))).toEqual([]);
});

test('an interface of ours that belongs to no endpoint is removed, those of others stay', async () => {
  await engine.die();
  for (const args of [
    ['link', 'add', 'veth0123abc', 'type', 'veth', 'peer', 'name', 'stray0'],
    ['link', 'set', 'veth0123abc', 'master', 'tdocker0', 'alias', TABLE],
    ['link', 'add', 'vethfedcba9', 'type', 'veth', 'peer', 'name', 'other0'],
    ['link', 'set', 'vethfedcba9', 'master', 'tdocker0'],
  ])
    execFileSync('ip', args);
  engine = await startEngine(root);
  expect(linkNames()).not.toContain('veth0123abc');
  expect(linkNames()).toContain('vethfedcba9');
  execFileSync('ip', ['link', 'del', 'vethfedcba9']);
});

test('a bridge whose network was never written down is collected, the bridges of others are not', async () => {
  await engine.api('POST', '/networks/create', { body: { Name: 'app' } });
  const { id } = await engine.manager.get('app');
  await engine.die();
  execFileSync('rm', [join(root, 'state/records', `${id}.json`)]);
  execFileSync('ip', ['link', 'add', 'br-0123456789ab', 'type', 'bridge']);
  engine = await startEngine(root);
  expect(linkNames()).not.toContain(`br-${id.slice(0, 12)}`);
  expect(linkNames()).toContain('br-0123456789ab');
  execFileSync('ip', ['link', 'del', 'br-0123456789ab']);
});

test('a bridge, its address and the table come back when somebody removed them', async () => {
  await engine.api('POST', '/networks/create', { body: { Name: 'app' } });
  await engine.die();
  const bridge = linkNames().find((name) => name.startsWith('br-'))!;
  execFileSync('ip', ['link', 'del', bridge]);
  if (existsTable()) execFileSync('nft', ['delete', 'table', 'inet', TABLE]);
  engine = await startEngine(root);
  expect(linkNames()).toContain(bridge);
  expect(execFileSync('ip', ['addr', 'show', bridge], { encoding: 'utf8' })).toContain('172.18.0.1/16');
  expect(nftTable()).toContain(bridge);
});

test('a flushed ruleset is written anew with the next port', async () => {
  const web = await open('web', { portBindings: [publish(80, 18182)] });
  await serve(web.key!, 80, 'web');
  execFileSync('nft', ['flush', 'ruleset']);
  await open('other', { portBindings: [publish(80, 18183)] });
  expect(nftTable()).toMatch(/(tcp|6) \. 18182 : 172\.17\.0\.2 \. 80/);
  expect(await dial(undefined, '127.0.0.1', 18182)).toContain('web');
});

test('a flushed ruleset heals on its own, a foreign rule in our table goes, other tables are left alone', async () => {
  const web = await open('web', { portBindings: [publish(80, 18184)] });
  await serve(web.key!, 80, 'web');
  execFileSync('nft', ['flush', 'ruleset']);
  execFileSync('nft', ['add', 'table', 'inet', 'others']);
  await eventually(() => existsTable() && /(tcp|6) \. 18184 : 172\.17\.0\.2 \. 80/.test(nftTable()), 2500);
  expect(await dial(undefined, '127.0.0.1', 18184)).toContain('web');
  execFileSync('nft', ['insert', 'rule', 'inet', TABLE, 'forward', 'drop']);
  await eventually(() => !/chain forward [^}]*\n\s*drop/.test(nftTable()), 2500);
  expect(execFileSync('nft', ['list', 'tables'], { encoding: 'utf8' })).toContain('table inet others');
  execFileSync('nft', ['delete', 'table', 'inet', 'others']);
});

test('where another program drops all forwarded packets by policy, ours still pass', async () => {
  execFileSync('iptables', ['-P', 'FORWARD', 'DROP']);
  try {
    await engine.api('POST', '/networks/create', { body: { Name: 'app' } });
    const web = await open('web', { endpoints: [{ network: 'app' }], portBindings: [publish(80, 18185)] });
    const client = await open('client');
    await serve(web.key!, 80, 'web');
    await eventually(async () => (await dial(client.key, '172.17.0.1', 18185).catch(() => '')).includes('web'));
  } finally {
    execFileSync('iptables', ['-P', 'FORWARD', 'ACCEPT']);
  }
});

test('a daemon that ends without containers takes its table along', async () => {
  await engine.die();
  expect(existsTable()).toBe(false);
  engine = await startEngine(root);
  expect(existsTable()).toBe(true);
});

test('no address is given out twice over many opens, closes and crashes', async () => {
  const alive = new Map<string, string>();
  for (let round = 0; round < 6; round++) {
    for (let i = 0; i < 4; i++) {
      const name = `c${round}-${i}`;
      alive.set(name, (await open(name)).endpoints[0]!.ipAddress);
    }
    const [victim] = alive.keys();
    await engine.manager.closeSandbox(containerId(victim!));
    alive.delete(victim!);
    if (round % 2 === 1) await dieAndStart([...alive.keys()]);
    expect(new Set(alive.values()).size).toBe(alive.size);
    for (const [name, address] of alive)
      expect(engine.manager.sandbox(containerId(name))!.endpoints[0]!.ipAddress).toBe(address);
  }
});

test('an unreadable record is left aside and named, the others work', async () => {
  await engine.api('POST', '/networks/create', { body: { Name: 'good' } });
  await engine.die();
  writeFileSync(join(root, 'state/records/broken.json'), '{');
  engine = await startEngine(root);
  expect((await engine.manager.get('good')).name).toBe('good');
  expect(engine.complaints.join()).toContain('broken.json');
  expect(existsSync(join(root, 'state/records/broken.json'))).toBe(true);
});

test('the default bridge follows its settings and keeps its id', async () => {
  const { id } = await engine.manager.get('bridge');
  await engine.die();
  engine = await startEngine(root, [], testSettings(root, { bip: '10.77.0.1/24' }));
  expect((await engine.manager.get('bridge')).id).toBe(id);
  const web = await open('web');
  expect(web.endpoints[0]).toMatchObject({ ipAddress: '10.77.0.2', gateway: '10.77.0.1' });
  expect(execFileSync('ip', ['addr', 'show', 'tdocker0'], { encoding: 'utf8' })).not.toContain('172.17.0.1');
  await engine.manager.closeSandbox(containerId('web'));
  await engine.die();
  engine = await startEngine(root, [], testSettings(root, { name: 'none' }));
  expect(engine.manager.list().map((network) => network.name)).not.toContain('bridge');
});
