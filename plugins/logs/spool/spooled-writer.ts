import { errorKind, errorMessage, type LogBatch, type Logger, type LogWriter } from '@gantry/sdk';
import { undeliveredBatches } from '@gantry/sdk/log-drivers';
import type { Spool, SpooledBatches } from './spool';

/** How often a back end that is away is looked at. */
const LOOK_MS = 50;
const MIN_BACKOFF_MS = 100;
const MAX_BACKOFF_MS = 10_000;
/** A closing writer waits this long for a back end that is away, */
const AWAY_MS = 300;
/** and this long for one that takes what there is. */
const DRAIN_MS = 10_000;

export interface SpooledWriterParts {
  readonly spool: Spool;
  readonly log: Logger;
  /** Opens the driver, again when it could not be opened. */
  open(): Promise<LogWriter>;
  /** The container has ended, and this is left to be delivered. */
  onLeft(): void;
  /** The container has ended, and everything is delivered. */
  onOver(): void;
}

/**
 * Writes to a driver whose back end may go away. Then output is kept on disk, and when it is back that goes first. A back
 * end that is merely slow holds the container back, as without a spool; so does a full spool.
 */
export class SpooledWriter implements LogWriter {
  private readonly underWay = new Set<Promise<void>>();
  private released: (() => void)[] = [];
  private draining: Promise<void> | undefined;
  private watch: NodeJS.Timeout | undefined;
  private backoffMs = MIN_BACKOFF_MS;
  private stop = false;
  private wake: () => void = () => undefined;
  private isOver = false;

  /** @param inner undefined when the driver could not be opened yet */
  constructor(
    private inner: LogWriter | undefined,
    private readonly parts: SpooledWriterParts,
    /** Nothing more is written: only what is left is delivered. */
    private hasEnded = false,
  ) {
    if (!parts.spool.isEmpty) this.drain();
  }

  get spooledBytes(): number {
    return this.parts.spool.bytes;
  }

  write(batch: LogBatch): void | Promise<void> {
    const { inner } = this;
    if (inner === undefined || this.draining !== undefined || !this.parts.spool.isEmpty || inner.isAway)
      return this.keep(batch);
    try {
      const taken = inner.write(batch);
      if (taken !== undefined) return this.takenOrAway(taken, batch);
    } catch (error) {
      return this.keepUndelivered(batch, error);
    }
  }

  async flush(): Promise<void> {
    if (this.parts.spool.isEmpty) await this.inner?.flush();
  }

  /** Never waits long: what is left is delivered later, in the background. */
  async close(): Promise<void> {
    const startedAt = performance.now();
    let seenAt = startedAt;
    while (this.draining !== undefined || this.underWay.size > 0) {
      const now = performance.now();
      if (this.inner !== undefined && !this.inner.isAway) seenAt = now;
      if (now - seenAt >= AWAY_MS || now - startedAt >= DRAIN_MS) break;
      await pause(LOOK_MS);
    }
    clearInterval(this.watch);
    this.watch = undefined;
    const { inner, parts } = this;
    this.stop = true;
    this.wake();
    this.inner = undefined;
    try {
      await inner?.close();
    } catch (error) {
      const batches = undeliveredBatches(error);
      await this.draining;
      if (batches === undefined) parts.log.error('closing the log driver failed', { error: errorMessage(error) });
      else parts.spool.prepend(batches);
    }
    await this.draining;
    this.hasEnded = true;
    this.stop = false;
    if (parts.spool.isEmpty) this.over();
    else {
      parts.onLeft();
      parts.log.warn('the log back end is away, what it did not take is kept for it', { bytes: parts.spool.bytes });
      this.drain();
    }
  }

  /** Gives the rest up: the container is removed, or starts anew and takes it along. */
  async abandon(): Promise<void> {
    this.stop = true;
    this.wake();
    await this.draining;
    const { inner } = this;
    this.inner = undefined;
    await inner?.close().catch((error) => this.parts.spool.prepend(undeliveredBatches(error) ?? []));
    this.parts.spool.close();
  }

