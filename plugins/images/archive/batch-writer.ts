import type { FileHandle } from 'node:fs/promises';

const writeBatchBytes = 4 << 20;

/** Appends to a file: one batch is written while the next is collected. */
export class BatchWriter {
  private batch: Buffer[] = [];
  private batched = 0;
  private position = 0;
  private writing: Promise<void> = Promise.resolve();

  /** @param onWritten told how many bytes the file holds */
  constructor(
    private readonly file: FileHandle,
    private readonly onWritten: (bytes: number) => void,
  ) {}

  async write(chunk: Buffer): Promise<void> {
    this.batch.push(chunk);
    this.batched += chunk.length;
    if (this.batched < writeBatchBytes) return;
    await this.writing;
    this.begin();
  }

  async end(): Promise<void> {
    await this.writing;
    if (this.batched > 0) this.begin();
    await this.writing;
  }

  /** Waits for what is under way, whatever becomes of it. */
  async stop(): Promise<void> {
    await this.writing.catch(() => {});
  }

  private begin(): void {
    const { batch, batched, position } = this;
    this.batch = [];
    this.batched = 0;
    this.position += batched;
    this.writing = this.flush(batch, position, batched);
    // Who writes next, or ends, is told.
    this.writing.catch(() => {});
  }

  private async flush(batch: readonly Buffer[], position: number, length: number): Promise<void> {
    const { bytesWritten } = await this.file.writev(batch, position);
    // The kernel stops where the disk is full, and says why only to who goes on.
    const rest = bytesWritten < length ? Buffer.concat(batch).subarray(bytesWritten) : undefined;
    for (let at = 0; rest !== undefined && at < rest.length; )
      at += (await this.file.write(rest, at, rest.length - at, position + bytesWritten + at)).bytesWritten;
    this.onWritten(position + length);
  }
}
