import { createReadStream } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { createGunzip } from 'node:zlib';

const NEWLINE = 10;
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
    /** What is written after the file was opened is not read, so that a reader of a busy log comes to an end. */
    private end: number,
  ) {}

  /** @returns undefined when there is no such file */
  static async open(path: string, compressed: boolean): Promise<LogFile | undefined> {
    try {
      const handle = await open(path, 'r');
      return new LogFile(handle, compressed, (await handle.stat()).size);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  }

  /** Skips so much that at most the last `lines` lines are left. Returns how many are. */
  async skipToLast(lines: number): Promise<number> {
    return this.compressed ? this.skipCompressed(lines) : this.skipPlain(lines);
  }

  /** From now on whatever is written is read as well. */
  readOn(): void {
    this.isFollowed = true;
    this.end = Number.POSITIVE_INFINITY;
  }

  /** The whole lines from here to the end, in blocks that are the caller's. A last unfinished line stays. */
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
    const end = data.lastIndexOf(NEWLINE) + 1;
    this.rest = end === data.length ? NOTHING : Buffer.from(data.subarray(end));
    return end === 0 ? undefined : { data, end };
  }

  private async skipPlain(lines: number): Promise<number> {
    let found = 0;
    let { end } = this;
    const block = Buffer.allocUnsafe(BLOCK_BYTES);
    while (end > 0) {
      const start = Math.max(0, end - BLOCK_BYTES);
      const { bytesRead } = await this.handle.read(block, 0, end - start, start);
      const data = block.subarray(0, bytesRead);
      for (let at = data.lastIndexOf(NEWLINE); at >= 0; at = at === 0 ? -1 : data.lastIndexOf(NEWLINE, at - 1)) {
        // The newline before the first wanted line; what follows the very last newline is no line yet.
        if (found === lines) {
          this.position = start + at + 1;
          return found;
        }
        found++;
      }
      end = start;
    }
    this.position = 0;
    return found;
  }

  private async skipCompressed(lines: number): Promise<number> {
    let total = 0;
    for await (const { data, end } of this.compressedBlocks()) total += countLines(data, end);
    this.rest = NOTHING;
    let surplus = total - lines;
    if (surplus <= 0) return total;
    let offset = 0;
    for await (const { data, end } of this.compressedBlocks()) {
      const inBlock = countLines(data, end);
      if (inBlock <= surplus) {
        surplus -= inBlock;
        offset += end;
        continue;
      }
      let at = -1;
      for (; surplus > 0; surplus--) at = data.indexOf(NEWLINE, at + 1);
      offset += at + 1;
      break;
    }
    this.rest = NOTHING;
    this.position = offset;
    return lines;
  }
}

function countLines(data: Buffer, end: number): number {
  let count = 0;
  for (let at = data.indexOf(NEWLINE); at >= 0 && at < end; at = data.indexOf(NEWLINE, at + 1)) count++;
  return count;
}
