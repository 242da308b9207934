import { errorKind, errorMessage, type LogBatch, type Logger, type LogWriter, waitAtMost } from '@gantry/sdk';
import { undeliveredBatches } from '@gantry/sdk/log-drivers';
import type { Spool, SpooledBatches } from './spool';

/** How often a back end that is away is looked at. */
const LOOK_MS = 50;
const MIN_BACKOFF_MS = 100;
const MAX_BACKOFF_MS = 10_000;
/** A closing writer waits this long for a back end that is away, */
const AWAY_MS = 300;
/** this long for one that takes nothing, */
const STILL_MS = 1000;
/** and this long for one that takes what there is. */
const DRAIN_MS = 10_000;
/** The end of a container is not held up longer by a driver that is being closed. */
const CLOSE_MS = 2000;
/** Its next run is, but not for ever. */
const LATE_CLOSE_MS = 10_000;
/** How often one that may hold output in memory is looked at, lest it is away and nothing more is written. */
const GUARD_MS = 250;
/** How often a driver is opened again only because it could not be closed well, within some six seconds in all. */
const FINISH_ATTEMPTS = 6;

export interface SpooledWriterParts {
  readonly spool: Spool;
  readonly log: Logger;
  /** Opens the driver, again when it could not be opened. */
  open(): Promise<LogWriter>;
  /** The container has ended, and this is left to be delivered. */
  onLeft(): void;
  /** The container has ended, and everything is delivered. */
  onOver(): void;
  /** Of a driver that no container waits for: there was no room. */
  onDropped(batch: LogBatch): void;
}

/**
 * Writes to a driver whose back end may go away. Then output is kept on disk, and when it is back that goes first. A back
 * end that is merely slow holds the container back, as without a spool; so does a full spool. One that no container is to
 * wait for gets everything from disk, and nothing is dropped while there is room.
 */
export class SpooledWriter implements LogWriter {
  private readonly underWay = new Set<Promise<void>>();
  private released: (() => void)[] = [];
  private draining: Promise<void> | undefined;
  private watch: NodeJS.Timeout | undefined;
  private guard: NodeJS.Timeout | undefined;
  private retrieving: Promise<void> | undefined;
  private backoffMs = MIN_BACKOFF_MS;
  private stop = false;
  private wake: () => void = () => undefined;
  private isOver = false;
  private isAbandoned = false;
  /** How often the driver is to be opened again to end well: it may have lost what it had taken. */
  private finishesLeft = 0;
  /** What is on disk belongs to another writer now, or to nobody. */
  private isForgotten = false;
  /** What `close` began. */
  private ending: Promise<void> = Promise.resolve();

  /** @param inner undefined when the driver could not be opened yet */
  constructor(
    private inner: LogWriter | undefined,
    private readonly parts: SpooledWriterParts,
    /** Nothing more is written: only what is left is delivered. */
    private hasEnded = false,
  ) {
    if (!parts.spool.isEmpty || (inner === undefined && !hasEnded)) this.drain();
    else if (hasEnded) queueMicrotask(() => this.over());
  }

  get spooledBytes(): number {
    return this.parts.spool.bytes;
  }

  write(batch: LogBatch): void | Promise<void> {
    const { inner } = this;
    if (inner === undefined || this.draining !== undefined || !this.parts.spool.isEmpty || inner.isAway)
      return this.keep(batch);
    if (inner.asideBytes !== undefined) return this.keep(batch);
    if (inner.takeBack !== undefined) this.guard ??= setInterval(() => this.guardMemory(), GUARD_MS).unref();
    try {
      const taken = inner.write(batch);
      if (taken !== undefined) return this.takenOrAway(taken, batch);
    } catch (error) {
      this.giveBack(undelivered(batch, error));
    }
  }

  async flush(): Promise<void> {
    if (this.parts.spool.isEmpty) await this.inner?.flush();
  }

  /** Never waits long: what is left is delivered later, in the background. */
  async close(): Promise<void> {
    await this.untilStill();
    clearInterval(this.watch);
    clearInterval(this.guard);
    this.watch = undefined;
    this.stop = true;
    this.wake();
    this.ending = this.end();
    await waitAtMost(CLOSE_MS, this.ending);
  }

