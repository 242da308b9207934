import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createContainer, outputIn, outputOf, plainText, startContainer } from '../support/containers';
import { daemonForSuite, testRuntime } from '../support/daemon';
import { eventually } from '../support/eventually';

const daemon = daemonForSuite({
  tidy: (each) => each.removeEverything(),
  args: ['--host-gateway-ip=192.0.2.7'],
  beforeStart(each) {
    const path = join(each.folder, 'noting-runtime');
    writeFileSync(path, `#!/bin/sh\necho "$*" >> ${path}.calls\nexec ${testRuntime} "$@"\n`, { mode: 0o755 });
    each.changeConfig({ runtimes: { noting: { path } } });
  },
});
const api = () => daemon().api;
const remove = (id: string) => api().delete(`/containers/${id}?force=1&v=1`);
const inspect = async (id: string) => (await api().get(`/containers/${id}/json`)).json();

test('hosts, name servers, search domains and options are written as asked', async () => {
  const said = await outputOf(daemon(), 'cat /etc/hosts /etc/resolv.conf', {
    HostConfig: {
      ExtraHosts: ['db:10.9.8.7', 'me:host-gateway', 'six=[fd00::1]'],
      Dns: ['192.0.2.53', '2001:db8::53'],
      DnsSearch: ['example.org'],
      DnsOptions: ['ndots:3'],
    },
  });
  const lines = said.split('\n').map((line) => line.replaceAll('\t', ' '));
  for (const line of ['10.9.8.7 db', '192.0.2.7 me', 'fd00::1 six', 'nameserver 192.0.2.53', 'nameserver 2001:db8::53'])
    expect(lines).toContain(line);
  for (const line of ['search example.org', 'options ndots:3']) expect(lines).toContain(line);
});

test('a link is a name for another container', async () => {
  const db = await startContainer(daemon(), {}, 'db');
  const address = (await inspect(db)).NetworkSettings.IPAddress;
  const said = await outputOf(daemon(), 'grep store /etc/hosts', { HostConfig: { Links: ['db:store'] } });
  expect(said).toMatch(new RegExp(`^${address}\\s+store`));
  await remove(db);
});

test('every exposed port can be published at once, and single ones at an address', async () => {
  const id = await startContainer(daemon(), {
    ExposedPorts: { '80/tcp': {}, '53/udp': {} },
    HostConfig: {
      PublishAllPorts: true,
      PortBindings: { '99/tcp': [{ HostIp: '127.0.0.1', HostPort: '' }] },
    },
  });
  const { Ports } = (await inspect(id)).NetworkSettings;
  expect(Number(Ports['80/tcp'][0].HostPort)).toBeGreaterThan(1023);
  expect(Number(Ports['53/udp'][0].HostPort)).toBeGreaterThan(1023);
  expect(Ports['99/tcp']).toEqual([{ HostIp: '127.0.0.1', HostPort: expect.stringMatching(/^\d+$/) }]);
  await remove(id);
});

test('an endpoint has the addresses, names and options that were asked for', async () => {
  const subnet = (await api().get('/networks/bridge')).json().IPAM.Config[0].Subnet.replace(/^10\.214/, '10.213');
  const base = subnet.replace(/\.0\/24$/, '');
  const made = await api().post('/networks/create', {
    Name: 'wide',
    EnableIPv6: true,
    IPAM: { Config: [{ Subnet: subnet }, { Subnet: 'fd00:6764:6574::/64' }] },
  });
  expect(made.status).toBe(201);
  const peer = await startContainer(daemon(), { HostConfig: { NetworkMode: 'wide' } }, 'peer');
  const id = await startContainer(daemon(), {
    HostConfig: { NetworkMode: 'wide' },
    NetworkingConfig: {
      EndpointsConfig: {
        wide: {
          IPAMConfig: { IPv4Address: `${base}.77`, IPv6Address: 'fd00:6764:6574::77', LinkLocalIPs: ['169.254.7.7'] },
          Aliases: ['other'],
          Links: ['peer:friend'],
          MacAddress: '02:42:0a:00:00:77',
          DriverOpts: { 'com.docker.network.endpoint.sysctls': 'net.ipv4.conf.IFNAME.log_martians=1' },
          GwPriority: 5,
          // Only the engine can know these: what a client sends is not taken.
          EndpointID: 'mine',
          NetworkID: 'mine',
          Gateway: '1.2.3.4',
          IPAddress: '1.2.3.4',
          IPPrefixLen: 7,
          IPv6Gateway: '::1',
          GlobalIPv6Address: '::2',
          GlobalIPv6PrefixLen: 9,
          DNSNames: ['mine'],
        },
      },
    },
  });
  const endpoint = (await inspect(id)).NetworkSettings.Networks.wide;
  expect(endpoint).toMatchObject({
    IPAddress: `${base}.77`,
    IPPrefixLen: 24,
    GlobalIPv6Address: 'fd00:6764:6574::77',
    GlobalIPv6PrefixLen: 64,
    MacAddress: '02:42:0a:00:00:77',
    Aliases: ['other'],
    Links: ['peer:friend'],
    GwPriority: 5,
    NetworkID: made.json().Id,
  });
  for (const invented of ['1.2.3.4', 'mine', '::1']) expect(Object.values(endpoint)).not.toContain(invented);
  expect(endpoint.DNSNames).not.toContain('mine');
  const inside = await outputIn(
    daemon(),
    id,
    'ip -o addr show eth0; cat /proc/sys/net/ipv4/conf/eth0/log_martians; nslookup friend | tail -3; ip route',
  );
  for (const part of [`${base}.77/24`, 'fd00:6764:6574::77/64', '169.254.7.7/16', `${base}.2`, 'default via'])
    expect(inside).toContain(part);
  expect(inside).toMatch(/^1$/m);
  await outputIn(daemon(), peer, 'ping -c 1 -W 5 other').then((said) => expect(said).toContain('1 packets received'));
  await Promise.all([remove(id), remove(peer)]);
  await api().delete('/networks/wide');
});

