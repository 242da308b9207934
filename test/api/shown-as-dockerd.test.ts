import { daemonForSuite } from '../support/daemon';

const daemon = daemonForSuite();
const api = () => daemon().api;
const create = (name: string, body: Record<string, unknown> = {}) =>
  api().post(`/containers/create?name=${name}`, { Image: 'busybox', Cmd: ['sleep', '60'], ...body });
const inspect = async (name: string) => (await api().get(`/containers/${name}/json`)).json();
const remove = (...names: string[]) =>
  Promise.all(names.map((name) => api().delete(`/containers/${name}?force=1&v=1`)));
/** What a container that ran prints. */
const output = async (name: string) => {
  expect((await api().post(`/containers/${name}/start`)).status).toBe(204);
  expect((await api().post(`/containers/${name}/wait`)).json()).toEqual({ StatusCode: 0 });
  return (await api().get(`/containers/${name}/logs?stdout=1`)).text;
};

describe('what was asked of a container', () => {
  test('lists that the client did not send are null, and those it sent empty are empty', async () => {
    await create('unsaid');
    await create('said', { HostConfig: { Dns: [], PortBindings: {}, Devices: [] } });
    const empty = { BlkioDeviceReadBps: null, DnsSearch: null };
    expect((await inspect('unsaid')).HostConfig).toMatchObject({
      Dns: null,
      PortBindings: null,
      Devices: null,
      ...empty,
    });
    expect((await inspect('said')).HostConfig).toMatchObject({ Dns: [], PortBindings: {}, Devices: [], ...empty });
    await daemon().kill();
    await daemon().start();
    expect((await inspect('unsaid')).HostConfig).toMatchObject({ Dns: null, PortBindings: null });
    await remove('unsaid', 'said');
  });

  test('empty maps and words that the API leaves out are left out', async () => {
    await create('spare', {
      ExposedPorts: {},
      StopSignal: '',
      HostConfig: { Tmpfs: {}, Sysctls: {}, StorageOpt: {}, Annotations: {}, Mounts: [], Links: [] },
    });
    const { Config, HostConfig } = await inspect('spare');
    for (const key of ['Tmpfs', 'Sysctls', 'StorageOpt', 'Annotations', 'Mounts'])
      expect(HostConfig).not.toHaveProperty(key);
    for (const key of ['ExposedPorts', 'StopSignal']) expect(Config).not.toHaveProperty(key);
    expect(HostConfig.Links).toBeNull();
    await remove('spare');
  });

  test('there is no log file before the first start', async () => {
    await create('silent');
    expect((await inspect('silent')).LogPath).toBe('');
    await api().post('/containers/silent/start');
    expect((await inspect('silent')).LogPath).toMatch(/-json\.log$/);
    await remove('silent');
  });

  test.each([{ Privileged: true }, { PidMode: 'host' }, { IpcMode: 'host' }])(
    'a container with %j is shown without a security label',
    async (host) => {
      await create('open', { HostConfig: { ...host, SecurityOpt: ['no-new-privileges'] } });
      expect((await inspect('open')).HostConfig.SecurityOpt).toEqual(['no-new-privileges', 'label=disable']);
      await remove('open');
    },
  );

  test('a MAC address is shown wherever clients look for it', async () => {
    const MacAddress = '02:42:ac:11:00:77';
    await create('carded', { NetworkingConfig: { EndpointsConfig: { bridge: { MacAddress } } } });
    const { Config, NetworkSettings } = await inspect('carded');
    expect([Config.MacAddress, NetworkSettings.MacAddress, NetworkSettings.Networks.bridge.MacAddress]).toEqual(
      Array(3).fill(MacAddress),
    );
    await remove('carded');
  });

  test('a tmpfs of Mounts is among the mounts, and one of Tmpfs is not', async () => {
    await create('mounted', { HostConfig: { Mounts: [{ Type: 'tmpfs', Target: '/a' }], Tmpfs: { '/b': '' } } });
    const tmpfs = { Type: 'tmpfs', Source: '', Destination: '/a', Mode: '', RW: true, Propagation: '' };
    expect((await inspect('mounted')).Mounts).toEqual([tmpfs]);
    expect((await api().get('/containers/json?all=1')).json()).toMatchObject([{ Mounts: [tmpfs] }]);
    await remove('mounted');
  });

  test('a working directory is shown without detours', async () => {
    await create('walked', { WorkingDir: '/a/../b/' });
    expect((await inspect('walked')).Config.WorkingDir).toBe('/b');
    await remove('walked');
  });
});