  /** The driver is closed, for which the end of the container may not have waited. */
  closed(): Promise<void> {
    return waitAtMost(LATE_CLOSE_MS, this.ending);
  }

  /** Stops delivering; what is left stays on disk. @param patienceMs for a driver that does not let itself be closed */
  async abandon(patienceMs = LATE_CLOSE_MS): Promise<void> {
    this.isAbandoned = true;
    clearInterval(this.guard);
    this.stop = true;
    this.wake();
    await waitAtMost(
      patienceMs,
      this.ending.then(() => this.closeDriver()),
    );
    this.isForgotten = true;
    this.parts.spool.close();
  }

  /** Waits for what is on its way to the driver, as long as it moves. */
  private async untilStill(): Promise<void> {
    const startedAt = performance.now();
    let seenAt = startedAt;
    let movedAt = startedAt;
    let left = '';
    while (this.draining !== undefined || this.underWay.size > 0) {
      const now = performance.now();
      if (this.inner !== undefined && !this.inner.isAway) seenAt = now;
      const leftNow = `${this.underWay.size} ${this.parts.spool.undelivered}`;
      if (leftNow !== left) movedAt = now;
      left = leftNow;
      if (now - seenAt >= AWAY_MS || now - movedAt >= STILL_MS || now - startedAt >= DRAIN_MS) return;
      await pause(LOOK_MS);
    }
  }

  /** Closes the driver, and has what it did not take delivered in the background. */
  private async end(): Promise<void> {
    await this.closeDriver();
    if (this.isAbandoned) return;
    const { spool, log, onLeft } = this.parts;
    this.hasEnded = true;
    this.stop = false;
    if (this.isDone) this.over();
    else {
      onLeft();
      log.warn('the log back end is away, what it did not take is kept for it', { bytes: spool.bytes });
      this.drain();
    }
  }

  /** Nothing is delivered any more; what the driver did not take is in the spool. */
  private async closeDriver(): Promise<void> {
    const { inner } = this;
    this.inner = undefined;
    await this.retrieving;
    const undelivered = await this.finish(inner, FINISH_ATTEMPTS);
    // What it had in its hands is taken or refused by now.
    await waitAtMost(AWAY_MS, Promise.allSettled(this.underWay));
    await this.draining;
    if (!this.isForgotten) this.parts.spool.prepend(undelivered);
  }

  /** Closes a driver. @param attempts to end it well, when this one fails @returns what it did not take */
  private async finish(inner: LogWriter | undefined, attempts: number): Promise<readonly LogBatch[]> {
    try {
      await inner?.close();
      this.finishesLeft = 0;
      return [];
    } catch (error) {
      const undelivered = undeliveredBatches(error);
      if (undelivered === undefined)
        this.parts.log.error('closing the log driver failed', { error: errorMessage(error) });
      this.finishesLeft = undelivered === undefined ? 0 : attempts;
      return undelivered ?? [];
    }
  }

  /** Nothing is left to be delivered or ended. */
  private get isDone(): boolean {
    return this.parts.spool.isEmpty && this.finishesLeft === 0;
  }

  private takenOrAway(taken: Promise<void>, batch: LogBatch): Promise<void> {
    // It is older than all that is kept by now.
    const settled = taken.catch((error) => this.giveBack(undelivered(batch, error)));
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
    const release = () => {
      for (const each of this.released.splice(0)) each();
    };
    if (this.underWay.size > 0) void this.retrieve().then(release);
    else release();
  }

  /** Brings to disk what a driver holds in memory whose back end is away. Not while kept output is being written. */
  private retrieve(): Promise<void> {
    const { inner } = this;
    if (inner?.takeBack === undefined || !inner.isAway) return Promise.resolve();
    this.retrieving ??= inner
      .takeBack()
      .then((batches) => this.giveBack(batches))
      .catch((error) =>
        this.parts.log.error('the log driver does not give back what it holds', { error: errorMessage(error) }),
      )
      .finally(() => {
        this.retrieving = undefined;
      });
    return this.retrieving;
  }

  private guardMemory(): void {
    // Who delivers what is kept looks for itself.
    if (this.draining === undefined) void this.retrieve();
  }

