import { daemonForSuite } from '../support/daemon';

const daemon = daemonForSuite({ tidy: (each) => each.removeEverything() });
const api = () => daemon().api;
const remove = (name: string) => api().delete(`/containers/${name}?force=1&v=1`);

async function create(name: string, body: Record<string, unknown> = {}): Promise<string> {
  const answer = await api().post(`/containers/create?name=${name}`, {
    Image: 'busybox',
    Cmd: ['sleep', '600'],
    ...body,
  });
  expect(answer).toMatchObject({ status: 201 });
  return answer.json<{ Id: string }>().Id;
}

const start = (name: string) => api().post(`/containers/${name}/start`);

async function list(filters: Record<string, string[]>, more = ''): Promise<string> {
  const answer = await api().get(`/containers/json?filters=${encodeURIComponent(JSON.stringify(filters))}${more}`);
  expect(answer).toMatchObject({ status: 200 });
  return answer
    .json<{ Names: string[] }[]>()
    .map(({ Names }) => Names[0]!.slice(1))
    .join(' ');
}

test('a list is narrowed by every filter dockerd knows', async () => {
  await api().post('/networks/create', { Name: 'mesh' });
  const first = await create('first', { Labels: { kind: 'a', both: '1' } });
  await create('second', {
    Labels: { kind: 'b', both: '1' },
    ExposedPorts: { '81/tcp': {} },
    Healthcheck: { Test: ['CMD', 'true'], Interval: 100_000_000 },
    HostConfig: { NetworkMode: 'mesh', PortBindings: { '80/tcp': [{ HostIp: '127.0.0.1' }] }, Binds: ['data:/d'] },
  });
  await create('third', { Cmd: ['sh', '-c', 'exit 3'] });
  await start('second');
  await start('third');
  await api().post('/containers/third/wait');
  const all = '&all=1';
  expect(await list({})).toBe('second');
  expect(await list({}, all)).toBe('third second first');
  expect(await list({}, '&limit=2')).toBe('third second');
  expect(await list({ id: [first.slice(0, 12)] }, all)).toBe('first');
  expect(await list({ name: ['^/?f', 'third'] }, all)).toBe('third first');
  expect(await list({ label: ['both', 'kind=b'] }, all)).toBe('second');
  expect(await list({ status: ['created', 'exited'] })).toBe('third first');
  expect(await list({ exited: ['3'] }, all)).toBe('third');
  expect(await list({ exited: ['0'] }, all)).toBe('');
  expect(await list({ before: ['third'] }, all)).toBe('second first');
  expect(await list({ since: ['first'] }, all)).toBe('third second');
  expect(await list({ since: ['first'], before: [first] }, all)).toBe('');
  expect(await list({ volume: ['data'] })).toBe('second');
  expect(await list({ volume: ['/d'] })).toBe('second');
  expect(await list({ network: ['mesh'] })).toBe('second');
  expect(await list({ publish: ['80'] })).toBe('second');
  expect(await list({ publish: ['70-90/tcp'] })).toBe('second');
  expect(await list({ publish: ['80/udp'] })).toBe('');
  expect(await list({ expose: ['81/tcp'] })).toBe('second');
  expect(await list({ ancestor: ['busybox:latest'] }, all)).toBe('third second first');
  expect(await list({ 'is-task': ['false'] })).toBe('second');
  expect(await list({ 'is-task': ['true'] }, all)).toBe('');
  expect(await list({ health: ['none'] }, all)).toBe('third first');
  await Promise.all(['first', 'second', 'third'].map(remove));
  await api().delete('/networks/mesh');
  await api().delete('/volumes/data');
});

test.each([
  [{ nonsense: ['x'] }, "invalid filter 'nonsense'"],
  [
    { status: ['asleep'] },
    "invalid filter 'status=asleep': invalid value for state (asleep): must be one of created, running, paused, restarting, removing, exited, dead",
  ],
  [{ health: ['fine'] }, "invalid filter 'health=fine'"],
  [{ exited: ['one'] }, "invalid filter 'exited=one'"],
  [{ 'is-task': ['maybe'] }, "invalid filter 'is-task=[maybe]'"],
])('the filter %j is refused by name', async (filters, message) => {
  const answer = await api().get(`/containers/json?filters=${encodeURIComponent(JSON.stringify(filters))}`);
  expect(answer.status).toBe(400);
  expect(answer.json().message).toContain(message);
});

