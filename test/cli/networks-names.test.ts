import { createSocket } from 'node:dgram';
import { daemonForSuite } from '../support/daemon';
import { PeerHost } from '../support/peer-host';

const daemon = daemonForSuite({ tidy: (each) => each.removeEverything() });
const docker = (...args: string[]) => daemon().cli.ok(...args);

test('a link on the default bridge tells address, ports and variables of the other container', async () => {
  const ports = ['--expose', '5432', '--expose', '5433', '--expose', '53/udp'];
  await docker('run', '-d', '--name', 'db-1', '-e', 'ROLE=store', ...ports, 'busybox', 'sleep', '600');
  const ip = await docker('inspect', '-f', '{{.NetworkSettings.IPAddress}}', 'db-1');
  const said = await docker('run', '--rm', '--name', 'app', '--link', 'db-1', '-e', 'DB_1_ENV_OWN=x', 'busybox', 'env');
  expect(said.split('\n')).toEqual(
    expect.arrayContaining([
      `DB_1_PORT=tcp://${ip}:5432`,
      `DB_1_PORT_5432_TCP=tcp://${ip}:5432`,
      `DB_1_PORT_5432_TCP_ADDR=${ip}`,
      'DB_1_PORT_5432_TCP_PORT=5432',
      'DB_1_PORT_5432_TCP_PROTO=tcp',
      `DB_1_PORT_5432_TCP_END=tcp://${ip}:5433`,
      `DB_1_PORT_53_UDP=udp://${ip}:53`,
      'DB_1_NAME=/app/db-1',
      'DB_1_ENV_ROLE=store',
      'DB_1_ENV_OWN=x',
    ]),
  );
  await docker('stop', '-t', '0', 'db-1');
  const late = await daemon().cli.run(['run', '--rm', '--name', 'late', '--link', 'db-1:db', 'busybox', 'true']);
  expect(late.stderr).toContain('Cannot link to a non running container: /db-1 AS /late/db');
  await docker('rm', 'db-1');
});

test('containers find each other by name over IPv4 and IPv6, with several addresses and backwards', async () => {
  await docker('network', 'create', '--ipv6', 'dual');
  for (const name of ['one', 'two'])
    await docker(
      'run',
      '-d',
      '--name',
      name,
      '--network',
      'dual',
      '--network-alias',
      'pool',
      'busybox',
      'sleep',
      '600',
    );
  const address = (name: string, field: string) =>
    docker('inspect', '-f', `{{.NetworkSettings.Networks.dual.${field}}}`, name);
  const ask = (...args: string[]) => docker('exec', 'one', ...args);
  const six = await address('two', 'GlobalIPv6Address');
  const four = [await address('one', 'IPAddress'), await address('two', 'IPAddress')];
  expect(await ask('ping', '-6', '-c', '1', '-W', '2', 'two')).toContain(six);
  expect(await ask('ping', '-4', '-c', '1', '-W', '2', 'two')).toContain(four[1]!);
  const pool = await ask('nslookup', '-type=a', 'pool');
  for (const ip of four) expect(pool).toContain(`Address: ${ip}`);
  expect(await ask('nslookup', four[1]!)).toContain('name = two.dual');
  expect(await ask('nslookup', six)).toContain('name = two.dual');
  expect(await ask('nslookup', 'two.dual')).toContain(`Address: ${four[1]}`);
  await docker('rename', 'two', 'three');
  expect(await ask('nslookup', '-type=a', 'three')).toContain(`Address: ${four[1]}`);
  await docker('rm', '-f', 'one', 'three');
  await docker('network', 'rm', 'dual');
});

test('a static address, a MAC, link-local addresses and the gateway’s priority are what was asked for', async () => {
  await docker('network', 'create', '--subnet', '10.213.90.0/24', 'fixed');
  await docker('network', 'create', 'plain');
  const endpoint = 'name=fixed,ip=10.213.90.77,mac-address=02:42:0a:00:00:07,link-local-ip=169.254.7.7,gw-priority=5';
  await docker('run', '-d', '--name', 'set', '--network', 'plain', '--network', endpoint, 'busybox', 'sleep', '600');
  const addresses = await docker('exec', 'set', 'ip', 'addr');
  for (const part of ['10.213.90.77/24', '02:42:0a:00:00:07', '169.254.7.7/16']) expect(addresses).toContain(part);
  expect(await docker('exec', 'set', 'ip', 'route')).toContain('default via 10.213.90.1');
  const second = await daemon().cli.run([
    'run',
    '--rm',
    '--network',
    'fixed',
    '--ip',
    '10.213.90.77',
    'busybox',
    'true',
  ]);
  expect(second.stderr).toContain('Address already in use');
  for (const [args, message] of [
    [['--network', 'fixed', '--ip', '10.9.9.9'], 'no configured subnet or ip-range contain the IP address 10.9.9.9'],
    [['--network', 'plain', '--ip', '10.9.9.9'], 'only when connecting to networks with user configured subnets'],
    [
      ['--network', 'bridge', '--ip', '10.9.9.9'],
      'user specified IP address is supported on user defined networks only',
    ],
  ] as const) {
    const { code, stderr } = await daemon().cli.run(['run', '--rm', ...args, 'busybox', 'true']);
    expect([code, stderr]).toEqual([125, expect.stringContaining(message)]);
  }
  await docker('rm', '-f', 'set');
  await docker('network', 'rm', 'fixed', 'plain');
});

test('the resolver asks the servers of the container, tells what does not exist, and answers by TCP', async () => {
  const peer = new PeerHost();
  const upstream = createSocket('udp4');
  upstream.on('message', (message, from) => {
    const answer = Buffer.from(message);
    const known = message.includes('known');
    answer.writeUInt16BE(known ? 0x8580 : 0x8583, 2); // An answer; or there is no such name.
    answer.writeUInt16BE(known ? 1 : 0, 6);
    answer.writeUInt16BE(0, 10);
    const record = Buffer.from('c00c0001000100000001000409080706', 'hex');
    upstream.send(known ? Buffer.concat([answer, record]) : answer, from.port, from.address);
  });
  await new Promise<void>((done) => upstream.bind(53, peer.hostAddress, done));
  await docker('network', 'create', 'names');
  const dns = ['--dns', peer.hostAddress];
  await docker('run', '-d', '--name', 'asker', '--network', 'names', ...dns, 'busybox', 'sleep', '600');
  const lookUp = (name: string) => daemon().cli.run(['exec', 'asker', 'nslookup', '-type=a', name]);
  expect((await lookUp('known.example')).stdout).toContain('Address: 9.8.7.6');
  expect((await lookUp('nobody.example')).stdout).toContain("can't find nobody.example: NXDOMAIN");
  const ip = await docker('inspect', '-f', '{{.NetworkSettings.Networks.names.IPAddress}}', 'asker');
  const question = `1234 0100 0001 0000 0000 0000 05${Buffer.from('asker').toString('hex')} 00 0001 0001`;
  const bytes = Buffer.from(question.replaceAll(' ', ''), 'hex');
  const octal = [0, bytes.length, ...bytes].map((byte) => `\\${byte.toString(8).padStart(3, '0')}`).join('');
  const overTcp = `printf '${octal}' | nc -w 2 127.0.0.11 53 | od -An -tx1 | tr -d ' \\n'`;
  expect(await docker('exec', 'asker', 'sh', '-c', overTcp)).toContain(
    Buffer.from(ip.split('.').map(Number)).toString('hex'),
  );
  await docker('rm', '-f', 'asker');
  await docker('network', 'rm', 'names');
  upstream.close();
  peer.remove();
});
