import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { NetlinkSocket } from '../netlink';
import {
  addElements,
  addNatOutputChain,
  addPortRedirect,
  addTable,
  deleteElements,
  NETLINK_NETFILTER,
  nftTransaction,
  portField,
} from '../nftables';
import { enterPrivateNetwork } from './private-network';

let leave: () => void;
let socket: NetlinkSocket;
const nft = (...args: string[]) => execFileSync('nft', args, { encoding: 'utf8' });

beforeAll(() => {
  leave = enterPrivateNetwork();
  socket = NetlinkSocket.open(NETLINK_NETFILTER);
  execFileSync('nft', ['-f', '-'], {
    input: 'table inet t {\n map m { type inet_proto . inet_service : ipv4_addr . inet_service; }\n}\n',
  });
});
afterAll(() => {
  socket.close();
  leave();
});

const tcp = (port: number) => [Uint8Array.of(6), portField(port)];
const target = [Uint8Array.of(172, 17, 0, 2), portField(80)];

test('elements are added and deleted as the nft program sees them', async () => {
  await nftTransaction(socket, [
    addElements('inet', 't', 'm', [
      { key: tcp(8080), value: target },
      { key: tcp(8081), value: target },
    ]),
  ]);
  await nftTransaction(socket, [deleteElements('inet', 't', 'm', [{ key: tcp(8081) }])]);
  expect(nft('list', 'map', 'inet', 't', 'm')).toMatch(/elements = { (tcp|6) \. 8080 : 172\.17\.0\.2 \. 80 }/);
});

test('a transaction with one bad message changes nothing', async () => {
  const before = nft('list', 'table', 'inet', 't');
  await expect(
    nftTransaction(socket, [
      addElements('inet', 't', 'm', [{ key: tcp(9000), value: target }]),
      addElements('inet', 't', 'missing', [{ key: tcp(9001), value: target }]),
    ]),
  ).rejects.toMatchObject({ code: 'ENOENT' });
  expect(nft('list', 'table', 'inet', 't')).toBe(before);
});

test('a port redirect reads as the rule it is meant to be', async () => {
  const address = Uint8Array.of(127, 0, 0, 11);
  await nftTransaction(socket, [
    addTable('ip', 'r'),
    addNatOutputChain('ip', 'r', 'output'),
    addPortRedirect('r', 'output', { proto: 'udp', address, port: 53, toPort: 4321 }),
  ]);
  expect(nft('list', 'table', 'ip', 'r')).toContain('ip daddr 127.0.0.11 udp dport 53 dnat to 127.0.0.11:4321');
});
