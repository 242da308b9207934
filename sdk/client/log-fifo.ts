import { randomBytes } from 'node:crypto';
import { closeSync, constants, openSync, readSync, unlinkSync, writeSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { errorMessage, systemError } from '../errors';
import { mkfifo, unreadBytes } from '../linux/fifo';
import { findFrameStart } from '../wire';

const { O_NONBLOCK, O_RDONLY, O_WRONLY } = constants;
const closed = -1;

/**
 * The FIFO between the engine and a log plugin. The engine holds both ends, so that what is in it outlives the plugin
 * (P-LOG-4). All calls are non-blocking; opening and probing take microseconds.
 */
export class LogFifo {
  private readonly socket: Socket;
  private failure: Error | undefined;
  private pending = 0;
  private waiting: (() => void)[] = [];

  private constructor(
    readonly path: string,
    /** As the plugin sees it. */
    readonly shownPath: string,
    private readFd: number,
    private readonly writeFd: number,
  ) {
    this.socket = new Socket({ fd: writeFd, readable: false, writable: true });
    this.socket.on('error', (error) => {
      this.failure = error;
    });
  }

  /** Makes one with a name of its own (P-LOG-2). The folder is made when it is missing. */
  static async make(folder: string, shownFolder = folder): Promise<LogFifo> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const name = randomBytes(32).toString('hex');
    const path = join(folder, name);
    mkfifo(path, 0o700);
    const readFd = openSync(path, O_RDONLY | O_NONBLOCK);
    return new LogFifo(path, join(shownFolder, name), readFd, openSync(path, O_WRONLY | O_NONBLOCK));
  }

  /** A returned promise resolves when there is room again. @throws system the FIFO failed */
  write(frames: Buffer): void | Promise<void> {
    if (this.failure !== undefined || this.socket.destroyed)
      throw systemError(`the log FIFO ${this.path} failed: ${errorMessage(this.failure ?? 'it is closed')}`);
    this.pending++;
    this.socket.write(frames, () => {
      if (--this.pending > 0) return;
      for (const resume of this.waiting.splice(0)) resume();
    });
    // What is not in the FIFO is in our memory alone.
    if (this.socket.writableLength > 0) return this.written();
  }

  /** Everything is in the FIFO, or it is closed. */
  written(): Promise<void> {
    return this.pending === 0 ? Promise.resolve() : new Promise((resolve) => this.waiting.push(resolve));
  }

  /** Everything was taken out by the plugin. */
  get empty(): boolean {
    return this.socket.destroyed || (this.pending === 0 && this.unread === 0);
  }

  /** Bytes in the FIFO. */
  get unread(): number {
    return this.socket.destroyed ? 0 : unreadBytes(this.writeFd);
  }

  /** Whether anybody but us has it open for reading. */
  hasReader(): boolean {
    if (this.socket.destroyed) return false;
    const self = `/proc/self/fd/${this.writeFd}`;
    // Without our own read end, opening for writing tells. What is in the FIFO stays: we hold the other end.
    this.closeReadEnd();
    try {
      closeSync(openSync(self, O_WRONLY | O_NONBLOCK));
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENXIO') return false;
      throw error;
    } finally {
      this.readFd = openSync(self, O_RDONLY | O_NONBLOCK);
    }
  }

  /**
   * Takes out what is left of a frame that the last reader read half of, so that the next one begins with a whole
   * frame. For a FIFO without reader.
   */
  removeHalfFrame(): void {
    if (this.socket.destroyed) return;
    const chunks: Buffer[] = [];
    for (let size = unreadBytes(this.writeFd); size > 0; size = unreadBytes(this.writeFd)) {
      const chunk = Buffer.alloc(size);
      chunks.push(chunk.subarray(0, readSync(this.readFd, chunk)));
    }
    const held = Buffer.concat(chunks);
    const start = findFrameStart(held, this.pending > 0);
    // There is room: it was in there a moment ago, and nothing else ran since.
    if (start < held.length) writeSync(this.writeFd, held.subarray(start));
  }

  /** Takes out everything that nobody has read, from the first whole frame on. For a FIFO without reader. */
  async takeBack(): Promise<Buffer> {
    const chunks: Buffer[] = [];
    for (;;) {
      if (this.socket.destroyed) break;
      const chunk = Buffer.alloc(unreadBytes(this.writeFd));
      if (chunk.length > 0) chunks.push(chunk.subarray(0, readSync(this.readFd, chunk)));
      else if (this.pending === 0) break;
      // What waited to be written moves up into the room that was made.
      else await new Promise((resolve) => setImmediate(resolve));
    }
    const held = Buffer.concat(chunks);
    return held.subarray(findFrameStart(held, false));
  }

  /** Closes both ends and removes the FIFO. Repeatable. */
  close(): void {
    if (this.readFd === closed && this.socket.destroyed) return;
    this.socket.destroy();
    this.closeReadEnd();
    try {
      unlinkSync(this.path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }

  private closeReadEnd(): void {
    if (this.readFd !== closed) closeSync(this.readFd);
    this.readFd = closed;
  }
}
