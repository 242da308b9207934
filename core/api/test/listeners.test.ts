import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { activatedFds } from '../listeners/activated-sockets';
import { parseListenAddress } from '../listeners/listen-address';
import { closeFixtures, get, startApi, temporaryDir } from './api-fixture';

afterEach(closeFixtures);

test('a unix socket has mode 0660, its group by number, and goes away on close', async () => {
  const { server } = await startApi([]);
  const path = join(await temporaryDir(), 'deep', 'down', 'api.sock');
  await server.listen({ kind: 'unix', path, group: { name: '54321', required: true } });
  const found = await stat(path);
  expect(found.mode & 0o777).toBe(0o660);
  if (process.getuid?.() === 0) expect(found.gid).toBe(54321);
  expect((await get(path, '/_ping')).body).toBe('OK');
  await server.close(0);
  await expect(stat(path)).rejects.toMatchObject({ code: 'ENOENT' });
});

test('a group by name is looked up; a missing one is an error only when it was asked for', async () => {
  const { server, log } = await startApi([]);
  const dir = await temporaryDir();
  await server.listen({ kind: 'unix', path: join(dir, 'a.sock'), group: { name: 'root', required: true } });
  await server.listen({ kind: 'unix', path: join(dir, 'b.sock'), group: { name: 'no-such-group', required: false } });
  expect(log.lines).toContainEqual(expect.objectContaining({ fields: { group: 'no-such-group' } }));
  await expect(
    server.listen({ kind: 'unix', path: join(dir, 'c.sock'), group: { name: 'no-such-group', required: true } }),
  ).rejects.toMatchObject({ kind: 'not-found', message: expect.stringContaining('no-such-group') });
});

test('the socket of a dead process is replaced', async () => {
  const path = join(await temporaryDir(), 'api.sock');
  const script = `require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`;
  await once(spawn(process.execPath, ['-e', script]), 'exit');
  expect((await stat(path)).isSocket()).toBe(true);
  const { server } = await startApi([]);
  await server.listen({ kind: 'unix', path });
  expect((await get(path, '/_ping')).body).toBe('OK');
});

test('a socket that another process serves is refused by name and left alone', async () => {
  const { socketPath } = await startApi([]);
  const other = await startApi([]);
  await expect(other.server.listen({ kind: 'unix', path: socketPath })).rejects.toMatchObject({
    kind: 'conflict',
    message: expect.stringContaining(socketPath),
  });
  expect((await get(socketPath, '/_ping')).body).toBe('OK');
});

test('a file or directory at the path is not removed', async () => {
  const { server } = await startApi([]);
  const dir = await temporaryDir();
  await writeFile(join(dir, 'file'), 'precious');
  await mkdir(join(dir, 'folder'));
  for (const name of ['file', 'folder']) {
    await expect(server.listen({ kind: 'unix', path: join(dir, name) })).rejects.toMatchObject({
      kind: 'invalid-parameter',
      message: expect.stringContaining(join(dir, name)),
    });
    await stat(join(dir, name));
  }
});

test('a tcp listener without client verification warns, and a taken port is an error that names it', async () => {
  const { server, log } = await startApi([]);
  const [listener] = await server.listen({ kind: 'tcp', host: '127.0.0.1', port: 0 });
  expect(log.lines.filter((line) => line.level === 'warn').map(({ message }) => message)).toEqual([
    expect.stringContaining('root access to this host'),
    expect.stringContaining('without encryption'),
  ]);
  const address = parseListenAddress(listener!.name, { socketPath: '/unused' });
  await expect(server.listen(address)).rejects.toMatchObject({ message: expect.stringContaining(listener!.name) });
});

test('listen addresses are read as dockerd reads them', () => {
  const defaults = { socketPath: '/run/docker.sock', group: { name: 'docker', required: false } };
  expect(parseListenAddress('unix://', defaults)).toEqual({
    kind: 'unix',
    path: '/run/docker.sock',
    group: defaults.group,
  });
  expect(parseListenAddress('tcp://', defaults)).toMatchObject({ host: '127.0.0.1', port: 2375 });
  expect(parseListenAddress('tcp://[::1]:99', defaults)).toMatchObject({ host: '::1', port: 99 });
  expect(parseListenAddress('tcp://0.0.0.0:2376', defaults)).toMatchObject({ host: '0.0.0.0', port: 2376 });
  expect(parseListenAddress('fd://', defaults)).toEqual({ kind: 'fd', select: '*' });
  for (const bad of [
    'http://x',
    'unix://relative',
    'tcp://host:99999',
    'tcp://a b',
    '/run/docker.sock',
    `unix:///${'x'.repeat(108)}`,
  ]) {
    expect(() => parseListenAddress(bad, defaults)).toThrow(bad);
  }
});

test('activated sockets are chosen by number, by name, or all; only ours are taken', () => {
  const env = { LISTEN_PID: '7', LISTEN_FDS: '2', LISTEN_FDNAMES: 'api:metrics' };
  expect(activatedFds('*', env, 7)).toEqual([3, 4]);
  expect(activatedFds('4', env, 7)).toEqual([4]);
  expect(activatedFds('api', env, 7)).toEqual([3]);
  expect(() => activatedFds('other', env, 7)).toThrow('other');
  expect(() => activatedFds('*', env, 8)).toThrow('socket activation');
});
