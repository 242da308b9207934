import type { FileHandle } from 'node:fs/promises';
import type { LogFormat } from './log-format';

/** Bytes of each of the two lengths, big-endian. */
export const LENGTH_BYTES = 4;
const BLOCK_BYTES = 512 * 1024;
/** A longer record is not believed: it is what a crash or a disk left. */
const MAX_RECORD_BYTES = 16 * 1024 * 1024;

/** Records with their length before and behind them, so that a file can be read from either end. */
export const lengthFraming: Omit<LogFormat, 'decode'> = {
  wholeEnd(data) {
    let end = 0;
    for (let next = recordEnd(data, 0); next !== undefined; next = recordEnd(data, end)) end = next;
    return end;
  },

  endAfter(data, from) {
    let end = 0;
    while (end < from || end === 0) {
      const next = recordEnd(data, end);
      if (next === undefined) return data.length;
      end = next;
    }
    return end;
  },

  count(data, end) {
    let count = 0;
    for (let at = 0; at < end; at = recordEnd(data, at) ?? end) count++;
    return count;
  },

  startOf(data, index) {
    let at = 0;
    for (let skipped = 0; skipped < index; skipped++) at = recordEnd(data, at) ?? data.length;
    return at;
  },

  async findLast(file, wholeEnd, records) {
    const backwards = new BackwardsReader(file);
    let start = wholeEnd;
    let found = 0;
    while (start > 0 && found < records) {
      const begin = await backwards.recordBefore(start);
      if (begin === undefined) {
        // Behind the last whole record is what a crash left, or one that is being written just now.
        const end = await lengthFraming.intactEnd(file, wholeEnd);
        if (end >= wholeEnd || found > 0) break;
        return lengthFraming.findLast(file, end, records);
      }
      start = begin;
      found++;
    }
    return { start, found };
  },

  async intactEnd(file, size) {
    let end = 0;
    let rest: Buffer = Buffer.alloc(0);
    for (let position = 0; position < size; ) {
      const block = Buffer.allocUnsafe(rest.length + BLOCK_BYTES);
      rest.copy(block);
      const wanted = Math.min(BLOCK_BYTES, size - position);
      const { bytesRead } = await file.read(block, rest.length, wanted, position);
      if (bytesRead === 0) break;
      position += bytesRead;
      const data = block.subarray(0, rest.length + bytesRead);
      const whole = lengthFraming.wholeEnd(data);
      end += whole;
      rest = Buffer.from(data.subarray(whole));
      if (rest.length > MAX_RECORD_BYTES + 2 * LENGTH_BYTES) break;
    }
    return end;
  },
};

/** Undefined when the record that begins at `start` is not whole, or none. */
function recordEnd(data: Buffer, start: number): number | undefined {
  if (data.length - start < 2 * LENGTH_BYTES) return undefined;
  const length = data.readUInt32BE(start);
  const end = start + length + 2 * LENGTH_BYTES;
  if (end > data.length || data.readUInt32BE(end - LENGTH_BYTES) !== length) return undefined;
  return end;
}

/** Reads a file's records from its end towards its start, a block at a time. */
class BackwardsReader {
  private block: Buffer = Buffer.alloc(0);
  private blockStart = 0;

  constructor(private readonly file: FileHandle) {}

  /** Where the record that ends here begins; undefined when none does. */
  async recordBefore(end: number): Promise<number | undefined> {
    if (end < 2 * LENGTH_BYTES) return undefined;
    const length = await this.lengthAt(end - LENGTH_BYTES);
    const start = end - length - 2 * LENGTH_BYTES;
    return start >= 0 && (await this.lengthAt(start)) === length ? start : undefined;
  }

  private async lengthAt(at: number): Promise<number> {
    if (at < this.blockStart || at + LENGTH_BYTES > this.blockStart + this.block.length) {
      this.blockStart = Math.max(0, at + LENGTH_BYTES - BLOCK_BYTES);
      this.block = Buffer.alloc(at + LENGTH_BYTES - this.blockStart);
      await this.file.read(this.block, 0, this.block.length, this.blockStart);
    }
    return this.block.readUInt32BE(at - this.blockStart);
  }
}
