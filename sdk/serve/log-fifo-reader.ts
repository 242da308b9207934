import { closeSync, constants, openSync, readSync } from 'node:fs';
import { Socket } from 'node:net';
import type { LogBatch, LogWriter } from '../contracts/log-driver';
import { patientWriter } from '../log-drivers';
import { LogEntryDecoder, toLogBatches } from '../wire';

const CHUNK_BYTES = 64 * 1024;

/** Reads the FIFO of one container (P-LOG-4) into a writer. The FIFO stands still while the writer is busy. */
export class LogFifoReader {
  /** Resolves when the writer is closed. Never rejects. */
  readonly done: Promise<void>;
  private readonly socket: Socket;
  private readonly writer: LogWriter;
  private readonly decoder = new LogEntryDecoder();
  private last: Promise<unknown> = Promise.resolve();

  /** @throws an error of open(2) */
  constructor(
    path: string,
    writer: LogWriter,
    private readonly onError: (error: unknown) => void,
  ) {
    this.writer = patientWriter(writer);
    const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    this.socket = new Socket({ fd, readable: true, writable: false });
    this.socket.on('data', (chunk: Buffer) => {
      this.socket.pause();
      this.take(chunk);
      void this.last.then(() => this.socket.resume());
    });
    this.socket.on('error', onError);
    // The engine went away, or `stop` has read everything.
    this.done = new Promise((resolve) => {
      this.socket.once('close', () => resolve(this.last.then(() => this.writer.close()).catch(onError)));
    });
  }

  /** Takes what is still in the FIFO, which has no end of its own, and closes the writer. */
  async stop(path: string): Promise<void> {
    if (!this.socket.destroyed) {
      // All in one go, so that nothing that is read here overtakes what the socket has read.
      while (this.socket.read() !== null) {
        // The listener has taken it.
      }
      for (const chunk of restOf(path)) this.take(chunk);
      this.socket.destroy();
    }
    await this.done;
  }

  private take(chunk: Buffer): void {
    let batches: LogBatch[];
    try {
      batches = toLogBatches(this.decoder.push(chunk));
    } catch (error) {
      // Where the next entry begins is not known any more.
      this.onError(error);
      this.socket.destroy();
      return;
    }
    for (const batch of batches) this.last = this.last.then(() => this.writer.write(batch)).catch(this.onError);
  }
}

/** What can be read without waiting. */
function* restOf(path: string): Generator<Buffer> {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    for (;;) {
      const chunk = Buffer.alloc(CHUNK_BYTES);
      const size = readSync(fd, chunk);
      if (size === 0) return;
      yield chunk.subarray(0, size);
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
  } finally {
    closeSync(fd);
  }
}
