import type { EventStore, StorePlace } from './event-store';
import type { KeptEvent } from './kept-event';

/** Where a reader begins. */
export type ReadingStart =
  | { readonly afterSequence: number }
  /** The first event at or after this time, nanoseconds since the epoch. */
  | { readonly sinceNs: bigint };

/** Events that this reader can never see. */
export interface EventGap {
  /** Sequence number of the first one; undefined when it is not known which of those before belong to the reading. */
  readonly first?: number;
  readonly last: number;
}

/** What comes next: first the gap, if there is one, then events in order, never empty without a gap. */
export interface EventBatch {
  readonly gap: EventGap | undefined;
  readonly events: readonly KeptEvent[];
}

/** What a reader needs of the log. */
export interface ReadableLog {
  readonly lastSequence: number;
  readonly shownSequence: number;
  readonly oldestInMemory: number;
  readonly store: EventStore | undefined;
  inMemory(sequence: number): KeptEvent;
  onShown(wake: () => void): () => void;
}

const batchSize = 256;

/**
 * A way through the history into the present, in order and without holes: what cannot be shown any more is told as a
 * gap. It holds a batch at most, however far behind it is.
 */
export class EventReader {
  private position: number;
  private since: bigint | undefined;
  private place: StorePlace | undefined;
  /** What was read behind a hole in the files. */
  private ahead: readonly KeptEvent[] = [];

  constructor(
    private readonly log: ReadableLog,
    start: ReadingStart,
  ) {
    this.position = 'afterSequence' in start ? start.afterSequence : -1;
    this.since = 'sinceNs' in start ? start.sinceNs : undefined;
  }

  /**
   * Waits for the next events.
   *
   * @param stop  when it aborts, what was published before is still shown
   * @returns undefined when the signal has aborted and nothing is left
   */
  async next(stop: AbortSignal): Promise<EventBatch | undefined> {
    if (this.since !== undefined) {
      const gap = await this.seek(this.since);
      this.since = undefined;
      if (gap !== undefined) return { gap, events: [] };
    }
    for (;;) {
      const batch = await this.take();
      if (batch !== undefined) return batch;
      if (stop.aborted && this.position >= this.log.lastSequence) return undefined;
      await this.shownMore(stop);
    }
  }

  private async take(): Promise<EventBatch | undefined> {
    const { log } = this;
    if (this.ahead.length > 0) return this.advance(this.ahead);
    if (this.position >= log.shownSequence) return undefined;
    if (this.position + 1 >= log.oldestInMemory) return this.takeFromMemory();
    const events = await this.takeFromDisk();
    if (events.length > 0) return this.advance(events);
    // The disk does not have them either; memory may have moved on meanwhile.
    return this.position + 1 >= log.oldestInMemory ? this.takeFromMemory() : this.skipTo(log.oldestInMemory);
  }

  private takeFromMemory(): EventBatch {
    const { log } = this;
    this.place = undefined;
    const events: KeptEvent[] = [];
    const last = Math.min(log.shownSequence, this.position + batchSize);
    for (let next = this.position + 1; next <= last; next++) events.push(log.inMemory(next));
    return this.advance(events);
  }

  private async takeFromDisk(): Promise<readonly KeptEvent[]> {
    const { store } = this.log;
    this.place ??= store?.placeAfter(this.position);
    while (store !== undefined && this.place !== undefined) {
      const { events, next } = await store.read(this.place);
      if (events.length === 0) return [];
      this.place = next;
      const fresh = events.filter(({ sequence }) => sequence > this.position);
      if (fresh.length > 0) return fresh;
    }
    return [];
  }

  private advance(found: readonly KeptEvent[]): EventBatch {
    const first = found[0]!.sequence;
    const hole = found.findIndex(({ sequence }, index) => sequence !== first + index);
    const events = hole === -1 ? found : found.slice(0, hole);
    this.ahead = hole === -1 ? [] : found.slice(hole);
    const gap = first > this.position + 1 ? { first: this.position + 1, last: first - 1 } : undefined;
    this.position = events.at(-1)!.sequence;
    return { gap, events };
  }

  private skipTo(sequence: number): EventBatch {
    const gap = { first: this.position + 1, last: sequence - 1 };
    this.position = sequence - 1;
    return { gap, events: [] };
  }

  /** @returns the gap, when events of that time were dropped */
  private async seek(sinceNs: bigint): Promise<EventGap | undefined> {
    const { log } = this;
    const oldest = log.oldestInMemory;
    const isInMemory = oldest <= log.lastSequence && log.inMemory(oldest).timeNs < sinceNs;
    if (!isInMemory) {
      const found = await log.store?.before(sinceNs);
      if (found !== undefined) {
        this.position = found.sequence;
        return found.dropped ? { last: found.sequence } : undefined;
      }
    }
    this.position = this.beforeInMemory(sinceNs);
    const isDropped = !isInMemory && log.store === undefined && oldest > 1 && this.position + 1 === oldest;
    return isDropped ? { last: oldest - 1 } : undefined;
  }

  private beforeInMemory(timeNs: bigint): number {
    const { log } = this;
    // Times rise with sequence numbers: halve the range.
    let low = log.oldestInMemory;
    let high = log.lastSequence + 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (log.inMemory(middle).timeNs < timeNs) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  private async shownMore(stop: AbortSignal): Promise<void> {
    const { log } = this;
    if (this.position < log.shownSequence) return;
    await new Promise<void>((resolve) => {
      const done = () => {
        forget();
        stop.removeEventListener('abort', done);
        resolve();
      };
      const forget = log.onShown(done);
      if (!stop.aborted) stop.addEventListener('abort', done);
    });
  }
}
