import { randomBytes } from 'node:crypto';
import type { LogBatch, LogSource } from '@gantry/sdk';

/** A longer line is handed on in pieces of this size, as every Docker log driver expects. */
export const MAX_LINE_BYTES = 16 * 1024;

const NEWLINE = 10;
/** Below this, copying a chunk is cheaper than one more batch. */
const COPY_BYTES = 8 * 1024;
const NOTHING = Buffer.alloc(0);

interface LongLine {
  readonly id: string;
  readonly timeNs: bigint;
  ordinal: number;
}

/**
 * Cuts one stream into batches of whole lines, and lines that are too long into pieces. Keeps less than one piece
 * of an unfinished line.
 */
export class LineAssembler {
  private rest: Buffer = NOTHING;
  private long: LongLine | undefined;

  constructor(
    private readonly source: LogSource,
    private readonly emit: (batch: LogBatch) => void,
  ) {}

  /** Bytes of an unfinished line, or of the rest of one. */
  get heldBytes(): number {
    return this.rest.length;
  }

  /** Notes which long line it is in the middle of, so that another one can `resume` there. */
  note(into: Buffer): void {
    if (this.long === undefined) {
      if (into[0] !== 0) into.fill(0, 0, 4);
      return;
    }
    into.writeUInt32LE(this.long.ordinal);
    into.writeBigInt64LE(this.long.timeNs, 4);
    into.write(this.long.id, 12, 'hex');
  }

  /** @param note zeros where there was no long line */
  resume(note: Buffer): void {
    const ordinal = note.readUInt32LE();
    if (ordinal > 0) this.long = { ordinal, timeNs: note.readBigInt64LE(4), id: note.toString('hex', 12, 44) };
  }

  push(chunk: Buffer, timeNs: bigint): void {
    let data = this.rest.length === 0 ? chunk : this.continued(chunk, timeNs);
    while (data.length > 0) {
      const whole = this.long === undefined ? wholeLinesEnd(data) : 0;
      if (whole > 0) {
        this.emit({ source: this.source, timeNs, data: data.subarray(0, whole) });
        data = data.subarray(whole);
        continue;
      }
      const newline = data.subarray(0, MAX_LINE_BYTES).indexOf(NEWLINE);
      if (newline >= 0) {
        this.piece(data.subarray(0, newline + 1), timeNs, true);
        data = data.subarray(newline + 1);
      } else if (data.length >= MAX_LINE_BYTES) {
        this.piece(data.subarray(0, MAX_LINE_BYTES), timeNs, false);
        data = data.subarray(MAX_LINE_BYTES);
      } else break;
    }
    // A copy, or a few bytes would keep the whole chunk alive.
    this.rest = data.length === 0 ? NOTHING : Buffer.from(data);
  }

  /** The unfinished line with what follows. In a large chunk only that line is copied, and goes ahead by itself. */
  private continued(chunk: Buffer, timeNs: bigint): Buffer {
    const newline = chunk.length < COPY_BYTES || this.long !== undefined ? -1 : chunk.indexOf(NEWLINE);
    if (newline < 0 || this.rest.length + newline >= MAX_LINE_BYTES) return Buffer.concat([this.rest, chunk]);
    this.emit({ source: this.source, timeNs, data: Buffer.concat([this.rest, chunk.subarray(0, newline + 1)]) });
    return chunk.subarray(newline + 1);
  }

  /** The stream ended: what is left is a piece that nothing follows. */
  end(timeNs: bigint): void {
    if (this.rest.length > 0) this.piece(this.rest, timeNs, false);
    this.rest = NOTHING;
    this.long = undefined;
  }

  private piece(data: Buffer, timeNs: bigint, last: boolean): void {
    // All pieces of a line carry the time of the first.
    this.long ??= { id: randomBytes(32).toString('hex'), timeNs, ordinal: 1 };
    const { id, ordinal } = this.long;
    this.emit({ source: this.source, timeNs: this.long.timeNs, data, partial: { id, ordinal, last } });
    if (last) this.long = undefined;
    else this.long.ordinal++;
  }
}

/** Where the last of the leading whole lines ends that are short enough; 0 when the first one is not. */
function wholeLinesEnd(data: Buffer): number {
  let end = 0;
  while (end < data.length) {
    const window = Math.min(end + MAX_LINE_BYTES, data.length);
    const newline = data.lastIndexOf(NEWLINE, window - 1);
    if (newline < end) break;
    end = newline + 1;
  }
  return end;
}
