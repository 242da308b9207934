import { connect } from 'node:net';
import { type Clock, systemError } from '@gantry/sdk';

/** A plugin may take so long to listen: as long as dockerd tries, four times three seconds apart. */
const patienceMs = 10_000;
const everyMs = 50;

/**
 * Waits until somebody takes connections at a socket.
 *
 * @param ended resolves with how the process ended, if it does
 * @throws system  in dockerd's words: `dial unix /path: connect: …`
 */
export async function awaitSocket(path: string, ended: Promise<string>, clock: Clock): Promise<void> {
  let how: string | undefined;
  void ended.then((text) => {
    how = text;
  });
  const giveUpAt = performance.now() + patienceMs;
  for (;;) {
    const problem = await dial(path);
    if (problem === undefined) return;
    const dialed = `dial unix ${path}: connect: ${problem}`;
    if (how !== undefined) throw systemError(`${dialed}: ${how}`);
    if (performance.now() >= giveUpAt)
      throw systemError(`${dialed}: the plugin has not listened within ${patienceMs / 1000} s`);
    await clock.sleep(everyMs);
  }
}

/** @returns what is wrong, in the kernel's words; undefined when somebody listens */
function dial(path: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect(path);
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
