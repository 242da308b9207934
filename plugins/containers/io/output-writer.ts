import type { Writable } from 'node:stream';
import { type LogSource, stdcopyHeader } from '@gantry/sdk';

/**
 * Sends a process's output to a client: as it is for a terminal, in frames otherwise. The bytes are not copied.
 */
export class OutputWriter {
  private full: Promise<void> | undefined;

  constructor(
    private readonly out: Writable,
    private readonly framed: boolean,
  ) {}

  /** @returns a promise while the client is slower than the process; undefined when there is room, or no client */
  write(source: LogSource, chunk: Buffer): Promise<void> | undefined {
    const { out } = this;
    if (out.destroyed || out.writableEnded) return undefined;
    let roomLeft: boolean;
    if (this.framed) {
      // Corked, header and payload leave in one system call.
      out.cork();
      out.write(stdcopyHeader(source, chunk.length));
      roomLeft = out.write(chunk);
      out.uncork();
    } else roomLeft = out.write(chunk);
    if (roomLeft) return undefined;
    this.full ??= new Promise<void>((resolve) => {
      const done = () => {
        out.off('drain', done);
        out.off('close', done);
        this.full = undefined;
        resolve();
      };
      out.on('drain', done);
      out.on('close', done);
    });
    return this.full;
  }
}
