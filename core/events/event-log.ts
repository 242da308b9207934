import type { EngineEvent, EventBus, Logger, PublishedEvent } from '@gantry/sdk';
import { errorMessage } from '@gantry/sdk';
import { EventClock } from './event-clock';
import { EventReader, type ReadingStart } from './event-reader';
import { EventStore, type StoreLimits } from './event-store';
import { type KeptEvent, keepEvent } from './kept-event';

/** What readers of past and future events see. */
export interface EventHistory {
  /** Sequence number of the newest event; 0 before the first. */
  readonly lastSequence: number;
  /** How many events this daemon has published since it started. */
  readonly publishedCount: number;
  /** Reads from this point on. Nothing is held open between two reads. */
  reader(start: ReadingStart): EventReader;
  /** Counts somebody who waits for events until the returned function is called. */
  listen(): () => void;
  /** How many wait for events now. */
  readonly listenerCount: number;
}

export interface EventLogOptions {
  /** Events kept in memory; those who are further behind read from disk. */
  readonly capacity?: number;
  readonly store?: StoreLimits;
}

/** Beyond this the oldest events that wait for the disk are not written any more: memory is bounded, readers see a gap. */
const maximumPending = 32_768;
/** Events of one write. */
const batchSize = 512;

/**
 * The bus and its history: subscribers in the process are called in order at once; readers get what has been written
 * to disk, so that nothing a client was shown is forgotten by a kill. Without a disk the newest events are kept in
 * memory.
 */
export class EventLog implements EventBus, EventHistory {
  private readonly capacity: number;
  private readonly ring: KeptEvent[] = [];
  private readonly subscribers = new Set<(event: PublishedEvent) => void>();
  private readonly wakers = new Set<() => void>();
  private readonly clock = new EventClock();
  private disk: EventStore | undefined;
  private pending: KeptEvent[] = [];
  private writing: Promise<void> | undefined;
  private isDiskFailing = false;
  private isClosed = false;
  private sequence = 0;
  /** Events up to here were published before this log was opened. */
  private earlier = 0;
  /** Events up to here may be shown. */
  private shown = 0;
  private listeners = 0;

  constructor(
    private readonly log: Logger,
    private readonly options: EventLogOptions = {},
  ) {
    this.capacity = options.capacity ?? 1024;
  }

  /**
   * Goes on with the history in this directory. Call it before the first publication.
   *
   * @throws system  a newer daemon wrote it, or the directory cannot be used
   */
  async open(directory: string): Promise<void> {
    const { store, lastSequence, lastTimeNs } = await EventStore.open(directory, this.options.store);
    this.disk = store;
    this.sequence = lastSequence;
    this.earlier = lastSequence;
    this.shown = lastSequence;
    this.clock.startAfter(lastTimeNs);
  }

  /** Writes what is left. Later events are kept in memory only; what is on disk can still be read. */
  async close(): Promise<void> {
    while (this.writing !== undefined) await this.writing;
    this.isClosed = true;
    await this.disk
      ?.close()
      .catch((error: unknown) => this.log.warn('the event history was not closed', { error: errorMessage(error) }));
  }

  get lastSequence(): number {
    return this.sequence;
  }

  get publishedCount(): number {
    return this.sequence - this.earlier;
  }

  /** Sequence number of the newest event that may be shown. */
  get shownSequence(): number {
    return this.shown;
  }

  get store(): EventStore | undefined {
    return this.disk;
  }

  get listenerCount(): number {
    return this.listeners;
  }

  publish(event: EngineEvent): void {
    this.sequence += 1;
    const published: PublishedEvent = { ...event, timeNs: this.clock.now(), sequence: this.sequence };
    const kept = keepEvent(published);
    this.ring[this.sequence % this.capacity] = kept;
    this.keep(kept);
    for (const subscriber of [...this.subscribers]) {
      try {
        subscriber(published);
      } catch (error) {
        this.log.error('an event listener failed', {
          type: event.type,
          action: event.action,
          error: errorMessage(error),
        });
      }
    }
  }

  subscribe(listener: (event: PublishedEvent) => void): () => void {
    // A set keeps one entry per function: wrap it so that the same one may subscribe twice.
    const entry = (event: PublishedEvent) => listener(event);
    this.subscribers.add(entry);
    return () => void this.subscribers.delete(entry);
  }

  reader(start: ReadingStart): EventReader {
    return new EventReader(this, start);
  }

  listen(): () => void {
    this.listeners += 1;
    let isCounted = true;
    return () => {
      if (isCounted) this.listeners -= 1;
      isCounted = false;
    };
  }

  /** Calls `wake` when there is more to be shown. Returns the way to stop. */
  onShown(wake: () => void): () => void {
    this.wakers.add(wake);
    return () => void this.wakers.delete(wake);
  }

  /** Sequence number of the oldest event in memory; one more than the newest when there is none. */
  get oldestInMemory(): number {
    return Math.max(this.earlier + 1, this.sequence - this.capacity + 1);
  }

  inMemory(sequence: number): KeptEvent {
    return this.ring[sequence % this.capacity]!;
  }

  private keep(event: KeptEvent): void {
    if (this.disk === undefined || this.isClosed) {
      this.show(event.sequence);
      return;
    }
    this.pending.push(event);
    if (this.pending.length > maximumPending * 2) {
      const lost = this.pending.length - maximumPending;
      this.pending = this.pending.slice(lost);
      this.log.warn('events come faster than the disk takes them: the history has a gap', { events: lost });
    }
    this.writing ??= this.write(this.disk);
  }

  /** Never rejects. */
  private async write(disk: EventStore): Promise<void> {
    // Events of one turn of the loop go into one write.
    await Promise.resolve();
    while (this.pending.length > 0) {
      const batch = this.pending.slice(0, batchSize);
      try {
        await disk.append(batch);
        if (this.isDiskFailing) this.log.info('events are written to disk again');
        this.isDiskFailing = false;
      } catch (error) {
        // Showing late is worse than forgetting early: readers go on from memory.
        if (!this.isDiskFailing)
          this.log.error('events cannot be written to disk and will be missing from the history', {
            error: errorMessage(error),
          });
        this.isDiskFailing = true;
      }
      const last = batch.at(-1)!.sequence;
      // While the disk was busy, the oldest may have been given up.
      const written = this.pending.findIndex(({ sequence }) => sequence > last);
      this.pending = written === -1 ? [] : this.pending.slice(written);
      this.show(last);
    }
    this.writing = undefined;
  }

  private show(sequence: number): void {
    this.shown = sequence;
    for (const wake of this.wakers) wake();
  }
}
