import type { LogEntry, LogSource } from '@gantry/sdk';
import { LENGTH_BYTES } from '@gantry/sdk/log-files';
import { decodeLogEntry } from '@gantry/sdk/wire';

const NEWLINE = 10;
const NEWLINE_BYTES = Buffer.from([NEWLINE]);
const SOURCE_TAG = (1 << 3) | 2;
const TIME_TAG = 2 << 3;
const LINE_TAG = (3 << 3) | 2;
/** Bytes of `stdout` and of `stderr`. */
const SOURCE_BYTES = 6;
const LETTER_O = 0x6f;

/** A record whose time is read when it is asked for: most readers never do. */
class StoredEntry implements LogEntry {
  constructor(
    readonly source: LogSource,
    readonly line: Buffer,
    private readonly time: Buffer,
  ) {}

  get timeNs(): bigint {
    let value = 0n;
    for (let at = this.time.length - 1; at >= 0; at--) value = (value << 7n) | BigInt(this.time[at]! & 0x7f);
    return BigInt.asIntN(64, value);
  }
}

/** Decodes the whole records in the first `end` bytes. The entries share the memory of `data`, which is changed. */
export function decodeRecords(data: Buffer, end: number): LogEntry[] {
  const entries: LogEntry[] = [];
  for (let at = 0; at < end; ) {
    const length = data.readUInt32BE(at);
    const start = at + LENGTH_BYTES;
    at = start + length + LENGTH_BYTES;
    const entry = decodeUsual(data, start, start + length) ?? decodeOther(data.subarray(start, start + length));
    if (entry !== undefined) entries.push(entry);
  }
  return entries;
}

/** A line that is whole: source, time and line, in this order, and nothing behind. Undefined for any other. */
function decodeUsual(data: Buffer, start: number, end: number): LogEntry | undefined {
  let at = start;
  if (data[at++] !== SOURCE_TAG || data[at++] !== SOURCE_BYTES) return undefined;
  const source: LogSource = data[at + 3] === LETTER_O ? 'stdout' : 'stderr';
  at += SOURCE_BYTES;
  if (data[at++] !== TIME_TAG) return undefined;
  const timeStart = at;
  while (data[at++]! >= 0x80);
  const timeEnd = at;
  if (data[at++] !== LINE_TAG) return undefined;
  let length = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = data[at++]!;
    length += (byte & 0x7f) << shift;
    if (byte < 0x80 || shift > 21) break;
  }
  if (at + length !== end) return undefined;
  // The length behind the record has been read: its first byte makes room for the newline.
  data[end] = NEWLINE;
  return new StoredEntry(source, data.subarray(at, end + 1), data.subarray(timeStart, timeEnd));
}

function decodeOther(record: Buffer): LogEntry | undefined {
  try {
    const { source, timeNs, line, partial } = decodeLogEntry(record);
    const isWhole = partial === undefined || partial.last;
    return { source, timeNs, line: isWhole ? Buffer.concat([line, NEWLINE_BYTES]) : line };
  } catch {
    return undefined;
  }
}
