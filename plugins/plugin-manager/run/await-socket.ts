import { connect } from 'node:net';
import { type Clock, systemError } from '@gantry/sdk';

/** A plugin may take so long to listen: as long as dockerd tries, four times three seconds apart. */
const patienceMs = 10_000;
const everyMs = 50;

/**
 * Waits until somebody takes connections at a socket.
 *
 * @param socket.address how it is reached, which may be another path than the one it is known by
 * @param ended resolves with how the process ended, if it does
 * @throws cancelled  the signal aborted
 * @throws system  in dockerd's words: `dial unix /path: connect: …`
 */
export async function awaitSocket(
  { path, address }: { readonly path: string; readonly address: string },
  ended: Promise<string>,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  let how: string | undefined;
  void ended.then((text) => {
    how = text;
  });
  const giveUpAt = performance.now() + patienceMs;
  for (;;) {
    const problem = await dial(address);
    if (problem === undefined) return;
    const dialed = `dial unix ${path}: connect: ${problem}`;
    if (how !== undefined) throw systemError(`${dialed}: ${how}`);
    if (performance.now() >= giveUpAt)
      throw systemError(`${dialed}: the plugin has not listened within ${patienceMs / 1000} s`);
    await clock.sleep(everyMs, signal);
  }
}

/** @returns what is wrong, in the kernel's words; undefined when somebody listens */
function dial(address: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect(address);
    socket.once('connect', () => {
      socket.destroy();
      resolve(undefined);
    });
    socket.once('error', ({ code, message }: NodeJS.ErrnoException) =>
      resolve(
        code === 'ENOENT' ? 'no such file or directory' : code === 'ECONNREFUSED' ? 'connection refused' : message,
      ),
    );
  });
}
