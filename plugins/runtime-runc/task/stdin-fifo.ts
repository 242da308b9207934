import { constants, open as openFd } from 'node:fs';
import { Socket } from 'node:net';
import { Writable } from 'node:stream';
import { promisify } from 'node:util';
import { systemClock } from '@gantry/sdk';

const open = promisify(openFd);
const READER_MS = 10_000;

/**
 * Opens the write end of a process's stdin once the shim has opened the other.
 *
 * @param closeInput tells the shim to close its own write end, without which the process sees no end
 * @returns undefined when nobody reads (any more)
 */
export async function openStdin(
  path: string,
  closeInput: () => Promise<void>,
  waitForReader: boolean,
): Promise<Writable | undefined> {
  const deadline = Date.now() + (waitForReader ? READER_MS : 0);
  for (;;) {
    try {
      const fd = await open(path, constants.O_WRONLY | constants.O_NONBLOCK);
      return new StdinFifo(new Socket({ fd, readable: false, writable: true }), closeInput);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'ENXIO' && code !== 'ENOENT') throw error;
      if (Date.now() >= deadline) return undefined;
    }
    await systemClock.sleep(1);
  }
}

class StdinFifo extends Writable {
  constructor(
    private readonly socket: Socket,
    private readonly closeInput: () => Promise<void>,
  ) {
    super({ highWaterMark: 256 * 1024 });
    socket.on('error', (error) => this.destroy(error));
    // The process may go away at any time; whoever writes learns it from the write.
    this.on('error', () => undefined);
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    this.socket.write(chunk, done);
  }

  override _writev(items: { chunk: Buffer }[], done: (error?: Error | null) => void): void {
    this.socket.write(items.length === 1 ? items[0]!.chunk : Buffer.concat(items.map(({ chunk }) => chunk)), done);
  }

  override _final(done: (error?: Error | null) => void): void {
    // A FIFO cannot be shut down, only closed: both write ends, or its reader sees no end.
    this.socket.destroy();
    this.closeInput().then(
      () => done(),
      // The process ended first.
      () => done(),
    );
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.socket.destroy();
    done(error);
  }
}
