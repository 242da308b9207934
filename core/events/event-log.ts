import type { EngineEvent, EventBus, Logger, PublishedEvent } from '@gantry/sdk';
import { errorMessage } from '@gantry/sdk';
import { EventClock } from './event-clock';

/** What readers of past and future events see. */
export interface EventHistory {
  /** Sequence number of the newest event; 0 before the first. */
  readonly lastSequence: number;
  /**
   * Kept events after `sequence`, oldest first, at most `limit`.
   *
   * @property missed  events after `sequence` that are no longer kept
   */
  after(sequence: number, limit?: number): { readonly events: readonly PublishedEvent[]; readonly missed: number };
  /** The sequence number before the first kept event at or after this time. */
  sequenceBefore(timeNs: bigint): number;
  /** Calls `listener` after each publication. Returns the way to stop. */
  onPublished(listener: () => void): () => void;
  /** How many readers wait for events now. */
  readonly listenerCount: number;
}

/** The bus and its bounded ring: subscribers are called in order, readers come back for what they have not seen. */
export class EventLog implements EventBus, EventHistory {
  private readonly ring: PublishedEvent[] = [];
  private readonly subscribers = new Set<(event: PublishedEvent) => void>();
  private readonly wakers = new Set<() => void>();
  private readonly clock = new EventClock();
  private sequence = 0;

  /** @param capacity events kept for `since` and for slow readers */
  constructor(
    private readonly log: Logger,
    private readonly capacity = 4096,
  ) {}

  get lastSequence(): number {
    return this.sequence;
  }

  get listenerCount(): number {
    return this.wakers.size;
  }

  publish(event: EngineEvent): void {
    this.sequence += 1;
    const published: PublishedEvent = { ...event, timeNs: this.clock.now(), sequence: this.sequence };
    this.ring[this.sequence % this.capacity] = published;
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
    for (const wake of this.wakers) wake();
  }

  subscribe(listener: (event: PublishedEvent) => void): () => void {
    // A set keeps one entry per function: wrap it so that the same one may subscribe twice.
    const entry = (event: PublishedEvent) => listener(event);
    this.subscribers.add(entry);
    return () => void this.subscribers.delete(entry);
  }

  after(sequence: number, limit = 256): { events: PublishedEvent[]; missed: number } {
    const first = Math.max(sequence + 1, this.oldest());
    const events: PublishedEvent[] = [];
    for (let next = first; next <= this.sequence && events.length < limit; next++) events.push(this.at(next));
    return { events, missed: this.sequence > sequence ? first - sequence - 1 : 0 };
  }

  sequenceBefore(timeNs: bigint): number {
    // Times rise with sequence numbers: halve the range.
    let low = this.oldest();
    let high = this.sequence + 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.at(middle).timeNs < timeNs) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  onPublished(listener: () => void): () => void {
    this.wakers.add(listener);
    return () => void this.wakers.delete(listener);
  }

  private oldest(): number {
    return Math.max(1, this.sequence - this.capacity + 1);
  }

  private at(sequence: number): PublishedEvent {
    return this.ring[sequence % this.capacity]!;
  }
}
