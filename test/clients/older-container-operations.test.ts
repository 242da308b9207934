import { daemonForSuite } from '../support/daemon';
import { eventually } from '../support/eventually';

const daemon = daemonForSuite();
const api = () => daemon().api;
const get = async (path: string) => (await api().get(path)).json();
const create = async (name: string, body: Record<string, unknown>, version = 'v1.51'): Promise<string> => {
  const answer = await api().post(`/${version}/containers/create?name=${name}`, { Image: 'busybox', ...body });
  expect(answer).toMatchObject({ status: 201 });
  return answer.json<{ Id: string }>().Id;
};
const remove = (...names: string[]) => Promise.all(names.map((name) => api().delete(`/containers/${name}?force=1`)));

test('the short id is among the aliases on networks of the user before 1.45', async () => {
  expect((await api().post('/networks/create', { Name: 'own' })).status).toBe(201);
  const id = await create('aliased', { Cmd: ['true'], HostConfig: { NetworkMode: 'own' } });
  await create('unnamed', { Cmd: ['true'] });
  const aliases = async (version: string, name: string, network: string) =>
    (await get(`/${version}/containers/${name}/json`)).NetworkSettings.Networks[network].Aliases;
  expect(await aliases('v1.44', 'aliased', 'own')).toEqual([id.slice(0, 12)]);
  expect(await aliases('v1.45', 'aliased', 'own')).toBeNull();
  expect(await aliases('v1.44', 'unnamed', 'bridge')).toBeNull();
  await remove('aliased', 'unnamed');
  await api().delete('/networks/own');
});

test('annotations are listed from 1.46 on', async () => {
  await create('noted', { Cmd: ['true'], HostConfig: { Annotations: { note: 'x' } } });
  const listed = async (version: string) => (await get(`/${version}/containers/json?all=1`))[0].HostConfig;
  expect(await listed('v1.45')).toEqual({ NetworkMode: 'bridge' });
  expect(await listed('v1.46')).toEqual({ NetworkMode: 'bridge', Annotations: { note: 'x' } });
  await remove('noted');
});

test('stop knows a signal from 1.42 on', async () => {
  const Cmd = ['sh', '-c', 'trap "exit 3" TERM; trap "exit 4" INT; echo ready; while :; do sleep 0.05; done'];
  const exitCode = async (version: string) => {
    await create('signalled', { Cmd });
    await api().post('/containers/signalled/start');
    await eventually('the traps', async () =>
      (await api().get('/containers/signalled/logs?stdout=1')).text.includes('ready'),
    );
    expect((await api().post(`/${version}/containers/signalled/stop?signal=INT&t=20`)).status).toBe(204);
    const { State } = await get('/containers/signalled/json');
    await remove('signalled');
    return State.ExitCode;
  };
  expect(await exitCode('v1.41')).toBe(3);
  expect(await exitCode('v1.42')).toBe(4);
});

test('the limit of processes can be updated from 1.40 on, and lifted', async () => {
  await create('limited', { Cmd: ['sleep', '600'] });
  await api().post('/containers/limited/start');
  const update = async (version: string, PidsLimit: number) => {
    expect((await api().post(`/${version}/containers/limited/update`, { PidsLimit })).status).toBe(200);
    return (await get('/containers/limited/json')).HostConfig.PidsLimit;
  };
  expect(await update('v1.39', 50)).toBeNull();
  expect(await update('v1.40', 50)).toBe(50);
  const limit = async () => (await get('/containers/limited/stats?stream=0&one-shot=1')).pids_stats.limit;
  expect(await limit()).toBe(50);
  expect(await update('v1.51', -1)).toBe(0);
  expect(await limit()).not.toBe(50);
  await remove('limited');
});

test('kernel memory in an update is not looked at from 1.42 on', async () => {
  await create('kernel', { Cmd: ['true'] });
  expect((await api().post('/v1.42/containers/kernel/update', { KernelMemory: 1 << 30 })).status).toBe(200);
  expect((await api().post('/v1.41/containers/kernel/update', { KernelMemory: 1 << 30 })).status).toBe(400);
  await remove('kernel');
});

test('the size of a terminal can be given to an exec from 1.42 on', async () => {
  await create('sized', { Cmd: ['sleep', '600'] });
  await api().post('/containers/sized/start');
  const size = async (version: string) => {
    const body = { Cmd: ['stty', 'size'], Tty: true, AttachStdout: true, ConsoleSize: [33, 77] };
    const { Id } = (await api().post(`/${version}/containers/sized/exec`, body)).json();
    return (await api().post(`/${version}/exec/${Id}/start`, { Tty: true, ConsoleSize: [33, 77] })).text.trim();
  };
  expect(await size('v1.41')).not.toBe('33 77');
  expect(await size('v1.42')).toBe('33 77');
  await remove('sized');
});

test('one-shot statistics exist from 1.41 on, and do not go with a stream', async () => {
  await create('counted', { Cmd: ['sleep', '600'] });
  await api().post('/containers/counted/start');
  const preread = async (version: string) =>
    (await get(`/${version}/containers/counted/stats?stream=0&one-shot=1`)).preread;
  expect(await preread('v1.40')).not.toBe('0001-01-01T00:00:00Z');
  expect(await preread('v1.41')).toBe('0001-01-01T00:00:00Z');
  const both = await api().get('/v1.51/containers/counted/stats?stream=1&one-shot=1');
  expect(both.status).toBe(400);
  expect(both.json()).toEqual({ message: 'cannot have stream=true and one-shot=true' });
  await remove('counted');
});

test('a start has had no body since 1.24', async () => {
  await create('bodiless', { Cmd: ['true'] });
  const refused = await api().post('/v1.24/containers/bodiless/start', { PidsLimit: 5 });
  expect(refused.status).toBe(400);
  expect(refused.json<{ message: string }>().message).toContain('starting container with non-empty request body');
  expect((await api().post('/v1.24/containers/bodiless/start', {})).status).toBe(204);
  await remove('bodiless');
});

test('before 1.30 the answer of a wait comes whole, with the exit', async () => {
  await create('waited', { Cmd: ['sh', '-c', 'exit 7'] });
  await api().post('/containers/waited/start');
  const old = await api().post('/v1.29/containers/waited/wait');
  expect(old.json()).toEqual({ StatusCode: 7 });
  expect(old.headers['content-length']).toBeDefined();
  expect((await api().post('/v1.30/containers/waited/wait')).headers['transfer-encoding']).toBe('chunked');
  await remove('waited');
});

test('a container that could not start tells why to those who wait', async () => {
  await create('broken', { Cmd: ['/not-there'] });
  expect((await api().post('/containers/broken/start')).status).toBe(400);
  const exit = (await api().post('/containers/broken/wait')).json();
  expect(exit).toMatchObject({ StatusCode: 127, Error: { Message: expect.stringContaining('/not-there') } });
  await remove('broken');
});
