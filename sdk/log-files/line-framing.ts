import type { FileHandle } from 'node:fs/promises';
import type { LogFormat } from './log-format';

const NEWLINE = 10;
const BLOCK_BYTES = 512 * 1024;
const END_BLOCK_BYTES = 64 * 1024;

/** Records that end with a newline and hold no other. */
export const lineFraming: Omit<LogFormat, 'decode'> = {
  wholeEnd: (data) => data.lastIndexOf(NEWLINE) + 1,

  endAfter(data, from) {
    const newline = data.indexOf(NEWLINE, Math.max(0, from - 1));
    return newline < 0 ? data.length : newline + 1;
  },

  count(data, end) {
    let count = 0;
    for (let at = data.indexOf(NEWLINE); at >= 0 && at < end; at = data.indexOf(NEWLINE, at + 1)) count++;
    return count;
  },

  startOf(data, index) {
    let at = -1;
    for (let skipped = 0; skipped < index; skipped++) at = data.indexOf(NEWLINE, at + 1);
    return at + 1;
  },

  async findLast(file, wholeEnd, records) {
    let found = 0;
    let end = wholeEnd;
    const block = Buffer.allocUnsafe(BLOCK_BYTES);
    while (end > 0) {
      const start = Math.max(0, end - BLOCK_BYTES);
      const { bytesRead } = await file.read(block, 0, end - start, start);
      const data = block.subarray(0, bytesRead);
      for (let at = data.lastIndexOf(NEWLINE); at >= 0; at = at === 0 ? -1 : data.lastIndexOf(NEWLINE, at - 1)) {
        // The newline before the first wanted line; what follows the very last newline is no line yet.
        if (found === records) return { start: start + at + 1, found };
        found++;
      }
      end = start;
    }
    return { start: 0, found };
  },

  async intactEnd(file: FileHandle, size) {
    let end = size;
    while (end > 0) {
      const start = Math.max(0, end - END_BLOCK_BYTES);
      const block = Buffer.alloc(end - start);
      await file.read(block, 0, block.length, start);
      const newline = block.lastIndexOf(NEWLINE);
      if (newline >= 0) return start + newline + 1;
      end = start;
    }
    return 0;
  },
};
