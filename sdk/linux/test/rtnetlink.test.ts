import { closeSync, existsSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { NetlinkSocket } from '../netlink';
import { createNetworkNamespace, removeNetworkNamespace, withinNetworkNamespace } from '../network-namespaces';
import {
  addAddress,
  addRoute,
  changeLink,
  deleteLink,
  getLink,
  listAddresses,
  listLinks,
  listRoutes,
  newBridge,
  newVeth,
} from '../rtnetlink';
import { enterPrivateNetwork } from './private-network';

let leave: () => void;
let socket: NetlinkSocket;
let directory: string;

beforeAll(() => {
  leave = enterPrivateNetwork();
  socket = NetlinkSocket.open();
  directory = mkdtempSync(join(tmpdir(), 'netlink-test-'));
});
afterAll(() => {
  socket.close();
  rmSync(directory, { recursive: true });
  leave();
});

test('a veth is born with its far end in another namespace, with address and default route', async () => {
  const path = join(directory, 'ns');
  const inside = createNetworkNamespace(path, () => NetlinkSocket.open());
  const namespaceFd = openSync(path, 'r');
  try {
    await socket.request([newBridge('tbr0', { mac: Uint8Array.of(2, 0x42, 1, 2, 3, 4), up: true })]);
    const bridge = getLink(socket, 'tbr0')!;
    expect(bridge).toMatchObject({ kind: 'bridge', mac: '02:42:01:02:03:04', up: true });
    await socket.request([
      newVeth({ name: 'tveth0', master: bridge.index, up: true, mtu: 1400 }, { name: 'eth0', namespaceFd, mtu: 1400 }),
    ]);
    expect(getLink(socket, 'tveth0')).toMatchObject({ kind: 'veth', master: bridge.index, mtu: 1400 });
    const eth0 = getLink(inside, 'eth0')!;
    await inside.request([
      addAddress(eth0.index, Uint8Array.of(10, 9, 8, 2), 24),
      changeLink(eth0.index, { up: true }),
      addRoute({ gateway: Uint8Array.of(10, 9, 8, 1), interfaceIndex: eth0.index }),
    ]);
    expect(listAddresses(inside).map(({ address }) => [...address].join('.'))).toContain('10.9.8.2');
    expect(listRoutes(inside)).toContainEqual(
      expect.objectContaining({ prefixLength: 0, interfaceIndex: eth0.index, table: 254 }),
    );
    await socket.request([deleteLink('tveth0'), deleteLink('tbr0')]);
    expect(listLinks(socket).map((link) => link.name)).not.toContain('tbr0');
  } finally {
    closeSync(namespaceFd);
    inside.close();
    removeNetworkNamespace(path);
  }
  expect(existsSync(path)).toBe(false);
});

test('a refused request names the errno and what was tried; a tolerated one is fine', async () => {
  await socket.request([newBridge('tbr1')]);
  await expect(socket.request([newBridge('tbr1')])).rejects.toMatchObject({
    code: 'EEXIST',
    message: expect.stringContaining('make bridge tbr1'),
  });
  await socket.request([deleteLink('tbr1'), deleteLink('tbr1')]);
  expect(getLink(socket, 'tbr1')).toBeUndefined();
});

test('requests made at the same time on one socket each get their own answer', async () => {
  const names = Array.from({ length: 30 }, (_, i) => `tb${i}`);
  const results = await Promise.allSettled([
    ...names.map((name) => socket.request([newBridge(name)])),
    socket.request([changeLink('missing0', { up: true })]),
  ]);
  expect(results.slice(0, -1).every((result) => result.status === 'fulfilled')).toBe(true);
  expect(results.at(-1)).toMatchObject({ status: 'rejected', reason: { code: 'ENODEV' } });
  await socket.request(names.map((name) => deleteLink(name)));
  expect(listLinks(socket).filter((link) => names.includes(link.name))).toEqual([]);
});

test('work in another namespace is refused when it does not end at once', () => {
  const path = join(directory, 'ns2');
  createNetworkNamespace(path, () => undefined);
  try {
    expect(() => withinNetworkNamespace(path, async () => undefined)).toThrow('must be synchronous');
    expect(getLink(socket, 1)?.name).toBe('lo');
  } finally {
    removeNetworkNamespace(path);
  }
});

test('a namespace whose preparation fails leaves no file and no mount', () => {
  const path = join(directory, 'ns3');
  expect(() =>
    createNetworkNamespace(path, () => {
      throw new Error('no');
    }),
  ).toThrow('no');
  expect(existsSync(path)).toBe(false);
});

test('questions are answered while requests of the same socket are under way', async () => {
  await socket.request([newBridge('busy0')]);
  const under = Array.from({ length: 40 }, (_, n) => socket.request([changeLink('busy0', { mtu: 1400 + n })]));
  for (let n = 0; n < 200; n++) {
    expect(getLink(socket, 'busy0')?.name).toBe('busy0');
    await new Promise((resolve) => setImmediate(resolve));
  }
  await Promise.all(under);
  await socket.request([deleteLink('busy0')]);
});
