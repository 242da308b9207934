import { lstat, mkdir, unlink } from 'node:fs/promises';
import { connect, type Server } from 'node:net';
import { dirname } from 'node:path';
import { conflict } from '../errors';

/**
 * Makes way for a socket: a stale one is removed, a live one and anything that is no socket is refused.
 *
 * @throws conflict  somebody listens there, or the path is not a socket
 */
export async function clearSocketPath(path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const found = await lstat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (found === undefined) return;
  if (!found.isSocket()) throw conflict(`${path} exists and is not a socket`);
  if (await answers(path)) throw conflict(`another process listens on ${path}`);
  await unlink(path);
}

/** Listens on a unix socket that only its owner and group may connect to, from its first moment. */
export function listenOnSocket(server: Server, path: string, mode: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    const before = process.umask(0o777 & ~mode);
    try {
      server.listen(path, () => {
        server.off('error', reject);
        resolve();
      });
    } finally {
      // The socket is bound before `listen` returns.
      process.umask(before);
    }
  });
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(path);
    const end = (alive: boolean) => {
      probe.destroy();
      resolve(alive);
    };
    probe.setTimeout(1000, () => end(true));
    probe.once('connect', () => end(true));
    probe.once('error', (error: NodeJS.ErrnoException) => end(!['ECONNREFUSED', 'ENOENT'].includes(error.code ?? '')));
  });
}
