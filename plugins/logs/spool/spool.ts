import {
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import type { LogBatch } from '@gantry/sdk';
import { encodeLogBatch, LogEntryDecoder, toLogBatches } from '@gantry/sdk/wire';

const SEGMENT_BYTES = 1024 * 1024;
const BLOCK_BYTES = 256 * 1024;
const SUFFIX = '.spool';
const POSITION = 'position';
/** Names are numbers of one length; what comes in front of everything gets a smaller one than what is there. */
const FIRST = 1_000_000;

interface Segment {
  readonly number: number;
  bytes: number;
  /** Of these, what was delivered: more than nothing also for one that others were put in front of. */
  delivered: number;
}

/** Batches that were read and are not delivered yet. */
export interface SpooledBatches {
  readonly batches: readonly LogBatch[];
  /** To be told to `advance` when they are. */
  readonly bytes: number;
}

/**
 * Output on its way to a back end that is away: a queue in a folder, of files of at most a mebibyte. It is in the page
 * cache when `append` returns, so it outlives the daemon. What was delivered is noted after each block; a daemon that is
 * killed in between delivers that block again.
 */
export class Spool {
  private writer: { readonly fd: number; readonly segment: Segment } | undefined;

  private constructor(
    readonly folder: string,
    private readonly maxBytes: number,
    private readonly segments: Segment[],
  ) {}

  /** @param folder made when there is something to keep */
  static open(folder: string, maxBytes: number): Spool {
    let names: string[] = [];
    try {
      names = readdirSync(folder).filter((name) => name.endsWith(SUFFIX));
    } catch {
      // Nothing was kept.
    }
    const positions = positionsIn(folder);
    const segments = names.sort().map((name) => {
      const number = Number(name.slice(0, -SUFFIX.length));
      const bytes = statSync(join(folder, name)).size;
      return { number, bytes, delivered: Math.min(positions.get(number) ?? 0, bytes) };
    });
    return new Spool(folder, maxBytes, segments);
  }

  get isEmpty(): boolean {
    return this.segments.length === 0;
  }

  /** What is kept, delivered parts of a file included. */
  get bytes(): number {
    return this.segments.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** What of it was not delivered. */
  get undelivered(): number {
    return this.segments.reduce((sum, { bytes, delivered }) => sum + bytes - delivered, 0);
  }

  /**
   * @param anyway  also when it is more than may be kept
   * @returns false when that would be more than may be kept. @throws an error of the file system
   */
  append(batch: LogBatch, anyway = false): boolean {
    const frames = encodeLogBatch(batch);
    if (!anyway && this.bytes + frames.length > this.maxBytes) return false;
    const { fd, segment } = this.writable();
    for (let at = 0; at < frames.length; ) at += writeSync(fd, frames, at);
    segment.bytes += frames.length;
    return true;
  }

  /** Puts what a back end gave back in front of everything, whatever may be kept. */
  prepend(batches: readonly LogBatch[]): void {
    const frames = Buffer.concat(batches.map(encodeLogBatch));
    if (frames.length === 0) return;
    this.makeFolder();
    const number = (this.segments[0]?.number ?? FIRST) - 1;
    // There may have been one of this number.
    this.notePositions();
    writeFileSync(this.pathOf(number), frames, { mode: 0o600 });
    this.segments.unshift({ number, bytes: frames.length, delivered: 0 });
  }

  /** The oldest batches; undefined when there are none. Asked again it gives the same until they are delivered. */
  async next(): Promise<SpooledBatches | undefined> {
    const [segment] = this.segments;
    if (segment === undefined) return undefined;
    const file = await open(this.pathOf(segment.number), 'r');
    try {
      for (let wanted = BLOCK_BYTES; ; wanted *= 2) {
        const block = Buffer.allocUnsafe(Math.min(wanted, segment.bytes - segment.delivered));
        const { bytesRead } = await file.read(block, 0, block.length, segment.delivered);
        const decoder = new LogEntryDecoder();
        const batches = toLogBatches(decoder.push(block.subarray(0, bytesRead)));
        const bytes = bytesRead - decoder.pendingBytes;
        // Half an entry at the end of a file is what a crash left.
        if (batches.length > 0) return { batches, bytes };
        if (block.length === segment.bytes - segment.delivered) return { batches: [], bytes: block.length };
      }
    } finally {
      await file.close();
    }
  }

  /** These were delivered. */
  advance({ bytes }: SpooledBatches): void {
    const [segment] = this.segments;
    if (segment === undefined) return;
    segment.delivered += bytes;
    if (segment.delivered < segment.bytes) {
      this.notePositions();
      return;
    }
    if (this.writer?.segment === segment) this.closeWriter();
    this.segments.shift();
    rmSync(this.pathOf(segment.number), { force: true });
    if (this.isEmpty) this.remove();
  }

  /** Closes the files; what is kept stays. */
  close(): void {
    this.closeWriter();
  }

  /** Forgets everything. */
  remove(): void {
    this.closeWriter();
    this.segments.length = 0;
    // At once: the next batch makes it anew.
    rmSync(this.folder, { recursive: true, force: true });
  }

  private writable(): { readonly fd: number; readonly segment: Segment } {
    if (this.writer !== undefined && this.writer.segment.bytes < SEGMENT_BYTES) return this.writer;
    this.closeWriter();
    this.makeFolder();
    // Never one that an earlier daemon wrote: it may end with half an entry.
    const segment = { number: (this.segments.at(-1)?.number ?? FIRST) + 1, bytes: 0, delivered: 0 };
    const fd = openSync(this.pathOf(segment.number), 'wx', 0o600);
    this.segments.push(segment);
    this.writer = { fd, segment };
    return this.writer;
  }

  private closeWriter(): void {
    if (this.writer !== undefined) closeSync(this.writer.fd);
    this.writer = undefined;
  }

  private notePositions(): void {
    const begun = this.segments.filter(({ delivered }) => delivered > 0);
    const lines = begun.map(({ number, delivered }) => `${number} ${delivered}\n`);
    writeFileSync(join(this.folder, POSITION), lines.join(''), { mode: 0o600 });
  }

  private makeFolder(): void {
    mkdirSync(this.folder, { recursive: true, mode: 0o700 });
  }

  private pathOf(number: number): string {
    return join(this.folder, `${String(number).padStart(8, '0')}${SUFFIX}`);
  }
}

/** What was delivered of each segment. */
function positionsIn(folder: string): Map<number, number> {
  try {
    const lines = readFileSync(join(folder, POSITION), 'utf8').trim().split('\n');
    return new Map(lines.map((line) => line.split(' ').map(Number) as [number, number]));
  } catch {
    return new Map();
  }
}