test('a filter by a container that is not there is 404', async () => {
  const answer = await api().get(`/containers/json?filters=${encodeURIComponent('{"since":["nobody"]}')}`);
  expect(answer).toMatchObject({ status: 404 });
  expect(answer.json()).toEqual({ message: 'No such container: nobody' });
});

test('sizes are told when they are asked for, in lists and in inspect', async () => {
  await create('large', { Cmd: ['sh', '-c', 'head -c 5000 /dev/zero >/file'] });
  await start('large');
  await api().post('/containers/large/wait');
  const [row] = (await api().get('/containers/json?all=1&size=1')).json<Record<string, number>[]>();
  expect(row).toMatchObject({ SizeRw: 5000 });
  expect(row!.SizeRootFs).toBeGreaterThan(5000);
  expect((await api().get('/containers/json?all=1')).json()[0]).not.toHaveProperty('SizeRw');
  expect((await api().get('/containers/large/json?size=1')).json()).toMatchObject({ SizeRw: 5000 });
  expect((await api().get('/containers/large/json')).json()).not.toHaveProperty('SizeRw');
  await remove('large');
});

test('prune removes what is stopped and matches, and says how much was freed', async () => {
  await create('kept-by-label', { Labels: { keep: 'yes' } });
  await create('gone', { Cmd: ['sh', '-c', 'head -c 7000 /dev/zero >/file'], Labels: { drop: '1' } });
  await create('up');
  await start('up');
  await start('gone');
  await api().post('/containers/gone/wait');
  const prune = async (filters: Record<string, string[]>) =>
    api().post(`/containers/prune?filters=${encodeURIComponent(JSON.stringify(filters))}`);
  expect((await prune({ until: ['1h'] })).json()).toEqual({ ContainersDeleted: null, SpaceReclaimed: 0 });
  expect((await prune({ label: ['drop=2'] })).json().ContainersDeleted).toBeNull();
  const pruned = (await prune({ 'label!': ['keep'], until: ['0s'] })).json();
  expect(pruned).toEqual({ ContainersDeleted: [expect.stringMatching(/^[0-9a-f]{64}$/)], SpaceReclaimed: 7000 });
  expect(await list({}, '&all=1')).toBe('up kept-by-label');
  expect((await prune({ name: ['x'] })).json().message).toContain("invalid filter 'name'");
  expect((await prune({ until: ['soon'] })).status).toBe(400);
  expect(await daemon().cli.ok('container', 'prune', '-f', '--filter', 'label=keep=yes')).toContain(
    'reclaimed space: 0B',
  );
  expect(await list({}, '&all=1')).toBe('up');
  await remove('up');
});

test('an inspection shows every change at once, however often it was looked at before', async () => {
  const id = await create('looked-at');
  await api().post('/networks/create', { Name: 'mesh' });
  const look = async () => {
    const twice = [await api().get(`/containers/${id}/json`), await api().get(`/containers/${id}/json`)];
    expect(twice[0]!.text).toBe(twice[1]!.text);
    const { Name, State, HostConfig, NetworkSettings, ExecIDs } = twice[1]!.json();
    return { Name, Status: State.Status, HostConfig, Networks: Object.keys(NetworkSettings.Networks), ExecIDs };
  };
  expect(await look()).toMatchObject({ Name: '/looked-at', Status: 'created' });
  await start(id);
  expect(await look()).toMatchObject({ Status: 'running', Networks: ['bridge'], ExecIDs: null });
  await api().post('/networks/mesh/connect', { Container: id });
  expect(await look()).toMatchObject({ Networks: expect.arrayContaining(['bridge', 'mesh']) });
  await api().post(`/containers/${id}/rename?name=renamed`);
  expect(await look()).toMatchObject({ Name: '/renamed' });
  await api().post(`/containers/${id}/update`, { Memory: 33554432, MemorySwap: -1 });
  expect(await look()).toMatchObject({ HostConfig: { Memory: 33554432 } });
  const { Id: exec } = (await api().post(`/containers/${id}/exec`, { Cmd: ['true'] })).json();
  expect(await look()).toMatchObject({ ExecIDs: [exec] });
  await api().post('/networks/mesh/disconnect', { Container: id });
  expect(await look()).toMatchObject({ Networks: ['bridge'] });
  await api().post(`/containers/${id}/pause`);
  expect(await look()).toMatchObject({ Status: 'paused' });
  await api().post(`/containers/${id}/unpause`);
  await api().post(`/containers/${id}/kill`);
  await api().post(`/containers/${id}/wait`);
  expect(await look()).toMatchObject({ Status: 'exited' });
});
