import { execFileSync } from 'node:child_process';
import { NetlinkSocket } from '@gantry/sdk/linux/netlink';
import { knowsLinkKind } from '@gantry/sdk/linux/rtnetlink-kinds';
import { daemonForSuite } from '../support/daemon';
import { eventually } from '../support/eventually';
import { PeerHost } from '../support/peer-host';

const daemon = daemonForSuite({ tidy: (each) => each.removeEverything() });
const docker = (...args: string[]) => daemon().cli.ok(...args);
const create = (...args: string[]) => daemon().cli.run(['network', 'create', ...args]);
const ip = (...args: string[]) => execFileSync('ip', args, { encoding: 'utf8', stdio: 'pipe' });
const server = ['busybox', 'sh', '-c', 'mkdir /w && hostname >/w/index.html && exec httpd -f -h /w'];
const socket = NetlinkSocket.open();
const kernelHas = (kind: string) => knowsLinkKind(socket, kind);

let peer: PeerHost;
let pool: string[];
beforeAll(() => {
  peer = new PeerHost();
  const block = peer.hostAddress.replace(/\.1$/, '');
  pool = ['--subnet', `${block}.0/24`, '--ip-range', `${block}.128/25`, '--gateway', peer.address];
});
afterAll(() => {
  peer.remove();
  socket.close();
});

test('a container on macvlan is a neighbour of other hosts and of its siblings, also after a crash and a reconnect', async () => {
  await docker('network', 'create', '-d', 'macvlan', '-o', `parent=${peer.device}`, ...pool, 'lan');
  await docker('run', '-d', '--name', 'near', '--hostname', 'near', '--network', 'lan', ...server);
  const address = () => docker('inspect', '-f', '{{.NetworkSettings.Networks.lan.IPAddress}}', 'near');
  const seen = async () => (await peer.fetch(`http://${await address()}/`)) === 'near';
  await eventually('the peer to see it', seen);
  const ask = 'timeout 3 wget -qO- http://near/; ip route';
  const said = await docker('run', '--rm', '--network', 'lan', 'busybox', 'sh', '-c', ask);
  expect(said).toMatch(/^near\n/);
  expect(said).toContain(`default via ${peer.address}`);
  await daemon().kill();
  await daemon().start();
  await eventually('the peer to see it after the crash', seen);
  await docker('network', 'disconnect', 'lan', 'near');
  expect(await docker('exec', 'near', 'ip', '-o', 'link')).not.toContain('eth0');
  await docker('network', 'connect', 'lan', 'near');
  await eventually('the peer to see it again', seen);
  await docker('rm', '-f', 'near');
  await docker('network', 'rm', 'lan');
  expect(ip('-d', 'link', 'show', 'type', 'macvlan')).not.toContain(peer.device);
});

test('passthru keeps its parent to itself', async () => {
  const parent = ['-d', 'macvlan', '-o', `parent=${peer.device}`];
  await docker('network', 'create', ...parent, '-o', 'macvlan_mode=passthru', ...pool, 'alone');
  const second = await create(...parent, '--subnet', '198.19.7.0/24', 'more');
  expect(second.stderr).toMatch(/is already using parent interface \S+ in mode passthru/);
  await docker('network', 'rm', 'alone');
});

test('bad parents are refused by name and leave nothing', async () => {
  for (const [parent, message] of [
    ['lo', 'loopback interface is not a valid macvlan parent link'],
    ['nope9', 'invalid subinterface vlan name nope9, example formatting is eth0.10'],
    ['nope9.7', '-o parent interface was not found on the host: nope9'],
    [`${peer.device}.4095`, 'vlan id must be between 1-4094, received: 4095'],
  ] as const) {
    const { code, stderr } = await create('-d', 'macvlan', '-o', `parent=${parent}`, ...pool, 'bad');
    expect([code, stderr]).toEqual([1, expect.stringContaining(message)]);
  }
  expect(await docker('network', 'ls', '-q', '--filter', 'name=bad')).toBe('');
});

test('an 802.1q subinterface is made with the first network and goes with the last, where the kernel has VLANs', async () => {
  const made = await create('-d', 'macvlan', '-o', `parent=${peer.device}.7`, ...pool, 'tagged');
  if (!kernelHas('vlan')) {
    expect(made.stderr).toContain('the kernel has no vlan interfaces: load its module "8021q"');
    return;
  }
  expect(ip('-d', 'link', 'show', `${peer.device}.7`)).toContain('vlan protocol 802.1Q id 7');
  await docker('network', 'rm', 'tagged');
  expect(ip('link')).not.toContain(`${peer.device}.7`);
});

test.each(['l2', 'l3', 'l3s'])('ipvlan in mode %s reaches its siblings, where the kernel has it', async (mode) => {
  const options = ['-o', `parent=${peer.device}`, '-o', `ipvlan_mode=${mode}`];
  const made = await create('-d', 'ipvlan', ...options, ...pool, 'layered');
  if (!kernelHas('ipvlan')) {
    expect(made.stderr).toContain('the kernel has no ipvlan interfaces: load its module "ipvlan"');
    return;
  }
  await docker('run', '-d', '--name', 'one', '--hostname', 'one', '--network', 'layered', ...server);
  const ask = ['run', '--rm', '--network', 'layered', 'busybox', 'timeout', '3', 'wget', '-qO-', 'http://one/'];
  expect(await eventually('the sibling', () => docker(...ask))).toBe('one');
  await docker('rm', '-f', 'one');
  await docker('network', 'rm', 'layered');
});