test('a container is connected to the networks it names and to no other', async () => {
  await api().post('/networks/create', { Name: 'chosen' });
  await create('connected', { NetworkingConfig: { EndpointsConfig: { chosen: {} } } });
  await api().post('/containers/connected/start');
  expect(Object.keys((await inspect('connected')).NetworkSettings.Networks)).toEqual(['chosen']);
  await remove('connected');
  await api().delete('/networks/chosen');
});

describe('what a create request names and is not there is no missing image', () => {
  test.each([
    [{ VolumesFrom: ['nobody'] }, 'No such container: nobody'],
    [{ PidMode: 'container:nobody' }, 'No such container: nobody'],
    [{ IpcMode: 'container:nobody' }, 'No such container: nobody'],
  ])('%j', async (HostConfig, message) => {
    const answer = await create('lonely', { HostConfig });
    expect([answer.status, answer.json()]).toEqual([400, { message }]);
  });
});

test.each([
  ['POST', '/containers/nobody/kill', 404, 'cannot kill container: nobody: No such container: nobody'],
  [
    'POST',
    '/containers/there/kill?signal=99',
    400,
    'cannot kill container: there: the linux daemon does not support signal 99',
  ],
  ['POST', '/containers/there/resize?w=1', 400, 'invalid resize height "": invalid syntax'],
  ['POST', '/containers/there/resize?h=1&w=x', 400, 'invalid resize width "x": invalid syntax'],
  ['POST', '/containers/there/resize?h=-1&w=1', 400, 'invalid resize height "-1": value out of range'],
  [
    'POST',
    '/containers/there/rename?name=a%20b',
    400,
    'Error when allocating new name: Invalid container name (/a b), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed',
  ],
  [
    'GET',
    '/containers/json?filters={"status":["lost"]}',
    400,
    "invalid filter 'status=lost': invalid value for state (lost): must be one of created, running, paused, restarting, removing, exited, dead",
  ],
  [
    'POST',
    '/swarm/unlock',
    503,
    'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.',
  ],
] as const)('%s %s is refused in dockerd’s words', async (method, path, status, message) => {
  await create('there');
  const answer = await api().request(method, path, {});
  expect([answer.status, answer.json()]).toEqual([status, { message }]);
  await remove('there');
});

test('a privileged container may write to the kernel’s trees, even with a read-only root', async () => {
  const Cmd = [
    'sh',
    '-c',
    "grep -E ' /sys(/fs/cgroup/pids)? ' /proc/self/mounts | cut -d' ' -f4 | cut -d, -f1; touch /x 2>&1; true",
  ];
  await create('sealed', { Cmd, HostConfig: { Privileged: true, ReadonlyRootfs: true } });
  const text = await output('sealed');
  expect(text).toContain('rw\n');
  expect(text).not.toContain('ro\n');
  expect(text).toContain('Read-only file system');
  await remove('sealed');
});

test('control groups are writable for a container that asks for it', async () => {
  const Cmd = [
    'sh',
    '-c',
    'mkdir "$(ls -d /sys/fs/cgroup/pids /sys/fs/cgroup 2>/dev/null | head -n 1)/inner" && echo made',
  ];
  await create('nested', { Cmd, HostConfig: { SecurityOpt: ['writable-cgroups=true'] } });
  expect(await output('nested')).toContain('made');
  await remove('nested');
});

test('an image mount is read-only, and the client is told that it is an experiment', async () => {
  const Mounts = [{ Type: 'image', Source: 'busybox', Target: '/image' }];
  const made = await create('reader', { Cmd: ['sh', '-c', 'touch /image/x 2>&1 || true'], HostConfig: { Mounts } });
  expect(made.json().Warnings).toEqual(['Image mount is an experimental feature']);
  expect(await output('reader')).toContain('Read-only file system');
  expect((await inspect('reader')).Mounts).toMatchObject([{ Type: 'image', Name: 'busybox', RW: false }]);
  await remove('reader');
});

