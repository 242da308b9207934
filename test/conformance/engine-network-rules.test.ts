import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { daemonForSuite } from '../support/daemon';
import { eventually } from '../support/eventually';
import { PluginAnswer, type PluginQuestion, ScriptedPlugin } from '../support/scripted-plugin';

/** What the engine asks of network and address plugins, and when: the wire as a plugin sees it. */
const folder = mkdtempSync(join(tmpdir(), 'gantry-rules-'));
const nsfsMagic = 0x6e736673;
const macForm = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/;
const gatewayType = { RequestAddressType: 'com.docker.network.gateway' };

let given = 10;
let wires = 0;
/** The sandbox was a network namespace at the time of the question. */
const sandboxes: boolean[] = [];
const plugin = new ScriptedPlugin(join(folder, 'rules.sock'), ['NetworkDriver', 'IpamDriver']);
const usual: ScriptedPlugin['script'] = {
  'NetworkDriver.GetCapabilities': { Scope: 'local', GwAllocChecker: true },
  'NetworkDriver.GwAllocCheck': ({ body }) => ({
    SkipIPv4: body.Options['com.docker.network.generic']?.gateway === 'none',
    SkipIPv6: false,
  }),
  'NetworkDriver.Join': ({ body }) => {
    sandboxes.push(statfsSync(body.SandboxKey).type === nsfsMagic);
    const name = `gtr${process.pid % 10_000}x${wires++}`;
    execFileSync('ip', ['link', 'add', name, 'type', 'veth', 'peer', 'name', `${name}p`]);
    return { InterfaceName: { SrcName: name, DstPrefix: 'eth' }, Gateway: '10.213.88.1' };
  },
  'IpamDriver.GetCapabilities': { RequiresMACAddress: true, RequiresRequestReplay: true },
  'IpamDriver.GetDefaultAddressSpaces': { LocalDefaultAddressSpace: 'near', GlobalDefaultAddressSpace: 'far' },
  'IpamDriver.RequestPool': ({ body }) => ({
    PoolID: `near/${body.Pool || '10.213.88.0/24'}`,
    Pool: body.Pool || '10.213.88.0/24',
    ...(body.Options?.gateway ? { Data: { 'com.docker.network.gateway': body.Options.gateway } } : {}),
  }),
  'IpamDriver.RequestAddress': ({ body }) => ({ Address: `${body.Address || `10.213.88.${given++}`}/24` }),
  'NetworkDriver.ProgramExternalConnectivity': new PluginAnswer('no such method', 404),
};

beforeAll(() => plugin.listen());
afterAll(async () => {
  await plugin.close();
  rmSync(folder, { recursive: true, force: true });
});
const daemon = daemonForSuite({
  config: { plugins: { rules: { socket: plugin.socketPath } } },
  beforeStart: () => {
    plugin.script = usual;
  },
  tidy: (each) => each.removeEverything(),
});
const docker = (...words: string[]) => daemon().cli.ok(...words);
const drivers = ['-d', 'rules', '--ipam-driver', 'rules'];
const names = (questions: readonly PluginQuestion[]) => questions.map(({ method }) => method);

beforeEach(() => {
  plugin.script = usual;
  plugin.reset();
});

test('a network takes a pool, the gateway and then the auxiliary addresses, and gives them back before the pool (P-IPAM-1)', async () => {
  const pool = ['--subnet', '10.213.88.0/24', '--gateway', '10.213.88.1', '--aux-address', 'printer=10.213.88.7'];
  await docker('network', 'create', ...drivers, ...pool, '--ipam-opt', 'shelf=top', 'ordered');
  expect(plugin.asked('IpamDriver').map(({ method, body }) => [method, body])).toEqual([
    ['IpamDriver.GetDefaultAddressSpaces', undefined],
    [
      'IpamDriver.RequestPool',
      { AddressSpace: 'near', Pool: '10.213.88.0/24', SubPool: '', Options: { shelf: 'top' }, V6: false },
    ],
    ['IpamDriver.RequestAddress', { PoolID: 'near/10.213.88.0/24', Address: '10.213.88.1', Options: gatewayType }],
    ['IpamDriver.RequestAddress', { PoolID: 'near/10.213.88.0/24', Address: '10.213.88.7', Options: {} }],
  ]);
  plugin.reset();
  await docker('network', 'rm', 'ordered');
  const back = plugin.asked('IpamDriver', 'NetworkDriver').map(({ method, body }) => [method, body.Address]);
  expect(back[0]).toEqual(['NetworkDriver.DeleteNetwork', undefined]);
  expect(back.slice(1, 3).sort()).toEqual([
    ['IpamDriver.ReleaseAddress', '10.213.88.1'],
    ['IpamDriver.ReleaseAddress', '10.213.88.7'],
  ]);
  expect(back.slice(3)).toEqual([['IpamDriver.ReleasePool', undefined]]);
});

