import { daemonForSuite } from '../support/daemon';
import { eventually } from '../support/eventually';

const daemon = daemonForSuite({ tidy: (each) => each.removeEverything() });
const docker = (...args: string[]) => daemon().cli.ok(...args);

test('two containers of a user network reach each other by name and alias', async () => {
  await docker('network', 'create', 'lan');
  await docker(
    'run',
    '-d',
    '--name',
    'server',
    '--network',
    'lan',
    '--network-alias',
    'www',
    'busybox',
    'httpd',
    '-f',
    '-h',
    '/etc',
  );
  const ask = (host: string) =>
    docker('run', '--rm', '--network', 'lan', 'busybox', 'wget', '-qO-', `http://${host}/group`);
  expect(await eventually('the server by name', () => ask('server'))).toContain('root:x:0:');
  expect(await ask('www')).toContain('root:x:0:');
  const id = await docker('ps', '-q', '--filter', 'name=server');
  expect(await ask(id)).toContain('root:x:0:');
  expect(await docker('exec', 'server', 'cat', '/etc/resolv.conf')).toContain('nameserver 127.0.0.11');
  await docker('rm', '-f', 'server');
  await docker('network', 'rm', 'lan');
});

test('containers of different networks do not reach each other', async () => {
  await docker('network', 'create', 'east');
  await docker('network', 'create', 'west');
  await docker('run', '-d', '--name', 'easterner', '--network', 'east', 'busybox', 'httpd', '-f', '-h', '/etc');
  const address = await docker('inspect', '-f', '{{.NetworkSettings.Networks.east.IPAddress}}', 'easterner');
  const fetch = (from: string) => {
    const script = `timeout 3 wget -qO- http://${from}/group || exit 9`;
    return daemon().cli.run(['run', '--rm', '--network', 'west', 'busybox', 'sh', '-c', script]);
  };
  expect(await fetch(address)).toMatchObject({ code: 9, stdout: '' });
  await docker('network', 'connect', 'west', 'easterner');
  const other = await docker('inspect', '-f', '{{.NetworkSettings.Networks.west.IPAddress}}', 'easterner');
  expect((await fetch(other)).stdout).toContain('root:x:0:');
  await docker('network', 'disconnect', 'west', 'easterner');
  expect(await fetch(other)).toMatchObject({ code: 9, stdout: '' });
  await docker('rm', '-f', 'easterner');
  await docker('network', 'rm', 'east', 'west');
});

test('a network has the subnet and gives the address that were asked for', async () => {
  await docker('network', 'create', '--subnet', '10.216.77.0/24', '--gateway', '10.216.77.9', 'planned');
  const args = ['run', '--rm', '--network', 'planned', '--ip', '10.216.77.50', 'busybox'];
  expect(await docker(...args, 'ip', '-o', '-4', 'addr', 'show', 'eth0')).toContain('10.216.77.50/24');
  expect(await docker(...args, 'ip', 'route')).toContain('default via 10.216.77.9');
  const [info] = JSON.parse(await docker('network', 'inspect', 'planned'));
  expect(info).toMatchObject({
    Name: 'planned',
    Driver: 'bridge',
    Scope: 'local',
    IPAM: { Driver: 'default', Config: [{ Subnet: '10.216.77.0/24', Gateway: '10.216.77.9' }] },
  });
  await docker('network', 'rm', 'planned');
});

test('a network in use is not removed', async () => {
  await docker('network', 'create', 'held');
  await docker('run', '-d', '--name', 'holder', '--network', 'held', 'busybox', 'sleep', '600');
  const result = await daemon().cli.run(['network', 'rm', 'held']);
  expect(result.code).toBe(1);
  expect(result.stderr).toMatch(/has active endpoints/);
  await docker('rm', '-f', 'holder');
  await docker('network', 'rm', 'held');
});

test('the three networks that always exist cannot be removed', async () => {
  expect((await docker('network', 'ls', '--format', '{{.Name}} {{.Driver}}')).split('\n').sort()).toEqual([
    'bridge bridge',
    'host host',
    'none null',
  ]);
  const result = await daemon().cli.run(['network', 'rm', 'host']);
  expect(result.stderr).toMatch(/pre-defined network and cannot be removed/);
});

test('udp ports are published too', async () => {
  const script = 'while :; do echo pong | nc -u -l -p 9 -w 1; done';
  await docker('run', '-d', '--name', 'udp', '-p', '127.0.0.1::9/udp', 'busybox', 'sh', '-c', script);
  expect(await docker('port', 'udp')).toMatch(/^9\/udp -> 127\.0\.0\.1:\d+$/);
  await docker('rm', '-f', 'udp');
});

test('a container shares the network of another', async () => {
  await docker('run', '-d', '--name', 'main', 'busybox', 'httpd', '-f', '-h', '/etc');
  const args = ['run', '--rm', '--network', 'container:main', 'busybox'];
  expect(
    await eventually('the shared loopback', () => docker(...args, 'wget', '-qO-', 'http://127.0.0.1/group')),
  ).toContain('root:x:0:');
  await docker('rm', '-f', 'main');
});

test('networks that exclude each other are refused, and a configuration network lends its settings only', async () => {
  await docker('run', '-d', '--name', 'plain', 'busybox', 'sleep', '600');
  await docker('run', '-d', '--name', 'hosted', '--network', 'host', 'busybox', 'sleep', '600');
  await docker('network', 'create', '--config-only', '--subnet', '10.213.91.0/24', 'settings');
  await docker('network', 'create', '--config-from', 'settings', 'lent');
  const refusals = [
    [['network', 'connect', 'host', 'plain'], 'container must be created in host network mode'],
    [['network', 'connect', 'none', 'plain'], 'with one of the networks in private (none) mode'],
    [['network', 'connect', 'lent', 'hosted'], 'container sharing network namespace with another container or host'],
    [['network', 'connect', 'settings', 'plain'], 'configuration network settings cannot be used for containers'],
    [['network', 'rm', 'settings'], 'configuration network "settings" is in use by lent'],
    [['network', 'disconnect', 'lent', 'plain'], 'is not connected to network lent'],
  ] as const;
  for (const [args, message] of refusals) {
    const { code, stderr } = await daemon().cli.run(args);
    expect([args, code, stderr]).toEqual([args, 1, expect.stringContaining(message)]);
  }
  await docker('network', 'connect', 'lent', 'plain');
  expect(await docker('inspect', '-f', '{{.NetworkSettings.Networks.lent.IPAddress}}', 'plain')).toBe('10.213.91.2');
  await docker('rm', '-f', 'plain', 'hosted');
  await docker('network', 'rm', 'lent');
  await docker('network', 'rm', 'settings');
});
