import { createReadStream } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { createGunzip } from 'node:zlib';
import type { LogFormat } from './log-format';

const BLOCK_BYTES = 512 * 1024;
/** What is written while we wait comes in small pieces. */
const FOLLOW_BYTES = 64 * 1024;
const NOTHING = Buffer.alloc(0);

/** One file of a log, open: it may be renamed or removed while it is read. */
export class LogFile {
  /** Where the next read begins, in bytes of the uncompressed file. */
  private position = 0;
  private rest: Buffer = NOTHING;
  private isFollowed = false;
  private isClosed = false;

  private constructor(
    private readonly handle: FileHandle,
    readonly compressed: boolean,
    private readonly format: LogFormat,
    /** What is written after the file was opened is not read, so that a reader of a busy log comes to an end. */
    private end: number,
  ) {}

  /** @returns undefined when there is no such file */
  static async open(path: string, compressed: boolean, format: LogFormat): Promise<LogFile | undefined> {
    try {
      const handle = await open(path, 'r');
      return new LogFile(handle, compressed, format, (await handle.stat()).size);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  }

  /** Skips so much that at most the last `records` are left. Returns how many are. */
  async skipToLast(records: number): Promise<number> {
    if (this.compressed) return this.skipCompressed(records);
    const { start, found } = await this.format.findLast(this.handle, this.end, records);
    this.position = start;
    return found;
  }

  /** From now on whatever is written is read as well. */
  readOn(): void {
    this.isFollowed = true;
    this.end = Number.POSITIVE_INFINITY;
  }

  /** The whole records from here to the end, in blocks that are the caller's. A last unfinished one stays. */
  async *blocks(): AsyncGenerator<{ readonly data: Buffer; readonly end: number }> {
    if (this.compressed) yield* this.compressedBlocks();
    else for (let block = await this.nextBlock(); block !== undefined; block = await this.nextBlock()) yield block;
  }

  async close(): Promise<void> {
    if (this.isClosed) return;
    this.isClosed = true;
    await this.handle.close();
  }

  private async nextBlock(): Promise<{ data: Buffer; end: number } | undefined> {
    for (;;) {
      const wanted = Math.min(this.isFollowed ? FOLLOW_BYTES : BLOCK_BYTES, this.end - this.position);
      if (wanted <= 0) return undefined;
      // Entries keep pieces of it, so that each block has memory of its own.
      const data = Buffer.allocUnsafeSlow(this.rest.length + wanted);
      this.rest.copy(data);
      const { bytesRead } = await this.handle.read(data, this.rest.length, wanted, this.position);
      if (bytesRead === 0) return undefined;
      this.position += bytesRead;
      const block = this.cut(data.subarray(0, this.rest.length + bytesRead));
      if (block !== undefined) return block;
    }
  }

  private async *compressedBlocks() {
    const unpacked = createReadStream('', { fd: this.handle, autoClose: false, start: 0 }).pipe(createGunzip());
    let skip = this.position;
    for await (const chunk of unpacked as AsyncIterable<Buffer>) {
      const wanted = skip === 0 ? chunk : chunk.subarray(Math.min(skip, chunk.length));
      skip -= chunk.length - wanted.length;
      const block = this.cut(Buffer.concat([this.rest, wanted]));
      if (block !== undefined) yield block;
    }
  }

  private cut(data: Buffer): { data: Buffer; end: number } | undefined {
    const end = this.format.wholeEnd(data);
    this.rest = end === data.length ? NOTHING : Buffer.from(data.subarray(end));
    return end === 0 ? undefined : { data, end };
  }

  private async skipCompressed(records: number): Promise<number> {
    let total = 0;
    for await (const { data, end } of this.compressedBlocks()) total += this.format.count(data, end);
    this.rest = NOTHING;
    let surplus = total - records;
    if (surplus <= 0) return total;
    let offset = 0;
    for await (const { data, end } of this.compressedBlocks()) {
      const inBlock = this.format.count(data, end);
      if (inBlock > surplus) {
        offset += this.format.startOf(data, surplus);
        break;
      }
      surplus -= inBlock;
      offset += end;
    }
    this.rest = NOTHING;
    this.position = offset;
    return records;
  }
}