  private takenOrAway(taken: Promise<void>, batch: LogBatch): Promise<void> {
    const settled = taken.catch((error) => this.keepUndelivered(batch, error));
    this.underWay.add(settled);
    const done = settled.finally(() => this.underWay.delete(settled));
    // Whatever becomes of it is told to who waits below.
    done.catch(() => undefined);
    this.watch ??= setInterval(() => this.look(), LOOK_MS).unref();
    return Promise.race([done, new Promise<void>((resolve) => this.released.push(resolve))]);
  }

  /** Lets the container go on when what it waits for is away. */
  private look(): void {
    if (this.underWay.size > 0 && !this.inner?.isAway) return;
    clearInterval(this.watch);
    this.watch = undefined;
    for (const release of this.released.splice(0)) release();
  }

  private keepUndelivered(batch: LogBatch, error: unknown): void | Promise<void> {
    if (errorKind(error) !== 'unavailable') throw error;
    for (const left of undeliveredBatches(error) ?? [batch]) {
      const kept = this.keep(left);
      if (kept !== undefined) return kept;
    }
  }

  private keep(batch: LogBatch): void | Promise<void> {
    if (!this.parts.spool.append(batch)) return this.keepLater(batch);
    this.drain();
  }

  private async keepLater(batch: LogBatch): Promise<void> {
    while (!this.hasEnded && !this.parts.spool.append(batch)) {
      if (this.parts.spool.isEmpty) {
        // Larger than all that may be kept.
        await this.inner?.write(batch);
        return;
      }
      await pause(LOOK_MS);
    }
    this.drain();
  }

  private drain(): void {
    this.draining ??= this.deliver()
      .catch((error) => this.parts.log.error('delivering kept output failed', { error: errorMessage(error) }))
      .finally(() => {
        this.draining = undefined;
        if (this.hasEnded && this.parts.spool.isEmpty && !this.stop) this.over();
      });
  }

  private async deliver(): Promise<void> {
    while (!this.stop && !this.parts.spool.isEmpty) {
      if (!(await this.isBack())) continue;
      await Promise.allSettled(this.underWay);
      const next = await this.parts.spool.next();
      if (next === undefined || this.stop) return;
      await this.deliverBatches(next);
    }
    if (this.hasEnded && this.parts.spool.isEmpty) {
      const { inner } = this;
      this.inner = undefined;
      await inner?.close().catch((error) => this.parts.spool.prepend(undeliveredBatches(error) ?? []));
      if (!this.parts.spool.isEmpty) return this.deliver();
    }
  }

  private async deliverBatches(next: SpooledBatches): Promise<void> {
    const { spool, log } = this.parts;
    for (const [index, batch] of next.batches.entries()) {
      try {
        await this.inner?.write(batch);
        this.backoffMs = MIN_BACKOFF_MS;
      } catch (error) {
        if (errorKind(error) !== 'unavailable') {
          log.error('the log driver failed, output is lost', { error: errorMessage(error) });
          continue;
        }
        const missed = undeliveredBatches(error);
        if (index > 0 || missed !== undefined) {
          spool.advance(next);
          spool.prepend([...(missed ?? [batch]), ...next.batches.slice(index + 1)]);
        }
        return this.backOff();
      }
    }
    spool.advance(next);
  }

  private async isBack(): Promise<boolean> {
    if (this.inner !== undefined) {
      if (!this.inner.isAway) return true;
      await this.sleep(LOOK_MS);
      return false;
    }
    const opening = this.parts.open();
    try {
      const opened = await Promise.race([opening, this.untilStopped()]);
      if (opened === undefined) {
        // Nobody waits for a back end that is away; should it answer after all, it is told that it is over.
        void opening.then((late) => late.close()).catch(() => undefined);
        return false;
      }
      this.inner = opened;
      return true;
    } catch {
      await this.backOff();
      return false;
    }
  }

  private async backOff(): Promise<void> {
    await this.sleep(this.backoffMs);
    this.backoffMs = Math.min(this.backoffMs * 2, MAX_BACKOFF_MS);
  }

  private untilStopped(): Promise<undefined> {
    return new Promise((resolve) => {
      this.wake = () => resolve(undefined);
    });
  }

  private sleep(ms: number): Promise<void> {
    if (this.stop) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms).unref();
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  private over(): void {
    if (this.isOver) return;
    this.isOver = true;
    this.parts.spool.remove();
    this.parts.onOver();
  }
}

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
