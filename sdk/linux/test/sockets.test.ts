import { once } from 'node:events';
import { closeSync } from 'node:fs';
import net, { type Socket } from 'node:net';
import { join } from 'node:path';
import { temporaryDirectory } from '../../testing';
import { isTcpSocket, openBoundSocket, peerCredentials } from '../sockets';

const fdOf = (socket: Socket) => (socket as unknown as { _handle: { fd: number } })._handle.fd;

test('who is at the other end of a unix socket is told by the kernel', async () => {
  const folder = await temporaryDirectory();
  const path = join(folder.path, 'a.sock');
  const server = net.createServer().listen(path);
  await once(server, 'listening');
  const client = net.connect(path);
  const [accepted] = (await once(server, 'connection')) as [Socket];
  expect(peerCredentials(fdOf(accepted))).toEqual({
    pid: process.pid,
    uid: process.getuid!(),
    gid: process.getgid!(),
  });
  expect(isTcpSocket(fdOf(accepted))).toBe(false);
  client.destroy();
  accepted.destroy();
  server.close();
  await folder.close();
});

test('a port is told from a unix socket', () => {
  const fd = openBoundSocket('tcp', new Uint8Array([127, 0, 0, 1]), 0);
  expect(isTcpSocket(fd)).toBe(true);
  closeSync(fd);
  expect(() => isTcpSocket(fd)).toThrow('EBADF');
});
