import { type FileHandle, mkdir, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { KeptEvent } from './kept-event';
import { Segment, segmentFirstSequence } from './segment';

export interface StoreLimits {
  /** A segment that has grown to this size is followed by the next. */
  readonly segmentBytes: number;
  /** How many segments are kept; the oldest is dropped when there are more. */
  readonly segments: number;
}

/** 64 MiB: about 200,000 events. */
export const defaultLimits: StoreLimits = { segmentBytes: 4 * 1024 * 1024, segments: 16 };

/** A place in the history on disk. */
export interface StorePlace {
  readonly segment: number;
  readonly offset: number;
}

const readBytes = 64 * 1024;

/**
 * The event history on disk: segment files of JSON lines, appended to and never changed, the oldest dropped as a
 * whole. What has been appended survives the death of the daemon; a machine that loses power may lose the newest
 * part of the last segment, since only finished segments are synchronized.
 */
export class EventStore {
  private segments: Segment[] = [];
  private file: FileHandle | undefined;
  private lastTimeNs = 0n;

  private constructor(
    private readonly directory: string,
    private readonly limits: StoreLimits,
  ) {}

  /**
   * Opens the history and repairs what a killed daemon left half-written.
   *
   * @returns lastSequence  0 when there is no event yet
   * @throws system  it was written by a newer daemon
   */
  static async open(
    directory: string,
    limits = defaultLimits,
  ): Promise<{ readonly store: EventStore; readonly lastSequence: number; readonly lastTimeNs: bigint }> {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const store = new EventStore(directory, limits);
    const found = (await readdir(directory)).map(segmentFirstSequence).filter((first) => first !== undefined);
    store.segments = found.sort((a, b) => a - b).map((first) => new Segment(directory, first));
    const newest = store.segments.pop();
    await Promise.all(
      store.segments.map(async (segment) => {
        segment.size = (await stat(segment.path)).size;
      }),
    );
    if (newest === undefined) return { store, lastSequence: 0, lastTimeNs: 0n };
    const { file, last } = await newest.openForAppending();
    if (newest.size === 0) {
      // Killed between making the file and its first line.
      await file.close();
      await rm(newest.path, { force: true });
      store.lastTimeNs = await store.lastTimeBefore(newest.firstSequence);
      return { store, lastSequence: newest.firstSequence - 1, lastTimeNs: store.lastTimeNs };
    }
    store.segments.push(newest);
    store.file = file;
    store.lastTimeNs = last?.timeNs ?? (await newest.previousTimeNs());
    return { store, lastSequence: last?.sequence ?? newest.firstSequence - 1, lastTimeNs: store.lastTimeNs };
  }

  /** Sequence number of the oldest event on disk; undefined when there is none. */
  get firstSequence(): number | undefined {
    return this.segments[0]?.firstSequence;
  }

  /**
   * Adds events behind all others. One call at a time; a failed one leaves nothing behind and may be repeated.
   *
   * @throws  the file system refused
   */
  async append(events: readonly KeptEvent[]): Promise<void> {
    const first = events[0];
    if (first === undefined) return;
    const { segment, file } = await this.writable(first.sequence);
    segment.markEnd(first.sequence);
    const bytes = Buffer.from(events.map(({ json }) => `${json}\n`).join(''));
    await this.write(segment, file, bytes);
    this.lastTimeNs = events.at(-1)!.timeNs;
    if (segment.size >= this.limits.segmentBytes) await this.finish();
  }

  /** Where the events after this one begin, or the oldest ones if they are dropped; undefined when there are none. */
  placeAfter(sequence: number): StorePlace | undefined {
    const segment = this.segments.findLast(({ firstSequence }) => firstSequence <= sequence + 1) ?? this.segments[0];
    return segment && { segment: segment.firstSequence, offset: segment.offsetOf(sequence + 1) };
  }

  /** The next events from a place on. Empty at the end. A dropped place is the place of the oldest events. */
  async read(place: StorePlace): Promise<{ readonly events: readonly KeptEvent[]; readonly next: StorePlace }> {
    let at = place;
    for (;;) {
      const segment = this.segments.find(({ firstSequence }) => firstSequence >= at.segment);
      if (segment === undefined) return { events: [], next: at };
      const offset = segment.firstSequence === at.segment ? at.offset : 0;
      const { events, end } = await segment.read(offset, readBytes).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'ENOENT') throw error;
        // Dropped meanwhile: go on with the next one.
        return { events: [], end: offset };
      });
      if (end > offset) {
        at = { segment: segment.firstSequence, offset: end };
        if (events.length > 0) return { events, next: at };
        continue;
      }
      if (segment === this.segments.at(-1)) return { events: [], next: { segment: segment.firstSequence, offset } };
      at = { segment: segment.firstSequence + 1, offset: 0 };
    }
  }

  /**
   * Sequence number before the first event at or after this time.
   *
   * @returns dropped  events of that time or later may have been dropped
   */
  async before(timeNs: bigint): Promise<{ readonly sequence: number; readonly dropped: boolean } | undefined> {
    const oldest = this.segments[0];
    if (oldest === undefined) return undefined;
    const previousNs = await oldest.previousTimeNs().catch(() => 0n);
    const dropped = oldest.firstSequence > 1 && timeNs <= previousNs;
    let start = oldest;
    for (const segment of this.segments.slice(1)) {
      const firstNs = await segment.firstTimeNs().catch(() => undefined);
      if (firstNs === undefined || firstNs >= timeNs) break;
      start = segment;
    }
    let sequence = start.firstSequence - 1;
    for (let place: StorePlace = { segment: start.firstSequence, offset: 0 }; ; ) {
      const { events, next } = await this.read(place);
      if (events.length === 0) return { sequence, dropped };
      for (const event of events) {
        if (event.timeNs >= timeNs) return { sequence: event.sequence - 1, dropped };
        sequence = event.sequence;
      }
      place = next;
    }
  }

  async close(): Promise<void> {
    const { file } = this;
    this.file = undefined;
    if (file === undefined) return;
    await file.datasync();
    await file.close();
  }

  private async writable(firstSequence: number): Promise<{ segment: Segment; file: FileHandle }> {
    const newest = this.segments.at(-1);
    if (this.file !== undefined && newest !== undefined) return { segment: newest, file: this.file };
    const segment = new Segment(this.directory, firstSequence);
    const { file } = await segment.openForAppending();
    try {
      await this.write(segment, file, Buffer.from(segment.headerLine(this.lastTimeNs)));
    } catch (error) {
      await file.close();
      await rm(segment.path, { force: true });
      throw error;
    }
    this.file = file;
    this.segments.push(segment);
    while (this.segments.length > this.limits.segments) {
      const dropped = this.segments.shift()!;
      await rm(dropped.path, { force: true });
    }
    return { segment, file };
  }

  private async write(segment: Segment, file: FileHandle, bytes: Buffer): Promise<void> {
    try {
      for (let done = 0; done < bytes.length; ) {
        done += (await file.write(bytes, done, bytes.length - done)).bytesWritten;
      }
      segment.size += bytes.length;
    } catch (error) {
      // A full disk may have taken a part; the next attempt must not come after half a line.
      await file.truncate(segment.size).catch(() => {});
      throw error;
    }
  }

  private async finish(): Promise<void> {
    await this.close().catch(() => {});
  }

  private async lastTimeBefore(sequence: number): Promise<bigint> {
    let last = 0n;
    for (let place = this.placeAfter(sequence - 1 - marginEvents); place !== undefined; ) {
      const { events, next } = await this.read(place);
      if (events.length === 0) break;
      last = events.at(-1)!.timeNs;
      place = next;
    }
    return last;
  }
}

/** Far enough before the end to be in the last segment that has events. */
const marginEvents = 1;

/** Folder of the history below the data root. */
export const eventDirectory = (dataRoot: string): string => join(dataRoot, 'events');
