import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { systemError } from '@gantry/sdk';
import { type KeptEvent, readEventLine } from './kept-event';

/** Version of the segment files: a header line, then one event per line, numbered without holes. */
const formatVersion = 1;
const markEveryBytes = 128 * 1024;
const tailBytes = 64 * 1024;

interface Mark {
  readonly offset: number;
  /** Sequence number of the first event at or after the offset. */
  readonly sequence: number;
}

/** What the first line of a segment says. */
export interface SegmentHeader {
  readonly format: number;
  /** When the last event before this segment happened; "0" when there was none. */
  readonly previousTimeNano: string;
}

/** One file of the event history. Its name is the sequence number of its first event. */
export class Segment {
  readonly path: string;
  /** Bytes that hold whole lines. What a write in progress adds does not count yet. */
  size = 0;
  /** Known places, so that looking for an event need not begin at the start of the file. */
  private readonly marks: Mark[] = [];
  private knownFirstTimeNs: bigint | undefined;
  private knownHeader: SegmentHeader | undefined;

  constructor(
    directory: string,
    readonly firstSequence: number,
  ) {
    this.path = join(directory, segmentName(firstSequence));
  }

  /** Where to begin reading for the event with this number. */
  offsetOf(sequence: number): number {
    let offset = 0;
    for (const mark of this.marks) {
      if (mark.sequence > sequence) break;
      offset = mark.offset;
    }
    return offset;
  }

  /** Tells that the event with this number will be written at the end of the file. */
  markEnd(sequence: number): void {
    if (this.size - (this.marks.at(-1)?.offset ?? 0) >= markEveryBytes)
      this.marks.push({ offset: this.size, sequence });
  }

  headerLine(previousTimeNs: bigint): string {
    return `${JSON.stringify({ format: formatVersion, previousTimeNano: String(previousTimeNs) } satisfies SegmentHeader)}\n`;
  }

  /** When the last event before this segment happened; 0 when there was none or it is not known. */
  async previousTimeNs(): Promise<bigint> {
    this.knownHeader ??= await this.readHeader();
    return /^\d+$/.test(this.knownHeader.previousTimeNano) ? BigInt(this.knownHeader.previousTimeNano) : 0n;
  }

  /** When its first event happened; undefined while it has none. */
  async firstTimeNs(): Promise<bigint | undefined> {
    if (this.knownFirstTimeNs === undefined) {
      const { events } = await this.read(0, 4096);
      this.knownFirstTimeNs = events[0]?.timeNs;
    }
    return this.knownFirstTimeNs;
  }

  /**
   * Events from this place on: as many whole lines as fit into `length` bytes, or one longer line.
   *
   * @returns end  the place after them; equal to `offset` at the end of the segment
   * @throws ENOENT  the segment has been dropped
   */
  async read(offset: number, length: number): Promise<{ readonly events: readonly KeptEvent[]; readonly end: number }> {
    const file = await open(this.path, 'r');
    try {
      for (let wanted = length; ; wanted *= 4) {
        const size = Math.min(wanted, this.size - offset);
        const bytes = await readExactly(file, offset, size);
        const whole = bytes.lastIndexOf(newline) + 1;
        if (whole === 0 && size === wanted) continue;
        const events: KeptEvent[] = [];
        for (const line of bytes.toString('utf8', 0, whole).split('\n')) {
          const event = readEventLine(line);
          if (event !== undefined) events.push(event);
        }
        return { events, end: offset + whole };
      }
    } finally {
      await file.close();
    }
  }

  /**
   * Opens the file for appending. What a killed writer left behind its last whole line is cut off.
   *
   * @returns last  its newest event
   * @throws system  a newer daemon wrote it
   */
  async openForAppending(): Promise<{ readonly file: FileHandle; readonly last: KeptEvent | undefined }> {
    const file = await open(this.path, 'a+', 0o600);
    try {
      const { size } = await file.stat();
      const tail = await lastLine(file, size);
      if (tail.end < size) await file.truncate(tail.end);
      this.size = tail.end;
      if (this.size > 0) {
        this.knownHeader = await this.readHeader();
        if (this.knownHeader.format > formatVersion)
          throw systemError(
            `the event history in ${this.path} has format ${this.knownHeader.format}, this daemon knows up to ${formatVersion}; use the newer daemon again, or move the file away`,
          );
      }
      return { file, last: tail.event };
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  private async readHeader(): Promise<SegmentHeader> {
    const file = await open(this.path, 'r');
    try {
      const text = (await readExactly(file, 0, Math.min(this.size, 256))).toString('utf8').split('\n', 1)[0]!;
      const header = JSON.parse(text) as Partial<SegmentHeader>;
      return { format: Number(header.format), previousTimeNano: String(header.previousTimeNano ?? '0') };
    } catch {
      // The header is a convenience: events are recognized without it.
      return { format: formatVersion, previousTimeNano: '0' };
    } finally {
      await file.close();
    }
  }
}

export const segmentName = (firstSequence: number): string => `${String(firstSequence).padStart(16, '0')}.jsonl`;

/** @returns undefined when the file is not a segment */
export function segmentFirstSequence(name: string): number | undefined {
  const match = /^(\d{16})\.jsonl$/.exec(name);
  return match === null ? undefined : Number(match[1]);
}

const newline = 0x0a;

/** The last whole line that is an event, and where it ends. Damaged lines after it do not count. */
async function lastLine(file: FileHandle, size: number): Promise<{ end: number; event: KeptEvent | undefined }> {
  for (let wanted = tailBytes; ; wanted *= 4) {
    const start = Math.max(0, size - wanted);
    const bytes = await readExactly(file, start, size - start);
    let end = bytes.lastIndexOf(newline) + 1;
    while (end > 0) {
      const begin = end > 1 ? bytes.lastIndexOf(newline, end - 2) + 1 : 0;
      // The first line of the window may have begun before it.
      if (begin === 0 && start > 0) break;
      const event = readEventLine(bytes.toString('utf8', begin, end - 1));
      if (event !== undefined) return { end: start + end, event };
      // Only the header is left: the segment has no event yet.
      if (begin === 0) return { end: looksLikeHeader(bytes) ? end : 0, event: undefined };
      end = begin;
    }
    if (start === 0) return { end: 0, event: undefined };
  }
}

const looksLikeHeader = (bytes: Buffer): boolean => bytes.toString('latin1', 0, 10) === '{"format":';

async function readExactly(file: FileHandle, offset: number, length: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafe(Math.max(0, length));
  let filled = 0;
  while (filled < bytes.length) {
    const { bytesRead } = await file.read(bytes, filled, bytes.length - filled, offset + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return bytes.subarray(0, filled);
}