  private giveBack(batches: readonly LogBatch[]): void {
    if (this.isForgotten || batches.length === 0) return;
    this.parts.spool.prepend(batches);
    this.drain();
  }

  private keep(batch: LogBatch): void | Promise<void> {
    if (this.isForgotten) return;
    if (!this.parts.spool.append(batch)) {
      if (this.inner?.asideBytes === undefined) return this.keepLater(batch);
      this.parts.onDropped(batch);
    }
    this.drain();
  }

  private async keepLater(batch: LogBatch): Promise<void> {
    const { spool } = this.parts;
    while (!this.hasEnded && !spool.append(batch)) {
      // Larger than all that may be kept: it may wait alone.
      if (spool.isEmpty) break;
      await pause(LOOK_MS);
    }
    if (this.isForgotten) return;
    if (this.hasEnded || spool.isEmpty) spool.append(batch, true);
    this.drain();
  }

  private drain(): void {
    this.draining ??= this.deliver()
      .catch((error) => this.parts.log.error('delivering kept output failed', { error: errorMessage(error) }))
      .finally(() => {
        this.draining = undefined;
        if (this.hasEnded && this.isDone && !this.stop) this.over();
      });
  }

  private async deliver(): Promise<void> {
    const { spool } = this.parts;
    while (!this.stop && (!this.isDone || (this.inner === undefined && !this.hasEnded))) {
      if (!(await this.isBack())) continue;
      await Promise.allSettled([...this.underWay, this.retrieving]);
      const next = await spool.next();
      if (this.stop) return;
      if (next !== undefined) await this.deliverBatches(next);
      if (!this.hasEnded || !spool.isEmpty) continue;
      const { inner } = this;
      this.inner = undefined;
      // One that never ends well is let go some time.
      spool.prepend(await this.finish(inner, next === undefined ? this.finishesLeft - 1 : FINISH_ATTEMPTS));
      if (!this.isDone) await this.backOff();
    }
  }

  private async deliverBatches(next: SpooledBatches): Promise<void> {
    const { spool } = this.parts;
    const { batches } = next;
    for (let index = 0; index < batches.length; ) {
      const { inner } = this;
      // It is being closed, or went away; what it has in its hands then comes first again.
      const isGone = inner === undefined || inner.isAway;
      const end = isGone || inner.isPipelined ? batches.length : index + 1;
      const missed = isGone ? batches.slice(index) : await this.writeAll(inner, batches.slice(index, end));
      if (missed.length > 0) {
        // When nothing was taken it is there as it was.
        if (index > 0 || end < batches.length || !sameBatches(missed, batches)) {
          spool.advance(next);
          spool.prepend([...missed, ...batches.slice(end)]);
        }
        return isGone ? undefined : this.backOff();
      }
      this.backoffMs = MIN_BACKOFF_MS;
      index = end;
    }
    spool.advance(next);
  }

  /** @returns what the back end did not take */
  private async writeAll(inner: LogWriter, batches: readonly LogBatch[]): Promise<LogBatch[]> {
    const results = await Promise.allSettled(batches.map(async (batch) => inner.write(batch)));
    return results.flatMap((result, index) => {
      if (result.status === 'fulfilled') return [];
      const { reason } = result;
      // One that is being closed may say anything.
      if (errorKind(reason) === 'unavailable' || this.inner !== inner)
        return [...(undeliveredBatches(reason) ?? [batches[index]!])];
      this.parts.log.error('the log driver failed, output is lost', { error: errorMessage(reason) });
      return [];
    });
  }

  private async isBack(): Promise<boolean> {
    if (this.inner !== undefined) {
      if (!this.inner.isAway) return true;
      await this.retrieve();
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

/** @throws what is not about a back end that is away */
function undelivered(batch: LogBatch, error: unknown): readonly LogBatch[] {
  if (errorKind(error) !== 'unavailable') throw error;
  return undeliveredBatches(error) ?? [batch];
}

const sameBatches = (some: readonly LogBatch[], others: readonly LogBatch[]) =>
  some.length === others.length && some.every((batch, index) => batch === others[index]);

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
