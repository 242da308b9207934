import { chmod, chown, lstat, mkdir, readFile, unlink } from 'node:fs/promises';
import net, { type Server } from 'node:net';
import { dirname } from 'node:path';
import { conflict, invalidParameter, type Logger, notFound } from '@gantry/sdk';
import type { ListenAddress, SocketGroup } from './listen-address';
import { listening } from './listening';

type UnixAddress = Extract<ListenAddress, { kind: 'unix' }>;

/**
 * Listens on a unix socket: mode 0660, owned by root and the group. A socket left by a dead process is replaced.
 *
 * @throws conflict           another process serves the socket
 * @throws invalid-parameter  something else than a socket is at the path
 * @throws not-found          the group does not exist and is required
 */
export async function listenOnUnixSocket(server: Server, address: UnixAddress, log: Logger): Promise<void> {
  const gid = await groupId(address.group, log);
  await mkdir(dirname(address.path), { recursive: true });
  await removeStaleSocket(address.path);
  // The mode a socket is born with comes from the umask; it must never be more open than in the end.
  // bind(2) happens inside listen(), so the window is synchronous.
  const umask = process.umask(0o177);
  let bound: Promise<void>;
  try {
    bound = listening(server, () => server.listen({ path: address.path }), `unix://${address.path}`);
  } finally {
    process.umask(umask);
  }
  await bound;
  await chown(address.path, 0, gid);
  await chmod(address.path, 0o660);
}

async function removeStaleSocket(path: string): Promise<void> {
  const found = await lstat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (found === undefined) return;
  if (!found.isSocket())
    throw invalidParameter(
      `cannot listen on unix://${path}: ${found.isDirectory() ? 'a directory' : 'a file'} is there`,
    );
  if (await isServed(path))
    throw conflict(
      `cannot listen on unix://${path}: another process is serving this socket; stop it or choose another -H`,
    );
  await unlink(path);
}

function isServed(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = net.connect({ path });
    const settle = (served: boolean) => {
      probe.destroy();
      resolve(served);
    };
    probe.setTimeout(2000, () => settle(true));
    probe.once('connect', () => settle(true));
    // A full backlog (EAGAIN) has somebody behind it; only a refusal proves that nobody listens.
    probe.once('error', (error: NodeJS.ErrnoException) =>
      settle(error.code !== 'ECONNREFUSED' && error.code !== 'ENOENT'),
    );
  });
}

async function groupId(group: SocketGroup | undefined, log: Logger): Promise<number> {
  if (group === undefined || group.name === '') return process.getgid!();
  if (/^\d+$/.test(group.name)) return Number(group.name);
  const lines = (await readFile('/etc/group', 'utf8')).split('\n');
  const entry = lines.find((line) => line.startsWith(`${group.name}:`));
  if (entry !== undefined) return Number(entry.split(':')[2]);
  if (group.required) throw notFound(`group ${group.name} for the API socket does not exist`);
  log.debug('group for the API socket does not exist; only root can connect', { group: group.name });
  return process.getgid!();
}