test('a host name with dots is known without them too', async () => {
  await create('dotted', { Hostname: 'a.b.c', Cmd: ['tail', '-n', '1', '/etc/hosts'] });
  expect(await output('dotted')).toMatch(/\ta\.b\.c a\n/);
  await remove('dotted');
});

test('only who asks for another protocol is told which one the stream has', async () => {
  await create('streaming', { Cmd: ['sleep', '60'] });
  await api().post('/containers/streaming/start');
  const exec = async () =>
    (await api().post('/containers/streaming/exec', { Cmd: ['true'], AttachStdout: true })).json<{ Id: string }>().Id;
  const plain = await api().post(`/exec/${await exec()}/start`, {});
  expect(plain.headers['content-type']).toBe('application/vnd.docker.raw-stream');
  await remove('streaming');
});

test('the start of an exec decides how its output comes, not its creation', async () => {
  await create('shaped', { Cmd: ['sleep', '60'] });
  await api().post('/containers/shaped/start');
  const outputOf = async (create: object, start: object) => {
    const Cmd = ['sh', '-c', 'echo out; echo err >&2'];
    const body = { Cmd, AttachStdout: true, AttachStderr: true, ...create };
    const { Id } = (await api().post('/containers/shaped/exec', body)).json();
    return (await api().post(`/exec/${Id}/start`, start)).text;
  };
  const frame = (stream: number, line: string) => `${String.fromCharCode(stream, 0, 0, 0, 0, 0, 0)}${line}`;
  expect(await outputOf({}, { Tty: true })).toBe('out\n');
  const ofTerminal = await outputOf({ Tty: true }, {});
  expect(ofTerminal.startsWith(frame(1, ''))).toBe(true);
  expect(ofTerminal).toContain('err\r\n');
  await remove('shaped');
});

test('a body is judged before what it is about, and an unknown user before an exec is made', async () => {
  await create('strict', { Cmd: ['sleep', '60'] });
  await api().post('/containers/strict/start');
  const raw = (path: string, body: string, type = 'application/json') =>
    api().request('POST', path, { body, headers: { 'Content-Type': type } });
  const refusal = ({ status, json }: Awaited<ReturnType<typeof raw>>) => [status, json<{ message: string }>().message];
  for (const path of [
    '/containers/nope/exec',
    '/exec/nope/start',
    '/containers/nope/update',
    '/plugins/pull',
    '/plugins/nope/upgrade',
  ]) {
    expect(refusal(await raw(path, '{}', 'text/plain'))).toEqual([
      400,
      expect.stringMatching(/^unsupported Content-Type header \(text\/plain\)/),
    ]);
    expect(refusal(await raw(path, '{invalid'))).toEqual([400, expect.stringMatching(/^invalid JSON: /)]);
    expect(refusal(await raw(path, '{} trailing'))).toEqual([400, 'unexpected content after JSON']);
  }
  expect(refusal(await api().post('/containers/strict/exec', { Cmd: ['true'], User: 'nobody-here' }))).toEqual([
    400,
    'unable to find user nobody-here: no matching entries in passwd file',
  ]);
  expect((await inspect('strict')).ExecIDs).toBeNull();
  await remove('strict');
});

test('the root as a whole and what is in it are different archives', async () => {
  await create('rooted');
  const folder = async (path: string) =>
    /\0(\.?\/bin)\/\0/.exec((await api().get(`/containers/rooted/archive?path=${path}`)).text)?.[1];
  expect(await Promise.all(['/', '/.', '.', './', '/./'].map(folder))).toEqual(['/bin', ...Array(4).fill('./bin')]);
  await remove('rooted');
});

test('images tell how many containers use them, from 1.51 on', async () => {
  await create('user');
  const counted = async (version: string) => (await api().get(`/${version}/images/json`)).json()[0].Containers;
  expect([await counted('v1.51'), await counted('v1.50')]).toEqual([1, -1]);
  await remove('user');
});