test('no gateway is asked for when the pool came with one (P-IPAM-1)', async () => {
  await docker('network', 'create', ...drivers, '--ipam-opt', 'gateway=10.213.88.254/24', 'fixed');
  expect(names(plugin.asked('IpamDriver'))).not.toContain('IpamDriver.RequestAddress');
  const [{ IPv4Data }] = plugin.bodies('NetworkDriver.CreateNetwork');
  expect(IPv4Data).toEqual([expect.objectContaining({ AddressSpace: 'near', Gateway: '10.213.88.254/24' })]);
  expect(await docker('network', 'inspect', '-f', '{{json .IPAM.Config}}', 'fixed')).toContain('10.213.88.254');
  await docker('network', 'rm', 'fixed');
});

test('a network driver that says so is asked whether it needs a gateway before anything is made (P-NET-5)', async () => {
  await docker('network', 'create', ...drivers, '-o', 'gateway=none', 'without');
  const order = names(plugin.asked('NetworkDriver', 'IpamDriver'));
  expect(order.filter((method) => /GwAlloc|Create/.test(method))).toEqual([
    'NetworkDriver.GwAllocCheck',
    'NetworkDriver.CreateNetwork',
  ]);
  expect(order).not.toContain('IpamDriver.RequestAddress');
  expect(plugin.bodies('NetworkDriver.GwAllocCheck')[0].Options['com.docker.network.generic']).toEqual({
    gateway: 'none',
  });
  await docker('network', 'rm', 'without');
});

test('a network whose driver refuses to delete it goes, as with dockerd, and what it said is in the log', async () => {
  await docker('network', 'create', ...drivers, 'stubborn');
  plugin.script = { ...usual, 'NetworkDriver.DeleteNetwork': { Err: 'no such network here' } };
  expect(await docker('network', 'rm', 'stubborn')).toBe('stubborn');
  expect(daemon().log).toMatch(/driver error deleting network.*stubborn.*remote: no such network here/);
  expect(names(plugin.asked('IpamDriver')).at(-1)).toBe('IpamDriver.ReleasePool');
  expect(await docker('network', 'ls', '-q', '--filter', 'name=stubborn')).toBe('');
});

test('what a driver says is shown as coming from afar, and what it says with a status as it is (P-CALL-8)', async () => {
  const said = async () => (await daemon().cli.run(['network', 'create', ...drivers, 'never'])).stderr.trim();
  const when = (method: string, answer: object | PluginAnswer) => {
    plugin.script = { ...usual, [method]: answer };
  };
  when('NetworkDriver.CreateNetwork', { Err: 'it is broken' });
  expect(await said()).toBe('Error response from daemon: remote: it is broken');
  when('NetworkDriver.CreateNetwork', new PluginAnswer({ Err: 'five hundred' }, 500));
  expect(await said()).toBe('Error response from daemon: NetworkDriver.CreateNetwork: five hundred');
  when('IpamDriver.RequestPool', { Error: 'it is broken' });
  expect(await said()).toBe('Error response from daemon: remote: it is broken');
  when('IpamDriver.RequestPool', new PluginAnswer('raw text', 500));
  expect(await said()).toBe('Error response from daemon: IpamDriver.RequestPool: raw text');
});

test('each request for a pool is given back by itself, and a range without its pool goes to nobody (P-IPAM-2)', async () => {
  const pool = ['--subnet', '10.213.88.0/24', '--ip-range', '10.213.88.128/25'];
  for (const name of ['left', 'right']) await docker('network', 'create', ...drivers, ...pool, name);
  const [left, right] = plugin.bodies('IpamDriver.RequestPool');
  expect(left).toMatchObject({ Pool: '10.213.88.0/24', SubPool: '10.213.88.128/25' });
  expect(right).toEqual(left);
  await docker('network', 'rm', 'left');
  expect(plugin.bodies('IpamDriver.ReleasePool')).toHaveLength(1);
  await docker('network', 'rm', 'right');
  expect(plugin.bodies('IpamDriver.ReleasePool')).toHaveLength(2);
  plugin.reset();
  const IPAM = { Driver: 'rules', Config: [{ IPRange: '10.213.88.128/25' }] };
  const odd = await daemon().api.post('/networks/create', { Name: 'odd', Driver: 'rules', IPAM });
  expect(odd.status).toBe(400);
  expect(plugin.bodies('IpamDriver.RequestPool')).toEqual([]);
});

