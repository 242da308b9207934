import { daemonForSuite } from './daemon';
import { eventually } from './eventually';
import { type PacketFilterProbe, packetFilters } from './packet-filters';
import { fetchFromHost, PeerHost } from './peer-host';

/** A web server that says the name of its host. */
export const hostnameServer = [
  'busybox',
  'sh',
  '-c',
  'mkdir /w && hostname >/w/index.html && exec httpd -f -h /w',
] as const;

/** What holds for published ports and isolation, whatever the rules are written with. @returns the daemon */
export function firewallSuite(backend: keyof typeof packetFilters) {
  const daemon = daemonForSuite({
    config: { ipv6: true, 'firewall-backend': backend },
    tidy: (each) => each.removeEverything(),
  });
  const docker = (...args: string[]) => daemon().cli.ok(...args);
  const server = hostnameServer;
  const hostPort = async (name: string, port = '80') =>
    Number((await docker('port', name, port)).split('\n')[0]!.split(':').at(-1));

  let peer: PeerHost;
  let filter: PacketFilterProbe;
  beforeAll(async () => {
    peer = new PeerHost();
    filter = packetFilters[backend](`gantry-${(await docker('info', '-f', '{{.ID}}')).slice(0, 8)}`);
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
    const overIPv6 = () => peer.fetch(`http://[${peer.hostAddressV6}]:${port}/`);
    await eventually('the server over IPv6', async () => (await overIPv6()) === 'ok');
    await eventually('the addresses in the log', async () => {
      const { stderr } = await daemon().cli.run(['logs', 'seer']);
      return stderr.includes(peer.address) && stderr.includes(peer.addressV6);
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
    filter.drop(peer.address);
    expect(await peer.fetch(url, 1)).toBeUndefined();
    await docker('network', 'create', 'passing');
    await docker('network', 'rm', 'passing');
    await daemon().kill();
    await daemon().start();
    await eventually('the published port', () => filter.holdsPort(port));
    expect(await peer.fetch(url, 1)).toBeUndefined();
    await docker('rm', '-f', 'guarded');
    await daemon().stop();
    expect(filter.operatorRules()).toContain(peer.address);
    await daemon().start();
    filter.clear();
  });

  test('rules and elements that somebody else takes away are back within two seconds', async () => {
    await docker('run', '-d', '--name', 'lasting', '--hostname', 'lasting', '-p', '80', ...server);
    const port = await hostPort('lasting');
    expect(filter.holdsPort(port)).toBe(true);
    for (const { name, run } of filter.drills) {
      run();
      await eventually(`healing after ${name}`, () => filter.holdsPort(port) && filter.isWhole(), 2000);
    }
    expect(await peer.fetch(`http://${peer.hostAddress}:${port}/`)).toBe('lasting');
    await docker('rm', '-f', 'lasting');
  });

  test('sctp ports, ranges and host addresses are published as they are asked for', async () => {
    const ports = ['-p', '132/sctp', '-p', '127.0.0.1:31000-31009:80', '-p', '31010-31011:90-91'];
    await docker('run', '-d', '--name', 'many', ...ports, 'busybox', 'sleep', '60');
    const shown = await docker('port', 'many');
    expect(shown).toMatch(/^132\/sctp -> 0\.0\.0\.0:\d+$/m);
    expect(shown).toMatch(/^80\/tcp -> 127\.0\.0\.1:3100\d$/m);
    expect(shown).toMatch(/^91\/tcp -> 0\.0\.0\.0:31011$/m);
    expect(filter.ports()).toMatch(/(sctp|132) \. \d+ : [\d.]+ \. 132|-p sctp .*:132$/m);
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

  // The last one: the daemon keeps the setting.
  test('with icc=false containers of the default bridge reach the exposed ports of those they are linked to', async () => {
    await daemon().stop();
    daemon().changeConfig({ icc: false });
    await daemon().start();
    const both = 'mkdir -p /w && echo linked >/w/index.html && httpd -p 81 -h /w && exec httpd -f -p 80 -h /w';
    await docker('run', '-d', '--name', 'child', '--expose', '80', 'busybox', 'sh', '-c', both);
    const ip = await docker('inspect', '-f', '{{.NetworkSettings.IPAddress}}', 'child');
    await docker('run', '-d', '--name', 'parent', '--link', 'child:kid', 'busybox', 'sleep', '600');
    const ask = (where: string, url: string) =>
      docker('exec', where, 'sh', '-c', `timeout 2 wget -qO- ${url} || echo blocked`);
    await eventually('the link', async () => (await ask('parent', 'http://kid/')) === 'linked');
    expect(await ask('parent', 'http://kid:81/')).toBe('blocked');
    await docker('run', '-d', '--name', 'other', 'busybox', 'sleep', '600');
    expect(await ask('other', `http://${ip}/`)).toBe('blocked');
    await daemon().kill();
    await daemon().start();
    expect(await ask('parent', 'http://kid/')).toBe('linked');
    await docker('restart', '-t', '0', 'child');
    await eventually(
      'the link to the restarted container',
      async () => (await ask('parent', 'http://kid/')) === 'linked',
    );
    await docker('rm', '-f', 'child', 'parent', 'other');
  });

  return daemon;
}
