import { close as closeFd } from 'node:fs';
import { Socket, type TcpSocketConnectOpts } from 'node:net';
import { Readable } from 'node:stream';
import type { LeftOutput, RetainedOutput } from '@gantry/sdk';
import { NOTE_BYTES, Retention } from './retention';

/** A stream over the non-blocking read end of a FIFO, which it now owns. Ends when every writer has closed. */
export function outputStream(fd: number): Readable {
  const socket = new Socket({ fd, readable: true, writable: false });
  // Its reader learns of an error from 'close'; without a listener it would end the daemon.
  socket.on('error', () => undefined);
  return socket;
}

/** As `outputStream`, for the output of a container: nothing is read before somebody wants it. @param path the FIFO */
export function retainedOutput(fd: number, path: string): Readable {
  const retention = Retention.open(path);
  return retention === undefined ? outputStream(fd) : new FifoOutput(fd, retention);
}

/** Frees a stream that nobody reads. One that is being read ends by itself and loses nothing. */
export function releaseUnread(stream: Readable | undefined): void {
  if (stream instanceof FifoOutput && stream.isBeingRead) return;
  if (stream && stream.readableFlowing === null && stream.listenerCount('readable') === 0) stream.destroy();
}

class FifoOutput extends Readable implements RetainedOutput {
  isBeingRead = false;
  private socket: Socket | undefined;
  private leftBefore: LeftOutput | undefined;

  constructor(
    private readonly fd: number,
    private readonly retention: Retention,
  ) {
    super();
    this.leftBefore = retention.left();
    this.on('error', () => undefined);
  }

  get left(): LeftOutput | undefined {
    return this.leftBefore;
  }

  get note(): Buffer {
    // Memory that is not mapped any more ends who touches it.
    return this.destroyed ? Buffer.alloc(NOTE_BYTES) : this.retention.note;
  }

  mark(timeNs: bigint): void {
    if (!this.destroyed) this.retention.mark(timeNs);
  }

  keep(bytes: number): void {
    if (!this.destroyed) this.retention.keep(bytes);
  }

  retain(take: (chunk: Buffer) => void | Promise<void>): void {
    const { leftBefore } = this;
    this.isBeingRead = true;
    this.leftBefore = undefined;
    const taken = leftBefore && take(leftBefore.data);
    // Where the first chunk is read to depends on what was left.
    if (taken === undefined) this.readInto(take);
    else void taken.then(() => this.readInto(take));
  }

  private readInto(take: (chunk: Buffer) => void | Promise<void>): void {
    if (this.destroyed) return;
    const { retention } = this;
    const socket = this.open({
      onread: {
        buffer: () => retention.room(),
        callback(bytes: number) {
          const taken = take(retention.arrived(bytes));
          if (taken !== undefined) {
            socket.pause();
            void taken.then(() => socket.resume());
          }
          return true;
        },
      },
    });
    socket.once('end', () => {
      this.push(null);
      this.read(0);
    });
    socket.resume();
  }

  override _read(): void {
    if (this.socket !== undefined) {
      this.socket.resume();
      return;
    }
    this.isBeingRead = true;
    const socket = this.open({});
    if (this.leftBefore !== undefined) this.push(this.leftBefore.data);
    this.leftBefore = undefined;
    socket.on('data', (chunk) => {
      if (!this.push(chunk)) socket.pause();
    });
    socket.once('end', () => this.push(null));
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    const { socket } = this;
    if (socket === undefined) closeFd(this.fd, () => this.freed(error, done));
    else if (socket.closed) this.freed(error, done);
    else {
      socket.once('close', () => this.freed(error, done));
      socket.destroy();
    }
  }

  private freed(error: Error | null, done: (error?: Error | null) => void): void {
    this.retention.close();
    done(error);
  }

  /** It does not read yet: that is what `manualStart` is for, which the types do not know, nor `onread` for a file. */
  private open(more: Pick<TcpSocketConnectOpts, 'onread'>): Socket {
    const options = { fd: this.fd, readable: true, writable: false, manualStart: true, ...more };
    const socket = new Socket(options);
    this.socket = socket;
    socket.on('error', (error) => this.destroy(error));
    socket.once('close', () => this.destroy());
    return socket;
  }
}
