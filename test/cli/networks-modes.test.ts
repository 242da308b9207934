import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { daemonForSuite } from '../support/daemon';
import { eventually } from '../support/eventually';
import { hostnameServer } from '../support/firewall-suite';
import { fetchFromHost, PeerHost } from '../support/peer-host';

const daemon = daemonForSuite({ tidy: (each) => each.removeEverything() });
const docker = (...args: string[]) => daemon().cli.ok(...args);
const nft = (...args: string[]) => execFileSync('nft', args, { encoding: 'utf8', stdio: 'pipe' });

let peer: PeerHost;
let table: string;
let usual: Record<string, unknown>;
beforeAll(async () => {
  peer = new PeerHost();
  table = `gantry-${(await docker('info', '-f', '{{.ID}}')).slice(0, 8)}`;
  usual = JSON.parse(readFileSync(daemon().configPath, 'utf8'));
});
afterAll(() => peer.remove());

/** The same daemon with other settings. */
async function restartWith(settings: Record<string, unknown>): Promise<void> {
  await daemon().stop();
  daemon().writeConfig({ ...usual, ...settings });
  await daemon().start();
}

async function serve(name: string): Promise<{ readonly port: string; readonly ip: string }> {
  await docker('run', '-d', '--name', name, '--hostname', name, '-p', '80', ...hostnameServer);
  const port = (await docker('port', name, '80')).split('\n')[0]!.split(':').at(-1)!;
  const ip = await docker('inspect', '-f', '{{.NetworkSettings.IPAddress}}', name);
  await eventually('the server', async () => (await fetchFromHost(`http://${ip}/`)) === name);
  return { port, ip };
}

test('direct routing reaches published ports where it is allowed, and marked packets everything', async () => {
  await restartWith({ 'allow-direct-routing': true, 'bridge-accept-fwmark': '0x7/0xf' });
  const { ip } = await serve('open');
  peer.routeThroughHost(`${ip}/32`);
  expect(await peer.fetch(`http://${ip}/`)).toBe('open');
  await docker('exec', 'open', 'httpd', '-p', '81', '-h', '/w');
  expect(await peer.fetch(`http://${ip}:81/`, 1)).toBeUndefined();
  const marks = `marks${process.pid}`;
  nft('add', 'table', 'inet', marks);
  nft('add', 'chain', 'inet', marks, 'c', '{ type filter hook prerouting priority mangle; }');
  nft('add', 'rule', 'inet', marks, 'c', 'ip', 'saddr', peer.address, 'meta', 'mark', 'set', '0x17');
  expect(await peer.fetch(`http://${ip}:81/`)).toBe('open');
  nft('delete', 'table', 'inet', marks);
  await docker('rm', '-f', 'open');
});

test('where the host’s own firewall decides, its input rules hold for published ports', async () => {
  await restartWith({ plugins: { 'network-bridge': { config: { hostFirewallDecides: true } } } });
  const { port } = await serve('relayed');
  const url = `http://${peer.hostAddress}:${port}/`;
  expect(await peer.fetch(url)).toBe('relayed');
  expect(nft('list', 'map', 'inet', table, 'any4')).not.toContain('elements');
  const own = `own${process.pid}`;
  nft('add', 'table', 'inet', own);
  nft('add', 'chain', 'inet', own, 'input', '{ type filter hook input priority filter; }');
  nft('add', 'rule', 'inet', own, 'input', 'ip', 'saddr', peer.address, 'tcp', 'dport', port, 'drop');
  expect(await peer.fetch(url, 1)).toBeUndefined();
  nft('delete', 'table', 'inet', own);
  await docker('rm', '-f', 'relayed');
});

test('without packet filter rules the daemon makes none, and published ports are relayed', async () => {
  await restartWith({ iptables: false, ip6tables: false });
  const { port } = await serve('bare');
  expect(await peer.fetch(`http://${peer.hostAddress}:${port}/`)).toBe('bare');
  expect(nft('list', 'tables')).not.toContain(table);
  const sctp = await daemon().cli.run(['run', '--rm', '-p', '99/sctp', 'busybox', 'true']);
  expect(sctp.stderr).toContain('cannot publish 99/sctp');
  await docker('rm', '-f', 'bare');

  await restartWith({ ip6tables: false, ipv6: true });
  const left = () => nft('list', 'chain', 'inet', table, 'forward').includes('meta nfproto ipv6 accept');
  await eventually('the table', left);
});

test('without the userland proxy published ports are reached just the same, but not where only a relay could serve', async () => {
  await restartWith({ 'userland-proxy': false });
  const { port } = await serve('direct');
  for (const host of ['127.0.0.1', peer.hostAddress])
    expect([host, await fetchFromHost(`http://${host}:${port}/`)]).toEqual([host, 'direct']);
  expect(await peer.fetch(`http://${peer.hostAddress}:${port}/`)).toBe('direct');
  expect(await docker('exec', 'direct', 'timeout', '3', 'wget', '-qO-', `http://${peer.hostAddress}:${port}/`)).toBe(
    'direct',
  );
  expect(await docker('port', 'direct')).toBe(`80/tcp -> 0.0.0.0:${port}`);
  expect(await fetchFromHost(`http://[::1]:${port}/`)).toBeUndefined();
  await docker('rm', '-f', 'direct');
});

test('a published port adds an element and no rule', async () => {
  const rules = () => nft('-a', 'list', 'table', 'inet', table).match(/# handle/g)!.length;
  const before = await eventually('the table', rules);
  await docker('run', '-d', '--name', 'many', '-p', '22000-22199:1000-1199', 'busybox', 'sleep', '600');
  expect(rules()).toBe(before);
  expect(nft('list', 'map', 'inet', table, 'any4')).toContain('. 22199 :');
  await docker('rm', '-f', 'many');
});