test('the MAC address of the container is that of its main endpoint, and clients are told the new way', async () => {
  const MacAddress = '02:42:0a:00:00:55';
  const made = await api().post('/containers/create', { Image: 'busybox', Cmd: ['sleep', '60'], MacAddress });
  expect(made.json().Warnings).toEqual([expect.stringContaining('container-wide MacAddress field is now deprecated')]);
  await api().post(`/containers/${made.json().Id}/start`);
  expect((await inspect(made.json().Id)).NetworkSettings.Networks.bridge.MacAddress).toBe(MacAddress);
  await remove(made.json().Id);
  const older = await api().post('/v1.43/containers/create', { Image: 'busybox', Cmd: ['sleep', '60'], MacAddress });
  expect(older.json().Warnings).toEqual([]);
  expect((await inspect(older.json().Id)).Config.MacAddress).toBe(MacAddress);
  await remove(older.json().Id);
});

test('an exec has the user, folder, variables, rights and terminal that were asked for', async () => {
  const id = await startContainer(daemon());
  const exec = async (body: object, start: object = {}) => {
    const made = await api().post(`/containers/${id}/exec`, { AttachStdout: true, AttachStderr: true, ...body });
    const answer = await api().post(`/exec/${made.json().Id}/start`, start);
    return (body as { Tty?: boolean }).Tty ? answer.text.trim() : plainText(answer.body).trim();
  };
  const Cmd = ['sh', '-c', 'id -u; pwd; echo $COLOUR'];
  expect(await exec({ Cmd, User: 'nobody', WorkingDir: '/tmp', Env: ['COLOUR=green'] })).toBe('65534\n/tmp\ngreen');
  expect(await exec({ Cmd: ['sh', '-c', 'echo out; echo err >&2'], AttachStderr: false })).toBe('out');
  // crun starts the program first and gives its terminal the size then.
  const patient = 'for i in 1 2 3 4 5 6 7 8 9; do stty size 2>/dev/null && exit; sleep 0.1; done';
  const size = testRuntime === 'crun' ? ['sh', '-c', patient] : ['stty', 'size'];
  expect(await exec({ Cmd: size, Tty: true, ConsoleSize: [22, 66] }, { Tty: true })).toBe('22 66');
  expect(await exec({ Cmd: size, Tty: true }, { Tty: true, ConsoleSize: [23, 67] })).toBe('23 67');
  const caps = ['grep', 'CapEff', '/proc/self/status'];
  expect(await exec({ Cmd: caps, Privileged: true })).not.toBe(await exec({ Cmd: caps }));
  const made = await api().post(`/containers/${id}/exec`, { Cmd: ['touch', '/detached'], DetachKeys: 'ctrl-x,q' });
  expect((await api().get(`/exec/${made.json().Id}/json`)).json().DetachKeys).toBe('ctrl-x,q');
  expect((await api().post(`/exec/${made.json().Id}/start`, { Detach: true })).status).toBe(200);
  await eventually('the detached one', async () => (await outputIn(daemon(), id, 'ls /detached')) === '/detached');
  await remove(id);
});

test('the container that a create of another runtime makes runs on it', async () => {
  const calls = () => readFileSync(join(daemon().folder, 'noting-runtime.calls'), 'utf8');
  const id = await createContainer(daemon(), { HostConfig: { Runtime: 'noting' } });
  expect((await api().post(`/containers/${id}/start`)).status).toBe(204);
  expect((await inspect(id)).HostConfig.Runtime).toBe('noting');
  expect(await outputIn(daemon(), id, 'echo it runs')).toBe('it runs');
  for (const call of ['create', 'start', 'exec']) expect(calls()).toMatch(new RegExp(` ${call} (.* )?${id}$`, 'm'));
  await remove(id);
});

test('the way out is the network of the highest priority', async () => {
  const gateways: string[] = [];
  for (const Name of ['alpha', 'beta']) {
    expect((await api().post('/networks/create', { Name })).status).toBe(201);
    gateways.push((await api().get(`/networks/${Name}`)).json().IPAM.Config[0].Gateway);
  }
  const wayOut = (alpha: number, beta: number) =>
    outputOf(daemon(), 'ip route show default', {
      HostConfig: { NetworkMode: 'alpha' },
      NetworkingConfig: { EndpointsConfig: { alpha: { GwPriority: alpha }, beta: { GwPriority: beta } } },
    });
  expect(await wayOut(0, 1)).toContain(`via ${gateways[1]} `);
  expect(await wayOut(1, 0)).toContain(`via ${gateways[0]} `);
  for (const name of ['alpha', 'beta']) await api().delete(`/networks/${name}`);
});