test('an address is asked for with the MAC address it is for, the user’s or one that was made (P-IPAM-5), for a sandbox that is there (P-NET-8)', async () => {
  await docker('network', 'create', ...drivers, 'carded');
  plugin.reset();
  const run = (name: string, ...more: string[]) =>
    docker('run', '-d', '--name', name, '--network', 'carded', ...more, 'busybox', 'sleep', '600');
  await run('own', '--mac-address', '02:42:ac:11:00:53');
  await run('made');
  const macs = plugin
    .bodies('IpamDriver.RequestAddress')
    .map(({ Options }) => Options['com.docker.network.endpoint.macaddress']);
  expect(macs).toEqual(['02:42:ac:11:00:53', expect.stringMatching(macForm)]);
  const shown = await docker('inspect', '-f', '{{.NetworkSettings.Networks.carded.MacAddress}}', 'own', 'made');
  expect(shown.split('\n')).toEqual(macs);
  const keys = plugin.bodies('NetworkDriver.Join').map(({ SandboxKey }) => SandboxKey);
  expect(keys).toEqual([expect.stringMatching(/^\//), expect.stringMatching(/^\//)]);
  expect(sandboxes.splice(0)).toEqual([true, true]);
  expect(await docker('inspect', '-f', '{{.NetworkSettings.SandboxKey}}', 'own')).toBe(keys[0]);
  await docker('rm', '-f', 'own', 'made');
  await docker('network', 'rm', 'carded');
});

test('an address driver that keeps no books is told them after a stop and after a kill, and its failure is only logged (P-IPAM-6)', async () => {
  const pool = ['--subnet', '10.213.88.0/24', '--gateway', '10.213.88.1', '--aux-address', 'printer=10.213.88.7'];
  await docker('network', 'create', ...drivers, ...pool, 'kept');
  await docker('run', '-d', '--name', 'stays', '--stop-signal', 'KILL', '--network', 'kept', 'busybox', 'sleep', '600');
  const look = async () =>
    JSON.parse(await docker('inspect', '-f', '{{json .NetworkSettings.Networks.kept}}', 'stays'));
  const { IPAddress, MacAddress } = await look();
  const told = () =>
    plugin.asked('IpamDriver').map(({ method, body }) => [method, body?.Address ?? body?.Pool, body?.Options]);
  for (const end of ['kill', 'stop'] as const) {
    plugin.reset();
    await daemon()[end]();
    const before = end === 'stop' ? told().length : 0;
    await daemon().start();
    const running = end === 'kill';
    const endpoint = ['IpamDriver.RequestAddress', IPAddress, { 'com.docker.network.endpoint.macaddress': MacAddress }];
    await eventually('the books to be told', () => told().length >= before + (running ? 4 : 3));
    expect(told().slice(before)).toEqual([
      ['IpamDriver.RequestPool', '10.213.88.0/24', {}],
      ['IpamDriver.RequestAddress', '10.213.88.1', gatewayType],
      ['IpamDriver.RequestAddress', '10.213.88.7', {}],
      ...(running ? [endpoint] : []),
    ]);
  }
  plugin.script = { ...usual, 'IpamDriver.RequestPool': { Error: 'the shelf is gone' } };
  const said = daemon().log.length;
  await daemon().kill();
  await daemon().start();
  await eventually('the failure in the log', () =>
    /could not be entered.*the shelf is gone/.test(daemon().log.slice(said)),
  );
  expect(await docker('network', 'inspect', '-f', '{{.Name}}', 'kept')).toBe('kept');
  await docker('rm', '-f', 'stays');
  await docker('network', 'rm', 'kept');
});

test('ports are programmed through the network that is the way out, and go when another one is; a 404 means it has none (P-NET-10, P-CALL-9)', async () => {
  for (const name of ['first', 'second']) await docker('network', 'create', ...drivers, name);
  const ids = (await docker('network', 'inspect', '-f', '{{.Id}}', 'first', 'second')).split('\n');
  await docker('run', '-d', '--name', 'web', '--network', 'first', '-p', '127.0.0.1::80', 'busybox', 'sleep', '600');
  const outside = () =>
    plugin.questions
      .filter(({ method }) => method.endsWith('ExternalConnectivity'))
      .map(({ method, body }) => [method.split('.')[1], body.NetworkID]);
  expect(outside()).toEqual([['ProgramExternalConnectivity', ids[0]]]);
  expect(plugin.bodies('NetworkDriver.ProgramExternalConnectivity')[0].Options['com.docker.network.portmap']).toEqual([
    expect.objectContaining({ Proto: 6, Port: 80, HostIP: '127.0.0.1' }),
  ]);
  await docker('network', 'connect', '--gw-priority', '5', 'second', 'web');
  expect(outside().slice(1)).toEqual([
    ['RevokeExternalConnectivity', ids[0]],
    ['ProgramExternalConnectivity', ids[1]],
  ]);
  await docker('rm', '-f', 'web');
  expect(outside().slice(3)).toEqual([['RevokeExternalConnectivity', ids[1]]]);
  await docker('network', 'rm', 'first', 'second');
});
