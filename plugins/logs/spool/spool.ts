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
    /** Bytes of the first segment that were delivered. */
    private delivered: number,
  ) {}

  /** @param folder made when there is something to keep */
  static open(folder: string, maxBytes: number): Spool {
    let names: string[] = [];
    try {
      names = readdirSync(folder).filter((name) => name.endsWith(SUFFIX));
    } catch {
      // Nothing was kept.
    }
    const segments = names.sort().map((name) => ({
      number: Number(name.slice(0, -SUFFIX.length)),
      bytes: statSync(join(folder, name)).size,
    }));
    return new Spool(folder, maxBytes, segments, deliveredOf(folder, segments[0]));
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
    return this.bytes - this.delivered;
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
    writeFileSync(this.pathOf(number), frames, { mode: 0o600 });
    // The one that was first is delivered from its start on again unless nothing of it was.
    this.segments.unshift({ number, bytes: frames.length });
    this.skipped = { number: this.segments[1]?.number ?? 0, bytes: this.delivered };
    this.setDelivered(0);
  }
  private skipped: { number: number; bytes: number } | undefined;

  /** The oldest batches; undefined when there are none. Asked again it gives the same until they are delivered. */
  async next(): Promise<SpooledBatches | undefined> {
    const [segment] = this.segments;
    if (segment === undefined) return undefined;
    const file = await open(this.pathOf(segment.number), 'r');
    try {
      for (let wanted = BLOCK_BYTES; ; wanted *= 2) {
        const block = Buffer.allocUnsafe(Math.min(wanted, segment.bytes - this.delivered));
        const { bytesRead } = await file.read(block, 0, block.length, this.delivered);
        const decoder = new LogEntryDecoder();
        const batches = toLogBatches(decoder.push(block.subarray(0, bytesRead)));
        const bytes = bytesRead - decoder.pendingBytes;
        // Half an entry at the end of a file is what a crash left.
        if (batches.length > 0) return { batches, bytes };
        if (block.length === segment.bytes - this.delivered) return { batches: [], bytes: block.length };
      }
    } finally {
      await file.close();
    }
  }

  /** These were delivered. */
  advance({ bytes }: SpooledBatches): void {
    const [segment] = this.segments;
    if (segment === undefined) return;
    this.setDelivered(this.delivered + bytes);
    if (this.delivered < segment.bytes) return;
    if (this.writer?.segment === segment) this.closeWriter();
    this.segments.shift();
    rmSync(this.pathOf(segment.number), { force: true });
    const next = this.segments[0];
    this.setDelivered(this.skipped !== undefined && next?.number === this.skipped.number ? this.skipped.bytes : 0);
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
    this.delivered = 0;
    // At once: the next batch makes it anew.
    rmSync(this.folder, { recursive: true, force: true });
  }

  private writable(): { readonly fd: number; readonly segment: Segment } {
    if (this.writer !== undefined && this.writer.segment.bytes < SEGMENT_BYTES) return this.writer;
    this.closeWriter();
    this.makeFolder();
    // Never one that an earlier daemon wrote: it may end with half an entry.
    const segment = { number: (this.segments.at(-1)?.number ?? FIRST) + 1, bytes: 0 };
    const fd = openSync(this.pathOf(segment.number), 'wx', 0o600);
    this.segments.push(segment);
    this.writer = { fd, segment };
    return this.writer;
  }

  private closeWriter(): void {
    if (this.writer !== undefined) closeSync(this.writer.fd);
    this.writer = undefined;
  }

  private setDelivered(bytes: number): void {
    this.delivered = bytes;
    const [segment] = this.segments;
    if (segment !== undefined)
      writeFileSync(join(this.folder, POSITION), `${segment.number} ${bytes}\n`, { mode: 0o600 });
  }

  private makeFolder(): void {
    mkdirSync(this.folder, { recursive: true, mode: 0o700 });
  }

  private pathOf(number: number): string {
    return join(this.folder, `${String(number).padStart(8, '0')}${SUFFIX}`);
  }
}

function deliveredOf(folder: string, first: Segment | undefined): number {
  try {
    const [number, bytes] = readFileSync(join(folder, POSITION), 'utf8').split(' ').map(Number);
    return number === first?.number ? Math.min(bytes!, first!.bytes) : 0;
  } catch {
    return 0;
  }
}
