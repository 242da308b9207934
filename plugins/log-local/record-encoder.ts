import type { LogBatch } from '@gantry/sdk';
import { LENGTH_BYTES } from '@gantry/sdk/log-files';
import { encodeLogEntry } from '@gantry/sdk/wire';

const NEWLINE = 10;
/** Protobuf tag of the field `line`. */
const LINE_TAG = (3 << 3) | 2;
/** A line is at most 16 KiB: its length takes three bytes at most. */
const MAX_LENGTH_BYTES = 5;

/**
 * The records of a batch as they stand in the file: length, `LogEntry` of the log plugin protocol, length again.
 * Lines are without their newline.
 */
export function encodeRecords(batch: LogBatch): Buffer {
  const { data, partial } = batch;
  if (partial !== undefined) {
    const end = data.at(-1) === NEWLINE ? data.length - 1 : data.length;
    return closed(encodeLogEntry({ ...batch, line: data.subarray(0, end), partial }));
  }
  // All lines of a batch share what comes before the line itself.
  const empty = encodeLogEntry({ source: batch.source, timeNs: batch.timeNs, line: Buffer.alloc(0) });
  const head = empty.subarray(LENGTH_BYTES, empty.length - 2);

  const lines = countLines(data);
  const memory = Buffer.allocUnsafe(data.length + lines * (head.length + 1 + MAX_LENGTH_BYTES + 2 * LENGTH_BYTES));
  let out = 0;
  for (let at = 0; at < data.length; ) {
    const newline = data.indexOf(NEWLINE, at);
    const end = newline < 0 ? data.length : newline;
    const start = out;
    out += LENGTH_BYTES;
    out += head.copy(memory, out);
    memory[out++] = LINE_TAG;
    out = writeVarint(memory, out, end - at);
    out += data.copy(memory, out, at, end);
    const length = out - start - LENGTH_BYTES;
    memory.writeUInt32BE(length, start);
    out = memory.writeUInt32BE(length, out);
    at = end + 1;
  }
  return memory.subarray(0, out);
}

function countLines(data: Buffer): number {
  let lines = 1;
  for (let at = data.indexOf(NEWLINE); at >= 0; at = data.indexOf(NEWLINE, at + 1)) lines++;
  return lines;
}

function writeVarint(memory: Buffer, start: number, value: number): number {
  let at = start;
  let left = value;
  for (; left >= 0x80; left >>>= 7) memory[at++] = (left & 0x7f) | 0x80;
  memory[at++] = left;
  return at;
}

const closed = (frame: Buffer): Buffer => Buffer.concat([frame, frame.subarray(0, LENGTH_BYTES)]);
