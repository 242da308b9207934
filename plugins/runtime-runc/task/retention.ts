import type { LeftOutput } from '@gantry/sdk';
import { allocateFile, mapFile, type SharedMemory } from '@gantry/sdk/linux/shared-memory';

/** What one read takes at most: all that a pipe holds by default. */
const READ_BYTES = 64 * 1024;
/** What of earlier reads may be kept; a reader lets everything go but the unfinished piece of a line. */
const KEPT_BYTES = 16 * 1024;
const HEADER_BYTES = 4096;
const AREA_BYTES = KEPT_BYTES + READ_BYTES;
const FILE_BYTES = HEADER_BYTES + 2 * AREA_BYTES;
const TIME_AT = 8;
const NOTES_AT = 64;
/** Bytes of the note that goes with what is kept. */
export const NOTE_BYTES = 64;

/** Where the bytes stand that were not let go. One number, so that storing it changes all of it at once. */
interface Place {
  readonly area: 0 | 1;
  readonly isMarked: boolean;
  /** Within the area. */
  readonly start: number;
  readonly end: number;
}

/**
 * The memory a stream is read into: a file beside its FIFO. The kernel puts what it reads straight into it, so no
 * moment comes at which bytes have left the FIFO and are in the daemon's own memory alone.
 *
 * There are two areas, each with room for what is kept and, behind it, for what is read. While a chunk in one area is
 * dealt with, the next is to be read into the other; what is kept of the first goes in front of it. Room for reading is
 * filled with zeros beforehand: that is how a chunk of which nobody knows yet is found. (Zeros at its very end cannot
 * be told from no bytes.)
 */
export class Retention {
  private place: Place;

  private constructor(private readonly memory: SharedMemory) {
    const stored = memory.bytes.readDoubleLE(0);
    this.place = decodePlace(stored);
    // A daemon may have been killed before it had cleared what it let go.
    if (stored !== 0) this.area(this.other).fill(0, KEPT_BYTES);
  }

  /** Makes the file for a FIFO. Without room for it, output is read without. */
  static prepare(fifoPath: string): void {
    try {
      allocateFile(`${fifoPath}-read`, FILE_BYTES);
    } catch {
      // A full disk keeps no container from starting.
    }
  }

  /** @returns undefined when there is no file */
  static open(fifoPath: string): Retention | undefined {
    try {
      return new Retention(mapFile(`${fifoPath}-read`, FILE_BYTES));
    } catch {
      return undefined;
    }
  }

  /** What was not let go. Its last chunk may not even have been handed over. */
  left(): LeftOutput | undefined {
    const { area, start, isMarked } = this.place;
    const bytes = this.area(area);
    let end = AREA_BYTES;
    while (end > this.place.end && bytes[end - 1] === 0) end--;
    this.place = { ...this.place, end };
    if (end === start) return undefined;
    return {
      data: Buffer.from(bytes.subarray(start, end)),
      markedNs: isMarked ? this.memory.bytes.readBigInt64LE(TIME_AT) : undefined,
      note: Buffer.from(this.noteOf(area)),
    };
  }

  /** Where the next chunk is to be read. */
  room(): Buffer {
    const holdsChunk = this.place.end > KEPT_BYTES;
    return this.area(holdsChunk ? this.other : this.place.area).subarray(KEPT_BYTES);
  }

  /** For the note that goes with what the next `keep` keeps. */
  get note(): Buffer {
    return this.noteOf(this.other);
  }

  /** A chunk was read into `room`; only then is there anything to hand over. */
  arrived(bytes: number): Buffer {
    const { area, end } = this.place;
    this.place = { ...this.place, end: end + bytes };
    return Buffer.from(this.area(area).subarray(end, end + bytes));
  }

  mark(timeNs: bigint): void {
    this.memory.bytes.writeBigInt64LE(timeNs, TIME_AT);
    this.store({ ...this.place, isMarked: true });
  }

  keep(bytes: number): void {
    const { area, end } = this.place;
    const { other } = this;
    const start = KEPT_BYTES - bytes;
    this.area(area).copy(this.area(other), start, end - bytes, end);
    this.store({ area: other, isMarked: false, start, end: KEPT_BYTES });
    if (end > KEPT_BYTES) this.area(area).fill(0, KEPT_BYTES, end);
  }

  close(): void {
    this.memory.unmap();
  }

  private get other(): 0 | 1 {
    return this.place.area === 0 ? 1 : 0;
  }

  private area(index: 0 | 1): Buffer {
    const start = HEADER_BYTES + index * AREA_BYTES;
    return this.memory.bytes.subarray(start, start + AREA_BYTES);
  }

  private noteOf(index: 0 | 1): Buffer {
    return this.memory.bytes.subarray(NOTES_AT + index * NOTE_BYTES, NOTES_AT + (index + 1) * NOTE_BYTES);
  }

  private store(place: Place): void {
    this.place = place;
    this.memory.bytes.writeDoubleLE(encodePlace(place), 0);
  }
}

const SHIFT = 2 ** 20;

function encodePlace({ area, isMarked, start, end }: Place): number {
  return ((area * 2 + Number(isMarked)) * SHIFT + start) * SHIFT + end;
}

/** A new file holds zeros. */
function decodePlace(stored: number): Place {
  if (stored === 0) return { area: 0, isMarked: false, start: KEPT_BYTES, end: KEPT_BYTES };
  const [end, rest] = [stored % SHIFT, Math.floor(stored / SHIFT)];
  const flags = Math.floor(rest / SHIFT);
  return { area: flags >= 2 ? 1 : 0, isMarked: flags % 2 === 1, start: rest % SHIFT, end };
}
